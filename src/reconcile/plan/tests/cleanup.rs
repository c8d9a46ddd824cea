//! After STOPPED.

use std::time::Duration;

use insta::assert_snapshot;

use super::check;
use crate::domain::task::Origin;
use crate::reconcile::notation::Scene;

#[test]
fn a_stopped_task_is_kept_for_a_while() {
    assert_snapshot!(check("
        def a!
        want STOPPED
        task STOPPED
        stopped 95
        known a STOPPED id started=10 exit=0@95
    "), @"
    execution stopped at 100
    look at 10895
    ");
}

#[test]
fn how_long_is_the_tasks_own_affair_where_that_is_asked_for() {
    let stopped =
        "def a!\nwant STOPPED\ntask STOPPED\nstopped 95\nknown a STOPPED id started=10 exit=0@95";
    let mut scene = Scene::read(stopped);
    // In steps of a second.
    scene.settings.cleanup_jitter = Duration::from_secs(1000);
    let kept = scene.settings.kept_for(scene.task.arn().task_id());
    assert!(kept > scene.settings.cleanup_wait);
    let due = format!("look at {}", 95 + kept.as_secs());
    let planned = scene.planned();
    assert!(planned.contains(&due), "{planned}");
}

#[test]
fn check_116_what_ecs_does_not_acknowledge_is_kept_for_72_hours() {
    let mut scene = Scene::read(
        "def a!\nwant STOPPED\ntask STOPPED\nstopped 95\nknown a STOPPED removed image",
    );
    scene.task.desired.origin = Origin::Ecs;
    let stopped = scene.now;
    for (hours, kept) in [(4, true), (71, true), (73, false)] {
        scene.now = stopped.plus(Duration::from_hours(hours));
        let planned = scene.planned();
        let waits = planned.contains("ECS has not acknowledged that the task stopped");
        assert_eq!(waits, kept, "{hours} h: {planned}");
        assert_eq!(planned.contains("forget"), !kept, "{hours} h: {planned}");
    }
}

#[test]
fn a_removal_that_was_asked_for_does_not_wait() {
    assert_snapshot!(check("
        def a!
        want REMOVED
        task STOPPED
        stopped 95
        known a STOPPED id started=10 exit=0@95
    "), @"
    execution stopped at 100
    do remove container a as id
    wait a CleaningUp: the remove of container a is under way; then go on when the remove is done (since 100, until 400)
    ");
}

#[test]
fn containers_go_before_resources_and_everything_before_the_rows() {
    assert_snapshot!(check("
        limits
        vol data
        def a! mount=data
        want REMOVED
        task STOPPED
        stopped 95
        known a STOPPED id started=10 exit=0@95
        resource cgroup CREATED
        resource volume:data CREATED
    "), @"
    execution stopped at 100
    do remove container a as id
    wait a CleaningUp: the remove of container a is under way; then go on when the remove is done (since 100, until 400)
    ");
    assert_snapshot!(check("
        limits
        vol data
        def a! mount=data
        want REMOVED
        task STOPPED
        stopped 95
        known a STOPPED started=10 exit=0@95 image removed
        resource cgroup CREATED
        resource volume:data REGISTERED
    "), @"
    execution stopped at 100
    do tear-down cgroup: remove
    do tear-down volume data: remove ecs-web-0-data-…
    wait task CleaningUp: the tear-down of the cgroup is under way; then go on when the tear-down is done (since 100, until 400)
    wait task CleaningUp: the tear-down of the volume data is under way; then go on when the tear-down is done (since 100, until 400)
    ");
    assert_snapshot!(check("
        limits
        vol data
        def a! mount=data
        want REMOVED
        task STOPPED
        stopped 95
        known a STOPPED started=10 exit=0@95 image removed
        resource cgroup REMOVED
        resource volume:data CREATED
        flight volume:data tear-down since=99
    "), @"
    execution stopped at 100
    wait task CleaningUp: the tear-down of the volume data is under way; then go on when the tear-down is done (since 99, until 399)
    ");
    assert_snapshot!(check("
        limits
        vol data
        def a! mount=data
        want REMOVED
        task STOPPED
        stopped 95
        known a STOPPED started=10 exit=0@95 image removed
        resource cgroup REMOVED
        resource volume:data REMOVED
    "), @"
    execution stopped at 100
    tell task Removed: everything of the task is gone
    forget
    ");
}

#[test]
fn what_other_tasks_share_is_kept() {
    assert_snapshot!(check("
        vol data shared
        vol other found
        def a! mount=data
        want REMOVED
        task STOPPED
        stopped 95
        known a STOPPED removed image
        resource volume:data CREATED
        resource volume:other CREATED
    "), @"
    execution stopped at 100
    volume data REMOVED
    volume other REMOVED
    tell task Removed: everything of the task is gone
    forget
    ");
}

#[test]
fn everything_an_attempt_may_have_left_is_removed() {
    assert_snapshot!(check("
        def a!
        want REMOVED
        task STOPPED
        stopped 95
        known a STOPPED id attempt=2 started=10 exit=0@95
    "), @"
    execution stopped at 100
    do remove container a as id, ecs-web-0-a-…, ecs-web-0-a-…, ecs-web-0-a-…
    wait a CleaningUp: the remove of container a is under way; then go on when the remove is done (since 100, until 400)
    ");
    assert_snapshot!(check("
        def a!
        want REMOVED
        task STOPPED
        stopped 95
        known a STOPPED image attempt=1
    "), @"
    execution stopped at 100
    do remove container a as ecs-web-0-a-…, ecs-web-0-a-…
    wait a CleaningUp: the remove of container a is under way; then go on when the remove is done (since 100, until 400)
    ");
    // What never had an image never had a container.
    assert_snapshot!(check("
        def a!
        want REMOVED
        task STOPPED
        stopped 95
        known a STOPPED
    "), @"
    execution stopped at 100
    tell task Removed: everything of the task is gone
    forget
    ");
}

#[test]
fn a_removal_that_fails_is_tried_for_ever() {
    assert_snapshot!(check("
        def a!
        want REMOVED
        task STOPPED
        stopped 95
        known a STOPPED id started=10 exit=0@95 retry=remove:7@130 CannotStopContainerError: busy
    "), @"
    execution stopped at 100
    wait a BackingOff: the remove of container a failed 7 times in a row: CannotStopContainerError: busy; then try the remove again (since 100)
    look at 130
    ");
    assert_snapshot!(check("
        vol data
        def a!
        want REMOVED
        task STOPPED
        stopped 95
        known a STOPPED removed
        resource volume:data CREATED retry=tear-down:7@130
    "), @"
    execution stopped at 100
    wait task BackingOff: the tear-down of the volume data failed 7 times in a row: DockerStateError: x; then try the tear-down again (since 100)
    look at 130
    ");
}

#[test]
fn the_wait_is_over_at_its_instant() {
    assert_snapshot!(check("
        at 10895
        def a!
        want STOPPED
        task STOPPED
        stopped 95
        known a STOPPED id started=10 exit=0@95
    "), @"
    execution stopped at 10895
    do remove container a as id
    wait a CleaningUp: the remove of container a is under way; then go on when the remove is done (since 10895, until 11195)
    ");
}
