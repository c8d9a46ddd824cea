//! The lead in networks of the test's own: a host that answers, a container beside it, and rules of somebody else for
//! the same port.

use std::io::Read as _;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use super::LeadOs;
use crate::boundary::lead::TaskLead as _;
use crate::platform::command::Command;
use crate::platform::linux::lab::{LIMIT, Net, link};
use crate::testing::lead::lead_contract;

const ASKED: ([u8; 4], u16) = ([169, 254, 170, 2], 80);
const SERVER: ([u8; 4], u16) = ([169, 254, 170, 2], 51679);

/// A host with a task server that tells who has asked, and a container.
fn lab() -> Option<(Net, Net)> {
    if !crate::platform::is_root() {
        crate::testing::skip::skipped("only root makes network namespaces");
        return None;
    }
    let (host, container) = (Net::new(), Net::new());
    link(&host, &container, 9);
    host.ip(&["addr add 169.254.170.2/32 dev lo"]);
    tells_who_asks(&host, SERVER.into());
    Some((host, container))
}

/// Somebody listens there and tells each caller its address.
fn tells_who_asks(host: &Net, at: SocketAddr) {
    let listener = host.within(move || TcpListener::bind(at).unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let peer = stream.peer_addr().unwrap().ip().to_string();
            std::io::Write::write_all(&mut stream, peer.as_bytes()).unwrap();
        }
    });
}

/// The address by which the task server knows who asks from there, if it is reached.
fn seen_from(net: &Net) -> Option<IpAddr> {
    net.within(|| {
        let asked: SocketAddr = ASKED.into();
        let mut stream = TcpStream::connect_timeout(&asked, Duration::from_millis(500)).ok()?;
        assert_eq!(stream.peer_addr().unwrap(), asked);
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        text.parse().ok()
    })
}

const CONTAINER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 9, 0, 2));
const HOST: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(169, 254, 170, 2));

#[test]
fn who_asks_is_led_there_under_the_own_address_whoever_has_the_port() {
    let Some((host, container)) = lab() else {
        return;
    };
    assert_eq!([seen_from(&container), seen_from(&host)], [None, None]);
    assert!(host.run(async || {
        let lead = LeadOs::default();
        lead.is_possible().await.unwrap();
        assert_eq!(lead.look().await.unwrap(), None, "a try changes nothing");
        let is_new = lead.ensure(SERVER.1).await.unwrap();
        assert_eq!(lead.look().await.unwrap(), Some(SERVER.1));
        is_new
    }));
    let both = [Some(CONTAINER), Some(HOST)];
    assert_eq!([seen_from(&container), seen_from(&host)], both);
    // What Docker has for a container that publishes port 80: somebody who listens, and rules for local addresses.
    let web = host.within(|| TcpListener::bind("0.0.0.0:80").unwrap());
    for chain in ["PREROUTING", "OUTPUT"] {
        let words =
            "-p tcp --dport 80 -m addrtype --dst-type LOCAL -j DNAT --to-destination 10.9.0.2:8080";
        host.run(async move || {
            let args = ["-t", "nat", "-A", chain]
                .into_iter()
                .chain(words.split(' '));
            Command::new("iptables", LIMIT)
                .args(args)
                .run()
                .await
                .unwrap();
        });
    }
    assert_eq!([seen_from(&container), seen_from(&host)], both);
    host.run(async || LeadOs::default().release().await.unwrap());
    assert_eq!([seen_from(&container), seen_from(&host)], [None, None]);
    drop(web);
}

#[test]
fn the_hosts_lead_keeps_the_contract() {
    if !crate::platform::is_root() {
        crate::testing::skip::skipped("only root makes network namespaces");
        return;
    }
    Net::new().run(async || lead_contract(&LeadOs::default()).await);
}

#[test]
fn what_somebody_changes_is_put_back_and_the_barrier_is_left_alone() {
    let Some((host, container)) = lab() else {
        return;
    };
    host.program("nft", "add table inet berth");
    host.run(async || {
        let lead = LeadOs::default();
        let nft = async |line: &str| {
            let command = Command::new("nft", LIMIT).args(line.split(' '));
            command.run().await.unwrap().stdout
        };
        assert!(lead.ensure(SERVER.1).await.unwrap());
        let others = nft("list table inet berth").await;
        // What has changed so far, by this table too, is looked at.
        assert!(!lead.ensure(SERVER.1).await.unwrap());
        for damage in [
            "delete table ip berth",
            "flush chain ip berth output",
            "insert rule ip berth prerouting accept",
        ] {
            let mut told = std::pin::pin!(lead.changed());
            assert!(futures_util::poll!(told.as_mut()).is_pending());
            nft(damage).await;
            tokio::time::timeout(LIMIT, told).await.unwrap().unwrap();
            assert!(lead.ensure(SERVER.1).await.unwrap(), "{damage}");
            assert!(!lead.ensure(SERVER.1).await.unwrap(), "{damage}");
        }
        assert_eq!(nft("list table inet berth").await, others);
    });
    assert_eq!(seen_from(&container), Some(CONTAINER));
    // A table that others have flushed with everything else.
    host.program("nft", "flush ruleset");
    assert_eq!(seen_from(&container), None);
}
