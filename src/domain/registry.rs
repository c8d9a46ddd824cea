//! As whom a registry is asked for an image. Pure.
//!
//! The name of an image in a private registry of ECR says its account and region; what a payload of ECS says beside
//! the image (`registryAuthentication`) counts before that.

use std::fmt;

use super::credentials::CredentialsId;
use super::definition::ContainerDefinition;
use super::image::ImageRef;
use super::secret::Secret;
use super::task::DesiredTask;

/// What follows the region in the names of private registries of ECR, by partition.
const SUFFIXES: [&str; 7] = [
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazonaws.eu",
    "c2s.ic.gov",
    "sc2s.sgov.gov",
    "cloud.adc-e.uk",
    "csp.hci.ic.gov",
];

/// The same in names that have IPv6 too.
const DUAL_STACK_SUFFIXES: [&str; 2] = ["on.aws", "on.amazonwebservices.com.cn"];

/// Digits of an account.
const ACCOUNT_DIGITS: usize = 12;

/// A login at a registry.
#[derive(Clone, PartialEq, Eq)]
pub struct RegistryLogin {
    /// The registry, or a path prefix in it, without a scheme.
    pub server: String,
    /// User name.
    pub username: String,
    /// Password or token.
    pub password: Secret<String>,
}

impl fmt::Debug for RegistryLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryLogin")
            .field("server", &self.server)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// `registryAuthentication` of type `ecr`, as a payload of ECS says it; empty texts say nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EcrAuth {
    /// `ecrAuthData.region`.
    pub region: String,
    /// `ecrAuthData.registryId`: the account.
    pub registry_id: String,
    /// `ecrAuthData.endpointOverride`: where ECR is asked.
    pub endpoint: Option<String>,
    /// `ecrAuthData.useExecutionRole`.
    pub use_execution_role: bool,
}

/// As whom a registry is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RegistryAccess {
    /// As the operator has set, else as nobody.
    #[default]
    Operator,
    /// With a token of ECR.
    Ecr(EcrAccess),
    /// With a login that is kept in Secrets Manager.
    Secret(SecretAccess),
}

/// A login that is kept in Secrets Manager (`repositoryCredentials`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretAccess {
    /// ARN or name of the secret.
    pub parameter: String,
    /// Region of the task, for a name; `None` = the one that programs of this host use.
    pub region: Option<String>,
    /// Whose credentials are used; `None` = the task has no execution role.
    pub role: Option<ExecutionRole>,
}

/// What a token of ECR is asked with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EcrAccess {
    /// Region; empty = not known.
    pub region: String,
    /// Account of the registry; empty = that of whoever asks.
    pub registry_id: String,
    /// Where ECR is asked; `None` = the region's address.
    pub endpoint: Option<String>,
    /// Whose credentials are used; `None` = the host's own.
    pub role: Option<ExecutionRole>,
    /// The name of the image alone says so: a login that the operator has set for the registry counts first.
    pub implied: bool,
}

/// The execution role of a task.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExecutionRole {
    /// Under which its credentials are had.
    pub id: CredentialsId,
    /// ARN, as given.
    pub arn: String,
}

impl RegistryAccess {
    /// For one container's image. `roles`: credentials of execution roles can be had on this host.
    pub fn of(container: &ContainerDefinition, desired: &DesiredTask, roles: bool) -> Self {
        let named = ecr_registry_of(&container.image);
        let role = execution_role(desired);
        if let Some(parameter) = &container.repository_credentials {
            return Self::Secret(SecretAccess {
                parameter: parameter.clone(),
                region: desired.arn.region().map(str::to_owned),
                role,
            });
        }
        if let Some(said) = &container.registry_authentication {
            let or_named = |text: &str, part: Option<&str>| {
                let named = part.filter(|_| text.is_empty()).unwrap_or(text);
                named.to_owned()
            };
            return Self::Ecr(EcrAccess {
                region: or_named(&said.region, named.map(|it| it.region)),
                registry_id: or_named(&said.registry_id, named.map(|it| it.account)),
                endpoint: said.endpoint.clone(),
                role: role.filter(|_| said.use_execution_role),
                implied: false,
            });
        }
        let Some(named) = named else {
            return Self::Operator;
        };
        Self::Ecr(EcrAccess {
            region: named.region.to_owned(),
            registry_id: named.account.to_owned(),
            endpoint: None,
            role: role.filter(|_| roles),
            implied: true,
        })
    }

