//! The image around the pause program, in the form that `docker save` writes and `docker load` reads.

use std::io;

use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::PAUSE_IMAGE;
use super::elf::{Architecture, UnsupportedArchitecture, pause_program};

/// Where the program lies in the image.
const PROGRAM: &str = "pause";

/// The archive of [`PAUSE_IMAGE`] for that architecture, in Docker's, Rust's or the image configuration's spelling.
///
/// # Errors
/// The pause program is not known for it.
pub fn pause_image_archive(architecture: &str) -> Result<Vec<u8>, UnsupportedArchitecture> {
    let architecture = Architecture::parse(architecture)?;
    let layer = tar_of(&[(PROGRAM, 0o755, &pause_program(architecture))]);
    // The engine names a layer by the digest of its archive and refuses a configuration that does not agree.
    let diff_id = sha256_hex(&layer);
    let config = json!({
        "architecture": architecture.as_str(),
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {
            "Entrypoint": [format!("/{PROGRAM}")],
            // Process 1 of a namespace hears no other signal.
            "StopSignal": "SIGKILL",
        },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{diff_id}")] },
    })
    .to_string();
    let config_name = format!("{}.json", sha256_hex(config.as_bytes()));
    let layer_name = format!("{diff_id}/layer.tar");
    let manifest = json!([{
        "Config": config_name,
        "RepoTags": [PAUSE_IMAGE],
        "Layers": [layer_name],
    }])
    .to_string();
    Ok(tar_of(&[
        (&config_name, 0o644, config.as_bytes()),
        (&layer_name, 0o644, &layer),
        ("manifest.json", 0o644, manifest.as_bytes()),
    ]))
}

/// A tar archive of files that belong to root and have no age.
#[expect(
    clippy::expect_used,
    reason = "the writer is memory, and the longest path is a digest and `/layer.tar`, 74 bytes"
)]
fn tar_of(files: &[(&str, u32, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut write = || -> io::Result<()> {
        for (path, mode, content) in files {
            let mut header = tar::Header::new_ustar();
            header.set_size(u64::try_from(content.len()).unwrap_or(u64::MAX));
            header.set_mode(*mode);
            archive.append_data(&mut header, path, *content)?;
        }
        archive.finish()
    };
    write()
        .and_then(|()| archive.into_inner())
        .expect("memory takes every file, and no path is over 100 bytes")
}

fn sha256_hex(bytes: &[u8]) -> String {
    let hex = |byte: &u8| format!("{byte:02x}");
    let digits: Vec<String> = Sha256::digest(bytes).iter().map(hex).collect();
    digits.concat()
}
