//! Where endpoints of AWS are used that are validated for FIPS 140.

/// Whether they are used instead of the usual ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FipsEndpoints {
    /// Nowhere.
    #[default]
    Off,
    /// In regions that have them: the kernel is in FIPS mode, and elsewhere such a host would reach nobody.
    WhereThereAre,
    /// Everywhere: the operator says so.
    Always,
}

/// Regions in which ECS and what is called for tasks have such endpoints.
const REGIONS: [&str; 6] = [
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "us-gov-east-1",
    "us-gov-west-1",
];

impl FipsEndpoints {
    /// Whether they are used in that region.
    pub fn count_in(self, region: &str) -> bool {
        match self {
            Self::Off => false,
            Self::WhereThereAre => REGIONS.contains(&region),
            Self::Always => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_in_fips_mode_asks_for_what_its_region_has() {
        use FipsEndpoints::{Always, Off, WhereThereAre};
        for (endpoints, region, expected) in [
            (Off, "us-east-1", false),
            (WhereThereAre, "us-east-1", true),
            (WhereThereAre, "us-gov-west-1", true),
            (WhereThereAre, "eu-west-1", false),
            (Always, "eu-west-1", true),
        ] {
            assert_eq!(
                endpoints.count_in(region),
                expected,
                "{endpoints:?} {region}"
            );
        }
    }
}
