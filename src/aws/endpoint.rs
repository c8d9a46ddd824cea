//! Where the services are that are called for tasks: the addresses of a region, by kind and partition. Pure.

/// A service, and how it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Service {
    /// In words.
    pub(super) name: &'static str,
    /// In signatures.
    pub(super) signing: &'static str,
    /// Begins the name of each operation.
    pub(super) target: &'static str,
    /// In the addresses of every kind but the first.
    host: &'static str,
    /// In the usual addresses.
    usual: &'static str,
}

/// Amazon Elastic Container Registry.
pub(super) const ECR: Service = Service {
    name: "ECR",
    signing: "ecr",
    target: "AmazonEC2ContainerRegistry_V20150921",
    host: "ecr",
    usual: "api.ecr",
};

/// Systems Manager.
pub(super) const SSM: Service = Service {
    name: "Systems Manager",
    signing: "ssm",
    target: "AmazonSSM",
    host: "ssm",
    usual: "ssm",
};

/// Secrets Manager.
pub(super) const SECRETS_MANAGER: Service = Service {
    name: "Secrets Manager",
    signing: "secretsmanager",
    target: "secretsmanager",
    host: "secretsmanager",
    usual: "secretsmanager",
};

/// What ends the names of a partition's services, by what begins its regions: usual ones, and those with IPv6.
const PARTITIONS: [(&str, &str, &str); 6] = [
    ("cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn"),
    ("us-iso-", "c2s.ic.gov", "api.aws.ic.gov"),
    ("us-isob-", "sc2s.sgov.gov", "api.aws.scloud"),
    ("us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov"),
    ("eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"),
    ("eusc-", "amazonaws.eu", "api.amazonwebservices.eu"),
];

/// The same everywhere else.
const COMMERCIAL: (&str, &str) = ("amazonaws.com", "api.aws");

/// The address of the service in that region.
pub(super) fn address(service: &Service, region: &str, fips: bool, dual_stack: bool) -> String {
    let partition = PARTITIONS
        .iter()
        .find(|(prefix, _, _)| region.starts_with(prefix));
    let (usual, with_ipv6) = partition.map_or(COMMERCIAL, |(_, usual, ipv6)| (*usual, *ipv6));
    let host = match (fips, dual_stack) {
        (false, false) => service.usual.to_owned(),
        (true, _) => format!("{}-fips", service.host),
        (false, true) => service.host.to_owned(),
    };
    let suffix = if dual_stack { with_ipv6 } else { usual };
    format!("https://{host}.{region}.{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_endpoint_has_its_name() {
        for (region, fips, dual_stack, expected) in [
            (
                "eu-west-1",
                false,
                false,
                "https://api.ecr.eu-west-1.amazonaws.com",
            ),
            (
                "us-east-1",
                true,
                false,
                "https://ecr-fips.us-east-1.amazonaws.com",
            ),
            ("eu-west-1", false, true, "https://ecr.eu-west-1.api.aws"),
            (
                "us-east-1",
                true,
                true,
                "https://ecr-fips.us-east-1.api.aws",
            ),
            (
                "cn-north-1",
                false,
                false,
                "https://api.ecr.cn-north-1.amazonaws.com.cn",
            ),
            (
                "cn-north-1",
                false,
                true,
                "https://ecr.cn-north-1.api.amazonwebservices.com.cn",
            ),
        ] {
            assert_eq!(address(&ECR, region, fips, dual_stack), expected);
        }
        let secrets = address(&SECRETS_MANAGER, "eu-west-1", false, false);
        assert_eq!(secrets, "https://secretsmanager.eu-west-1.amazonaws.com");
        let parameters = address(&SSM, "us-east-1", true, false);
        assert_eq!(parameters, "https://ssm-fips.us-east-1.amazonaws.com");
    }
}
