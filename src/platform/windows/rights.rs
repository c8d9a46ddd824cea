//! Access lists and owners of files, directories and pipes.
//!
//! **Invariants.** A list is written as the text that Windows has for it. What is closed takes nothing over from the
//! directory above it: below `%ProgramData%` that lets every user read and make files. A directory of somebody else is
//! not closed but refused: files in it are theirs, who may change what the lists of these say. So is one below a
//! directory of somebody else, who may put another in its place. A disk that knows no access lists (FAT) has none to be
//! changed, which is no error.

use std::ffi::c_void;
use std::fs::File;
use std::io;
use std::os::windows::ffi::OsStrExt as _;
use std::os::windows::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::os::windows::io::{AsRawHandle as _, FromRawHandle as _, OwnedHandle};
use std::path::{Component, Path};

use windows_sys::Win32::Foundation::{
    ERROR_INVALID_FUNCTION, ERROR_NOT_SUPPORTED, ERROR_SUCCESS, LocalFree,
};
use windows_sys::Win32::Security::Authorization::{
    ConvertStringSecurityDescriptorToSecurityDescriptorW, GetSecurityInfo, SDDL_REVISION_1,
    SE_FILE_OBJECT, SetNamedSecurityInfoW,
};
use windows_sys::Win32::Security::{
    ACL, DACL_SECURITY_INFORMATION, EqualSid, GetSecurityDescriptorDacl,
    GetSecurityDescriptorOwner, GetTokenInformation, IsWellKnownSid, OBJECT_SECURITY_INFORMATION,
    OWNER_SECURITY_INFORMATION, PROTECTED_DACL_SECURITY_INFORMATION, PSID, SECURITY_ATTRIBUTES,
    TOKEN_QUERY, TOKEN_USER, TokenUser, UNPROTECTED_DACL_SECURITY_INFORMATION, WELL_KNOWN_SID_TYPE,
    WinBuiltinAdministratorsSid, WinLocalSystemSid, WinWorldSid,
};
use windows_sys::Win32::Storage::FileSystem::{
    CreateDirectoryW, FILE_ATTRIBUTE_REPARSE_POINT, FILE_FLAG_BACKUP_SEMANTICS,
    FILE_FLAG_OPEN_REPARSE_POINT, READ_CONTROL,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

/// Everything for SYSTEM, administrators and whoever made it, also for what will be in it.
const PRIVATE: &str = "D:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;OW)";

/// The same without whoever made it, who may have been anybody: it is the administrators' now.
const CLOSED: &str = "O:BAD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)";

/// Whom Windows' own directories belong to.
const TRUSTED_INSTALLER: &str = "O:S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464";

/// Reading for everybody, beside what the directory above gives.
const READABLE: &str = "D:AI(A;OICI;FRFX;;;WD)";

/// A security descriptor that the system made, given back to it in the end.
pub(super) struct Rights(*mut c_void);

impl Rights {
    /// Reads the text.
    ///
    /// # Errors
    /// It is none, or of the system.
    pub(super) fn of(text: &str) -> io::Result<Self> {
        let text: Vec<u16> = text.encode_utf16().chain([0]).collect();
        let mut made = std::ptr::null_mut();
        #[expect(
            unsafe_code,
            reason = "the system's reader of descriptors takes pointers"
        )]
        // SAFETY: The text ends with a zero, the place for the result is valid, and its size is not asked for.
        let read = unsafe {
            ConvertStringSecurityDescriptorToSecurityDescriptorW(
                text.as_ptr(),
                SDDL_REVISION_1,
                &raw mut made,
                std::ptr::null_mut(),
            )
        };
        if read == 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self(made))
    }

    /// For calls that make something. Points into `self`.
    ///
    /// # Errors
    /// None in practice: the length fits.
    pub(super) fn attributes(&self) -> io::Result<SECURITY_ATTRIBUTES> {
        Ok(SECURITY_ATTRIBUTES {
            nLength: u32::try_from(size_of::<SECURITY_ATTRIBUTES>()).map_err(io::Error::other)?,
            lpSecurityDescriptor: self.0,
            bInheritHandle: 0,
        })
    }

    /// The owner and the list in it; null where it has none.
    fn parts(&self) -> io::Result<(PSID, *mut ACL)> {
        let (mut owner, mut list) = (std::ptr::null_mut(), std::ptr::null_mut());
        let (mut present, mut defaulted) = (0, 0);
        #[expect(unsafe_code, reason = "a descriptor is only read by the system")]
        // SAFETY: The descriptor is whole, as the system made it, and all places for results are valid. Results point
        // into the descriptor, which lives as long as `self`.
        let read = unsafe {
            GetSecurityDescriptorOwner(self.0, &raw mut owner, &raw mut defaulted) != 0
                && GetSecurityDescriptorDacl(
                    self.0,
                    &raw mut present,
                    &raw mut list,
                    &raw mut defaulted,
                ) != 0
        };
        if read {
            Ok((owner, list))
        } else {
            Err(io::Error::last_os_error())
        }
    }
}

