//! Places given, kept and given back; no sockets.

use super::*;
use crate::domain::caller::Doubt;
use crate::testing::store_contract::desired;

const LOCAL: &str = "169.254.170.2";

fn doors() -> Doors {
    Doors::new(Places {
        silent_host: 3,
        silent_other: 2,
        silent: 6,
        each: 4,
        known: 8,
    })
}

fn enter(doors: &Doors, peer: &str) -> Option<Inside> {
    let at = |ip: &str| SocketAddr::new(ip.parse().unwrap(), 80);
    doors.enter(at(peer), at(LOCAL))
}

fn task(name: &str) -> Caller {
    Caller::Task(desired(name, 1).arn)
}

fn is_empty(doors: &Doors) -> bool {
    let state = doors.state();
    state.hall.is_empty()
        && state.waiting.is_empty()
        && state.rooms.is_empty()
        && state.known.is_empty()
}

#[test]
fn the_longest_silent_one_of_an_address_gives_way_to_its_next() {
    let doors = doors();
    for same in [
        &["172.17.0.2", "172.17.0.2", "::ffff:172.17.0.2"][..],
        &["127.0.0.1", "::1", "127.0.0.9", LOCAL],
    ] {
        let inside: Vec<Inside> = same.iter().filter_map(|peer| enter(&doors, peer)).collect();
        let away: Vec<bool> = inside
            .iter()
            .map(|inside| inside.sent_away().is_cancelled())
            .collect();
        let mut expected = vec![false; same.len()];
        expected[0] = true;
        assert_eq!(away, expected, "{same:?}");
        assert!(!inside[0].has_asked() && inside[1].has_asked());
    }
    assert!(is_empty(&doors));
}

#[test]
fn who_has_asked_is_not_sent_away_and_who_has_most_makes_room() {
    let doors = doors();
    let host: Vec<Inside> = (0..3).filter_map(|_| enter(&doors, LOCAL)).collect();
    let others = ["172.17.0.2", "172.17.0.3", "172.17.0.4"].map(|peer| enter(&doors, peer));
    assert!(others.iter().all(Option::is_some));
    assert!(host[0].has_asked());
    // The hall is full, and the host has most of it: its oldest silent one goes.
    let newcomer = enter(&doors, "172.17.0.5").expect("a place");
    let away = host.iter().map(|inside| inside.sent_away().is_cancelled());
    assert_eq!(away.collect::<Vec<_>>(), [false, true, false]);
    assert!(host[2].has_asked());
    // One place of the host's three is free, and then all of its are being answered.
    let last = enter(&doors, LOCAL).expect("a place");
    assert!(last.has_asked());
    assert!(enter(&doors, LOCAL).is_none());
    drop((host, others, newcomer, last));
    assert!(is_empty(&doors));
}

#[test]
fn a_task_has_places_of_its_own_wherever_it_calls_from() {
    let doors = doors();
    let mut inside = Vec::new();
    for _ in 0..4 {
        let one = enter(&doors, LOCAL).expect("a place");
        assert!(one.has_asked() && one.is(&task("a")));
        inside.push(one);
    }
    let fifth = enter(&doors, "172.17.0.2").expect("a place");
    assert!(fifth.has_asked() && !fifth.is(&task("a")), "it has four");
    // Another process of the host, and another task, are not concerned.
    let process = |pid| {
        Caller::Host(HostProcess {
            pid: Some(pid),
            command: None,
        })
    };
    for caller in [process(7), task("b"), Caller::Unknown(Doubt::NotFound)] {
        let one = enter(&doors, LOCAL).expect("a place");
        assert!(one.has_asked() && one.is(&caller), "{caller:?}");
    }
    inside.pop();
    let again = enter(&doors, LOCAL).expect("a place");
    assert!(again.has_asked() && again.is(&task("a")));
    drop((inside, fifth, again));
    assert!(is_empty(&doors));
}

#[test]
fn however_many_take_all_they_can_the_next_one_has_a_place() {
    let places = Places {
        silent_host: 256,
        silent_other: 128,
        silent: 512,
        each: 256,
        known: 2_048,
    };
    let doors = Doors::new(places);
    let mut inside = Vec::new();
    let mut take = |name: &str| {
        let one = enter(&doors, LOCAL).expect("a place");
        let has_place = one.has_asked() && one.is(&task(name));
        inside.push(one);
        has_place
    };
    for number in 0..12 {
        assert!(take(&number.to_string()), "task {number}");
        while take(&number.to_string()) {}
    }
}
