//! The few forms in which the kernel writes figures. What does not fit a form is as if it were not there.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Longest file that is read, in bytes. The longest met is `memory.stat`, of 2 KiB; `/proc/stat` grows with the
/// CPUs, and what is wanted of it comes first.
const MAX_BYTES: u64 = 256 * 1024;

/// The file's text.
pub(super) fn text(path: &Path) -> io::Result<String> {
    head(path, MAX_BYTES)
}

/// The first bytes of a file as text.
pub(super) fn head(path: &Path, limit: u64) -> io::Result<String> {
    // Enough for nearly all files, so that one allocation does.
    let mut bytes = Vec::with_capacity(1024);
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// The text of a file that not every kernel has.
pub(super) fn optional(path: &Path) -> String {
    text(path).unwrap_or_default()
}

/// The one number that a file holds; `None` also for `max`.
pub(super) fn number(path: &Path) -> Option<u64> {
    text(path).ok()?.trim().parse().ok()
}

/// Lines of `key value`.
pub(super) fn pairs(text: &str) -> impl Iterator<Item = (&str, u64)> {
    text.lines().filter_map(|line| {
        let (key, value) = line.split_once(' ')?;
        Some((key, value.trim().parse().ok()?))
    })
}

/// The value of one key among lines of `key value`, or 0.
pub(super) fn value(text: &str, key: &str) -> u64 {
    pairs(text)
        .find(|(found, _)| *found == key)
        .map_or(0, |(_, value)| value)
}

/// `8:16` as major and minor number.
pub(super) fn device(text: &str) -> Option<(u64, u64)> {
    let (major, minor) = text.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
