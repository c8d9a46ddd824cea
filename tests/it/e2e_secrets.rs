//! Values of tasks from Parameter Store and Secrets Manager: from moto, and from a stand-in that checks who asks; and
//! that nobody but the container sees them.
#![cfg(feature = "e2e")]

use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::e2e_operators::{assert_clean, questions, unpacked};
use crate::support::agent::{Site, with_site};
use crate::support::control_plane::{ControlPlane, KEY, REGION, SECRET};
use crate::support::http::{DOCKER_SOCKET, request};
use crate::support::moto::Moto;
use crate::support::services::{Call, Services};
use crate::support::view::SERVE;

const PARAMETER: &str = "canary-parameter";
const USER: &str = "canary-secret-user";
const WHOLE: &str = "canary-secret-whole";

/// A call of moto, which looks at no signature.
async fn tell(moto: &Moto, service: &str, target: &str, body: &Value) -> Value {
    let address = moto.endpoint.strip_prefix("http://").expect("an address");
    let address: SocketAddr = address.parse().expect("an address");
    let mut stream = TcpStream::connect(address).await.expect("moto listens");
    let body = body.to_string();
    let request = format!(
        "POST / HTTP/1.0\r\nHost: localhost\r\nX-Amz-Target: {target}\r\nContent-Type: application/x-amz-json-1.1\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, \
         Signature=x\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
    assert!(head.contains(" 200 "), "{answer}");
    serde_json::from_str(body).expect("JSON")
}

/// A definition whose container runs only with the right values.
fn definition(site: &Site, secret: &str) -> Value {
    let wants = [
        ("P", PARAMETER),
        ("Q", PARAMETER),
        ("U", USER),
        ("W", WHOLE),
    ];
    let tests = wants.map(|(name, value)| {
        // Not the value itself, which would be in the definition.
        let (first, rest) = value.split_at(6);
        format!("[ \"${name}\" = \"{first}\"'{rest}' ] || exit 9")
    });
    let mut definition = site.one("good", &format!("{}; {SERVE}", tests.join("; ")));
    definition["executionRoleArn"] = json!("arn:aws:iam::123456789012:role/x");
    definition["containerDefinitions"][0]["secrets"] = json!([
        {"name": "P", "valueFrom": "/team/db"},
        {"name": "Q", "valueFrom": "arn:aws:ssm:us-east-1:123456789012:parameter/team/db"},
        {"name": "U", "valueFrom": format!("{secret}:user::")},
        {"name": "W", "valueFrom": whole_of(secret)},
    ]);
    definition
}

fn whole_of(secret: &str) -> String {
    secret.replace("secret:db", "secret:whole")
}

#[tokio::test]
async fn check_143_values_of_moto_reach_the_container_and_nobody_else() {
    let Some(moto) = Moto::start().await else {
        return;
    };
    let parameter = json!({"Name": "/team/db", "Value": PARAMETER, "Type": "SecureString"});
    tell(&moto, "ssm", "AmazonSSM.PutParameter", &parameter).await;
    let create = "secretsmanager.CreateSecret";
    let text = json!({"user": USER, "port": 1}).to_string();
    let made = json!({"Name": "db", "SecretString": text});
    let made = tell(&moto, "secretsmanager", create, &made).await;
    let db = made["ARN"].as_str().expect("an ARN").to_owned();
    let made = json!({"Name": "whole", "SecretString": WHOLE});
    let made = tell(&moto, "secretsmanager", create, &made).await;
    let whole = made["ARN"].as_str().expect("an ARN").to_owned();
    with_site(async |site| {
        site.berth = std::mem::take(&mut site.berth)
            .env("ECS_LOGLEVEL", "debug")
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "AKIA")
            .env("AWS_SECRET_ACCESS_KEY", "s")
            .env("BERTH_STS_ENDPOINT", moto.endpoint.clone())
            .env("AWS_ENDPOINT_URL_SSM", moto.endpoint.clone())
            .env("AWS_ENDPOINT_URL_SECRETS_MANAGER", moto.endpoint.clone());
        let agent = site.agent(&[]).await;
        let text = definition(site, &db).to_string();
        let good: Value = serde_json::from_str(&text.replace(&whole_of(&db), &whole)).expect("JSON");
        agent.put("good", &good).await.expect("a put");
        agent.until("good", "RUNNING").await;
        let mut bad = good.clone();
        bad["containerDefinitions"][0]["secrets"] = json!([{"name": "P", "valueFrom": "/team/none"}]);
        agent.put("bad", &bad).await.expect("a put");
        agent.until("bad", "STOPPED").await;
        let socket = site.data().join("berth.sock");
        let path = format!("/v1/tasks/{}", site.id("bad"));
        let told = request(&socket, "GET", &path).await.expect("an answer").body;
        let words = "ResourceInitializationError: fetching secret data from SSM Parameter Store in the usual region: \
                     invalid parameters: /team/none";
        assert!(told.contains(words), "{told}");
        let all = [PARAMETER, USER, WHOLE];
        for path in questions(&site.id("good")) {
            let answer = request(&socket, "GET", &path).await.expect("an answer");
            assert_clean(&path, &answer.body, &all);
        }
        let bundle = site.path("bundle.tar.gz");
        let output = bundle.display().to_string();
        site.run(&["bundle", "-o", &output]).await.with(0);
        assert_clean("the bundle", &unpacked(&bundle), &all);
        agent.end().await;
        assert_clean("the log", &site.log(), &all);
        for entry in std::fs::read_dir(site.data()).expect("a directory") {
            let path = entry.expect("an entry").path();
            let bytes = std::fs::read(&path).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes);
            assert_clean(&path.display().to_string(), &text, &all);
        }
    })
    .await;
}

