//! Paths in a task definition: absolute, without `..` and NUL, on Linux and on Windows.
//!
//! A definition may be read on one system and run on the other, so both forms are known everywhere.

/// Why a text cannot be the path of a mount, device or working directory; `None` if it can.
pub(super) fn problem(path: &str) -> Option<&'static str> {
    if path.contains('\0') {
        return Some("has a NUL character, no path can");
    }
    if path.split(['/', '\\']).any(|component| component == "..") {
        return Some("has a `..` component: write the path it leads to");
    }
    if !is_absolute(path) {
        return Some("is relative, must be absolute: `/…`, or `C:\\…` on Windows");
    }
    None
}

fn is_absolute(path: &str) -> bool {
    let drive = |mut c: std::str::Chars<'_>| {
        c.next().is_some_and(|letter| letter.is_ascii_alphabetic())
            && c.next() == Some(':')
            && matches!(c.next(), None | Some('/' | '\\'))
    };
    path.starts_with(['/', '\\']) || drive(path.chars())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_absolute_paths_of_both_systems() {
        for path in [
            "/",
            "/data",
            "/a/..b/c..",
            "C:\\data",
            "c:/data",
            "D:",
            "\\\\.\\pipe\\docker_engine",
        ] {
            assert_eq!(problem(path), None, "{path}");
        }
    }

    #[test]
    fn names_what_is_wrong_with_others() {
        for (path, word) in [
            ("data", "relative"),
            ("./data", "relative"),
            ("1:/x", "relative"),
            ("C:data", "relative"),
            ("", "relative"),
            ("/a/../b", ".."),
            ("C:\\a\\..", ".."),
            ("..", ".."),
            ("/a\0b", "NUL"),
        ] {
            assert!(problem(path).unwrap().contains(word), "{path}");
        }
    }
}
