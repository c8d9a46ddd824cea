//! Puts the table in place with `nft`, and hears of changes through netlink.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use netlink_sys::protocols::NETLINK_NETFILTER;
use netlink_sys::{AsyncSocket as _, AsyncSocketExt as _, SocketAddr, TokioSocket};
use tokio::sync::Mutex;

use super::rules;
use crate::boundary::barrier::MetadataBarrier;
use crate::boundary::{BoundaryError, ErrorKind};
use crate::platform::command::{Command, CommandError, Output};

/// Deadline of one run of `nft`, which takes some milliseconds.
const DEADLINE: Duration = Duration::from_secs(5);

/// Group of messages about changes of tables (`NFNLGRP_NFTABLES`).
const CHANGES: u32 = 7;

/// The barrier of this host.
#[derive(Default)]
pub struct BarrierOs {
    /// Whom the table lets through and how it is listed, as it was after it was put in place.
    placed: Mutex<Option<Placed>>,
    /// Where the kernel tells of changes, open from before the first look on: one between a look and the wait for the
    /// next is not missed.
    news: Mutex<Option<TokioSocket>>,
}

#[derive(Debug)]
struct Placed {
    allowed: BTreeSet<IpAddr>,
    listing: Vec<u8>,
}

#[async_trait]
impl MetadataBarrier for BarrierOs {
    async fn ensure(&self, allowed: &BTreeSet<IpAddr>) -> Result<bool, BoundaryError> {
        let operation = "keep containers from the instance metadata service";
        self.pass_over_news().await;
        let mut placed = self.placed.lock().await;
        let listing = list().await.map_err(|error| failed(operation, error))?;
        let as_placed = placed.as_ref().is_some_and(|placed| {
            Some(&placed.listing) == listing.as_ref() && placed.allowed == *allowed
        });
        if as_placed {
            return Ok(false);
        }
        let script = rules::table(allowed);
        nft(&["-f", "-"], script)
            .await
            .map_err(|error| failed(operation, error))?;
        let listing = list().await.map_err(|error| failed(operation, error))?;
        *placed = listing.map(|listing| Placed {
            allowed: allowed.clone(),
            listing,
        });
        Ok(true)
    }

    async fn is_up(&self) -> Result<bool, BoundaryError> {
        let listing = list().await;
        let listing = listing.map_err(|error| failed("look at rules of nftables", error))?;
        Ok(listing.is_some())
    }

    async fn release(&self) -> Result<(), BoundaryError> {
        let operation = "let containers reach the instance metadata service again";
        match list().await {
            // Nothing can have been put in place with a program that is not there.
            Ok(None) | Err(CommandError::Missing { .. }) => return Ok(()),
            Ok(Some(_)) => {}
            Err(error) => return Err(failed(operation, error)),
        }
        let removed = nft(&["-f", "-"], rules::removal()).await;
        removed.map(drop).map_err(|error| failed(operation, error))
    }

    async fn changed(&self) -> Result<(), BoundaryError> {
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
}

impl BarrierOs {
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

/// The table as `nft` shows it, without counts; `None` = there is none.
async fn list() -> Result<Option<Vec<u8>>, CommandError> {
    let [family, name] = rules::TABLE;
    match nft(
        &["--stateless", "list", "table", family, name],
        String::new(),
    )
    .await
    {
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
        CommandError::Failed { stderr, .. } => match rules::missing(stderr) {
            Some(words) => (ErrorKind::Invalid, words),
            None => (ErrorKind::Transient, "nft refuses"),
        },
        CommandError::Start { .. } | CommandError::Pipe { .. } | CommandError::Deadline { .. } => {
            (ErrorKind::Transient, "nft does not work")
        }
    };
    BoundaryError::new(operation, kind, words).because(error)
}
