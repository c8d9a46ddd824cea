//! Whatever happens to the files, the store opens, and each task is as it was or missing, with a note that says so.

use std::fs;
use std::path::Path;

use super::world::{NOW, World, changes_of, new_task, two_tasks};
use crate::boundary::TaskStore as _;
use crate::boundary::store::{Change, Loaded};
use crate::domain::task::Task;
use crate::testing::store_contract::{arn, event};

/// A database with two full tasks and some events, closed in good order.
struct Damaged {
    tasks: [Task; 2],
    good: Vec<u8>,
}

impl Damaged {
    async fn new() -> Self {
        let world = World::new();
        let (mut changes, tasks) = two_tasks();
        changes.extend((0..30).map(|_| Change::Event(event("a", "Something"))));
        world.write(&changes).await;
        let good = fs::read(world.file("berth.db")).unwrap();
        assert_eq!(world.names(), ["berth.db"], "the log was written back");
        Self { tasks, good }
    }

    /// Opens a store with this content, and checks the promise.
    async fn check(&self, content: &[u8], damage: &str) {
        let world = World::new();
        fs::create_dir(world.directory()).unwrap();
        fs::write(world.file("berth.db"), content).unwrap();
        let opened = world.open().await;
        let loaded = opened.store.load().await.unwrap();
        for task in &loaded.tasks {
            assert!(self.tasks.contains(task), "{damage}: {}", task.arn());
        }
        let noted = opened.damage.len() + loaded.damage.len();
        if loaded.tasks.len() < self.tasks.len() {
            assert!(noted > 0, "{damage}: lost without a word");
        }
        assert!(!opened.fresh || loaded.tasks.is_empty(), "{damage}");
        // It works from now on.
        let committed = opened.store.commit(&changes_of(&self.tasks)).await;
        assert!(committed.is_ok(), "{damage}: {committed:?}");
        let tasks = opened.store.load().await.unwrap().tasks;
        assert!(tasks == self.tasks, "{damage}: {} tasks", tasks.len());
        opened.store.close().await;
    }
}

const PAGE: usize = 4096;

#[tokio::test]
async fn a_zeroed_page_loses_nothing_without_a_word() {
    let damaged = Damaged::new().await;
    for start in (0..damaged.good.len()).step_by(PAGE) {
        let mut content = damaged.good.clone();
        content[start..start + PAGE].fill(0);
        damaged.check(&content, &format!("page at {start}")).await;
    }
}

#[tokio::test]
async fn a_flipped_bit_loses_nothing_without_a_word() {
    let damaged = Damaged::new().await;
    // All of the file's header, then places that fall on different parts of pages, each with another bit.
    let spread = (100..damaged.good.len()).step_by(997);
    for (at, bit) in (0..100).chain(spread).zip((0..8).cycle()) {
        let mut content = damaged.good.clone();
        content[at] ^= 1 << bit;
        damaged
            .check(&content, &format!("bit {bit} of byte {at}"))
            .await;
    }
}

#[tokio::test]
async fn a_truncated_file_loses_nothing_without_a_word() {
    let damaged = Damaged::new().await;
    let whole = damaged.good.len();
    let pages = (0..whole).step_by(PAGE);
    let within_pages = [1, 99, PAGE - 1, whole / 2 + 1, whole - 1];
    for length in pages.chain(within_pages) {
        damaged
            .check(&damaged.good[..length], &format!("{length} bytes"))
            .await;
    }
}

#[tokio::test]
async fn a_file_of_something_else_is_kept_under_another_name() {
    let other = b"{\"not\": \"a database\"}".repeat(500);
    let world = World::new();
    fs::create_dir(world.directory()).unwrap();
    fs::write(world.file("berth.db"), &other).unwrap();
    let opened = world.open().await;
    assert!(opened.fresh);
    let name = format!("berth.db.damaged-{}", NOW.0);
    let notes: Vec<_> = opened.damage.iter().map(|it| &it.message).collect();
    assert_eq!(notes.len(), 1);
    assert!(notes[0].contains(&name), "{notes:?}");
    assert_eq!(fs::read(world.file(&name)).unwrap(), other);
    assert_eq!(opened.store.load().await.unwrap(), Loaded::default());
}

#[tokio::test]
async fn sequence_numbers_go_on_after_a_lost_file() {
    let world = World::new();
    world.write(&[Change::Event(event("a", "Old"))]).await;
    fs::write(world.file("berth.db"), "lost").unwrap();
    let store = world.open().await.store;
    let sequence = store
        .commit(&[Change::Event(event("a", "New"))])
        .await
        .unwrap();
    assert_eq!(sequence, NOW.0 + 1);
}

#[tokio::test]
async fn an_index_that_misses_a_row_is_made_again() {
    let damaged = Damaged::new().await;
    // The ARN is in the table and in its index: one of the changed copies can be undone, the other not.
    let text = arn("b").to_string();
    let places = places_of(&damaged.good, text.as_bytes());
    let mut repaired = 0;
    for place in places {
        let mut content = damaged.good.clone();
        content[place + text.len() - 1] = b'c';
        let world = World::new();
        fs::create_dir(world.directory()).unwrap();
        fs::write(world.file("berth.db"), content).unwrap();
        let (notes, loaded) = world.load().await;
        if notes == ["an index of the database was damaged and has been made again"]
            && loaded.damage.is_empty()
        {
            assert!(loaded.tasks == damaged.tasks);
            repaired += 1;
        }
    }
    assert_eq!(repaired, 1);
}

