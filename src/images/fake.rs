//! A registry and an engine's image store in memory, for the tests of this folder.
//!
//! A pull is a script: messages with pauses before them, then success or an error. The model keeps what is on the host,
//! so that a pull makes an image appear and a removal takes it away.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt as _, stream};

use crate::boundary::host::{CgroupLimits, DiskSpace, PortHolder};
use crate::boundary::images::PullStream;
use crate::boundary::registry::RegistryToken;
use crate::boundary::{
    BoundaryError, Clock, ErrorKind, Host, ImageRuntime, SecretSource, TokenSource,
};
use crate::domain::credentials::CredentialsId;
use crate::domain::disk::DiskUse;
use crate::domain::ids::{TaskId, UnixMillis};
use crate::domain::image::ImageRef;
use crate::domain::port_mapping::Protocol;
use crate::domain::registry::{EcrAccess, RegistryLogin};
use crate::domain::runtime::{LocalImage, PullProgress, RemoteManifest};
use crate::domain::secret::Secret;
use crate::domain::secret_place::SecretPart;

/// What a pull does: waits, then one message; in the end this result.
#[derive(Clone, Debug)]
pub(super) struct Script {
    pub(super) messages: Vec<(Duration, PullProgress)>,
    pub(super) end: Result<(), ErrorKind>,
}

impl Script {
    /// Moves `bytes` a second for so many seconds.
    pub(super) fn steady(seconds: u64, bytes: u64) -> Self {
        let message = |n| {
            let progress = PullProgress {
                downloaded_bytes: (n + 1) * bytes,
                ..PullProgress::default()
            };
            (Duration::from_secs(1), progress)
        };
        Self {
            messages: (0..seconds).map(message).collect(),
            end: Ok(()),
        }
    }

    /// Says nothing for that long, then that it pulls.
    pub(super) fn late(pause: Duration) -> Self {
        Self {
            messages: vec![(pause, PullProgress::default())],
            end: Ok(()),
        }
    }

    /// Unpacks for so many seconds and says no bytes, as containerd's image store does.
    pub(super) fn unpacks(seconds: u64) -> Self {
        let message = |n| {
            let progress = PullProgress {
                extracting_secs: n + 1,
                ..PullProgress::default()
            };
            (Duration::from_secs(1), progress)
        };
        Self {
            messages: (0..seconds).map(message).collect(),
            end: Ok(()),
        }
    }

    /// Fails at once.
    pub(super) fn fails(kind: ErrorKind) -> Self {
        Self {
            messages: Vec::new(),
            end: Err(kind),
        }
    }

    /// Says the same thing every second, for a day.
    pub(super) fn stuck() -> Self {
        let message = (Duration::from_secs(1), PullProgress::default());
        Self {
            messages: vec![message; 86_400],
            end: Ok(()),
        }
    }
}

#[derive(Default)]
pub(super) struct Model {
    pub(super) local: BTreeMap<String, LocalImage>,
    pub(super) in_use: Vec<String>,
    /// Answers about manifests by reference; otherwise the registry does not know the question.
    pub(super) manifests: BTreeMap<String, Result<RemoteManifest, ErrorKind>>,
    /// Tokens that were made; their number is part of them.
    pub(super) tokens: usize,
    /// How making one ends; `None` = well.
    pub(super) no_tokens: Option<ErrorKind>,
    /// Text of every secret.
    pub(super) secret: String,
    /// Whom tokens are for.
    pub(super) token_server: String,
    /// Passwords that the registry takes; `None` = it asks for none.
    pub(super) accepts: Option<String>,
    /// Passwords that the registry was shown, in order.
    pub(super) shown: Vec<Option<String>>,
    /// What pulls do in turn, by reference; otherwise they succeed at once.
    pub(super) scripts: BTreeMap<String, VecDeque<Script>>,
    pub(super) disk: Option<DiskSpace>,
    /// Bytes that become free with each removal.
    pub(super) freed_each: u64,
    /// How long the engine counts what is on the disk.
    pub(super) counting: Duration,
    pub(super) architecture: String,
    /// Every call, as `verb reference`.
    pub(super) calls: Vec<String>,
    pub(super) pulling: usize,
    pub(super) most_pulling: usize,
    pub(super) now: i64,
}

/// Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Fake(Arc<Mutex<Model>>);

impl Fake {
    pub(super) fn model(&self) -> MutexGuard<'_, Model> {
        self.0.lock().unwrap()
    }

    /// Calls of that verb.
    pub(super) fn calls(&self, verb: &str) -> Vec<String> {
        let model = self.model();
        let calls = model.calls.iter().filter_map(|call| call.split_once(' '));
        let of_verb = calls.filter(|(called, _)| *called == verb);
        of_verb.map(|(_, name)| name.to_owned()).collect()
    }

    /// Whether the registry takes that login; it remembers what it was shown.
    fn let_in(&self, login: Option<&RegistryLogin>) -> Result<(), BoundaryError> {
        let mut model = self.model();
        let password = login.map(|login| login.password.expose().clone());
        model.shown.push(password.clone());
        if model.accepts.is_none() || model.accepts == password {
            return Ok(());
        }
        let words = "denied: your authorization token has expired";
        Err(BoundaryError::new("registry", ErrorKind::Denied, words))
    }

    fn called(&self, verb: &str, name: &str) {
        self.model().calls.push(format!("{verb} {name}"));
    }
}

impl Model {
    /// An image appears on the host.
    pub(super) fn put(&mut self, name: &str, id: &str) {
        let image = LocalImage {
            id: id.to_owned(),
            tags: vec![name.to_owned()],
            digests: Vec::new(),
            size_bytes: 100,
            created_at: UnixMillis(0),
            os: "linux".to_owned(),
            architecture: self.architecture.clone(),
            os_version: None,
        };
        self.local.insert(name.to_owned(), image);
    }
}

/// Counts a pull for as long as its stream lives.
struct Pulling(Fake);

impl Drop for Pulling {
    fn drop(&mut self) {
        self.0.model().pulling -= 1;
    }
}

#[async_trait]
impl ImageRuntime for Fake {
    async fn inspect_image(&self, reference: &str) -> Result<Option<LocalImage>, BoundaryError> {
        self.called("inspect", reference);
        Ok(self.model().local.get(reference).cloned())
    }

    async fn remote_manifest(
        &self,
        image: &ImageRef,
        login: Option<&RegistryLogin>,
    ) -> Result<RemoteManifest, BoundaryError> {
        self.called("manifest", image.as_str());
        self.let_in(login)?;
        let answer = self.model().manifests.get(image.as_str()).cloned();
        let unsupported = Err(ErrorKind::Invalid);
        let answer = answer.unwrap_or(unsupported);
        answer.map_err(|kind| BoundaryError::new("manifest", kind, "manifest unknown"))
    }

    async fn pull(
        &self,
        image: &ImageRef,
        login: Option<&RegistryLogin>,
    ) -> Result<PullStream, BoundaryError> {
        let name = image.normalized();
        self.called("pull", &name);
        self.let_in(login)?;
        let script = {
            let mut model = self.model();
            model.pulling += 1;
            model.most_pulling = model.most_pulling.max(model.pulling);
            let scripts = model.scripts.get_mut(&name);
            let script = scripts.and_then(VecDeque::pop_front);
            script.unwrap_or_else(|| Script::steady(0, 0))
        };
        let pulling = Pulling(self.clone());
        let messages = stream::iter(script.messages).then(|(pause, progress)| async move {
            tokio::time::sleep(pause).await;
            Ok(progress)
        });
        let end = stream::once(async move {
            match script.end {
                Ok(()) => {
                    let mut model = pulling.0.model();
                    let id = format!("sha256:{}-{}", name, model.calls.len());
                    model.put(&name, &id);
                    None
                }
                Err(kind) => Some(Err(BoundaryError::new("pull", kind, "pull refused"))),
            }
        });
        Ok(messages.chain(end.filter_map(std::future::ready)).boxed())
    }

