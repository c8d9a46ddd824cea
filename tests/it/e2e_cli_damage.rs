//! State that is damaged while tasks run: the agent starts, finds what runs, and says what was lost.
#![cfg(feature = "e2e")]

use std::os::unix::fs::FileExt as _;
use std::path::Path;

use crate::support::agent::{Agent, Seen, Site, with_site};
use crate::support::view::{SERVE, eventually};

/// Bytes of a page of the database.
const PAGE: usize = 4096;

/// Tasks that run meanwhile.
const TASKS: usize = 2;

/// Some tasks that run, their agent killed or ended.
async fn running(site: &Site, ended: bool) -> Vec<Seen> {
    let agent = site.agent(&[]).await;
    for number in 0..TASKS {
        let put = agent
            .put(&format!("t-{number}"), &site.one("serve", SERVE))
            .await;
        put.expect("a put");
    }
    for number in 0..TASKS {
        agent.until(&format!("t-{number}"), "RUNNING").await;
    }
    let seen = site.running().await;
    if ended {
        agent.end().await;
    } else {
        agent.kill().await;
    }
    seen
}

/// Starts the agent: everything runs as before and is listed.
async fn found_again(site: &Site, before: &[Seen], what: &str) -> Agent {
    let agent = site.agent(&[]).await;
    for number in 0..TASKS {
        agent.until(&format!("t-{number}"), "RUNNING").await;
    }
    let why = site.run(&["why"]).await;
    assert_eq!(why.code, Some(0), "{what}: {why:?}");
    assert_eq!(site.containers().await, before, "{what}: {}", site.log());
    agent
}

