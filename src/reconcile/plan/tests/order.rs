//! Towards RUNNING: many containers, and what the essential ones mean for the task.

use insta::assert_snapshot;

use super::check;

#[test]
fn each_condition_holds_back_the_create() {
    assert_snapshot!(check("
        def a! needs=b:START
        def b
        known a PULLED image
        known b CREATED id
        flight b start since=99
    "), @"
    wait a WaitingForDependency: waits for container b to start; it is CREATED; then create a when it is (since 100)
    wait b CallOutstanding: the start of container b is under way; then go on when the start is done (since 99, until 279)
    ");
    assert_snapshot!(check("
        def a! needs=b:CREATE
        def b
        known a PULLED image
        known b CREATED id
        flight b start since=99
    "), @"
    do create container a as ecs-web-0-a-…
    wait a CallOutstanding: the create of container a is under way; then go on when the create is done (since 100, until 340)
    wait b CallOutstanding: the start of container b is under way; then go on when the start is done (since 99, until 279)
    ");
    assert_snapshot!(check("
        def a! needs=b:HEALTHY
        def b probe
        known a PULLED image
        known b RUNNING id started=90
    "), @"wait a WaitingForDependency: waits for container b to be HEALTHY; it is RUNNING, its health is UNKNOWN; then create a when it is (since 100)");
    assert_snapshot!(check("
        def a! needs=b:HEALTHY
        def b probe
        known a PULLED image
        known b RUNNING id started=90 health=HEALTHY
    "), @"
    do create container a as ecs-web-0-a-…
    wait a CallOutstanding: the create of container a is under way; then go on when the create is done (since 100, until 340)
    ");
    assert_snapshot!(check("
        def a! needs=b:COMPLETE
        def b
        known a PULLED image
        known b RUNNING id started=90
    "), @"wait a WaitingForDependency: waits for container b to exit; it is RUNNING; then create a when it is (since 100)");
    assert_snapshot!(check("
        def a! needs=b:COMPLETE
        def b
        known a PULLED image
        known b STOPPED id started=90 exit=3@95
    "), @"
    do create container a as ecs-web-0-a-…
    wait a CallOutstanding: the create of container a is under way; then go on when the create is done (since 100, until 340)
    ");
    assert_snapshot!(check("
        def a! needs=b:SUCCESS
        def b
        known a PULLED image
        known b STOPPED id started=90 exit=0@95
    "), @"
    do create container a as ecs-web-0-a-…
    wait a CallOutstanding: the create of container a is under way; then go on when the create is done (since 100, until 340)
    ");
}

#[test]
fn pulls_do_not_wait_for_dependencies() {
    assert_snapshot!(check("
        def a! needs=b:START
        def b
    "), @"
    known a NONE
    known b NONE
    do pull busybox:1 for container a
    do pull busybox:1 for container b
    wait a Pulling: the pull of container a is under way; then go on when the pull is done (since 100, until 7300)
    wait b Pulling: the pull of container b is under way; then go on when the pull is done (since 100, until 7300)
    ");
}

#[test]
fn what_can_never_start_ends_with_143_and_the_task_with_it() {
    assert_snapshot!(check("
        def a! needs=b:SUCCESS
        def b
        known a PULLED image
        known b STOPPED id started=90 exit=1@95
    "), @"
    task STOPPED, stops for EssentialContainerExited: essential container a exited with code 143: CannotStartContainerError: dependency graph: failed to resolve container ordering dependency [b] for target [a] as dependency did not exit successfully.
    execution stopped at 100
    stopped at 100
    known a STOPPED image exit=143@100 (CannotStartContainerError: dependency graph: failed to resolve container ordering dependency [b] for target [a] as dependency did not exit successfully.)
    tell a Stopped: exited with code 143: CannotStartContainerError: dependency graph: failed to resolve container ordering dependency [b] for target [a] as dependency did not exit successfully.
    tell task Stopping: EssentialContainerExited: essential container a exited with code 143: CannotStartContainerError: dependency graph: failed to resolve container ordering dependency [b] for target [a] as dependency did not exit successfully.
    tell task TaskStopped: EssentialContainerExited: essential container a exited with code 143: CannotStartContainerError: dependency graph: failed to resolve container ordering dependency [b] for target [a] as dependency did not exit successfully.
    look at 100
    ");
    assert_snapshot!(check("
        def a! needs=b:HEALTHY
        def b probe
        known a PULLED image
        known b STOPPED id started=90 exit=0@95
    "), @"
    task STOPPED, stops for EssentialContainerExited: essential container a exited with code 143: CannotStartContainerError: dependency graph: failed to resolve container ordering dependency [b] for target [a] because dependency will never start
    execution stopped at 100
    stopped at 100
    known a STOPPED image exit=143@100 (CannotStartContainerError: dependency graph: failed to resolve container ordering dependency [b] for target [a] because dependency will never start)
    tell a Stopped: exited with code 143: CannotStartContainerError: dependency graph: failed to resolve container ordering dependency [b] for target [a] because dependency will never start
    tell task Stopping: EssentialContainerExited: essential container a exited with code 143: CannotStartContainerError: dependency graph: failed to resolve container ordering dependency [b] for target [a] because dependency will never start
    tell task TaskStopped: EssentialContainerExited: essential container a exited with code 143: CannotStartContainerError: dependency graph: failed to resolve container ordering dependency [b] for target [a] because dependency will never start
    look at 100
    ");
    // Only the container, if it is not essential.
    assert_snapshot!(check("
        def app!
        def a needs=b:SUCCESS
        def b
        known app RUNNING id started=50
        known a PULLED image
        known b STOPPED id started=90 exit=1@95
    "), @"
    task RUNNING
    started at 100
    known a STOPPED image exit=143@100 (CannotStartContainerError: dependency graph: failed to resolve container ordering dependency [b] for target [a] as dependency did not exit successfully.)
    tell a Stopped: exited with code 143: CannotStartContainerError: dependency graph: failed to resolve container ordering dependency [b] for target [a] as dependency did not exit successfully.
    tell task Running: every container runs or has done its work
    look at 100
    ");
    assert_snapshot!(check("
        def a! needs=b:COMPLETE
        def b
        known a PULLED image
        known b STOPPED CannotPullContainerError: manifest unknown
    "), @"
    task STOPPED, stops for EssentialContainerExited: essential container a exited with code 143: CannotStartContainerError: dependency graph: failed to resolve container ordering dependency [b] for target [a] because dependency will never start
    execution stopped at 100
    stopped at 100
    known a STOPPED image exit=143@100 (CannotStartContainerError: dependency graph: failed to resolve container ordering dependency [b] for target [a] because dependency will never start)
    tell a Stopped: exited with code 143: CannotStartContainerError: dependency graph: failed to resolve container ordering dependency [b] for target [a] because dependency will never start
    tell task Stopping: EssentialContainerExited: essential container a exited with code 143: CannotStartContainerError: dependency graph: failed to resolve container ordering dependency [b] for target [a] because dependency will never start
    tell task TaskStopped: EssentialContainerExited: essential container a exited with code 143: CannotStartContainerError: dependency graph: failed to resolve container ordering dependency [b] for target [a] because dependency will never start
    look at 100
    ");
}

#[test]
fn a_start_timeout_ends_the_waiting_at_its_instant() {
    assert_snapshot!(check("
        def a! needs=b:HEALTHY
        def b probe start=20
        known a PULLED image
        known b RUNNING id started=90
    "), @"
    wait a WaitingForDependency: waits for container b to be HEALTHY; it is RUNNING, its health is UNKNOWN; then create a when it is (since 100, until 110)
    look at 110
    ");
    assert_snapshot!(check("
        at 110
        def a! needs=b:HEALTHY
        def b probe start=20
        known a PULLED image
        known b RUNNING id started=90
    "), @"
    task PENDING, stops for EssentialContainerExited: essential container a exited with code 143: CannotStartContainerError: dependency graph: container ordering dependency [b] for target [a] has timed out.
    execution stopped at 110
    known a STOPPED image exit=143@110 (CannotStartContainerError: dependency graph: container ordering dependency [b] for target [a] has timed out.)
    known b RUNNING id started=90 asked=110
    do stop container b within 30 s
    wait b Stopping: the stop of container b is under way; then go on when the stop is done (since 110, until 260)
    tell a Stopped: exited with code 143: CannotStartContainerError: dependency graph: container ordering dependency [b] for target [a] has timed out.
    tell task Stopping: EssentialContainerExited: essential container a exited with code 143: CannotStartContainerError: dependency graph: container ordering dependency [b] for target [a] has timed out.
    tell b StopRequested: asked to end within 30 s
    look at 110
    ");
}

#[test]
fn pauses_come_first() {
    assert_snapshot!(check("
        shared-network
        def app! port=8080
    "), @"
    known app NONE
    known ~internal~ecs~pause NONE
    do pull berth/pause:1 for container ~internal~ecs~pause
    do pull busybox:1 for container app
    wait ~internal~ecs~pause Pulling: the pull of container ~internal~ecs~pause is under way; then go on when the pull is done (since 100, until 7300)
    wait app Pulling: the pull of container app is under way; then go on when the pull is done (since 100, until 7300)
    ");
    assert_snapshot!(check("
        shared-network
        def app! port=8080
        known ~internal~ecs~pause PULLED image
        known app PULLED image
    "), @"
    do create container ~internal~ecs~pause as ecs-web-0-internalecspause-…, port 8080
    wait ~internal~ecs~pause CallOutstanding: the create of container ~internal~ecs~pause is under way; then go on when the create is done (since 100, until 340)
    wait app WaitingForDependency: waits for container ~internal~ecs~pause to start; it is PULLED; then create app when it is (since 100)
    ");
    assert_snapshot!(check("
        shared-network
        def app! port=8080
        known ~internal~ecs~pause RUNNING id started=90
        known app PULLED image
    "), @"
    do create container app as ecs-web-0-app-…
    wait app CallOutstanding: the create of container app is under way; then go on when the create is done (since 100, until 340)
    ");
}

#[test]
fn the_task_runs_when_every_container_runs_or_has_done_its_work() {
    assert_snapshot!(check("
        def app! needs=init:SUCCESS
        def init
        known app RUNNING id started=95
        known init STOPPED id started=90 exit=0@92
    "), @"
    task RUNNING
    started at 100
    tell task Running: every container runs or has done its work
    ");
    assert_snapshot!(check("
        def app!
        def side
        known app RUNNING id started=95
        known side CREATED id
        flight side start since=99
    "), @"
    task CREATED
    wait side CallOutstanding: the start of container side is under way; then go on when the start is done (since 99, until 279)
    ");
}

#[test]
fn the_first_essential_end_stops_the_task() {
    assert_snapshot!(check("
        def app!
        def side
        task RUNNING
        known app STOPPED id started=10 exit=3@99
        known side RUNNING id started=10
    "), @"
    task RUNNING, stops for EssentialContainerExited: essential container app exited with code 3
    execution stopped at 100
    known side RUNNING id started=10 asked=100
    do stop container side within 30 s
    wait side Stopping: the stop of container side is under way; then go on when the stop is done (since 100, until 250)
    tell task Stopping: EssentialContainerExited: essential container app exited with code 3
    tell side StopRequested: asked to end within 30 s
    ");
    // Another end is nothing to the task.
    assert_snapshot!(check("
        def app!
        def side
        task RUNNING
        known app RUNNING id started=10
        known side STOPPED id started=10 exit=3@99
    "), @"");
    assert_snapshot!(check("
        def app!
        def side
        task RUNNING
        known app STOPPED CannotStartContainerError: exec format
        known side RUNNING id started=10
    "), @"
    task RUNNING, stops for EssentialContainerExited: essential container app CannotStartContainerError: exec format
    execution stopped at 100
    known side RUNNING id started=10 asked=100
    do stop container side within 30 s
    wait side Stopping: the stop of container side is under way; then go on when the stop is done (since 100, until 250)
    tell task Stopping: EssentialContainerExited: essential container app CannotStartContainerError: exec format
    tell side StopRequested: asked to end within 30 s
    ");
}
