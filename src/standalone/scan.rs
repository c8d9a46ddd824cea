//! Looks at the directory: which files are there, and the content of those that changed.
//!
//! **Invariants.** A file is read when its metadata changed and then stayed the same for one look, so that half
//! written files are rarely read; all are read at the first look. A file counts as gone only when two looks in a row
//! did not find it, since editors remove and write anew. A directory that cannot be listed changes nothing.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Largest file that is read, in bytes: far above any task definition.
pub(super) const MAX_FILE_BYTES: u64 = 10 * 1024 * 1024;

/// Most files of a directory: a host cannot run more tasks than this.
pub(super) const MAX_FILES: usize = 1_000;

/// Looks in a row that must miss a file before it counts as gone.
const LOOKS_UNTIL_GONE: u32 = 2;

/// Why the directory could not be looked at.
#[derive(Debug, thiserror::Error)]
pub(super) enum ScanError {
    #[error("list {}", path.display())]
    List {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} has more than {MAX_FILES} task definition files", path.display())]
    TooMany { path: PathBuf },
}

/// What tells one state of a file from another without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint {
    pub(super) modified: Option<SystemTime>,
    pub(super) size: u64,
}

/// Files by name without the extension: how they look, or why that cannot be told.
pub(super) type Listing = BTreeMap<String, Result<Fingerprint, String>>;

/// Lists `*.json` of the directory, hidden ones left out, symbolic links followed.
pub(super) fn list(dir: &Path) -> Result<Listing, ScanError> {
    let failed = |source| ScanError::List {
        path: dir.to_owned(),
        source,
    };
    let mut listing = Listing::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        // A name that is not UTF-8 cannot be shown or stored; nobody names task definitions so.
        let Some(name) = name.to_str() else { continue };
        let Some(stem) = name.strip_suffix(".json") else {
            continue;
        };
        if stem.is_empty() || stem.starts_with('.') {
            continue;
        }
        let fingerprint = match fs::metadata(dir.join(name)) {
            Ok(metadata) if metadata.is_file() => Ok(Fingerprint {
                modified: metadata.modified().ok(),
                size: metadata.len(),
            }),
            Ok(_) => continue,
            // It went away between the two calls.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => Err(error.to_string()),
        };
        listing.insert(stem.to_owned(), fingerprint);
        if listing.len() > MAX_FILES {
            return Err(ScanError::TooMany {
                path: dir.to_owned(),
            });
        }
    }
    Ok(listing)
}

/// The bytes of a file of the directory.
pub(super) fn read(dir: &Path, stem: &str) -> Result<Vec<u8>, String> {
    let file = fs::File::open(dir.join(format!("{stem}.json"))).map_err(|e| e.to_string())?;
    let mut bytes = Vec::new();
    let mut limited = file.take(MAX_FILE_BYTES.saturating_add(1));
    limited.read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= MAX_FILE_BYTES) {
        Ok(bytes)
    } else {
        Err(format!("is larger than {MAX_FILE_BYTES} bytes"))
    }
}

/// What was made of a file's content, kept until the content changes.
#[derive(Debug)]
pub(super) struct Tracked<T> {
    seen: Option<Fingerprint>,
    read: Option<(Fingerprint, T)>,
    unreadable: Option<String>,
    missed: u32,
}

/// Follows the files from look to look.
#[derive(Debug)]
pub(super) struct Tracker<T> {
    files: BTreeMap<String, Tracked<T>>,
    first: bool,
}

