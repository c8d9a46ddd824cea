//! Tables of what was seen and what is known then.

use insta::assert_snapshot;

use super::draft::Draft;
use super::notation::Scene;
use super::observe::{Hints, Observation, observe};
use crate::domain::container_facts::ContainerNetwork;
use crate::domain::ids::{DockerId, UnixMillis};
use crate::domain::runtime::{ListedContainer, RunState};
use crate::domain::sample;
use crate::domain::status::{ContainerStatus, Health};
use crate::domain::task::{KnownContainer, KnownTask, TaskOptions};

/// What the lines `saw`, `list`, `died` … and `did` of a scene change, as text.
fn check(scene: &str) -> String {
    Scene::read(scene).taken_in()
}

#[test]
fn only_an_inspect_that_finds_nothing_is_absence() {
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=50
        list app nothing
    "), @"look at app");
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=50
        saw app absent
    "), @"
    known app STOPPED image started=50 exit=?@100 removed (ContainerVanishedError: No container matching saved ID found)
    tell app Stopped: ContainerVanishedError: No container matching saved ID found
    ");
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=50
        change app
    "), @"look at app");
    // Before its start it is only to be made again.
    assert_snapshot!(check("
        def app!
        known app CREATED id
        saw app absent
    "), @"
    known app CREATED image
    tell app Vanished: removed by somebody else before its start
    ");
    assert_snapshot!(check("
        def app!
        known app STOPPED id started=50 exit=0@90
        saw app absent
    "), @"known app STOPPED image started=50 exit=0@90 removed");
    assert_snapshot!(check("
        def app!
        known app PULLED image retry=inspect:1@90
        saw app absent
    "), @"known app PULLED image");
}

/// Docker takes back what it made when a creation fails, and tells of its removal: the tries are counted on.
#[test]
fn absence_forgets_no_failure_of_what_comes_before_a_creation() {
    for scene in [
        "known app NONE retry=pull:3@90",
        "known app PULLED image retry=set-up:3@90",
        "known app PULLED image retry=create:3@90",
        "known app PULLED image retry=create:3@140",
        // One that was there before, and is to be made anew.
        "known app CREATED image retry=create:3@90",
    ] {
        assert_eq!(check(&format!("def app!\n{scene}\nsaw app absent")), "");
    }
}

/// Somebody else may connect a container to a network: no event says so, each list does.
#[test]
fn a_list_shows_the_networks_of_a_running_container() {
    let desired = sample::desired(sample::definition(&["app"]), TaskOptions::default());
    let name = sample::name("app");
    let docker_name = desired.docker_name(&name, 0);
    let network = |name: &str| ContainerNetwork {
        name: name.to_owned(),
        ..ContainerNetwork::default()
    };
    let listed = |networks: &[&str]| {
        Observation::Listed(ListedContainer {
            id: DockerId::parse("ab").unwrap(),
            docker_name: docker_name.clone(),
            task: desired.arn.clone(),
            container: name.clone(),
            attempt: Some(0),
            definition: None,
            state: RunState::Running,
            health: Health::Unknown,
            bindings: Vec::new(),
            networks: networks.iter().map(|name| network(name)).collect(),
        })
    };
    let mut known = KnownTask::default();
    let running = KnownContainer {
        status: ContainerStatus::Running,
        docker_id: DockerId::parse("ab").ok(),
        networks: vec![network("bridge")],
        ..KnownContainer::default()
    };
    known.containers.insert(name.clone(), running);
    let mut draft = Draft::new(&desired, known, Hints::default(), UnixMillis(100));
    for networks in [&["bridge", "other"][..], &["other"], &[]] {
        observe(&mut draft, &name, listed(networks));
        let found: Vec<&str> = draft
            .container(&name)
            .networks
            .iter()
            .map(|network| network.name.as_str())
            .collect();
        assert_eq!(found, networks);
    }
}

#[test]
fn a_list_only_asks_for_looks() {
    assert_snapshot!(check("
        def app!
        known app CREATED id
        list app created
    "), @"app seems created");
    assert_snapshot!(check("
        def app!
        known app CREATED id
        list app running
    "), @"
    look at app
    app seems running
    ");
    assert_snapshot!(check("
        def app!
        known app CREATED id
        list app exited
    "), @"
    look at app
    app seems exited
    ");
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=50
        list app running
    "), @"app seems running");
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=50
        list app exited
    "), @"
    look at app
    app seems exited
    ");
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=50
        list app dead
    "), @"
    look at app
    app seems dead
    ");
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=50
        list app paused
    "), @"app seems paused");
    assert_snapshot!(check("
        def app!
        known app STOPPED id started=50 exit=0@90
        list app running
    "), @"look at app");
}

/// Somebody removes it, and Docker takes its time.
#[test]
fn a_container_that_is_being_removed_tells_how_it_ended() {
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=50
        list app removing
    "), @"
    look at app
    app seems removing
    ");
    assert_snapshot!(check("
        def app!
        known app STOPPED id started=50 exit=0@90
        list app removing
    "), @"app seems removing");
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=50
        saw app removing started=50 code=137 at=95
    "), @"
    known app STOPPED id started=50 exit=137@95
    app seems removing
    tell app Stopped: exited with code 137
    ");
}

#[test]
fn a_list_tells_which_container_it_means() {
    // Another id under the same name.
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=50
        list app running other
    "), @"
    look at app
    app seems running
    ");
    // An earlier attempt is nothing to the present one.
    assert_snapshot!(check("
        def app!
        known app RUNNING id attempt=1 started=50
        list app exited
    "), @"");
    // Unless it came when all that was known had been removed: then it is to go too.
    assert_snapshot!(check("
        def app!
        known app STOPPED image attempt=1 started=50 exit=0@90 removed
        list app created
    "), @"known app STOPPED id=other attempt=1 started=50 exit=0@90");
    assert_snapshot!(check("
        def app!
        known app STOPPED image attempt=1 started=50 exit=0@90
        list app created
    "), @"");
    assert_snapshot!(check("
        def app!
        list app running
    "), @"
    known app NONE
    look at app
    app is found
    app seems running
    ");
    // A name is somebody else's by now: the id and the labels count.
    assert_snapshot!(check("
        def app!
        known app PULLED image
        look app
        saw app running other stranger started=60
    "), @"looked at app");
    assert_snapshot!(check("
        def app!
        known app PULLED image
        look app
        saw app running other started=60
    "), @"
    known app RUNNING id=other started=60
    looked at app
    app seems running
    tell app Created: container ecs-web-0-app-… exists
    tell app Started: started
    ");
    // What runs as known brings its health and ports.
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=50
        list app running health=HEALTHY port=49200
    "), @"
    known app RUNNING id started=50 health=HEALTHY port=49200
    look at app
    app seems running
    tell app Health: HEALTHY
    ");
}

#[test]
fn an_inspect_tells_start_and_end() {
    assert_snapshot!(check("
        def app!
        known app CREATED id
        saw app created
    "), @"app seems created");
    assert_snapshot!(check("
        def app!
        known app CREATED id
        saw app running started=60 port=49200
    "), @"
    known app RUNNING id started=60 port=49200
    app seems running
    tell app Started: started, ports 49200->80/tcp
    ");
    assert_snapshot!(check("
        def app!
        known app CREATED id
        saw app exited started=60 code=3 at=70
    "), @"
    known app STOPPED id started=60 exit=3@70
    app seems exited
    tell app Stopped: exited with code 3
    ");
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=50
        saw app exited started=50 code=0 at=95
    "), @"
    known app STOPPED id started=50 exit=0@95
    app seems exited
    tell app Stopped: exited with code 0
    ");
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=50
        saw app exited started=50 at=95
    "), @"
    known app STOPPED id started=50 exit=?@95
    app seems exited
    tell app Stopped: ended with an unknown exit code
    ");
}

#[test]
fn an_inspect_tells_why_it_ended() {
    // Docker takes it down badly: ended all the same.
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=50
        saw app dead started=50 code=137 at=95
    "), @"
    known app STOPPED id started=50 exit=137@95
    app seems dead
    tell app Stopped: exited with code 137
    ");
    assert_snapshot!(check("
        def app!
        known app CREATED id
        saw app exited started=60 code=127 at=61 exec: no such file
    "), @"
    known app STOPPED id started=60 exit=127@61 (DockerStateError: exec: no such file)
    app seems exited
    tell app Stopped: exited with code 127: DockerStateError: exec: no such file
    ");
    // Memory was the cause: it explains the exit and is none.
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=50
        saw app exited started=50 code=137 at=95 oom
    "), @"
    known app STOPPED id started=50 exit=137oom@95 (OutOfMemoryError: Container killed due to memory usage)
    app seems exited
    tell app Stopped: exited with code 137: OutOfMemoryError: Container killed due to memory usage
    ");
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=50
        saw app removing started=50
    "), @"app seems removing");
}

#[test]
fn a_container_that_is_found_is_taken_over() {
    assert_snapshot!(check("
        def app!
        saw app created
    "), @"
    known app CREATED id
    app seems created
    tell app Created: container ecs-web-0-app-… exists
    ");
    assert_snapshot!(check("
        def app!
        saw app running started=60
    "), @"
    known app RUNNING id started=60
    app seems running
    tell app Created: container ecs-web-0-app-… exists
    tell app Started: started
    ");
    assert_snapshot!(check("
        def app!
        known app PULLED image attempt=1
        saw app running started=60
    "), @"");
}

#[test]
fn a_die_event_ends_the_run_that_is_known_and_no_other() {
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=50
        died app code=3 at=95
    "), @"
    known app STOPPED id started=50 exit=3@95
    app seems exited
    tell app Stopped: exited with code 3
    ");
    // Killed: only an inspect tells whether memory was the cause.
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=50
        died app code=137 at=95
    "), @"look at app");
    // Without a code.
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=50
        died app at=95
    "), @"look at app");
    // Of an earlier run.
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=50
        died app code=3 at=40
    "), @"look at app");
    // Of another container.
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=50
        died app other code=3 at=95
    "), @"look at app");
    // Before its start was recorded.
    assert_snapshot!(check("
        def app!
        known app CREATED id
        died app code=3 at=95
    "), @"look at app");
    // After its end.
    assert_snapshot!(check("
        def app!
        known app STOPPED id started=50 exit=0@90
        died app code=0 at=90
    "), @"");
    // After something else that is yet to be looked at: it may run again.
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=50
        change app
        died app code=3 at=95
    "), @"look at app");
}

#[test]
fn an_end_that_docker_told_of_keeps_its_code_when_nothing_is_left_to_look_at() {
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=50
        died app code=137 at=95
        change app
        saw app absent
    "), @"
    known app STOPPED image started=50 exit=137@95 removed (ContainerVanishedError: No container matching saved ID found)
    tell app Stopped: exited with code 137: ContainerVanishedError: No container matching saved ID found
    ");
    // Of several runs the last, in whichever order their ends are told.
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=50
        change app
        died app code=4 at=96
        died app code=3 at=95
        saw app absent
    "), @"
    known app STOPPED image started=50 exit=4@96 removed (ContainerVanishedError: No container matching saved ID found)
    tell app Stopped: exited with code 4: ContainerVanishedError: No container matching saved ID found
    ");
    // Of the run that its policy has begun, and not of the one before.
    assert_snapshot!(check("
        def app! restart=60
        known app RUNNING id started=20 exit=1@90
        died app code=137 at=95
        saw app absent
    "), @"
    known app STOPPED image started=20 exit=137@95 removed (ContainerVanishedError: No container matching saved ID found)
    tell app Stopped: exited with code 137: ContainerVanishedError: No container matching saved ID found
    ");
    // A look that was under way as Docker told of it was answered before.
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=90
        died app code=137 at=95
        saw app running started=90
        saw app absent
    "), @"
    known app STOPPED image started=90 exit=137@95 removed (ContainerVanishedError: No container matching saved ID found)
    tell app Stopped: exited with code 137: ContainerVanishedError: No container matching saved ID found
    ");
    // Two such looks there are not: by a clock that was set back it is another run.
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=90
        died app code=137 at=95
        saw app running started=90
        saw app running started=90
        saw app absent
    "), @"
    known app STOPPED image started=90 exit=?@100 removed (ContainerVanishedError: No container matching saved ID found)
    tell app Stopped: ContainerVanishedError: No container matching saved ID found
    ");
    // Of another container, or of an earlier run.
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=50
        died app other code=3 at=95
        died app code=3 at=40
        saw app absent
    "), @"
    known app STOPPED image started=50 exit=?@100 removed (ContainerVanishedError: No container matching saved ID found)
    tell app Stopped: ContainerVanishedError: No container matching saved ID found
    ");
}

/// The look after a start may have been answered before the end was told, and be taken in after it.
#[test]
fn a_look_that_began_before_an_end_is_followed_by_another() {
    assert_snapshot!(check("
        def app!
        known app CREATED id
        died app code=3 at=95
        did app start saw running started=90
    "), @"
    known app RUNNING id started=90
    look at app
    app seems running
    tell app Started: started
    ");
    assert_snapshot!(check("
        def app! restart=60
        known app RUNNING id started=20 exit=1@90
        died app code=3 at=95
        did app start saw running started=92
    "), @"
    known app RUNNING id started=20 since=92 restarted=92 restarts=1
    look at app
    app seems running
    tell app Restarted: restarted by its policy for the first time
    ");
    // It shows the next run.
    assert_snapshot!(check("
        def app!
        known app CREATED id
        died app code=3 at=95
        did app start saw running started=97
    "), @"
    known app RUNNING id started=97
    app seems running
    tell app Started: started
    ");
}

#[test]
fn a_run_that_nobody_saw_begin_is_told_as_a_restart() {
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=50
        saw app running started=97
    "), @"
    known app RUNNING id started=50 since=97
    app seems running
    tell app RestartedOutside: restarted by somebody else
    ");
}

#[test]
fn an_end_after_somebodys_signal_is_held_back_for_a_moment() {
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=50
        signal app
    "), @"app was signalled at 100");
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=50
        signalled app 95
        died app code=0 at=99
    "), @"
    known app RUNNING id started=50 settles=103 exit=0@99
    app seems exited
    ");
    // Too long ago.
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=50
        signalled app 75
        died app code=0 at=99
    "), @"
    known app STOPPED id started=50 exit=0@99
    app seems exited
    tell app Stopped: exited with code 0
    ");
    // Our own request is no sign of a restart by hand.
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=50 asked=95
        signal app
    "), @"");
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=50 asked=95
        signalled app 94
        died app code=0 at=99
    "), @"
    known app STOPPED id started=50 asked=95 exit=0@99
    app seems exited
    tell app Stopped: exited with code 0
    ");
    // It came back.
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=50 exit=0@99 settles=102
        saw app running started=99.5
    "), @"
    known app RUNNING id started=50 since=99.5
    app seems running
    tell app RestartedOutside: restarted by somebody else
    ");
    // It did not, and the time is over.
    assert_snapshot!(check("
        at 102
        def app!
        known app RUNNING id started=50 exit=0@99 settles=102
        saw app exited started=50 code=0 at=99
    "), @"
    known app STOPPED id started=50 exit=0@99
    app seems exited
    tell app Stopped: exited with code 0
    ");
    assert_snapshot!(check("
        at 101
        def app!
        known app RUNNING id started=50 exit=0@99 settles=102
        saw app exited started=50 code=0 at=99
    "), @"app seems exited");
}

#[test]
fn a_restart_policy_goes_by_dockers_clock() {
    assert_snapshot!(check("
        def app! restart=60
        known app RUNNING id started=20
        died app code=1 at=99
    "), @"
    known app RUNNING id started=20 exit=1@99
    app seems exited
    tell app Exited: exited with code 1, restart policy starts it again
    ");
    assert_snapshot!(check("
        def app! restart=60
        known app RUNNING id started=50
        died app code=1 at=99
    "), @"
    known app STOPPED id started=50 exit=1@99
    app seems exited
    tell app Stopped: exited with code 1
    ");
    assert_snapshot!(check("
        def app! restart=60
        known app RUNNING id started=20
        died app code=0 at=99
    "), @"
    known app STOPPED id started=20 exit=0@99
    app seems exited
    tell app Stopped: exited with code 0
    ");
    // Its next run, seen by whoever comes first.
    assert_snapshot!(check("
        def app! restart=60
        known app RUNNING id started=20 exit=1@90
        saw app running started=91
    "), @"
    known app RUNNING id started=20 since=91 restarted=91 restarts=1
    app seems running
    tell app Restarted: restarted by its policy for the first time
    ");
    assert_snapshot!(check("
        def app! restart=60
        known app RUNNING id started=20 exit=1@90
        saw app exited started=91 code=2 at=92
    "), @"
    known app STOPPED id started=20 since=91 restarted=91 exit=2@92 restarts=1
    app seems exited
    tell app Restarted: restarted by its policy for the first time
    tell app Stopped: exited with code 2
    ");
    // Not started again yet.
    assert_snapshot!(check("
        def app! restart=60
        known app RUNNING id started=20 exit=1@90
        saw app exited started=20 code=1 at=90
    "), @"app seems exited");
}

#[test]
fn a_final_end_only_learns_what_it_lacked() {
    assert_snapshot!(check("
        def app!
        known app STOPPED id started=50 exit=?@90
        saw app exited started=50 code=9 at=89
    "), @"
    known app STOPPED id started=50 exit=9@90
    app seems exited
    ");
    assert_snapshot!(check("
        def app!
        known app STOPPED id started=50 exit=0@90
        saw app exited started=50 code=5 at=99
    "), @"app seems exited");
    assert_snapshot!(check("
        def app!
        known app STOPPED id started=50 exit=0@90
        saw app running started=99
    "), @"app seems running");
}

#[test]
fn health_counts_while_it_runs() {
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=50
        probe app HEALTHY
    "), @"
    known app RUNNING id started=50 health=HEALTHY
    look at app
    tell app Health: HEALTHY
    ");
    assert_snapshot!(check("
        def app!
        known app CREATED id
        probe app HEALTHY
    "), @"");
    assert_snapshot!(check("
        def app!
        known app STOPPED id started=50 exit=0@90
        probe app UNHEALTHY
    "), @"");
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=50 health=HEALTHY
        probe app HEALTHY
    "), @"");
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=50 health=HEALTHY
        died app code=0 at=99
    "), @"
    known app STOPPED id started=50 exit=0@99
    app seems exited
    tell app Stopped: exited with code 0
    ");
}

#[test]
fn a_look_that_is_older_than_a_known_end_changes_nothing() {
    assert_snapshot!(check("
        def app! restart=60
        known app RUNNING id started=10 exit=1@99
        saw app running started=10
    "), @"");
    // It was asked for before the end, and comes after it.
    assert_snapshot!(check("
        def app! restart=60
        known app RUNNING id started=10
        died app code=1 at=99
        saw app running started=10
    "), @"
    known app RUNNING id started=10 exit=1@99
    app seems exited
    tell app Exited: exited with code 1, restart policy starts it again
    ");
}

#[test]
fn an_end_that_nobody_watched_may_be_half_of_a_restart_by_hand() {
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=50
        saw app exited started=50 code=0 at=98
    "), @"
    known app RUNNING id started=50 settles=101 exit=0@98
    app seems exited
    ");
    // It was, and then the other half came.
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=50 settles=101 exit=0@98
        saw app running started=99
    "), @"
    known app RUNNING id started=50 since=99
    app seems running
    tell app RestartedOutside: restarted by somebody else
    ");
    // This process knew that it ran and has heard of no signal.
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=50
        seems app running
        saw app exited started=50 code=0 at=98
    "), @"
    known app STOPPED id started=50 exit=0@98
    app seems exited
    tell app Stopped: exited with code 0
    ");
}
