//! What a runtime shows of a container beside its state: networks, mounts, the last probe.

/// A network that a container is in, as the runtime knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContainerNetwork {
    /// Docker's name of the network: `bridge`, `host`, `none`, or that of one somebody made.
    pub name: String,
    /// Address; empty where the network has none, as `host` and `none`.
    pub ipv4: String,
    /// Bits of the network part of `ipv4`.
    pub ipv4_prefix: u8,
    /// Gateway of `ipv4`; may be empty.
    pub ipv4_gateway: String,
    /// Global IPv6 address; may be empty.
    pub ipv6: String,
    /// Bits of the network part of `ipv6`.
    pub ipv6_prefix: u8,
    /// Gateway of `ipv6`; may be empty.
    pub ipv6_gateway: String,
    /// Hardware address; may be empty.
    pub mac: String,
}

/// Something mounted into a container: by its task, its image or its runtime.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContainerMount {
    /// Docker's name of the volume; empty for a bind.
    pub name: String,
    /// Path on the host.
    pub source: String,
    /// Path in the container.
    pub destination: String,
}

/// How a health probe ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProbeResult {
    /// Exit code of its process.
    pub exit_code: i64,
    /// What it wrote, cut to 1024 bytes.
    pub output: String,
}
