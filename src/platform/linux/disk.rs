//! Space of a file system, as `df` counts it.

use std::path::Path;

use nix::errno::Errno;
use nix::sys::statvfs::statvfs;

use crate::boundary::host::DiskSpace;

/// Space of the file system that holds the path. Blocks while that file system does not answer.
pub(super) fn space(path: &Path) -> Result<DiskSpace, Errno> {
    statvfs(path).map(|stat| {
        from_blocks(Blocks {
            size: stat.fragment_size(),
            all: stat.blocks(),
            free: stat.blocks_free(),
            available: stat.blocks_available(),
        })
    })
}

/// What a file system says, in blocks.
#[derive(Clone, Copy)]
struct Blocks {
    size: u64,
    all: u64,
    /// Free for root.
    free: u64,
    /// Free for everybody.
    available: u64,
}

/// What is reserved for root counts as not there, neither free nor used: so full means full for everybody else.
fn from_blocks(blocks: Blocks) -> DiskSpace {
    let reserved = blocks.free.saturating_sub(blocks.available);
    DiskSpace {
        free_bytes: blocks.available.saturating_mul(blocks.size),
        total_bytes: blocks
            .all
            .saturating_sub(reserved)
            .saturating_mul(blocks.size),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reserved_for_root_is_not_there() {
        let space = from_blocks(Blocks {
            size: 4096,
            all: 100,
            free: 15,
            available: 10,
        });
        assert_eq!(
            (space.free_bytes, space.total_bytes),
            (10 * 4096, 95 * 4096)
        );
    }

    #[test]
    fn this_file_system_has_a_size() {
        let space = space(Path::new("/")).unwrap();
        assert!(space.total_bytes > 0 && space.free_bytes <= space.total_bytes);
        assert_eq!(super::space(Path::new("/no/such/path")), Err(Errno::ENOENT));
    }
}
