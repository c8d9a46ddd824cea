//! What this process uses, where the system has `/proc`.

use std::path::Path;

/// Ticks of the process clock in a second: the kernel shows them so on every architecture that we build for.
const TICKS_PER_SECOND: f64 = 100.0;

/// Bytes of a page where the kernel does not use large ones.
const PAGE_BYTES: u64 = 4_096;

/// What a process uses.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ProcessFigures {
    /// Memory in RAM, in bytes.
    pub resident_bytes: u64,
    /// CPU time since its start, in seconds.
    pub cpu_seconds: f64,
    /// Open file descriptors.
    pub open_files: u64,
    /// Threads.
    pub threads: u64,
    /// When it was started, in seconds since 1970.
    pub started_at: f64,
}

/// What this process uses; `None` where the system does not tell.
pub fn process_figures() -> Option<ProcessFigures> {
    read(Path::new("/proc"))
}

fn read(proc: &Path) -> Option<ProcessFigures> {
    let process = proc.join("self");
    let stat = std::fs::read_to_string(process.join("stat")).ok()?;
    let system = std::fs::read_to_string(proc.join("stat")).ok()?;
    let open_files = std::fs::read_dir(process.join("fd")).ok()?.count();
    let figures = parse(&stat, booted_at(&system)?)?;
    Some(ProcessFigures {
        open_files: u64::try_from(open_files).unwrap_or(u64::MAX),
        ..figures
    })
}

/// When the system was started, in seconds since 1970.
fn booted_at(system: &str) -> Option<f64> {
    let line = system.lines().find_map(|line| line.strip_prefix("btime "));
    line?.trim().parse().ok()
}

/// Fields of `stat`, counted from behind the command, which may hold anything: see proc(5).
fn parse(stat: &str, booted_at: f64) -> Option<ProcessFigures> {
    let (_, after_command) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = after_command.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u32>().ok().map(f64::from);
    let whole = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some(ProcessFigures {
        resident_bytes: whole(21)?.saturating_mul(PAGE_BYTES),
        cpu_seconds: (number(11)? + number(12)?) / TICKS_PER_SECOND,
        open_files: 0,
        threads: whole(17)?,
        started_at: booted_at + fields.get(19)?.parse::<f64>().ok()? / TICKS_PER_SECOND,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_with_blanks_and_brackets_does_not_confuse() {
        let stat =
            "7 (a) b (c) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 9 0 100 1000 25 184 0 0";
        let booted_at = booted_at("cpu 1 2\nbtime 1000\nprocesses 7\n").expect("a time");
        let figures = parse(stat, booted_at).expect("figures");
        assert_eq!((figures.resident_bytes, figures.threads), (25 * 4_096, 9));
        assert!((figures.cpu_seconds - 3.0).abs() < 1e-9);
        assert!((figures.started_at - 1001.0).abs() < 1e-9);
        assert_eq!(parse("7 (a", booted_at), None);
    }
}