impl Drop for Rights {
    fn drop(&mut self) {
        #[expect(unsafe_code, reason = "what the system allots it takes back")]
        // SAFETY: The system allotted it with LocalAlloc, as its documentation says, and nobody else has it.
        let _kept = unsafe { LocalFree(self.0) };
    }
}

/// Makes a directory, with those above it, that only SYSTEM, administrators and this process's user may use; one that
/// is there keeps its rights.
///
/// # Errors
/// Of the system; also if something else has the name, or it would be made in a directory of somebody else.
pub(in crate::platform) fn private_directory(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    for part in made_by_anybody(&std::path::absolute(path)?) {
        belongs_to_us(part)?;
    }
    if let Some(above) = path.parent() {
        std::fs::create_dir_all(above)?;
    }
    let rights = Rights::of(PRIVATE)?;
    let attributes = rights.attributes()?;
    let name = wide(path)?;
    #[expect(
        unsafe_code,
        reason = "the standard library makes directories that all may use"
    )]
    // SAFETY: The name ends with a zero; the attributes and what they point to live until after the call.
    let made = unsafe { CreateDirectoryW(name.as_ptr(), &raw const attributes) };
    let error = io::Error::last_os_error();
    // Somebody may have made it meanwhile.
    if made != 0 || path.is_dir() {
        Ok(())
    } else {
        Err(error)
    }
}

/// Makes a directory like [`private_directory`]; one that is there keeps its rights, and is nobody else's.
///
/// # Errors
/// It is somebody else's, or leads elsewhere, or one above it where every user may make some; or of the system.
pub(in crate::platform) fn own_directory(path: &Path) -> io::Result<()> {
    let whole = std::path::absolute(path)?;
    for part in made_by_anybody(&whole).chain([&*whole]) {
        leads_nowhere(part)?;
        belongs_to_us(part)?;
    }
    private_directory(path)?;
    // Somebody may have made it meanwhile.
    leads_nowhere(&whole)?;
    belongs_to_us(&whole)
}

/// Makes a directory like [`own_directory`]; one that is there is closed to others.
///
/// # Errors
/// As there: also if this process may not.
pub(in crate::platform) fn closed_directory(path: &Path) -> io::Result<()> {
    own_directory(path)?;
    set(
        path,
        CLOSED,
        OWNER_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION,
    )
}

/// Parts of a whole path that every user may have made: those below `ProgramData`, at the top of a disk.
fn made_by_anybody(path: &Path) -> impl Iterator<Item = &Path> {
    path.ancestors().filter(|part| {
        let is_name = |part: &Component<'_>| matches!(part, Component::Normal(_));
        let mut names = part.components().filter(is_name);
        let is_top = |name: Component<'_>| name.as_os_str().eq_ignore_ascii_case("ProgramData");
        names.next().is_some_and(is_top) && names.next().is_some()
    })
}

