//! Before the first container: may the task have the host at all.

use insta::assert_snapshot;

use super::check;

#[test]
fn a_task_waits_for_what_it_needs_and_says_for_what() {
    assert_snapshot!(check("
        fresh
        def app!
        verdict units 512 CPU units (0 free)
    "), @"wait task WaitingForResources: 512 CPU units (0 free); then start when they are free, in order of arrival (since 100)");
    assert_snapshot!(check("
        fresh
        def app! port=8080
        verdict port port 8080/tcp, held by task other
    "), @"wait task WaitingForPort: port 8080/tcp, held by task other; then start when they are free, in order of arrival (since 100)");
    assert_snapshot!(check("
        fresh
        def app!
    "), @"");
}

#[test]
fn an_admitted_task_begins_at_once() {
    assert_snapshot!(check("
        fresh
        def app!
        verdict admitted
    "), @"
    admitted at 100
    known app NONE
    do pull busybox:1 for container app
    wait app Pulling: the pull of container app is under way; then go on when the pull is done (since 100, until 7300)
    ");
}

#[test]
fn what_the_host_can_never_give_stops_the_task_in_words() {
    assert_snapshot!(check("
        fresh
        def app!
        verdict impossible wants 9999 CPU units, the host has 2048
    "), @"
    task STOPPED, stops for HostResourceError: wants 9999 CPU units, the host has 2048
    stopped at 100
    known app STOPPED
    tell task Stopping: HostResourceError: wants 9999 CPU units, the host has 2048
    tell app Stopped: never ran
    tell task TaskStopped: HostResourceError: wants 9999 CPU units, the host has 2048
    look at 100
    ");
    assert_snapshot!(check("
        fresh
        def app!
        refused containerDefinitions[0].gpu: no; pidMode: no
    "), @"
    task STOPPED, stops for UnsupportedError: containerDefinitions[0].gpu: no; pidMode: no
    stopped at 100
    known app STOPPED
    tell task Stopping: UnsupportedError: containerDefinitions[0].gpu: no; pidMode: no
    tell app Stopped: never ran
    tell task TaskStopped: UnsupportedError: containerDefinitions[0].gpu: no; pidMode: no
    look at 100
    ");
}

#[test]
fn a_new_task_waits_while_the_instance_drains_and_one_that_was_admitted_goes_on() {
    assert_snapshot!(check("
        fresh
        def app!
        verdict draining the instance drains
    "), @"wait task InstanceDraining: the instance drains; then start when the draining ends, in order of arrival (since 100)");
    let admitted = check(
        "
        def app!
    ",
    );
    assert!(admitted.contains("do pull"), "{admitted}");
    assert_eq!(
        check(
            "
        def app!
        verdict draining the instance drains
    "
        ),
        admitted
    );
}

#[test]
fn nothing_is_decided_about_a_host_that_is_not_known() {
    assert_snapshot!(check("
        fresh
        def app!
        host-unknown
    "), @"wait task RuntimeUnavailable: Docker has not answered yet, so it is not known what this host can do; then start when Docker answers (since 100)");
}

#[test]
fn a_task_that_is_stopped_while_it_waits_is_stopped_at_once() {
    assert_snapshot!(check("
        fresh
        def app!
        def side
        want STOPPED
        verdict units 512 CPU units (0 free)
    "), @"
    task STOPPED
    stopped at 100
    known app STOPPED
    known side STOPPED
    tell app Stopped: never ran
    tell side Stopped: never ran
    tell task TaskStopped: UserInitiated: asked
    look at 100
    ");
    assert_snapshot!(check("
        fresh
        def app!
        want REMOVED
    "), @"
    task STOPPED
    stopped at 100
    known app STOPPED
    tell app Stopped: never ran
    tell task TaskStopped: UserInitiated: asked
    tell task Removed: everything of the task is gone
    forget
    look at 100
    ");
}
