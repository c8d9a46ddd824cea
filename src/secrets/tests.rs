//! The service over a source that is told what it has.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::HeldSecrets;
use crate::boundary::secrets::{SecretSource, SecretsWish, TaskSecrets as _};
use crate::boundary::{BoundaryError, ErrorKind};
use crate::domain::credentials::CredentialsId;
use crate::domain::sample;
use crate::domain::secret::Secret;
use crate::domain::secret_place::SecretPart;

/// Has `value-of-NAME` for every parameter but those that begin with `missing`; the text of secrets is their id.
#[derive(Default)]
struct Source {
    asked: Mutex<Vec<String>>,
    fails: Mutex<Option<ErrorKind>>,
}

impl Source {
    fn note(&self, role: &CredentialsId, what: String) -> Result<(), BoundaryError> {
        assert_eq!(role.expose(), "role");
        self.asked.lock().unwrap().push(what);
        match *self.fails.lock().unwrap() {
            None => Ok(()),
            Some(kind) => Err(BoundaryError::new("ask", kind, "not now")),
        }
    }

    fn asked(&self) -> Vec<String> {
        let mut asked = std::mem::take(&mut *self.asked.lock().unwrap());
        asked.sort();
        asked
    }
}

#[async_trait]
impl SecretSource for Source {
    async fn parameters(
        &self,
        role: &CredentialsId,
        region: Option<&str>,
        names: &[String],
    ) -> Result<BTreeMap<String, Secret<String>>, BoundaryError> {
        self.note(role, format!("{region:?} {}", names.join(",")))?;
        let known = names.iter().filter(|name| !name.starts_with("missing"));
        Ok(known
            .map(|name| (name.clone(), format!("value-of-{name}").into()))
            .collect())
    }

    async fn secret(
        &self,
        role: &CredentialsId,
        part: &SecretPart,
    ) -> Result<Secret<String>, BoundaryError> {
        self.note(role, part.id.clone())?;
        Ok(format!(r#"{{"k": "{}"}}"#, part.id).into())
    }
}

fn rig() -> (Arc<Source>, HeldSecrets) {
    let source = Arc::new(Source::default());
    (source.clone(), HeldSecrets::new(source))
}

fn wish(places: &[&str]) -> SecretsWish {
    SecretsWish {
        task: sample::arn("abc"),
        role: CredentialsId::parse("role").unwrap(),
        places: places.iter().map(|&place| place.to_owned()).collect(),
    }
}

const DB: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf";

#[tokio::test]
async fn what_is_held_is_not_asked_for_again_until_the_task_is_forgotten() {
    let (source, held) = rig();
    let key = format!("{DB}:k::");
    held.fetch(&wish(&["a", "b", DB, &key])).await.unwrap();
    assert_eq!(source.asked(), ["None a,b", DB]);
    let task = sample::arn("abc");
    let values = held.held(task.task_id());
    assert_eq!(values.0["a"].expose(), "value-of-a");
    assert_eq!(values.0[&key].expose(), DB);
    held.fetch(&wish(&["a", "c"])).await.unwrap();
    assert_eq!(source.asked(), ["None c"]);
    assert!(held.held(sample::arn("other").task_id()).0.is_empty());
    held.forget(task.task_id());
    assert!(held.held(task.task_id()).0.is_empty());
    held.fetch(&wish(&["a"])).await.unwrap();
    assert_eq!(source.asked(), ["None a"]);
}

#[tokio::test]
async fn what_came_is_kept_when_something_else_did_not() {
    let (source, held) = rig();
    let error = held.fetch(&wish(&["missing", DB])).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert!(
        error.message.ends_with("invalid parameters: missing"),
        "{error}"
    );
    assert_eq!(source.asked().len(), 2);
    let _again = held.fetch(&wish(&["missing", DB])).await.unwrap_err();
    assert_eq!(source.asked(), ["None missing"]);
    *source.fails.lock().unwrap() = Some(ErrorKind::Throttled);
    let error = held.fetch(&wish(&["x"])).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Throttled);
}

#[tokio::test]
async fn nothing_shows_a_value() {
    let (_source, held) = rig();
    held.fetch(&wish(&["marked"])).await.unwrap();
    let values = held.held(sample::arn("abc").task_id());
    assert!(!format!("{held:?} {values:?}").contains("value-of"));
}
