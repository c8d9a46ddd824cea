//! The address of the task server on this host: given to the adapter of Docker's network, by programs of Windows.

use std::io;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;

use crate::boundary::{BoundaryError, ErrorKind, HeldAddress, TaskAddress};
use crate::error::ErrorChain;
use crate::platform::command::{Command, CommandError};
use crate::platform::os::os_version;
use crate::platform::task_host::{ADDRESS, Step, adapters, clean, give_address, let_through};

/// Longest run of one of those programs.
const STEP_LIMIT: Duration = Duration::from_secs(20);

/// From one try that failed to the next: the address is asked for every second.
const TRY_PACE: Duration = Duration::from_secs(30);

/// The same for the rule of the firewall, which a host may not have at all.
const RULE_PACE: Duration = Duration::from_mins(5);

/// How long a new address may take until it can be used: Windows first looks whether another host has it.
const SETTLE_LIMIT: Duration = Duration::from_secs(10);

/// How often it is looked at meanwhile.
const SETTLE_PACE: Duration = Duration::from_millis(250);

/// What is done, for errors.
const OPERATION: &str = "give this host the address of the task server";

/// Runs programs of Windows.
#[async_trait]
pub trait RunSteps: Send + Sync {
    /// Runs one to its end.
    async fn run(&self, step: &Step) -> Result<(), CommandError>;
}

/// Runs them.
#[derive(Debug, Default)]
pub struct Programs;

#[async_trait]
impl RunSteps for Programs {
    async fn run(&self, step: &Step) -> Result<(), CommandError> {
        let command = Command::new(step.program, STEP_LIMIT).args(&step.args);
        command.run().await.map(drop)
    }
}

/// The address on this host.
pub type TaskLink = Link<Programs>;

/// The address, given by those programs.
#[derive(Debug)]
pub struct Link<P> {
    programs: P,
    /// Whether the address is this host's.
    is_here: fn() -> bool,
    /// Names that the adapter may have; the first counts until another has taken the address.
    adapters: [&'static str; 2],
    /// The second has taken it.
    has_other_name: AtomicBool,
    /// How far the rule of the firewall is.
    rule: Mutex<Rule>,
    /// When and why the last try failed.
    failed: Mutex<Option<(Instant, String)>>,
}

/// The rule of the firewall, as far as this process knows.
#[derive(Debug, Default)]
enum Rule {
    /// Nobody has been asked for it.
    #[default]
    Unknown,
    /// It was made.
    Made,
    /// When and why it was not.
    Missing(Instant, String),
}

impl<P: Default> Default for Link<P> {
    fn default() -> Self {
        Self {
            programs: P::default(),
            is_here,
            adapters: adapters(os_version().build),
            has_other_name: AtomicBool::new(false),
            rule: Mutex::default(),
            failed: Mutex::default(),
        }
    }
}

impl<P: RunSteps> Link<P> {
    /// The rule of the firewall is there, or the log says that it is not: a host may have none, or one that is no part
    /// of Windows. It is asked for until it is made.
    async fn ensure_rule(&self) {
        let said_before = match &*locked(&self.rule) {
            Rule::Made => return,
            Rule::Missing(at, _) if at.elapsed() < RULE_PACE => return,
            Rule::Missing(_, words) => Some(words.clone()),
            Rule::Unknown => None,
        };
        let made = self
            .run(let_through())
            .await
            .map_err(|error| ErrorChain(&error).to_string());
        if let Err(error) = &made
            && said_before.as_ref() != Some(error)
        {
            tracing::warn!(
                event = "firewall-rule-missing",
                error,
                "the firewall of Windows was not told to let containers through to the task server"
            );
        }
        *locked(&self.rule) = match made {
            Ok(()) => Rule::Made,
            Err(error) => Rule::Missing(Instant::now(), error),
        };
    }

