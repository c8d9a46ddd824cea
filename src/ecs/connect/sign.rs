//! Signature Version 4 of a session's opening request and of telemetry frames.

use std::time::SystemTime;

use aws_sdk_ecs::config::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;

/// A request that cannot be signed: why.
#[derive(Debug, thiserror::Error)]
#[error("the request cannot be signed: {0}")]
pub struct SignError(String);

/// A telemetry frame as it goes out: header lines, an empty line, and the text that they sign.
///
/// # Errors
/// [`SignError`]: the address is none.
pub(super) fn signed_frame(
    url: &str,
    host: &str,
    signer: Signer<'_>,
    text: &str,
) -> Result<String, SignError> {
    let mut headers = sign_get(url, host, signer, text.as_bytes())?;
    headers.retain(|(name, _)| name != "host");
    headers.push(("host".to_owned(), host.to_owned()));
    headers.sort();
    let lines = headers.iter().map(|(name, value)| {
        let name = canonical(name);
        format!("{name}: {value}\r\n")
    });
    let lines = lines.collect::<Vec<_>>().concat();
    Ok(format!("{lines}\r\n{text}"))
}

/// `x-amz-date` as `X-Amz-Date`.
fn canonical(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        format!("{}{rest}", first.to_ascii_uppercase())
    });
    words.collect::<Vec<_>>().join("-")
}

/// With what is signed.
pub(super) struct Signer<'a> {
    pub(super) credentials: Credentials,
    pub(super) region: &'a str,
    pub(super) now: SystemTime,
}

/// Headers that make a GET of the address with that body acceptable: host, date, token and signature are covered, and
/// nothing else is.
///
/// # Errors
/// [`SignError`]: the address is none.
pub(super) fn sign_get(
    url: &str,
    host: &str,
    signer: Signer<'_>,
    body: &[u8],
) -> Result<Vec<(String, String)>, SignError> {
    let unsigned = Unsigned {
        method: "GET",
        service: "ecs",
        url,
        headers: &[("host", host)],
        body,
    };
    sign_request(&unsigned, signer)
}

/// A request that is to be signed, with the headers that its signature covers.
pub(super) struct Unsigned<'a> {
    pub(super) method: &'a str,
    pub(super) service: &'a str,
    pub(super) url: &'a str,
    pub(super) headers: &'a [(&'a str, &'a str)],
    pub(super) body: &'a [u8],
}

/// Headers that it needs beside its own.
///
/// # Errors
/// [`SignError`]: the address is none.
pub(super) fn sign_request(
    unsigned: &Unsigned<'_>,
    signer: Signer<'_>,
) -> Result<Vec<(String, String)>, SignError> {
    let Signer {
        credentials,
        region,
        now,
    } = signer;
    let failed = |error: &dyn std::fmt::Display| SignError(error.to_string());
    let identity = credentials.into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(unsigned.service)
        .time(now)
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| failed(&error))?;
    let headers = unsigned.headers.iter().copied();
    let body = SignableBody::Bytes(unsigned.body);
    let request = SignableRequest::new(unsigned.method, unsigned.url, headers, body);
    let request = request.map_err(|error| failed(&error))?;
    let output = sign(request, &parameters.into()).map_err(|error| failed(&error))?;
    let (instructions, _) = output.into_parts();
    let headers = instructions.headers();
    Ok(headers
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect())
}
