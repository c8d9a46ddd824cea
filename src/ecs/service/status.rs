//! How connected mode is, for whoever asks.

use tokio::sync::watch;

use crate::domain::ids::UnixMillis;

/// How it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectedStatus {
    /// Cluster.
    pub cluster: String,
    /// ARN of the container instance, once registered.
    pub instance: Option<String>,
    /// Whether a session with ACS is open.
    pub connected: bool,
    /// When that was opened.
    pub session_since: Option<UnixMillis>,
    /// When ACS last said something that counts.
    pub heard_at: Option<UnixMillis>,
    /// What keeps it from that, in words.
    pub problem: Option<String>,
}

/// Reads it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct StatusHandle(pub(super) watch::Receiver<ConnectedStatus>);

impl StatusHandle {
    /// As it is now.
    pub fn now(&self) -> ConnectedStatus {
        self.0.borrow().clone()
    }
}

/// Writes it.
#[derive(Debug)]
pub(super) struct StatusBoard(watch::Sender<ConnectedStatus>);

impl StatusBoard {
    pub(super) fn new(cluster: &str) -> (Self, StatusHandle) {
        let (sender, receiver) = watch::channel(ConnectedStatus {
            cluster: cluster.to_owned(),
            ..ConnectedStatus::default()
        });
        (Self(sender), StatusHandle(receiver))
    }

    pub(super) fn registered(&self, instance: &str) {
        self.0.send_modify(|status| {
            status.instance = Some(instance.to_owned());
            status.problem = None;
        });
    }

    /// It was before this start: what keeps it from being so again is still to be told.
    pub(super) fn was_registered(&self, instance: &str) {
        self.0
            .send_modify(|status| status.instance = Some(instance.to_owned()));
    }

    pub(super) fn heard(&self, at: UnixMillis) {
        self.0.send_modify(|status| status.heard_at = Some(at));
    }

    pub(super) fn opened(&self, at: UnixMillis) {
        self.0.send_modify(|status| {
            status.connected = true;
            status.session_since = Some(at);
            status.problem = None;
        });
    }

    pub(super) fn closed(&self) {
        self.0.send_modify(|status| {
            status.connected = false;
            status.session_since = None;
        });
    }

    /// True = it was another one before: worth a line in the log.
    pub(super) fn problem(&self, words: &str) -> bool {
        self.0.send_if_modified(|status| {
            let news = status.problem.as_deref() != Some(words);
            status.problem = Some(words.to_owned());
            news
        })
    }
}
