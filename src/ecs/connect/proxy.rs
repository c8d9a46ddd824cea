//! Which proxy a connection goes through. Pure.
//!
//! As the reference agent: the variables of web clients, loopback never, exceptions by name, address, network and port.

use std::fmt;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;

/// A proxy. `Debug` does not show what it is asked with.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// User and password.
    pub login: Option<(String, String)>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// The proxies of this host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    /// For `http` and `ws`.
    pub http: Option<Proxy>,
    /// For `https` and `wss`.
    pub https: Option<Proxy>,
    /// Who is reached without, separated by commas.
    pub except: String,
}

/// Where a connection goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// Over TLS.
    pub secure: bool,
    /// Name or address.
    pub host: &'a str,
    /// Port.
    pub port: u16,
}

impl<'a> Target<'a> {
    /// Of an address with a scheme; `None` = it is none of HTTP.
    pub fn of_url(url: &'a str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let secure = match scheme {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = rest.split(['/', '?']).next()?;
        let (host, port) = place_of(authority);
        let usual = if secure { 443 } else { 80 };
        (!host.is_empty()).then(|| Self {
            secure,
            host,
            port: port.unwrap_or(usual),
        })
    }
}

impl Proxy {
    /// From an address such as `http://user:password@proxy:3128`; `None` = it is none of an HTTP proxy.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = match text.split_once("://") {
            Some(("http", rest)) => rest,
            Some(_) => return None,
            None => text,
        };
        let authority = rest.split('/').next()?;
        let (login, place) = match authority.rsplit_once('@') {
            Some((login, place)) => (Some(login), place),
            None => (None, authority),
        };
        let (host, port) = place_of(place);
        let plain = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let login = login.map(|login| {
            let (user, password) = login.split_once(':').unwrap_or((login, ""));
            (plain(user), plain(password))
        });
        (!host.is_empty()).then(|| Self {
            host: host.to_owned(),
            port: port.unwrap_or(80),
            login,
        })
    }

    /// The request that opens a way through it.
    pub fn connect(&self, target: Target<'_>) -> String {
        let Target { host, port, .. } = target;
        let login = self.login.as_ref().map(|(user, password)| {
            let login = STANDARD.encode(format!("{user}:{password}"));
            format!("Proxy-Authorization: Basic {login}\r\n")
        });
        let login = login.unwrap_or_default();
        format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n{login}\r\n")
    }
}

impl Proxies {
    /// For a session: one over TLS falls back on the proxy of clear text.
    pub fn for_session(&self, target: Target<'_>) -> Option<&Proxy> {
        let proxy = match (&self.https, &self.http) {
            (Some(https), _) if target.secure => https,
            (_, http) => http.as_ref()?,
        };
        (!self.is_excepted(target)).then_some(proxy)
    }

    /// For a call of the API: each kind has its own.
    pub fn for_call(&self, target: Target<'_>) -> Option<&Proxy> {
        let proxy = if target.secure {
            self.https.as_ref()?
        } else {
            self.http.as_ref()?
        };
        (!self.is_excepted(target)).then_some(proxy)
    }

    fn is_excepted(&self, target: Target<'_>) -> bool {
        let host = target.host.trim_matches(['[', ']']).to_ascii_lowercase();
        let address: Option<IpAddr> = host.parse().ok();
        if host == "localhost" || address.is_some_and(|address| address.is_loopback()) {
            return true;
        }
        let entries = self.except.split(',').map(str::trim);
        entries
            .filter(|entry| !entry.is_empty())
            .any(|entry| matches(&entry.to_ascii_lowercase(), &host, address, target.port))
    }
}

fn matches(entry: &str, host: &str, address: Option<IpAddr>, port: u16) -> bool {
    if entry == "*" {
        return true;
    }
    if let Some((network, bits)) = entry.split_once('/') {
        let network: Result<IpAddr, _> = network.parse();
        let (Ok(network), Ok(bits), Some(address)) = (network, bits.parse(), address) else {
            return false;
        };
        return lies_in(address, network, bits);
    }
    let (name, only) = place_of(entry);
    if only.is_some_and(|only| only != port) {
        return false;
    }
    if let Ok(excepted) = name.parse::<IpAddr>() {
        return address == Some(excepted);
    }
    let name = name.strip_prefix('*').unwrap_or(name);
    match name.strip_prefix('.') {
        // What begins with a dot means what lies below.
        Some(_) => host.ends_with(name),
        None => host == name || host.ends_with(&format!(".{name}")),
    }
}

