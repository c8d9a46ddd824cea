//! A file of lines that is set aside when it is full: `audit.log.1` is the youngest of those. Only its owner may read it.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::private::{private_directory, private_file};

/// Where a file of lines lies and how much of it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileConfig {
    /// Path of the file that is written.
    pub path: PathBuf,
    /// Size in bytes at which it is set aside.
    pub max_bytes: u64,
    /// How many of those that were set aside are kept.
    pub max_files: u32,
}

/// The file that is written now.
#[derive(Debug)]
pub struct Rotating {
    config: FileConfig,
    open: Option<(File, u64)>,
}

impl Rotating {
    /// Opens nothing yet.
    pub fn new(config: FileConfig) -> Self {
        Self { config, open: None }
    }

    /// Appends whole lines. After an error nothing is known of what was written; the next call opens the file anew.
    ///
    /// # Errors
    /// Of the system.
    pub fn append(&mut self, lines: &str) -> io::Result<()> {
        let written = self.try_append(lines);
        if written.is_err() {
            self.open = None;
        }
        written
    }

    fn try_append(&mut self, lines: &str) -> io::Result<()> {
        let length = u64::try_from(lines.len()).unwrap_or(u64::MAX);
        let (file, size) = self.opened()?;
        if size > 0 && size.saturating_add(length) > self.config.max_bytes {
            drop(file);
            self.open = None;
            self.set_aside()?;
        } else {
            self.open = Some((file, size));
        }
        let (mut file, size) = self.opened()?;
        file.write_all(lines.as_bytes())?;
        self.open = Some((file, size.saturating_add(length)));
        Ok(())
    }

    /// The file, open for appending, and its size. One that somebody else has moved away is made anew.
    fn opened(&mut self) -> io::Result<(File, u64)> {
        let present = self.open.take().filter(|_| self.config.path.exists());
        if let Some(open) = present {
            return Ok(open);
        }
        if let Some(directory) = self.config.path.parent() {
            private_directory(directory)?;
        }
        // Made for the owner only, then opened so that every write goes to its end.
        drop(private_file(&self.config.path)?);
        let file = File::options().append(true).open(&self.config.path)?;
        let size = file.metadata()?.len();
        Ok((file, size))
    }

    /// Moves each file that was set aside one number up, drops the oldest, and frees the name.
    fn set_aside(&self) -> io::Result<()> {
        let path = &self.config.path;
        if self.config.max_files == 0 {
            return fs::remove_file(path);
        }
        for number in (1..self.config.max_files).rev() {
            let from = numbered(path, number);
            if from.exists() {
                fs::rename(from, numbered(path, number.saturating_add(1)))?;
            }
        }
        fs::rename(path, numbered(path, 1))
    }
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rotating(path: PathBuf, max_bytes: u64, max_files: u32) -> Rotating {
        Rotating::new(FileConfig {
            path,
            max_bytes,
            max_files,
        })
    }

    fn read(path: &Path) -> String {
        fs::read_to_string(path).unwrap_or_else(|_| "(none)".to_owned())
    }

    #[test]
    fn a_full_file_is_set_aside_and_the_oldest_goes() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("log/audit.log");
        let mut file = rotating(path.clone(), 4, 2);
        for lines in ["a\n", "b\n", "c\n", "dddddd\n", "e\n", "f\n"] {
            file.append(lines).unwrap();
        }
        assert_eq!(read(&path), "e\nf\n");
        assert_eq!(read(&numbered(&path, 1)), "dddddd\n");
        assert_eq!(read(&numbered(&path, 2)), "c\n");
        assert_eq!(read(&numbered(&path, 3)), "(none)");
    }

    #[test]
    fn a_file_of_an_earlier_run_is_continued() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("audit.log");
        rotating(path.clone(), 100, 1).append("a\n").unwrap();
        rotating(path.clone(), 100, 1).append("b\n").unwrap();
        assert_eq!(read(&path), "a\nb\n");
    }

    #[test]
    fn a_file_that_somebody_moved_is_made_anew() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("audit.log");
        let mut file = rotating(path.clone(), 100, 1);
        file.append("a\n").unwrap();
        fs::rename(&path, root.path().join("elsewhere")).unwrap();
        file.append("b\n").unwrap();
        assert_eq!(read(&path), "b\n");
    }

    #[test]
    fn what_cannot_be_written_is_an_error_and_the_next_may_succeed() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("audit.log");
        fs::create_dir(&path).unwrap();
        let mut file = rotating(path.clone(), 100, 1);
        assert!(file.append("a\n").is_err());
        fs::remove_dir(&path).unwrap();
        file.append("b\n").unwrap();
        assert_eq!(read(&path), "b\n");
    }
}
