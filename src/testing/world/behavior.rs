//! What a fake process does, read from its command as a shell would run it.

use std::time::Duration;

/// What the process of a container does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behavior {
    /// Ends by itself after this time; `None` = never.
    pub runs_for: Option<Duration>,
    /// With this code.
    pub exit_code: i64,
    /// Exit code on SIGTERM; `None` = it ignores SIGTERM.
    pub on_term: Option<i64>,
}

impl Behavior {
    /// Reads the words that tests use: `exit N`, `sleep SECONDS`, `trap 'exit N' TERM`, in a shell command or as
    /// arguments. A command without `exit` or `sleep` ends at once with code 0.
    pub fn of(command: &[String]) -> Self {
        let text = command.join(" ");
        let on_term = text
            .split_once("trap 'exit ")
            .and_then(|(_, rest)| number(rest));
        let body = text
            .rsplit_once("TERM;")
            .map_or(text.as_str(), |(_, body)| body);
        let sleeps = body.split_once("sleep ").and_then(|(_, rest)| number(rest));
        let exit_code = body
            .split_once("exit ")
            .and_then(|(_, rest)| number(rest))
            .unwrap_or(0);
        let runs_for = match sleeps {
            Some(seconds) if seconds >= 1000 => None,
            Some(seconds) => Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0))),
            None => Some(Duration::ZERO),
        };
        Self {
            runs_for,
            exit_code,
            on_term,
        }
    }
}

fn number(text: &str) -> Option<i64> {
    let digits: String = text
        .trim_start()
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Behavior {
        Behavior::of(&["sh".to_owned(), "-c".to_owned(), text.to_owned()])
    }

    #[test]
    fn reads_what_tests_write() {
        let secs = |s| Some(Duration::from_secs(s));
        assert_eq!(
            of("exit 3"),
            Behavior {
                runs_for: secs(0),
                exit_code: 3,
                on_term: None
            }
        );
        assert_eq!(
            of("sleep 5; exit 7"),
            Behavior {
                runs_for: secs(5),
                exit_code: 7,
                on_term: None
            }
        );
        assert_eq!(
            of("trap 'exit 0' TERM; sleep 100000 & wait"),
            Behavior {
                runs_for: None,
                exit_code: 0,
                on_term: Some(0)
            }
        );
        assert_eq!(
            of("sleep 100000"),
            Behavior {
                runs_for: None,
                exit_code: 0,
                on_term: None
            }
        );
        assert_eq!(
            of("true"),
            Behavior {
                runs_for: secs(0),
                exit_code: 0,
                on_term: None
            }
        );
    }
}
