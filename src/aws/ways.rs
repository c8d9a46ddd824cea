//! How calls get to AWS: one connector for each address, made with the proxies and authorities of the settings, and kept.
//!
//! **Invariant.** The instance metadata service is reached directly: whoever runs a proxy is not to answer for it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_sts::config::http::HttpRequest;
use aws_sdk_sts::config::{RuntimeComponents, SharedHttpClient};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};

/// Connections that are kept for further calls: an address for each service of a few regions.
const MAX_CONNECTORS: usize = 16;

/// Makes connections to an address: through proxies, and with the authorities that are trusted.
pub type Connect = Arc<dyn Fn(&str) -> SharedHttpConnector + Send + Sync>;

/// The ways. Clones share them.
#[derive(Clone)]
pub struct Ways(Arc<Inner>);

struct Inner {
    connect: Connect,
    kept: Mutex<BTreeMap<String, SharedHttpConnector>>,
    direct: SharedHttpClient,
}

impl fmt::Debug for Ways {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ways")
    }
}

impl Ways {
    /// Nothing is connected to before the first call.
    pub fn new(connect: Connect) -> Self {
        Self(Arc::new(Inner {
            connect,
            kept: Mutex::default(),
            direct: direct(),
        }))
    }

    /// The connections to that address.
    pub(super) fn to(&self, url: &str) -> SharedHttpConnector {
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connector) = kept.get(url) {
            return connector.clone();
        }
        if kept.len() >= MAX_CONNECTORS {
            kept.clear();
        }
        let connector = (self.0.connect)(url);
        kept.insert(url.to_owned(), connector.clone());
        connector
    }

    /// For clients of the SDK, wherever they call.
    pub(super) fn client(&self) -> SharedHttpClient {
        SharedHttpClient::new(self.clone())
    }

    /// For the instance metadata service.
    pub(super) fn direct(&self) -> SharedHttpClient {
        self.0.direct.clone()
    }
}

/// A client without proxies that trusts what the host trusts.
pub(super) fn direct() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https()
}

impl HttpClient for Ways {
    // Limits of time are those of whoever calls.
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Ways {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.to(origin(request.uri())).call(request)
    }
}

/// Scheme, host and port.
fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    let end = url.get(host..).and_then(|rest| rest.find(['/', '?', '#']));
    let end = end.map_or(url.len(), |at| host + at);
    url.get(..end).unwrap_or(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_ends_before_its_path() {
        for (url, expected) in [
            ("https://sts.test/", "https://sts.test"),
            ("http://127.0.0.1:8080/a/b?c=d", "http://127.0.0.1:8080"),
            ("https://sso.test:443?x=/y", "https://sso.test:443"),
            ("https://sts.test", "https://sts.test"),
            ("/path", ""),
        ] {
            assert_eq!(origin(url), expected);
        }
    }
}
