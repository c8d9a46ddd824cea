//! Paths of Windows as ECS writes them into mounts: byte by byte, never by the paths of the system that this runs on
//! (`windows.md` 12.1).

/// How paths of named pipes begin.
const PIPES: &str = r"\\.\pipe\";

/// How paths begin that Windows takes as they are, however long.
const VERBATIM: &str = r"\\?\";

/// How paths of devices begin, pipes among them.
const DEVICES: &str = r"\\.\";

/// Longest path that every program of Windows opens, in UTF-16 units: `MAX_PATH` less the zero at the end.
pub const LONGEST_PLAIN: usize = 259;

/// Longest directory of the agent's state, in UTF-16 units: what is kept below it stays below [`LONGEST_PLAIN`].
const LONGEST_STATE: usize = 150;

/// Longest path that the kernel of Windows takes, in UTF-16 units.
const LONGEST: usize = 32_767;

/// Longest name of a file or directory, in UTF-16 units.
const LONGEST_NAME: usize = 255;

/// Names that are devices in every directory, with any ending (`windows.md` 12.1; Microsoft, "Naming Files").
const DEVICE_NAMES: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];

/// Those that go with a digit.
const NUMBERED_DEVICES: [&str; 2] = ["com", "lpt"];

/// Why a path is not one that a container of Windows can have mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// No file or directory can have it.
    Impossible(&'static str),
    /// Docker is given it as it is, and may say no.
    Doubtful(&'static str),
}

/// What is wrong with a path of a mount on Windows; the worst of it.
pub fn trouble(path: &str) -> Option<Trouble> {
    if path.encode_utf16().count() > LONGEST {
        return Some(Trouble::Impossible(
            "is longer than 32767 characters, which Windows does not take",
        ));
    }
    let plain = path.replace('/', "\\");
    let verbatim = plain.strip_prefix(VERBATIM);
    if let Some(name) = strip_prefix_in_any_case(&plain, PIPES) {
        return pipe(name);
    }
    if plain.starts_with(DEVICES) {
        return Some(Trouble::Impossible(
            "is a device, and of those only named pipes can be mounted",
        ));
    }
    let (volume, rest) = split_volume(verbatim.unwrap_or(&plain));
    let named = rest.split('\\').find_map(name_trouble);
    named.or_else(|| place(volume, rest, verbatim.is_some(), &plain))
}

/// Why no file, directory or pipe of this host can have the path; relative ones are left to the system.
pub fn no_file(path: &str) -> Option<&'static str> {
    let plain = path.replace('/', "\\");
    if strip_prefix_in_any_case(&plain, PIPES).is_some() {
        return None;
    }
    if plain.starts_with(DEVICES) {
        return Some("is a device");
    }
    let (volume, rest) = split_volume(plain.strip_prefix(VERBATIM).unwrap_or(&plain));
    if volume.ends_with(':') && !rest.starts_with('\\') {
        return Some("is relative to what its drive is at: write `C:\\\u{2026}`");
    }
    let names = rest.split('\\').filter(|name| *name != "..");
    names
        .filter_map(name_trouble)
        .find_map(|trouble| match trouble {
            Trouble::Impossible(words) => Some(words),
            Trouble::Doubtful(_) => None,
        })
}

/// Why the agent's state cannot lie in that directory; `None` also where [`no_file`] has something to say.
pub fn no_place_for_state(path: &str) -> Option<&'static str> {
    let plain = path.replace('/', "\\");
    if plain.starts_with(DEVICES) {
        return strip_prefix_in_any_case(&plain, PIPES).map(|_| "is a named pipe");
    }
    let verbatim = plain.strip_prefix(VERBATIM);
    let unc = verbatim.and_then(|rest| strip_prefix_in_any_case(rest, "UNC\\"));
    let (volume, _) = split_volume(&plain);
    if unc.is_some() || verbatim.is_none() && volume.starts_with(r"\\") {
        return Some("is on another host: the database needs a disk of this one");
    }
    (plain.encode_utf16().count() > LONGEST_STATE)
        .then_some("is longer than 150 characters: what is kept below it could not be opened")
}

fn strip_prefix_in_any_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn pipe(name: &str) -> Option<Trouble> {
    let words = match name {
        "" => "names no pipe",
        name if name.contains('\\') => "has a separator in the name of its pipe",
        name if name.encode_utf16().count() > LONGEST_NAME => {
            "has a name of more than 255 characters"
        }
        _ => return None,
    };
    Some(Trouble::Impossible(words))
}

