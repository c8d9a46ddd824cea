//! What is asked for a container's secrets, and what the answers mean. Pure.
//!
//! Texts are the reference agent's (`engine.md` 4.7), since people and tools match on them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::boundary::secrets::MAX_PARAMETERS;
use crate::boundary::{BoundaryError, ErrorKind};
use crate::domain::secret::Secret;
use crate::domain::secret_place::{SecretPart, SecretPlace};

/// The questions for some places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Questions {
    /// Parameters of one region each, at most [`MAX_PARAMETERS`] at once; `None` = the host's usual region.
    pub parameters: Vec<(Option<String>, Vec<String>)>,
    /// Secrets, each once, with the places that want it or a member of it.
    pub secrets: Vec<(SecretPart, Vec<Wanted>)>,
}

/// A place that wants a secret or a member of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// `valueFrom`.
    pub place: String,
    /// The member; `None` = all of it.
    pub json_key: Option<String>,
}

/// Why there is no value: a kind, and words without one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Kind.
    pub kind: ErrorKind,
    /// Words.
    pub words: String,
}

/// What to ask for these places. `region`: that of the task, for names that do not say one.
///
/// # Errors
/// A place is none.
pub fn questions(places: &BTreeSet<String>, region: Option<&str>) -> Result<Questions, Trouble> {
    let mut by_region: BTreeMap<Option<String>, Vec<String>> = BTreeMap::new();
    let mut secrets: BTreeMap<SecretPart, Vec<Wanted>> = BTreeMap::new();
    for place in places {
        let read = SecretPlace::parse(place).map_err(|words| Trouble {
            kind: ErrorKind::Invalid,
            words: about(place, &words),
        })?;
        match read {
            SecretPlace::Parameter { region: own, name } => {
                let region = own.or_else(|| region.map(str::to_owned));
                by_region.entry(region).or_default().push(name);
            }
            SecretPlace::Secret(mut part) => {
                let json_key = part.json_key.take();
                secrets.entry(part).or_default().push(Wanted {
                    place: place.clone(),
                    json_key,
                });
            }
        }
    }
    let batches = by_region.into_iter().flat_map(|(region, names)| {
        let batch = move |names: &[String]| (region.clone(), names.to_vec());
        names.chunks(MAX_PARAMETERS).map(batch).collect::<Vec<_>>()
    });
    Ok(Questions {
        parameters: batches.collect(),
        secrets: secrets.into_iter().collect(),
    })
}

/// What came of a question for parameters.
///
/// # Errors
/// It was refused, or some of them are not there.
pub fn parameters(
    region: Option<&str>,
    names: &[String],
    answer: Result<BTreeMap<String, Secret<String>>, BoundaryError>,
) -> Result<BTreeMap<String, Secret<String>>, Trouble> {
    let region = region.unwrap_or("the usual region");
    let failed = |kind, words: &str| Trouble {
        kind,
        words: format!("fetching secret data from SSM Parameter Store in {region}: {words}"),
    };
    let values = answer.map_err(|error| failed(passing(error.kind), &error.message))?;
    let missing: Vec<&str> = names
        .iter()
        .map(String::as_str)
        .filter(|name| !values.contains_key(*name))
        .collect();
    if missing.is_empty() {
        return Ok(values);
    }
    let words = format!("invalid parameters: {}", missing.join(","));
    Err(failed(ErrorKind::NotFound, &words))
}

/// What came of a question for a secret: the values of all places that want it.
///
/// # Errors
/// It was refused, or has no such member.
pub fn secret(
    part: &SecretPart,
    wanted: &[Wanted],
    answer: Result<Secret<String>, BoundaryError>,
) -> Result<BTreeMap<String, Secret<String>>, Trouble> {
    let text = answer.map_err(|error| {
        let words = if error.kind == ErrorKind::NotFound {
            format!(
                "ResourceNotFoundException: The task can't retrieve the secret with ARN '{}' from AWS Secrets \
                 Manager. Check whether the secret exists in the specified Region",
                part.id
            )
        } else {
            error.message
        };
        let place = wanted.first().map_or(part.id.as_str(), |it| &it.place);
        Trouble {
            kind: passing(error.kind),
            words: about(place, &words),
        }
    })?;
    let mut values = BTreeMap::new();
    for Wanted { place, json_key } in wanted {
        let value = match json_key {
            None => text.clone(),
            Some(key) => member(text.expose(), key).map_err(|words| Trouble {
                kind: ErrorKind::Invalid,
                words: about(place, &words),
            })?,
        };
        values.insert(place.clone(), value);
    }
    Ok(values)
}

/// A member of the secret's JSON. What is no text stays as JSON writes it.
fn member(text: &str, key: &str) -> Result<Secret<String>, String> {
    let missing =
        || format!("retrieved secret from Secrets Manager did not contain json key {key}");
    // The words of the decoder could repeat what is in it.
    let value: Value = serde_json::from_str(text)
        .map_err(|_| "retrieved secret from Secrets Manager is not JSON".to_owned())?;
    match value.get(key).ok_or_else(missing)? {
        Value::String(text) => Ok(text.clone().into()),
        other @ (Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::Array(_)
        | Value::Object(_)) => Ok(other.to_string().into()),
    }
}

/// The trouble to tell of several: the first that cannot pass, else the first. Those of Secrets Manager are told
/// together.
pub fn worst(troubles: &[Trouble]) -> Option<Trouble> {
    let final_one = troubles.iter().position(|it| !it.kind.may_pass());
    let words: Vec<&str> = troubles.iter().map(|it| it.words.as_str()).collect();
    let words = words.join(";");
    let kind = troubles.get(final_one.unwrap_or(0))?.kind;
    Some(Trouble { kind, words })
}

