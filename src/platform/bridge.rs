//! Where containers of Docker's default network find this host.

use std::net::Ipv4Addr;

#[cfg(unix)]
use nix::sys::socket::SockaddrIn;

/// Docker's name of the bridge of its default network.
#[cfg(unix)]
const BRIDGE: &str = "docker0";

/// Address of this host on Docker's default bridge; `None` = there is no such bridge now.
#[cfg(unix)]
pub fn docker_bridge_address() -> Option<Ipv4Addr> {
    address_of(BRIDGE)
}

/// Other systems have no such bridge on the host.
#[cfg(not(unix))]
pub fn docker_bridge_address() -> Option<Ipv4Addr> {
    None
}

/// First IPv4 address of an interface.
#[cfg(unix)]
fn address_of(interface: &str) -> Option<Ipv4Addr> {
    let mut all = nix::ifaddrs::getifaddrs().ok()?;
    all.find_map(|found| {
        let address = found
            .address
            .filter(|_| found.interface_name == interface)?;
        address.as_sockaddr_in().map(SockaddrIn::ip)
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_an_interface_is_found() {
        assert_eq!(address_of("lo"), Some(Ipv4Addr::LOCALHOST));
        assert_eq!(address_of("no-such-link"), None);
    }
}
