//! Signature Version 4, recomputed by hand: another hand than the agent's.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest as _, Sha256};

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A request as it came; names of headers are small.
#[derive(Clone, Copy)]
pub(crate) struct Signed<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) headers: &'a [(String, String)],
    pub(crate) body: &'a [u8],
}

/// What it is to be signed with.
#[derive(Clone, Copy)]
pub(crate) struct Signer<'a> {
    pub(crate) key: &'a str,
    pub(crate) secret: &'a str,
    pub(crate) region: &'a str,
    pub(crate) service: &'a str,
}

/// Whether the request is signed with that; else why not.
pub(crate) fn check(request: Signed<'_>, with: Signer<'_>) -> Result<(), String> {
    let Signed {
        method,
        path,
        headers,
        body,
    } = request;
    let Signer {
        key: id,
        secret,
        region,
        service,
    } = with;
    let header = |name: &str| {
        let found = headers.iter().find(|(known, _)| known == name);
        found
            .map(|(_, value)| value.as_str())
            .ok_or(format!("no header {name}"))
    };
    let authorization = header("authorization")?;
    let part = |name: &str| {
        let at = authorization.find(name).ok_or(format!("no {name}"))? + name.len();
        let rest = &authorization[at..];
        Ok::<&str, String>(rest.split(',').next().unwrap_or(rest))
    };
    let (date, signed) = (header("x-amz-date")?, part("SignedHeaders=")?);
    let scope = format!("{}/{region}/{service}/aws4_request", &date[..8]);
    if part("Credential=")? != format!("{id}/{scope}") {
        return Err(format!("credential {}", part("Credential=")?));
    }
    let mut canonical_headers = String::new();
    for name in signed.split(';') {
        writeln!(canonical_headers, "{name}:{}", header(name)?).expect("text");
    }
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let hash = hex(&Sha256::digest(body));
    let canonical = [
        method,
        path,
        &canonical_query(query),
        &canonical_headers,
        signed,
        &hash,
    ]
    .join("\n");
    let to_sign = [
        "AWS4-HMAC-SHA256",
        date,
        &scope,
        &hex(&Sha256::digest(canonical.as_bytes())),
    ]
    .join("\n");
    let mut key = hmac(format!("AWS4{secret}").as_bytes(), &date.as_bytes()[..8]);
    for step in [region, service, "aws4_request"] {
        key = hmac(&key, step.as_bytes());
    }
    let expected = hex(&hmac(&key, to_sign.as_bytes()));
    if part("Signature=")? == expected {
        Ok(())
    } else {
        Err(format!("another signature for {canonical:?}"))
    }
}

fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (again(name), again(value)))
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("&")
}

fn again(text: &str) -> String {
    let plain = percent_decode_str(text).decode_utf8().expect("UTF-8");
    utf8_percent_encode(&plain, UNRESERVED).to_string()
}

fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut block = [0_u8; 64];
    if key.len() > 64 {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let pad = |byte: u8| block.map(|b| b ^ byte);
    let inner = Sha256::new()
        .chain_update(pad(0x36))
        .chain_update(text)
        .finalize();
    Sha256::new()
        .chain_update(pad(0x5c))
        .chain_update(inner)
        .finalize()
        .to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("text");
        text
    })
}
