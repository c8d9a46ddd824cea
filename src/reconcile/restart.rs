//! Whether a container that has ended is started again: the restart policy, as the reference agent evaluates it
//! (`engine.md` 6.1), from what was observed rather than from who was awake to see it.

use crate::domain::definition::RestartPolicy;
use crate::domain::ids::UnixMillis;
use crate::domain::task::KnownContainer;

/// Why an end is final, or that it is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Start it again.
    Restart,
    /// It stays ended; the words say why.
    Final(String),
}

/// Judges the exit that `container` shows. The time it must have run counts from its last restart or first start to
/// its end, both by Docker's clock, so that a crash of the agent changes nothing.
pub fn judge(
    policy: Option<&RestartPolicy>,
    stopping: bool,
    container: &KnownContainer,
) -> Verdict {
    let Some(policy) = policy else {
        return Verdict::Final("restart policy is not enabled".to_owned());
    };
    if stopping || container.stop_requested_at.is_some() {
        return Verdict::Final("container's desired status is stopped".to_owned());
    }
    let Some((code, ended)) = container
        .exit
        .as_ref()
        .and_then(|exit| Some((exit.code?, exit.at)))
    else {
        return Verdict::Final("exit code is nil".to_owned());
    };
    if policy.ignored_exit_codes.contains(&code) {
        return Verdict::Final(format!("exit code {code} should be ignored"));
    }
    let Some(began) = last_begin(container) else {
        return Verdict::Final("container was never started".to_owned());
    };
    let ran = ended.since(began);
    if ran < policy.restart_attempt_period {
        return Verdict::Final(format!(
            "attempt reset period has not elapsed: ran {} s of {} s",
            ran.as_secs(),
            policy.restart_attempt_period.as_secs()
        ));
    }
    Verdict::Restart
}

fn last_begin(container: &KnownContainer) -> Option<UnixMillis> {
    container
        .last_restart_at
        .max(container.running_since)
        .or(container.started_at)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::task::Exit;

    fn ended(code: Option<i64>, ran_secs: i64) -> KnownContainer {
        KnownContainer {
            started_at: Some(UnixMillis(0)),
            running_since: Some(UnixMillis(0)),
            exit: Some(Exit {
                code,
                at: UnixMillis(ran_secs * 1000),
                oom_killed: false,
            }),
            ..KnownContainer::default()
        }
    }

    fn policy() -> RestartPolicy {
        RestartPolicy {
            ignored_exit_codes: vec![0, 3],
            restart_attempt_period: Duration::from_mins(1),
        }
    }

    fn check(container: &KnownContainer, stopping: bool, want: &str) {
        let got = match judge(Some(&policy()), stopping, container) {
            Verdict::Restart => "restart".to_owned(),
            Verdict::Final(why) => why,
        };
        assert_eq!(got, want);
    }

    #[test]
    fn the_policy_as_a_table() {
        check(&ended(Some(1), 60), false, "restart");
        check(
            &ended(Some(1), 59),
            false,
            "attempt reset period has not elapsed: ran 59 s of 60 s",
        );
        check(&ended(Some(3), 60), false, "exit code 3 should be ignored");
        check(&ended(None, 60), false, "exit code is nil");
        check(
            &ended(Some(1), 60),
            true,
            "container's desired status is stopped",
        );
        let mut asked = ended(Some(1), 60);
        asked.stop_requested_at = Some(UnixMillis(1));
        check(&asked, false, "container's desired status is stopped");
        assert!(matches!(
            judge(None, false, &ended(Some(1), 60)),
            Verdict::Final(_)
        ));
    }

    #[test]
    fn the_period_counts_from_the_last_restart() {
        let mut container = ended(Some(1), 100);
        container.running_since = Some(UnixMillis(50_000));
        check(
            &container,
            false,
            "attempt reset period has not elapsed: ran 50 s of 60 s",
        );
    }
}
