//! Towards STOPPED.

use insta::assert_snapshot;

use super::check;

#[test]
fn containers_stop_after_those_that_depend_on_them() {
    assert_snapshot!(check("
        def a! needs=b:START
        def b
        want STOPPED
        task RUNNING
        known a RUNNING id started=10
        known b RUNNING id started=10
    "), @"
    known a RUNNING id started=10 asked=100
    do stop container a within 30 s
    wait a Stopping: the stop of container a is under way; then go on when the stop is done (since 100, until 250)
    wait b WaitingForDependents: stops after a; then stop b when they have (since 100)
    tell a StopRequested: asked to end within 30 s
    ");
    assert_snapshot!(check("
        def a! needs=b:START
        def b
        want STOPPED
        task RUNNING
        known a STOPPED id started=10 asked=90 exit=0@95
        known b RUNNING id started=10
    "), @"
    execution stopped at 100
    known b RUNNING id started=10 asked=100
    do stop container b within 30 s
    wait b Stopping: the stop of container b is under way; then go on when the stop is done (since 100, until 250)
    tell b StopRequested: asked to end within 30 s
    ");
}

#[test]
fn what_never_ran_needs_no_call() {
    assert_snapshot!(check("
        def a!
        want STOPPED
    "), @"
    task STOPPED
    stopped at 100
    known a STOPPED
    tell a Stopped: never ran
    tell task TaskStopped: UserInitiated: asked
    look at 100
    ");
    assert_snapshot!(check("
        def a!
        want STOPPED
        known a PULLED image
    "), @"
    task STOPPED
    stopped at 100
    known a STOPPED image
    tell a Stopped: never ran
    tell task TaskStopped: UserInitiated: asked
    look at 100
    ");
    assert_snapshot!(check("
        def a!
        want STOPPED
        sure a
        known a CREATED id
    "), @"
    task STOPPED
    stopped at 100
    known a STOPPED id
    tell a Stopped: never ran
    tell task TaskStopped: UserInitiated: asked
    look at 100
    ");
    // A pull that nobody needs any more is cancelled.
    assert_snapshot!(check("
        def a!
        want STOPPED
        flight a pull since=40
    "), @"
    cancel container a
    wait a Pulling: the pull of container a is under way; then go on when the pull is done (since 40, until 7240)
    ");
    assert_snapshot!(check("
        def a!
        want STOPPED
        known a PULLED image
        flight a create since=99
    "), @"wait a CallOutstanding: the create of container a is under way; then go on when the create is done (since 99, until 339)");
}

#[test]
fn what_may_have_run_is_looked_at_before_it_is_called_stopped() {
    assert_snapshot!(check("
        def a!
        want STOPPED
        known a PULLED image retry=create:1@100 DockerTimeoutError: no answer
    "), @"
    do inspect container a by name ecs-web-0-a-…
    wait a CallOutstanding: the inspect of container a is under way; then go on when the inspect is done (since 100, until 130)
    ");
    // Once: what was looked for and not found is stopped.
    let looked = check(
        "
        def a!
        want STOPPED
        known a PULLED image retry=create:1@100 DockerTimeoutError: no answer
        did a inspect saw absent
    ",
    );
    assert!(!looked.contains("do inspect"), "{looked}");
    assert!(looked.contains("known a STOPPED"), "{looked}");
    assert_snapshot!(check("
        def a!
        want STOPPED
        known a CREATED id retry=start:1@100 DockerTimeoutError: no answer
    "), @"
    task CREATED
    do inspect container a
    wait a CallOutstanding: the inspect of container a is under way; then go on when the inspect is done (since 100, until 130)
    ");
    assert_snapshot!(check("
        def a!
        want STOPPED
        known a CREATED id
        look a
    "), @"
    task CREATED
    do inspect container a
    wait a CallOutstanding: the inspect of container a is under way; then go on when the inspect is done (since 100, until 130)
    ");
    // An earlier agent may have asked for its start.
    assert_snapshot!(check("
        def a!
        want STOPPED
        known a CREATED id
    "), @"
    task CREATED
    do inspect container a
    wait a CallOutstanding: the inspect of container a is under way; then go on when the inspect is done (since 100, until 130)
    ");
    // The look itself failed: later.
    assert_snapshot!(check("
        def a!
        want STOPPED
        known a CREATED id retry=inspect:2@130 DockerTimeoutError: no answer
    "), @"
    task CREATED
    wait a Quarantined: the inspect of container a failed 2 times in a row: DockerTimeoutError: no answer; then try the inspect again (since 100)
    look at 130
    ");
}

#[test]
fn between_two_runs_it_is_not_started_again() {
    assert_snapshot!(check("
        def a! restart=60
        want STOPPED
        task RUNNING
        sure a
        known a RUNNING id started=10 exit=1@99
    "), @"
    task STOPPED
    stopped at 100
    known a STOPPED id started=10 exit=1@99
    tell a Stopped: exited with code 1
    tell task TaskStopped: UserInitiated: asked
    look at 100
    ");
}

#[test]
fn a_run_that_may_have_begun_is_looked_at_before_its_container_is_called_stopped() {
    // An earlier agent may have asked for it.
    assert_snapshot!(check("
        def a! restart=60
        want STOPPED
        task RUNNING
        known a RUNNING id started=10 exit=1@99
    "), @"
    do inspect container a
    wait a CallOutstanding: the inspect of container a is under way; then go on when the inspect is done (since 100, until 130)
    ");
    // The answer to its start was lost.
    assert_snapshot!(check("
        def a! restart=60
        want STOPPED
        task RUNNING
        sure a
        look a
        known a RUNNING id started=10 exit=1@99
    "), @"
    do inspect container a
    wait a CallOutstanding: the inspect of container a is under way; then go on when the inspect is done (since 100, until 130)
    ");
}

#[test]
fn the_grace_counts_from_the_first_request_also_after_a_restart_of_the_agent() {
    assert_snapshot!(check("
        def a! stop=30
        want STOPPED
        task RUNNING
        known a RUNNING id started=10
    "), @"
    known a RUNNING id started=10 asked=100
    do stop container a within 30 s
    wait a Stopping: the stop of container a is under way; then go on when the stop is done (since 100, until 250)
    tell a StopRequested: asked to end within 30 s
    ");
    assert_snapshot!(check("
        def a! stop=30
        want STOPPED
        task RUNNING
        known a RUNNING id started=10 asked=90
    "), @"
    do stop container a within 20 s
    wait a Stopping: the stop of container a is under way; then go on when the stop is done (since 100, until 250)
    ");
    assert_snapshot!(check("
        at 130
        def a! stop=30
        want STOPPED
        task RUNNING
        known a RUNNING id started=10 asked=90
    "), @"
    do stop container a within 0 s
    wait a Stopping: the stop of container a is under way; then go on when the stop is done (since 130, until 280)
    ");
    // A failed stop is repeated, and escalates to a kill when the grace is over.
    assert_snapshot!(check("
        at 100
        def a! stop=30
        want STOPPED
        task RUNNING
        known a RUNNING id started=10 asked=90 retry=stop:1@100 DockerTimeoutError: no answer
    "), @"
    do stop container a within 20 s
    wait a Stopping: the stop of container a is under way; then go on when the stop is done (since 100, until 250)
    ");
    assert_snapshot!(check("
        at 130
        def a! stop=30
        want STOPPED
        task RUNNING
        known a RUNNING id started=10 asked=90 retry=stop:1@120 DockerTimeoutError: no answer
    "), @"
    do kill container a
    wait a Stopping: the stop of container a is under way; then go on when the stop is done (since 130, until 280)
    ");
    assert_snapshot!(check("
        at 130
        def a! stop=30
        want STOPPED
        task RUNNING
        known a RUNNING id started=10 asked=90 retry=stop:3@140 DockerTimeoutError: no answer
    "), @"
    wait a Quarantined: the stop of container a failed 3 times in a row: DockerTimeoutError: no answer; then try the stop again (since 130)
    look at 140
    ");
}

#[test]
fn a_stop_under_way_is_waited_for() {
    assert_snapshot!(check("
        def a! stop=30
        want STOPPED
        task RUNNING
        known a RUNNING id started=10 asked=90
        flight a stop since=90
    "), @"wait a Stopping: the stop of container a is under way; then go on when the stop is done (since 90, until 240)");
}

#[test]
fn pauses_go_last() {
    assert_snapshot!(check("
        shared-network
        def app!
        want STOPPED
        task RUNNING
        known ~internal~ecs~pause RUNNING id started=9
        known app RUNNING id started=10
    "), @"
    known app RUNNING id started=10 asked=100
    do stop container app within 30 s
    wait ~internal~ecs~pause WaitingForDependents: stops after app; then stop ~internal~ecs~pause when they have (since 100)
    wait app Stopping: the stop of container app is under way; then go on when the stop is done (since 100, until 250)
    tell app StopRequested: asked to end within 30 s
    ");
    assert_snapshot!(check("
        shared-network
        def app!
        want STOPPED
        task RUNNING
        known ~internal~ecs~pause RUNNING id started=9
        known app STOPPED id started=10 exit=0@99
    "), @"
    execution stopped at 100
    known ~internal~ecs~pause RUNNING id started=9 asked=100
    do stop container ~internal~ecs~pause within 1 s
    wait ~internal~ecs~pause Stopping: the stop of container ~internal~ecs~pause is under way; then go on when the stop is done (since 100, until 250)
    tell ~internal~ecs~pause StopRequested: asked to end within 1 s
    ");
}

#[test]
fn the_task_is_stopped_when_the_last_container_is() {
    assert_snapshot!(check("
        def a!
        def b
        want STOPPED
        task RUNNING
        known a STOPPED id started=10 exit=0@99
        known b STOPPED id started=10 exit=0@99
    "), @"
    task STOPPED
    execution stopped at 100
    stopped at 100
    tell task TaskStopped: UserInitiated: asked
    look at 10900
    ");
    assert_snapshot!(check("
        def a!
        def b
        stops EssentialContainerExited: essential container a exited with code 1
        task RUNNING
        known a STOPPED id started=10 exit=1@99
        known b STOPPED id started=10 exit=0@99
    "), @"
    task STOPPED, stops for EssentialContainerExited: essential container a exited with code 1
    execution stopped at 100
    stopped at 100
    tell task TaskStopped: EssentialContainerExited: essential container a exited with code 1
    look at 10900
    ");
}

#[test]
fn what_somebody_starts_after_its_end_is_stopped_again() {
    assert_snapshot!(check("
        def a!
        want STOPPED
        task STOPPED
        stopped 95
        known a STOPPED id started=10 exit=0@95
        seems a running
    "), @"
    execution stopped at 100
    do stop container a within 30 s
    wait a Stopping: the stop of container a is under way; then go on when the stop is done (since 100, until 250)
    tell a StartedOutside: started by somebody else after its end; stopping it
    look at 10895
    ");
    // A list may be older than the end.
    assert_snapshot!(check("
        def a!
        want STOPPED
        task STOPPED
        stopped 95
        known a STOPPED id started=10 exit=0@95
        list a running
    "), @"
    execution stopped at 100
    do inspect container a
    wait a CallOutstanding: the inspect of container a is under way; then go on when the inspect is done (since 100, until 130)
    look at 10895
    ");
    // A stop that failed backs off, and is told once.
    assert_snapshot!(check("
        def a!
        want STOPPED
        task STOPPED
        stopped 95
        known a STOPPED id started=10 exit=0@95 retry=stop:2@101 CannotStopContainerError: x
        seems a running
    "), @"
    execution stopped at 100
    wait a BackingOff: the stop of container a failed 2 times in a row: CannotStopContainerError: x; then try the stop again (since 100)
    look at 101
    ");
    assert_snapshot!(check("
        def a!
        want STOPPED
        task STOPPED
        stopped 95
        known a STOPPED id started=10 exit=0@95 retry=stop:2@99 CannotStopContainerError: x
        did a inspect saw running started=96
    "), @"
    execution stopped at 100
    do kill container a
    wait a Stopping: the stop of container a is under way; then go on when the stop is done (since 100, until 250)
    look at 10895
    ");
}

#[test]
fn a_container_that_was_given_up_is_stopped_while_the_others_run() {
    assert_snapshot!(check("
        def app!
        def side
        known app RUNNING id started=10
        known side CREATED id asked=99 retry=inspect:0@99 CannotStartContainerError: x
        look side
    "), @"
    task CREATED
    do inspect container side
    wait side CallOutstanding: the inspect of container side is under way; then go on when the inspect is done (since 100, until 130)
    ");
    assert_snapshot!(check("
        def app!
        def side
        known app RUNNING id started=10
        known side RUNNING id started=98 asked=99
    "), @"
    task RUNNING
    started at 100
    do stop container side within 29 s
    wait side Stopping: the stop of container side is under way; then go on when the stop is done (since 100, until 250)
    tell task Running: every container runs or has done its work
    ");
    // Not after those that depend on it: they run on with the task.
    assert_snapshot!(check("
        def app! needs=side:START
        def side
        task RUNNING
        known app RUNNING id started=99
        known side RUNNING id started=98 asked=99
    "), @"
    do stop container side within 29 s
    wait side Stopping: the stop of container side is under way; then go on when the stop is done (since 100, until 250)
    ");
}