/// What is there is the directory itself, and no way to another that may be exchanged.
fn leads_nowhere(path: &Path) -> io::Result<()> {
    let attributes = match std::fs::symlink_metadata(path) {
        Ok(found) => found.file_attributes(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if attributes & FILE_ATTRIBUTE_REPARSE_POINT == 0 {
        return Ok(());
    }
    let words = format!(
        "{} is a junction or a link: name the directory that it leads to",
        path.display()
    );
    Err(io::Error::new(io::ErrorKind::PermissionDenied, words))
}

/// What is there is nobody else's.
fn belongs_to_us(path: &Path) -> io::Result<()> {
    match is_ours(path) {
        Ok(true) => Ok(()),
        Ok(false) => {
            let words = format!(
                "{} belongs to neither SYSTEM, administrators nor this user, and what is in it may not either: remove \
                 it, or make it the administrators' (takeown /a /r /f PATH)",
                path.display()
            );
            Err(io::Error::new(io::ErrorKind::PermissionDenied, words))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Lets everybody read a directory and what is in it.
///
/// # Errors
/// Of the system: also if this process may not.
pub(in crate::platform) fn let_read(path: &Path) -> io::Result<()> {
    set(path, READABLE, UNPROTECTED_DACL_SECURITY_INFORMATION)
}

fn set(path: &Path, text: &str, what: OBJECT_SECURITY_INFORMATION) -> io::Result<()> {
    let rights = Rights::of(text)?;
    let (owner, list) = rights.parts()?;
    let name = wide(path)?;
    #[expect(
        unsafe_code,
        reason = "the standard library knows nothing of access lists"
    )]
    // SAFETY: The name ends with a zero; owner and list are parts of a whole descriptor that lives until after the
    // call, or null where `what` does not ask for them; no group and no audit list are given.
    let error = unsafe {
        SetNamedSecurityInfoW(
            name.as_ptr(),
            SE_FILE_OBJECT,
            what | DACL_SECURITY_INFORMATION,
            owner,
            std::ptr::null_mut(),
            list,
            std::ptr::null(),
        )
    };
    match error {
        ERROR_SUCCESS | ERROR_INVALID_FUNCTION | ERROR_NOT_SUPPORTED => Ok(()),
        code => Err(os_error(code)),
    }
}

/// Whether a file belongs to SYSTEM or to administrators: then nobody else has written it, or they let them.
///
/// # Errors
/// The system does not say whose it is.
pub fn is_of_administrators(file: &File) -> io::Result<bool> {
    judge_owner(file, |owner| Ok(is_administrators(owner)))
}

/// Whether a directory, or the junction that has its name, belongs to SYSTEM, to administrators or to this process's
/// user. One that is nobody's does too: disks without owners say `Everyone`, which no user can make the owner of a
/// directory elsewhere.
fn is_ours(path: &Path) -> io::Result<bool> {
    let directory = File::options()
        .access_mode(READ_CONTROL)
        .custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT)
        .open(path)?;
    let has_no_owners = |error: &io::Error| {
        let code = error
            .raw_os_error()
            .and_then(|code| u32::try_from(code).ok());
        matches!(code, Some(ERROR_INVALID_FUNCTION | ERROR_NOT_SUPPORTED))
    };
    match judge_owner(&directory, is_trusted) {
        Err(error) if has_no_owners(&error) => Ok(true),
        judged => judged,
    }
}

fn judge_owner(file: &File, judge: fn(PSID) -> io::Result<bool>) -> io::Result<bool> {
    let mut owner = std::ptr::null_mut();
    let mut descriptor = std::ptr::null_mut();
    #[expect(
        unsafe_code,
        reason = "the standard library does not say whose a file is"
    )]
    // SAFETY: The handle is open as long as the file is borrowed, and all places for results are valid or null where
    // nothing is asked for.
    let error = unsafe {
        GetSecurityInfo(
            file.as_raw_handle(),
            SE_FILE_OBJECT,
            OWNER_SECURITY_INFORMATION,
            &raw mut owner,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            &raw mut descriptor,
        )
    };
    if error != ERROR_SUCCESS {
        return Err(os_error(error));
    }
    // The owner points into it: it lives until then.
    let descriptor = Rights(descriptor);
    let judged = judge(owner);
    drop(descriptor);
    judged
}

fn is_trusted(owner: PSID) -> io::Result<bool> {
    if is_administrators(owner) || is_one_of(owner, &[WinWorldSid]) {
        return Ok(true);
    }
    Ok(is_own(owner)? || are_same(owner, Rights::of(TRUSTED_INSTALLER)?.parts()?.0))
}

