//! The files of the database, and what becomes of damaged ones: they are renamed, and the last few kept.
//!
//! **Invariant.** Nothing is deleted but damaged files beyond [`KEPT`], and files that this run has made itself.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use crate::domain::ids::UnixMillis;
use crate::platform::{private_directory, private_file};

/// Name of the database in the data directory. SQLite adds `-wal` and `-shm` for its log and the log's index, and
/// `-journal` while a new file does not have the log yet.
const NAME: &str = "berth.db";

/// Name of the log.
const LOG: &str = "berth.db-wal";

/// Endings of the files that make up the database.
const ENDINGS: [&str; 4] = ["", "-wal", "-shm", "-journal"];

/// Damaged databases kept.
const KEPT: usize = 3;

/// Smallest page that SQLite knows, in bytes.
const SMALLEST_PAGE_BYTES: u64 = 512;

/// Length of the header of a write-ahead log, in bytes (<https://www.sqlite.org/fileformat2.html#walformat>).
const LOG_HEADER_BYTES: usize = 32;

/// First word of a write-ahead log; the last bit says that checksums are over big-endian words.
const LOG_MAGIC: u32 = 0x377f_0682;

/// What is there before SQLite looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// No file.
    Nothing,
    /// Less than one page, which SQLite never leaves behind but takes for an empty database.
    Stump,
    /// A directory, a socket or the like.
    NoFile,
    /// Something.
    Content,
}

/// A file that was set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lost {
    /// When, as its name says.
    pub at: UnixMillis,
    /// Its name now.
    pub name: String,
}

/// The database's place.
#[derive(Clone, Debug)]
pub(super) struct Files {
    directory: PathBuf,
}

impl Files {
    /// In that directory.
    pub(super) fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
        }
    }

    /// The main file.
    pub(super) fn database(&self) -> PathBuf {
        self.directory.join(NAME)
    }

    /// The log; there is none before the first commit.
    pub(super) fn log(&self) -> PathBuf {
        self.directory.join(LOG)
    }

    /// Makes the directory, and says what is in it.
    pub(super) fn look(&self) -> io::Result<Found> {
        private_directory(&self.directory)?;
        match fs::metadata(self.database()) {
            Ok(metadata) if !metadata.is_file() => Ok(Found::NoFile),
            Ok(metadata) if metadata.len() < SMALLEST_PAGE_BYTES => Ok(Found::Stump),
            Ok(_) => Ok(Found::Content),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Found::Nothing),
            Err(error) => Err(error),
        }
    }

    /// Makes the main file if it is not there, lets nobody else read it, and finds out whether it can be written.
    pub(super) fn prepare(&self) -> io::Result<()> {
        private_file(&self.database()).map(drop)
    }

    /// Renames the database with its log. Returns the new name.
    pub(super) fn set_aside(&self, now: UnixMillis) -> io::Result<String> {
        let name = self.free_name(NAME, now);
        for ending in ENDINGS {
            self.rename(&format!("{NAME}{ending}"), &format!("{name}{ending}"))?;
        }
        self.forget_old();
        Ok(name)
    }

    /// The database or log that was set aside last, of those still there.
    pub(super) fn last_lost(&self) -> Option<Lost> {
        [NAME, LOG]
            .into_iter()
            .flat_map(|name| {
                let prefix = damaged(name);
                let times = self.times(&prefix).into_iter();
                times.map(move |at| Lost {
                    at: UnixMillis(at),
                    name: format!("{prefix}{at}"),
                })
            })
            .max_by_key(|lost| lost.at)
    }

    /// Renames the log if it is none. The database is then as it was when the log was last written into it, which is
    /// better than nothing; SQLite itself would overwrite the log without a word. Returns the new name.
    pub(super) fn set_bad_log_aside(&self, now: UnixMillis) -> io::Result<Option<String>> {
        let mut header = [0; LOG_HEADER_BYTES];
        match File::open(self.log()) {
            Ok(mut file) => match file.read_exact(&mut header) {
                Ok(()) => {}
                // A log that ends within its header has just been begun.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
                Err(error) => return Err(error),
            },
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        }
        if is_log_header(&header) {
            return Ok(None);
        }
        self.set_log_aside(now).map(Some)
    }

    /// Renames a log whose database is gone, as after a kill between two renames; SQLite itself would delete it
    /// without a word. Returns the new name.
    pub(super) fn set_lone_log_aside(&self, now: UnixMillis) -> io::Result<Option<String>> {
        match fs::metadata(self.log()) {
            Ok(metadata) if metadata.len() > 0 => self.set_log_aside(now).map(Some),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn set_log_aside(&self, now: UnixMillis) -> io::Result<String> {
        let name = self.free_name(LOG, now);
        self.rename(LOG, &name)?;
        self.forget_old();
        Ok(name)
    }

    /// Removes what was made in vain, so that the next attempt does not take it for a damaged database.
    pub(super) fn remove(&self) {
        for ending in ENDINGS {
            // What stays behind is set aside by the next attempt.
            drop(fs::remove_file(
                self.directory.join(format!("{NAME}{ending}")),
            ));
        }
    }

    /// A name that sorts after those of the same kind, whatever the clock says.
    fn free_name(&self, name: &str, now: UnixMillis) -> String {
        let prefix = damaged(name);
        let newest = self.times(&prefix).into_iter().max();
        let at = newest.map_or(now.0, |newest| newest.saturating_add(1).max(now.0));
        format!("{prefix}{at}")
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        match fs::rename(self.directory.join(from), self.directory.join(to)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// Deletes damaged files beyond [`KEPT`], the oldest first. One that cannot be deleted does no harm.
    fn forget_old(&self) {
        for prefix in [NAME, LOG].map(damaged) {
            let mut times = self.times(&prefix);
            times.sort_unstable();
            let old = times.len().saturating_sub(KEPT);
            for at in times.into_iter().take(old) {
                for ending in ENDINGS {
                    let name = format!("{prefix}{at}{ending}");
                    drop(fs::remove_file(self.directory.join(name)));
                }
            }
        }
    }

    fn times(&self, prefix: &str) -> Vec<i64> {
        let Ok(entries) = fs::read_dir(&self.directory) else {
            return Vec::new();
        };
        entries
            .filter_map(|entry| {
                let name = entry.ok()?.file_name().into_string().ok()?;
                name.strip_prefix(prefix)?.parse().ok()
            })
            .collect()
    }
}

/// What the name of a damaged file begins with; the time follows.
fn damaged(name: &str) -> String {
    format!("{name}.damaged-")
}

/// Whether the header of a log is whole: magic, and the checksum over the 24 bytes before it.
fn is_log_header(header: &[u8; LOG_HEADER_BYTES]) -> bool {
    let (words, _) = header.as_chunks::<4>();
    let [magic, _, _, _, _, _, stored @ ..] = words else {
        return false;
    };
    let magic = u32::from_be_bytes(*magic);
    if magic | 1 != LOG_MAGIC | 1 {
        return false;
    }
    let read: fn([u8; 4]) -> u32 = if magic == LOG_MAGIC {
        u32::from_le_bytes
    } else {
        u32::from_be_bytes
    };
    let (mut first, mut second) = (0_u32, 0_u32);
    let (pairs, _) = words.as_chunks::<2>();
    for [a, b] in pairs.iter().take(3) {
        first = first.wrapping_add(read(*a)).wrapping_add(second);
        second = second.wrapping_add(read(*b)).wrapping_add(first);
    }
    stored == [first.to_be_bytes(), second.to_be_bytes()]
}
