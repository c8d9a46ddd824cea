//! Keeps the agent small: few heaps, and back to the kernel go the pages of program text that only the start needed.
//!
//! A start runs through most of the program once (arguments, settings, migrations, routes), and the kernel maps 64 KiB
//! around every page that is touched, so nearly the whole text stays resident though a tenth of it works from then on.
//! Pages that are needed again come back from the page cache, without the disk as long as there is memory.

use std::num::NonZeroUsize;
use std::ptr::NonNull;

use nix::sys::mman::{MmapAdvise, madvise};

/// Where the kernel lists what is mapped.
const MAPS: &str = "/proc/self/maps";

/// Unmaps the text of the program and its libraries from this process; what runs on is mapped again as it is touched.
/// Returns the bytes of the ranges; 0 = the kernel does not list them.
pub fn release_start_up_code() -> usize {
    let maps = std::fs::read_to_string(MAPS).unwrap_or_default();
    let ranges = maps.lines().filter_map(text_range);
    ranges
        .filter(|&range| release(range))
        .map(|range| range.1)
        .sum()
}

/// All threads share so many heaps. By itself the C library gives nearly every thread one, each with pages that only it
/// uses again: connections of SQLite come and go with threads of their own. Does nothing where the C library is another.
pub fn share_heaps(most: u8) {
    #[cfg(target_env = "gnu")]
    {
        #[expect(unsafe_code, reason = "a call of the C library")]
        // SAFETY: it takes two numbers and touches no memory of ours.
        let _known = unsafe { nix::libc::mallopt(nix::libc::M_ARENA_MAX, i32::from(most)) };
    }
    #[cfg(not(target_env = "gnu"))]
    let _unused = most;
}

/// Start and length of a mapping of a file that can be run and can not be written.
fn text_range(line: &str) -> Option<(usize, usize)> {
    let mut fields = line.split_ascii_whitespace();
    let (range, access) = (fields.next()?, fields.next()?);
    let path = fields.nth(3)?;
    // Private and never writable: every page is the file's own. Relocations and data lie in other mappings.
    if access != "r-xp" || !path.starts_with('/') {
        return None;
    }
    let (from, to) = range.split_once('-')?;
    let from = usize::from_str_radix(from, 16).ok()?;
    let to = usize::from_str_radix(to, 16).ok()?;
    Some((from, to.checked_sub(from)?))
}

fn release((start, length): (usize, usize)) -> bool {
    let Some(start) = NonZeroUsize::new(start) else {
        return false;
    };
    let start = NonNull::<std::ffi::c_void>::without_provenance(start);
    #[expect(
        unsafe_code,
        reason = "the kernel has no call for this that takes anything but an address"
    )]
    // SAFETY: the range is a private mapping of a file that cannot be written, so that no page differs from the file's.
    // Dropping such pages from the page table changes no byte that anybody reads, whatever runs meanwhile.
    let advised = unsafe { madvise(start, length, MmapAdvise::MADV_DONTNEED) };
    advised.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_of_files_is_let_go() {
        let text = "55d0c8a00000-55d0c8a02000 r-xp 00001000 fe:00 42 /usr/bin/berth";
        assert_eq!(text_range(text), Some((0x55d0_c8a0_0000, 0x2000)));
        for kept in [
            "55d0c8a00000-55d0c8a02000 r--p 00001000 fe:00 42 /usr/bin/berth",
            "55d0c8a00000-55d0c8a02000 rwxp 00001000 fe:00 42 /usr/bin/berth",
            "55d0c8a00000-55d0c8a02000 r-xs 00001000 fe:00 42 /usr/bin/berth",
            "7ffd0c8a0000-7ffd0c8a2000 r-xp 00000000 00:00 0 [vdso]",
            "7ffd0c8a0000-7ffd0c8a2000 r-xp 00000000 00:00 0",
            "rubbish",
            "",
        ] {
            assert_eq!(text_range(kept), None, "{kept}");
        }
    }

    #[test]
    fn the_program_runs_on_without_its_text() {
        assert!(release_start_up_code() > 0);
        assert_eq!(text_range("2-1 r-xp 0 0:0 1 /x"), None);
    }
}
