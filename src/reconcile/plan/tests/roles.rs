//! No first instruction without credentials of the task's role.

use insta::assert_snapshot;

use super::check;

#[test]
fn an_image_is_pulled_and_no_container_made_while_credentials_are_fetched() {
    assert_snapshot!(check("
        def app!
        role fetching
    "), @"
    known app NONE
    do pull busybox:1 for container app
    wait app Pulling: the pull of the container is under way; then go on when the pull is done (since 100, until 7300)
    ");
    assert_snapshot!(check("
        def app!
        known app PULLED image
        role fetching
    "), @"
    wait task WaitingForCredentials: the credentials of the task's role are being fetched; then try again, and go on when they are there (since 100, until 400)
    look at 400
    ");
    assert_snapshot!(check("
        def app!
        known app CREATED id
        role fetching
    "), @"
    task CREATED
    wait task WaitingForCredentials: the credentials of the task's role are being fetched; then try again, and go on when they are there (since 100, until 400)
    look at 400
    ");
}

#[test]
fn a_container_is_made_when_credentials_can_be_served() {
    assert_snapshot!(check("
        def app!
        known app PULLED image
        role ready
    "), @"
    do create container app as ecs-web-0-app-…
    wait app CallOutstanding: the create of the container is under way; then go on when the create is done (since 100, until 340)
    ");
}

#[test]
fn a_role_that_fails_is_named_and_the_task_given_up_in_the_end() {
    assert_snapshot!(check("
        def app!
        known app PULLED image
        role failing AccessDenied: not you
        waited WaitingForCredentials since=50
    "), @"
    wait task WaitingForCredentials: the credentials of the task's role cannot be had: AccessDenied: not you; then try again, and go on when they are there (since 50, until 350)
    look at 350
    ");
    assert_snapshot!(check("
        at 350
        def app!
        known app PULLED image
        role failing AccessDenied: not you
        waited WaitingForCredentials since=50
    "), @"
    task STOPPED, stops for ResourceInitializationError: credentials of the task's role could not be had in 300 s: AccessDenied: not you
    stopped at 350
    known app STOPPED image
    tell task Stopping: ResourceInitializationError: credentials of the task's role could not be had in 300 s: AccessDenied: not you
    tell app Stopped: never ran
    tell task TaskStopped: ResourceInitializationError: credentials of the task's role could not be had in 300 s: AccessDenied: not you
    look at 350
    ");
    // After a restart nothing is held, and what is only being fetched is not given up.
    assert_snapshot!(check("
        at 350
        def app!
        known app PULLED image
        role fetching
        waited WaitingForCredentials since=50
    "), @"wait task WaitingForCredentials: the credentials of the task's role are being fetched; then try again, and go on when they are there (since 50)");
}

#[test]
fn what_runs_is_left_alone_whatever_becomes_of_the_role() {
    assert_snapshot!(check("
        def app!
        task RUNNING
        known app RUNNING id started=50
        role failing gone
    "), @"");
}
