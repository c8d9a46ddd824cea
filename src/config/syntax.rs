//! The syntaxes of setting texts: pure readers that say in words what they expect.
//!
//! They follow the reference agent's syntaxes (durations are Go's, truth values a fixed word list). What happens with
//! a text that is refused, or a value out of bounds, is the reader's matter.

use std::collections::BTreeMap;
use std::time::Duration;

/// What a text should have been, fit to follow "is not".
pub(super) type Expected = &'static str;

/// `1 t T TRUE true True` or `0 f F FALSE false False`, blanks around it ignored.
pub(super) fn truth(text: &str) -> Result<bool, Expected> {
    match text.trim() {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err("true or false"),
    }
}

/// A decimal whole number of at least zero.
pub(super) fn number(text: &str) -> Result<u64, Expected> {
    text.trim().parse().map_err(|_| "a whole number")
}

/// Two whole numbers, blanks around them ignored.
pub(super) fn rate(text: &str) -> Result<(u32, u32), Expected> {
    const EXPECTED: Expected = "two whole numbers such as 40,60";
    let number = |text: &str| text.trim().parse().map_err(|_| EXPECTED);
    let (steady, burst) = text.split_once(',').ok_or(EXPECTED)?;
    Ok((number(steady)?, number(burst)?))
}

/// Go's duration text without a sign: `90s`, `1h30m`, `1.5h`; `0` needs no unit.
pub(super) fn duration(text: &str) -> Result<Duration, Expected> {
    const EXPECTED: Expected = "a duration such as 90s, 10m or 1h30m";
    let mut rest = text.trim();
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    if rest.is_empty() {
        return Err(EXPECTED);
    }
    let mut sum = 0.0_f64;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or(EXPECTED)?;
        let (amount, after) = rest.split_at(digits);
        let unit_length = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (unit, next) = after.split_at(unit_length);
        let seconds = match unit {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return Err(EXPECTED),
        };
        sum += amount.parse::<f64>().map_err(|_| EXPECTED)? * seconds;
        rest = next;
    }
    Duration::try_from_secs_f64(sum).map_err(|_| EXPECTED)
}

/// Writes a duration so that [`duration`] reads it back: `1h30m`, `45s`, `250ms`.
pub(super) fn show_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let millis = duration.subsec_millis();
    let mut text = String::new();
    for (amount, unit) in [
        (seconds / 3600, "h"),
        (seconds % 3600 / 60, "m"),
        (seconds % 60, "s"),
        (u64::from(millis), "ms"),
    ] {
        if amount > 0 {
            text.extend([amount.to_string().as_str(), unit]);
        }
    }
    if text.is_empty() {
        text.push('0');
    }
    text
}

/// A JSON list of port numbers.
pub(super) fn ports(text: &str) -> Result<Vec<u16>, Expected> {
    serde_json::from_str(text).map_err(|_| "a JSON list of ports such as [22, 2375]")
}

/// A JSON object whose values are texts.
pub(super) fn attributes(text: &str) -> Result<BTreeMap<String, String>, Expected> {
    serde_json::from_str(text).map_err(|_| "a JSON object of texts such as {\"rack\": \"7\"}")
}

/// Texts separated by commas; a JSON list of texts is taken too.
pub(super) fn comma_list(text: &str) -> Result<Vec<String>, Expected> {
    if text.trim_start().starts_with('[') {
        return serde_json::from_str(text).map_err(|_| "a list separated by commas");
    }
    Ok(text
        .split(',')
        .map(|item| item.trim().to_owned())
        .filter(|item| !item.is_empty())
        .collect())
}

/// `low-high` or one port.
pub(super) fn port_range(text: &str) -> Result<(u16, u16), Expected> {
    const EXPECTED: Expected = "a port range such as 49153-65535";
    let (low, high) = text.trim().split_once('-').unwrap_or((text, text));
    let low: u16 = low.trim().parse().map_err(|_| EXPECTED)?;
    let high: u16 = high.trim().parse().map_err(|_| EXPECTED)?;
    if low == 0 || low > high {
        return Err(EXPECTED);
    }
    Ok((low, high))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read_as_go_writes_them() {
        for (text, millis) in [
            ("0", 0),
            ("90s", 90_000),
            ("1h30m", 5_400_000),
            ("1.5h", 5_400_000),
            (" 250ms ", 250),
            ("2m0.5s", 120_500),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in [
            "",
            "5",
            "s",
            "5 s",
            "-5s",
            "1d",
            "1h30",
            "..s",
            "99999999999999999999h",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_the_words_of_the_list_are_truth_values() {
        assert_eq!(truth(" True "), Ok(true));
        assert_eq!(truth("f"), Ok(false));
        for text in ["yes", "on", "tRuE", "2", ""] {
            assert!(truth(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_port_beyond_65535_spoils_the_list() {
        assert_eq!(ports("[22, 80]"), Ok(vec![22, 80]));
        assert!(ports("[22, 65536]").is_err());
        assert!(ports("22").is_err());
    }

    #[test]
    fn port_ranges_go_upwards() {
        assert_eq!(port_range("100-200"), Ok((100, 200)));
        assert_eq!(port_range("100"), Ok((100, 100)));
        for text in ["200-100", "0-5", "a-b", "1-", "1-70000"] {
            assert!(port_range(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_shown_duration_reads_back(millis in 0_u64..1_000_000_000) {
            let value = Duration::from_millis(millis);
            let read = duration(&show_duration(value)).expect("reads back");
            prop_assert!(read.abs_diff(value) < Duration::from_micros(1));
        }

        #[test]
        fn no_text_makes_a_reader_panic(text in ".{0,40}") {
            drop((truth(&text), number(&text), duration(&text), ports(&text)));
            drop((attributes(&text), comma_list(&text), port_range(&text)));
        }
    }
}
