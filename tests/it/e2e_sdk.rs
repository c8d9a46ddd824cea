//! Real SDKs fetch credentials of a role that was assumed at moto, use them there, and follow a change.
//!
//! The endpoints are served on a port of loopback, which is where SDKs allow plain HTTP beside the agent's address.
#![cfg(feature = "e2e")]

use std::io::BufRead as _;
use std::path::Path;
use std::sync::Arc;

use berth::api::task_server::credentials::{CredentialsState, credentials_routes, encode};
use berth::aws::{DevFile, Sts, StsConfig};
use berth::boundary::credentials::{CredentialsSource, NoKeeper, TaskRoles as _};
use berth::credentials::{CredentialsConfig, Outside, service};
use berth::platform::{SystemClock, SystemIds};
use berth::testing::credentials::{MemoryAudit, grant};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::support::moto::{Moto, python};
use super::support::program::Conversation;
use super::support::view::eventually;

/// Tells the child of [`rust_client`] where STS is.
pub(crate) const STS_FOR_CHILD: &str = "BERTH_TEST_STS";

/// Tells it to ask each second instead of for each line.
pub(crate) const BY_CLOCK: &str = "BERTH_TEST_BY_CLOCK";

/// The endpoints over a source; end when dropped.
struct Site {
    uri: String,
    _work: JoinSet<()>,
}

impl Site {
    async fn start(source: Arc<dyn CredentialsSource>) -> Self {
        let clock = Arc::new(SystemClock);
        let outside = Outside {
            source,
            keeper: Arc::new(NoKeeper),
            clock: clock.clone(),
            ids: Arc::new(SystemIds),
            encode,
        };
        let (service, handle) = service(&CredentialsConfig::default(), outside);
        handle.set_wanted(vec![grant(1)]);
        let mut work = JoinSet::new();
        work.spawn(service.run(CancellationToken::new()));
        let audit = Arc::new(MemoryAudit::default());
        let routes = credentials_routes(CredentialsState::new(handle, audit, clock));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        work.spawn(async move {
            axum::serve(listener, routes).await.expect("it serves");
        });
        let id = grant(1).id;
        Self {
            uri: format!("http://{address}/v2/credentials/{}", id.expose()),
            _work: work,
        }
    }

    fn boto3(&self, moto: &Moto) -> Option<Conversation> {
        let python = python("python")?;
        let client = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk/boto3_client.py");
        Some(self.client(&python, &[client, &moto.endpoint], moto))
    }

    fn rust(&self, moto: &Moto) -> Conversation {
        let program = std::env::current_exe().expect("a path");
        let args = ["--exact", "e2e_sdk::rust_client", "--nocapture"];
        self.client(&program, &args, moto)
    }

    fn client(&self, program: &Path, args: &[&str], moto: &Moto) -> Conversation {
        let env = [
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", self.uri.as_str()),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("HOME", "/nonexistent"),
            (STS_FOR_CHILD, moto.endpoint.as_str()),
        ];
        Conversation::start(program, args, &env)
    }
}

/// Roles assumed at moto, with base credentials that moto takes from anybody.
fn assumed(moto: &Moto) -> Arc<dyn CredentialsSource> {
    let config = StsConfig {
        endpoint: Some(moto.endpoint.clone()),
        region: Some("us-east-1".to_owned()),
        ..StsConfig::default()
    };
    Arc::new(Sts::with_key(config, "AKIA", "s"))
}

/// Not a test of its own: the Rust SDK in a process with the environment of a container. Without that it does nothing.
#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    reason = "the environment is what a program of a container is told by"
)]
async fn rust_client() {
    let Ok(endpoint) = std::env::var(STS_FOR_CHILD) else {
        return;
    };
    let http = aws_smithy_http_client::Builder::new().build_http();
    let provider = aws_config::provider_config::ProviderConfig::without_region()
        .with_http_client(http.clone());
    let credentials = aws_config::ecs::EcsCredentialsProvider::builder()
        .configure(&provider)
        .build();
    let config = aws_sdk_sts::Config::builder()
        .behavior_version(aws_config::BehaviorVersion::latest())
        .region(aws_sdk_sts::config::Region::from_static("us-east-1"))
        .endpoint_url(endpoint)
        .http_client(http)
        .credentials_provider(credentials);
    let client = aws_sdk_sts::Client::from_conf(config.build());
    let mut lines = std::io::stdin().lock().lines();
    let by_clock = std::env::var(BY_CLOCK).is_ok();
    while by_clock || matches!(lines.next(), Some(Ok(_line))) {
        if by_clock {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
        let who = client.get_caller_identity().send().await;
        let who = who.expect("credentials that STS takes");
        println!("\n{}", json!({ "arn": who.arn() }));
    }
}

fn is_the_tasks_session(who: &Value) {
    let expected =
        "arn:aws:sts::123456789012:assumed-role/web/berth-00000000000000000000000000000001";
    assert_eq!(who["arn"], expected);
}

#[tokio::test]
async fn boto3_and_the_rust_sdk_use_a_role_that_was_assumed() {
    let Some(moto) = Moto::start().await else {
        return;
    };
    let site = Site::start(assumed(&moto)).await;
    let Some(mut boto3) = site.boto3(&moto) else {
        return;
    };
    is_the_tasks_session(&boto3.ask("who").await);
    is_the_tasks_session(&site.rust(&moto).ask("who").await);
}

/// Credentials that end soon are followed by new ones, and a program that runs on has those without being told.
#[tokio::test]
async fn a_program_that_runs_on_gets_new_credentials_before_the_old_end() {
    let Some(moto) = Moto::start().await else {
        return;
    };
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("credentials.json");
    let write = |key: &str| {
        let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_mins(5);
        let content = json!({
            "AccessKeyId": key, "SecretAccessKey": "s", "Token": "t", "Expiration": soon.to_string(),
        });
        std::fs::write(&path, content.to_string()).expect("a file");
    };
    write("FIRST");
    let site = Site::start(Arc::new(DevFile::new(path.clone(), Arc::new(SystemClock)))).await;
    let Some(boto3) = site.boto3(&moto) else {
        return;
    };
    let boto3 = tokio::sync::Mutex::new(boto3);
    assert_eq!(boto3.lock().await.ask("who").await["key"], "FIRST");
    write("SECOND");
    eventually("boto3 has the second", async || {
        let who = boto3.lock().await.ask("who").await;
        (who["key"] == "SECOND").then_some(())
    })
    .await;
}
