//! The address in a network namespace of the test's own: made, found, put back, taken away.

use std::net::{IpAddr, TcpListener, TcpStream};

use nix::sched::{CloneFlags, unshare};

use super::plan::{ADDRESS, LINK};
use super::*;
use crate::boundary::{HeldAddress, TaskAddress as _};
use crate::platform::command::Command;

const LIMIT: std::time::Duration = std::time::Duration::from_secs(20);

/// Runs the test on a thread that has a network namespace of its own, with loopback up. Needs root.
fn in_own_network(test: impl AsyncFnOnce() + Send + 'static) {
    if !crate::platform::is_root() {
        crate::testing::skip::skipped("only root makes network namespaces");
        return;
    }
    let thread = std::thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            ip("link set lo up").await;
            test().await;
        });
    });
    thread.join().unwrap();
}

async fn ip(args: &str) {
    let command = Command::new("ip", LIMIT).args(args.split(' '));
    command.run().await.unwrap();
}

/// Whether somebody who listens there is reached there.
fn is_reachable() -> bool {
    let Ok(listener) = TcpListener::bind((ADDRESS, 0)) else {
        return false;
    };
    let address = listener.local_addr().unwrap();
    address.ip() == IpAddr::V4(ADDRESS) && TcpStream::connect(address).is_ok()
}

fn own() -> HeldAddress {
    HeldAddress {
        link: LINK.to_owned(),
        own_link: true,
    }
}

#[test]
fn the_address_is_set_up_once_and_taken_away_whole() {
    in_own_network(async || {
        let link = TaskLink::default();
        assert_eq!(link.look().await.unwrap(), None);
        assert!(!is_reachable());
        // The second time it is found.
        for _ in 0..2 {
            assert_eq!(link.ensure().await.unwrap(), own());
            assert!(is_reachable());
        }
        link.release().await.unwrap();
        assert_eq!(link.look().await.unwrap(), None);
        assert!(!is_reachable());
        link.release().await.unwrap();
    });
}

#[test]
fn what_somebody_takes_away_is_put_back() {
    in_own_network(async || {
        let link = TaskLink::default();
        link.ensure().await.unwrap();
        for damage in [
            "addr del 169.254.170.2/32 dev berth0",
            "link set berth0 down",
            "link del berth0",
        ] {
            ip(damage).await;
            // A link that is down keeps its local route for now; it is raised all the same.
            assert_eq!(link.look().await.unwrap(), None, "{damage}");
            assert_eq!(link.ensure().await.unwrap(), own(), "{damage}");
            assert!(is_reachable(), "{damage}");
        }
    });
}

#[test]
fn a_local_address_wins_over_an_unreachable_route() {
    in_own_network(async || {
        ip("route add unreachable 169.254.170.2/32").await;
        TaskLink::default().ensure().await.unwrap();
        assert!(is_reachable());
    });
}

#[test]
fn an_address_on_a_link_of_somebody_else_is_left_there() {
    in_own_network(async || {
        let link = TaskLink::default();
        ip("link add name other type bridge").await;
        ip("link set other up").await;
        ip("addr add 169.254.170.2/32 dev other").await;
        let held = link.ensure().await.unwrap();
        assert_eq!((held.link.as_str(), held.own_link), ("other", false));
        link.release().await.unwrap();
        assert!(is_reachable());
    });
}

#[test]
fn a_change_is_told() {
    in_own_network(async || {
        let link = TaskLink::default();
        link.ensure().await.unwrap();
        let mut told = std::pin::pin!(link.changed());
        // The first poll opens the socket: from then on no change is missed.
        let early = futures_util::poll!(told.as_mut());
        assert!(early.is_pending());
        ip("addr del 169.254.170.2/32 dev berth0").await;
        tokio::time::timeout(LIMIT, told).await.unwrap().unwrap();
        assert_eq!(link.look().await.unwrap(), None);
    });
}
