//! How the control plane is reached: over TLS, with an authority of the operator, through a proxy, at other endpoints.
//! Names of the tests are resolved by nobody; a proxy on loopback leads them where they belong.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use berth::domain::fips::FipsEndpoints;
use berth::ecs::{Authorities, EndpointKinds, Network, Proxies, Proxy};

use super::{Host, SERVE, arn, task};
use crate::support::certificates::tls_for;
use crate::support::control_plane::ControlPlane;
use crate::support::http_proxy::HttpProxy;

const NAME: &str = "ecs.test";

/// A host whose control plane speaks TLS as `name`, and the authority that vouches for it.
async fn over_tls(name: &str) -> (Host, Authorities) {
    let (acceptor, pem) = tls_for(name);
    let mut host = Host::unconnected().await;
    host.plane = ControlPlane::start_tls(name, acceptor).await;
    let (authorities, bad) = Authorities::read(pem.as_bytes());
    assert_eq!((authorities.len(), bad), (1, 0));
    (host, authorities)
}

async fn works(host: &Host) {
    host.plane
        .payload("m1", 1, &[task("a", SERVE, "RUNNING")])
        .await;
    host.plane.change(&arn("a"), "RUNNING").await;
    host.plane
        .until("telemetry", || {
            host.plane.telemetry_of("PublishMetricsRequest").pop()
        })
        .await;
    assert_eq!(host.plane.bad_signatures(), [""; 0]);
}

#[tokio::test]
async fn check_045_calls_and_sessions_go_over_tls_with_an_authority_of_the_operator() {
    let (mut host, authorities) = over_tls("localhost").await;
    host.network.authorities = authorities;
    host.start();
    works(&host).await;
}

#[tokio::test]
async fn check_045_a_certificate_that_nobody_vouches_for_is_refused() {
    let (mut host, _) = over_tls("localhost").await;
    host.start();
    host.until_told("RegisterContainerInstance").await;
    assert_eq!(host.plane.all_calls().len(), 0);
}

#[tokio::test]
async fn check_045_a_certificate_of_another_name_is_refused() {
    let (acceptor, pem) = tls_for("other.test");
    let mut host = Host::unconnected().await;
    host.plane = ControlPlane::start_tls("localhost", acceptor).await;
    host.network.authorities = Authorities::read(pem.as_bytes()).0;
    host.start();
    host.until_told("RegisterContainerInstance").await;
    assert_eq!(host.plane.all_calls().len(), 0);
}

#[tokio::test]
async fn check_046_calls_and_sessions_go_through_the_proxy() {
    let (mut host, authorities) = over_tls(NAME).await;
    let proxy = HttpProxy::start(Some(host.plane.address())).await;
    host.network = Network {
        proxies: Proxies {
            http: None,
            https: Proxy::parse(&proxy.url()),
            except: "169.254.169.254".to_owned(),
        },
        authorities,
        endpoints: EndpointKinds::default(),
    };
    host.start();
    works(&host).await;
    let port = host.plane.address().port();
    let line = format!("CONNECT {NAME}:{port} HTTP/1.1");
    assert_eq!(proxy.lines(), [line]);
    // user:p@ss
    let login = Some("Basic dXNlcjpwQHNz".to_owned());
    assert_eq!(proxy.authorizations(), [login]);
}

#[tokio::test]
async fn check_046_loopback_is_never_reached_through_a_proxy() {
    let mut host = Host::unconnected().await;
    let proxy = HttpProxy::start(None).await;
    host.network.proxies = Proxies {
        http: Proxy::parse(&proxy.url()),
        https: Proxy::parse(&proxy.url()),
        except: String::new(),
    };
    host.start();
    works(&host).await;
    assert_eq!(proxy.lines(), [""; 0]);
}

/// The names of the endpoints, by what is asked of a proxy that leads nowhere.
#[tokio::test]
async fn endpoints_for_fips_and_for_ipv6_are_used_where_they_are_asked_for() {
    use FipsEndpoints::{Always, Off, WhereThereAre};
    for (fips, dual_stack, region, name) in [
        (Off, false, "us-west-2", "ecs.us-west-2.amazonaws.com"),
        (
            Always,
            false,
            "us-west-2",
            "ecs-fips.us-west-2.amazonaws.com",
        ),
        (
            WhereThereAre,
            false,
            "us-west-2",
            "ecs-fips.us-west-2.amazonaws.com",
        ),
        (
            WhereThereAre,
            false,
            "eu-west-1",
            "ecs.eu-west-1.amazonaws.com",
        ),
        (Off, true, "us-west-2", "ecs.us-west-2.api.aws"),
        (Always, true, "us-west-2", "ecs-fips.us-west-2.api.aws"),
    ] {
        let proxy = HttpProxy::start(None).await;
        let mut host = Host::unconnected().await;
        host.no_endpoint = true;
        host.region = Some(region.to_owned());
        host.network.proxies.https = Proxy::parse(&proxy.url());
        host.network.endpoints = EndpointKinds { fips, dual_stack };
        host.start();
        let asked = host.plane.until("it asks", || proxy.lines().pop()).await;
        assert_eq!(asked, format!("CONNECT {name}:443 HTTP/1.1"));
        assert_eq!(host.plane.all_calls().len(), 0);
    }
}

#[tokio::test]
async fn check_039_without_endpoints_the_session_waits_and_tries_again() {
    let mut host = Host::unconnected().await;
    // Both sessions ask, and each once more.
    host.plane
        .fail("DiscoverPollEndpoint", 3, 500, "ServerException");
    let asked = Arc::new(Mutex::new(Vec::new()));
    let note = Arc::clone(&asked);
    host.plane.watch(move |what, _| {
        if what == "DiscoverPollEndpoint" {
            note.lock().expect("whole").push(Instant::now());
        }
    });
    host.start();
    host.plane
        .until("a session is open", || {
            (host.plane.opened().len() == 1).then_some(())
        })
        .await;
    let asked = asked.lock().expect("whole").clone();
    assert_eq!(asked.len(), 4);
    // The first two are of one session each; who asks again has waited a quarter of a second at least.
    let waited = asked[2] - asked[0];
    assert!(waited >= Duration::from_millis(250), "{waited:?}");
}
