//! Tables of the machine: events with their instants in, effects out; and that no order of events breaks it.

use std::time::Duration;

use proptest::prelude::*;

use super::machine::{Effect, Event, Machine, Progress, Version, Word};

const READY_LIMIT: Duration = Duration::from_secs(30);

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const CRASH: Event = Event::Ended { well: false };
const GOOD_END: Event = Event::Ended { well: true };
const SERVING: Event = Event::Progress(Progress::Serving);
const READY: Event = Event::Progress(Progress::Ready);
const START: Effect = Effect::Start(Version::Held);
const TRY: Effect = Effect::Start(Version::AtPath);

/// Each step: when, what happens, what is to be done.
fn check(steps: &[(u64, Event, &[Effect])]) {
    let (mut machine, begun) = Machine::begin(READY_LIMIT, Duration::ZERO);
    assert_eq!(begun, [START]);
    for (at, event, expected) in steps {
        let found = machine.on(*event, ms(*at));
        assert_eq!(found, *expected, "{event:?} at {at}; {machine:?}");
    }
}

const fn restarts(millis: u64) -> Effect {
    Effect::Say(Word::Restarts(ms(millis)))
}

const LEAVES: Effect = Effect::Say(Word::Leaves);

#[test]
fn an_agent_that_crashes_is_back_at_once_and_then_after_growing_waits() {
    check(&[
        (1, CRASH, &[restarts(0), START]),
        (2, CRASH, &[restarts(100)]),
        (50, Event::Due, &[]),
        (102, Event::Due, &[START]),
        (103, CRASH, &[restarts(200)]),
        (303, Event::Due, &[START]),
        // It ran for a minute: the next crash is a first one again.
        (60_303, CRASH, &[restarts(0), START]),
    ]);
}

#[test]
fn waits_have_a_limit_and_a_good_end_that_nobody_asked_for_is_followed_by_a_start_too() {
    let (mut machine, _) = Machine::begin(READY_LIMIT, Duration::ZERO);
    let mut longest = Duration::ZERO;
    for _ in 0..40 {
        for effect in machine.on(GOOD_END, longest) {
            if let Effect::Say(Word::Restarts(wait)) = effect {
                longest = longest.max(wait);
            }
        }
        let due = machine.due().unwrap_or_default();
        machine.on(Event::Due, due);
    }
    assert_eq!(longest, Duration::from_secs(10));
}

#[test]
fn a_new_version_that_is_ready_is_held_from_then_on() {
    check(&[
        (10, Event::Upgrade, &[LEAVES, Effect::Tell]),
        (20, GOOD_END, &[TRY]),
        (200, SERVING, &[]),
        (300, READY, &[Effect::Hold, Effect::Say(Word::Upgraded)]),
        (400, CRASH, &[restarts(0), START]),
    ]);
}

#[test]
fn a_new_version_that_is_not_well_in_time_is_followed_by_the_old_one() {
    let late = [Effect::Say(Word::LateOnTrial), Effect::Kill];
    let ended = [Effect::Say(Word::EndedOnTrial), START];
    // It does not serve.
    check(&[
        (0, Event::Upgrade, &[LEAVES, Effect::Tell]),
        (0, GOOD_END, &[TRY]),
        (4_999, Event::Due, &[]),
        (5_000, Event::Due, &late),
        (5_001, CRASH, &[START]),
    ]);
    // It serves and is not ready.
    check(&[
        (0, Event::Upgrade, &[LEAVES, Effect::Tell]),
        (0, GOOD_END, &[TRY]),
        (100, SERVING, &[]),
        (5_000, Event::Due, &[]),
        (30_000, Event::Due, &late),
        (30_001, CRASH, &[START]),
    ]);
    // It ends, or cannot even be started.
    check(&[
        (0, Event::Upgrade, &[LEAVES, Effect::Tell]),
        (0, GOOD_END, &[TRY]),
        (1, CRASH, &ended),
        // The old one counts as it did before.
        (2, CRASH, &[restarts(0), START]),
    ]);
}

#[test]
fn an_old_version_that_does_not_leave_is_killed() {
    check(&[
        (0, Event::Upgrade, &[LEAVES, Effect::Tell]),
        (1, Event::Upgrade, &[]),
        (
            20_000,
            Event::Due,
            &[Effect::Say(Word::IsKilled), Effect::Kill],
        ),
        (20_000, Event::Due, &[]),
        (20_001, CRASH, &[TRY]),
    ]);
}

