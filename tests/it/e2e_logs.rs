//! `berth logs --follow` as a user leaves it running: over the end of a run and over the end of the agent.
#![cfg(feature = "e2e")]

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader, Lines};
use tokio::process::Child;

use crate::support::agent::{Site, with_site};
use crate::support::berth::LIMIT;
use crate::support::http::{DOCKER_SOCKET, request};
use crate::support::view::eventually;

/// Shortest time after which ECS lets a container be started again, in seconds, and a run that is longer.
const ATTEMPT_PERIOD: u32 = 60;
const RUN: u32 = 62;

struct Reader {
    child: Child,
    out: Lines<BufReader<Box<dyn AsyncRead + Unpin + Send>>>,
    err: Lines<BufReader<Box<dyn AsyncRead + Unpin + Send>>>,
}

impl Reader {
    fn follow(site: &Site, task: &str) -> Self {
        let mut child = site
            .berth
            .command(&["logs", "--follow", task])
            .spawn()
            .expect("it starts");
        let out: Box<dyn AsyncRead + Unpin + Send> = Box::new(child.stdout.take().expect("a pipe"));
        let err: Box<dyn AsyncRead + Unpin + Send> = Box::new(child.stderr.take().expect("a pipe"));
        Self {
            child,
            out: BufReader::new(out).lines(),
            err: BufReader::new(err).lines(),
        }
    }

    async fn line(&mut self) -> String {
        let line = tokio::time::timeout(LIMIT, self.out.next_line()).await;
        let line = line.expect("a line in time").expect("a pipe");
        line.expect("a line, not the end")
    }

    async fn said(&mut self, words: &str) {
        let line = tokio::time::timeout(LIMIT, self.err.next_line()).await;
        let line = line.expect("in time").expect("a pipe").expect("a line");
        assert!(line.contains(words), "{line}");
    }
}

#[tokio::test]
async fn output_is_followed_over_a_restart_by_hand_to_the_last_line() {
    with_site(async |site| {
        let agent = site.agent(&[]).await;
        let talk = "echo begin; trap 'echo bye; exit 0' TERM; sleep 100000 & wait";
        agent.put("t", &site.one("t", talk)).await.expect("put");
        agent.until("t", "RUNNING").await;
        let mut reader = Reader::follow(site, "t");
        assert_eq!(reader.line().await, "begin");
        let id = site.containers().await.remove(0).id;
        let path = format!("/containers/{id}/restart?t=5");
        let done = request(DOCKER_SOCKET, "POST", &path);
        assert_eq!(done.await.expect("an answer").status, 204);
        assert_eq!(reader.line().await, "bye");
        assert_eq!(reader.line().await, "begin");
        agent.stop("t").await.expect("stop");
        assert_eq!(reader.line().await, "bye");
        let end = tokio::time::timeout(LIMIT, reader.out.next_line()).await;
        assert_eq!(end.expect("in time").expect("a pipe"), None);
        let status = tokio::time::timeout(LIMIT, reader.child.wait()).await;
        assert_eq!(status.expect("in time").expect("a status").code(), Some(0));
        assert!(agent.end().await.success());
    })
    .await;
}

/// Lines that Docker has of the one container.
async fn ticks(site: &Site) -> usize {
    let id = site.containers().await.remove(0).id;
    let path = format!("/containers/{id}/logs?stdout=1");
    let answer = request(DOCKER_SOCKET, "GET", &path).await;
    answer.expect("an answer").body.matches("tick").count()
}

/// The restart is its policy's; both ends of an agent come before it.
#[tokio::test]
async fn output_is_followed_over_a_restart_by_policy_and_of_the_agent() {
    with_site(async |site| {
        let mut agent = site.agent(&[]).await;
        let talk = format!(
            "i=0; while [ $i -lt {RUN} ]; do echo tick $i; i=$((i+1)); sleep 1; done; exit 3"
        );
        let mut definition = site.one("t", &talk);
        definition["containerDefinitions"][0]["restartPolicy"] =
            json!({ "enabled": true, "restartAttemptPeriod": ATTEMPT_PERIOD });
        agent.put("t", &definition).await.expect("put");
        agent.until("t", "RUNNING").await;
        let mut reader = Reader::follow(site, "t");
        assert_eq!(reader.line().await, "tick 0");
        for end in ["kill", "end"] {
            match end {
                "kill" => agent.kill().await,
                _ => assert!(agent.end().await.success()),
            }
            reader.said("the agent has ended").await;
            let before = ticks(site).await;
            eventually("a line that no agent has seen", async || {
                (ticks(site).await > before + 1).then_some(())
            })
            .await;
            agent = site.agent(&[]).await;
            reader.said("the agent is back").await;
        }
        // Every line comes, in order; those around an end of the agent perhaps twice.
        let (mut next, mut restarted) = (1, false);
        while !restarted {
            let line = reader.line().await;
            let tick: u32 = line
                .strip_prefix("tick ")
                .and_then(|n| n.parse().ok())
                .expect("a tick");
            restarted = tick == 0 && next == RUN;
            assert!(restarted || tick <= next, "{tick} when {next} was due");
            next = next.max(tick + 1);
        }
        let pid = i32::try_from(reader.child.id().expect("it runs")).expect("a pid");
        kill(Pid::from_raw(pid), Signal::SIGINT).expect("a signal");
        assert!(agent.end().await.success());
    })
    .await;
}
