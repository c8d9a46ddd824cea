//! TLS of sessions: the provider that the SDK uses, the certificates that the host trusts, and those of the operator.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

/// Authorities of the operator, beside those of the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Authorities(Vec<CertificateDer<'static>>);

impl Authorities {
    /// From texts of PEM. What is no certificate of an authority is left out: the second value counts it.
    pub fn read(pem: &[u8]) -> (Self, usize) {
        let (mut good, mut bad) = (Vec::new(), 0);
        for certificate in CertificateDer::pem_slice_iter(pem) {
            match certificate {
                Ok(certificate) if RootCertStore::empty().add(certificate.clone()).is_ok() => {
                    good.push(certificate);
                }
                Ok(_) | Err(_) => bad += 1,
            }
        }
        (Self(good), bad)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As PEM, one text each.
    pub fn pem(&self) -> impl Iterator<Item = String> + '_ {
        self.0.iter().map(|certificate| {
            let text = STANDARD.encode(certificate);
            format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
        })
    }
}

/// A connector for TLS 1.2 and newer. Certificates that cannot be read are left out: a session that needs one says so.
pub(super) fn connector(
    authorities: &Authorities,
) -> Result<TlsConnector, tokio_rustls::rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots.add_parsable_certificates(authorities.0.iter().cloned());
    let config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
