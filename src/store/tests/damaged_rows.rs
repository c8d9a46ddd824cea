//! A task whose rows cannot be read is set aside alone, by name, and everything else is given.

use super::world::{World, new_task, two_tasks};
use crate::boundary::TaskStore as _;
use crate::boundary::store::{Change, Damage, ImageRecord};
use crate::domain::ids::UnixMillis;
use crate::testing::store_contract::{arn, event};

/// Breaks the rows of task `a` with a statement; `b` must still be there, and `a` named with the reason.
async fn check(statement: &str, reason: &str) {
    let world = World::new();
    let (changes, [_, b]) = two_tasks();
    world.write(&changes).await;
    world.sql(statement).await;

    let (notes, loaded) = world.load().await;
    assert!(notes.is_empty(), "{notes:?}");
    assert_eq!(loaded.tasks, std::slice::from_ref(&b), "{statement}");
    let expected = Damage {
        task: Some(arn("a")),
        message: format!(
            "task {} could not be read and was set aside: {reason}",
            arn("a")
        ),
    };
    assert_eq!(loaded.damage, [expected], "{statement}");

    let (_, again) = world.load().await;
    assert_eq!((again.tasks, again.damage), (vec![b], vec![]), "told once");
}

#[tokio::test]
async fn a_changed_value_is_found_by_its_checksum() {
    for statement in [
        "UPDATE tasks SET arrived_at = 3 WHERE id = 1",
        "UPDATE tasks SET definition = replace(definition, 'busybox', 'bosybux') WHERE id = 1",
        "UPDATE tasks SET stop_reason_message = NULL WHERE id = 1",
        "UPDATE tasks SET status = 'GONE', generation = -1 WHERE id = 1",
    ] {
        check(statement, "the checksum of tasks does not match").await;
    }
    for statement in [
        "UPDATE known_tasks SET started_at = 3 WHERE task = 1",
        "UPDATE containers SET attempt = attempt + 1 WHERE task = 1 AND name = 'side'",
        "DELETE FROM containers WHERE task = 1 AND name = 'side'",
        "DELETE FROM bindings WHERE task = 1 AND position = 1",
        "UPDATE reservations SET count = 6 WHERE task = 1",
        "UPDATE resources SET status = 'REMOVED' WHERE task = 1 AND kind = 'CGROUP'",
        "UPDATE conditions SET position = position + 2 WHERE task = 1",
    ] {
        check(statement, "the checksum of known_tasks does not match").await;
    }
}

