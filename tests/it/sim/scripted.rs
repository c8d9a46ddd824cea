//! Scenarios as text with golden output: `scenarios/*.txt` are the steps, the `.out` beside each is what they show.
//! `BERTH_BLESS=1` writes the outputs anew; read the difference before it is committed.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::on_paused_time;
use super::script::play;

/// Fewer would mean that files were lost.
const FEWEST: usize = 25;

/// A scenario that shows what is wrong today says so, and why it is left, in a comment that begins like this.
const KNOWN_WRONG: &str = "# Wrong today: ";

fn scenarios() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/sim/scenarios");
    let entries = std::fs::read_dir(folder).expect("the folder of scenarios");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|found| found == "txt"))
        .collect();
    files.sort();
    files
}

fn run(text: &str) -> Result<String, String> {
    on_paused_time(play(text))
}

/// What is wrong with the scenario; `None` = nothing.
fn check(path: &Path, bless: bool) -> Option<String> {
    let name = path.file_name()?.to_string_lossy();
    let text = std::fs::read_to_string(path).expect("a scenario");
    let opens_with_a_sentence = text.strip_prefix("# ").is_some_and(|rest| {
        rest.lines()
            .take_while(|l| !l.is_empty())
            .any(|l| l.ends_with('.'))
    });
    if !opens_with_a_sentence {
        return Some(format!("{name} does not open with `# ` and a sentence"));
    }
    let shown = match run(&text) {
        Ok(shown) => shown,
        Err(wrong) => return Some(format!("{name}:{wrong}")),
    };
    let broken = shown.lines().any(|line| line.starts_with('!'));
    if broken && !text.contains(KNOWN_WRONG) {
        return Some(format!("{name} breaks a promise:\n{shown}"));
    }
    let golden = path.with_extension("out");
    if bless {
        std::fs::write(&golden, shown).expect("the output is written");
        return None;
    }
    let expected = std::fs::read_to_string(&golden).unwrap_or_default();
    (shown != expected)
        .then(|| format!("{name} shows something else:\n{}", diff(&expected, &shown)))
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "whoever changes an output says so"
)]
fn every_scenario_shows_what_is_written_beside_it() {
    let bless = std::env::var("BERTH_BLESS").is_ok_and(|value| value == "1");
    let scenarios = scenarios();
    assert!(scenarios.len() >= FEWEST, "{}", scenarios.len());
    let wrong: Vec<String> = scenarios
        .iter()
        .filter_map(|path| check(path, bless))
        .collect();
    assert!(
        wrong.is_empty(),
        "{}\nBERTH_BLESS=1 writes what is shown now",
        wrong.join("\n")
    );
}

/// Lines that only the first text has with `-`, only the second with `+`, and a space before what both have.
fn diff(before: &str, after: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    // Length of the longest common rest from each pair of lines on.
    let mut common = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] = if old[i] == new[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j, mut shown) = (0, 0, String::new());
    while i < old.len() || j < new.len() {
        let (sign, line) = if i < old.len() && j < new.len() && old[i] == new[j] {
            (i, j) = (i + 1, j + 1);
            (' ', old[i - 1])
        } else if j >= new.len() || (i < old.len() && common[i + 1][j] >= common[i][j + 1]) {
            i += 1;
            ('-', old[i - 1])
        } else {
            j += 1;
            ('+', new[j - 1])
        };
        let _infallible = writeln!(shown, "{sign} {line}");
    }
    shown
}

#[test]
fn a_difference_shows_what_went_and_what_came() {
    let shown = diff("a\nb\nc\n", "a\nc\nd\n");
    assert_eq!(shown, "  a\n- b\n  c\n+ d\n");
    assert_eq!(diff("", "a\n"), "+ a\n");
}

#[test]
fn a_scenario_that_breaks_a_promise_says_so() {
    let shown = run("task a\n  x: serve\nput a\nlose database\n").expect("a scenario");
    // Rows that vanish under an agent that runs are found by nothing: what it commits next belongs to no task.
    assert!(shown.lines().any(|line| line.starts_with('!')), "{shown}");
}
