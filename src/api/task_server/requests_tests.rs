//! Requests of every shape against all routes, as the task server has them.

use axum::body::Body;
use axum::http::{Method, Request as HttpRequest};
use proptest::prelude::*;

use super::*;
use crate::api::task_server::limits::{Rate, RateLimits};
use crate::api::task_server::testing::{Answer, TASK_ROLE, ask, asked, get, recorded, server};
use crate::api::view::sample::MAIN_ENDPOINT;
use crate::boundary::credentials::AuditEvent;

#[test]
fn each_target_leads_somewhere() {
    let decoded = |text: &str| Target::Decoded(text.parse().unwrap());
    let moved = |text: &str| Target::Moved(text.to_owned());
    for (given, expected) in [
        ("/v4/a", Target::AsIs),
        ("/v4/a/", Target::AsIs),
        ("/", Target::AsIs),
        ("/v1/credentials?id=%zz//..", Target::AsIs),
        ("*", Target::AsIs),
        ("/%764/a", decoded("/v4/a")),
        ("/v4%2fa?x=%41", decoded("/v4/a?x=%41")),
        ("/v4/a%3Fb", Target::AsIs),
        ("/v4/a%3fb", decoded("/v4/a%3Fb")),
        ("/v4/%00", Target::AsIs),
        ("/v4/%ff", decoded("/v4/%EF%BF%BD")),
        ("//v4/a", moved("/v4/a")),
        ("/v4/./a?x=1", moved("/v4/a?x=1")),
        ("/v4/../../a/", moved("/a/")),
        ("/v2/credentials/%2e%2e/a", moved("/v2/a")),
        ("/v2/credentials/..%2F..%2fa%20b", moved("/a%20b")),
        ("/%2F%2fevil.example/", moved("/evil.example/")),
        ("/v4/%252e%252e/a", Target::AsIs),
        ("/v4/%", Target::Damaged),
        ("/v4/%4", Target::Damaged),
        ("/v4/%4g", Target::Damaged),
    ] {
        assert_eq!(target(&given.parse().unwrap()), expected, "{given}");
    }
}