    /// Runs them in turn, up to one that fails and may not.
    async fn run(&self, steps: Vec<Step>) -> Result<(), CommandError> {
        for step in steps {
            match self.programs.run(&step).await {
                Err(error) if !step.may_fail => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    /// The adapter has the address, under whichever of its names it is there.
    async fn give(&self) -> Result<(), BoundaryError> {
        let [likely, other] = self.adapters;
        let error = match self.programs.run(&give_address(likely)).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        // One that cannot be run has said nothing of the name.
        let refused = matches!(error, CommandError::Failed { .. });
        if refused && self.programs.run(&give_address(other)).await.is_ok() {
            self.has_other_name.store(true, Ordering::Relaxed);
            return Ok(());
        }
        let words = format!(
            "the adapter {likely} cannot be given {ADDRESS}: is Docker's network `nat` there, and does the agent run as an administrator?"
        );
        Err(BoundaryError::new(OPERATION, ErrorKind::Unavailable, words).because(error))
    }

    /// The name of the adapter that has the address.
    fn adapter(&self) -> &'static str {
        let [likely, other] = self.adapters;
        if self.has_other_name.load(Ordering::Relaxed) {
            other
        } else {
            likely
        }
    }

    fn held(&self) -> HeldAddress {
        HeldAddress {
            link: self.adapter().to_owned(),
            own_link: false,
        }
    }

    fn recent_failure(&self) -> Option<BoundaryError> {
        let failed = locked(&self.failed);
        let (at, words) = failed.as_ref()?;
        (at.elapsed() < TRY_PACE).then(|| refused(words.clone()))
    }

    fn remember(&self, failure: Option<String>) {
        *locked(&self.failed) = failure.map(|words| (Instant::now(), words));
    }

    async fn try_ensure(&self) -> Result<HeldAddress, BoundaryError> {
        self.give().await?;
        self.ensure_rule().await;
        let began = Instant::now();
        loop {
            if (self.is_here)() {
                return Ok(self.held());
            }
            if began.elapsed() > SETTLE_LIMIT {
                let adapter = self.adapter();
                return Err(refused(format!(
                    "{ADDRESS} was given to the adapter {adapter}, and is still no address of this host"
                )));
            }
            tokio::time::sleep(SETTLE_PACE).await;
        }
    }
}

#[async_trait]
impl<P: RunSteps> TaskAddress for Link<P> {
    async fn ensure(&self) -> Result<HeldAddress, BoundaryError> {
        if (self.is_here)() {
            self.ensure_rule().await;
            return Ok(self.held());
        }
        if let Some(error) = self.recent_failure() {
            return Err(error);
        }
        let tried = self.try_ensure().await;
        self.remember(
            tried
                .as_ref()
                .err()
                .map(|error| ErrorChain(error).to_string()),
        );
        tried
    }

    async fn look(&self) -> Result<Option<HeldAddress>, BoundaryError> {
        Ok((self.is_here)().then(|| self.held()))
    }

    async fn release(&self) -> Result<(), BoundaryError> {
        let refused = |error| {
            let words = format!("{ADDRESS} cannot be taken away");
            BoundaryError::new(OPERATION, ErrorKind::Unavailable, words).because(error)
        };
        self.run(clean()).await.map_err(refused)
    }

    async fn changed(&self) -> Result<(), BoundaryError> {
        // Nothing tells: the caller looks from time to time.
        std::future::pending().await
    }
}

/// Whether the address is one of this host's that can be used: then a socket can be bound there.
fn is_here() -> bool {
    match TcpListener::bind((ADDRESS, 0)) {
        Ok(_) => true,
        Err(error) => error.kind() != io::ErrorKind::AddrNotAvailable,
    }
}

fn locked<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

fn refused(words: String) -> BoundaryError {
    BoundaryError::new(OPERATION, ErrorKind::Unavailable, words)
}

#[cfg(test)]
mod tests {
    use std::os::windows::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    use super::*;

    /// Programs that keep what they were asked for. Those of Wine say that all went well and do nothing.
    #[derive(Default)]
    struct Noted {
        asked: Mutex<Vec<String>>,
        fails: Fails,
    }

    #[derive(Clone, Copy, Default)]
    enum Fails {
        #[default]
        Nothing,
        /// None of them is there.
        All,
        /// What has this among its arguments ends badly.
        With(&'static str),
    }

    #[async_trait]
    impl RunSteps for Noted {
        async fn run(&self, step: &Step) -> Result<(), CommandError> {
            let args = step.args.join(" ");
            let program = step.program.to_owned();
            let outcome = match self.fails {
                Fails::All => Err(CommandError::Missing { program }),
                Fails::With(words) if args.contains(words) => Err(CommandError::Failed {
                    program,
                    args: args.clone(),
                    status: ExitStatus::from_raw(1),
                    stderr: String::new(),
                }),
                Fails::Nothing | Fails::With(_) => Ok(()),
            };
            self.asked.lock().unwrap().push(args);
            outcome
        }
    }

    fn link(is_here: fn() -> bool, fails: Fails) -> Link<Noted> {
        Link {
            programs: Noted {
                fails,
                ..Noted::default()
            },
            is_here,
            adapters: adapters(None),
            ..Link::default()
        }
    }

    /// What was asked for so far: its verb, and the adapter or the rule that it is about.
    fn asked(link: &Link<Noted>) -> Vec<String> {
        let asked = std::mem::take(&mut *link.programs.asked.lock().unwrap());
        let short = |line: String| {
            let verb = if line.contains(" add ") {
                "add"
            } else {
                "delete"
            };
            let about = line.split("name=").nth(1).unwrap_or_default();
            let about = about.split([')', '=']).next().unwrap_or_default();
            format!("{verb} {}", about.trim_end_matches(" dir"))
        };
        asked.into_iter().map(short).collect()
    }

    const NAT: &str = "add vEthernet (nat";
    const HNS: &str = "add vEthernet (HNS Internal NIC";
    const RULE: [&str; 2] = ["delete berth task server", "add berth task server"];

    #[tokio::test]
    async fn what_cannot_be_set_up_is_told_and_not_tried_every_second() {
        for (fails, tried) in [
            (Fails::All, &[NAT][..]),
            (Fails::With("ipv4 add"), &[NAT, HNS]),
        ] {
            let link = link(|| false, fails);
            for _ in 0..3 {
                let error = link.ensure().await.unwrap_err();
                assert!(error.message.contains("vEthernet (nat)"), "{error}");
            }
            assert_eq!(asked(&link), tried);
            assert_eq!(link.look().await.unwrap(), None);
            assert!(link.release().await.is_ok(), "there is nothing to release");
        }
    }

    /// As on Server 2016, where nobody has said that it is that.
    #[tokio::test]
    async fn an_adapter_of_another_name_is_given_the_address_as_well() {
        let link = link(|| false, Fails::With("name=vEthernet (nat)"));
        link.give().await.unwrap();
        assert_eq!(asked(&link), [NAT, HNS]);
        assert_eq!(link.held().link, "vEthernet (HNS Internal NIC)");
    }

    /// The rule outlives the address, which is gone after a restart of the host.
    #[tokio::test]
    async fn an_address_that_is_there_is_not_given_again_and_the_rule_is_made_once() {
        let link = link(|| true, Fails::Nothing);
        for _ in 0..3 {
            let held = link.ensure().await.unwrap();
            assert_eq!(held.link, "vEthernet (nat)");
        }
        assert_eq!(asked(&link), RULE);
    }

    #[tokio::test]
    async fn a_rule_that_was_not_made_is_asked_for_again_after_a_while() {
        let link = link(|| true, Fails::With("add rule"));
        for _ in 0..3 {
            link.ensure().await.unwrap();
        }
        assert_eq!(asked(&link), RULE, "not every second");
        let Some(past) = Instant::now().checked_sub(RULE_PACE) else {
            return;
        };
        *locked(&link.rule) = Rule::Missing(past, String::new());
        link.ensure().await.unwrap();
        assert_eq!(asked(&link), RULE);
        assert!(matches!(&*locked(&link.rule), Rule::Missing(at, _) if *at > past));
    }
}
