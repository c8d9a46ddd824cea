//! Images for tests, made from this machine's static busybox: there is nothing to pull.
//!
//! The archive is what `docker save` writes: a manifest, a configuration and one layer.
#![cfg(feature = "e2e")]

use berth::boundary::ImageRuntime;
use serde_json::json;
use sha2::{Digest, Sha256};

/// Package `busybox-static` puts it there.
const BUSYBOX: &str = "/bin/busybox";

/// Commands that tests may use in a container.
const APPLETS: [&str; 13] = [
    "cat", "date", "echo", "env", "false", "grep", "id", "ls", "nc", "printf", "sh", "sleep",
    "true",
];

/// Loads an image of that `name:tag` that has a shell and little else. Repeating it changes nothing.
pub(crate) async fn load_busybox(images: &dyn ImageRuntime, name: &str) {
    images
        .load_image(busybox_archive(name))
        .await
        .expect("load the test image");
}

/// A `docker save` archive of that image.
pub(crate) fn busybox_archive(name: &str) -> Vec<u8> {
    archive_with(name, &[])
}

/// Like [`busybox_archive`], with a file `/big` of that content.
pub(crate) fn archive_with(name: &str, big: &[u8]) -> Vec<u8> {
    let layer = layer(big);
    let config = json!({
        "architecture": architecture(),
        "os": "linux",
        "created": "2026-01-01T00:00:00Z",
        // Each name is an image of its own: Docker mixes up the removal of one name with the loading of another.
        "config": { "Cmd": ["/bin/sh"], "Env": ["PATH=/bin"], "Labels": { "test": name } },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", sha256(&layer))] },
        "history": [{ "created": "2026-01-01T00:00:00Z", "created_by": "test" }],
    })
    .to_string();
    let config_name = format!("{}.json", sha256(config.as_bytes()));
    let manifest = json!([{
        "Config": config_name,
        "RepoTags": [name],
        "Layers": ["layer.tar"],
    }])
    .to_string();
    let mut archive = tar::Builder::new(Vec::new());
    file(&mut archive, "layer.tar", 0o644, &layer);
    file(&mut archive, &config_name, 0o644, config.as_bytes());
    file(&mut archive, "manifest.json", 0o644, manifest.as_bytes());
    archive.into_inner().expect("an archive in memory")
}

fn layer(big: &[u8]) -> Vec<u8> {
    let busybox = std::fs::read(BUSYBOX).expect("/bin/busybox: install busybox-static");
    let mut layer = tar::Builder::new(Vec::new());
    for (path, mode) in [("bin/", 0o755), ("etc/", 0o755), ("tmp/", 0o1777)] {
        let mut header = header(tar::EntryType::Directory, mode, 0);
        layer
            .append_data(&mut header, path, std::io::empty())
            .expect("a directory");
    }
    file(&mut layer, "bin/busybox", 0o755, &busybox);
    file(
        &mut layer,
        "etc/passwd",
        0o644,
        b"root:x:0:0:root:/:/bin/sh\n",
    );
    if !big.is_empty() {
        file(&mut layer, "big", 0o644, big);
    }
    for applet in APPLETS {
        let mut header = header(tar::EntryType::Symlink, 0o777, 0);
        layer
            .append_link(&mut header, format!("bin/{applet}"), "busybox")
            .expect("a link");
    }
    layer.into_inner().expect("a layer in memory")
}

fn file(archive: &mut tar::Builder<Vec<u8>>, path: &str, mode: u32, content: &[u8]) {
    let size = u64::try_from(content.len()).expect("a size");
    let mut header = header(tar::EntryType::Regular, mode, size);
    archive
        .append_data(&mut header, path, content)
        .expect("a file");
}

/// Without times and owners, so that equal content gives an equal image id.
fn header(kind: tar::EntryType, mode: u32, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<Vec<_>>()
        .concat()
}

/// As image configurations spell it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