/// Where the path leads, its names being good.
fn place(volume: &str, rest: &str, verbatim: bool, plain: &str) -> Option<Trouble> {
    let drive = volume.ends_with(':');
    if drive && !rest.is_empty() && !rest.starts_with('\\') {
        return Some(Trouble::Impossible(
            "is relative to what its drive is at: write `C:\\\u{2026}`",
        ));
    }
    if !drive && volume.is_empty() && !verbatim && !rest.starts_with('\\') {
        return Some(Trouble::Impossible("is relative: write `C:\\\u{2026}`"));
    }
    if !drive && volume.is_empty() {
        return Some(Trouble::Doubtful(
            "names no drive: Docker is given it as it is and may refuse it; write `C:\\\u{2026}`",
        ));
    }
    if !drive {
        return Some(Trouble::Doubtful(
            "is on another host: Docker is given it as it is and may refuse it; map the share to a drive with \
             New-SmbGlobalMapping and name that",
        ));
    }
    let long = !verbatim && plain.encode_utf16().count() > LONGEST_PLAIN;
    long.then_some(Trouble::Doubtful(
        "is longer than 259 characters: Docker is given it as it is, and many programs cannot open it; \
         paths that begin with `\\\\?\\` may be longer",
    ))
}

/// What is wrong with one name of a path.
fn name_trouble(name: &str) -> Option<Trouble> {
    if matches!(name, "" | ".") {
        return None;
    }
    let words = if name == ".." {
        "has a `..` component: write the path it leads to"
    } else if name.contains(|c: char| c < ' ' || "<>:\"|?*".contains(c)) {
        "has a character that no name on Windows has"
    } else if is_device(name) {
        "has the name of a device of Windows, such as CON, NUL or COM1"
    } else if name.ends_with(['.', ' ']) {
        "has a name that ends with a dot or a blank, which Windows drops: write it without"
    } else if name.encode_utf16().count() > LONGEST_NAME {
        "has a name of more than 255 characters"
    } else {
        return None;
    };
    Some(Trouble::Impossible(words))
}

/// Whether the name is a device in every directory: what follows a dot does not count, nor do blanks before it.
pub fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default();
    let stem = stem.trim_end_matches(' ').to_lowercase();
    let numbered = |device: &str| {
        let number = stem.strip_prefix(device)?;
        let mut digits = number.chars();
        let digit = digits.next()?;
        let is_digit = digit.is_ascii_digit() || "\u{b9}\u{b2}\u{b3}".contains(digit);
        (is_digit && digits.next().is_none()).then_some(())
    };
    DEVICE_NAMES.contains(&stem.as_str())
        || NUMBERED_DEVICES
            .iter()
            .any(|device| numbered(device).is_some())
}

