//! What is decided while Docker does not answer or looks are due.

use insta::assert_snapshot;

use super::check;

#[test]
fn nothing_is_asked_of_a_docker_that_does_not_answer_and_the_task_says_so() {
    assert_snapshot!(check("
        docker down
        def app!
    "), @"
    known app NONE
    wait app RuntimeUnavailable: Docker does not answer; then pull container app when it does (since 100)
    ");
    assert_snapshot!(check("
        docker down
        limits
        def app!
    "), @"
    known app NONE
    cgroup REGISTERED
    do set-up cgroup: create
    wait task WaitingForResource: the set-up of the cgroup is under way; then go on when the set-up is done (since 100, until 400)
    wait app RuntimeUnavailable: Docker does not answer; then pull container app when it does (since 100)
    ");
    assert_snapshot!(check("
        docker down
        def app!
        task RUNNING
        known app RUNNING id started=10
    "), @"");
    assert_snapshot!(check("
        docker down
        def app!
        want STOPPED
        task RUNNING
        known app RUNNING id started=10
    "), @"wait app RuntimeUnavailable: Docker does not answer; then stop container app when it does (since 100)");
    assert_snapshot!(check("
        docker down
        def a!
        want REMOVED
        task STOPPED
        stopped 95
        known a STOPPED id started=10 exit=0@95
    "), @"
    execution stopped at 100
    wait a RuntimeUnavailable: Docker does not answer; then remove container a when it does (since 100)
    ");
}

/// Somebody may have renamed it by now.
#[test]
fn what_a_list_shows_is_looked_at_under_its_id() {
    assert_snapshot!(check("
        def a!
        known a PULLED image
        list a created
    "), @"
    do inspect container a
    wait a CallOutstanding: the inspect of container a is under way; then go on when the inspect is done (since 100, until 130)
    ");
}

#[test]
fn looks_that_are_due_are_taken_and_not_twice() {
    assert_snapshot!(check("
        def app!
        task RUNNING
        known app RUNNING id started=10
        look app
    "), @"do inspect container app");
    assert_snapshot!(check("
        def app!
        task RUNNING
        known app RUNNING id started=10
        look app
        flight app inspect since=99
    "), @"");
    assert_snapshot!(check("
        def app!
        task RUNNING
        known app RUNNING id started=10 retry=inspect:3@120 DockerTimeoutError: no answer within 30 s
        look app
    "), @"
    wait app Quarantined: the inspect of container app failed 3 times in a row: DockerTimeoutError: no answer within 30 s; then try the inspect again (since 100)
    look at 120
    ");
}
