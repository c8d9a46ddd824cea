//! Paths of Windows as ECS writes them into mounts: byte by byte, never by the paths of the system that this runs on
//! (`windows.md` 12.1).

/// How paths of named pipes begin.
const PIPES: &str = r"\\.\pipe\";

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
}
