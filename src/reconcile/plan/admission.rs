//! stub
use crate::domain::host::*;
use crate::domain::ids::*;
use crate::domain::port_mapping::*;
use crate::domain::task::*;
use std::collections::*;
/// x
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// x
    Admitted,
    /// x
    Waiting {
        /// x
        for_what: String,
        /// x
        port: Option<(u16, Protocol, TaskArn)>,
    },
    /// x
    Impossible(String),
}
/// x
pub fn demand(_: &Task) -> ResourceDemand {
    ResourceDemand::default()
}
/// x
pub fn decide(
    _: &HostFacts,
    _: &[(TaskArn, ResourceDemand)],
    w: &[(TaskArn, ResourceDemand)],
) -> BTreeMap<TaskArn, Verdict> {
    w.iter()
        .map(|(a, _)| (a.clone(), Verdict::Admitted))
        .collect()
}
/// x
pub fn choose_ports(
    _: u16,
    _: Protocol,
    _: &HostFacts,
    _: &BTreeSet<(u16, Protocol)>,
    _: u16,
) -> Option<u16> {
    None
}
