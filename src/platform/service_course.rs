//! Starting and ending a service: what follows from where the manager says that it is. Pure; who asks the manager is in
//! `windows/`.
//!
//! **Invariants.** One that is on its way is waited for: the manager takes neither a start nor a stop from it. It is
//! started once, so that one that ends at once is told and not started for ever.

use super::service::ServiceError;

/// Where a service is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It does not run; the code of its last end.
    Stopped(u32),
    /// On its way up.
    Starting,
    /// It runs.
    Running,
    /// On its way down.
    Stopping,
    /// Somewhere else, by that word.
    Elsewhere(&'static str),
}

impl Phase {
    /// As it is told to people.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Stopped(_) => "stopped",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Elsewhere(word) => word,
        }
    }
}

/// What became of a start or a stop.
#[derive(Debug)]
pub(super) enum Told {
    /// The service was told.
    Yes,
    /// It has gone on meanwhile: look again.
    Moved,
}

/// A service that is installed.
pub(super) trait Known {
    /// Where it is.
    ///
    /// # Errors
    /// The manager does not say.
    fn phase(&self) -> Result<Phase, ServiceError>;

    /// Tells it to start.
    ///
    /// # Errors
    /// The manager refuses.
    fn tell_start(&self) -> Result<Told, ServiceError>;

    /// Tells it to end.
    ///
    /// # Errors
    /// The manager refuses.
    fn tell_stop(&self) -> Result<Told, ServiceError>;

    /// Waits a little; an error after a while, which says where it is and not `wanted`.
    ///
    /// # Errors
    /// [`ServiceError::Late`].
    fn pause(&mut self, now: Phase, wanted: &'static str) -> Result<(), ServiceError>;
}

/// Starts it and waits until it runs; one that runs is as good.
///
/// # Errors
/// [`ServiceError::Ended`] if it ended instead; those of the manager.
pub(super) fn start(service: &mut impl Known) -> Result<(), ServiceError> {
    let mut told = false;
    loop {
        let phase = service.phase()?;
        match phase {
            Phase::Running => return Ok(()),
            Phase::Stopped(code) if told => return Err(ServiceError::Ended(code)),
            Phase::Stopped(_) => told = matches!(service.tell_start()?, Told::Yes),
            Phase::Starting | Phase::Stopping | Phase::Elsewhere(_) => {}
        }
        service.pause(phase, "running")?;
    }
}

/// Tells it to end and waits for that; one that does not run is as good.
///
/// # Errors
/// Those of the manager.
pub(super) fn stop(service: &mut impl Known) -> Result<(), ServiceError> {
    let mut told = false;
    loop {
        let phase = service.phase()?;
        match phase {
            Phase::Stopped(_) => return Ok(()),
            Phase::Running | Phase::Elsewhere(_) if !told => {
                told = matches!(service.tell_stop()?, Told::Yes);
            }
            Phase::Running | Phase::Elsewhere(_) | Phase::Starting | Phase::Stopping => {}
        }
        service.pause(phase, "stopped")?;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// A service that is in each of these phases for one look, and in the last for ever.
    struct Script {
        phases: Vec<Phase>,
        looks: RefCell<usize>,
        told: RefCell<Vec<&'static str>>,
        /// How often the manager says that the service has gone on meanwhile.
        moves: RefCell<usize>,
    }

    impl Script {
        fn tell(&self, word: &'static str) -> Told {
            self.told.borrow_mut().push(word);
            let mut moves = self.moves.borrow_mut();
            if *moves == 0 {
                return Told::Yes;
            }
            *moves -= 1;
            Told::Moved
        }
    }

    impl Known for Script {
        fn phase(&self) -> Result<Phase, ServiceError> {
            let mut looks = self.looks.borrow_mut();
            let phase = self.phases[(*looks).min(self.phases.len() - 1)];
            *looks += 1;
            Ok(phase)
        }

        fn tell_start(&self) -> Result<Told, ServiceError> {
            Ok(self.tell("start"))
        }

        fn tell_stop(&self) -> Result<Told, ServiceError> {
            Ok(self.tell("stop"))
        }

        fn pause(&mut self, now: Phase, wanted: &'static str) -> Result<(), ServiceError> {
            if *self.looks.borrow() < self.phases.len() + 5 {
                return Ok(());
            }
            Err(ServiceError::Late {
                now: now.word().to_owned(),
                wanted,
                limit: std::time::Duration::from_mins(1),
            })
        }
    }

    const STOPPED: Phase = Phase::Stopped(0);

    fn check(
        act: fn(&mut Script) -> Result<(), ServiceError>,
        (phases, moves): (&[Phase], usize),
        told: &[&str],
        error: Option<&str>,
    ) {
        let mut script = Script {
            phases: phases.to_vec(),
            looks: RefCell::default(),
            told: RefCell::default(),
            moves: RefCell::new(moves),
        };
        let said = act(&mut script).err().map(|error| error.to_string());
        assert_eq!(said.as_deref(), error, "{phases:?}");
        assert_eq!(*script.told.borrow(), told, "{phases:?}");
    }

    #[test]
    fn a_start_is_told_once_and_waits_for_whatever_is_on_its_way() {
        use Phase::{Running, Starting, Stopping};
        check(start, (&[Running], 0), &[], None);
        check(start, (&[Starting, Running], 0), &[], None);
        check(start, (&[STOPPED, Starting, Running], 0), &["start"], None);
        // One that is ending runs for the manager, which refuses to start it.
        check(
            start,
            (&[Stopping, Stopping, STOPPED, Running], 0),
            &["start"],
            None,
        );
        check(
            start,
            (&[STOPPED, STOPPED, Running], 1),
            &["start", "start"],
            None,
        );
        let ended = "the service has ended at once, with code 7: see its log";
        check(
            start,
            (&[STOPPED, Starting, Phase::Stopped(7)], 0),
            &["start"],
            Some(ended),
        );
        let late = "the service is starting and not running after 60 s: see its log";
        check(start, (&[STOPPED, Starting], 0), &["start"], Some(late));
    }

    #[test]
    fn a_stop_is_told_once_and_not_to_one_that_cannot_take_it() {
        use Phase::{Running, Starting, Stopping};
        check(stop, (&[STOPPED], 0), &[], None);
        check(
            stop,
            (&[Running, Running, Stopping, STOPPED], 0),
            &["stop"],
            None,
        );
        check(stop, (&[Starting, Running, STOPPED], 0), &["stop"], None);
        check(stop, (&[Stopping, STOPPED], 0), &[], None);
        check(
            stop,
            (&[Phase::Elsewhere("paused"), STOPPED], 0),
            &["stop"],
            None,
        );
        check(
            stop,
            (&[Running, Running, STOPPED], 1),
            &["stop", "stop"],
            None,
        );
        let starting = "the service is starting and not stopped after 60 s: see its log";
        check(stop, (&[Starting], 0), &[], Some(starting));
        let late = "the service is stopping and not stopped after 60 s: see its log";
        check(stop, (&[Running, Stopping], 0), &["stop"], Some(late));
    }
}
