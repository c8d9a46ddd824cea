//! Where a value is that a task gets from outside its definition: Parameter Store or Secrets Manager. Pure.

/// What is said of an ARN that is none of a secret (reference agent).
const NOT_AN_ARN: &str = "an invalid ARN format for the AWS Secrets Manager secret was specified. Specify a valid ARN \
                          and try again.";

/// Parts of the ARN of a whole secret, and of one with key, stage and version.
const PARTS: (usize, usize) = (7, 10);

/// Where a value is, from `valueFrom`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretPlace {
    /// A parameter of the Parameter Store.
    Parameter {
        /// Region that its ARN names; `None` = that of the task.
        region: Option<String>,
        /// Name or ARN, as given.
        name: String,
    },
    /// A secret of Secrets Manager, or a part of one.
    Secret(SecretPart),
}

/// A secret of Secrets Manager, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SecretPart {
    /// Region; `None` = that of the task.
    pub region: Option<String>,
    /// ARN of the secret.
    pub id: String,
    /// Member of the secret's JSON; `None` = the whole text.
    pub json_key: Option<String>,
    /// Stage; `None` = the current one.
    pub version_stage: Option<String>,
    /// Version; `None` = that of the stage.
    pub version_id: Option<String>,
}

impl SecretPart {
    /// Reads `credentialsParameter`: the ARN of a whole secret, or its name.
    pub fn whole(parameter: &str) -> Self {
        let region = parameter
            .strip_prefix("arn:")
            .and_then(|rest| rest.split(':').nth(2));
        Self {
            region: region.map(str::to_owned),
            id: parameter.to_owned(),
            json_key: None,
            version_stage: None,
            version_id: None,
        }
    }
}

impl SecretPlace {
    /// Reads `valueFrom`: the name of a parameter, or an ARN of either service.
    ///
    /// # Errors
    /// Words that say what is wrong with it.
    pub fn parse(value_from: &str) -> Result<Self, String> {
        let parts: Vec<&str> = value_from.split(':').collect();
        let ["arn", _, service, region, ..] = parts.as_slice() else {
            return Ok(Self::Parameter {
                region: None,
                name: value_from.to_owned(),
            });
        };
        match *service {
            "ssm" if !region.is_empty() => Ok(Self::Parameter {
                region: Some((*region).to_owned()),
                name: value_from.to_owned(),
            }),
            "secretsmanager" => secret(&parts).map(Self::Secret),
            _ => Err(format!(
                "{value_from} is an ARN of neither a parameter of Systems Manager nor a secret of Secrets Manager"
            )),
        }
    }
}

fn secret(parts: &[&str]) -> Result<SecretPart, String> {
    let (whole, with_part) = PARTS;
    let good = (parts.len() == whole || parts.len() == with_part)
        && parts.get(5) == Some(&"secret")
        && parts
            .iter()
            .take(whole)
            .skip(1)
            .all(|part| !part.is_empty());
    let id = parts.get(..whole).filter(|_| good).ok_or(NOT_AN_ARN)?;
    let part = |at: usize| {
        let text = parts.get(at).filter(|text| !text.is_empty());
        text.map(|text| (*text).to_owned())
    };
    Ok(SecretPart {
        region: parts.get(3).map(|region| (*region).to_owned()),
        id: id.join(":"),
        json_key: part(7),
        version_stage: part(8),
        version_id: part(9),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf";

    fn part(text: &str) -> SecretPart {
        match SecretPlace::parse(text).unwrap() {
            SecretPlace::Secret(part) => part,
            SecretPlace::Parameter { .. } => panic!("a parameter"),
        }
    }

    #[test]
    fn names_and_arns_say_where_a_value_is() {
        for (text, region) in [
            ("db-password", None),
            ("/team/db/password", None),
            (
                "arn:aws:ssm:us-east-1:123456789012:parameter/team/db",
                Some("us-east-1"),
            ),
        ] {
            let expected = SecretPlace::Parameter {
                region: region.map(str::to_owned),
                name: text.to_owned(),
            };
            assert_eq!(SecretPlace::parse(text), Ok(expected));
        }
        let whole = part(ARN);
        assert_eq!(
            (whole.region.as_deref(), whole.id.as_str()),
            (Some("eu-west-1"), ARN)
        );
        assert_eq!(
            (whole.json_key, whole.version_stage, whole.version_id),
            (None, None, None)
        );
        let key = part(&format!("{ARN}:password::"));
        assert_eq!(
            (key.id.as_str(), key.json_key.as_deref()),
            (ARN, Some("password"))
        );
        let all = part(&format!("{ARN}:k:AWSPREVIOUS:v1"));
        assert_eq!(all.version_stage.as_deref(), Some("AWSPREVIOUS"));
        assert_eq!(all.version_id.as_deref(), Some("v1"));
    }

    #[test]
    fn a_login_is_kept_under_an_arn_or_a_name() {
        let by_arn = SecretPart::whole(ARN);
        assert_eq!(
            (by_arn.region.as_deref(), by_arn.id.as_str()),
            (Some("eu-west-1"), ARN)
        );
        assert_eq!(SecretPart::whole("login").region, None);
    }

    #[test]
    fn what_is_no_place_is_named() {
        for text in [
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db:k",
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db:k:s",
            "arn:aws:secretsmanager:eu-west-1:123456789012:secret",
            "arn:aws:secretsmanager::123456789012:secret:db",
            "arn:aws:secretsmanager:eu-west-1:123456789012:parameter:db",
        ] {
            assert_eq!(
                SecretPlace::parse(text),
                Err(NOT_AN_ARN.to_owned()),
                "{text}"
            );
        }
        let other = SecretPlace::parse("arn:aws:s3:::bucket/key").unwrap_err();
        assert!(other.starts_with("arn:aws:s3:::bucket/key is an ARN of neither"));
    }
}
