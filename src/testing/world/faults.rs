//! What can go wrong with one call.

use std::time::Duration;

use crate::boundary::ErrorKind;

/// Calls that can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// `info`.
    Info,
    /// `ping`.
    Ping,
    /// `list`.
    List,
    /// `inspect`.
    Inspect,
    /// `create`.
    Create,
    /// `start`.
    Start,
    /// `stop`.
    Stop,
    /// `kill`.
    Kill,
    /// `remove`.
    Remove,
    /// `create_volume`.
    CreateVolume,
    /// `remove_volume`.
    RemoveVolume,
    /// Pull of an image.
    Pull,
}

impl Operation {
    /// How long the adapter waits for such a call: no fault can hold one up for longer.
    pub(super) fn deadline(self) -> Duration {
        match self {
            Self::Info | Self::Ping => Duration::from_secs(10),
            Self::List | Self::Inspect => Duration::from_secs(30),
            Self::Create => Duration::from_mins(4),
            Self::Start => Duration::from_mins(3),
            Self::Stop | Self::Kill => Duration::from_mins(2),
            Self::Remove | Self::CreateVolume | Self::RemoveVolume => Duration::from_mins(5),
            Self::Pull => Duration::from_hours(2),
        }
    }
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The call fails and nothing happens.
    Fail(ErrorKind),
    /// It happens, but the answer is that of a passed deadline after this time, at the latest that of the call.
    ActThenTimeOut(Duration),
    /// Nothing happens and no answer comes before this deadline, at the latest that of the call, unless the call is
    /// released: then it happens.
    Hang(Duration),
    /// It happens later.
    Delay(Duration),
    /// It happens at once, and the answer comes later: it may be older than what is known by then.
    AnswerLate(Duration),
}

/// A fault that waits for its call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which call.
    pub operation: Operation,
    /// Only for objects whose name contains this text; empty = all.
    pub about: String,
    /// How many matching calls it hits; `u32::MAX` = all from now on.
    pub times: u32,
    /// What goes wrong.
    pub effect: Effect,
}

/// Takes the effect for a call, if a fault waits for it.
pub(super) fn take(faults: &mut Vec<Fault>, operation: Operation, object: &str) -> Option<Effect> {
    let index = faults
        .iter()
        .position(|fault| fault.operation == operation && object.contains(&fault.about))?;
    let fault = faults.get_mut(index)?;
    let effect = fault.effect;
    if fault.times != u32::MAX {
        fault.times = fault.times.saturating_sub(1);
        if fault.times == 0 {
            faults.remove(index);
        }
    }
    Some(effect)
}