#[test]
fn a_new_version_is_tried_at_once_where_the_old_one_only_waits() {
    check(&[
        (0, CRASH, &[restarts(0), START]),
        (0, CRASH, &[restarts(100)]),
        (1, Event::Upgrade, &[TRY]),
        (2, CRASH, &[Effect::Say(Word::EndedOnTrial), START]),
    ]);
}

#[test]
fn an_upgrade_that_is_asked_for_during_another_follows_it() {
    check(&[
        (0, Event::Upgrade, &[LEAVES, Effect::Tell]),
        (1, GOOD_END, &[TRY]),
        (2, Event::Upgrade, &[]),
        (
            3,
            READY,
            &[
                Effect::Hold,
                Effect::Say(Word::Upgraded),
                LEAVES,
                Effect::Tell,
            ],
        ),
        (4, GOOD_END, &[TRY]),
        (5, Event::Upgrade, &[]),
        (6, CRASH, &[Effect::Say(Word::EndedOnTrial), TRY]),
        (7, CRASH, &[Effect::Say(Word::EndedOnTrial), START]),
    ]);
}

#[test]
fn asked_to_end_it_waits_for_the_agent_whatever_was_under_way() {
    check(&[
        (0, Event::End, &[Effect::Tell]),
        (1, Event::End, &[Effect::Tell]),
        (2, Event::Upgrade, &[]),
        (3, GOOD_END, &[Effect::Over(0)]),
    ]);
    check(&[
        // Told already: once more would have it take no leave of what the end is for.
        (0, Event::Upgrade, &[LEAVES, Effect::Tell]),
        (1, Event::End, &[]),
        (2, Event::End, &[Effect::Tell]),
        (3, GOOD_END, &[Effect::Over(0)]),
    ]);
    check(&[
        (0, Event::End, &[Effect::Tell]),
        (
            45_000,
            Event::Due,
            &[Effect::Say(Word::IsKilled), Effect::Kill],
        ),
        (45_001, CRASH, &[Effect::Over(1)]),
    ]);
    check(&[
        (0, CRASH, &[restarts(0), START]),
        (0, CRASH, &[restarts(100)]),
        (1, Event::End, &[Effect::Over(0)]),
    ]);
}

#[test]
fn progress_is_one_line_and_unknown_words_are_passed_over() {
    for progress in [Progress::Serving, Progress::Ready] {
        assert_eq!(Progress::parse(progress.as_str()), Some(progress));
    }
    assert_eq!(Progress::parse("READY\n"), Some(Progress::Ready));
    assert_eq!(Progress::parse("RELOADING"), None);
}

fn events() -> impl Strategy<Value = Vec<(u64, Event)>> {
    let event = prop_oneof![
        4 => Just(CRASH),
        2 => Just(GOOD_END),
        2 => Just(SERVING),
        2 => Just(READY),
        3 => Just(Event::Upgrade),
        1 => Just(Event::End),
        4 => Just(Event::Due),
    ];
    prop::collection::vec((0_u64..40_000, event), 0..60)
}

proptest! {
    /// An agent is started only where none runs, the parent ends only when asked, and until then it never waits for
    /// ever without an agent.
    #[test]
    fn no_order_of_events_starts_two_agents_or_loses_the_last(events in events()) {
        let (mut machine, _) = Machine::begin(READY_LIMIT, Duration::ZERO);
        let (mut now, mut runs, mut asked, mut over) = (Duration::ZERO, true, false, false);
        for (later, event) in events {
            now += ms(later);
            // What does not run can neither end nor say something.
            let is_agents = matches!(event, Event::Ended { .. } | Event::Progress(_));
            if over || (is_agents && !runs) {
                continue;
            }
            runs = runs && !matches!(event, Event::Ended { .. });
            asked = asked || event == Event::End;
            for effect in machine.on(event, now) {
                match effect {
                    Effect::Start(_) => {
                        prop_assert!(!runs, "two agents");
                        runs = true;
                    }
                    Effect::Tell | Effect::Kill => prop_assert!(runs, "nobody to tell"),
                    Effect::Over(_) => {
                        prop_assert!(asked && !runs, "nobody asked for the end");
                        over = true;
                    }
                    Effect::Hold | Effect::Say(_) => {}
                }
            }
            prop_assert!(over || runs || machine.due().is_some(), "no agent and nothing to come");
        }
    }
}
