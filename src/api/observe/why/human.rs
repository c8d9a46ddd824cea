//! Sizes and spans as people say them.

use std::time::Duration;

/// `512 B`, `1.5 kB`, `12 MB`: decimal units, three digits at most.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut whole = count;
    let mut tenths = 0;
    let mut unit = UNITS[0];
    for larger in &UNITS[1..] {
        if whole < 1_000 {
            break;
        }
        tenths = whole % 1_000 / 100;
        whole /= 1_000;
        unit = larger;
    }
    if tenths > 0 && whole < 10 {
        format!("{whole}.{tenths} {unit}")
    } else {
        format!("{whole} {unit}")
    }
}

/// `0 s`, `59 s`, `2 min 5 s`, `3 h 7 min`, `2 d 4 h`: the two largest units.
pub fn span(length: Duration) -> String {
    let seconds = length.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    let pair = |large: u64, large_unit: &str, small: u64, small_unit: &str| {
        if small == 0 {
            format!("{large} {large_unit}")
        } else {
            format!("{large} {large_unit} {small} {small_unit}")
        }
    };
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => pair(minutes, "min", seconds % 60, "s"),
        (0, _, _) => pair(hours, "h", minutes % 60, "min"),
        (_, _, _) => pair(days, "d", hours % 24, "h"),
    }
}

/// `59s`, `2m`, `3h`, `12d`: the largest unit only, for columns.
pub fn short_span(length: Duration) -> String {
    let seconds = length.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_the_unit_that_keeps_them_short() {
        for (count, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_500, "1.5 kB"),
            (12_000_000, "12 MB"),
            (12_900_000, "12 MB"),
            (2_000_000_000, "2 GB"),
            (u64::MAX, "18446744 TB"),
        ] {
            assert_eq!(bytes(count), text);
        }
    }

    #[test]
    fn spans_have_at_most_two_units() {
        for (seconds, text, short) in [
            (0, "0 s", "0s"),
            (59, "59 s", "59s"),
            (60, "1 min", "1m"),
            (125, "2 min 5 s", "2m"),
            (11_220, "3 h 7 min", "3h"),
            (187_200, "2 d 4 h", "2d"),
        ] {
            let length = Duration::from_secs(seconds);
            assert_eq!(
                (span(length).as_str(), short_span(length).as_str()),
                (text, short)
            );
        }
    }
}
