//! What a failed call into the kernel means to the engine.

use std::io;

use crate::boundary::ErrorKind;

/// Kind of a failure; what is not known may pass.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the system has many more errors than the engine has answers"
)]
pub(super) fn kind_of(error: &io::Error) -> ErrorKind {
    match error.kind() {
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        io::ErrorKind::ResourceBusy | io::ErrorKind::DirectoryNotEmpty => ErrorKind::Conflict,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Denied,
        io::ErrorKind::StorageFull => ErrorKind::NoSpace,
        io::ErrorKind::InvalidInput => ErrorKind::Invalid,
        _ => ErrorKind::Transient,
    }
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::*;

    #[test]
    fn errors_of_the_kernel_have_kinds() {
        for (errno, kind) in [
            (Errno::ENOENT, ErrorKind::NotFound),
            (Errno::EBUSY, ErrorKind::Conflict),
            (Errno::ENOTEMPTY, ErrorKind::Conflict),
            (Errno::EACCES, ErrorKind::Denied),
            (Errno::EROFS, ErrorKind::Denied),
            (Errno::ENOSPC, ErrorKind::NoSpace),
            (Errno::EINVAL, ErrorKind::Invalid),
            (Errno::EIO, ErrorKind::Transient),
        ] {
            assert_eq!(kind_of(&errno.into()), kind, "{errno}");
        }
    }
}