/// Whether that is the user whom this process runs as.
fn is_own(owner: PSID) -> io::Result<bool> {
    let mut token = std::ptr::null_mut();
    #[expect(unsafe_code, reason = "the standard library knows no users")]
    // SAFETY: The process is this one, and the place for the result is valid.
    let opened = unsafe { OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &raw mut token) };
    if opened == 0 {
        return Err(io::Error::last_os_error());
    }
    #[expect(unsafe_code, reason = "what was opened is closed")]
    // SAFETY: The handle is open, and nobody else has it.
    let token = unsafe { OwnedHandle::from_raw_handle(token) };
    // Aligned like what is written there: 16 bytes, and a name of 68 at most.
    let mut user = [0_u64; 16];
    let size = u32::try_from(size_of_val(&user)).map_err(io::Error::other)?;
    let mut length = 0;
    #[expect(unsafe_code, reason = "the standard library knows no users")]
    // SAFETY: The handle is open, and the place for the result has the size that is said.
    let read = unsafe {
        GetTokenInformation(
            token.as_raw_handle(),
            TokenUser,
            user.as_mut_ptr().cast(),
            size,
            &raw mut length,
        )
    };
    if read == 0 {
        return Err(io::Error::last_os_error());
    }
    #[expect(unsafe_code, reason = "the system's answer is in a buffer")]
    // SAFETY: The call has written a `TOKEN_USER`, whose name points into `user`.
    let own = unsafe { (*user.as_ptr().cast::<TOKEN_USER>()).User.Sid };
    Ok(are_same(owner, own))
}

fn are_same(one: PSID, other: PSID) -> bool {
    #[expect(unsafe_code, reason = "only the system compares such names")]
    // SAFETY: The callers give names that the system made and that live until after the call, or null, which is not
    // looked at.
    let same = !one.is_null() && !other.is_null() && unsafe { EqualSid(one, other) } != 0;
    same
}

fn is_administrators(owner: PSID) -> bool {
    is_one_of(owner, &[WinBuiltinAdministratorsSid, WinLocalSystemSid])
}

fn is_one_of(owner: PSID, names: &[WELL_KNOWN_SID_TYPE]) -> bool {
    names.iter().any(|&known| {
        #[expect(unsafe_code, reason = "only the system compares such names")]
        // SAFETY: The caller gives a name that the system made; null is none of those.
        let same = !owner.is_null() && unsafe { IsWellKnownSid(owner, known) } != 0;
        same
    })
}

fn os_error(code: u32) -> io::Error {
    io::Error::from_raw_os_error(i32::try_from(code).unwrap_or(i32::MAX))
}

/// A path for the system: whole, with a zero at the end.
fn wide(path: &Path) -> io::Result<Vec<u16>> {
    let path = std::path::absolute(path)?;
    Ok(path.as_os_str().encode_wide().chain([0]).collect())
}

#[cfg(test)]
mod tests {
    use windows_sys::Win32::Security::Authorization::{
        ConvertSecurityDescriptorToStringSecurityDescriptorW, GetNamedSecurityInfoW,
    };

    use super::*;

    /// The access list of a path, as text.
    fn list_of(path: &Path) -> String {
        let name = wide(path).unwrap();
        let mut descriptor = std::ptr::null_mut();
        let mut text = std::ptr::null_mut();
        let mut length = 0;
        #[expect(unsafe_code, reason = "a list is only read by the system")]
        // SAFETY: The name ends with a zero, places for results are valid or null, and the text is read up to the
        // length that the system gives.
        unsafe {
            let mut list = std::ptr::null_mut();
            let error = GetNamedSecurityInfoW(
                name.as_ptr(),
                SE_FILE_OBJECT,
                DACL_SECURITY_INFORMATION,
                std::ptr::null_mut(),
                std::ptr::null_mut(),
                &raw mut list,
                std::ptr::null_mut(),
                &raw mut descriptor,
            );
            assert_eq!(error, ERROR_SUCCESS);
            let shown = ConvertSecurityDescriptorToStringSecurityDescriptorW(
                descriptor,
                SDDL_REVISION_1,
                DACL_SECURITY_INFORMATION,
                &raw mut text,
                &raw mut length,
            );
            assert_ne!(shown, 0);
            let units = std::slice::from_raw_parts(text, usize::try_from(length).unwrap());
            let list = String::from_utf16_lossy(units);
            LocalFree(text.cast());
            LocalFree(descriptor);
            list
        }
    }

    fn lets_everybody_in(path: &Path) -> bool {
        [";;;WD)", ";;;BU)", ";;;AU)"]
            .iter()
            .any(|name| list_of(path).contains(name))
    }