#[tokio::test]
async fn a_value_that_makes_no_sense_is_named() {
    for (change, reason) in [
        ("arn = 'web'", None),
        (
            "definition_version = 2",
            Some("definition_version is 2, which is out of range"),
        ),
        (
            "generation = -1",
            Some("generation is -1, which is out of range"),
        ),
        (
            "status = 'GONE'",
            Some(r#"status is "GONE", which is not known"#),
        ),
        (
            "network_as = 'wifi'",
            Some(r#"network_as is "wifi", which is not known"#),
        ),
        (
            "origin_file = NULL",
            Some(r#"origin is "FILE", which is not known"#),
        ),
        ("stop_reason_name = NULL", Some("a reason is there in part")),
    ] {
        // Without a checksum, as an older agent leaves a row in a newer schema.
        let statement = format!("UPDATE tasks SET {change}, checksum = NULL WHERE id = 1");
        match reason {
            Some(reason) => check(&statement, reason).await,
            None => set_aside_without_a_name(&statement).await,
        }
    }
    for (statement, reason) in [
        (
            "UPDATE containers SET retry_step = NULL WHERE task = 1 AND name = 'app'",
            "a retry is there in part",
        ),
        (
            "UPDATE containers SET exit_oom_killed = NULL WHERE task = 1 AND name = 'app'",
            "an exit is there in part",
        ),
        (
            "UPDATE containers SET docker_id = 'xyz' WHERE task = 1 AND name = 'app'",
            "docker_id is not an identifier: has the character 'x', allowed are hexadecimal digits",
        ),
        (
            "DELETE FROM containers WHERE task = 1 AND name = 'app'",
            "there is no row in containers",
        ),
        (
            "UPDATE bindings SET host_port = 65536 WHERE task = 1",
            "host_port is 65536, which is out of range",
        ),
        (
            "UPDATE resources SET name = 'x' WHERE task = 1 AND kind = 'CGROUP'",
            r#"kind is "CGROUP", which is not known"#,
        ),
        (
            "UPDATE conditions SET cause = 'Boredom' WHERE task = 1",
            r#"cause is "Boredom", which is not known"#,
        ),
    ] {
        let all = format!("{statement}; UPDATE known_tasks SET checksum = NULL WHERE task = 1");
        check(&all, reason).await;
    }
    check(
        "DELETE FROM known_tasks WHERE task = 1",
        "there is no row in known_tasks",
    )
    .await;
}

async fn set_aside_without_a_name(statement: &str) {
    let world = World::new();
    let (changes, [_, b]) = two_tasks();
    world.write(&changes).await;
    world.sql(statement).await;
    let (_, loaded) = world.load().await;
    assert_eq!(loaded.tasks, [b]);
    let tasks: Vec<_> = loaded.damage.iter().map(|damage| &damage.task).collect();
    assert_eq!(tasks, [&None]);
}

#[tokio::test]
async fn text_that_is_not_utf_8_is_set_aside() {
    for statement in [
        "UPDATE tasks SET origin_file = CAST(x'ff' AS TEXT) WHERE id = 1",
        "UPDATE conditions SET message = CAST(x'ff' AS TEXT) WHERE task = 1",
    ] {
        let world = World::new();
        let (changes, [_, b]) = two_tasks();
        world.write(&changes).await;
        world.sql(statement).await;
        let (_, loaded) = world.load().await;
        assert_eq!(loaded.tasks, [b]);
        let tasks: Vec<_> = loaded
            .damage
            .into_iter()
            .map(|damage| damage.task)
            .collect();
        assert_eq!(tasks, [Some(arn("a"))]);
    }
}

#[tokio::test]
async fn what_is_set_aside_can_be_read_by_people() {
    let world = World::new();
    let (changes, _) = two_tasks();
    world.write(&changes).await;
    world
        .sql("UPDATE known_tasks SET status = CAST(x'58ff' AS TEXT) WHERE task = 1")
        .await;
    world.load().await;
    let subject: String = world.value("SELECT subject FROM quarantine").await;
    assert_eq!(subject, format!("task {}", arn("a")));
    let content: String = world.value("SELECT content FROM quarantine").await;
    let content: serde_json::Value = serde_json::from_str(&content).unwrap();
    assert_eq!(content["known_tasks"][0]["status"], "X\u{fffd}");
    assert_eq!(content["tasks"][0]["arn"], arn("a").as_str());
    assert_eq!(content["bindings"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn rows_of_no_task_are_set_aside() {
    let world = World::new();
    world.write(&[new_task("a")]).await;
    world
        .sql("INSERT INTO conditions (task, position, cause, message, since, next_action) VALUES (9, 0, '', '', 0, '')")
        .await;
    let (_, loaded) = world.load().await;
    assert_eq!(loaded.tasks.len(), 1);
    let messages: Vec<_> = loaded.damage.iter().map(|it| it.message.as_str()).collect();
    assert_eq!(
        messages,
        ["rows of conditions were set aside: they belong to no task"]
    );
    assert_eq!(world.load().await.1.damage, []);
}

#[tokio::test]
async fn an_image_that_cannot_be_read_is_set_aside() {
    let image = |reference: &str| ImageRecord {
        reference: reference.to_owned(),
        image_id: "sha256:1".to_owned(),
        pulled_at: None,
        last_used_at: UnixMillis(1),
        size_bytes: 1,
    };
    let world = World::new();
    let changes = ["a:1", "b:1"].map(|reference| Change::Image(image(reference)));
    world.write(&changes).await;
    world
        .sql("UPDATE images SET image_id = 'sha256:2' WHERE reference = 'a:1'")
        .await;
    let (_, loaded) = world.load().await;
    assert_eq!(loaded.images, [image("b:1")]);
    assert_eq!(loaded.damage.len(), 1);
}

#[tokio::test]
async fn a_damaged_event_does_not_hide_the_others() {
    let world = World::new();
    let changes = ["One", "Two", "Three"].map(|kind| Change::Event(event("a", kind)));
    world.write(&changes).await;
    world
        .sql(
            "UPDATE events SET message = CAST(x'ff' AS TEXT) WHERE sequence = 1;
             UPDATE events SET arn = CAST(x'ff' AS TEXT) WHERE sequence = 2",
        )
        .await;
    let store = world.open().await.store;
    let events = store.events_after(None, 0, 10).await.unwrap();
    let kinds: Vec<_> = events.iter().map(|it| it.event.kind.as_str()).collect();
    assert_eq!(kinds, ["One", "Three"]);
}

#[tokio::test]
async fn a_task_that_was_set_aside_can_come_back() {
    let world = World::new();
    let (changes, [a, b]) = two_tasks();
    world.write(&changes).await;
    world
        .sql("UPDATE tasks SET arrived_at = 3 WHERE id = 1")
        .await;
    let store = world.open().await.store;
    store.load().await.unwrap();
    store.commit(&changes).await.unwrap();
    assert_eq!(store.load().await.unwrap().tasks, [a, b]);
}
