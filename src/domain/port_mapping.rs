//! Port mappings of a definition and the host ports that really belong to them.

use std::fmt;

/// `portMappings[].protocol`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// TCP, the default.
    #[default]
    Tcp,
    /// UDP.
    Udp,
}

impl Protocol {
    /// `tcp` or `udp`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `portMappings[]`. Ports are 1 to 65535.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortMapping {
    /// Which ports of the container.
    pub container: ContainerPorts,
    /// `hostPort`; `None` = Docker or the agent chooses (input 0 or absent).
    pub host_port: Option<u16>,
    /// `protocol`.
    pub protocol: Protocol,
    /// `name`, for Service Connect.
    pub name: Option<String>,
    /// `appProtocol`, for Service Connect.
    pub app_protocol: Option<String>,
}

/// `containerPort` or `containerPortRange`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerPorts {
    /// `containerPort`.
    Single(u16),
    /// `containerPortRange`, both ends included, first ≤ last.
    Range {
        /// First port.
        first: u16,
        /// Last port.
        last: u16,
    },
}

impl ContainerPorts {
    /// First port.
    pub fn first(self) -> u16 {
        match self {
            Self::Single(port) => port,
            Self::Range { first, .. } => first,
        }
    }

    /// Number of ports, at least 1.
    pub fn count(self) -> u16 {
        match self {
            Self::Single(_) => 1,
            Self::Range { first, last } => last.saturating_sub(first).saturating_add(1),
        }
    }
}

/// A port that Docker has published, as inspect reports it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PortBinding {
    /// Port in the container.
    pub container_port: u16,
    /// Transport.
    pub protocol: Protocol,
    /// Address it is bound to.
    pub bind_ip: String,
    /// Port on the host.
    pub host_port: u16,
}

/// Host ports the agent chose for one `containerPortRange`, committed before Docker hears of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PortReservation {
    /// Index of the mapping in `portMappings`.
    pub mapping: usize,
    /// First host port; the range is as long as the container's.
    pub first_host_port: u16,
    /// Length.
    pub count: u16,
    /// Transport.
    pub protocol: Protocol,
}
