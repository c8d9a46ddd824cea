//! Events, pulls, images and what Docker says of itself.

use serde_json::json;

use super::super::event::event;
use super::super::image;
use super::super::info::info;
use super::super::progress::Tally;
use super::sample::{ID, labels, read};
use crate::domain::ids::UnixMillis;
use crate::domain::names::LABEL_TASK_ARN;
use crate::domain::runtime::{PullProgress, RuntimeEventKind};
use crate::domain::status::Health;

#[test]
fn events_are_decoded_from_action_and_actor() {
    let message = |action: &str, more: &[(&str, &str)]| {
        event(&read(json!({
            "Type": "container", "Action": action, "scope": "new", "time": 5, "timeNano": 5_678_000_000_i64,
            "Actor": {"ID": ID, "Attributes": labels(more)},
        })))
    };
    for (action, kind) in [
        ("create", Some(RuntimeEventKind::Changed)),
        ("start", Some(RuntimeEventKind::Changed)),
        ("oom", Some(RuntimeEventKind::Changed)),
        ("something new", Some(RuntimeEventKind::Changed)),
        ("kill", Some(RuntimeEventKind::Killed)),
        ("destroy", Some(RuntimeEventKind::Destroyed)),
        (
            "health_status: healthy",
            Some(RuntimeEventKind::Health(Health::Healthy)),
        ),
        (
            "health_status: unhealthy",
            Some(RuntimeEventKind::Health(Health::Unhealthy)),
        ),
        ("exec_start: probe", None),
        ("exec_die", None),
        ("top", None),
    ] {
        let found = message(action, &[]).map(|event| event.kind);
        assert_eq!(found, kind, "{action}");
    }
    let died = message("die", &[("exitCode", "3")]).unwrap();
    assert_eq!(died.kind, RuntimeEventKind::Died { exit_code: Some(3) });
    assert_eq!(died.at, UnixMillis(5678));
    assert_eq!((died.id.as_str(), died.container.as_str()), (ID, "app"));
    let stranger = message("die", &[(LABEL_TASK_ARN, "x")]);
    assert_eq!(stranger, None, "labels that cannot be read");
}

#[test]
fn events_about_other_things_are_left_out() {
    let network = json!({
        "Type": "network", "Action": "connect", "time": 5,
        "Actor": {"ID": ID, "Attributes": labels(&[])},
    });
    assert_eq!(event(&read(network)), None);
    let coarse = json!({
        "Type": "container", "Action": "start", "time": 5,
        "Actor": {"ID": ID, "Attributes": labels(&[])},
    });
    assert_eq!(event(&read(coarse)).unwrap().at, UnixMillis(5000));
}

#[test]
fn pull_messages_are_summed_over_layers() {
    let mut tally = Tally::default();
    let mut last = PullProgress::default();
    for message in [
        json!({"status": "Pulling from team/web", "id": "1"}),
        json!({"status": "Pulling fs layer", "id": "a", "progressDetail": {}}),
        json!({"status": "Already exists", "id": "b", "progressDetail": null}),
        json!({"status": "Downloading", "id": "a", "progressDetail": {"current": 40, "total": 100}}),
    ] {
        last = tally.add(read(message)).unwrap();
    }
    let expected = PullProgress {
        downloaded_bytes: 40,
        download_total_bytes: 100,
        extracted_bytes: 0,
        extracting_secs: 0,
        layers_done: 1,
        layers_total: 2,
    };
    assert_eq!(last, expected);
    for message in [
        json!({"status": "Download complete", "id": "a"}),
        json!({"status": "Extracting", "id": "a", "progressDetail": {"current": 60, "total": 100}}),
        json!({"status": "Extracting", "id": "a", "progressDetail": {"current": 3, "units": "s"}}),
        json!({"status": "Digest: sha256:1"}),
    ] {
        last = tally.add(read(message)).unwrap();
    }
    assert_eq!((last.downloaded_bytes, last.extracted_bytes), (100, 60));
    let done = json!({"status": "Pull complete", "id": "a", "progressDetail": {}});
    last = tally.add(read(done)).unwrap();
    assert_eq!((last.extracted_bytes, last.layers_done), (100, 2));
}

