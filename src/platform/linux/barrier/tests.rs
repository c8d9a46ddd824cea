//! The barrier in networks of the test's own: a host with a double of the metadata service, a container beside it.
//!
//! ```text
//! container 10.9.0.2 ── 10.9.0.1 host ── 10.8.0.1 ── service 169.254.169.254 (when it is behind the host)
//!                                └── 169.254.169.254 (when it is a program of the host)
//! ```

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::BarrierOs;
use crate::boundary::barrier::MetadataBarrier as _;
use crate::platform::command::Command;
use crate::platform::linux::lab::{LIMIT, Net, link};
use crate::testing::barrier::barrier_contract;

const SERVICES: [&str; 2] = ["169.254.169.254", "fd00:ec2::254"];

/// A host that forwards, a container beside it, and the service behind it or on it.
struct Lab {
    host: Net,
    container: Net,
    _service: Option<Net>,
}

impl Lab {
    /// `None` where networks cannot be made.
    fn new(service_is_on_host: bool) -> Option<Self> {
        if !crate::platform::is_root() {
            crate::testing::skip::skipped("only root makes network namespaces");
            return None;
        }
        let (host, container) = (Net::new(), Net::new());
        link(&host, &container, 9);
        host.program("sysctl", "-qw net.ipv4.ip_forward=1");
        host.program("sysctl", "-qw net.ipv6.conf.all.forwarding=1");
        let service = (!service_is_on_host).then(|| {
            let service = Net::new();
            link(&host, &service, 8);
            host.ip(&[
                "route add 169.254.169.254/32 via 10.8.0.2",
                "-6 route add fd00:ec2::254/128 via fd08::2",
            ]);
            service
        });
        let server = service.as_ref().unwrap_or(&host);
        server.ip(&[
            "addr add 169.254.169.254/32 dev lo",
            "addr add fd00:ec2::254/128 dev lo nodad",
        ]);
        for address in SERVICES {
            server.listen(address);
        }
        Some(Self {
            host,
            container,
            _service: service,
        })
    }

    /// What the container reaches, by version 4 and 6.
    fn reached(&self) -> [bool; 2] {
        SERVICES.map(|address| self.container.reaches(address))
    }

    fn ensure(&self, allowed: &[&str]) -> bool {
        let allowed = allowed.iter().map(|text| text.parse().unwrap()).collect();
        self.host
            .run(async move || BarrierOs::default().ensure(&allowed).await.unwrap())
    }
}

#[test]
fn containers_are_refused_where_they_are_not_let_through() {
    for service_is_on_host in [false, true] {
        let Some(lab) = Lab::new(service_is_on_host) else {
            return;
        };
        assert_eq!(lab.reached(), [true, true], "on host: {service_is_on_host}");
        assert!(lab.ensure(&[]));
        assert_eq!(
            lab.reached(),
            [false, false],
            "on host: {service_is_on_host}"
        );
        // The host's own programs ask as before.
        assert!(SERVICES.iter().all(|address| lab.host.reaches(address)));
        assert!(lab.ensure(&["10.9.0.2"]));
        assert_eq!(lab.reached(), [true, false]);
        assert!(lab.ensure(&["10.9.0.9", "fd09::2"]));
        assert_eq!(lab.reached(), [false, true]);
        lab.host.run(async || {
            let barrier = BarrierOs::default();
            assert!(barrier.is_up().await.unwrap());
            barrier.release().await.unwrap();
            barrier.release().await.unwrap();
            assert!(!barrier.is_up().await.unwrap());
        });
        assert_eq!(lab.reached(), [true, true]);
    }
}

#[test]
fn the_hosts_barrier_keeps_the_contract() {
    if !crate::platform::is_root() {
        crate::testing::skip::skipped("only root makes network namespaces");
        return;
    }
    Net::new().run(async || barrier_contract(&BarrierOs::default()).await);
}

/// Goal: an address that is let through is forgotten by the kernel while there is no agent, and a look keeps it.
#[test]
fn who_is_let_through_is_so_for_a_minute_after_the_last_look() {
    let Some(lab) = Lab::new(true) else {
        return;
    };
    lab.host.run(async || {
        let left = async || {
            let command =
                Command::new("nft", LIMIT).args("list set inet berth allowed4".split(' '));
            let listed = String::from_utf8(command.run().await.unwrap().stdout).unwrap();
            let (_, left) = listed.split_once("expires ").unwrap();
            left.starts_with("59s") || left.starts_with("1m")
        };
        let allowed: BTreeSet<IpAddr> = ["10.9.0.2".parse().unwrap()].into();
        let mut barrier = BarrierOs::default();
        assert!(barrier.ensure(&allowed).await.unwrap());
        while left().await {}
        assert!(!barrier.ensure(&allowed).await.unwrap());
        assert!(!left().await, "it is too early");
        barrier.renew_after = std::time::Duration::ZERO;
        assert!(!barrier.ensure(&allowed).await.unwrap());
        assert!(left().await);
    });
    assert_eq!(lab.reached(), [true, false]);
}

#[test]
fn what_somebody_changes_is_put_back_and_other_tables_are_left_alone() {
    let Some(lab) = Lab::new(true) else {
        return;
    };
    lab.host.program("nft", "add table ip other");
    lab.host.program(
        "nft",
        "add chain ip other forward { type filter hook forward priority 0 ; policy accept ; }",
    );
    lab.host.run(async || {
        let barrier = BarrierOs::default();
        let nft = async |line: &str| {
            let command = Command::new("nft", LIMIT).args(line.split(' '));
            command.run().await.unwrap().stdout
        };
        let nobody = BTreeSet::new();
        assert!(barrier.ensure(&nobody).await.unwrap());
        let others = nft("list table ip other").await;
        assert!(!barrier.ensure(&nobody).await.unwrap());
        for damage in [
            "delete table inet berth",
            "flush chain inet berth forward",
            "add element inet berth allowed4 { 10.9.0.2 }",
            "insert rule inet berth input accept",
        ] {
            let mut told = std::pin::pin!(barrier.changed());
            // The first poll opens the socket: from then on no change is missed.
            assert!(futures_util::poll!(told.as_mut()).is_pending());
            nft(damage).await;
            tokio::time::timeout(LIMIT, told).await.unwrap().unwrap();
            assert!(barrier.ensure(&nobody).await.unwrap(), "{damage}");
            assert!(!barrier.ensure(&nobody).await.unwrap(), "{damage}");
        }
        assert_eq!(nft("list table ip other").await, others);
    });
    assert_eq!(lab.reached(), [false, false]);
}
