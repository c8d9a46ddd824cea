//! Whether a caller may have the credentials behind an id that it knows.
//!
//! | caller | `enforce` | `audit` | `off` |
//! |---|---|---|---|
//! | the task that the id belongs to | serve | serve | serve |
//! | of an execution role: a process of the host, which Docker's log drivers are | serve | serve | serve |
//! | another task, a stranger's container, a process of the host | refuse | serve, noted | serve |
//! | not found this time, on a host that can tell | try again | serve, noted | serve |
//! | on a host that cannot tell callers apart | serve, noted | serve, noted | serve |

use crate::domain::caller::{Caller, Doubt};
use crate::domain::credentials::RoleKind;
use crate::domain::ids::TaskArn;

/// Whether an id is good for its task only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BindingMode {
    /// Others are refused.
    #[default]
    Enforce,
    /// Others are served and noted.
    Audit,
    /// Whoever knows the id is served, as by the reference agent.
    Off,
}

/// The decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// Serve; if there is a mismatch it is to be noted.
    Serve(Option<Mismatch>),
    /// Refuse as if the id were not known.
    Refuse(Mismatch),
    /// Ask the caller to try again: it may be known by then.
    TryAgain,
}

/// What speaks against a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mismatch {
    /// A container of another task.
    OtherTask,
    /// A container of nobody's here, or another machine.
    Stranger,
    /// A process of the host.
    HostProcess,
    /// It is not known who.
    Unidentified,
}

impl Mismatch {
    /// Word for logs and labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OtherTask => "other-task",
            Self::Stranger => "stranger",
            Self::HostProcess => "host-process",
            Self::Unidentified => "unidentified",
        }
    }
}

/// Decides.
pub fn decide(mode: BindingMode, caller: &Caller, owner: &TaskArn, kind: RoleKind) -> Binding {
    if mode == BindingMode::Off {
        return Binding::Serve(None);
    }
    let mismatch = match caller {
        Caller::Task(arn) if arn == owner => return Binding::Serve(None),
        Caller::Task(_) => Mismatch::OtherTask,
        Caller::Foreign(_) => Mismatch::Stranger,
        Caller::Host(_) if kind == RoleKind::Execution => return Binding::Serve(None),
        Caller::Host(_) => Mismatch::HostProcess,
        Caller::Unknown(Doubt::Unsupported) => {
            return Binding::Serve(Some(Mismatch::Unidentified));
        }
        Caller::Unknown(Doubt::NotFound) if mode == BindingMode::Enforce => {
            return Binding::TryAgain;
        }
        Caller::Unknown(Doubt::NotFound) => Mismatch::Unidentified,
    };
    match mode {
        BindingMode::Enforce => Binding::Refuse(mismatch),
        BindingMode::Audit | BindingMode::Off => Binding::Serve(Some(mismatch)),
    }
}

#[cfg(test)]
mod tests {
    use super::Binding::{Refuse, Serve, TryAgain};
    use super::Mismatch::{HostProcess, OtherTask, Stranger, Unidentified};
    use super::*;
    use crate::domain::caller;

    fn arn(id: &str) -> TaskArn {
        TaskArn::parse(&format!("arn:aws:ecs:local:000000000000:task/default/{id}")).unwrap()
    }

    #[test]
    fn the_words_are_those_that_are_counted() {
        let words = [OtherTask, Stranger, HostProcess, Unidentified].map(Mismatch::as_str);
        assert_eq!(words, crate::boundary::credentials::AGAINST);
    }

    #[test]
    fn every_caller_in_every_mode() {
        let (own, other) = (Caller::Task(arn("a")), Caller::Task(arn("b")));
        let host = Caller::Host(caller::HostProcess::default());
        let foreign = Caller::Foreign("container x".to_owned());
        let not_found = Caller::Unknown(Doubt::NotFound);
        let unsupported = Caller::Unknown(Doubt::Unsupported);
        for (caller, enforce, audit) in [
            (&own, Serve(None), Serve(None)),
            (&other, Refuse(OtherTask), Serve(Some(OtherTask))),
            (&foreign, Refuse(Stranger), Serve(Some(Stranger))),
            (&host, Refuse(HostProcess), Serve(Some(HostProcess))),
            (&not_found, TryAgain, Serve(Some(Unidentified))),
            (
                &unsupported,
                Serve(Some(Unidentified)),
                Serve(Some(Unidentified)),
            ),
        ] {
            assert_eq!(
                decide(BindingMode::Enforce, caller, &arn("a"), RoleKind::Task),
                enforce,
                "{caller:?}"
            );
            assert_eq!(
                decide(BindingMode::Audit, caller, &arn("a"), RoleKind::Task),
                audit,
                "{caller:?}"
            );
            assert_eq!(
                decide(BindingMode::Off, caller, &arn("a"), RoleKind::Task),
                Serve(None),
                "{caller:?}"
            );
        }
    }

    #[test]
    fn log_drivers_are_processes_of_the_host_and_ask_for_execution_roles() {
        let decide =
            |caller: &Caller| decide(BindingMode::Enforce, caller, &arn("a"), RoleKind::Execution);
        let host = Caller::Host(caller::HostProcess::default());
        assert_eq!(decide(&host), Serve(None));
        assert_eq!(decide(&Caller::Task(arn("b"))), Refuse(OtherTask));
        let foreign = Caller::Foreign("container x".to_owned());
        assert_eq!(decide(&foreign), Refuse(Stranger));
    }
}
