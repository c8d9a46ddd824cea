//! No first instruction without credentials of the task's role, and no pull with those of the execution role before
//! they are there.

use std::sync::Arc;

use insta::assert_snapshot;

use super::check;
use crate::domain::credentials::CredentialsId;
use crate::domain::definition::{LogConfiguration, SecretRef};
use crate::domain::image::ImageRef;
use crate::domain::registry::RegistryAccess;
use crate::reconcile::action::Verb;
use crate::reconcile::notation::Scene;

#[test]
fn an_image_is_pulled_and_no_container_made_while_credentials_are_fetched() {
    assert_snapshot!(check("
        def app!
        role fetching
    "), @"
    known app NONE
    do pull busybox:1 for container app
    wait app Pulling: the pull of container app is under way; then go on when the pull is done (since 100, until 7300)
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
    wait app CallOutstanding: the create of container app is under way; then go on when the create is done (since 100, until 340)
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

/// A task whose image is in a private registry of ECR, with an execution role.
fn of_ecr(text: &str) -> Scene {
    let mut scene = Scene::read(text);
    let image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/web:1";
    let desired = &mut scene.task.desired;
    let definition = Arc::make_mut(&mut desired.definition);
    definition.containers[0].image = ImageRef::parse(image).unwrap();
    definition.execution_role_arn = Some("arn:aws:iam::1:role/x".to_owned());
    desired.ids.execution_role = CredentialsId::parse("id").ok();
    scene
}

#[test]
fn check_143_an_image_of_ecr_waits_for_the_execution_role_and_is_pulled_with_it() {
    assert_snapshot!(of_ecr("
        def app!
        execution-role fetching
    ").planned(), @"
    known app NONE
    wait task WaitingForCredentials: the credentials of the task's execution role are being fetched; then try again, and go on when they are there (since 100, until 400)
    look at 400
    ");
    let plan = of_ecr("def app!\nexecution-role ready").plan();
    let Verb::Pull { access, .. } = &plan.actions[0].verb else {
        panic!("{plan:?}");
    };
    assert_eq!(access.role().unwrap().id.expose(), "id");
    assert_snapshot!(of_ecr("
        at 350
        def app!
        execution-role failing AccessDenied: not you
        waited WaitingForCredentials since=50
    ").planned(), @"
    task STOPPED, stops for ResourceInitializationError: credentials of the task's execution role could not be had in 300 s: AccessDenied: not you
    stopped at 350
    known app STOPPED
    tell task Stopping: ResourceInitializationError: credentials of the task's execution role could not be had in 300 s: AccessDenied: not you
    tell app Stopped: never ran
    tell task TaskStopped: ResourceInitializationError: credentials of the task's execution role could not be had in 300 s: AccessDenied: not you
    look at 350
    ");
}

#[test]
fn where_roles_are_not_had_an_image_of_ecr_is_pulled_with_the_hosts_own() {
    let mut scene = of_ecr("def app!");
    scene.settings.execution_roles = false;
    let plan = scene.plan();
    let Verb::Pull { access, .. } = &plan.actions[0].verb else {
        panic!("{plan:?}");
    };
    assert!(matches!(access, RegistryAccess::Ecr(ecr) if ecr.role.is_none()));
}

#[test]
fn what_needs_no_execution_role_does_not_wait_for_it() {
    let mut scene = of_ecr("def app!\nexecution-role fetching");
    let definition = Arc::make_mut(&mut scene.task.desired.definition);
    definition.containers[0].image = ImageRef::parse("web:1").unwrap();
    assert!(matches!(scene.plan().actions[0].verb, Verb::Pull { .. }));
}

/// A container with two secrets, and an execution role.
fn with_secrets(text: &str) -> Scene {
    let mut scene = Scene::read(text);
    let desired = &mut scene.task.desired;
    let definition = Arc::make_mut(&mut desired.definition);
    let used = |name: &str, place: &str| SecretRef {
        name: name.to_owned(),
        value_from: place.to_owned(),
    };
    definition.containers[0].secrets = vec![used("A", "a"), used("B", "b"), used("C", "a")];
    definition.execution_role_arn = Some("arn:aws:iam::1:role/x".to_owned());
    desired.ids.execution_role = CredentialsId::parse("id").ok();
    scene
}

#[test]
fn check_143_secrets_are_got_with_the_execution_role_before_the_container_is_made() {
    let scene = with_secrets("def app!\nknown app PULLED image\nexecution-role ready");
    let plan = scene.plan();
    let Verb::FetchSecrets { wish } = &plan.actions[0].verb else {
        panic!("{plan:?}");
    };
    assert_eq!(wish.role.expose(), "id");
    assert_eq!(wish.places.iter().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(plan.actions.len(), 1);
    assert_snapshot!(with_secrets("
        def app!
        known app PULLED image
        execution-role fetching
    ").planned(), @"
    wait task WaitingForCredentials: the credentials of the task's execution role are being fetched; then try again, and go on when they are there (since 100, until 400)
    look at 400
    ");
    let mut held = with_secrets("def app!\nknown app PULLED image\nexecution-role fetching");
    held.secrets_held.insert(crate::domain::sample::name("app"));
    assert!(matches!(held.plan().actions[0].verb, Verb::Create { .. }));
}

#[test]
fn what_exists_needs_its_secrets_no_more() {
    let scene = with_secrets("def app!\nknown app CREATED id\nsure app\nexecution-role fetching");
    assert!(matches!(scene.plan().actions[0].verb, Verb::Start { .. }));
}

#[test]
fn a_container_whose_logs_are_written_with_the_execution_role_waits_for_it() {
    let scene = |text: &str| {
        let mut scene = with_secrets(text);
        let definition = Arc::make_mut(&mut scene.task.desired.definition);
        definition.containers[0].secrets.clear();
        definition.containers[0].log_configuration = Some(LogConfiguration {
            driver: "awslogs".to_owned(),
            options: [].into(),
            secret_options: Vec::new(),
        });
        scene.settings.endpoints.log_roles = true;
        scene
    };
    let pulled = "def app!\nknown app PULLED image\n";
    let waits = scene(&format!("{pulled}execution-role fetching"));
    assert_eq!(waits.plan().actions, []);
    let goes = scene(&format!("{pulled}execution-role ready"));
    assert!(matches!(goes.plan().actions[0].verb, Verb::Create { .. }));
    let mut alone = waits;
    alone.settings.endpoints.log_roles = false;
    assert_eq!(alone.plan().actions.len(), 1, "Docker does not ask");
}