    /// The execution role whose credentials it needs.
    pub fn role(&self) -> Option<&ExecutionRole> {
        match self {
            Self::Operator => None,
            Self::Ecr(ecr) => ecr.role.as_ref(),
            Self::Secret(secret) => secret.role.as_ref(),
        }
    }

    /// What two tasks may share a pull by: the same rights, whichever of them has the credentials.
    pub fn rights(&self) -> Rights {
        Rights(match self {
            Self::Operator => None,
            Self::Secret(secret) => Some((
                [secret.parameter.clone(), String::new()],
                secret.region.clone(),
                secret.role.as_ref().map(|role| role.arn.clone()),
            )),
            Self::Ecr(ecr) => Some((
                [ecr.region.clone(), ecr.registry_id.clone()],
                ecr.endpoint.clone(),
                ecr.role.as_ref().map(|role| role.arn.clone()),
            )),
        })
    }
}

/// Rights of [`RegistryAccess::rights`].
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rights(Option<([String; 2], Option<String>, Option<String>)>);

/// The execution role of the task, with the id that it was given.
pub fn execution_role(desired: &DesiredTask) -> Option<ExecutionRole> {
    Some(ExecutionRole {
        id: desired.ids.execution_role.clone()?,
        arn: desired.definition.execution_role_arn.clone()?,
    })
}

/// A private registry of ECR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EcrRegistry<'a> {
    /// Account.
    pub account: &'a str,
    /// Region.
    pub region: &'a str,
}

/// The registry of ECR that an image is in.
pub fn ecr_registry_of(image: &ImageRef) -> Option<EcrRegistry<'_>> {
    ecr_registry(image.registry_host()?)
}

/// The registry of ECR of that name: `<account>.dkr.ecr[-fips].<region>.amazonaws.com[.cn]`, or with IPv6
/// `<account>.dkr-ecr[-fips].<region>.on.aws`.
pub fn ecr_registry(host: &str) -> Option<EcrRegistry<'_>> {
    let (account, rest) = host.split_once('.')?;
    let digits = account.len() == ACCOUNT_DIGITS && account.bytes().all(|b| b.is_ascii_digit());
    let after = |heads: [&str; 2]| heads.iter().find_map(|head| rest.strip_prefix(head));
    let (rest, suffixes) = match (
        after(["dkr.ecr.", "dkr.ecr-fips."]),
        after(["dkr-ecr.", "dkr-ecr-fips."]),
    ) {
        (Some(rest), _) => (rest, &SUFFIXES[..]),
        (None, Some(rest)) => (rest, &DUAL_STACK_SUFFIXES[..]),
        (None, None) => return None,
    };
    let (region, suffix) = rest.split_once('.')?;
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let good =
        digits && !region.is_empty() && region.bytes().all(plain) && suffixes.contains(&suffix);
    good.then_some(EcrRegistry { account, region })
}

