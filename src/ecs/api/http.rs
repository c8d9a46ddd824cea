//! The HTTP client of the SDK: TLS with the authorities of the operator too, and through a proxy where there is one.

use aws_sdk_ecs::config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _};
use aws_sdk_ecs::config::{RuntimeComponents, SharedHttpClient};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use futures_util::FutureExt as _;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::ecs::config::EcsConfig;
use crate::ecs::connect::{EndpointKinds, Network, Proxy, Target};

/// TLS of every call.
const TLS: Provider = Provider::Rustls(CryptoMode::Ring);

/// The client for calls to the endpoint of these settings.
pub(super) fn client(config: &EcsConfig, region: &str) -> SharedHttpClient {
    let endpoint = config.endpoint.clone();
    let endpoint = endpoint.unwrap_or_else(|| usual(config.network.endpoints, region));
    let (context, proxy) = (trusted(&config.network), proxy(&config.network, &endpoint));
    Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = Connector::builder()
            .tls_provider(TLS)
            .tls_context(context.clone())
            .proxy_config(proxy.clone());
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        connector.build()
    })
}

/// Where the SDK goes by itself: by partition, with FIPS and IPv6 or without.
fn usual(kinds: EndpointKinds, region: &str) -> String {
    let params = Params::builder()
        .region(region)
        .use_fips(kinds.fips.count_in(region))
        .use_dual_stack(kinds.dual_stack)
        .build()
        .ok();
    // Worked out at once: the future is there for resolvers that ask somebody.
    let resolved = params.and_then(|params| {
        let resolver = DefaultResolver::new();
        let endpoint = resolver.resolve_endpoint(&params).now_or_never();
        endpoint.and_then(Result::ok)
    });
    let url = resolved.map(|endpoint| endpoint.url().to_owned());
    url.unwrap_or_else(|| format!("https://ecs.{region}.amazonaws.com"))
}

/// Connections to that address, for calls of other services on the same ways.
pub fn connector(network: &Network, url: &str) -> SharedHttpConnector {
    let connector = Connector::builder()
        .tls_provider(TLS)
        .tls_context(trusted(network))
        .proxy_config(proxy(network, url));
    SharedHttpConnector::new(connector.build())
}

fn trusted(network: &Network) -> TlsContext {
    let trusted = network
        .authorities
        .pem()
        .fold(TrustStore::default(), TrustStore::with_pem_certificate);
    let context = TlsContext::builder().with_trust_store(trusted).build();
    // The builder fails for no reason of its own: certificates were looked at when they were read.
    context.unwrap_or_default()
}

fn proxy(network: &Network, endpoint: &str) -> ProxyConfig {
    let found = Target::of_url(endpoint).and_then(|target| network.proxies.for_call(target));
    let found = found.and_then(|Proxy { host, port, login }| {
        let host = if host.contains(':') {
            format!("[{host}]")
        } else {
            host.clone()
        };
        let proxy = ProxyConfig::all(format!("http://{host}:{port}")).ok()?;
        Some(match login {
            // The client puts both into an address, and takes them out of it by decoding.
            Some((user, password)) => proxy.with_basic_auth(encoded(user), encoded(password)),
            None => proxy,
        })
    });
    found.unwrap_or_else(ProxyConfig::disabled)
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fips::FipsEndpoints;

    /// Exceptions from a proxy are by the name that is really called.
    #[test]
    fn the_usual_address_is_that_of_the_sdk() {
        use FipsEndpoints::{Always, Off};
        for (region, fips, dual_stack, expected) in [
            (
                "us-east-1",
                Off,
                false,
                "https://ecs.us-east-1.amazonaws.com",
            ),
            (
                "us-east-1",
                Always,
                false,
                "https://ecs-fips.us-east-1.amazonaws.com",
            ),
            ("us-west-2", Off, true, "https://ecs.us-west-2.api.aws"),
            (
                "cn-north-1",
                Off,
                false,
                "https://ecs.cn-north-1.amazonaws.com.cn",
            ),
            (
                "us-gov-west-1",
                Always,
                false,
                "https://ecs-fips.us-gov-west-1.amazonaws.com",
            ),
        ] {
            assert_eq!(usual(EndpointKinds { fips, dual_stack }, region), expected);
        }
    }
}
