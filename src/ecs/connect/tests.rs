//! Addresses and signatures by the checks of the specification.

use std::time::{Duration, SystemTime};

use aws_sdk_ecs::config::Credentials;

use super::address::{AcsQuery, TcsQuery, acs_url, tcs_url};
use super::sign::{Signer, sign_get, signed_frame};

fn query(docker_version: Option<&str>) -> AcsQuery<'_> {
    AcsQuery {
        agent_hash: "a8b3e7d3",
        agent_version: "1.105.1",
        cluster: "lab",
        container_instance: "arn:aws:ecs:us-west-2:123456789012:container-instance/lab/46",
        docker_version,
        send_credentials: true,
    }
}

#[test]
fn check_041_and_042_the_address_says_who_connects() {
    let expected = "http://127.0.0.1:8443/acs/ws?agentHash=a8b3e7d3&agentVersion=1.105.1&clusterArn=lab\
        &containerInstanceArn=arn%3Aaws%3Aecs%3Aus-west-2%3A123456789012%3Acontainer-instance%2Flab%2F46\
        &dockerVersion=DockerVersion%3A%2020.10.24%2Bdfsg1&protocolVersion=2&sendCredentials=true&seqNum=1";
    for endpoint in ["http://127.0.0.1:8443/acs/", "http://127.0.0.1:8443/acs"] {
        assert_eq!(acs_url(endpoint, &query(Some("20.10.24+dfsg1"))), expected);
    }
    let later = AcsQuery {
        send_credentials: false,
        ..query(None)
    };
    assert!(acs_url("https://x", &later).contains("&sendCredentials=false&"));
}

#[test]
fn check_043_an_unknown_version_of_docker_is_left_out() {
    assert!(!acs_url("https://x", &query(None)).contains("dockerVersion"));
}

/// The signature itself is recomputed by the control plane double of the integration tests.
#[test]
fn check_044_host_date_and_token_are_signed_and_nothing_else() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_mins(29_924_204);
    for (token, names) in [
        (None, "host;x-amz-date"),
        (
            Some("token".to_owned()),
            "host;x-amz-date;x-amz-security-token",
        ),
    ] {
        let credentials = Credentials::new("AKID", "secret", token.clone(), None, "test");
        let signer = Signer {
            credentials,
            region: "us-west-2",
            now,
        };
        let headers = sign_get("https://h.test/ws?a=b%20c", "h.test", signer, b"").unwrap();
        let header = |name: &str| {
            headers
                .iter()
                .find(|(known, _)| known == name)
                .map(|(_, value)| value.as_str())
        };
        let authorization = header("authorization").unwrap();
        let scope = "AWS4-HMAC-SHA256 Credential=AKID/20261123/us-west-2/ecs/aws4_request, ";
        assert!(
            authorization.starts_with(&format!("{scope}SignedHeaders={names}, Signature=")),
            "{authorization}"
        );
        assert_eq!(header("x-amz-date"), Some("20261123T164400Z"));
        assert_eq!(header("x-amz-security-token"), token.as_deref());
        assert_eq!(header("x-amz-content-sha256"), None);
    }
}

#[test]
fn check_118_the_address_of_telemetry_says_who_connects() {
    let query = TcsQuery {
        agent_hash: "a8b3e7d3",
        agent_version: "1",
        cluster: "lab",
        container_instance: "i/1",
        docker_version: Some("20.10"),
    };
    let expected = "https://t/ws?agentHash=a8b3e7d3&agentVersion=1&cluster=lab&containerInstance=i%2F1&dockerVersion=20.10";
    assert_eq!(tcs_url("https://t/", &query), expected);
}

/// That the signature verifies is shown with the control plane double.
#[test]
fn check_119_a_telemetry_frame_is_header_lines_an_empty_line_and_the_text() {
    let credentials = Credentials::new("AKID", "secret", Some("token".to_owned()), None, "test");
    let signer = Signer {
        credentials,
        region: "us-west-2",
        now: SystemTime::UNIX_EPOCH + Duration::from_mins(29_924_204),
    };
    let frame = signed_frame("http://h.test:8443/ws?a=b", "h.test:8443", signer, "{}").unwrap();
    let lines: Vec<&str> = frame.split("\r\n").collect();
    let scope = "Authorization: AWS4-HMAC-SHA256 Credential=AKID/20261123/us-west-2/ecs/aws4_request, \
        SignedHeaders=host;x-amz-date;x-amz-security-token, Signature=";
    assert!(lines[0].starts_with(scope), "{frame}");
    let expected = [
        "Host: h.test:8443",
        "X-Amz-Date: 20261123T164400Z",
        "X-Amz-Security-Token: token",
        "",
        "{}",
    ];
    assert_eq!(lines[1..], expected);
}