/// A file as the tracker has it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Seen<'a, T> {
    /// As last read.
    Read(&'a T),
    /// Its metadata or content could not be had.
    Unreadable(&'a str),
    /// Not read yet: it may still be being written.
    Settling,
}

impl<T> Tracker<T> {
    pub(super) fn new() -> Self {
        Self {
            files: BTreeMap::new(),
            first: true,
        }
    }

    /// Takes in a listing and reads what is due. `read` gives what is to be kept of a file, or why it cannot be had.
    pub(super) fn look(
        &mut self,
        listing: Listing,
        mut read: impl FnMut(&str) -> Result<T, String>,
    ) {
        for (name, file) in &mut self.files {
            if !listing.contains_key(name) {
                file.missed = file.missed.saturating_add(1);
                file.seen = None;
            }
        }
        self.files.retain(|_, file| file.missed < LOOKS_UNTIL_GONE);
        for (name, fingerprint) in listing {
            let file = self.files.entry(name.clone()).or_insert_with(|| Tracked {
                seen: None,
                read: None,
                unreadable: None,
                missed: 0,
            });
            file.missed = 0;
            let now = match fingerprint {
                Ok(now) => now,
                Err(why) => {
                    file.unreadable = Some(why);
                    file.seen = None;
                    continue;
                }
            };
            let settled = self.first || file.seen == Some(now);
            let known = file.read.as_ref().is_some_and(|(at, _)| *at == now);
            file.seen = Some(now);
            if known && file.unreadable.is_none() || !settled {
                continue;
            }
            match read(&name) {
                Ok(content) => {
                    file.read = Some((now, content));
                    file.unreadable = None;
                }
                Err(why) => file.unreadable = Some(why),
            }
        }
        self.first = false;
    }

    /// Every file that is not gone.
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, Seen<'_, T>)> {
        self.files.iter().map(|(name, file)| {
            let seen = match (&file.unreadable, &file.read) {
                (Some(why), _) => Seen::Unreadable(why),
                (None, Some((_, content))) => Seen::Read(content),
                (None, None) => Seen::Settling,
            };
            (name.as_str(), seen)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(size: u64) -> Fingerprint {
        Fingerprint {
            modified: None,
            size,
        }
    }

    fn listing(files: &[(&str, Result<Fingerprint, String>)]) -> Listing {
        files
            .iter()
            .map(|(name, print)| ((*name).to_owned(), print.clone()))
            .collect()
    }

    /// Looks, reading a counter as content, and shows the files.
    fn look(tracker: &mut Tracker<u32>, reads: &mut u32, listing: Listing) -> Vec<String> {
        tracker.look(listing, |_| {
            *reads += 1;
            Ok(*reads)
        });
        tracker
            .files()
            .map(|(name, seen)| match seen {
                Seen::Read(n) => format!("{name} {n}"),
                Seen::Unreadable(why) => format!("{name} {why}"),
                Seen::Settling => format!("{name} settling"),
            })
            .collect()
    }

    #[test]
    fn a_file_is_read_at_first_and_when_it_changed_and_settled() {
        let (mut tracker, mut reads) = (Tracker::new(), 0);
        let mut step = |size| look(&mut tracker, &mut reads, listing(&[("a", Ok(print(size)))]));
        assert_eq!(step(1), ["a 1"]);
        assert_eq!(step(1), ["a 1"], "unchanged");
        assert_eq!(step(2), ["a 1"], "being written");
        assert_eq!(step(3), ["a 1"], "still being written");
        assert_eq!(step(3), ["a 2"], "settled");
    }

    #[test]
    fn a_new_file_settles_before_it_is_read() {
        let (mut tracker, mut reads) = (Tracker::new(), 0);
        assert_eq!(look(&mut tracker, &mut reads, listing(&[])), [""; 0]);
        let there = listing(&[("a", Ok(print(1)))]);
        assert_eq!(
            look(&mut tracker, &mut reads, there.clone()),
            ["a settling"]
        );
        assert_eq!(look(&mut tracker, &mut reads, there), ["a 1"]);
    }

    #[test]
    fn a_file_is_gone_when_two_looks_missed_it() {
        let (mut tracker, mut reads) = (Tracker::new(), 0);
        let there = listing(&[("a", Ok(print(1)))]);
        look(&mut tracker, &mut reads, there.clone());
        assert_eq!(look(&mut tracker, &mut reads, listing(&[])), ["a 1"]);
        assert_eq!(
            look(&mut tracker, &mut reads, there),
            ["a 1"],
            "was replaced by an editor"
        );
        look(&mut tracker, &mut reads, listing(&[]));
        assert_eq!(look(&mut tracker, &mut reads, listing(&[])), [""; 0]);
    }

    #[test]
    fn an_unreadable_file_is_named_and_read_when_it_can_be() {
        let (mut tracker, mut reads) = (Tracker::new(), 0);
        let bad = listing(&[("a", Err("denied".to_owned()))]);
        assert_eq!(look(&mut tracker, &mut reads, bad), ["a denied"]);
        let good = listing(&[("a", Ok(print(1)))]);
        look(&mut tracker, &mut reads, good.clone());
        assert_eq!(look(&mut tracker, &mut reads, good), ["a 1"]);
    }

    #[test]
    fn only_plain_json_files_are_listed() {
        let dir = tempfile::tempdir().expect("a directory");
        for name in [
            "a.json",
            ".b.json",
            "c.txt",
            ".json",
            "d.json.bak",
            "~e.json",
        ] {
            fs::write(dir.path().join(name), "{}").expect("written");
        }
        fs::create_dir(dir.path().join("f.json")).expect("a directory");
        let names: Vec<String> = list(dir.path()).expect("listed").into_keys().collect();
        assert_eq!(names, ["a", "~e"]);
        assert_eq!(read(dir.path(), "a"), Ok(b"{}".to_vec()));
        assert!(read(dir.path(), "missing").is_err());
    }

    #[test]
    fn limits_and_a_missing_directory_are_named() {
        let dir = tempfile::tempdir().expect("a directory");
        let missing = list(&dir.path().join("none")).expect_err("missing");
        assert!(matches!(missing, ScanError::List { .. }));
        let big = fs::File::create(dir.path().join("big.json")).expect("a file");
        big.set_len(MAX_FILE_BYTES + 1).expect("sparse");
        assert!(read(dir.path(), "big").is_err());
        for n in 0..=MAX_FILES {
            fs::File::create(dir.path().join(format!("{n}.json"))).expect("a file");
        }
        assert!(matches!(list(dir.path()), Err(ScanError::TooMany { .. })));
    }
}
