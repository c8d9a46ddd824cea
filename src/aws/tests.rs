//! The source against a stand-in of STS on loopback that answers what it is told to.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use aws_sdk_sts::config::SharedCredentialsProvider;
use aws_sdk_sts::config::http::HttpRequest;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::sts::{Sts, StsConfig};
use super::ways::{Connect, Ways};
use crate::boundary::credentials::CredentialsSource as _;
use crate::boundary::{BoundaryError, ErrorKind};
use crate::domain::credentials::Credentials;
use crate::domain::ids::UnixMillis;
use crate::testing::credentials::grant;

const GOOD: &str = "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>\
    <Credentials><AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>marked-secret</SecretAccessKey>\
    <SessionToken>marked-token</SessionToken><Expiration>2030-01-01T00:00:00.750Z</Expiration></Credentials>\
    </AssumeRoleResult></AssumeRoleResponse>";

/// Answers every request so, or never.
#[derive(Clone)]
pub(super) enum Script {
    Answer(u16, String),
    Hang,
    HangUp,
}

fn refusal(status: u16, code: &str) -> Script {
    let body = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>why marked</Message></Error>\
         </ErrorResponse>"
    );
    Script::Answer(status, body)
}

pub(super) struct StandIn {
    pub(super) endpoint: String,
    pub(super) requests: Arc<Mutex<Vec<String>>>,
    _work: JoinSet<()>,
}

impl StandIn {
    pub(super) async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = Arc::clone(&requests);
        let mut work = JoinSet::new();
        work.spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = read_request(&mut stream).await;
                seen.lock().unwrap().push(request);
                match &script {
                    Script::Answer(status, body) => {
                        let length = body.len();
                        let answer = format!(
                            "HTTP/1.1 {status} X\r\ncontent-type: text/xml\r\ncontent-length: {length}\r\n\
                             connection: close\r\n\r\n{body}"
                        );
                        let _gone = stream.write_all(answer.as_bytes()).await;
                    }
                    Script::Hang => std::future::pending().await,
                    Script::HangUp => {}
                }
            }
        });
        Self {
            endpoint,
            requests,
            _work: work,
        }
    }
}

/// Head and body of a request, as text.
async fn read_request(stream: &mut tokio::net::TcpStream) -> String {
    let mut request = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .map_or(0, |(_, value)| value.trim().parse().unwrap());
            if body.len() >= length {
                return text;
            }
        }
        if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
            return text;
        }
    }
}

fn config(endpoint: &str) -> StsConfig {
    StsConfig {
        endpoint: Some(endpoint.to_owned()),
        region: Some("us-west-2".to_owned()),
        external_id: Some("ext 1".to_owned()),
        tags: [("task".to_owned(), "{task}".to_owned())].into(),
        limit: Duration::from_secs(20),
        ..StsConfig::default()
    }
}

async fn fetch(config: StsConfig) -> Result<Credentials, BoundaryError> {
    let source = Sts::with_key(config, "AKIA", "marked-own");
    source.fetch(&grant(1)).await
}

#[tokio::test]
async fn a_role_is_assumed_with_its_session_and_the_end_has_whole_seconds() {
    let sts = StandIn::start(Script::Answer(200, GOOD.to_owned())).await;
    let credentials = fetch(config(&sts.endpoint)).await.unwrap();
    assert_eq!(credentials.access_key_id.expose(), "ASIA1");
    assert_eq!(credentials.session_token.expose(), "marked-token");
    assert_eq!(credentials.expiration.text, "2030-01-01T00:00:00Z");
    assert_eq!(credentials.expiration.at, UnixMillis(1_893_456_000_750));
    let requests = sts.requests.lock().unwrap();
    let (head, body) = requests[0].split_once("\r\n\r\n").unwrap();
    assert!(head.contains("/us-west-2/sts/aws4_request"), "{head}");
    for part in [
        "Action=AssumeRole",
        "RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fweb",
        "RoleSessionName=berth-00000000000000000000000000000001",
        "DurationSeconds=3600",
        "ExternalId=ext%201",
        "Tags.member.1.Key=task",
        "Tags.member.1.Value=00000000000000000000000000000001",
    ] {
        assert!(body.contains(part), "{part} in {body}");
    }
}

