//! The queue between the credentials service and the files.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::files::{Change, Files};
use super::seal::{Sealer, fresh_key, name_of};
use crate::boundary::credentials::CredentialsKeeper;
use crate::domain::credentials::{Credentials, CredentialsId, RoleGrant};
use crate::platform::kept_key;

/// Changes that may wait for the disk, 1.5 KiB each: the roles of 1,000 tasks that arrive together.
const CAPACITY: usize = 2048;

/// Changes made at once.
const BATCH: usize = 256;

/// Settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultConfig {
    /// Directory of the files.
    pub directory: PathBuf,
    /// Name of the key in the kernel: one for each data directory.
    pub key: String,
}

/// Builds the service and its handle. Without a key from the kernel, said once, nothing is kept.
pub fn service(config: VaultConfig) -> (VaultService, VaultHandle) {
    let files = Files(config.directory);
    let sealer = sealer(&config.key, &files).map(Arc::new);
    let (changes, inbox) = mpsc::channel(CAPACITY);
    let handle = VaultHandle {
        files: files.clone(),
        open: sealer.map(|sealer| (sealer, changes)),
    };
    let service = VaultService {
        inbox,
        files,
        failing: false,
    };
    (service, handle)
}

/// The seal of this data directory. What was sealed with a key that is gone is removed.
fn sealer(name: &str, files: &Files) -> Option<Sealer> {
    let key = fresh_key().map(|fresh| kept_key(name, &fresh));
    let key = match key {
        Some(Ok(key)) => key,
        Some(Err(error)) => {
            warn!(event = "vault-unavailable", %error, "the kernel keeps no key for us: credentials do not outlive the agent");
            files.keep_only(&BTreeSet::new());
            return None;
        }
        None => return None,
    };
    if !key.found {
        let lost = files.keep_only(&BTreeSet::new());
        if lost > 0 {
            info!(
                event = "vault-lost",
                lost,
                "credentials that were kept cannot be opened, since the host was started anew, and are fetched again"
            );
        }
    }
    Sealer::new(&key.bytes)
}

/// Cheap to clone; the only way in.
#[derive(Clone)]
pub struct VaultHandle {
    files: Files,
    open: Option<(Arc<Sealer>, mpsc::Sender<Change>)>,
}

impl CredentialsKeeper for VaultHandle {
    fn take_back(&self, grants: &[Arc<RoleGrant>]) -> Vec<(CredentialsId, Credentials)> {
        let Some((sealer, _)) = &self.open else {
            return Vec::new();
        };
        let mut good = BTreeSet::new();
        let mut found = Vec::new();
        for grant in grants {
            let name = name_of(&grant.id);
            let content = self.files.read(&name);
            if let Some(credentials) = content.and_then(|content| sealer.open(grant, content)) {
                good.insert(name);
                found.push((grant.id.clone(), credentials));
            }
        }
        self.files.keep_only(&good);
        found
    }

    fn keep(&self, grant: &RoleGrant, credentials: &Credentials) {
        let Some((sealer, changes)) = &self.open else {
            return;
        };
        if let Some(content) = sealer.seal(grant, credentials) {
            // What does not fit is fetched anew after a crash.
            let _full = changes.try_send(Change::Write(name_of(&grant.id), content));
        }
    }

    fn forget(&self, id: &CredentialsId) {
        if let Some((_, changes)) = &self.open {
            // What does not fit is removed at the next start.
            let _full = changes.try_send(Change::Remove(name_of(id)));
        }
    }
}

/// Owns the files.
#[derive(Debug)]
pub struct VaultService {
    inbox: mpsc::Receiver<Change>,
    files: Files,
    failing: bool,
}

impl VaultService {
    /// Writes until `shutdown`, and then what waits.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            // `recv_many` is cancel-safe by its documentation; cancellation is a state.
            let stop = tokio::select! {
                // Nothing comes any more once every handle is gone.
                count = self.inbox.recv_many(&mut batch, BATCH), if !self.inbox.is_closed() => count == 0,
                () = shutdown.cancelled() => true,
            };
            if stop {
                self.inbox.close();
                while self.inbox.recv_many(&mut batch, BATCH).await > 0 {
                    self.write(&mut batch).await;
                }
                return;
            }
            self.write(&mut batch).await;
        }
    }

    /// Makes the changes on a thread that may wait for the disk.
    async fn write(&mut self, batch: &mut Vec<Change>) {
        let changes = std::mem::take(batch);
        let files = self.files.clone();
        let work = move || {
            let done = changes.iter().map(|change| files.apply(change));
            // All are tried; the last error stands for all.
            done.filter_map(Result::err).reduce(|_, last| last)
        };
        let failed = match tokio::task::spawn_blocking(work).await {
            Ok(failed) => failed,
            Err(error) => Some(std::io::Error::other(error)),
        };
        if let Some(error) = &failed
            && !self.failing
        {
            let path = self.files.0.display();
            warn!(event = "vault-failing", %error, %path, "credentials cannot be kept beyond the end of the agent");
        }
        self.failing = failed.is_some();
    }
}
