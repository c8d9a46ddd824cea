//! What the files below a directory take.

use std::path::Path;

/// Most entries of a tree that are looked at: a state directory has some hundreds.
const MOST_ENTRIES: usize = 100_000;

/// Sizes in bytes of the files below `root`, added up. What goes away meanwhile or may not be read counts nothing, and
/// links are not followed. Blocks.
pub fn tree_bytes(root: &Path) -> u64 {
    let (mut bytes, mut entries) = (0_u64, 0_usize);
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        let found = std::fs::read_dir(directory).into_iter().flatten().flatten();
        for entry in found {
            entries = entries.saturating_add(1);
            if entries > MOST_ENTRIES {
                return bytes;
            }
            match entry.metadata() {
                Ok(data) if data.is_dir() => directories.push(entry.path()),
                Ok(data) if data.is_file() => bytes = bytes.saturating_add(data.len()),
                _ => {}
            }
        }
    }
    bytes
}

/// Whether both paths are on one file system. What cannot be looked at is on none. Blocks.
#[cfg(unix)]
pub fn same_disk(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let device = |path: &Path| std::fs::metadata(path).ok().map(|data| data.dev());
    device(one).is_some_and(|found| device(other) == Some(found))
}

/// Whether both paths begin with one drive. What is not there is on none. Blocks.
#[cfg(not(unix))]
pub fn same_disk(one: &Path, other: &Path) -> bool {
    let drive = |path: &Path| {
        let there = path.metadata().and_then(|_| std::path::absolute(path));
        match there.ok()?.components().next() {
            Some(std::path::Component::Prefix(prefix)) => {
                Some(prefix.as_os_str().to_ascii_uppercase())
            }
            _ => None,
        }
    };
    drive(one).is_some_and(|found| drive(other) == Some(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_all_depths_count_and_what_is_not_there_counts_nothing() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("a/b")).unwrap();
        std::fs::write(root.path().join("one"), [0; 10]).unwrap();
        std::fs::write(root.path().join("a/b/two"), [0; 5]).unwrap();
        assert_eq!(tree_bytes(root.path()), 15);
        assert_eq!(tree_bytes(&root.path().join("none")), 0);
    }

    #[test]
    fn a_directory_is_on_the_disk_of_its_parent_and_nothing_is_on_that_of_what_is_missing() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("a")).unwrap();
        assert!(same_disk(root.path(), &root.path().join("a")));
        assert!(!same_disk(root.path(), &root.path().join("none")));
    }
}