async fn assert_visible(site: &Site, agent: &Agent, what: &str) {
    let health = agent.health().await.expect("health");
    let damage = health["engine"]["damage"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    assert!(!damage.is_empty(), "{what}: {health:#}");
    assert_eq!(health["status"], "degraded", "{what}");
    let why = site.run(&["why"]).await;
    let said: Vec<&str> = why.with(0).split_whitespace().collect();
    let said = said.join(" ");
    let first = damage[0].as_str().unwrap_or_default();
    let words: Vec<&str> = first.split_whitespace().take(3).collect();
    assert!(
        said.contains(&words.join(" ")),
        "{what}: {said} does not say {first}"
    );
}

#[tokio::test]
async fn a_database_that_is_no_more_one_is_set_aside_and_what_runs_is_found() {
    with_site(async |site| {
        type Spoil = fn(&Path);
        let damages: [(&str, Spoil); 6] = [
            ("truncated", |path| {
                std::fs::File::options()
                    .write(true)
                    .open(path)
                    .and_then(|file| file.set_len(5000))
                    .expect("cut");
            }),
            ("empty", |path| std::fs::write(path, b"").expect("emptied")),
            ("zeroed", |path| {
                std::fs::write(path, vec![0; length(path)]).expect("zeroed");
            }),
            ("random", |path| {
                let bytes: Vec<u8> = (0..length(path)).map(|_| rand::random()).collect();
                std::fs::write(path, bytes).expect("overwritten");
            }),
            ("a directory", |path| {
                std::fs::remove_file(path).expect("removed");
                std::fs::create_dir(path).expect("a directory");
            }),
            ("text", |path| {
                std::fs::write(path, "hello").expect("overwritten");
            }),
        ];
        let before = running(site, true).await;
        for (what, spoil) in damages {
            spoil(&site.data().join("berth.db"));
            let agent = found_again(site, &before, what).await;
            assert_visible(site, &agent, what).await;
            agent.end().await;
        }
    })
    .await;
}

fn length(path: &Path) -> usize {
    let bytes = std::fs::metadata(path).expect("a file").len();
    usize::try_from(bytes).expect("a length")
}

#[tokio::test]
async fn a_bit_that_flips_anywhere_stops_and_doubles_nothing() {
    with_site(async |site| {
        let before = running(site, true).await;
        let path = site.data().join("berth.db");
        let sound = std::fs::read(&path).expect("the database");
        let pages = sound.len() / PAGE;
        for page in (0..pages).step_by(pages.div_ceil(12)) {
            let mut spoilt = sound.clone();
            // In the page's head, in its middle and near its end, where the cells are.
            for place in [3, PAGE / 2, PAGE - 40] {
                spoilt[page * PAGE + place] ^= 0x10;
            }
            std::fs::write(&path, &spoilt).expect("written");
            for log in ["berth.db-wal", "berth.db-shm"] {
                std::fs::remove_file(site.data().join(log)).ok();
            }
            let agent = found_again(site, &before, &format!("page {page}")).await;
            agent.end().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_log_of_garbage_and_lost_files_stop_and_double_nothing() {
    with_site(async |site| {
        let before = running(site, false).await;
        let wal = site.data().join("berth.db-wal");
        let file = std::fs::File::options()
            .write(true)
            .open(&wal)
            .expect("the log of a killed agent");
        let garbage: Vec<u8> = (0..length(&wal)).map(|_| rand::random()).collect();
        file.write_all_at(&garbage, 0).expect("written");
        let agent = found_again(site, &before, "log of garbage").await;
        assert_visible(site, &agent, "log of garbage").await;
        agent.kill().await;

        for entry in std::fs::read_dir(site.data())
            .expect("a directory")
            .flatten()
        {
            if entry.file_name().to_string_lossy().starts_with("berth.db") {
                std::fs::remove_file(entry.path()).expect("removed");
            }
        }
        found_again(site, &before, "no database").await.kill().await;

        std::fs::remove_dir_all(site.data()).expect("removed");
        let agent = found_again(site, &before, "no data directory").await;
        // What was found obeys.
        site.run(&["stop", "t-0"]).await.with(0);
        site.run(&["rm", "t-0", "t-1", "--force"]).await.with(0);
        assert_eq!(site.containers().await, []);
        drop(agent);
    })
    .await;
}

#[tokio::test]
async fn a_data_directory_that_goes_under_a_running_agent_stops_nothing() {
    with_site(async |site| {
        let before = running(site, true).await;
        let agent = found_again(site, &before, "as usual").await;
        for entry in std::fs::read_dir(site.data())
            .expect("a directory")
            .flatten()
        {
            if entry.file_name().to_string_lossy().starts_with("berth.db") {
                std::fs::remove_file(entry.path()).expect("removed");
            }
        }
        // Whether it can still write or not, it answers, and a new start finds everything.
        agent.put("late", &site.one("late", "exit 4")).await.ok();
        assert!(agent.health().await.is_ok());
        agent.kill().await;
        let agent = site.agent(&[]).await;
        for seen in &before {
            eventually("it is found", async || {
                let list = agent.tasks().await.ok()?;
                let tasks = list["tasks"].as_array()?;
                let task = tasks.iter().find(|task| task["taskArn"] == seen.task)?;
                (task["status"] == "RUNNING").then_some(())
            })
            .await;
        }
        let after = site.running().await;
        assert!(before.iter().all(|seen| after.contains(seen)), "{after:?}");
    })
    .await;
}

#[tokio::test]
async fn one_corrupt_row_concerns_one_task() {
    with_site(async |site| {
        let before = running(site, true).await;
        spoil_row(site);
        let agent = found_again(site, &before, "one row").await;
        assert_visible(site, &agent, "one row").await;
        let health = agent.health().await.expect("health");
        let damage = health["engine"]["damage"].to_string();
        assert!(
            damage.contains("/t-0") && !damage.contains("/t-1"),
            "{damage}"
        );
    })
    .await;
}

/// Changes a text in the row of one task, as a disk might: the checksum of the row no longer fits.
fn spoil_row(site: &Site) {
    let path = site.data().join("berth.db");
    let mut bytes = std::fs::read(&path).expect("the database");
    let task = b"task/default/t-0";
    let at = bytes.windows(task.len()).enumerate();
    let places: Vec<usize> = at
        .filter(|(_, found)| found == task)
        .map(|(at, _)| at)
        .collect();
    let image = site.image.as_bytes();
    let near = |place: usize| {
        let window = &bytes[place..(place + 3000).min(bytes.len())];
        let found = window.windows(image.len()).position(|text| text == image);
        found.map(|offset| place + offset)
    };
    let place = places
        .iter()
        .find_map(|place| near(*place))
        .expect("its definition");
    bytes[place] = b'X';
    std::fs::write(&path, bytes).expect("written");
}
