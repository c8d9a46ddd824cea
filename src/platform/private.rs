//! Directories and files that only their owner may read, and those that everybody may.
//!
//! On Unix by their mode. On Windows a directory is by its access list, and files get theirs from the directory that
//! they lie in.

use std::fs::File;
use std::io;
use std::path::Path;

/// Makes a directory with those above it, for the owner only; one that is there keeps its mode.
///
/// # Errors
/// Of the system; also if something else has the name.
#[cfg(unix)]
pub fn private_directory(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(path)
}

/// Makes a directory with those above it, for SYSTEM, administrators and this process's user only; one that is there
/// keeps its access list.
///
/// # Errors
/// Of the system; also if something else has the name.
#[cfg(not(unix))]
pub fn private_directory(path: &Path) -> io::Result<()> {
    super::os::private_directory(path)
}

/// Makes a directory for the owner only; one that is there keeps its mode.
///
/// # Errors
/// Of the system; also if something else has the name.
#[cfg(unix)]
pub fn closed_directory(path: &Path) -> io::Result<()> {
    private_directory(path)
}

/// Makes a directory for SYSTEM and administrators only, or makes one such that is there and is this process's user's or
/// theirs: anybody may have made it before the service was installed, with files that would stay theirs.
///
/// # Errors
/// It is somebody else's, or leads elsewhere, or of the system; also if something else has the name.
#[cfg(not(unix))]
pub fn closed_directory(path: &Path) -> io::Result<()> {
    super::os::closed_directory(path)
}

/// Makes a directory for the owner only; one that is there keeps its mode, and whoever has made it.
///
/// # Errors
/// Of the system; also if something else has the name.
#[cfg(unix)]
pub fn own_directory(path: &Path) -> io::Result<()> {
    private_directory(path)
}

/// Makes a directory like [`private_directory`]; one that is there keeps its access list, and is SYSTEM's,
/// administrators' or this process's user's, as are those above it where every user may make some.
///
/// # Errors
/// It is somebody else's, or leads elsewhere, or of the system; also if something else has the name.
#[cfg(not(unix))]
pub fn own_directory(path: &Path) -> io::Result<()> {
    super::os::own_directory(path)
}

/// Opens a file for reading and writing, and makes it if it is not there. Afterwards only the owner may read it, also
/// if it was there with another mode.
///
/// # Errors
/// Of the system.
pub fn private_file(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let file = options.open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    }
    Ok(file)
}

/// Makes a directory with those above it, for everybody to read, whatever the process's mask is.
///
/// # Errors
/// Of the system.
pub fn readable_directory(path: &Path) -> io::Result<()> {
    std::fs::create_dir_all(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))?;
    }
    #[cfg(not(unix))]
    super::os::let_read(path)?;
    Ok(())
}

/// Writes a file for everybody to read, over one that is there.
///
/// # Errors
/// Of the system; also if its directory is not there.
pub fn readable_file(path: &Path, content: &[u8]) -> io::Result<()> {
    std::fs::write(path, content)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644))?;
    }
    Ok(())
}

/// A file for everybody to read has that content. The old or the new one is there at any time, by way of the spare
/// name.
///
/// # Errors
/// Of the system; also if its directory is not there.
#[cfg(unix)]
pub fn exchange_file(path: &Path, spare: &Path, content: &[u8]) -> io::Result<()> {
    readable_file(spare, content)?;
    std::fs::rename(spare, path)
}

/// A file has that content, written over the old one and cut to its length in the end: elsewhere than on Unix nobody
/// exchanges a file that somebody has open, such as a program in a container.
///
/// # Errors
/// Of the system; also if its directory is not there.
#[cfg(not(unix))]
pub fn exchange_file(path: &Path, _spare: &Path, content: &[u8]) -> io::Result<()> {
    use std::io::Write as _;
    let mut options = File::options();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    file.write_all(content)?;
    file.set_len(u64::try_from(content.len()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod portable {
    use super::*;

    #[test]
    fn a_shorter_content_leaves_no_tail() {
        let root = tempfile::tempdir().unwrap();
        let (path, spare) = (root.path().join("file"), root.path().join("new"));
        for content in ["long content", "short"] {
            exchange_file(&path, &spare, content.as_bytes()).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
        }
        assert!(!spare.exists());
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn only_the_owner_may_read() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("a/b");
        private_directory(&directory).unwrap();
        private_directory(&directory).unwrap();
        assert_eq!(mode(&directory), 0o700);
        let path = directory.join("file");
        private_file(&path).unwrap();
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn everybody_may_read_what_is_for_everybody() {
        let directory = tempfile::tempdir().unwrap();
        let (inner, file) = (directory.path().join("a/b"), directory.path().join("a/b/c"));
        readable_directory(&inner).unwrap();
        for content in ["long", "x"] {
            readable_file(&file, content.as_bytes()).unwrap();
            assert_eq!((mode(&inner), mode(&file)), (0o755, 0o644));
            assert_eq!(fs::read_to_string(&file).unwrap(), content);
        }
        assert!(readable_file(&directory.path().join("none/c"), b"").is_err());
    }

    #[test]
    fn a_file_that_was_open_to_others_is_closed_and_kept() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("file");
        fs::write(&path, "kept").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        private_file(&path).unwrap();
        assert_eq!(mode(&path), 0o600);
        assert_eq!(fs::read_to_string(&path).unwrap(), "kept");
    }
}
