//! What somebody probably meant: the nearest known word, and the same word written in another case.

/// Jaro-Winkler similarity from which a word is worth suggesting; lower ones are noise to a reader.
const NEAR: f64 = 0.8;

/// Longest word compared, in bytes.
const MAX_WORD_BYTES: usize = 64;

/// The known word most like `word`, if one is near.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > MAX_WORD_BYTES {
        return None;
    }
    let word = plain(word);
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&word, &plain(candidate)), candidate))
        .filter(|(similarity, _)| *similarity >= NEAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// The known word that differs from `word` only in case or in `_` and `-`.
pub(super) fn same_letters<'a>(
    word: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    if word.len() > MAX_WORD_BYTES {
        return None;
    }
    let word = plain(word);
    known.into_iter().find(|candidate| plain(candidate) == word)
}

fn plain(word: &str) -> String {
    word.chars()
        .filter(|c| !matches!(c, '_' | '-' | ' '))
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_what_is_near_and_nothing_far() {
        let known = ["memory", "memoryReservation", "mountPoints", "name"];
        for (word, expected) in [
            ("memroy", Some("memory")),
            ("mountpoint", Some("mountPoints")),
            ("memoryReservatio", Some("memoryReservation")),
            ("zebra", None),
        ] {
            assert_eq!(nearest(word, known), expected, "{word}");
        }
    }

    #[test]
    fn sees_through_case_and_separators() {
        let known = ["portMappings", "name"];
        for word in [
            "PortMappings",
            "port_mappings",
            "portmappings",
            "port-mappings",
        ] {
            assert_eq!(same_letters(word, known), Some("portMappings"));
        }
        assert_eq!(same_letters("portMapping", known), None);
    }
}
