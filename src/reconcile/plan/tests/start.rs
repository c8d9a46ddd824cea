//! Towards RUNNING: one container.

use insta::assert_snapshot;

use super::check;
use crate::reconcile::notation::Scene;

#[test]
fn a_container_is_pulled_created_and_started_in_turn() {
    assert_snapshot!(check("def app!"), @"
    known app NONE
    do pull busybox:1 for container app
    wait app Pulling: the pull of container app is under way; then go on when the pull is done (since 100, until 7300)
    ");
    assert_snapshot!(check("
        def app!
        known app PULLED image
    "), @"
    do create container app as ecs-web-0-app-…
    wait app CallOutstanding: the create of container app is under way; then go on when the create is done (since 100, until 340)
    ");
    assert_snapshot!(check("
        def app!
        known app CREATED id
        sure app
    "), @"
    task CREATED
    do start container app
    wait app CallOutstanding: the start of container app is under way; then go on when the start is done (since 100, until 280)
    ");
    assert_snapshot!(check("
        def app!
        known app RUNNING id started=50
    "), @"
    task RUNNING
    started at 100
    tell task Running: every container runs or has done its work
    ");
    // A converged task plans nothing.
    assert_snapshot!(check("
        def app!
        task RUNNING
        known app RUNNING id started=50
    "), @"");
}

#[test]
fn a_step_under_way_is_waited_for_and_not_taken_twice() {
    assert_snapshot!(check("
        def app!
        flight app pull since=40
    "), @"wait app Pulling: the pull of container app is under way; then go on when the pull is done (since 40, until 7240)");
    assert_snapshot!(check("
        def app!
        known app PULLED image
        flight app create since=99
    "), @"wait app CallOutstanding: the create of container app is under way; then go on when the create is done (since 99, until 339)");
    assert_snapshot!(check("
        def app!
        known app CREATED id
        flight app start since=99
    "), @"
    task CREATED
    wait app CallOutstanding: the start of container app is under way; then go on when the start is done (since 99, until 279)
    ");
    assert_snapshot!(check("
        def app!
        vol data
        known app PULLED image
        resource volume:data REGISTERED
        flight volume:data set-up since=99
    "), @"
    do create container app as ecs-web-0-app-…
    wait task WaitingForResource: the set-up of the volume data is under way; then go on when the set-up is done (since 99, until 399)
    wait app CallOutstanding: the create of container app is under way; then go on when the create is done (since 100, until 340)
    ");
}

#[test]
fn a_failed_step_waits_for_its_instant_and_is_tried_then() {
    assert_snapshot!(check("
        def app!
        known app NONE retry=pull:2@120 CannotPullContainerError: no route
    "), @"
    wait app BackingOff: the pull of busybox:1 for container app failed 2 times in a row: CannotPullContainerError: no route; then try the pull again (since 100)
    look at 120
    ");
    assert_snapshot!(check("
        at 120
        def app!
        known app NONE retry=pull:2@120 CannotPullContainerError: no route
    "), @"
    do pull busybox:1 for container app
    wait app Pulling: the pull of container app is under way; then go on when the pull is done (since 120, until 7320)
    ");
    // Calls that hang more than once put the container aside, visibly.
    assert_snapshot!(check("
        def app!
        known app CREATED id retry=start:2@120 DockerTimeoutError: no answer within 180 s
    "), @"
    task CREATED
    wait app Quarantined: the start of container app failed 2 times in a row: DockerTimeoutError: no answer within 180 s; then try the start again (since 100)
    look at 120
    ");
}

#[test]
fn a_container_whose_image_or_container_went_away_is_made_again() {
    assert_snapshot!(check("
        def app!
        known app CREATED image
    "), @"
    task CREATED
    do create container app as ecs-web-0-app-…
    wait app CallOutstanding: the create of container app is under way; then go on when the create is done (since 100, until 340)
    ");
    assert_snapshot!(check("
        def app!
        known app CREATED
    "), @"
    task CREATED
    do pull busybox:1 for container app
    wait app Pulling: the pull of container app is under way; then go on when the pull is done (since 100, until 7300)
    ");
    assert_snapshot!(check("
        def app!
        known app PULLED image attempt=2 degraded
    "), @"
    do create container app as ecs-web-0-app-…, log json-file, replaces ecs-web-0-app-…
    wait app CallOutstanding: the create of container app is under way; then go on when the create is done (since 100, until 340)
    ");
    // By its id where that is known: somebody may have renamed it.
    assert_snapshot!(check("
        def app!
        known app PULLED image attempt=2
        earlier app abc
    "), @"
    do create container app as ecs-web-0-app-…, replaces abc
    wait app CallOutstanding: the create of container app is under way; then go on when the create is done (since 100, until 340)
    ");
    // What an earlier agent has made is looked at first: Docker may still be busy with its start.
    assert_snapshot!(check("
        def app!
        known app CREATED id
    "), @"
    task CREATED
    do inspect container app
    wait app CallOutstanding: the inspect of container app is under way; then go on when the inspect is done (since 100, until 130)
    ");
}

#[test]
fn resources_are_registered_and_ready_before_containers_that_need_them() {
    assert_snapshot!(check("
        limits
        vol data
        def app! mount=data
        def side
    "), @"
    known app NONE
    known side NONE
    cgroup REGISTERED
    volume data REGISTERED
    do set-up cgroup: create
    do set-up volume data: create ecs-web-0-data-…
    do pull busybox:1 for container app
    do pull busybox:1 for container side
    wait task WaitingForResource: the set-up of the cgroup is under way; then go on when the set-up is done (since 100, until 400)
    wait task WaitingForResource: the set-up of the volume data is under way; then go on when the set-up is done (since 100, until 400)
    wait app Pulling: the pull of container app is under way; then go on when the pull is done (since 100, until 7300)
    wait side Pulling: the pull of container side is under way; then go on when the pull is done (since 100, until 7300)
    ");
    assert_snapshot!(check("
        limits
        vol data
        def app! mount=data
        def side
        known app PULLED image
        known side PULLED image
        resource cgroup CREATED
        resource volume:data REGISTERED
        flight volume:data set-up since=99
    "), @"
    do create container side as ecs-web-0-side-…
    wait task WaitingForResource: the set-up of the volume data is under way; then go on when the set-up is done (since 99, until 399)
    wait app WaitingForResource: waits for volume data; then create app when they are ready (since 100)
    wait side CallOutstanding: the create of container side is under way; then go on when the create is done (since 100, until 340)
    ");
    assert_snapshot!(check("
        limits
        vol data
        def app! mount=data
        def side
        known app PULLED image
        known side PULLED image
        resource cgroup CREATED
        resource volume:data CREATED
    "), @"
    do create container app as ecs-web-0-app-…
    do create container side as ecs-web-0-side-…
    wait app CallOutstanding: the create of container app is under way; then go on when the create is done (since 100, until 340)
    wait side CallOutstanding: the create of container side is under way; then go on when the create is done (since 100, until 340)
    ");
}

#[test]
fn resources_that_must_be_there_are_looked_for() {
    // A shared one is used if it is there, whoever made it.
    let shared = "
        vol data shared
        def app! mount=data
        known app PULLED image
        resource volume:data REGISTERED
    ";
    for (matched, expected) in [
        (false, "do set-up volume data: create data unless it exists"),
        (
            true,
            "do set-up volume data: create data unless one like it exists",
        ),
    ] {
        let mut scene = Scene::read(shared);
        scene.settings.match_shared_volume = matched;
        let planned = scene.planned();
        assert!(planned.lines().any(|line| line == expected), "{planned}");
    }
    // A shared volume that is not ours to make must be there.
    assert_snapshot!(check("
        vol data found
        def app! mount=data
    "), @"
    known app NONE
    volume data REGISTERED
    do set-up volume data: expect data
    do pull busybox:1 for container app
    wait task WaitingForResource: the set-up of the volume data is under way; then go on when the set-up is done (since 100, until 400)
    wait app Pulling: the pull of container app is under way; then go on when the pull is done (since 100, until 7300)
    ");
    assert_snapshot!(check("
        vol data
        def app! mount=data
        resource volume:data REGISTERED retry=set-up:1@110
    "), @"
    known app NONE
    do pull busybox:1 for container app
    wait task BackingOff: the set-up of the volume data failed once in a row: DockerStateError: x; then try the set-up again (since 100)
    wait app Pulling: the pull of container app is under way; then go on when the pull is done (since 100, until 7300)
    look at 110
    ");
}

#[test]
fn host_ports_for_a_range_are_chosen_before_docker_hears_of_them() {
    assert_snapshot!(check("
        def app! range=8000-8002
        known app PULLED image
    "), @"
    known app PULLED image range=49153+3
    do create container app as ecs-web-0-app-…, port 49153, port 49154, port 49155
    wait app CallOutstanding: the create of container app is under way; then go on when the create is done (since 100, until 340)
    ");
    assert_snapshot!(check("
        taken 49154
        def app! range=8000-8002
        known app PULLED image
    "), @"
    known app PULLED image range=49155+3
    do create container app as ecs-web-0-app-…, port 49155, port 49156, port 49157
    wait app CallOutstanding: the create of container app is under way; then go on when the create is done (since 100, until 340)
    ");
    assert_snapshot!(check("
        def app! range=8000-8002
        known app PULLED image range=50000+3
    "), @"
    do create container app as ecs-web-0-app-…, port 50000, port 50001, port 50002
    wait app CallOutstanding: the create of container app is under way; then go on when the create is done (since 100, until 340)
    ");
    // A container with static ports names them, so that their holder can be told.
    assert_snapshot!(check("
        def app! port=8080
        known app CREATED id
        sure app
    "), @"
    task CREATED
    do start container app on 8080
    wait app CallOutstanding: the start of container app is under way; then go on when the start is done (since 100, until 280)
    ");
}

#[test]
fn a_container_that_exited_is_started_again_where_its_policy_says_so() {
    assert_snapshot!(check("
        def app! restart=60
        sure app
        task RUNNING
        known app RUNNING id started=10 exit=1@99
    "), @"
    do start container app
    wait app CallOutstanding: the start of container app is under way; then go on when the start is done (since 100, until 280)
    ");
    assert_snapshot!(check("
        def app! restart=60
        task RUNNING
        known app RUNNING id started=10 exit=1@99
        flight app start since=99
    "), @"wait app CallOutstanding: the start of container app is under way; then go on when the start is done (since 99, until 279)");
    // An earlier agent may have started it already.
    assert_snapshot!(check("
        def app! restart=60
        task RUNNING
        known app RUNNING id started=10 exit=1@99
    "), @"do inspect container app");
}

#[test]
fn a_wait_longer_than_any_was_written_before_the_clock_was_set_back() {
    assert_snapshot!(check("
        def app!
        known app PULLED image retry=create:3@7300 DockerTimeoutError: no answer
        sure app
    "), @"
    do create container app as ecs-web-0-app-…
    wait app CallOutstanding: the create of container app is under way; then go on when the create is done (since 100, until 340)
    ");
    assert_snapshot!(check("
        def app!
        task RUNNING
        sure app
        known app RUNNING id started=10 exit=0@99 settles=7200
    "), @"
    task STOPPED, stops for EssentialContainerExited: essential container app exited with code 0
    execution stopped at 100
    stopped at 100
    known app STOPPED id started=10 exit=0@99
    tell app Stopped: exited with code 0
    tell task Stopping: EssentialContainerExited: essential container app exited with code 0
    tell task TaskStopped: EssentialContainerExited: essential container app exited with code 0
    look at 100
    ");
}

#[test]
fn an_end_that_may_be_half_of_a_restart_by_hand_is_held_back() {
    assert_snapshot!(check("
        def app!
        task RUNNING
        known app RUNNING id started=10 exit=0@99 settles=102
    "), @"
    wait app CallOutstanding: its process ended after a signal from outside; it may be restarted by hand; then take the end as final (since 100)
    look at 102
    ");
    // An earlier agent has seen the end: the next run may have begun unseen.
    assert_snapshot!(check("
        at 102
        def app!
        task RUNNING
        known app RUNNING id started=10 exit=0@99 settles=102
    "), @"
    do inspect container app
    wait app CallOutstanding: its process ended after a signal from outside; it may be restarted by hand; then take the end as final (since 102)
    ");
    assert_snapshot!(check("
        at 102
        def app!
        task RUNNING
        sure app
        known app RUNNING id started=10 exit=0@99 settles=102
    "), @"
    task STOPPED, stops for EssentialContainerExited: essential container app exited with code 0
    execution stopped at 102
    stopped at 102
    known app STOPPED id started=10 exit=0@99
    tell app Stopped: exited with code 0
    tell task Stopping: EssentialContainerExited: essential container app exited with code 0
    tell task TaskStopped: EssentialContainerExited: essential container app exited with code 0
    look at 102
    ");
    assert_snapshot!(check("
        at 102
        def app! restart=60
        sure app
        task RUNNING
        known app RUNNING id started=10 exit=1@99 settles=102
    "), @"
    known app RUNNING id started=10 exit=1@99
    do start container app
    wait app CallOutstanding: the start of container app is under way; then go on when the start is done (since 102, until 282)
    tell app Exited: exited with code 1, restart policy starts it again
    ");
}

#[test]
fn a_running_container_that_is_not_well_says_so_and_is_left_alone() {
    assert_snapshot!(check("
        def app! probe
        task RUNNING
        known app RUNNING id started=10 health=UNHEALTHY
    "), @"wait app Unhealthy: the health check of app fails; then go on; whoever asked for the task decides (since 100)");
    assert_snapshot!(check("
        def app!
        task RUNNING
        known app RUNNING id started=10
        seems app paused
    "), @"wait app Paused: paused by somebody else; then go on when it is unpaused (since 100)");
}

#[test]
fn status_never_goes_back() {
    // A task that was RUNNING stays so while a container that is not essential is made anew.
    assert_snapshot!(check("
        def app!
        def side
        task RUNNING
        known app RUNNING id started=10
        known side CREATED image
    "), @"
    do create container side as ecs-web-0-side-…
    wait side CallOutstanding: the create of container side is under way; then go on when the create is done (since 100, until 340)
    ");
    assert_snapshot!(check("
        def app!
        task STOPPED
        stopped 99
        known app STOPPED id started=10 exit=0@99
    "), @"
    task STOPPED, stops for EssentialContainerExited: essential container app exited with code 0
    execution stopped at 100
    tell task Stopping: EssentialContainerExited: essential container app exited with code 0
    look at 10899
    ");
}

#[test]
fn a_container_that_may_be_there_already_is_looked_at_before_anything_is_made() {
    assert_snapshot!(check("
        def app!
        known app NONE attempt=1
        look app
    "), @"
    do inspect container app by name ecs-web-0-app-…
    wait app CallOutstanding: the inspect of container app is under way; then go on when the inspect is done (since 100, until 130)
    ");
    // Also one that is known to be there: it may have been started, and have ended, while nobody wrote it down.
    assert_snapshot!(check("
        def app!
        known app CREATED id
        look app
    "), @"
    task CREATED
    do inspect container app
    wait app CallOutstanding: the inspect of container app is under way; then go on when the inspect is done (since 100, until 130)
    ");
}
