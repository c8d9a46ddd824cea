//! The rules in a network of the test's own, with a task server on loopback and a container beside the host.

use std::io::Read as _;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use super::RedirectOs;
use crate::boundary::redirect::TaskRedirect as _;
use crate::platform::command::Command;
use crate::platform::linux::lab::{LIMIT, Net, link};

const SERVER: &str = "127.0.0.1:51679";

const ASKED: ([u8; 4], u16) = ([169, 254, 170, 2], 80);

fn redirect() -> RedirectOs {
    RedirectOs::new(SERVER.parse().unwrap(), true)
}

/// A host with a task server that tells who has asked, and a container.
fn lab() -> Option<(Net, Net)> {
    if !crate::platform::is_root() {
        crate::testing::skip::skipped("only root makes network namespaces");
        return None;
    }
    let (host, container) = (Net::new(), Net::new());
    link(&host, &container, 9);
    // So that what programs of the host ask for has a way at all, as on every host with a default route.
    host.ip(&["route add default via 10.9.0.2"]);
    let listener = host.within(|| TcpListener::bind(SERVER).unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let peer = stream.peer_addr().unwrap().ip().to_string();
            std::io::Write::write_all(&mut stream, peer.as_bytes()).unwrap();
        }
    });
    Some((host, container))
}

/// The address by which the task server knows who asks from there, if it is reached.
fn seen_from(net: &Net, address: SocketAddr) -> Option<IpAddr> {
    net.within(move || {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(3)).ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        text.parse().ok()
    })
}

fn rules(host: &Net) -> String {
    host.run(async || {
        let mut all = String::new();
        for table in ["nat", "filter"] {
            let list = Command::new("iptables", LIMIT).args(["-t", table, "-S"]);
            all.push_str(&String::from_utf8(list.run().await.unwrap().stdout).unwrap());
        }
        all
    })
}

#[test]
fn containers_and_programs_are_led_to_the_task_server_and_others_kept_out() {
    let Some((host, container)) = lab() else {
        return;
    };
    let (asked, server): (SocketAddr, SocketAddr) = (ASKED.into(), SERVER.parse().unwrap());
    host.program("iptables", "-A INPUT -p tcp --dport 9 -j ACCEPT");
    let before = rules(&host);
    assert_eq!(seen_from(&container, asked), None);
    // A container that puts packets for loopback on its link gets in where nobody keeps it out.
    container.ip(&[
        "addr del 127.0.0.1/8 dev lo",
        "route add 127.0.0.1/32 via 10.9.0.1",
    ]);
    container.program("sysctl", "-qw net.ipv4.conf.all.route_localnet=1");
    host.run(async || {
        RedirectOs::new(SERVER.parse().unwrap(), false)
            .ensure()
            .await
            .unwrap()
    });
    assert!(seen_from(&container, server).is_some());
    // Five starts leave one copy of each.
    let news: Vec<bool> = (0..5)
        .map(|_| host.run(async || redirect().ensure().await.unwrap()))
        .collect();
    assert_eq!(news, [true, false, false, false, false]);
    let during = rules(&host);
    assert_eq!(
        during.lines().count(),
        before.lines().count() + 3,
        "{during}"
    );
    assert_eq!(seen_from(&container, asked), Some([10, 9, 0, 2].into()));
    assert!(seen_from(&host, asked).is_some());
    assert_eq!(seen_from(&container, server), None);
    // Somebody flushes a table.
    host.program("iptables", "-t nat -F");
    assert_eq!(seen_from(&container, asked), None);
    assert!(host.run(async || redirect().ensure().await.unwrap()));
    assert_eq!(seen_from(&container, asked), Some([10, 9, 0, 2].into()));
    // What another agent has set a second time goes as well.
    host.program(
        "iptables",
        "-t nat -A OUTPUT -d 169.254.170.2 -p tcp --dport 80 -j REDIRECT --to-ports 51679",
    );
    for _ in 0..2 {
        host.run(async || redirect().release().await.unwrap());
        assert_eq!(rules(&host), before);
    }
    let setting =
        host.within(|| std::fs::read_to_string("/proc/sys/net/ipv4/conf/all/route_localnet"));
    assert_eq!(setting.unwrap().trim(), "0");
    assert_eq!(seen_from(&container, asked), None);
}