/// Parameters that are all there.
fn parameters(call: &Call) -> (u16, Value) {
    if call.operation != "AmazonSSM.GetParameters" {
        return (
            400,
            json!({"__type": "AccessDeniedException", "Message": "not you"}),
        );
    }
    let names = call.body["Names"].as_array().cloned().unwrap_or_default();
    let values: Vec<Value> = names
        .iter()
        .map(|name| json!({"Name": name, "Value": format!("value-of-{}", name.as_str().expect("a name"))}))
        .collect();
    (200, json!({"Parameters": values, "InvalidParameters": []}))
}

/// A task with secrets, as ACS sends it.
fn task(site: &Site, name: &str, secrets: &Value) -> Value {
    json!({
        "arn": arn(site, name), "desiredStatus": "RUNNING", "family": "lab", "version": "3",
        "executionRoleCredentials": {
            "credentialsId": format!("id-{name}"), "roleArn": "arn:aws:iam::123456789012:role/x",
            "accessKeyId": "ROLEKEY", "secretAccessKey": "role-secret", "sessionToken": "role-token",
            "expiration": "2100-01-01T00:00:00Z",
        },
        "containers": [{
            "name": "main", "image": site.image, "essential": true, "cpu": 8, "memory": 32, "stopTimeout": 2,
            "command": ["sh", "-c", SERVE], "environment": {"V0": "of the definition"}, "secrets": secrets,
            "dockerConfig": {"config": "{}", "version": "1.17",
                "hostConfig": r#"{"LogConfig": {"Type": "json-file", "Config": {"max-size": "1m"}}}"#},
        }],
    })
}

fn arn(site: &Site, name: &str) -> String {
    format!(
        "arn:aws:ecs:us-west-2:123456789012:task/lab/{}",
        site.id(name)
    )
}

#[tokio::test]
async fn check_143_secrets_of_a_payload_are_asked_for_ten_at_a_time_as_the_execution_role() {
    let plane = ControlPlane::start().await;
    with_site(async |site| {
        let keys = [("ROLEKEY", "role-secret"), (KEY, SECRET)];
        let services = Services::start(&keys, parameters).await;
        site.berth = std::mem::take(&mut site.berth)
            .env("ECS_CLUSTER", "lab")
            .env("AWS_DEFAULT_REGION", REGION)
            .env("ECS_BACKEND_HOST", plane.url())
            .env("AWS_ENDPOINT_URL_SSM", services.url.clone())
            .env("AWS_ENDPOINT_URL_SECRETS_MANAGER", services.url.clone())
            .env("AWS_ACCESS_KEY_ID", KEY)
            .env("AWS_SECRET_ACCESS_KEY", SECRET);
        let agent = site.agent(&[]).await;
        let secret = |name: &str, place: &str, target: &str| {
            json!({"name": name, "valueFrom": place, "region": REGION, "provider": "ssm", "target": target,
                "type": "ENVIRONMENT_VARIABLE"})
        };
        let mut secrets: Vec<Value> = (0..12)
            .map(|n| secret(&format!("V{n}"), &format!("p{n}"), "CONTAINER"))
            .collect();
        secrets.push(secret("tag", "log-tag", "LOG_DRIVER"));
        let good = task(site, "good", &json!(secrets));
        plane.payload("m1", 1, &[good]).await;
        plane.change(&arn(site, "good"), "RUNNING").await;
        let calls = services.calls();
        let mut sizes: Vec<usize> = calls
            .iter()
            .map(|call| call.body["Names"].as_array().map_or(0, Vec::len))
            .collect();
        sizes.sort_unstable();
        assert_eq!(sizes, [3, 10]);
        for call in &calls {
            let asked = (call.key.as_str(), call.region.as_str());
            assert_eq!(asked, ("ROLEKEY", REGION));
            assert_eq!(call.body["WithDecryption"], true);
        }
        assert_eq!(services.bad_signatures(), [""; 0]);
        let seen = site.running().await;
        let path = format!("/containers/{}/json", seen[0].id);
        let inspected = request(DOCKER_SOCKET, "GET", &path).await.expect("inspect").json();
        let environment = inspected["Config"]["Env"].to_string();
        for expected in ["V0=value-of-p0", "V11=value-of-p11"] {
            assert!(environment.contains(expected), "{environment}");
        }
        let log = &inspected["HostConfig"]["LogConfig"]["Config"];
        let options = (&log["max-size"], &log["tag"]);
        assert_eq!(options, (&json!("1m"), &json!("value-of-log-tag")));
        let database = "arn:aws:secretsmanager:us-west-2:123456789012:secret:db-AbCdEf";
        let refused = json!([{"name": "A", "valueFrom": database, "provider": "asm", "region": REGION}]);
        plane.payload("m2", 2, &[task(site, "refused", &refused)]).await;
        let stopped = plane.change(&arn(site, "refused"), "STOPPED").await;
        let expected = format!(
            "ResourceInitializationError: trying to retrieve secret with value {database} resulted in error: \
             AccessDeniedException: not you"
        );
        assert_eq!(stopped["reason"], expected, "{stopped}");
        // Docker says what is wrong with the value of an option by the value.
        let quoted = json!([secret("max-file", "log-files", "LOG_DRIVER")]);
        plane.payload("m3", 3, &[task(site, "quoted", &quoted)]).await;
        let stopped = plane.change(&arn(site, "quoted"), "STOPPED").await.to_string();
        assert!(stopped.contains("(hidden)"), "{stopped}");
        assert_clean("the report", &stopped, &["value-of-log-files"]);
        assert!(agent.end().await.success());
        assert_clean("the log", &site.log(), &["value-of-log-files"]);
    })
    .await;
}