#[tokio::test]
async fn every_trouble_of_sts_has_a_kind_and_tells_no_secret() {
    let rubbish = |text: &str| Script::Answer(200, text.to_owned());
    let no_key = GOOD.replace("ASIA1", "");
    let no_end = GOOD.replace("2030-01-01T00:00:00.750Z", "tomorrow");
    for (script, kind, says) in [
        (
            refusal(403, "AccessDenied"),
            ErrorKind::Denied,
            "AccessDenied: why",
        ),
        (
            refusal(403, "ExpiredToken"),
            ErrorKind::Denied,
            "ExpiredToken",
        ),
        (
            refusal(403, "SignatureDoesNotMatch"),
            ErrorKind::Denied,
            "SignatureDoesNotMatch",
        ),
        (
            refusal(400, "Throttling"),
            ErrorKind::Throttled,
            "Throttling",
        ),
        (
            refusal(503, "ServiceUnavailable"),
            ErrorKind::Transient,
            "ServiceUnavailable",
        ),
        (
            Script::Answer(500, "<html>marked".to_owned()),
            ErrorKind::Transient,
            "",
        ),
        (
            rubbish("marked rubbish"),
            ErrorKind::Transient,
            "STS gave an answer",
        ),
        (rubbish(""), ErrorKind::Transient, "STS gave an answer"),
        (rubbish(&no_key), ErrorKind::Transient, "STS gave an answer"),
        (rubbish(&no_end), ErrorKind::Transient, "STS gave an answer"),
        (Script::HangUp, ErrorKind::Unavailable, "cannot be reached"),
    ] {
        let sts = StandIn::start(script).await;
        let error = fetch(config(&sts.endpoint)).await.unwrap_err();
        let chain = crate::error::ErrorChain(&error).to_string();
        assert_eq!(error.kind, kind, "{chain}");
        assert!(chain.contains(says), "{says} in {chain}");
        let told = chain.replace("AccessDenied: why marked", "");
        assert!(!told.contains("marked"), "{chain}");
    }
}

#[tokio::test]
async fn a_hanging_sts_is_given_up_and_a_closed_one_is_unavailable() {
    let sts = StandIn::start(Script::Hang).await;
    let short = StsConfig {
        limit: Duration::from_millis(300),
        ..config(&sts.endpoint)
    };
    let error = fetch(short).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::DeadlineExceeded);
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let error = fetch(config(&endpoint)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
}

/// Fails like a host that has no credentials, and counts.
#[derive(Debug)]
struct Nothing(Arc<Mutex<u32>>);

impl ProvideCredentials for Nothing {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        *self.0.lock().unwrap() += 1;
        let why = "marked";
        future::ProvideCredentials::ready(Err(CredentialsError::not_loaded(why)))
    }
}

#[tokio::test]
async fn a_host_without_credentials_says_so_and_looks_for_them_again_each_time() {
    let sts = StandIn::start(Script::Answer(200, GOOD.to_owned())).await;
    let made = Arc::new(Mutex::new(0));
    let counter = Arc::clone(&made);
    let base =
        move |_: &StsConfig, _| SharedCredentialsProvider::new(Nothing(Arc::clone(&counter)));
    let source = Sts::with_base(config(&sts.endpoint), Box::new(base));
    for times in 1..=2 {
        let error = source.fetch(&grant(1)).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unavailable);
        let says = "this host has no credentials of its own to assume it with: none are in";
        assert!(error.message.starts_with(says), "{}", error.message);
        assert_eq!(*made.lock().unwrap(), times);
    }
    let error = source.look().await.unwrap_err();
    assert_eq!(error.message, "none are in the environment or in a profile");
    assert!(sts.requests.lock().unwrap().is_empty());
    let own = Sts::with_key(config(&sts.endpoint), "key", "secret");
    own.look().await.unwrap();
    assert!(sts.requests.lock().unwrap().is_empty(), "STS is not asked");
}

/// Every call of the SDK goes the way of the settings: that of STS for a role, and that for the host's own credentials.
#[tokio::test]
async fn calls_go_the_way_of_the_settings() {
    let sts = StandIn::start(Script::Answer(200, GOOD.to_owned())).await;
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let (seen, to) = (Arc::clone(&asked), sts.endpoint.clone());
    // A way that leads to the stand-in whatever the address.
    let connect: Connect = Arc::new(move |url| {
        seen.lock().unwrap().push(url.to_owned());
        SharedHttpConnector::new(Redirect(to.clone()))
    });
    let ways = Ways::new(connect);
    let base = |_: &StsConfig, _| {
        let key = aws_sdk_sts::config::Credentials::new("K", "s", None, None, "fixed");
        SharedCredentialsProvider::new(key)
    };
    let source = Sts::with_base(config("https://sts.nowhere.test"), Box::new(base));
    let source = source.by(&ways);
    source.fetch(&grant(1)).await.unwrap();
    assert_eq!(*asked.lock().unwrap(), ["https://sts.nowhere.test"]);
    assert_eq!(sts.requests.lock().unwrap().len(), 1);
}

/// Takes requests elsewhere.
#[derive(Debug)]
struct Redirect(String);

impl HttpConnector for Redirect {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        request.set_uri(format!("{}/", self.0)).unwrap();
        let plain = aws_smithy_http_client::Connector::builder().build_http();
        plain.call(request)
    }
}
