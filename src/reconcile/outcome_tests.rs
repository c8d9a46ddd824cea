//! Tables of what came of a step and what is known then.

use insta::assert_snapshot;

use crate::domain::ids::ContainerName;

use super::notation::Scene;
use super::settings::PullBehavior;

/// What the lines `saw`, `list`, `died` … and `did` of a scene change, as text.
fn check(scene: &str) -> String {
    Scene::read(scene).taken_in()
}

#[test]
fn steps_that_succeed_move_on() {
    assert_snapshot!(check("
        def app!
        did app pull image
    "), @"
    known app PULLED image
    tell app Pulled: pulled in 5000 ms
    ");
    assert_snapshot!(check("
        def app!
        did app pull image cached
    "), @"known app PULLED image");
    assert_snapshot!(check("
        def app!
        did app pull image cached warning=stale
    "), @"
    known app PULLED image
    tell app PullFailed: stale
    ");
    assert_snapshot!(check("
        def app!
        known app PULLED image retry=create:2@90
        did app create made
    "), @"
    known app CREATED id
    tell app Created: container ecs-web-0-app-… exists
    ");
    assert_snapshot!(check("
        def app!
        known app CREATED id
        did app start saw running started=99
    "), @"
    known app RUNNING id started=99
    app seems running
    tell app Started: started
    ");
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=50
        did app stop saw exited started=50 code=0 at=99
    "), @"
    known app STOPPED id started=50 exit=0@99
    app seems exited
    tell app Stopped: exited with code 0
    ");
    assert_snapshot!(check("
        def app!
        known app STOPPED id started=50 exit=0@90
        did app remove gone
    "), @"known app STOPPED image started=50 exit=0@90 removed");
    assert_snapshot!(check("
        def app!
        known app CREATED id
        did app start saw absent
    "), @"
    known app CREATED image
    tell app Vanished: removed by somebody else before its start
    ");
}

#[test]
fn a_pull_is_tried_again_a_number_of_times_unless_it_is_hopeless() {
    assert_snapshot!(check("
        def app!
        did app pull failed transient no route
    "), @"
    known app NONE retry=pull:1@101 (CannotPullContainerError: no route)
    tell app Retrying: pull failed (try 1): CannotPullContainerError: no route
    ");
    assert_snapshot!(check("
        def app!
        did app pull failed not-found permanent manifest unknown
    "), @"
    known app STOPPED (CannotPullContainerError: manifest unknown)
    tell app Stopped: CannotPullContainerError: manifest unknown
    ");
    assert_snapshot!(check("
        def app!
        known app NONE retry=pull:8@90 CannotPullContainerError: no route
        did app pull failed transient no route
    "), @"
    known app STOPPED (CannotPullContainerError: no route)
    tell app Stopped: CannotPullContainerError: no route
    ");
    assert_snapshot!(check("
        def app!
        did app pull failed cancelled not needed any more
    "), @"");
}

/// What a scene with that pull behaviour becomes.
fn check_pulls(behavior: PullBehavior, scene: &str) -> String {
    let mut scene = Scene::read(scene);
    scene.settings.pull_behavior = behavior;
    scene.taken_in()
}

#[test]
fn a_pull_that_must_be_and_fails_ends_the_task_where_nothing_of_it_runs() {
    let hopeless = "
        def app! needs=side:START
        def side
        did side pull failed not-found permanent manifest unknown
    ";
    let lax = check_pulls(PullBehavior::Default, hopeless);
    assert_snapshot!(lax, @"
    known side STOPPED (CannotPullContainerError: manifest unknown)
    tell side Stopped: CannotPullContainerError: manifest unknown
    ");
    assert_eq!(check_pulls(PullBehavior::PreferCached, hopeless), lax);
    let strict = check_pulls(PullBehavior::Always, hopeless);
    assert_snapshot!(strict, @"
    task PENDING, stops for CannotPullContainerError: manifest unknown
    known side STOPPED (CannotPullContainerError: manifest unknown)
    tell side Stopped: CannotPullContainerError: manifest unknown
    tell task Stopping: CannotPullContainerError: manifest unknown
    ");
    assert_eq!(check_pulls(PullBehavior::Once, hopeless), strict);
    // What has run to its end is stopped by nothing; what runs is left alone.
    for known in ["STOPPED", "RUNNING"] {
        let scene = format!("{hopeless}\n known app {known} id started=50");
        let stops = check_pulls(PullBehavior::Always, &scene).contains("tell task Stopping");
        assert_eq!(stops, known == "STOPPED", "{known}");
    }
    // A pull that may succeed yet is tried again.
    assert_snapshot!(check_pulls(PullBehavior::Always, "
        def side
        did side pull failed transient no route
    "), @"
    known side NONE retry=pull:1@101 (CannotPullContainerError: no route)
    tell side Retrying: pull failed (try 1): CannotPullContainerError: no route
    ");
}

/// Each failed creation is looked at, because Docker tells of the container that it takes back.
#[test]
fn a_look_between_two_creates_does_not_begin_the_count_anew() {
    assert_snapshot!(check("
        def app!
        known app PULLED image retry=create:4@90
        did app inspect saw absent
        did app create failed transient server error
    "), @"
    known app PULLED image asked=100 retry=inspect:0@100 (CannotCreateContainerError: server error) (CannotCreateContainerError: server error)
    look at app
    tell app GivenUp: CannotCreateContainerError: server error
    ");
}

#[test]
fn a_create_that_fails_says_whether_it_may_pass() {
    assert_snapshot!(check("
        def app!
        known app PULLED image
        did app create failed transient server error
    "), @"
    known app PULLED image retry=create:1@100.5 (CannotCreateContainerError: server error)
    tell app Retrying: create failed (try 1): CannotCreateContainerError: server error
    ");
    assert_snapshot!(check("
        def app!
        known app PULLED image
        did app create failed invalid bad mount
    "), @"
    known app STOPPED image (CannotCreateContainerError: bad mount)
    tell app Stopped: CannotCreateContainerError: bad mount
    ");
    // The image went away: pulled again.
    assert_snapshot!(check("
        def app!
        known app PULLED image
        did app create failed not-found No such image
    "), @"
    known app PULLED retry=create:1@100.5 (CannotCreateContainerError: No such image)
    tell app Retrying: create failed (try 1): CannotCreateContainerError: No such image
    ");
    // Whether it took effect is unknown: the time limit is told by its own name.
    assert_snapshot!(check("
        def app!
        known app PULLED image
        did app create failed deadline-exceeded no answer within 240 s
    "), @"
    known app PULLED image retry=create:1@100.5 (DockerTimeoutError: no answer within 240 s)
    tell app Retrying: create failed (try 1): DockerTimeoutError: no answer within 240 s
    ");
    // Given up only after a look.
    assert_snapshot!(check("
        def app!
        known app PULLED image retry=create:4@90 CannotCreateContainerError: server error
        did app create failed transient server error
    "), @"
    known app PULLED image asked=100 retry=inspect:0@100 (CannotCreateContainerError: server error) (CannotCreateContainerError: server error)
    look at app
    tell app GivenUp: CannotCreateContainerError: server error
    ");
    // Docker away is no failure.
    assert_snapshot!(check("
        def app!
        known app PULLED image
        did app create failed unavailable connection refused
    "), @"look at app");
    assert_snapshot!(check("
        def app!
        known app PULLED image
        did app create failed conflict name taken
    "), @"
    known app STOPPED image (CannotCreateContainerError: name taken)
    tell app Stopped: CannotCreateContainerError: name taken
    ");
}

#[test]
fn a_start_that_fails_is_repeated_remade_or_final() {
    assert_snapshot!(check("
        def app!
        known app CREATED id
        did app start failed transient server error
    "), @"
    known app CREATED id retry=start:1@100.5 (CannotStartContainerError: server error)
    look at app
    tell app Retrying: start failed (try 1): CannotStartContainerError: server error
    ");
    assert_snapshot!(check("
        def app!
        known app CREATED id
        did app start failed invalid exec format error
    "), @"
    known app STOPPED id (CannotStartContainerError: exec format error)
    tell app Stopped: CannotStartContainerError: exec format error
    ");
    assert_snapshot!(check("
        def app!
        known app CREATED id
        did app start failed log-driver connection refused
    "), @"
    known app CREATED image attempt=1 degraded
    tell app Remaking: making it again with the json-file log driver: CannotStartContainerError: connection refused
    ");
    // The log driver was not the cause.
    assert_snapshot!(check("
        def app!
        known app CREATED id attempt=1 degraded
        did app start failed log-driver connection refused
    "), @"
    known app STOPPED id attempt=1 degraded (CannotStartContainerError: connection refused)
    tell app Stopped: CannotStartContainerError: connection refused
    ");
}

#[test]
fn a_start_whose_port_is_taken_gets_another_one_or_names_its_holder() {
    assert_snapshot!(check("
        def app!
        known app CREATED id
        did app start failed port-taken holder=8080 port is already allocated
    "), @"
    known app STOPPED id (CannotStartContainerError: port is already allocated (host port 8080 is held by nginx, pid 812))
    tell app Stopped: CannotStartContainerError: port is already allocated (host port 8080 is held by nginx, pid 812)
    ");
    assert_snapshot!(check("
        def app!
        known app CREATED id range=49153+3
        did app start failed port-taken port is already allocated
    "), @"
    known app CREATED image attempt=1
    tell app Remaking: making it again with another host port range: CannotStartContainerError: port is already allocated
    ");
    assert_snapshot!(check("
        def app!
        known app CREATED id range=49153+3 attempt=8
        did app start failed port-taken port is already allocated
    "), @"
    known app STOPPED id attempt=8 range=49153+3 (CannotStartContainerError: port is already allocated)
    tell app Stopped: CannotStartContainerError: port is already allocated
    ");
    assert_snapshot!(check("
        def app!
        known app CREATED id retry=start:4@90 CannotStartContainerError: server error
        did app start failed transient server error
    "), @"
    known app CREATED id asked=100 retry=inspect:0@100 (CannotStartContainerError: server error) (CannotStartContainerError: server error)
    look at app
    tell app GivenUp: CannotStartContainerError: server error
    ");
    assert_snapshot!(check("
        def app!
        known app CREATED id
        did app start failed unavailable connection refused
    "), @"look at app");
    assert_snapshot!(check("
        def app!
        known app CREATED id
        did app start failed not-found No such container
    "), @"
    known app STOPPED id (CannotStartContainerError: No such container)
    tell app Stopped: CannotStartContainerError: No such container
    ");
}

#[test]
fn a_stop_is_never_given_up() {
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=50 asked=90
        did app stop failed deadline-exceeded no answer within 150 s
    "), @"
    known app RUNNING id started=50 asked=90 retry=stop:1@105 (DockerTimeoutError: no answer within 150 s)
    look at app
    tell app Retrying: stop failed (try 1): DockerTimeoutError: no answer within 150 s
    ");
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=50 asked=90
        did app stop saw running started=50
    "), @"
    known app RUNNING id started=50 asked=90 retry=stop:1@100.5 (CannotStopContainerError: its process still runs after the stop)
    app seems running
    tell app Retrying: stop failed (try 1): CannotStopContainerError: its process still runs after the stop
    ");
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=50 asked=90 retry=stop:30@90 CannotStopContainerError: x
        did app kill failed transient server error
    "), @"
    known app RUNNING id started=50 asked=90 retry=stop:31@130 (CannotStopContainerError: server error)
    look at app
    tell app Retrying: stop failed (try 31): CannotStopContainerError: server error
    ");
}

#[test]
fn failures_are_told_once_and_then_at_every_doubling() {
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=50 retry=inspect:2@90 DockerTimeoutError: no answer
        did app inspect failed deadline-exceeded no answer
    "), @"known app RUNNING id started=50 retry=inspect:3@120 (DockerTimeoutError: no answer)");
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=50 retry=inspect:3@90 DockerTimeoutError: no answer
        did app inspect failed deadline-exceeded no answer
    "), @"
    known app RUNNING id started=50 retry=inspect:4@140 (DockerTimeoutError: no answer)
    tell app Retrying: inspect failed (try 4): DockerTimeoutError: no answer
    ");
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=50 retry=inspect:4@90 DockerTimeoutError: no answer
        did app inspect failed transient reset
    "), @"
    known app RUNNING id started=50 retry=inspect:5@108 (CannotInspectContainerError: reset)
    tell app Retrying: inspect failed (try 5): CannotInspectContainerError: reset
    ");
}

#[test]
fn resources_are_made_or_stop_the_task() {
    assert_snapshot!(check("
        vol v
        def app! mount=v
        resource volume:v REGISTERED
        did volume:v create ready
    "), @"
    volume v CREATED
    tell task ResourceReady: volume v is ready
    ");
    assert_snapshot!(check("
        vol v
        def app! mount=v
        resource volume:v REGISTERED
        did volume:v create failed transient driver busy
    "), @"
    volume v REGISTERED retry=set-up:1@100.5 (CannotCreateVolumeError: volume v: driver busy)
    tell task Retrying: set-up failed (try 1): CannotCreateVolumeError: volume v: driver busy
    ");
    assert_snapshot!(check("
        vol v
        def app! mount=v
        resource volume:v REGISTERED
        did volume:v create failed conflict labels differ
    "), @"
    task PENDING, stops for CannotCreateVolumeError: volume v: labels differ
    volume v REGISTERED retry=set-up:1@100.5 (CannotCreateVolumeError: volume v: labels differ)
    tell task Stopping: CannotCreateVolumeError: volume v: labels differ
    ");
    assert_snapshot!(check("
        vol v
        def app! mount=v
        resource volume:v REGISTERED retry=set-up:4@90
        did volume:v create failed transient driver busy
    "), @"
    task PENDING, stops for CannotCreateVolumeError: volume v: driver busy
    volume v REGISTERED retry=set-up:5@108 (CannotCreateVolumeError: volume v: driver busy)
    tell task Stopping: CannotCreateVolumeError: volume v: driver busy
    ");
    assert_snapshot!(check("
        vol v
        def app! mount=v
        resource volume:v CREATED
        did volume:v remove-volume failed conflict volume is in use
    "), @"
    volume v CREATED retry=tear-down:1@100.5 (CannotRemoveVolumeError: volume v: volume is in use)
    tell task Retrying: tear-down failed (try 1): CannotRemoveVolumeError: volume v: volume is in use
    ");
    assert_snapshot!(check("
        vol v
        def app! mount=v
        resource volume:v CREATED
        did volume:v remove-volume gone
    "), @"volume v REMOVED");
    assert_snapshot!(check("
        limits
        def app!
        resource cgroup REGISTERED
        did cgroup create-cgroup failed denied read-only
    "), @"
    task PENDING, stops for CgroupError: cgroup: read-only
    cgroup REGISTERED retry=set-up:1@100.5 (CgroupError: cgroup: read-only)
    tell task Stopping: CgroupError: cgroup: read-only
    ");
}

#[test]
fn secrets_that_can_never_be_had_end_the_task_and_others_are_tried_again() {
    let refused = check(
        "
        def app!
        known app PULLED image
        did app secrets failed denied not you
    ",
    );
    let words = "tell task Stopping: ResourceInitializationError: not you";
    assert!(refused.contains(words), "{refused}");
    assert_snapshot!(check("
        def app!
        known app PULLED image
        did app secrets failed transient away
    "), @"
    known app PULLED image retry=set-up:1@101 (ResourceInitializationError: away)
    tell app Retrying: set-up failed (try 1): ResourceInitializationError: away
    ");
    assert_snapshot!(check("
        def app!
        known app PULLED image retry=set-up:1@90 ResourceInitializationError: away
        did app secrets ready
    "), @"known app PULLED image");
    assert_snapshot!(check("
        def db!
        def app!
        known db RUNNING id started=50
        known app PULLED image
        did app secrets failed not-found invalid parameters: a
    "), @"
    known app STOPPED image (ResourceInitializationError: invalid parameters: a)
    tell app Stopped: ResourceInitializationError: invalid parameters: a
    ");
}

/// It runs before everything else of its task.
#[test]
fn a_task_of_which_only_its_pause_container_runs_has_not_begun() {
    let scenes = [
        (
            "pull failed not-found permanent manifest unknown",
            "def side\n did side",
        ),
        (
            "secrets failed denied not you",
            "known side PULLED image\n did side",
        ),
        (
            "create failed transient driver busy",
            "vol v\n resource volume:v REGISTERED retry=set-up:4@90\n did volume:v",
        ),
    ];
    for pause in [
        ContainerName::network_pause(),
        ContainerName::namespace_pause(),
    ] {
        for (failure, about) in scenes {
            let scene = format!(
                "
                shared-network
                def app!
                known {pause} RUNNING id started=50
                {about} {failure}
            "
            );
            let began = format!("{scene}\n known app RUNNING id started=60");
            for (scene, stops) in [(scene, true), (began, false)] {
                let told = check_pulls(PullBehavior::Always, &scene).contains("tell task Stopping");
                assert_eq!(told, stops, "{scene}");
            }
        }
    }
}
