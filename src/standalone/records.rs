//! Keeps the records of files on disk: one small JSON file, replaced whole.
//!
//! **Invariants.** After a crash the old or the new records are there, never a mixture. Records that cannot be read
//! are set aside under another name and count as none: a finished task may then run once more, nothing else happens.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::plan::Record;
use super::wire::{FileRecord, RecordsFile, VERSION};

/// Why the records could not be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum RecordsError {
    #[error("write {}", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("put {} in its place", path.display())]
    Replace {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// What was read, and what was wrong with it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct LoadedRecords {
    pub(super) records: BTreeMap<String, Record>,
    pub(super) problem: Option<String>,
}

/// Reads the records at `path`. A missing file is no records.
pub(super) fn load(path: &Path) -> LoadedRecords {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return LoadedRecords::default(),
        Err(error) => return set_aside(path, &error.to_string()),
    };
    match serde_json::from_slice::<RecordsFile>(&bytes) {
        Ok(file) if file.version == VERSION => LoadedRecords {
            records: file
                .files
                .into_iter()
                .filter_map(|(name, record)| Some((name, record.into_record()?)))
                .collect(),
            problem: None,
        },
        Ok(file) => set_aside(path, &format!("has version {}", file.version)),
        Err(error) => set_aside(path, &error.to_string()),
    }
}

fn set_aside(path: &Path, why: &str) -> LoadedRecords {
    let aside = path.with_extension("bad");
    let kept = match fs::rename(path, &aside) {
        Ok(()) => format!("kept as {}", aside.display()),
        Err(error) => format!("left where it is: {error}"),
    };
    LoadedRecords {
        records: BTreeMap::new(),
        problem: Some(format!("{}: {why}; {kept}", path.display())),
    }
}

/// Replaces the records at `path`; they survive power loss once this returns.
pub(super) fn save(path: &Path, records: &BTreeMap<String, Record>) -> Result<(), RecordsError> {
    let file = RecordsFile {
        version: VERSION,
        files: records
            .iter()
            .map(|(name, record)| (name.clone(), FileRecord::from(record)))
            .collect(),
    };
    let new = path.with_extension("new");
    write_synced(&new, &file).map_err(|source| RecordsError::Write {
        path: new.clone(),
        source,
    })?;
    replace(&new, path).map_err(|source| RecordsError::Replace {
        path: path.to_owned(),
        source,
    })
}

fn write_synced(path: &Path, file: &RecordsFile) -> io::Result<()> {
    let text = serde_json::to_vec(file)?;
    let mut target = fs::File::create(path)?;
    target.write_all(&text)?;
    target.sync_all()
}

fn replace(new: &Path, path: &Path) -> io::Result<()> {
    fs::rename(new, path)?;
    // The rename itself is durable when its directory is; not every system can open one.
    let directory = path.parent().map(fs::File::open);
    match directory {
        Some(Ok(directory)) => directory.sync_all(),
        Some(Err(_)) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{TaskId, UnixMillis};
    use crate::domain::outcome::Outcome;

    fn records() -> BTreeMap<String, Record> {
        let outcomes = [
            None,
            Some(Outcome::Completed),
            Some(Outcome::Failed),
            Some(Outcome::Asked),
            Some(Outcome::Replaced),
        ];
        (0_u32..)
            .zip(outcomes)
            .map(|(n, outcome)| {
                let record = Record {
                    content: u64::MAX - u64::from(n),
                    incarnation: u64::from(n),
                    task: TaskId::parse(&format!("t{n}")).expect("an id"),
                    ends: n,
                    ended: outcome.map(|outcome| (UnixMillis(5), outcome)),
                };
                (format!("file {n}"), record)
            })
            .collect()
    }

    #[test]
    fn records_read_back_as_written_and_are_replaced_whole() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("files.json");
        assert_eq!(load(&path), LoadedRecords::default());
        save(&path, &records()).expect("saved");
        assert_eq!(load(&path).records, records());
        save(&path, &BTreeMap::new()).expect("saved");
        assert_eq!(load(&path), LoadedRecords::default());
    }

    #[test]
    fn records_that_cannot_be_read_are_set_aside_and_named() {
        for text in ["{", "[]", r#"{"version": 99, "files": {}}"#] {
            let dir = tempfile::tempdir().expect("a directory");
            let path = dir.path().join("files.json");
            fs::write(&path, text).expect("written");
            let loaded = load(&path);
            assert!(loaded.records.is_empty());
            assert!(loaded.problem.is_some(), "{text}");
            assert!(dir.path().join("files.bad").exists());
        }
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("missing").join("files.json");
        let error = save(&path, &records()).expect_err("no directory");
        assert!(matches!(error, RecordsError::Write { .. }));
        let path = dir.path().join("taken.json");
        fs::create_dir(&path).expect("a directory");
        let error = save(&path, &records()).expect_err("taken");
        assert!(matches!(error, RecordsError::Replace { .. }));
    }
}
