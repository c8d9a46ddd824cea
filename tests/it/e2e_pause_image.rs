//! The pause program and its image, where they really run. Needs root's Docker Engine; says so where it is missing.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use berth::images::pause::{PAUSE_IMAGE, pause_image_archive};
use berth::platform::command::{Command, CommandError};

const LIMIT: Duration = Duration::from_mins(1);

/// `/pause` out of the archive of this machine's architecture.
fn program() -> Vec<u8> {
    let archive = pause_image_archive(std::env::consts::ARCH).unwrap();
    let mut outer = tar::Archive::new(archive.as_slice());
    let layer = outer.entries().unwrap().map(Result::unwrap).find(|entry| {
        let path = entry.path().unwrap();
        path.ends_with("layer.tar")
    });
    let mut inner = tar::Archive::new(layer.unwrap());
    let mut file = inner.entries().unwrap().next().unwrap().unwrap();
    let mut program = Vec::new();
    std::io::Read::read_to_end(&mut file, &mut program).unwrap();
    program
}

async fn docker(args: &[&str], input: Vec<u8>) -> Result<String, CommandError> {
    let output = Command::new("docker", LIMIT)
        .args(args)
        .input(input)
        .run()
        .await?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[tokio::test]
async fn the_program_waits_until_it_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pause");
    fs::write(&path, program()).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    // A program that the kernel refuses, or that crashes, ends before its deadline.
    let ended = Command::new(&path, Duration::from_millis(300)).run().await;
    assert!(
        matches!(ended, Err(CommandError::Deadline { .. })),
        "{ended:?}"
    );
}

#[tokio::test]
async fn the_engine_loads_the_image_and_runs_it() {
    if docker(&["version"], Vec::new()).await.is_err() {
        berth::testing::skip::skipped("there is no Docker Engine");
        return;
    }
    let archive = pause_image_archive(std::env::consts::ARCH).unwrap();
    docker(&["load"], archive.clone()).await.unwrap();
    let first = docker(&["inspect", "--format={{.Id}}", PAUSE_IMAGE], Vec::new())
        .await
        .unwrap();
    docker(&["load"], archive).await.unwrap();
    let second = docker(&["inspect", "--format={{.Id}}", PAUSE_IMAGE], Vec::new())
        .await
        .unwrap();
    assert_eq!(first, second, "one image however often it is loaded");

    let run = ["run", "--detach", "--network=none", PAUSE_IMAGE];
    let container = docker(&run, Vec::new()).await.unwrap();
    let state = [
        "inspect",
        "--format={{.State.Running}} {{.State.Pid}}",
        &container,
    ];
    let state = docker(&state, Vec::new()).await.unwrap();
    let pid = state.strip_prefix("true ").unwrap().to_owned();
    // SIGCHLD is signal 17: the bit 16 of the mask of ignored signals. Others are inherited from who started the engine.
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let ignored = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .unwrap();
    let ignored = u64::from_str_radix(ignored.trim(), 16).unwrap();
    // The stop signal of the image ends process 1 at once, where SIGTERM would be ignored until the grace ends.
    let stopped = docker(&["stop", "--time=50", &container], Vec::new()).await;
    docker(&["rm", "--force", &container], Vec::new())
        .await
        .unwrap();
    assert_ne!(ignored & (1 << 16), 0, "{status}");
    assert!(stopped.is_ok());
}
