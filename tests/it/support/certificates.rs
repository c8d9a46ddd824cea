//! A certificate authority of the tests, and a certificate of one name: made anew each time, so that no key is
//! committed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ServerConfig, version};

const SEQUENCE: u8 = 0x30;
const ECDSA_WITH_SHA256: [u8; 10] = [6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
const EC_PUBLIC_KEY: [u8; 9] = [6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const P256: [u8; 10] = [6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const COMMON_NAME: [u8; 5] = [6, 3, 0x55, 4, 3];
const SUBJECT_NAMES: [u8; 5] = [6, 3, 0x55, 0x1d, 0x11];
const BASIC_CONSTRAINTS: [u8; 5] = [6, 3, 0x55, 0x1d, 0x13];

struct Key {
    pair: EcdsaKeyPair,
    pkcs8: Vec<u8>,
}

impl Key {
    fn new() -> Self {
        let random = SystemRandom::new();
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random);
        let pkcs8 = made.expect("a key").as_ref().to_vec();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &pkcs8, &random);
        Self {
            pair: pair.expect("a key"),
            pkcs8,
        }
    }
}

/// An acceptor of TLS for `name`, and the authority that signed for it as PEM.
pub(crate) fn tls_for(name: &str) -> (TlsAcceptor, String) {
    let (authority, leaf) = (Key::new(), Key::new());
    let constraints = extension(&BASIC_CONSTRAINTS, &tlv(SEQUENCE, &[1, 1, 0xff]));
    let root = certificate(("lab authority", &authority), &authority, &constraints);
    // 2 = a DNS name in the choice of names.
    let names = tlv(SEQUENCE, &tlv(0x82, name.as_bytes()));
    let names = extension(&SUBJECT_NAMES, &names);
    let chain = certificate((name, &leaf), &authority, &names);
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(leaf.pkcs8));
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&version::TLS12, &version::TLS13])
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(chain)], key)
        .expect("a certificate");
    let pem = format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        STANDARD.encode(root)
    );
    (TlsAcceptor::from(Arc::new(config)), pem)
}

fn certificate((name, key): (&str, &Key), authority: &Key, extension: &[u8]) -> Vec<u8> {
    let algorithm = tlv(SEQUENCE, &ECDSA_WITH_SHA256);
    let validity = tlv(
        SEQUENCE,
        &[tlv(0x17, b"200101000000Z"), tlv(0x17, b"491231235959Z")].concat(),
    );
    let point = key.pair.public_key().as_ref();
    let public_key = tlv(
        SEQUENCE,
        &[
            tlv(SEQUENCE, &[&EC_PUBLIC_KEY[..], &P256[..]].concat()),
            tlv(3, &[&[0][..], point].concat()),
        ]
        .concat(),
    );
    let body = tlv(
        SEQUENCE,
        &[
            // Version 3, serial number 1.
            vec![0xa0, 3, 2, 1, 2, 2, 1, 1],
            algorithm.clone(),
            named("lab authority"),
            validity,
            named(name),
            public_key,
            tlv(0xa3, &tlv(SEQUENCE, extension)),
        ]
        .concat(),
    );
    let signature = authority.pair.sign(&SystemRandom::new(), &body);
    let signature = signature.expect("a signature");
    tlv(
        SEQUENCE,
        &[
            body,
            algorithm,
            tlv(3, &[&[0][..], signature.as_ref()].concat()),
        ]
        .concat(),
    )
}

fn named(name: &str) -> Vec<u8> {
    let pair = [&COMMON_NAME[..], &tlv(0x0c, name.as_bytes())[..]].concat();
    tlv(SEQUENCE, &tlv(0x31, &tlv(SEQUENCE, &pair)))
}

fn extension(id: &[u8], content: &[u8]) -> Vec<u8> {
    tlv(SEQUENCE, &[id, &tlv(4, content)[..]].concat())
}

/// Tag, length, content.
fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut out = vec![tag];
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => out.push(short),
        Ok(long) => out.extend([0x81, long]),
        Err(_) => {
            let length = u16::try_from(length).expect("a short text");
            out.push(0x82);
            out.extend(length.to_be_bytes());
        }
    }
    out.extend(content);
    out
}
