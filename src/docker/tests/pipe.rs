//! Faults of Docker's named pipe, on real named pipes: absent, denied, stuck, gone and back, broken, busy.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tokio::net::windows::named_pipe::{NamedPipeServer, ServerOptions};
use tokio::task::JoinSet;

use super::super::{Docker, DockerConfig};
use super::daemon::{Answer, Rules, Seen, answer, ok, rules_of};
use crate::boundary::{BoundaryError, ContainerRuntime, ErrorKind};

/// Clients that want something of Docker at once.
const CLIENTS: usize = 100;

/// Instances of a pipe that are far fewer, so that most clients find all of them taken.
const INSTANCES: usize = 4;

fn name(word: &str) -> String {
    format!("berth-docker-{}-{word}", std::process::id())
}

fn docker(name: &str, change: impl FnOnce(&mut DockerConfig)) -> Docker {
    let mut config = DockerConfig::new("i1");
    config.endpoint = Some(format!("npipe:////./pipe/{name}"));
    change(&mut config);
    Docker::new(config).unwrap()
}

fn instance(name: &str, of: usize) -> NamedPipeServer {
    let path = format!(r"\\.\pipe\{name}");
    ServerOptions::new().max_instances(of).create(path).unwrap()
}

/// A daemon behind a pipe with that many instances; it and the pipe are gone when this is dropped.
fn serve(name: &str, instances: usize, rules: &[(&str, Answer)]) -> (JoinSet<()>, Seen) {
    let seen = Seen::default();
    let mut server = JoinSet::new();
    for _ in 0..instances {
        let pipe = instance(name, instances);
        server.spawn(one_by_one(pipe, rules_of(rules), Arc::clone(&seen)));
    }
    (server, seen)
}

async fn one_by_one(mut pipe: NamedPipeServer, rules: Rules, seen: Seen) {
    while pipe.connect().await.is_ok() {
        let hangs_up = rules.iter().any(|(_, each)| matches!(each, Answer::Hangup));
        answer(&mut pipe, rules.clone(), Arc::clone(&seen)).await;
        if !hangs_up {
            // What the client has not read yet is lost with the connection: it goes first.
            tokio::io::copy(&mut pipe, &mut tokio::io::sink())
                .await
                .ok();
        }
        pipe.disconnect().unwrap();
    }
}

fn negotiations(seen: &Seen) -> usize {
    let seen = seen.lock().unwrap();
    seen.iter()
        .filter(|head| head.starts_with("GET /version"))
        .count()
}

fn unavailable(error: &BoundaryError, words: &str) {
    assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
    assert!(error.message.contains(words), "{error}");
}

#[tokio::test]
async fn a_pipe_that_is_not_there_is_named_with_what_to_do() {
    let name = name("absent");
    let error = docker(&name, |_| {}).info().await.unwrap_err();
    unavailable(&error, "Docker is not running");
    unavailable(&error, &format!("the Docker pipe //./pipe/{name}"));
    unavailable(
        &error,
        "start the Docker service, or name its address with DOCKER_HOST",
    );
}

/// Windows refuses whoever wants to read from a pipe that only takes: the same error as for a list of rights that leaves
/// one out, which Wine 8 does not look at.
#[tokio::test]
async fn a_pipe_that_may_not_be_used_is_told_with_who_may() {
    let name = name("denied");
    let path = format!(r"\\.\pipe\{name}");
    let _pipe = ServerOptions::new()
        .access_outbound(false)
        .create(path)
        .unwrap();
    let error = docker(&name, |_| {}).info().await.unwrap_err();
    let words = format!(
        "no permission to use the Docker pipe //./pipe/{name}: run berth as SYSTEM or as an administrator"
    );
    unavailable(&error, &words);
}

#[tokio::test]
async fn a_pipe_that_never_answers_ends_at_the_deadline_and_says_where() {
    let name = name("stuck");
    let (_server, seen) = serve(&name, 1, &[("GET /version", Answer::Silence)]);
    let docker = docker(&name, |config| {
        config.deadlines.info = Duration::from_millis(200);
    });
    let error = docker.info().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::DeadlineExceeded, "{error}");
    let words = format!("on the Docker pipe //./pipe/{name}: Docker hangs or is overloaded");
    assert!(error.message.contains(&words), "{error}");
    assert_eq!(negotiations(&seen), 1, "it was heard");
}

/// Docker is stopped and started, or exchanged for another: whoever asks next finds it, and asks what it speaks.
#[tokio::test]
async fn a_pipe_that_goes_and_comes_back_is_found_again() {
    let name = name("returns");
    let rules = [("containers/json", ok(&json!([])))];
    let docker = docker(&name, |_| {});
    for _ in 0..2 {
        let (server, seen) = serve(&name, 1, &rules);
        docker.list().await.unwrap();
        docker.list().await.unwrap();
        assert_eq!(negotiations(&seen), 1);
        drop(server);
        // An aborted task goes when it is its turn, and the pipe with it.
        let gone = async {
            while docker.list().await.is_ok() {
                tokio::task::yield_now().await;
            }
            docker.list().await.unwrap_err()
        };
        let gone = tokio::time::timeout(Duration::from_secs(30), gone).await;
        unavailable(&gone.unwrap(), "Docker is not running");
    }
}

#[tokio::test]
async fn a_pipe_that_breaks_amid_a_call_is_no_observation() {
    let name = name("breaks");
    let (_server, _) = serve(&name, 1, &[("containers/json", Answer::Hangup)]);
    let error = docker(&name, |_| {}).list().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Transient, "{error}");
}

#[tokio::test]
async fn a_hundred_clients_at_once_take_turns_at_a_busy_pipe() {
    let name = name("busy");
    let (_server, seen) = serve(&name, INSTANCES, &[("containers/json", ok(&json!([])))]);
    let docker = docker(&name, |_| {});
    docker.list().await.unwrap();
    let lists = join_all((0..CLIENTS).map(|_| docker.list())).await;
    for list in lists {
        assert_eq!(list.unwrap().len(), 0);
    }
    assert_eq!(negotiations(&seen), 1, "one of them was enough");
    let asked = seen.lock().unwrap().len();
    assert_eq!(asked, CLIENTS + 2, "each was heard once");
}