/// Whether a token for that registry may be shown to the one that the image is in: it is the same, or another name
/// of the same.
pub fn is_for(server: &str, image: &ImageRef) -> bool {
    let host = server.split('/').next().unwrap_or_default();
    let Some(asked) = image.registry_host() else {
        return false;
    };
    let ecr = ecr_registry(host);
    host == asked || (ecr.is_some() && ecr == ecr_registry(asked))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::definition::TaskDefinition;
    use crate::domain::sample;

    const OWN: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";

    #[test]
    fn names_of_private_registries_say_account_and_region() {
        for (host, region) in [
            (OWN, "eu-west-1"),
            (
                "123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com",
                "us-gov-west-1",
            ),
            (
                "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn",
                "cn-north-1",
            ),
            ("123456789012.dkr-ecr.eu-west-1.on.aws", "eu-west-1"),
            ("123456789012.dkr-ecr-fips.us-east-1.on.aws", "us-east-1"),
        ] {
            let account = "123456789012";
            assert_eq!(
                ecr_registry(host),
                Some(EcrRegistry { account, region }),
                "{host}"
            );
        }
        for host in [
            "public.ecr.aws",
            "12345678901.dkr.ecr.eu-west-1.amazonaws.com",
            "12345678901x.dkr.ecr.eu-west-1.amazonaws.com",
            "123456789012.dkr.ecr.amazonaws.com",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.example",
            "123456789012.dkr.ecr.eu-west-1.evil.example",
            "x.123456789012.dkr.ecr.eu-west-1.amazonaws.com",
            "123456789012.dkr.ecr.eu-west-1.on.aws",
        ] {
            assert_eq!(ecr_registry(host), None, "{host}");
        }
    }

    fn access(
        image: &str,
        roles: bool,
        change: impl FnOnce(&mut TaskDefinition),
    ) -> RegistryAccess {
        let mut definition = sample::definition(&["app"]);
        definition.containers[0].image = ImageRef::parse(image).unwrap();
        definition.execution_role_arn = Some("arn:aws:iam::1:role/x".to_owned());
        change(&mut definition);
        let mut desired = sample::task(definition).desired;
        desired.ids.execution_role = CredentialsId::parse("id").ok();
        RegistryAccess::of(&desired.definition.containers[0], &desired, roles)
    }

    fn ecr(access: RegistryAccess) -> EcrAccess {
        match access {
            RegistryAccess::Ecr(ecr) => ecr,
            RegistryAccess::Operator | RegistryAccess::Secret(_) => panic!("not ECR"),
        }
    }

    #[test]
    fn check_143_an_image_of_ecr_is_asked_for_with_the_execution_role_if_there_is_one() {
        let image = format!("{OWN}/web:1");
        let found = ecr(access(&image, true, |_| ()));
        assert_eq!(
            (found.region.as_str(), found.registry_id.as_str()),
            ("eu-west-1", "123456789012")
        );
        assert!(found.implied);
        assert_eq!(found.role.unwrap().arn, "arn:aws:iam::1:role/x");
        let host = |roles, change: fn(&mut TaskDefinition)| ecr(access(&image, roles, change)).role;
        assert_eq!(host(true, |it| it.execution_role_arn = None), None);
        assert_eq!(host(false, |_| ()), None);
        for image in ["web:1", "public.ecr.aws/x/web", "127.0.0.1:5000/web"] {
            assert_eq!(access(image, true, |_| ()), RegistryAccess::Operator);
        }
    }

    #[test]
    fn check_143_what_a_payload_says_counts_before_the_name() {
        let with = |said: EcrAuth| {
            ecr(access(&format!("{OWN}/web"), false, |it| {
                it.containers[0].registry_authentication = Some(said);
            }))
        };
        let instance = with(EcrAuth::default());
        assert_eq!(instance.role, None, "only where the payload says so");
        assert_eq!(instance.region, "eu-west-1");
        assert!(!instance.implied);
        let said = with(EcrAuth {
            region: "us-west-2".to_owned(),
            registry_id: "210987654321".to_owned(),
            endpoint: Some("http://ecr.test".to_owned()),
            use_execution_role: true,
        });
        assert_eq!(said.region, "us-west-2");
        assert_eq!(said.registry_id, "210987654321");
        assert_eq!(said.endpoint.as_deref(), Some("http://ecr.test"));
        assert!(said.role.is_some());
    }

    #[test]
    fn tasks_of_one_role_have_the_same_rights_whatever_their_ids() {
        let image = format!("{OWN}/web");
        let one = access(&image, true, |_| ());
        let RegistryAccess::Ecr(mut other) = one.clone() else {
            panic!("not ECR");
        };
        let role = other.role.as_mut().unwrap();
        role.id = CredentialsId::parse("other").unwrap();
        assert_eq!(one.rights(), RegistryAccess::Ecr(other.clone()).rights());
        other.role.as_mut().unwrap().arn.push('y');
        assert_ne!(one.rights(), RegistryAccess::Ecr(other).rights());
        assert_ne!(one.rights(), RegistryAccess::Operator.rights());
    }

    #[test]
    fn a_token_is_shown_to_its_registry_and_to_no_other() {
        let image = |text: &str| ImageRef::parse(text).unwrap();
        let own = image(&format!("{OWN}/web"));
        assert!(is_for(OWN, &own));
        assert!(is_for("123456789012.dkr-ecr.eu-west-1.on.aws", &own));
        for server in [
            "123456789012.dkr.ecr.eu-west-2.amazonaws.com",
            "210987654321.dkr.ecr.eu-west-1.amazonaws.com",
            "registry.example",
            "",
        ] {
            assert!(!is_for(server, &own), "{server}");
        }
        assert!(is_for("127.0.0.1:5000", &image("127.0.0.1:5000/web")));
        assert!(!is_for("127.0.0.1:5000", &image("127.0.0.1:5001/web")));
        assert!(!is_for("docker.io", &image("web")));
    }

    #[test]
    fn passwords_are_not_printed() {
        let login = RegistryLogin {
            server: "r".to_owned(),
            username: "u".to_owned(),
            password: "marked".to_owned().into(),
        };
        assert_eq!(
            format!("{login:?}"),
            r#"RegistryLogin { server: "r", username: "u", .. }"#
        );
    }
}
