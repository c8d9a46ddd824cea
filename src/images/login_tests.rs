//! Logins at registries: tokens that are shared, kept, refused and renewed, in paused time.

use futures_util::future::join_all;

use super::fake::Fake;
use super::tests::{Bench, HOUR, bench};
use crate::boundary::{ErrorKind, ImageSource as _};
use crate::domain::credentials::CredentialsId;
use crate::domain::image::{ImageRef, PullBehavior};
use crate::domain::reason::ReasonName;
use crate::domain::registry::{EcrAccess, ExecutionRole, RegistryAccess, SecretAccess};

const REGISTRY: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

/// A bench whose tokens are for the registry.
fn ecr_bench(behavior: PullBehavior) -> Bench {
    let bench = bench(behavior);
    bench.fake.model().token_server = REGISTRY.to_owned();
    bench
}

fn access(role: &str) -> EcrAccess {
    EcrAccess {
        region: "eu-west-1".to_owned(),
        registry_id: "123456789012".to_owned(),
        endpoint: None,
        role: Some(ExecutionRole {
            id: CredentialsId::parse(role).unwrap(),
            arn: format!("arn:aws:iam::123456789012:role/{role}"),
        }),
        implied: true,
    }
}

fn image(name: &str) -> String {
    format!("{REGISTRY}/{name}")
}

fn tokens(fake: &Fake) -> usize {
    fake.calls("token").len()
}

/// Passwords that the registry has been shown since the last time, each once.
fn shown(fake: &Fake) -> Vec<String> {
    let mut shown: Vec<String> = fake.model().shown.drain(..).flatten().collect();
    shown.dedup();
    shown
}

#[tokio::test(start_paused = true)]
async fn check_144_one_token_serves_all_pulls_until_it_is_due() {
    let bench = ecr_bench(PullBehavior::Always);
    bench.fake.model().accepts = Some("token-1".to_owned());
    let names: Vec<String> = (0..20).map(|n| image(&format!("web:{n}"))).collect();
    let role = access("a");
    let all = join_all(names.iter().map(|name| bench.ensure_as(name, &role))).await;
    assert!(all.iter().all(Result::is_ok), "{all:?}");
    assert_eq!(tokens(&bench.fake), 1);
    assert_eq!(shown(&bench.fake), ["token-1"]);
    bench.fake.model().now += 11 * HOUR - 1;
    bench.ensure_as(&names[0], &role).await.unwrap();
    assert_eq!(tokens(&bench.fake), 1);
    bench.fake.model().now += HOUR / 2 + 1;
    bench.fake.model().accepts = Some("token-2".to_owned());
    bench.ensure_as(&names[0], &role).await.unwrap();
    assert_eq!(shown(&bench.fake), ["token-1", "token-2"]);
}

#[tokio::test(start_paused = true)]
async fn check_144_a_refused_token_is_asked_for_again_once() {
    let bench = ecr_bench(PullBehavior::Always);
    let (web, role) = (image("web:1"), access("a"));
    bench.ensure_as(&web, &role).await.unwrap();
    // The role was made anew: the token that is kept is worth nothing any more.
    bench.fake.model().accepts = Some("token-2".to_owned());
    bench.ensure_as(&web, &role).await.unwrap();
    assert_eq!(shown(&bench.fake), ["token-1", "token-2"]);
    bench.fake.model().accepts = Some("none".to_owned());
    let error = bench.ensure_as(&web, &role).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Denied);
    assert!(error.reason.message.contains("has expired"), "{error}");
    assert_eq!(shown(&bench.fake), ["token-2", "token-3"]);
    // A new token that is refused is no reason to ask for another.
    let other = bench.ensure_as(&web, &access("b")).await.unwrap_err();
    assert_eq!(other.kind, ErrorKind::Denied);
    assert_eq!(shown(&bench.fake), ["token-4"]);
}

#[tokio::test(start_paused = true)]
async fn check_144_a_token_that_cannot_be_renewed_serves_to_its_end() {
    let bench = ecr_bench(PullBehavior::Always);
    let (web, role) = (image("web:1"), access("a"));
    bench.ensure_as(&web, &role).await.unwrap();
    bench.fake.model().no_tokens = Some(ErrorKind::Throttled);
    bench.fake.model().now += 12 * HOUR - 1;
    bench.ensure_as(&web, &role).await.unwrap();
    bench.fake.model().now += 1;
    let error = bench.ensure_as(&web, &role).await.unwrap_err();
    assert_eq!((error.kind, error.permanent), (ErrorKind::Throttled, false));
}