fn places_of(content: &[u8], text: &[u8]) -> Vec<usize> {
    let windows = content.windows(text.len()).enumerate();
    windows
        .filter_map(|(at, window)| (window == text).then_some(at))
        .collect()
}

#[tokio::test]
async fn the_last_three_damaged_files_are_kept() {
    let world = World::new();
    fs::create_dir(world.directory()).unwrap();
    for content in ["1", "2", "3", "4", "5"] {
        fs::write(world.file("berth.db"), content).unwrap();
        fs::write(world.file("berth.db-wal"), content).unwrap();
        world.open().await.store.close().await;
    }
    let damaged = |after: i64| format!("berth.db.damaged-{}", NOW.0 + after);
    let names: Vec<String> = world
        .names()
        .into_iter()
        .filter(|name| name.starts_with("berth.db.damaged") && !name.ends_with("-wal"))
        .collect();
    assert_eq!(names, [damaged(2), damaged(3), damaged(4)]);
    assert_eq!(fs::read_to_string(world.file(&damaged(4))).unwrap(), "5");
}

/// Copies the files of a store that is open, as a snapshot of the disk would.
fn copy(from: &World, to: &World, endings: &[&str]) {
    fs::create_dir(to.directory()).unwrap();
    for ending in endings {
        let name = format!("berth.db{ending}");
        fs::copy(from.file(&name), to.file(&name)).unwrap();
    }
}

#[tokio::test]
async fn a_copy_of_file_and_log_has_every_commit() {
    let (world, snapshot) = (World::new(), World::new());
    let (changes, tasks) = two_tasks();
    let store = world.open().await.store;
    store.commit(&changes).await.unwrap();
    copy(&world, &snapshot, &["", "-wal"]);
    let (notes, loaded) = snapshot.load().await;
    assert!(notes.is_empty(), "{notes:?}");
    assert_eq!(loaded.tasks, tasks);
}

fn length(path: &Path) -> usize {
    usize::try_from(fs::metadata(path).unwrap().len()).unwrap()
}

#[tokio::test]
async fn a_log_cut_anywhere_has_the_commits_before_the_cut() {
    let world = World::new();
    let store = world.open().await.store;
    let (log, mut lengths) = (world.file("berth.db-wal"), Vec::new());
    for id in ["a", "b", "c"] {
        store.commit(&[new_task(id)]).await.unwrap();
        lengths.push(length(&log));
    }
    let whole = fs::read(&log).unwrap();
    for (commits, length) in (1..).zip(lengths) {
        for (cut, whole_commits) in [(length - 1, commits - 1), (length, commits)] {
            let snapshot = World::new();
            copy(&world, &snapshot, &[""]);
            fs::write(snapshot.file("berth.db-wal"), &whole[..cut]).unwrap();
            let (notes, loaded) = snapshot.load().await;
            assert!(notes.is_empty(), "{notes:?}");
            let arns: Vec<_> = loaded.tasks.iter().map(Task::arn).cloned().collect();
            let expected: Vec<_> = ["a", "b", "c"][..whole_commits]
                .iter()
                .map(|id| arn(id))
                .collect();
            assert_eq!(arns, expected, "cut at {cut}");
        }
    }
}

#[tokio::test]
async fn a_log_of_garbage_is_renamed_and_the_rest_given() {
    let (world, snapshot) = (World::new(), World::new());
    world.write(&[new_task("a")]).await;
    let store = world.open().await.store;
    store.commit(&[new_task("b")]).await.unwrap();
    copy(&world, &snapshot, &["", "-wal"]);
    let log = snapshot.file("berth.db-wal");
    let mut content = fs::read(&log).unwrap();
    content[20] ^= 1;
    fs::write(&log, &content).unwrap();

    let (notes, loaded) = snapshot.load().await;
    let arns: Vec<_> = loaded.tasks.iter().map(Task::arn).cloned().collect();
    assert_eq!(arns, [arn("a")]);
    let name = format!("berth.db-wal.damaged-{}", NOW.0);
    assert_eq!(
        notes,
        [format!(
            "the write-ahead log is damaged and was renamed to {name}: the latest changes may be lost"
        )]
    );
    assert_eq!(fs::read(snapshot.file(&name)).unwrap(), content);
}

#[tokio::test]
async fn a_flipped_bit_in_the_log_gives_no_task_that_never_was() {
    let world = World::new();
    let (changes, tasks) = two_tasks();
    let store = world.open().await.store;
    store.commit(&changes).await.unwrap();
    let good = fs::read(world.file("berth.db-wal")).unwrap();
    for at in (0..good.len()).step_by(2039) {
        let snapshot = World::new();
        copy(&world, &snapshot, &[""]);
        let mut content = good.clone();
        content[at] ^= 4;
        fs::write(snapshot.file("berth.db-wal"), content).unwrap();
        let (_, loaded) = snapshot.load().await;
        assert!(loaded.tasks.iter().all(|task| tasks.contains(task)));
    }
}

#[tokio::test]
async fn a_directory_in_its_place_is_set_aside() {
    let world = World::new();
    std::fs::create_dir_all(world.file("berth.db").join("inner")).unwrap();
    let opened = world.open().await;
    assert!(opened.fresh);
    let damage = &opened.damage[0].message;
    assert!(damage.contains("it is no file"), "{damage}");
    assert!(world.names().iter().any(|name| name.contains("damaged-")));
}
