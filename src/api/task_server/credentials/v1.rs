//! `/v1/credentials?id=…`.

use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::CredentialsState;
use super::answer::{Version, answer};
use crate::api::task_server::peer::{Began, Peer};

pub(super) async fn get(
    State(state): State<CredentialsState>,
    peer: Peer,
    began: Began,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let id = query.as_deref().and_then(id_of);
    answer(&state, Version::V1, id.as_deref(), (&peer, began), &headers).await
}

/// The first `id` of a query.
fn id_of(query: &str) -> Option<String> {
    let mut pairs = query.split('&').filter_map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (name == "id").then_some(value)
    });
    let value = pairs.next()?.replace('+', " ");
    let decoded = percent_encoding::percent_decode_str(&value);
    // What is no text is no id either, but it was given.
    Some(decoded.decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_id_counts_and_names_are_case_sensitive() {
        for (query, id) in [
            ("id=a", Some("a")),
            ("x=1&id=a&id=b", Some("a")),
            ("id=", Some("")),
            ("id", Some("")),
            ("ID=a", None),
            ("", None),
            ("id=a%2Fb", Some("a/b")),
            ("id=%zz", Some("%zz")),
            ("id=%ff", Some("\u{fffd}")),
        ] {
            assert_eq!(id_of(query).as_deref(), id, "{query}");
        }
    }
}
