//! The vault over real files and the kernel's keyring: what is found again, by whom, and what is on the disk.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::seal::{Sealer, name_of};
use super::{VaultConfig, VaultHandle, service};
use crate::boundary::credentials::CredentialsKeeper as _;
use crate::domain::credentials::{Credentials, RoleArn, RoleGrant};
use crate::domain::ids::UnixMillis;
use crate::domain::secret::Secret;
use crate::platform::forget_key;
use crate::testing::clock::TokioClock;
use crate::testing::credentials::{credentials, grant};

const HOUR: Duration = Duration::from_hours(1);

fn sealer(byte: u8) -> Sealer {
    Sealer::new(&Secret::new([byte; 32])).unwrap()
}

fn some(number: u32) -> Credentials {
    let mut some = credentials(number, &TokioClock::new(), HOUR);
    some.expiration.at = UnixMillis(1_800_000_000_000);
    some
}

#[test]
fn what_was_sealed_is_opened_by_the_same_key_for_the_same_grant_only() {
    let content = sealer(1).seal(&grant(1), &some(1)).unwrap();
    assert_eq!(sealer(1).open(&grant(1), content.clone()), Some(some(1)));
    assert_eq!(sealer(2).open(&grant(1), content.clone()), None, "key");
    assert_eq!(sealer(1).open(&grant(2), content.clone()), None, "id");
    let role = RoleArn::parse("arn:aws:iam::123456789012:role/other").unwrap();
    let other = RoleGrant { role, ..grant(1) };
    assert_eq!(sealer(1).open(&other, content.clone()), None, "role");
    let owner = grant(2).owner;
    let other = RoleGrant { owner, ..grant(1) };
    assert_eq!(sealer(1).open(&other, content.clone()), None, "owner");
    for place in 0..content.len() {
        let mut altered = content.clone();
        altered[place] ^= 1;
        assert_eq!(sealer(1).open(&grant(1), altered), None, "byte {place}");
    }
    for length in 0..content.len() {
        let cut = content[..length].to_vec();
        assert_eq!(sealer(1).open(&grant(1), cut), None, "{length} bytes");
    }
}

#[test]
fn two_seals_of_one_thing_differ_and_show_nothing_of_it() {
    let seal = || sealer(1).seal(&grant(1), &some(1)).unwrap();
    let (one, two) = (seal(), seal());
    assert_ne!(one, two);
    for word in ["KEY1", "secret1", "token1", "id-1", "role"] {
        assert!(!holds(&one, word), "{word}");
    }
    assert!(!name_of(&grant(1).id).contains("id-1"));
}

fn holds(content: &[u8], word: &str) -> bool {
    content
        .windows(word.len())
        .any(|window| window == word.as_bytes())
}

/// A data directory with a key of its own, forgotten in the end.
struct Site {
    root: tempfile::TempDir,
    key: String,
}

impl Site {
    /// `None`, said on standard error, where the kernel keeps no keys.
    fn new() -> Option<Self> {
        let key = format!("berth-test:{:016x}", rand::random::<u64>());
        if cfg!(not(target_os = "linux")) {
            eprintln!("skipped: this system keeps no keys");
            return None;
        }
        if let Err(error) = forget_key(&key) {
            crate::testing::skip::skipped(error);
            return None;
        }
        let root = tempfile::tempdir().unwrap();
        Some(Self { root, key })
    }

    /// A process that does so with the vault and ends well.
    async fn process(&self, work: impl FnOnce(&VaultHandle)) {
        let (service, handle) = service(VaultConfig {
            directory: self.root.path().join("sealed"),
            key: self.key.clone(),
        });
        work(&handle);
        drop(handle);
        let stop = CancellationToken::new();
        stop.cancel();
        service.run(stop).await;
    }

    fn files(&self) -> Vec<Vec<u8>> {
        let Ok(entries) = fs::read_dir(self.root.path().join("sealed")) else {
            return Vec::new();
        };
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.map(|path| fs::read(path).unwrap()).collect()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        forget_key(&self.key).unwrap();
    }
}

fn grants(numbers: &[u32]) -> Vec<Arc<RoleGrant>> {
    numbers.iter().map(|n| Arc::new(grant(*n))).collect()
}

#[tokio::test]
async fn the_next_process_finds_what_was_kept_and_what_nobody_wants_is_removed() {
    let Some(site) = Site::new() else { return };
    site.process(|vault| {
        assert!(vault.take_back(&grants(&[1])).is_empty());
        vault.keep(&grant(1), &some(1));
        vault.keep(&grant(1), &some(11));
        vault.keep(&grant(2), &some(2));
        vault.keep(&grant(3), &some(3));
        vault.forget(&grant(3).id);
    })
    .await;
    assert_eq!(site.files().len(), 2);
    site.process(|vault| {
        assert_eq!(vault.take_back(&grants(&[1])), [(grant(1).id, some(11))]);
    })
    .await;
    assert_eq!(site.files().len(), 1);
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_for_the_owner_and_hold_no_secret() {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;
    let Some(site) = Site::new() else { return };
    site.process(|vault| vault.keep(&grant(1), &some(1))).await;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let directory = site.root.path().join("sealed");
    assert_eq!(mode(&directory), 0o700);
    assert_eq!(mode(&directory.join(name_of(&grant(1).id))), 0o600);
    for content in site.files() {
        assert!(!holds(&content, "secret1") && !holds(&content, "id-1"));
    }
}

#[tokio::test]
async fn without_the_key_what_was_kept_is_removed() {
    let Some(site) = Site::new() else { return };
    site.process(|vault| vault.keep(&grant(1), &some(1))).await;
    // As after a restart of the host.
    forget_key(&site.key).unwrap();
    site.process(|vault| assert!(vault.take_back(&grants(&[1])).is_empty()))
        .await;
    assert!(site.files().is_empty());
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_stops_nothing() {
    let Some(site) = Site::new() else { return };
    fs::write(site.root.path().join("sealed"), "a file").unwrap();
    site.process(|vault| vault.keep(&grant(1), &some(1))).await;
}
