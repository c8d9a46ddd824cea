//! Reads the archive back; that the program runs is tested where a container engine or this machine can run it.

use std::io::Read as _;

use super::*;

/// Files of a tar archive: path, mode and content.
fn files(archive: &[u8]) -> Vec<(String, u32, Vec<u8>)> {
    let mut archive = tar::Archive::new(archive);
    let entries = archive.entries().unwrap();
    entries
        .map(|entry| {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().display().to_string();
            let mode = entry.header().mode().unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            (path, mode, content)
        })
        .collect()
}

fn file(archive: &[u8], name: &str) -> Vec<u8> {
    let found = files(archive).into_iter().find(|(path, ..)| path == name);
    found.unwrap_or_else(|| panic!("no {name}")).2
}

#[test]
fn the_parts_of_the_archive_name_each_other() {
    let archive = pause_image_archive("x86_64").unwrap();
    assert_eq!(
        archive,
        pause_image_archive("amd64").unwrap(),
        "reproducible"
    );
    let manifest: serde_json::Value =
        serde_json::from_slice(&file(&archive, "manifest.json")).unwrap();
    assert_eq!(manifest[0]["RepoTags"][0], PAUSE_IMAGE);
    let config: serde_json::Value =
        serde_json::from_slice(&file(&archive, manifest[0]["Config"].as_str().unwrap())).unwrap();
    assert_eq!(config["config"]["Entrypoint"][0], "/pause");
    assert_eq!(config["config"]["StopSignal"], "SIGKILL");
    let layer = file(&archive, manifest[0]["Layers"][0].as_str().unwrap());
    let layer_files = files(&layer);
    assert_eq!(
        (layer_files[0].0.as_str(), layer_files[0].1),
        ("pause", 0o755)
    );
}

#[test]
fn each_program_is_an_executable_of_its_machine() {
    for (architecture, machine) in [("x86_64", 62), ("aarch64", 183)] {
        let archive = pause_image_archive(architecture).unwrap();
        let manifest: serde_json::Value =
            serde_json::from_slice(&file(&archive, "manifest.json")).unwrap();
        let layer = file(&archive, manifest[0]["Layers"][0].as_str().unwrap());
        let program = file(&layer, "pause");
        assert_eq!(program[..4], *b"\x7fELF");
        assert_eq!(program[18], machine);
        let long = |at: usize| u64::from_le_bytes(program[at..at + 8].try_into().unwrap());
        assert_eq!(
            long(0x60),
            u64::try_from(program.len()).unwrap(),
            "the segment is the whole file"
        );
        assert_eq!(
            long(24),
            long(0x50) + 0x78,
            "the entry is the first instruction"
        );
        assert_eq!(program.len() % 8, 0, "the action at its end is aligned");
        assert_eq!(long(program.len() - 32), 1, "SIG_IGN");
        assert_eq!(long(program.len() - 24), 2, "SA_NOCLDWAIT");
    }
}

#[test]
fn an_unknown_architecture_is_named() {
    let error = pause_image_archive("riscv64").unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no pause program for the architecture riscv64"
    );
}