fn about(place: &str, words: &str) -> String {
    format!("trying to retrieve secret with value {place} resulted in error: {words}")
}

/// The way to these services is not the way to Docker: what cannot be reached now may be reached at the next try.
fn passing(kind: ErrorKind) -> ErrorKind {
    if kind == ErrorKind::Unavailable {
        ErrorKind::Transient
    } else {
        kind
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DB: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf";

    fn asked(places: &[&str], region: Option<&str>) -> Questions {
        let places = places.iter().map(|&place| place.to_owned()).collect();
        questions(&places, region).unwrap()
    }

    #[test]
    fn parameters_are_asked_for_ten_at_a_time_and_by_region() {
        let names: Vec<String> = (10..33).map(|n| format!("p{n}")).collect();
        let mut places: Vec<&str> = names.iter().map(String::as_str).collect();
        let other = "arn:aws:ssm:us-east-1:123456789012:parameter/x";
        places.push(other);
        let questions = asked(&places, Some("eu-west-1"));
        let sizes: Vec<(Option<&str>, usize)> = questions
            .parameters
            .iter()
            .map(|(region, names)| (region.as_deref(), names.len()))
            .collect();
        let own = Some("eu-west-1");
        assert_eq!(
            sizes,
            [(own, 10), (own, 10), (own, 3), (Some("us-east-1"), 1)]
        );
        assert_eq!(asked(&["p"], None).parameters[0].0, None);
    }

    #[test]
    fn a_secret_is_asked_for_once_for_all_its_members() {
        let (user, password) = (format!("{DB}:user::"), format!("{DB}:password::"));
        let old = format!("{DB}:password:AWSPREVIOUS:");
        let questions = asked(&[DB, &user, &password, &old], None);
        assert_eq!(questions.secrets.len(), 2);
        let (part, wanted) = &questions.secrets[0];
        assert_eq!((part.id.as_str(), wanted.len()), (DB, 3));
    }

    fn wanted(place: &str, key: Option<&str>) -> Vec<Wanted> {
        vec![Wanted {
            place: place.to_owned(),
            json_key: key.map(str::to_owned),
        }]
    }

    fn part() -> SecretPart {
        let places = [DB.to_owned()].into();
        questions(&places, None).unwrap().secrets[0].0.clone()
    }

    #[test]
    fn members_are_taken_out_of_the_text() {
        let text = r#"{"user": "me", "port": 5432, "large": 12345678901234567, "on": true, "n": {"a": 1}}"#;
        for (key, expected) in [
            (None, text),
            (Some("user"), "me"),
            (Some("port"), "5432"),
            (Some("large"), "12345678901234567"),
            (Some("on"), "true"),
            (Some("n"), r#"{"a":1}"#),
        ] {
            let answer = Ok(text.to_owned().into());
            let values = secret(&part(), &wanted("place", key), answer).unwrap();
            assert_eq!(values["place"].expose(), expected);
        }
    }

    #[test]
    fn troubles_are_told_as_the_reference_agent_does() {
        let refused = |kind, words: &str| BoundaryError::new("call", kind, words);
        let with = |answer, key: Option<&str>| {
            let trouble = secret(&part(), &wanted("P", key), answer).unwrap_err();
            (trouble.kind, trouble.words)
        };
        let head = "trying to retrieve secret with value P resulted in error: ";
        let marked = || Ok("{\"a\": \"marked\"}".to_owned().into());
        assert_eq!(
            with(marked(), Some("k")),
            (
                ErrorKind::Invalid,
                format!("{head}retrieved secret from Secrets Manager did not contain json key k")
            )
        );
        let (_, words) = with(Ok("marked".to_owned().into()), Some("k"));
        assert!(!words.contains("marked"), "{words}");
        let (kind, words) = with(Err(refused(ErrorKind::NotFound, "x")), None);
        assert_eq!(kind, ErrorKind::NotFound);
        let expected = format!(
            "{head}ResourceNotFoundException: The task can't retrieve the secret with ARN '{DB}' from AWS Secrets \
             Manager. Check whether the secret exists in the specified Region"
        );
        assert_eq!(words, expected);
        let denied = with(Err(refused(ErrorKind::Unavailable, "away")), None);
        assert_eq!(denied, (ErrorKind::Transient, format!("{head}away")));
        let names = ["a", "b", "c"].map(str::to_owned);
        let found = [("b".to_owned(), "v".to_owned().into())].into();
        let trouble = parameters(Some("eu-west-1"), &names, Ok(found)).unwrap_err();
        assert_eq!(
            trouble.words,
            "fetching secret data from SSM Parameter Store in eu-west-1: invalid parameters: a,c"
        );
        assert_eq!(trouble.kind, ErrorKind::NotFound);
        let places = ["arn:aws:secretsmanager:eu-west-1:1:secret:x:y".to_owned()].into();
        let words = questions(&places, None).unwrap_err().words;
        assert!(
            words
                .contains("an invalid ARN format for the AWS Secrets Manager secret was specified")
        );
    }

    #[test]
    fn of_several_troubles_what_cannot_pass_decides() {
        let trouble = |kind, words: &str| Trouble {
            kind,
            words: words.to_owned(),
        };
        let both = vec![
            trouble(ErrorKind::Throttled, "a"),
            trouble(ErrorKind::Denied, "b"),
        ];
        assert_eq!(worst(&both), Some(trouble(ErrorKind::Denied, "a;b")));
        assert_eq!(worst(&[]), None);
    }
}
