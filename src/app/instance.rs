//! The name of an agent's data directory on containers, so that two agents on one host leave each other's alone.

use std::path::Path;

use crate::standalone::file_task::fnv1a;

/// Stable name of the data directory: 16 hexadecimal digits, a function of its canonical path. Takes a path that
/// exists; of one that does not it takes the text.
pub fn instance_of(data_dir: &Path) -> String {
    let canonical = data_dir.canonicalize();
    let path = canonical.as_deref().unwrap_or(data_dir);
    format!("{:016x}", fnv1a(path.as_os_str().as_encoded_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_ways_to_name_a_directory_give_one_instance() {
        let dir = tempfile::tempdir().expect("a directory");
        let inner = dir.path().join("a");
        std::fs::create_dir(&inner).expect("a directory");
        let name = instance_of(&inner);
        assert_eq!(name.len(), 16);
        assert_eq!(name, instance_of(&dir.path().join("a/../a/.")));
        assert_ne!(name, instance_of(dir.path()));
    }
}