/// The path in lower case, with `\` alone, without `.`, `..` and separators too many. A bare volume (`d:`, a share) and
/// a named pipe stay as they are but for the case.
pub fn canonical(path: &str) -> String {
    let path = path.to_lowercase();
    if path
        .strip_prefix(PIPES)
        .is_some_and(|name| !name.is_empty())
    {
        return path;
    }
    let (volume, rest) = split_volume(&path);
    if rest.is_empty() {
        return volume.to_owned();
    }
    let rooted = rest.starts_with(['/', '\\']);
    let mut parts: Vec<&str> = Vec::new();
    for part in rest.split(['/', '\\']) {
        match part {
            "" | "." => {}
            // Above the root of a volume there is nothing.
            ".." if rooted || parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let root = if rooted { "\\" } else { "" };
    let cleaned = format!("{}{root}{}", volume.replace('/', "\\"), parts.join("\\"));
    if cleaned.is_empty() {
        ".".to_owned()
    } else {
        cleaned
    }
}

/// `d:` or `\\server\share`, and what follows it.
fn split_volume(path: &str) -> (&str, &str) {
    let mut letters = path.bytes();
    let letter = letters
        .next()
        .is_some_and(|byte| byte.is_ascii_alphabetic());
    if letter && letters.next() == Some(b':') {
        return path.split_at(2);
    }
    let is_share = path.starts_with(r"\\") || path.starts_with("//");
    let unnamed = path.get(2..).filter(|_| is_share).unwrap_or_default();
    let mut ends = unnamed.match_indices(['/', '\\']).map(|(at, _)| at);
    match (ends.next(), ends.next()) {
        // A share has a server and a name, neither of them empty.
        (Some(server), second) if server > 0 => {
            let end = second.unwrap_or(unnamed.len());
            if end > server.saturating_add(1) {
                path.split_at(end.saturating_add(2))
            } else {
                ("", path)
            }
        }
        _ => ("", path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned_as_windows_does() {
        for (path, expected) in [
            (r"C:\Foo\..\Bar\", r"c:\bar"),
            (r"D:\", r"d:\"),
            (r"D:", r"d:"),
            (r"c:/Data//x/./y", r"c:\data\x\y"),
            (r"C:\..\..\x", r"c:\x"),
            (r"C:\a b\C", r"c:\a b\c"),
            (r"\\.\pipe\Docker_Engine", r"\\.\pipe\docker_engine"),
            (r"\\Server\Share", r"\\server\share"),
            (r"\\server\share\a\..\b", r"\\server\share\b"),
            ("//server/share/a", r"\\server\share\a"),
            (r"\data", r"\data"),
            ("data/../..", ".."),
            ("C:rel", "c:rel"),
            ("", ""),
            (r"\\", r"\"),
            (r"C:\Ä", r"c:\ä"),
        ] {
            assert_eq!(canonical(path), expected, "{path}");
        }
    }

    #[test]
    fn cleaning_twice_is_cleaning_once() {
        for path in [
            r"C:\a\..\..\b\",
            "//s/n/../x",
            "a/./..",
            r"\\.\pipe\x",
            "é:/x",
        ] {
            let once = canonical(path);
            assert_eq!(canonical(&once), once, "{path}");
        }
    }

    #[test]
    fn what_windows_cannot_have_is_told_and_what_docker_decides_is_left_to_it() {
        let long_name = format!(r"C:\{}", "n".repeat(256));
        let long = format!(r"C:{}", r"\abcdefghi".repeat(30));
        let long_verbatim = format!(r"\\?\{long}");
        let too_long = format!(r"\\?\C:{}", r"\abcdefghi".repeat(4_000));
        let long_pipe = format!(r"\\.\pipe\{}", "p".repeat(256));
        for (path, word) in [
            (r"C:\", None),
            ("D:", None),
            (r"C:\a b\c.d\.hidden", None),
            ("c:/data//x/./y", None),
            (r"C:\console\nullable\com\lpt12\auxiliary", None),
            (r"\\?\C:\data", None),
            (r"\\.\pipe\docker_engine", None),
            (r"\\.\PIPE\x", None),
            ("//./pipe/x", None),
            (&long_verbatim, None),
            ("C:rel", Some("!relative to what its drive")),
            (r"..\x", Some("!`..`")),
            ("data", Some("!is relative")),
            ("", Some("!is relative")),
            (r"C:\a\..\..\Windows", Some("!`..`")),
            (r"C:\con", Some("!device")),
            (r"C:\a\NUL.txt", Some("!device")),
            (r"C:\Com1\x", Some("!device")),
            ("C:\\lpt\u{b2}", Some("!device")),
            (r"C:\aux .log", Some("!device")),
            (r"C:\conin$", Some("!device")),
            (r"C:\data.", Some("!dot or a blank")),
            (r"C:\data \x", Some("!dot or a blank")),
            (r"C:\...", Some("!dot or a blank")),
            (r"C:\a?b", Some("!character")),
            (r"C:\file:stream", Some("!character")),
            ("C:\\a\tb", Some("!character")),
            (&long_name, Some("!255")),
            (&too_long, Some("!32767")),
            (r"\\.\PhysicalDrive0", Some("!is a device")),
            (r"\\.\pipe\", Some("!names no pipe")),
            (r"\\.\pipe\a\b", Some("!separator")),
            (&long_pipe, Some("!255")),
            (&long, Some("?259 characters")),
            (r"\\server\share\x", Some("?another host")),
            ("//server/share", Some("?another host")),
            (r"\\?\UNC\server\share\x", Some("?no drive")),
            (r"\\server\share\nul", Some("!device")),
            (r"\data", Some("?no drive")),
            ("/data", Some("?no drive")),
        ] {
            let said = trouble(path).map(|trouble| match trouble {
                Trouble::Impossible(words) => format!("!{words}"),
                Trouble::Doubtful(words) => format!("?{words}"),
            });
            let fits = match (&said, word) {
                (None, None) => true,
                (Some(said), Some(word)) => {
                    said.starts_with(&word[..1]) && said.contains(&word[1..])
                }
                _ => false,
            };
            assert!(fits, "{path}: {said:?}, not {word:?}");
        }
    }

    #[test]
    fn paths_of_settings_are_those_of_files() {
        let long = format!(r"C:{}", r"\abcdefghi".repeat(16));
        for (path, no_file_word, no_state_word) in [
            (r"C:\a b\c", None, None),
            (r"C:\a\..\b", None, None),
            ("data", None, None),
            (r"\data", None, None),
            (r"\\?\C:\data", None, None),
            (r"\\.\pipe\berth", None, Some("named pipe")),
            (r"\\server\share\x", None, Some("another host")),
            (r"\\?\unc\server\share", None, Some("another host")),
            (&long, None, Some("150 characters")),
            (r"C:data", Some("relative to what its drive"), None),
            ("C:", Some("relative to what its drive"), None),
            (r"D:\com1\data", Some("device"), None),
            (r"D:\data.", Some("dot or a blank"), None),
            (r"D:\da|ta", Some("character"), None),
            (r"\\.\C:\data", Some("is a device"), None),
        ] {
            for (said, word) in [
                (no_file(path), no_file_word),
                (no_place_for_state(path), no_state_word),
            ] {
                let fits = match (said, word) {
                    (Some(said), Some(word)) => said.contains(word),
                    (said, word) => said.is_none() && word.is_none(),
                };
                assert!(fits, "{path}: {said:?}, not {word:?}");
            }
        }
    }
}
