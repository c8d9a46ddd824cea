//! The waits and deadlines of a link, by the numbers of the checks, and a property over random histories.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::ecs::acs::timers::ACS;

const NONE: Chance = Chance::ZERO;
const MOST: Chance = Chance::MOST;

struct Rig {
    link: Link,
    now: Instant,
}

impl Rig {
    fn new() -> Self {
        let now = Instant::now();
        let link = Link::new(ACS, now);
        Self { link, now }
    }

    fn pass(&mut self, time: Duration, chance: Chance) -> Option<Action> {
        self.now += time;
        self.link.on(Event::Tick, self.now, chance)
    }

    fn on(&mut self, event: Event, chance: Chance) -> Option<Action> {
        self.link.on(event, self.now, chance)
    }

    fn open(&mut self) {
        self.due();
        assert_eq!(self.on(Event::Connected, NONE), None);
    }

    /// Goes to the next try and says how long that took.
    fn due(&mut self) -> Duration {
        let wait = self.link.next().unwrap() - self.now;
        assert_eq!(self.pass(wait, NONE), Some(Action::Connect));
        wait
    }
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn check_049_refused_handshakes_wait_longer_each_time_up_to_two_minutes() {
    for (chance, share) in [(NONE, 1.0), (MOST, 1.2)] {
        let mut rig = Rig::new();
        assert_eq!(rig.due(), Duration::ZERO);
        let mut expected: f64 = 0.25;
        for _ in 0..30 {
            rig.on(Event::Refused { inactive: false }, chance);
            let wait = rig.due().as_secs_f64();
            let wanted = expected.min(120.0) * share;
            assert!((wait - wanted).abs() < wanted * 0.01, "{wait} {wanted}");
            expected *= 1.5;
        }
    }
}

#[test]
fn check_048_an_inactive_instance_is_left_alone_for_an_hour() {
    let mut rig = Rig::new();
    rig.due();
    rig.on(Event::Refused { inactive: true }, MOST);
    assert_eq!(rig.due(), secs(3600));
    rig.on(Event::Connected, NONE);
    rig.on(Event::Ended(How::Inactive), MOST);
    assert_eq!(rig.due(), secs(3600));
}

/// The floor is a quarter of a second, the bound what two minutes leave in an hour.
#[test]
fn check_049_an_hour_without_a_control_plane_is_a_bounded_number_of_tries() {
    let mut rig = Rig::new();
    let (mut waited, mut tries) = (rig.due(), 1);
    while waited < secs(3600) {
        rig.on(Event::Refused { inactive: false }, NONE);
        let wait = rig.due();
        assert!(wait >= Duration::from_millis(250), "{wait:?}");
        waited += wait;
        tries += 1;
    }
    assert!((30..60).contains(&tries), "{tries}");
}

/// With the limit of a connection (8 s, tried again by the kernel every 4 s at most) a session is open within 15 s of the
/// network's return.
#[test]
fn waits_stay_short_while_nobody_answers() {
    let mut rig = Rig::new();
    rig.due();
    rig.on(Event::Refused { inactive: false }, NONE);
    rig.due();
    for wait in [250, 375, 562] {
        rig.on(Event::Unreachable, NONE);
        assert_eq!(rig.due().as_millis(), wait);
    }
    for _ in 0..30 {
        rig.on(Event::Unreachable, MOST);
        assert!(rig.due() <= secs(12));
    }
    rig.on(Event::Refused { inactive: false }, NONE);
    assert_eq!(
        rig.due().as_millis(),
        375,
        "refusals are counted by themselves"
    );
    rig.on(Event::Unreachable, NONE);
    assert_eq!(rig.due().as_millis(), 250, "somebody had answered");
}

#[test]
fn check_050_a_session_that_is_closed_in_order_is_opened_again_at_once() {
    let mut rig = Rig::new();
    rig.open();
    rig.now += secs(5);
    rig.on(Event::Ended(How::Normal), MOST);
    assert_eq!(rig.due(), Duration::ZERO);
}

#[test]
fn check_051_sessions_that_end_at_once_are_opened_ever_more_slowly() {
    let mut rig = Rig::new();
    let mut waits = Vec::new();
    for _ in 0..20 {
        rig.open();
        rig.on(Event::Ended(How::Normal), NONE);
        waits.push(rig.link.next().unwrap() - rig.now);
    }
    assert_eq!(waits[0], Duration::from_millis(250));
    assert_eq!(waits[19], secs(120));
}

#[test]
fn check_052_a_minute_or_two_of_being_connected_forgets_failures() {
    for (lived, expected) in [(59, 375), (61, 250)] {
        let mut rig = Rig::new();
        rig.due();
        rig.on(Event::Refused { inactive: false }, NONE);
        rig.open();
        for _ in 0..lived {
            rig.on(Event::Heard, NONE);
            assert_eq!(rig.pass(secs(1), NONE), None);
        }
        rig.on(Event::Ended(How::Broken), NONE);
        assert_eq!(rig.due(), Duration::from_millis(expected), "{lived} s");
    }
}

#[test]
fn check_053_after_30_to_35_minutes_the_session_is_closed_and_opened_anew() {
    for (chance, closes_after) in [(NONE, 30 * 60), (MOST, 35 * 60)] {
        let mut rig = Rig::new();
        rig.due();
        rig.on(Event::Connected, chance);
        let mut lived = 0;
        loop {
            rig.on(Event::Heard, NONE);
            lived += 1;
            if let Some(action) = rig.pass(secs(1), NONE) {
                assert_eq!(action, Action::Close);
                break;
            }
        }
        assert!(
            (closes_after - 1..=closes_after).contains(&lived),
            "{lived}"
        );
        rig.on(Event::Ended(How::Broken), MOST);
        assert_eq!(rig.due(), Duration::ZERO);
    }
}

#[test]
fn a_peer_that_does_not_answer_the_close_is_dropped() {
    let mut rig = Rig::new();
    rig.open();
    for _ in 0..30 * 60 - 1 {
        rig.on(Event::Heard, NONE);
        rig.pass(secs(1), NONE);
    }
    assert_eq!(rig.pass(secs(1), NONE), Some(Action::Close));
    let limit = rig.link.next().unwrap() - rig.now;
    assert_eq!(rig.pass(limit, NONE), Some(Action::Drop));
    assert_eq!(rig.due(), Duration::ZERO);
}

#[test]
fn check_054_a_silent_session_is_dropped_after_one_to_two_minutes() {
    for (chance, millis) in [(NONE, 60_000), (MOST, 119_940)] {
        let mut rig = Rig::new();
        rig.due();
        rig.on(Event::Connected, chance);
        let all_but = Duration::from_millis(millis - 1);
        assert_eq!(rig.pass(all_but, NONE), None);
        let action = rig.pass(Duration::from_millis(1), NONE);
        assert_eq!(action, Some(Action::Drop));
        assert!(rig.due() >= Duration::from_millis(250));
    }
}

#[test]
fn check_055_a_message_every_50_seconds_keeps_the_session() {
    let mut rig = Rig::new();
    rig.open();
    for _ in 0..35 {
        assert_eq!(rig.pass(secs(50), NONE), None);
        rig.on(Event::Heard, NONE);
    }
    assert!(rig.link.is_open());
}

fn any_event() -> impl Strategy<Value = (Event, u64, u16)> {
    let event = prop_oneof![
        Just(Event::Tick),
        Just(Event::Connected),
        any::<bool>().prop_map(|inactive| Event::Refused { inactive }),
        Just(Event::Unreachable),
        Just(Event::Heard),
        Just(Event::Ended(How::Normal)),
        Just(Event::Ended(How::Broken)),
        Just(Event::Ended(How::Inactive)),
    ];
    (event, 0_u64..200_000, 0_u16..1000)
}

proptest! {
    /// A model beside the link: whoever drives it only sends events that can happen there, and time goes on.
    #[test]
    fn there_is_never_a_second_session_and_always_a_next_step(steps in proptest::collection::vec(any_event(), 1..200)) {
        let mut rig = Rig::new();
        let (mut open, mut connecting) = (false, false);
        for (event, millis, part) in steps {
            rig.now += Duration::from_millis(millis);
            let possible = match event {
                Event::Tick => true,
                Event::Connected | Event::Refused { .. } | Event::Unreachable => connecting,
                Event::Heard | Event::Ended(_) => open,
            };
            if !possible {
                continue;
            }
            let action = rig.on(event, Chance::per_mille(part));
            match event {
                Event::Connected => (open, connecting) = (true, false),
                Event::Refused { .. } | Event::Unreachable => connecting = false,
                Event::Ended(_) => open = false,
                Event::Tick | Event::Heard => {}
            }
            match action {
                Some(Action::Connect) => {
                    prop_assert!(!open && !connecting);
                    connecting = true;
                }
                Some(Action::Drop) => {
                    prop_assert!(open);
                    open = false;
                }
                Some(Action::Close) => prop_assert!(open),
                None => {}
            }
            prop_assert!(connecting || rig.link.next().is_some());
        }
    }
}
