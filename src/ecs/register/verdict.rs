//! What the answer to a registration means.

use super::request::Identity;
use crate::ecs::api::{ApiError, Failure, Registered, Registration};
use crate::ecs::config::EcsConfig;

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The instance is registered.
    Registered,
    /// Try again, with growing waits.
    Again,
    /// Nobody has answered. Try again soon: the network may be back.
    Unanswered,
    /// The default cluster is not there: make it.
    MakeCluster,
    /// Somebody must change something. The reference agent ends for good here; this one goes on serving its tasks,
    /// says why, and tries again now and then.
    Hopeless(String),
}

/// Codes that no further try changes (reference agent: exit code 5).
const HOPELESS: [&str; 2] = ["InvalidParameterException", "ClientException"];

/// Words of a refusal that is final whatever its code.
const TYPE_CHANGED: &str = "Container instance type changes are not supported.";

/// Why a host that was never registered must not be yet: ECS would never hear of what it lacks now, and would place tasks
/// by that for good (reference agent: it does not start).
pub fn unfit_to_begin(config: &EcsConfig, identity: &Identity) -> Option<String> {
    if identity.instance.is_some() || config.unread.is_empty() {
        return None;
    }
    Some(format!(
        "{} cannot be read, and ECS hears of it with the first registration only: mend it and restart the agent",
        config.unread.join(" and ")
    ))
}

/// Of a call that failed. `may_make` = no cluster is named, so the default one may be made.
pub fn judge_error(error: &ApiError, may_make: bool) -> Verdict {
    let Failure::Code(code) = &error.failure else {
        return Verdict::Unanswered;
    };
    let missing =
        code == "ClusterNotFoundException" || error.message.contains("Cluster not found.");
    if missing && may_make {
        return Verdict::MakeCluster;
    }
    if HOPELESS.contains(&code.as_str()) || error.message.contains(TYPE_CHANGED) {
        return Verdict::Hopeless(error.to_string());
    }
    Verdict::Again
}

/// Of an answer: every value that was sent must have come back.
pub fn judge_registered(sent: &Registration, answer: &Registered) -> Verdict {
    let changed = sent.attributes.iter().find(|(name, value)| {
        value.is_some() && answer.attributes.get(name).cloned().flatten() != *value
    });
    match changed {
        None => Verdict::Registered,
        Some((name, _)) => Verdict::Hopeless(format!(
            "the control plane has another value of attribute {name}"
        )),
    }
}
