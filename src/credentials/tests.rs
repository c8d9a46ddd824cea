//! The service over a source that can be told to fail, hang and change; paused time.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{BindingMode, CredentialsConfig, CredentialsHandle, Outcome, Outside, service};
use crate::boundary::ErrorKind;
use crate::boundary::credentials::{
    CredentialsKeeper as _, OwnCredentials as _, RoleReadiness, TaskRoles,
};
use crate::domain::caller::{Caller, Doubt};
use crate::domain::credentials::{RoleGrant, RoleKind};
use crate::testing::clock::{SeededIds, TokioClock};
use crate::testing::credentials::{FakeSource, MemoryKeeper, credentials, grant};

const HOUR: Duration = Duration::from_hours(1);

struct Rig {
    handle: CredentialsHandle,
    source: Arc<FakeSource>,
    clock: Arc<TokioClock>,
    _work: JoinSet<()>,
}

impl Rig {
    fn start(binding: BindingMode) -> Self {
        Self::over(binding, &Arc::default(), Vec::new())
    }

    /// Over what an earlier process has kept.
    fn over(binding: BindingMode, keeper: &Arc<MemoryKeeper>, wanted: Vec<RoleGrant>) -> Self {
        let clock = Arc::new(TokioClock::new());
        let source = Arc::new(FakeSource::new(clock.clone()));
        let config = CredentialsConfig {
            binding,
            ..CredentialsConfig::default()
        };
        let outside = Outside {
            source: source.clone(),
            keeper: keeper.clone(),
            clock: clock.clone(),
            ids: Arc::new(SeededIds::new(1)),
            encode: |_, credentials| Bytes::from(credentials.access_key_id.expose().clone()),
        };
        let (mut service, handle) = service(&config, outside);
        handle.set_wanted(wanted);
        service.restore();
        let mut work = JoinSet::new();
        work.spawn(service.run(CancellationToken::new()));
        Self {
            handle,
            source,
            clock,
            _work: work,
        }
    }

    /// What the owner of the id gets.
    async fn ask(&self, n: u32) -> Outcome {
        let caller = Caller::Task(grant(n).owner);
        let (id, began) = (grant(n).id, Instant::now());
        self.handle.ask(id.expose(), &caller, began).await.outcome
    }

