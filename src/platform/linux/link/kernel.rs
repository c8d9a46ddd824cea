//! Reads and changes links and addresses through netlink, as the plan says.
//!
//! A connection lives for one call and is driven by it: there is nothing to own between calls.

use std::collections::BTreeSet;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt as _, TryStreamExt as _};
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::address::AddressAttribute;
use rtnetlink::packet_route::link::{LinkAttribute, LinkFlags};
use rtnetlink::{Error, Handle, LinkBridge, LinkDummy, LinkUnspec, MulticastGroup};

use super::plan::{self, ADDRESS, Kind, LINK, Link, PREFIX, Removal, Seen, Step};
use crate::boundary::{BoundaryError, ErrorKind, HeldAddress, TaskAddress};

/// Most steps of one call: two refused kinds, a link, up, an address, the last look, and as many again for changes
/// that somebody makes meanwhile.
const MAX_STEPS: usize = 12;

/// Deadline of a call. The kernel answers within a millisecond unless it loads a module.
const DEADLINE: Duration = Duration::from_secs(5);

/// The address of the task server on this host.
#[derive(Debug, Default)]
pub struct TaskLink {}

#[async_trait]
impl TaskAddress for TaskLink {
    async fn ensure(&self) -> Result<HeldAddress, BoundaryError> {
        connected("set up the address of the task server", ensure).await
    }

    async fn look(&self) -> Result<Option<HeldAddress>, BoundaryError> {
        connected("look for the address of the task server", async |handle| {
            let seen = look(&handle).await?;
            Ok(plan::held(&seen).map(held_on))
        })
        .await
    }

    async fn release(&self) -> Result<(), BoundaryError> {
        connected("take away the address of the task server", release).await
    }

    async fn changed(&self) -> Result<(), BoundaryError> {
        let operation = "listen for changes of links and addresses";
        let groups = [MulticastGroup::Link, MulticastGroup::Ipv4Ifaddr];
        let (connection, _handle, mut messages) = rtnetlink::new_multicast_connection(&groups)
            .map_err(|source| failed(operation, source))?;
        // Cancel-safe: what goes with the call is a socket that nothing else uses.
        tokio::select! {
            _message = messages.next() => Ok(()),
            () = connection => Err(failed(operation, closed())),
        }
    }
}

/// Does work on a connection of its own, within the deadline.
async fn connected<T, F>(
    operation: &'static str,
    work: impl FnOnce(Handle) -> F,
) -> Result<T, BoundaryError>
where
    F: Future<Output = io::Result<T>>,
{
    let (connection, handle, _messages) =
        rtnetlink::new_connection().map_err(|source| failed(operation, source))?;
    let work = work(handle);
    // Cancel-safe: each step is found done or not done by the next call.
    tokio::select! {
        done = work => done.map_err(|source| failed(operation, source)),
        () = connection => Err(failed(operation, closed())),
        () = tokio::time::sleep(DEADLINE) => {
            Err(BoundaryError::deadline(operation, DEADLINE))
        }
    }
}

async fn ensure(handle: Handle) -> io::Result<HeldAddress> {
    let mut refused = BTreeSet::new();
    let mut last = None;
    for _ in 0..MAX_STEPS {
        let seen = look(&handle).await?;
        let done = match plan::next(&seen, &refused) {
            Step::Held(link) => return Ok(held_on(link)),
            Step::Make(kind) => match make(&handle, kind).await {
                Err(error) if is_missing(&error) => {
                    refused.insert(kind);
                    Ok(())
                }
                made => made,
            },
            Step::Raise(index) => {
                let up = LinkUnspec::new_with_index(index).up().build();
                handle.link().set(up).execute().await.map_err(cause)
            }
            Step::Add(index) => {
                let address = IpAddr::V4(ADDRESS);
                let add = handle.address().add(index, address, PREFIX);
                add.execute().await.map_err(cause)
            }
            Step::Stuck => return Err(io::Error::other("this host has no loopback link")),
        };
        match done {
            Ok(()) => {}
            // Somebody else has done it, or taken the link away, since the look.
            Err(error) if has_moved(&error) => last = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(last.unwrap_or_else(|| io::Error::other("the address goes as often as it is set")))
}

async fn release(handle: Handle) -> io::Result<()> {
    for removal in plan::removals(&look(&handle).await?) {
        let done = match removal {
            Removal::Link(index) => handle.link().del(index).execute().await.map_err(cause),
            Removal::Address(index) => remove_address(&handle, index).await,
        };
        match done {
            Err(error) if has_moved(&error) => {}
            settled => settled?,
        }
    }
    Ok(())
}

async fn remove_address(handle: &Handle, index: u32) -> io::Result<()> {
    let mut addresses = handle
        .address()
        .get()
        .set_link_index_filter(index)
        .set_address_filter(IpAddr::V4(ADDRESS))
        .execute();
    while let Some(message) = addresses.try_next().await.map_err(cause)? {
        let removed = handle.address().del(message).execute().await;
        removed.map_err(cause)?;
    }
    Ok(())
}

async fn make(handle: &Handle, kind: Kind) -> io::Result<()> {
    let message = match kind {
        Kind::Dummy => LinkDummy::new(LINK).up().build(),
        Kind::Bridge => LinkBridge::new(LINK).up().build(),
    };
    handle.link().add(message).execute().await.map_err(cause)
}

async fn look(handle: &Handle) -> io::Result<Seen> {
    let mut seen = Seen::default();
    let mut links = handle.link().get().execute();
    while let Some(message) = links.try_next().await.map_err(cause)? {
        let name = message.attributes.iter().find_map(|attribute| {
            if let LinkAttribute::IfName(name) = attribute {
                Some(name.clone())
            } else {
                None
            }
        });
        if let Some(name) = name {
            let up = message.header.flags.contains(LinkFlags::Up);
            seen.links.insert(message.header.index, Link { name, up });
        }
    }
    let mut addresses = handle.address().get().execute();
    while let Some(message) = addresses.try_next().await.map_err(cause)? {
        let local = AddressAttribute::Local(IpAddr::V4(ADDRESS));
        if message.header.family == AddressFamily::Inet && message.attributes.contains(&local) {
            seen.holders.insert(message.header.index);
        }
    }
    Ok(seen)
}

fn held_on(link: String) -> HeldAddress {
    HeldAddress {
        own_link: link == LINK,
        link,
    }
}

/// The kernel does not know that kind of link.
fn is_missing(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported
}

/// The host is not as it was seen: looked at again, it will be clear what to do.
fn has_moved(error: &io::Error) -> bool {
    use nix::errno::Errno;
    let moved = [Errno::EEXIST, Errno::ENODEV, Errno::EADDRNOTAVAIL];
    let code = error.raw_os_error().map(Errno::from_raw);
    code.is_some_and(|code| moved.contains(&code))
}

fn cause(error: Error) -> io::Error {
    if let Error::NetlinkError(message) = &error {
        message.to_io()
    } else {
        io::Error::other(error)
    }
}

fn closed() -> io::Error {
    io::Error::other("the kernel has closed the connection")
}

fn failed(operation: &str, source: io::Error) -> BoundaryError {
    let kind = if source.kind() == io::ErrorKind::PermissionDenied {
        ErrorKind::Denied
    } else {
        ErrorKind::Transient
    };
    BoundaryError::new(operation, kind, "the kernel refuses").because(source)
}