/// Without bytes, as containerd's image store tells it.
#[test]
fn seconds_of_unpacking_are_progress() {
    let mut tally = Tally::default();
    let mut seen = Vec::new();
    for message in [
        json!({"status": "Download complete", "id": "a", "progressDetail": {"hidecounts": true}}),
        json!({"status": "Extracting", "id": "a", "progressDetail": {"current": 1, "units": "s"}}),
        json!({"status": "Extracting", "id": "a", "progressDetail": {"current": 1, "units": "s"}}),
        json!({"status": "Extracting", "id": "b", "progressDetail": {"current": 2, "units": "s"}}),
        json!({"status": "Extracting", "id": "a", "progressDetail": {"current": 90, "units": "s"}}),
        json!({"status": "Pull complete", "id": "a", "progressDetail": {"hidecounts": true}}),
    ] {
        let sum = tally.add(read(message)).unwrap();
        seen.push((sum.extracting_secs, sum.extracted_bytes, sum.layers_done));
    }
    let expected = [
        (0, 0, 0),
        (1, 0, 0),
        (1, 0, 0),
        (3, 0, 0),
        (92, 0, 0),
        (92, 0, 1),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn pull_errors_are_the_detailed_text() {
    let mut tally = Tally::default();
    let both = json!({"error": "short", "errorDetail": {"code": 1, "message": "long"}});
    assert_eq!(tally.add(read(both)).unwrap_err(), "long");
    let one = json!({"error": "short"});
    assert_eq!(tally.add(read(one)).unwrap_err(), "short");
}

#[test]
fn an_image_with_endless_layers_does_not_fill_memory() {
    let mut tally = Tally::default();
    let mut layers = 0;
    for id in 0..1000 {
        let message = json!({"status": "Waiting", "id": id.to_string()});
        layers = tally.add(read(message)).unwrap().layers_total;
    }
    assert_eq!(layers, 256);
}

#[test]
fn images_lose_their_missing_names() {
    let image = image::inspected(read(json!({
        "Id": "sha256:1", "RepoTags": ["b:2", "<none>:<none>", "a:1"], "RepoDigests": null,
        "Size": 5, "Created": "1970-01-01T00:00:02Z", "Os": "windows", "Architecture": "amd64",
        "OsVersion": "10.0.20348.1906",
    })));
    assert_eq!(image.tags, ["a:1", "b:2"]);
    assert_eq!(image.os_version.as_deref(), Some("10.0.20348.1906"));
    assert_eq!(image.created_at, UnixMillis(2000));
    let listed = image::listed(read(json!({
        "Id": "sha256:1", "RepoTags": ["<none>:<none>"], "RepoDigests": ["<none>@<none>"],
        "Size": 5, "Created": 2, "Containers": -1,
    })));
    assert!(listed.tags.is_empty() && listed.digests.is_empty());
    assert_eq!(listed.created_at, UnixMillis(2000));
}

#[test]
fn manifests_of_new_and_old_daemons() {
    for (descriptor, platform) in [
        (
            json!({"mediaType": "m", "digest": "sha256:1", "size": 3}),
            json!({"architecture": "arm64", "os": "linux", "variant": "v8"}),
        ),
        (
            json!({"MediaType": "m", "Digest": "sha256:1"}),
            json!({"Architecture": "arm64", "OS": "linux"}),
        ),
    ] {
        let said = json!({"Descriptor": descriptor, "Platforms": [platform]});
        let manifest = image::manifest(read(said)).unwrap();
        assert_eq!(
            (manifest.digest.as_str(), manifest.media_type.as_str()),
            ("sha256:1", "m")
        );
        assert_eq!(manifest.platforms[0].architecture, "arm64");
        assert_eq!(manifest.platforms[0].os_version, None);
    }
    assert_eq!(image::manifest(read(json!({"Descriptor": {}}))), None);
}

#[test]
fn info_of_new_and_old_daemons() {
    let said = json!({
        "ServerVersion": "29.0.0", "OSType": "linux", "Architecture": "x86_64", "NCPU": 2,
        "MemTotal": 1024, "CgroupVersion": "2", "CgroupDriver": "systemd", "SwapLimit": true,
        "SecurityOptions": ["name=seccomp,profile=builtin", "name=cgroupns"],
        "DockerRootDir": "/var/lib/docker", "SystemTime": "2026-01-02T03:04:05Z",
        "Plugins": {"Log": ["json-file"], "Volume": ["local"], "Network": ["bridge"]},
    });
    let new = info(read(said), "29.0.0", "1.52".to_owned());
    assert_eq!(new.security_options, ["cgroupns", "seccomp"]);
    assert_eq!(new.cgroup_version, "2");
    let said = json!({"SecurityOptions": ["apparmor"], "Plugins": {"Log": null}});
    let old = info(read(said), "1.12.0", "1.24".to_owned());
    assert_eq!(old.security_options, ["apparmor"]);
    assert_eq!(
        (old.version.as_str(), old.cgroup_version.as_str()),
        ("1.12.0", "1")
    );
}
