//! Credential specs of group Managed Service Accounts: where the definition says they come from, and what Docker is
//! told (`windows.md` 16).

/// How entries of a container begin.
const JOINED: &str = "credentialspec:";
const DOMAINLESS: &str = "credentialspecdomainless:";

/// Where a spec comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpecSource {
    /// A file below Docker's directory of specs; the path is relative to it.
    File(String),
    /// An object in S3.
    S3 {
        /// ARN of the object.
        arn: String,
        /// Name of its bucket.
        bucket: String,
        /// Its key.
        key: String,
    },
    /// A parameter of SSM.
    Parameter {
        /// ARN of the parameter.
        arn: String,
        /// Its name.
        name: String,
    },
}

/// A spec that a container asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialSpec {
    /// Where it comes from.
    pub source: SpecSource,
    /// The host is in no domain: the spec names an account that may read the credentials.
    pub domainless: bool,
}

/// Why an entry is no credential spec.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// It begins with neither word.
    #[error("does not begin with `credentialspec:` or `credentialspecdomainless:`")]
    Prefix,
    /// Another service's.
    #[error("unsupported credentialspec ARN, only s3/ssm ARNs are valid")]
    Service,
    /// Not of the form.
    #[error("is neither file://PATH nor an ARN")]
    Form,
    /// A path that leads out of Docker's directory.
    #[error(
        "the path of a credential spec is relative to Docker's directory of them and stays in it"
    )]
    Path,
}

/// Reads an entry of `credentialSpecs` or `dockerSecurityOptions`.
///
/// # Errors
/// [`SpecError`].
pub fn parse(entry: &str) -> Result<CredentialSpec, SpecError> {
    let (rest, domainless) = match (entry.strip_prefix(DOMAINLESS), entry.strip_prefix(JOINED)) {
        (Some(rest), _) => (rest, true),
        (None, Some(rest)) => (rest, false),
        (None, None) => return Err(SpecError::Prefix),
    };
    let source = match rest.strip_prefix("file://") {
        Some(path) => file(path)?,
        None => object(rest)?,
    };
    Ok(CredentialSpec { source, domainless })
}

fn file(path: &str) -> Result<SpecSource, SpecError> {
    let rooted = path.starts_with(['/', '\\']) || path.contains(':');
    let leaves = path.split(['/', '\\']).any(|part| part == "..");
    if path.is_empty() || rooted || leaves {
        return Err(SpecError::Path);
    }
    Ok(SpecSource::File(path.to_owned()))
}

/// `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`.
fn object(arn: &str) -> Result<SpecSource, SpecError> {
    let fields: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", _, service, _, _, resource] = fields.as_slice() else {
        return Err(SpecError::Form);
    };
    let arn = arn.to_owned();
    match *service {
        "s3" => {
            let (bucket, key) = resource.split_once('/').ok_or(SpecError::Form)?;
            if bucket.is_empty() || key.is_empty() {
                return Err(SpecError::Form);
            }
            let (bucket, key) = (bucket.to_owned(), key.to_owned());
            Ok(SpecSource::S3 { arn, bucket, key })
        }
        "ssm" => {
            let (_, name) = resource.split_once("parameter").ok_or(SpecError::Form)?;
            if name.trim_matches('/').is_empty() {
                return Err(SpecError::Form);
            }
            let name = name.to_owned();
            Ok(SpecSource::Parameter { arn, name })
        }
        _ => Err(SpecError::Service),
    }
}

impl CredentialSpec {
    /// What Docker is told, where nothing has to be fetched or rewritten before.
    pub fn security_option(&self) -> Option<String> {
        match &self.source {
            SpecSource::File(path) if !self.domainless => {
                Some(format!("credentialspec=file://{path}"))
            }
            SpecSource::File(_) | SpecSource::S3 { .. } | SpecSource::Parameter { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_source_is_read_and_only_a_file_needs_nothing_more() {
        let file = parse("credentialspec:file://web/spec.json").unwrap();
        assert_eq!(
            file.security_option().as_deref(),
            Some("credentialspec=file://web/spec.json")
        );
        let domainless = parse("credentialspecdomainless:file://spec.json").unwrap();
        assert!(domainless.domainless && domainless.security_option().is_none());
        let s3 = parse("credentialspec:arn:aws:s3:::bucket/a/spec.json").unwrap();
        assert!(
            matches!(&s3.source, SpecSource::S3 { bucket, key, .. } if bucket == "bucket" && key == "a/spec.json")
        );
        let ssm = parse("credentialspec:arn:aws:ssm:eu-west-1:123456789012:parameter/a/b").unwrap();
        assert!(matches!(&ssm.source, SpecSource::Parameter { name, .. } if name == "/a/b"));
        assert_eq!(ssm.security_option(), None);
    }

    #[test]
    fn what_is_wrong_is_told_in_words() {
        for (entry, error) in [
            ("apparmor:x", SpecError::Prefix),
            ("credentialspec", SpecError::Prefix),
            ("credentialspec:x", SpecError::Form),
            ("credentialspec:arn:aws:s3:::bucket", SpecError::Form),
            ("credentialspec:arn:aws:ssm:r:a:parameter", SpecError::Form),
            ("credentialspec:arn:aws:kms:r:a:key/x", SpecError::Service),
            ("credentialspec:file://", SpecError::Path),
            (r"credentialspec:file://C:\x.json", SpecError::Path),
            ("credentialspec:file://a/../../x", SpecError::Path),
            (r"credentialspec:file://\x", SpecError::Path),
        ] {
            assert_eq!(parse(entry), Err(error), "{entry}");
        }
    }
}
