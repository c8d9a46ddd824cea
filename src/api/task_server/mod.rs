//! The task server: what containers ask for at 169.254.170.2 and 127.0.0.1:51679.

pub mod peer;

pub mod requests;

pub mod limits;

pub mod credentials;

pub mod metadata;

pub mod protection;

pub mod router;

#[cfg(test)]
mod testing;

#[cfg(test)]
mod recorded;

/// Longest `User-Agent` that is kept for the record, in bytes.
const MAX_USER_AGENT_BYTES: usize = 512;

/// `User-Agent` of a request as the record keeps it; empty if there is none or it is not text.
fn user_agent(headers: &axum::http::HeaderMap) -> String {
    let given = headers.get(axum::http::header::USER_AGENT);
    let text = given
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    // Only visible ASCII can come this far, so that every byte is a character.
    text.get(..MAX_USER_AGENT_BYTES).unwrap_or(text).to_owned()
}