    async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

fn vended(text: &'static str) -> Outcome {
    Outcome::Vended(Bytes::from_static(text.as_bytes()), None)
}

#[tokio::test(start_paused = true)]
async fn a_wanted_role_is_served_and_refreshed_ahead_of_its_end() {
    let rig = Rig::start(BindingMode::Enforce);
    assert_eq!(rig.ask(1).await, Outcome::Unknown);
    rig.handle.set_wanted(vec![grant(1)]);
    assert_eq!(
        rig.ask(1).await,
        vended("KEY1"),
        "the request waits for the fetch"
    );
    assert_eq!(
        rig.handle.readiness(&grant(1).id),
        Some(RoleReadiness::Ready)
    );
    rig.pass(Duration::from_mins(34)).await;
    assert_eq!(rig.ask(1).await, vended("KEY1"));
    rig.pass(Duration::from_mins(7)).await;
    assert_eq!(rig.ask(1).await, vended("KEY2"));
}

#[tokio::test(start_paused = true)]
async fn many_requests_for_an_id_that_is_being_fetched_share_one_fetch() {
    let rig = Rig::start(BindingMode::Enforce);
    rig.source.state().takes = Duration::from_millis(1300);
    rig.handle.set_wanted(vec![grant(1)]);
    let asked: Vec<Outcome> = futures_util::future::join_all((0..64).map(|_| rig.ask(1))).await;
    assert!(asked.iter().all(|outcome| *outcome == vended("KEY1")));
    assert_eq!(rig.source.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_no_longer_than_an_sdk_does() {
    let rig = Rig::start(BindingMode::Enforce);
    rig.source.state().takes = HOUR;
    rig.handle.set_wanted(vec![grant(1)]);
    let began = Instant::now();
    assert_eq!(rig.ask(1).await, Outcome::NotYet(None));
    assert_eq!(began.elapsed(), CredentialsConfig::default().patience);
}

#[tokio::test(start_paused = true)]
async fn what_a_request_has_waited_before_it_asks_counts() {
    let rig = Rig::start(BindingMode::Enforce);
    rig.source.state().takes = HOUR;
    rig.handle.set_wanted(vec![grant(1)]);
    let (began, caller) = (Instant::now(), Caller::Task(grant(1).owner));
    for waited in [Duration::from_secs(1), Duration::from_secs(9)] {
        tokio::time::sleep_until(began + waited).await;
        let id = grant(1).id;
        let asked = rig.handle.ask(id.expose(), &caller, began).await;
        assert_eq!(asked.outcome, Outcome::NotYet(None));
        let longest = CredentialsConfig::default().patience.max(waited);
        assert_eq!(began.elapsed(), longest);
    }
    // What is there is given out however late it is.
    rig.source.state().takes = Duration::ZERO;
    rig.handle.set_wanted(vec![grant(2)]);
    assert_eq!(rig.ask(2).await, vended("KEY1"));
    let caller = Caller::Task(grant(2).owner);
    let id = grant(2).id;
    let asked = rig.handle.ask(id.expose(), &caller, began).await;
    assert_eq!(asked.outcome, vended("KEY1"));
}

#[tokio::test(start_paused = true)]
async fn a_role_that_cannot_be_had_is_answered_at_once_and_others_are_served() {
    let rig = Rig::start(BindingMode::Enforce);
    rig.handle.set_wanted(vec![grant(1)]);
    assert_eq!(rig.ask(1).await, vended("KEY1"));
    rig.source.state().fails = Some(ErrorKind::Denied);
    rig.handle.set_wanted(vec![grant(1), grant(2)]);
    assert_eq!(rig.ask(2).await, Outcome::NotYet(None));
    let began = Instant::now();
    assert_eq!(rig.ask(2).await, Outcome::NotYet(None));
    assert_eq!(began.elapsed(), Duration::ZERO, "nothing is under way");
    let Some(RoleReadiness::Failing { kind, message, .. }) = rig.handle.readiness(&grant(2).id)
    else {
        panic!("it fails");
    };
    assert_eq!(kind, ErrorKind::Denied);
    assert_eq!(message, "assume role: it does not want to");
    assert_eq!(rig.ask(1).await, vended("KEY1"));
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_survived_until_the_end_and_over_soon_after_the_return() {
    let rig = Rig::start(BindingMode::Enforce);
    rig.handle.set_wanted((0..100).map(grant).collect());
    rig.pass(Duration::from_secs(1)).await;
    let before: Vec<Outcome> = futures_util::future::join_all((0..100).map(|n| rig.ask(n))).await;
    rig.source.state().fails = Some(ErrorKind::Unavailable);
    rig.pass(Duration::from_mins(50)).await;
    let meanwhile: Vec<Outcome> =
        futures_util::future::join_all((0..100).map(|n| rig.ask(n))).await;
    assert_eq!(meanwhile, before);
    let fetches = rig.source.fetches();
    assert!(fetches < 100 + 100 + 1000, "one at a time tries: {fetches}");
    rig.source.state().fails = None;
    rig.pass(Duration::from_secs(5)).await;
    for n in 0..100 {
        let outcome = rig.ask(n).await;
        assert!(
            matches!(outcome, Outcome::Vended(..)) && !before.contains(&outcome),
            "{n}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_expired_is_not_served() {
    let rig = Rig::start(BindingMode::Enforce);
    rig.handle.set_wanted(vec![grant(1)]);
    assert_eq!(rig.ask(1).await, vended("KEY1"));
    rig.source.state().fails = Some(ErrorKind::Denied);
    rig.pass(HOUR).await;
    assert_eq!(rig.ask(1).await, Outcome::NotYet(None));
    rig.source.state().fails = None;
    rig.pass(Duration::from_mins(1)).await;
    assert_eq!(rig.ask(1).await, vended("KEY2"));
}

#[tokio::test(start_paused = true)]
async fn an_id_that_is_not_wanted_any_more_is_unknown_and_nobody_waits_for_it() {
    let rig = Rig::start(BindingMode::Enforce);
    rig.source.state().takes = HOUR;
    rig.handle.set_wanted(vec![grant(1)]);
    let began = Instant::now();
    let forget = async {
        rig.pass(Duration::from_millis(100)).await;
        rig.handle.set_wanted(Vec::new());
    };
    let (asked, ()) = tokio::join!(rig.ask(1), forget);
    assert_eq!(asked, Outcome::NotYet(None));
    assert_eq!(began.elapsed(), Duration::from_millis(100));
    assert_eq!(rig.ask(1).await, Outcome::Unknown);
    assert_eq!(rig.handle.readiness(&grant(1).id), None);
}

#[tokio::test(start_paused = true)]
async fn another_caller_gets_what_the_mode_says() {
    let other = Caller::Task(grant(2).owner);
    let unidentified = Caller::Unknown(Doubt::Unsupported);
    let not_found = Caller::Unknown(Doubt::NotFound);
    for (mode, expected) in [
        (BindingMode::Enforce, ["refused", "vended", "not yet"]),
        (BindingMode::Audit, ["vended", "vended", "vended"]),
        (BindingMode::Off, ["vended", "vended", "vended"]),
    ] {
        let rig = Rig::start(mode);
        rig.handle.set_wanted(vec![grant(1), grant(2)]);
        for (caller, expected) in [&other, &unidentified, &not_found]
            .into_iter()
            .zip(expected)
        {
            let (id, began) = (grant(1).id, Instant::now());
            let asked = rig.handle.ask(id.expose(), caller, began).await;
            let word = match asked.outcome {
                Outcome::Vended(..) => "vended",
                Outcome::Refused(_) => "refused",
                Outcome::NotYet(_) => "not yet",
                Outcome::Unknown => "unknown",
            };
            assert_eq!(word, expected, "{mode:?} {caller:?}");
            assert_eq!(asked.grant.as_deref(), Some(&grant(1)));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn pushed_credentials_are_served_at_once_and_replace_what_was_there() {
    let rig = Rig::start(BindingMode::Enforce);
    rig.source.state().fails = Some(ErrorKind::Unavailable);
    rig.handle.set_wanted(vec![grant(1)]);
    assert_eq!(rig.ask(1).await, Outcome::NotYet(None));
    for number in [7, 8] {
        let pushed = credentials(number, rig.clock.as_ref(), HOUR);
        rig.handle.push(grant(1).id, pushed).unwrap();
        rig.pass(Duration::from_millis(1)).await;
        assert_eq!(
            rig.ask(1).await,
            Outcome::Vended(format!("KEY{number}").into(), None)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_changes_is_read_again() {
    let rig = Rig::start(BindingMode::Enforce);
    rig.handle.set_wanted(vec![grant(1)]);
    assert_eq!(rig.ask(1).await, vended("KEY1"));
    rig.source.changed.notify_one();
    rig.pass(Duration::from_millis(1)).await;
    assert_eq!(rig.ask(1).await, vended("KEY2"));
}

#[tokio::test(start_paused = true)]
async fn the_engine_is_woken_when_a_role_becomes_ready() {
    let rig = Rig::start(BindingMode::Enforce);
    rig.source.state().takes = Duration::from_secs(3);
    rig.handle.set_wanted(vec![grant(1)]);
    assert_eq!(
        rig.handle.readiness(&grant(1).id),
        Some(RoleReadiness::Fetching)
    );
    while rig.handle.readiness(&grant(1).id) != Some(RoleReadiness::Ready) {
        let woken = tokio::time::timeout(Duration::from_secs(5), rig.handle.changed()).await;
        woken.expect("a wake-up");
    }
}

#[tokio::test(start_paused = true)]
async fn an_execution_role_is_for_the_agents_own_use_too() {
    let rig = Rig::start(BindingMode::Enforce);
    let own = RoleGrant {
        kind: RoleKind::Execution,
        ..grant(2)
    };
    rig.handle.set_wanted(vec![grant(1), own]);
    rig.pass(Duration::from_secs(1)).await;
    assert!(
        rig.handle.own(&grant(1).id).is_none(),
        "a task role is the task's"
    );
    assert!(rig.handle.own(&grant(2).id).is_some());
}

#[tokio::test(start_paused = true)]
async fn what_was_kept_is_served_while_the_source_is_away_and_refreshed_ahead_of_its_end() {
    let keeper = Arc::new(MemoryKeeper::default());
    let before = Rig::over(BindingMode::Enforce, &keeper, vec![grant(1), grant(2)]);
    before.pass(Duration::from_secs(1)).await;
    before.handle.set_wanted(vec![grant(1)]);
    before.pass(Duration::from_secs(1)).await;
    assert_eq!(
        keeper.ids(),
        [grant(1).id],
        "what is not wanted is forgotten"
    );
    // kill -9.
    drop(before);
    let after = Rig::over(BindingMode::Enforce, &keeper, vec![grant(1), grant(3)]);
    after.source.state().takes = HOUR;
    after.source.state().made = 10;
    assert_eq!(after.ask(1).await, vended("KEY1"));
    assert_eq!(
        after.handle.readiness(&grant(1).id),
        Some(RoleReadiness::Ready)
    );
    assert_eq!(
        after.ask(3).await,
        Outcome::NotYet(None),
        "nothing was kept for it"
    );
    assert_eq!(
        after.source.fetches(),
        1,
        "only what was not kept is fetched"
    );
    after.source.state().takes = Duration::ZERO;
    after.pass(Duration::from_mins(45)).await;
    assert_eq!(after.ask(1).await, vended("KEY11"));
}

#[tokio::test(start_paused = true)]
async fn what_was_kept_and_ends_soon_is_replaced_at_once() {
    let keeper = Arc::new(MemoryKeeper::default());
    let clock = TokioClock::new();
    keeper.keep(&grant(1), &credentials(7, &clock, Duration::from_mins(16)));
    let rig = Rig::over(BindingMode::Enforce, &keeper, vec![grant(1)]);
    assert_eq!(rig.ask(1).await, vended("KEY7"), "it is good until then");
    rig.pass(Duration::from_millis(1)).await;
    assert_eq!(rig.ask(1).await, vended("KEY1"));
}

#[tokio::test(start_paused = true)]
async fn what_was_kept_and_has_expired_is_fetched() {
    let keeper = Arc::new(MemoryKeeper::default());
    let clock = TokioClock::new();
    keeper.keep(&grant(1), &credentials(7, &clock, Duration::ZERO));
    let rig = Rig::over(BindingMode::Enforce, &keeper, vec![grant(1)]);
    assert_eq!(rig.ask(1).await, vended("KEY1"));
}