    #[test]
    fn a_private_directory_lets_nobody_else_in_until_it_is_opened() {
        let root = tempfile::tempdir().unwrap();
        let (usual, own) = (root.path().join("usual"), root.path().join("a/own"));
        std::fs::create_dir(&usual).unwrap();
        assert!(lets_everybody_in(&usual), "{}", list_of(&usual));
        for _ in 0..2 {
            private_directory(&own).unwrap();
            assert!(!lets_everybody_in(&own), "{}", list_of(&own));
        }
        private_directory(&usual).unwrap();
        assert!(lets_everybody_in(&usual), "what was there is kept");
        // Wine 8 adds what the directory above gives also where it is told not to: what is handed over is seen below.
        closed_directory(&usual).unwrap();
        assert!(lets_everybody_in(&usual), "{}", list_of(&usual));
        let_read(&own).unwrap();
        assert!(lets_everybody_in(&own), "{}", list_of(&own));
        std::fs::write(root.path().join("file"), "").unwrap();
        assert!(private_directory(&root.path().join("file")).is_err());
    }

    /// The lists as they are given: Wine keeps of them what the modes of Unix can say.
    #[test]
    fn lists_are_read_by_the_system() {
        for (text, has_owner) in [(PRIVATE, false), (CLOSED, true), (READABLE, false)] {
            let rights = Rights::of(text).unwrap();
            let (owner, list) = rights.parts().unwrap();
            assert_eq!(is_administrators(owner), has_owner, "{text}");
            assert!(!list.is_null(), "{text}");
            let opens = text.contains(";;;WD)");
            assert_eq!(
                text.contains("D:P"),
                !opens,
                "nothing is taken over: {text}"
            );
        }
        assert!(Rights::of("D:(nonsense").is_err());
    }

    #[test]
    fn files_of_administrators_are_told_from_those_of_others() {
        for (text, trusted) in [
            ("O:BA", true),
            ("O:SY", true),
            ("O:BU", false),
            ("O:WD", false),
        ] {
            let rights = Rights::of(text).unwrap();
            assert_eq!(
                is_administrators(rights.parts().unwrap().0),
                trusted,
                "{text}"
            );
        }
        for (text, trusted) in [
            ("O:BA", true),
            ("O:SY", true),
            ("O:WD", true),
            (TRUSTED_INSTALLER, true),
            ("O:BU", false),
            ("O:AN", false),
        ] {
            let rights = Rights::of(text).unwrap();
            let found = is_trusted(rights.parts().unwrap().0).unwrap();
            assert_eq!(found, trusted, "{text}");
        }
        let own = tempfile::tempdir().unwrap();
        assert!(is_ours(own.path()).unwrap());
        // Under Wine whoever runs it is a user like others.
        let file = tempfile::tempfile().unwrap();
        assert!(!is_of_administrators(&file).unwrap());
    }

    /// Wine makes no junctions and keeps no owners: that others' are refused is shown by the owners above alone.
    #[test]
    fn a_directory_of_ones_own_is_taken_as_it_is() {
        let root = tempfile::tempdir().unwrap();
        let usual = root.path().join("usual");
        std::fs::create_dir(&usual).unwrap();
        let before = list_of(&usual);
        own_directory(&usual).unwrap();
        assert_eq!(list_of(&usual), before);
        let made = root.path().join("a/made");
        own_directory(&made).unwrap();
        assert!(!lets_everybody_in(&made), "{}", list_of(&made));
        assert!(belongs_to_us(&root.path().join("none")).is_ok());
        assert!(leads_nowhere(&root.path().join("none")).is_ok());
    }

    #[test]
    fn every_user_may_have_made_what_is_below_program_data() {
        let parts = |path: &str| {
            let path = Path::new(path);
            let parts: Vec<&str> = made_by_anybody(path).filter_map(Path::to_str).collect();
            parts.join(" ")
        };
        assert_eq!(
            parts(r"C:\programdata\Amazon\ECS"),
            r"C:\programdata\Amazon\ECS C:\programdata\Amazon"
        );
        for other in [
            r"C:\ProgramData",
            r"D:\ECS\data",
            r"C:\Program Files\ProgramData\x",
        ] {
            assert_eq!(parts(other), "", "{other}");
        }
    }
}
