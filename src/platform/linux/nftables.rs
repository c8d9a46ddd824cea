//! A table of nftables that is this agent's alone: put in place whole with `nft`, compared as it is listed, and heard of
//! through netlink when somebody changes rules.
//!
//! **Invariants.** Nothing but that table is ever changed, and it is replaced in one step: there is no moment without it.

use std::io;
use std::time::Duration;

use futures_util::FutureExt as _;
use netlink_sys::protocols::NETLINK_NETFILTER;
use netlink_sys::{AsyncSocket as _, AsyncSocketExt as _, SocketAddr, TokioSocket};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::boundary::{BoundaryError, ErrorKind};
use crate::platform::command::{Command, CommandError, Output};

/// Deadline of one run of `nft`, which takes some milliseconds.
const DEADLINE: Duration = Duration::from_secs(5);

/// Group of messages about changes of tables (`NFNLGRP_NFTABLES`).
const CHANGES: u32 = 7;

/// Family and name of a table.
pub(super) type Table = [&'static str; 2];

/// A table of this agent, by what this process has put there.
pub(super) struct KeptTable {
    table: Table,
    placed: Mutex<Option<Placed>>,
    /// Where the kernel tells of changes, open from before the first look on: one between a look and the wait for the
    /// next is not missed.
    news: Mutex<Option<TokioSocket>>,
}

/// What was put in place, and how it was listed then.
#[derive(Debug)]
struct Placed {
    at: Instant,
    content: String,
    listing: Vec<u8>,
}

impl KeptTable {
    pub(super) fn new(table: Table) -> Self {
        Self {
            table,
            placed: Mutex::default(),
            news: Mutex::default(),
        }
    }

    /// The table has that content; `true` = it was not so before. What the kernel forgets is put in place anew after
    /// `renew_after`.
    pub(super) async fn ensure(
        &self,
        operation: &str,
        content: String,
        renew_after: Option<Duration>,
    ) -> Result<bool, BoundaryError> {
        self.pass_over_news().await;
        let mut placed = self.placed.lock().await;
        let listing = list(self.table).await;
        let listing = listing.map_err(|error| failed(operation, error))?;
        let as_placed = placed.as_ref().is_some_and(|placed| {
            Some(&placed.listing) == listing.as_ref() && placed.content == content
        });
        let is_old = renew_after.is_some_and(|age| {
            let at = placed.as_ref().map(|placed| placed.at);
            at.is_none_or(|at| at.elapsed() >= age)
        });
        if as_placed && !is_old {
            return Ok(false);
        }
        let put = nft(&["-f", "-"], whole(self.table, &content)).await;
        put.map_err(|error| failed(operation, error))?;
        let listing = list(self.table).await;
        let listing = listing.map_err(|error| failed(operation, error))?;
        *placed = listing.map(|listing| Placed {
            at: Instant::now(),
            content,
            listing,
        });
        Ok(!as_placed)
    }

    /// Whether [`Self::ensure`] would succeed; nothing is changed.
    pub(super) async fn try_out(
        &self,
        operation: &str,
        content: &str,
    ) -> Result<(), BoundaryError> {
        let tried = nft(&["--check", "-f", "-"], whole(self.table, content)).await;
        tried.map(drop).map_err(|error| failed(operation, error))
    }

    /// The table as it is listed; `None` = there is none.
    pub(super) async fn listing(&self, operation: &str) -> Result<Option<String>, BoundaryError> {
        let listing = list(self.table).await;
        let listing = listing.map_err(|error| failed(operation, error))?;
        Ok(listing.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// There is none.
    pub(super) async fn release(&self, operation: &str) -> Result<(), BoundaryError> {
        match list(self.table).await {
            // Nothing can have been put in place with a program that is not there.
            Ok(None) | Err(CommandError::Missing { .. }) => return Ok(()),
            Ok(Some(_)) => {}
            Err(error) => return Err(failed(operation, error)),
        }
        let removed = nft(&["-f", "-"], removal(self.table)).await;
        removed.map(drop).map_err(|error| failed(operation, error))
    }

    /// Returns when rules may have changed since the last [`Self::ensure`] looked. Cancel-safe.
    pub(super) async fn changed(&self) -> Result<(), BoundaryError> {
        let operation = "listen for changes of rules of nftables";
        let mut news = self.news.lock().await;
        let told = next_news(&mut news).await;
        if told.is_err() {
            *news = None;
        }
        told.map_err(|source| {
            BoundaryError::new(operation, ErrorKind::Transient, "the kernel refuses")
                .because(source)
        })
    }

    /// What has been told so far is about to be looked at. What cannot be heard is missed, and [`Self::changed`] says
    /// that.
    async fn pass_over_news(&self) {
        let mut news = self.news.lock().await;
        if news.is_none() {
            *news = subscribe().ok();
        }
        while let Some(told) = next_news(&mut news).now_or_never() {
            if told.is_err() {
                *news = None;
                return;
            }
        }
    }
}

/// Puts the table in the place of the one that there may be, in one step.
fn whole(table: Table, content: &str) -> String {
    let [family, name] = table;
    format!("{}table {family} {name} {{\n{content}}}\n", removal(table))
}

/// Takes the table away; without one, nothing.
fn removal([family, name]: Table) -> String {
    // What is added first is there to be deleted.
    format!("add table {family} {name}\ndelete table {family} {name}\n")
}

fn subscribe() -> io::Result<TokioSocket> {
    let mut socket = TokioSocket::new(NETLINK_NETFILTER)?;
    socket.socket_mut().bind(&SocketAddr::new(0, 0))?;
    socket.socket_mut().add_membership(CHANGES)?;
    Ok(socket)
}

/// Returns with the next change. Cancel-safe: what is not taken stays in the socket.
async fn next_news(news: &mut Option<TokioSocket>) -> io::Result<()> {
    let socket = match news {
        Some(socket) => socket,
        None => news.insert(subscribe()?),
    };
    match socket.recv_from_full().await {
        Ok(_message) => Ok(()),
        // Too many messages are changes as well.
        Err(error) if error.raw_os_error() == Some(nix::libc::ENOBUFS) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The table as `nft` shows it, without counts and the times that are left; `None` = there is none.
async fn list([family, name]: Table) -> Result<Option<Vec<u8>>, CommandError> {
    let args = ["--stateless", "list", "table", family, name];
    match nft(&args, String::new()).await {
        Ok(output) => Ok(Some(output.stdout)),
        Err(CommandError::Failed { stderr, .. })
            if stderr.contains("No such file or directory") =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

async fn nft(args: &[&str], input: String) -> Result<Output, CommandError> {
    Command::new("nft", DEADLINE)
        .args(args)
        .input(input)
        .run()
        .await
}

fn failed(operation: &str, error: CommandError) -> BoundaryError {
    let (kind, words) = match &error {
        CommandError::Missing { .. } => (
            ErrorKind::Invalid,
            "the program nft is not there (Debian's package is called nftables)",
        ),
        CommandError::Failed { stderr, .. } => match missing(stderr) {
            Some(words) => (ErrorKind::Invalid, words),
            None => (ErrorKind::Transient, "nft refuses"),
        },
        CommandError::Start { .. } | CommandError::Pipe { .. } | CommandError::Deadline { .. } => {
            (ErrorKind::Transient, "nft does not work")
        }
    };
    BoundaryError::new(operation, kind, words).because(error)
}

/// What is missing on this host, from what `nft` says when it fails.
fn missing(stderr: &str) -> Option<&'static str> {
    let unsupported = ["not supported", "Unable to initialize Netlink socket"];
    if unsupported.iter().any(|words| stderr.contains(words)) {
        return Some("the kernel has no nf_tables, or not all of it");
    }
    stderr
        .contains("Operation not permitted")
        .then_some("only root may change rules of nftables")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_apart_from_other_trouble() {
        for (stderr, is_known) in [
            (
                "Error: Could not process rule: Operation not supported",
                true,
            ),
            (
                "Unable to initialize Netlink socket: Protocol not supported",
                true,
            ),
            (
                "Error: Could not process rule: Operation not permitted",
                true,
            ),
            ("Error: syntax error, unexpected newline", false),
        ] {
            assert_eq!(missing(stderr).is_some(), is_known, "{stderr}");
        }
    }

    #[test]
    fn a_table_takes_the_place_of_the_one_before() {
        assert_eq!(
            whole(["ip", "x"], "chain c { }\n"),
            "add table ip x\ndelete table ip x\ntable ip x {\nchain c { }\n}\n"
        );
    }
}
