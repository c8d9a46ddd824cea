//! Credential specs of group Managed Service Accounts: where the definition says they come from, and what Docker is
//! told (`windows.md` 16).

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::ids::{ContainerName, TaskId};

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
            // The last part of the key names the file.
            if bucket.is_empty() || key.is_empty() || key.ends_with('/') {
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

/// Why a spec cannot be had on this host, in words that say what can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// Nobody may fetch it (reference agent's words).
    #[error("credentialspec resource: unable to find execution role credentials")]
    Role,
    /// It is in S3.
    #[error(
        "this version does not fetch credential specs from S3 yet: put the object into Docker's directory of them and \
         write credentialspec:file://NAME"
    )]
    S3,
    /// It is a parameter of SSM.
    #[error(
        "this version does not fetch credential specs from SSM yet: put the parameter's value into Docker's directory of \
         them and write credentialspec:file://NAME"
    )]
    Parameter,
    /// The host would hand the plug-in of domainless accounts the credentials of the execution role.
    #[error(
        "this version does not support domainless accounts yet: join the host to the domain and write \
         credentialspec:file://NAME"
    )]
    Domainless,
}

impl CredentialSpec {
    /// What keeps this version from having it; `None` = it is a file that Docker takes as it is.
    pub fn missing(&self, has_execution_role: bool) -> Option<Missing> {
        let fetched = match self.source {
            SpecSource::File(_) => None,
            SpecSource::S3 { .. } => Some(Missing::S3),
            SpecSource::Parameter { .. } => Some(Missing::Parameter),
        };
        match fetched {
            Some(_) if !has_execution_role => Some(Missing::Role),
            _ if self.domainless => Some(Missing::Domainless),
            fetched => fetched,
        }
    }

    /// Its file below Docker's directory of specs (reference agent): the operator's own where nothing has to be fetched
    /// or rewritten, else one that is the task's and goes with it.
    pub fn file(&self, task: &TaskId, container: &ContainerName) -> String {
        self.file_of(task.as_str(), container)
    }

    fn file_of(&self, task: &str, container: &ContainerName) -> String {
        match &self.source {
            SpecSource::File(path) if !self.domainless => path.clone(),
            // A copy lies in the directory itself.
            SpecSource::File(path) => {
                let name = path.replace(['/', '\\'], "_");
                format!("{task}_{container}_{name}")
            }
            SpecSource::S3 { key, .. } => {
                let name = key.rsplit('/').next().unwrap_or(key);
                format!("s3_{task}_{name}")
            }
            SpecSource::Parameter { arn, .. } => {
                let digest = Sha256::digest(format!("{task}{container}{arn}"));
                digest.iter().fold(String::new(), |mut hex, byte| {
                    // A text takes whatever is written to it.
                    let _always = write!(hex, "{byte:02x}");
                    hex
                })
            }
        }
    }

    /// What Docker is told.
    pub fn security_option(&self, task: &TaskId, container: &ContainerName) -> String {
        format!("credentialspec=file://{}", self.file(task, container))
    }

    /// The same for people, of a task that has no id yet.
    pub fn future_option(&self, container: &ContainerName) -> String {
        let file = match &self.source {
            SpecSource::Parameter { .. } => "<SHA-256 of task, container and ARN>".to_owned(),
            SpecSource::File(_) | SpecSource::S3 { .. } => self.file_of("<task>", container),
        };
        format!("credentialspec=file://{file}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the entry to what Docker is told, and to what this version lacks, with and without an execution role.
    #[test]
    fn each_source_becomes_a_file_of_its_own_and_only_a_plain_file_is_there() {
        let task = TaskId::parse("0123abcd").unwrap();
        let container = ContainerName::parse("web").unwrap();
        let s3 = "arn:aws:s3:::bucket/a/spec.json";
        let ssm = "arn:aws:ssm:eu-west-1:123456789012:parameter/a/b";
        // printf '%s' 0123abcdweb$ssm | sha256sum
        let hashed = "9555c7d89e8c224e71cdebe5c0879dbff01aaea15486cbf50f56ea71c564cc60";
        for (entry, file, with_role, without) in [
            (
                "credentialspec:file://web/spec.json".to_owned(),
                "web/spec.json",
                None,
                None,
            ),
            (
                "credentialspecdomainless:file://web/spec.json".to_owned(),
                "0123abcd_web_web_spec.json",
                Some(Missing::Domainless),
                Some(Missing::Domainless),
            ),
            (
                format!("credentialspec:{s3}"),
                "s3_0123abcd_spec.json",
                Some(Missing::S3),
                Some(Missing::Role),
            ),
            (
                format!("credentialspecdomainless:{s3}"),
                "s3_0123abcd_spec.json",
                Some(Missing::Domainless),
                Some(Missing::Role),
            ),
            (
                format!("credentialspec:{ssm}"),
                hashed,
                Some(Missing::Parameter),
                Some(Missing::Role),
            ),
            (
                format!("credentialspecdomainless:{ssm}"),
                hashed,
                Some(Missing::Domainless),
                Some(Missing::Role),
            ),
        ] {
            let spec = parse(&entry).unwrap();
            assert_eq!(
                spec.security_option(&task, &container),
                format!("credentialspec=file://{file}"),
                "{entry}"
            );
            assert_eq!(spec.missing(true), with_role, "{entry}");
            assert_eq!(spec.missing(false), without, "{entry}");
        }
    }

    #[test]
    fn an_object_is_taken_apart_into_what_is_asked_for() {
        let s3 = parse("credentialspec:arn:aws-cn:s3:::bucket/a/spec.json").unwrap();
        assert!(
            matches!(&s3.source, SpecSource::S3 { bucket, key, .. } if bucket == "bucket" && key == "a/spec.json")
        );
        let ssm = parse("credentialspec:arn:aws:ssm:eu-west-1:123456789012:parameter/a/b").unwrap();
        assert!(matches!(&ssm.source, SpecSource::Parameter { name, .. } if name == "/a/b"));
    }

    #[test]
    fn what_is_wrong_is_told_in_words() {
        for (entry, error) in [
            ("apparmor:x", SpecError::Prefix),
            ("credentialspec", SpecError::Prefix),
            ("credentialspec:x", SpecError::Form),
            ("credentialspec:arn:aws:s3:::bucket", SpecError::Form),
            ("credentialspec:arn:aws:s3:::bucket/a/", SpecError::Form),
            ("credentialspecdomainless:arn:aws:s3:::/k", SpecError::Form),
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
