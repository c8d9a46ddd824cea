//! A connected agent on a host that cannot resolve the name of the control plane: at its start, and for a while later.
//!
//! The agent has a mount namespace of its own, in which its names are the test's; nobody else's change.
#![cfg(feature = "e2e")]

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::support::agent::{Site, with_site};
use crate::support::control_plane::{ControlPlane, KEY, REGION, SECRET};
use crate::support::view::eventually;

const NAME: &str = "ecs.test";

/// Resolves the name for the agents of the site, or no longer.
fn resolve(site: &Site, resolves: bool) {
    let name = if resolves { NAME } else { "" };
    std::fs::write(site.path("hosts"), format!("127.0.0.1 localhost {name}\n")).expect("a file");
}

/// Runs agents with the site's names. False = this host does not let the test.
fn with_own_names(site: &mut Site, plane: &ControlPlane) -> bool {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: a mount namespace needs root");
        return false;
    }
    resolve(site, false);
    // Nobody listens there.
    let resolver = "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n";
    std::fs::write(site.path("resolv.conf"), resolver).expect("a file");
    let built = env!("CARGO_BIN_EXE_berth");
    let (hosts, resolver) = (site.path("hosts"), site.path("resolv.conf"));
    let inside = format!(
        "mount --bind {} /etc/hosts && mount --bind {} /etc/resolv.conf && exec {built} \"$@\"",
        hosts.display(),
        resolver.display()
    );
    let script = site.path("berth-with-names");
    let text = format!("#!/bin/sh\nexec unshare --mount sh -c '{inside}' berth \"$@\"\n");
    std::fs::write(&script, text).expect("a file");
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).expect("its mode");
    site.berth.program = Some(script);
    site.berth = std::mem::take(&mut site.berth)
        .env("ECS_CLUSTER", "lab")
        .env("AWS_DEFAULT_REGION", REGION)
        .env("ECS_BACKEND_HOST", plane.url())
        .env("AWS_ACCESS_KEY_ID", KEY)
        .env("AWS_SECRET_ACCESS_KEY", SECRET);
    true
}

async fn logs(site: &Site, words: &str) {
    eventually(words, async || site.log().contains(words).then_some(())).await;
}

#[tokio::test]
async fn an_outage_of_name_resolution_holds_up_the_session_and_nothing_else() {
    let plane = ControlPlane::start_named(NAME).await;
    with_site(async |site| {
        if !with_own_names(site, &plane) {
            return;
        }
        let agent = site.agent(&[]).await;
        logs(site, "this host is not registered yet").await;
        assert_eq!(plane.all_calls().len(), 0);
        resolve(site, true);
        let arn = format!("arn:aws:ecs:us-west-2:123456789012:task/lab/{}", site.id("ends"));
        let go = site.path("go");
        let directory = go.parent().expect("a directory").display().to_string();
        let task = json!({
            "arn": arn, "desiredStatus": "RUNNING", "family": "lab", "version": "1", "networkMode": "bridge",
            "volumes": [{"name": "go", "type": "host", "host": {"sourcePath": directory}}],
            "containers": [{
                "name": "main", "image": site.image, "essential": true, "memory": 32,
                "command": ["sh", "-c", "while ! test -e /go/go; do sleep 0.1; done; exit 5"],
                "mountPoints": [{"sourceVolume": "go", "containerPath": "/go", "readOnly": true}],
            }],
        });
        plane.payload("m1", 1, &[task]).await;
        plane.change(&arn, "RUNNING").await;

        resolve(site, false);
        plane.away(true);
        logs(site, &format!("cannot connect to {NAME}")).await;
        plane.away(false);
        std::fs::write(&go, "").expect("a file");
        eventually("it ends", async || site.running().await.is_empty().then_some(())).await;
        let opened = plane.opened().len();
        assert_eq!(plane.changes_of(&arn).len(), 1, "nobody can be told");

        resolve(site, true);
        let stopped = plane.change(&arn, "STOPPED").await;
        assert_eq!(stopped["containers"][0]["exitCode"], 5);
        plane
            .until("a session is open again", || (plane.opened().len() > opened).then_some(()))
            .await;
        assert!(agent.end().await.success());
    })
    .await;
}
