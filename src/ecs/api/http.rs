//! The HTTP client of the SDK: TLS with the authorities of the operator too, and through a proxy where there is one.

use aws_sdk_ecs::config::{RuntimeComponents, SharedHttpClient};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, Connector};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::ecs::config::EcsConfig;
use crate::ecs::connect::{Network, Proxy, Target};

/// The client for calls to the endpoint of these settings.
pub(super) fn client(config: &EcsConfig, region: &str) -> SharedHttpClient {
    let tls = Provider::Rustls(CryptoMode::Ring);
    let trusted = config
        .network
        .authorities
        .pem()
        .fold(TrustStore::default(), TrustStore::with_pem_certificate);
    let context = TlsContext::builder().with_trust_store(trusted).build();
    // The builder fails for no reason of its own: certificates were looked at when they were read.
    let context = context.unwrap_or_default();
    let proxy = proxy(&config.network, config.endpoint.as_deref(), region);
    Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = Connector::builder()
            .tls_provider(tls.clone())
            .tls_context(context.clone())
            .proxy_config(proxy.clone());
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        connector.build()
    })
}

fn proxy(network: &Network, endpoint: Option<&str>, region: &str) -> ProxyConfig {
    let usual = format!("https://ecs.{region}.amazonaws.com");
    let endpoint = endpoint.unwrap_or(&usual);
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
