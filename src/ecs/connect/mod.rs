//! Sessions with the control plane on the wire: the address, the signature, the socket.

mod address;

mod sign;

mod key;

mod tls;

mod proxy;

mod stream;

mod lent;

mod refusal;

mod socket;

mod query;

#[cfg(test)]
mod tests;

pub use address::{AcsQuery, TcsQuery, acs_url, tcs_url};
pub use proxy::{Proxies, Proxy, Target};
pub use socket::{Connector, OpenError, Socket, SocketReader, SocketWriter};
pub use stream::{EndpointKinds, Network};
pub use tls::Authorities;
