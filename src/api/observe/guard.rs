//! Who may ask over TCP: programs on this host, and no page of a web site that makes a browser ask for it.
//!
//! A browser names the site in `Origin` when another site's page asks, and in `Host` when that site's name was made to
//! point at this host. Both are refused. Containers on the Docker bridge may ask for nothing here: what the agent says
//! of one task is no business of its neighbours.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::{HOST, ORIGIN};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::api::problem::{Problem, ProblemKind};

/// What may be asked on a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everything: it is reached from this host only.
    Full,
    /// What every ECS agent answers and no more: containers or other hosts reach it.
    ClassicOnly,
}

/// Refuses what may not be asked.
pub(super) async fn guard(State(access): State<Access>, request: Request, next: Next) -> Response {
    match refusal(access, request.headers()) {
        None => next.run(request).await,
        Some(why) => Problem::new(ProblemKind::Forbidden)
            .detail(why)
            .into_response(),
    }
}

fn refusal(access: Access, headers: &HeaderMap) -> Option<&'static str> {
    if access == Access::ClassicOnly {
        return Some("this address answers /v1/metadata, /v1/tasks and /license only");
    }
    if headers.contains_key(ORIGIN) {
        return Some("requests of web pages (header Origin) are refused");
    }
    let host = headers.get(HOST)?;
    let named = host.to_str().ok().is_some_and(is_local_name);
    (!named).then_some("the header Host must be an address or localhost")
}

/// An address literal or `localhost`, with or without a port.
fn is_local_name(host: &str) -> bool {
    let bare = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        None => host.split(':').next(),
    };
    bare.is_some_and(|name| {
        name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(access: Access, headers: &[(&str, &str)], allowed: bool) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name = axum::http::HeaderName::try_from(*name).expect("a name");
            map.insert(name, value.parse().expect("a value"));
        }
        assert_eq!(refusal(access, &map).is_none(), allowed, "{headers:?}");
    }

    #[test]
    fn programs_of_this_host_may_ask_and_pages_of_web_sites_may_not() {
        for host in [
            "localhost:51678",
            "LOCALHOST",
            "127.0.0.1:51678",
            "[::1]:51678",
            "10.0.0.7",
        ] {
            check(Access::Full, &[("host", host)], true);
        }
        check(Access::Full, &[], true);
        for host in [
            "evil.test",
            "evil.test:51678",
            "localhost.evil.test",
            "127.0.0.1.evil.test",
            "",
        ] {
            check(Access::Full, &[("host", host)], false);
        }
        let page = [
            ("host", "localhost:51678"),
            ("origin", "http://localhost:51678"),
        ];
        check(Access::Full, &page, false);
    }

    #[test]
    fn the_bridge_gets_nothing() {
        check(Access::ClassicOnly, &[("host", "172.17.0.1:51678")], false);
    }
}