#[tokio::test(start_paused = true)]
async fn routes_are_found_by_the_decoded_path() {
    let (router, _work) = server();
    for (path, status) in [
        (format!("/v2/credentials/{TASK_ROLE}"), 200),
        (
            format!("/%76%32/%63redentials%2F{}", TASK_ROLE.replace('-', "%2d")),
            200,
        ),
        (format!("/v1%2Fcredentials?id={TASK_ROLE}"), 200),
        (format!("/v4%2F{MAIN_ENDPOINT}"), 200),
        (format!("/v4/{MAIN_ENDPOINT}%2Ftask"), 200),
        (format!("/v2/credentials/{TASK_ROLE}%2F"), 400),
        (format!("/v2/credentials/{TASK_ROLE}%00"), 400),
        ("/v2/credentials/%ff".to_owned(), 400),
        (format!("/v2/credentials/%2e%2e%2f{TASK_ROLE}"), 301),
        (format!("/v1/credentials%3Fid={TASK_ROLE}"), 404),
        ("/v2/credentials/%".to_owned(), 400),
        (
            format!("/v2/credentials/{}", "x".repeat(MAX_TARGET_BYTES)),
            414,
        ),
        (
            format!("/v1/credentials?id={}", "x".repeat(MAX_TARGET_BYTES)),
            414,
        ),
    ] {
        assert_eq!(get(&router, &path).await.status, status, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_for_credentials_in_a_damaged_way_is_recorded_and_counted() {
    let rate = Rate::new(1, 6);
    let rates = RateLimits {
        credentials: rate,
        metadata: rate,
    };
    let (router, audit, _work) = recorded(rates);
    let long = "x".repeat(MAX_TARGET_BYTES);
    for (path, status, shown) in [
        ("/v2/credentials/%zz".to_owned(), 400, "/v2/credentials"),
        ("/v2/%63redentials/%".to_owned(), 400, "/v2/credentials"),
        (format!("/v2/credentials/{long}"), 414, "/v2/credentials"),
        (format!("/v1/credentials?id={long}"), 414, "/v1/credentials"),
        ("/v2/credentials/nobody".to_owned(), 400, "/v2/credentials"),
        (
            format!("/v2/credentials/{TASK_ROLE}"),
            200,
            "/v2/credentials",
        ),
    ] {
        assert_eq!(get(&router, &path).await.status, status, "{path}");
        let recorded = audit.take();
        let [entry] = recorded.as_slice() else {
            panic!("{path}: {recorded:?}");
        };
        assert_eq!((entry.status, &*entry.path), (status, shown), "{path}");
        let is_refused = entry.event == AuditEvent::Refused;
        assert_eq!(is_refused, status != 200, "{path}");
    }
    // They came out of one bucket, which is empty now.
    for path in [
        "/v2/credentials/%zz",
        "/v1/credentials?id=x",
        "/v2/credentials/y",
    ] {
        assert_eq!(get(&router, path).await.status, 429, "{path}");
        assert_eq!(audit.take()[0].event, AuditEvent::RateLimited);
    }
    // What is damaged elsewhere is nothing for the record.
    assert_eq!(get(&router, "/v4/%zz").await.status, 400);
    assert!(audit.take().is_empty());
}

#[tokio::test(start_paused = true)]
async fn floods_of_header_fields_are_refused() {
    let (router, _work) = server();
    for (fields, size, status) in [
        (MAX_FIELDS, 1, 200),
        (MAX_FIELDS + 1, 1, 431),
        (10, 3000, 200),
        (10, 4000, 431),
        (1, MAX_FIELD_BYTES, 431),
    ] {
        let mut request = HttpRequest::get(format!("/v2/credentials/{TASK_ROLE}"));
        for number in 0..fields {
            request = request.header(format!("x-{number}"), "v".repeat(size));
        }
        let answer = ask(&router, request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, status, "{fields} fields of {size}");
        if status == 431 {
            assert_eq!(answer.body, "431 Request Header Fields Too Large");
            assert_eq!(answer.kind.as_deref(), Some("text/plain; charset=utf-8"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_large_body_of_whoever_asks_for_credentials_is_refused_recorded_and_counted() {
    let rate = Rate::new(1, 2);
    let rates = RateLimits {
        credentials: rate,
        metadata: rate,
    };
    let (router, audit, _work) = recorded(rates);
    let path = format!("/v2/credentials/{TASK_ROLE}");
    let with_body = |path: &str, bytes: usize| {
        let request = HttpRequest::post(path).header(CONTENT_LENGTH, bytes);
        request.body(Body::empty()).unwrap()
    };
    for (bytes, status, event) in [
        (PLAIN_BODY_LIMIT, 200, None),
        (PLAIN_BODY_LIMIT + 1, 413, Some(AuditEvent::Refused)),
        (PLAIN_BODY_LIMIT + 1, 429, Some(AuditEvent::RateLimited)),
    ] {
        let answer = ask(&router, with_body(&path, bytes)).await;
        assert_eq!(answer.status, status, "{bytes}");
        let recorded = audit.take();
        assert_eq!(recorded.len(), 1, "{bytes}: {recorded:?}");
        assert_eq!(recorded[0].status, status);
        assert!(event.is_none_or(|event| recorded[0].event == event));
    }
    // Elsewhere it is nothing for the record.
    let elsewhere = ask(&router, with_body("/v4/nobody", PLAIN_BODY_LIMIT + 1)).await;
    assert_eq!(elsewhere.status, 413);
    assert!(audit.take().is_empty());
}

/// Paths made of what routes and attacks are made of.
fn path() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "v1",
        "v2",
        "v3",
        "v4",
        "credentials",
        "metadata",
        "stats",
        "task",
        "associations",
        TASK_ROLE,
        MAIN_ENDPOINT,
        "",
        ".",
        "..",
        "%2e",
        "%2e%2e",
        "%2f",
        "%00",
        "%ff",
        "%",
        "%zz",
        "%2525",
        "%76%34",
        "a%20b",
        "%E2%82%AC",
        ":",
        "@",
        "~",
        ";x=1",
        "taskWithTags",
    ]);
    let part = prop_oneof![4 => known.prop_map(str::to_owned), 1 => "[!-\"$->@-~]{0,12}"];
    let id = format!("id={TASK_ROLE}");
    let query = [
        "",
        "?",
        &format!("?{id}"),
        "?id=%zz",
        "?id",
        &format!("?a=1&{id}"),
    ];
    let query = prop::sample::select(query.map(str::to_owned).to_vec());
    (prop::collection::vec(part, 0..8), query)
        .prop_map(|(parts, query)| format!("/{}{query}", parts.join("/")))
}

/// What everything comes to in the end, if it is followed where it leads.
async fn followed(router: &Router, path: &str) -> Result<Answer, TestCaseError> {
    let answer = get(router, path).await;
    let Some(location) = &answer.location else {
        return Ok(answer);
    };
    prop_assert_eq!(answer.status, 301);
    prop_assert!(
        location.starts_with('/') && !location.starts_with("//"),
        "{}",
        location
    );
    let second = get(router, location).await;
    prop_assert_ne!(second.status, 301, "{} leads to {}", path, location);
    Ok(second)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever is asked has a documented status, in its form, and credentials are given for their id alone.
    #[test]
    fn every_request_has_a_documented_answer(path in path(), method in "GET|HEAD|POST|PUT|DELETE|X-Y") {
        let Ok(uri) = path.parse::<Uri>() else {
            return Ok(());
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let (router, _work) = server();
            let answer = followed(&router, &path).await?;
            prop_assert!([200, 400, 404, 500, 503].contains(&answer.status), "{path}: {answer:?}");
            let kind = answer.kind.as_deref();
            let is_json = kind == Some("application/json");
            prop_assert!(is_json || kind == Some("text/plain; charset=utf-8"), "{path}: {answer:?}");
            if is_json {
                let parsed = serde_json::from_str::<serde_json::Value>(&answer.body);
                prop_assert!(parsed.is_ok(), "{path}: {answer:?}");
            }
            // Only version 3 answers an id that nobody has with 500, as the reference agent.
            prop_assert!(answer.status != 500 || path.contains('3'), "{path}: {answer:?}");
            if answer.body.contains("AccessKeyId") {
                let end = match target(&uri) {
                    Target::Moved(location) => location.parse().unwrap(),
                    Target::Decoded(uri) => uri,
                    Target::AsIs | Target::Damaged => uri,
                };
                let asked = match end.path() {
                    "/v1/credentials" => end.query().is_some_and(|query| query.contains(TASK_ROLE)),
                    path => path == format!("/v2/credentials/{TASK_ROLE}"),
                };
                prop_assert!(asked, "{path}: {answer:?}");
            }
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let other = asked(&router, method, &path).await;
            let first = get(&router, &path).await;
            // Methods are all alike.
            prop_assert_eq!(other.status, first.status);
            Ok(())
        })?;
    }
}