    async fn list_images(&self) -> Result<Vec<LocalImage>, BoundaryError> {
        self.called("list", "-");
        Ok(self.model().local.values().cloned().collect())
    }

    async fn images_in_use(&self) -> Result<Vec<String>, BoundaryError> {
        Ok(self.model().in_use.clone())
    }

    async fn remove_image(&self, reference: &str) -> Result<(), BoundaryError> {
        self.called("remove", reference);
        let mut model = self.model();
        let id = model.local.get(reference).map(|image| image.id.clone());
        if id.is_some_and(|id| model.in_use.contains(&id)) {
            return Err(BoundaryError::new("remove", ErrorKind::Conflict, "in use"));
        }
        model.local.remove(reference);
        let freed = model.freed_each;
        if let Some(disk) = &mut model.disk {
            disk.free_bytes += freed;
        }
        Ok(())
    }

    async fn load_image(&self, archive: Vec<u8>) -> Result<(), BoundaryError> {
        assert!(!archive.is_empty());
        self.called("load", "-");
        self.model().put(super::pause::PAUSE_IMAGE, "sha256:pause");
        Ok(())
    }

    async fn disk_use(&self) -> Result<DiskUse, BoundaryError> {
        self.called("disk-use", "-");
        let pause = self.model().counting;
        tokio::time::sleep(pause).await;
        Ok(DiskUse {
            image_bytes: 7,
            ..DiskUse::default()
        })
    }
}

#[async_trait]
impl Host for Fake {
    async fn create_cgroup(&self, _: &TaskId, _: CgroupLimits) -> Result<(), BoundaryError> {
        Ok(())
    }

    async fn remove_cgroup(&self, _: &TaskId) -> Result<(), BoundaryError> {
        Ok(())
    }

    async fn port_holder(&self, _: u16, _: Protocol) -> Option<PortHolder> {
        None
    }

    async fn port_is_free(&self, _: u16, _: Protocol) -> bool {
        true
    }

    async fn disk_space(&self, path: &str) -> Result<DiskSpace, BoundaryError> {
        let unknown = || BoundaryError::new(format!("stat {path}"), ErrorKind::NotFound, "gone");
        self.model().disk.ok_or_else(unknown)
    }
}

/// Every secret has this text.
#[async_trait]
impl SecretSource for Fake {
    async fn parameters(
        &self,
        _role: &CredentialsId,
        _region: Option<&str>,
        _names: &[String],
    ) -> Result<BTreeMap<String, Secret<String>>, BoundaryError> {
        Err(BoundaryError::new("ask", ErrorKind::Invalid, "not here"))
    }

    async fn secret(
        &self,
        role: &CredentialsId,
        part: &SecretPart,
    ) -> Result<Secret<String>, BoundaryError> {
        let region = part.region.as_deref().unwrap_or("-");
        self.called("secret", &format!("{} {region} {}", role.expose(), part.id));
        let model = self.model();
        match model.no_tokens {
            Some(kind) => Err(BoundaryError::new("ask", kind, "not you")),
            None => Ok(model.secret.clone().into()),
        }
    }
}

/// Each token is good for twelve hours and takes a second to make.
#[async_trait]
impl TokenSource for Fake {
    async fn token(&self, access: &EcrAccess) -> Result<RegistryToken, BoundaryError> {
        self.called("token", &access.registry_id);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let mut model = self.model();
        if let Some(kind) = model.no_tokens {
            return Err(BoundaryError::new("token", kind, "not you"));
        }
        model.tokens += 1;
        Ok(RegistryToken {
            login: RegistryLogin {
                server: model.token_server.clone(),
                username: "AWS".to_owned(),
                password: format!("token-{}", model.tokens).into(),
            },
            expires_at: UnixMillis(model.now).plus(Duration::from_hours(12)),
        })
    }
}

impl Clock for Fake {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.model().now)
    }
}