#[tokio::test(start_paused = true)]
async fn check_143_roles_share_neither_tokens_nor_refusals() {
    let bench = ecr_bench(PullBehavior::Always);
    bench.fake.model().accepts = Some("token-2".to_owned());
    let web = image("web:1");
    let (good, bad) = (access("good"), access("bad"));
    let (refused, pulled) = tokio::join!(bench.ensure_as(&web, &bad), bench.ensure_as(&web, &good));
    assert_eq!(tokens(&bench.fake), 2);
    let denied = |result: &Result<_, crate::images::ImageError>| matches!(result, Err(error) if error.kind == ErrorKind::Denied);
    assert!(denied(&refused) != denied(&pulled), "one of them may pull");
    assert!(bench.images.progress().is_empty());
}

#[tokio::test(start_paused = true)]
async fn without_a_token_the_pull_fails_with_the_reference_agents_name() {
    for (kind, seen, permanent) in [
        (ErrorKind::Denied, ErrorKind::Denied, true),
        (ErrorKind::Throttled, ErrorKind::Throttled, false),
        // It says nothing about Docker.
        (ErrorKind::Unavailable, ErrorKind::Transient, false),
    ] {
        let bench = ecr_bench(PullBehavior::Default);
        bench.fake.model().no_tokens = Some(kind);
        let web = image("web:1");
        let error = bench.ensure_as(&web, &access("a")).await.unwrap_err();
        assert_eq!((error.kind, error.permanent), (seen, permanent));
        assert_eq!(error.reason.name, ReasonName::CannotPullECRContainerError);
        assert_eq!(error.reason.message, "not you");
        assert!(shown(&bench.fake).is_empty());
        bench.fake.model().put(&web, "sha256:local");
        let ready = bench.ensure_as(&web, &access("a")).await.unwrap();
        let warning = ready.warning.unwrap();
        assert!(warning.contains("CannotPullECRContainerError"), "{warning}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_is_shown_to_no_other_registry() {
    let bench = ecr_bench(PullBehavior::Always);
    let other = EcrAccess {
        implied: false,
        ..access("a")
    };
    let error = bench
        .ensure_as("other.example/web:1", &other)
        .await
        .unwrap_err();
    let words = "ecr auth: the token is for 123456789012.dkr.ecr.eu-west-1.amazonaws.com, not for other.example/web:1";
    assert_eq!(error.reason.message, words);
    assert!(error.permanent);
    assert!(bench.fake.model().shown.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_the_operator_has_set_counts_before_the_name_of_an_image_and_after_a_payload() {
    let bench = ecr_bench(PullBehavior::Always);
    bench.fake.model().token_server = "set.example".to_owned();
    let implied = access("a");
    bench.ensure_as("set.example/web", &implied).await.unwrap();
    assert_eq!(shown(&bench.fake), ["set"]);
    let said = EcrAccess {
        implied: false,
        ..implied
    };
    bench.ensure_as("set.example/web", &said).await.unwrap();
    assert_eq!(shown(&bench.fake), ["token-1"]);
    bench.ensure("set.example/web").await.unwrap();
    assert_eq!(shown(&bench.fake), ["set"]);
}

fn kept(role: bool) -> RegistryAccess {
    RegistryAccess::Secret(SecretAccess {
        parameter: "arn:aws:secretsmanager:eu-west-1:1:secret:login-AbCdEf".to_owned(),
        region: Some("us-west-2".to_owned()),
        role: access("a").role.filter(|_| role),
    })
}

#[tokio::test(start_paused = true)]
async fn check_143_a_login_that_is_kept_in_secrets_manager_is_got_with_the_execution_role() {
    let bench = bench(PullBehavior::Always);
    let image = ImageRef::parse("reg.example/web:1").unwrap();
    let pull = async |access: &RegistryAccess| bench.images.ensure(&image, access, true).await;
    bench.fake.model().secret = r#"{"username": "u", "password": "kept"}"#.to_owned();
    bench.fake.model().accepts = Some("kept".to_owned());
    pull(&kept(true)).await.unwrap();
    let asked = "a eu-west-1 arn:aws:secretsmanager:eu-west-1:1:secret:login-AbCdEf";
    assert_eq!(bench.fake.calls("secret"), [asked]);
    assert_eq!(shown(&bench.fake), ["kept"]);
    let error = pull(&kept(false)).await.unwrap_err();
    assert_eq!(
        error.reason.to_string(),
        "CannotPullContainerAuthError: asm resource: unable to find execution role credentials"
    );
    bench.fake.model().secret = "marked".to_owned();
    let error = pull(&kept(true)).await.unwrap_err();
    assert!(
        error.permanent && !error.to_string().contains("marked"),
        "{error}"
    );
    bench.fake.model().no_tokens = Some(ErrorKind::Throttled);
    let error = pull(&kept(true)).await.unwrap_err();
    assert_eq!((error.kind, error.permanent), (ErrorKind::Throttled, false));
    assert!(
        error.reason.message.ends_with("login-AbCdEf: not you"),
        "{error}"
    );
}