fn lies_in(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    let (address, network, width) = match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => (
            u128::from(u32::from(address)),
            u128::from(u32::from(network)),
            32,
        ),
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            (u128::from(address), u128::from(network), 128)
        }
        _ => return false,
    };
    let Some(rest) = u32::checked_sub(width, bits) else {
        return false;
    };
    let cut = |value: u128| value.checked_shr(rest).unwrap_or(0);
    cut(address) == cut(network)
}

/// `host:port`, `[v6]:port`, `host`, `v6`.
fn place_of(text: &str) -> (&str, Option<u16>) {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest.split_once(']').unwrap_or((rest, ""));
        return (
            host,
            after.strip_prefix(':').and_then(|port| port.parse().ok()),
        );
    }
    match text.split_once(':') {
        Some((host, port)) if !port.contains(':') => (host, port.parse().ok()),
        Some(_) | None => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(except: &str) -> Proxies {
        Proxies {
            http: Proxy::parse("http://plain:3128"),
            https: Proxy::parse("http://tls:3128/"),
            except: except.to_owned(),
        }
    }

    fn target(secure: bool, host: &str) -> Target<'_> {
        Target {
            secure,
            host,
            port: 443,
        }
    }

    #[test]
    fn check_046_a_session_over_tls_falls_back_on_the_proxy_of_clear_text() {
        let mut proxies = proxies("");
        let host = |proxy: Option<&Proxy>| proxy.map(|proxy| proxy.host.clone());
        let (tls, clear) = (target(true, "ecs.test"), target(false, "ecs.test"));
        assert_eq!(host(proxies.for_session(tls)).as_deref(), Some("tls"));
        assert_eq!(host(proxies.for_session(clear)).as_deref(), Some("plain"));
        proxies.https = None;
        assert_eq!(host(proxies.for_session(tls)).as_deref(), Some("plain"));
        assert_eq!(host(proxies.for_call(tls)), None, "calls do not");
        proxies.http = None;
        assert_eq!(host(proxies.for_session(tls)), None);
    }

    #[test]
    fn check_046_exceptions_are_names_addresses_networks_and_ports_and_loopback_always() {
        for (except, host, excepted) in [
            ("", "ecs.test", false),
            ("", "localhost", true),
            ("", "127.0.0.1", true),
            ("", "[::1]", true),
            ("*", "ecs.test", true),
            ("ecs.test", "ECS.test", true),
            ("ecs.test", "a.ecs.test", true),
            ("ecs.test", "notecs.test", false),
            (".ecs.test", "ecs.test", false),
            ("*.ecs.test", "a.ecs.test", true),
            ("other, ecs.test:443", "ecs.test", true),
            ("ecs.test:80", "ecs.test", false),
            ("10.0.0.0/8", "10.9.8.7", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/99", "10.0.0.1", false),
            ("0.0.0.0/0", "11.0.0.1", true),
            ("10.0.0.1", "10.0.0.1", true),
            ("fd00::/8", "fd00:ec2::254", true),
            ("fd00::/8", "10.0.0.1", false),
            ("169.254.169.254", "10.0.0.1", false),
        ] {
            let found = proxies(except).for_session(target(true, host)).is_none();
            assert_eq!(found, excepted, "{except:?} {host}");
        }
    }

    #[test]
    fn a_proxy_has_a_place_and_perhaps_a_login_that_is_not_shown() {
        let proxy = Proxy::parse("http://me:s%3Acret@proxy.test:8080/").unwrap();
        assert_eq!((proxy.host.as_str(), proxy.port), ("proxy.test", 8080));
        assert_eq!(format!("{proxy:?}"), "proxy.test:8080");
        let asked = proxy.connect(target(true, "ecs.test"));
        let expected = "CONNECT ecs.test:443 HTTP/1.1\r\nHost: ecs.test:443\r\n\
             Proxy-Authorization: Basic bWU6czpjcmV0\r\n\r\n";
        assert_eq!(asked, expected);
        assert_eq!(Proxy::parse("proxy").unwrap().port, 80);
        assert_eq!(Proxy::parse("[::1]:3128").unwrap().host, "::1");
        for bad in ["", "socks5://proxy:1", "http://", "http://:80"] {
            assert_eq!(Proxy::parse(bad), None, "{bad}");
        }
    }
}
