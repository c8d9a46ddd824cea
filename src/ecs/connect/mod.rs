//! Sessions with the control plane on the wire: the address, the signature, the socket.

mod address;

mod sign;

mod key;

mod tls;

mod socket;

#[cfg(test)]
mod tests;

pub use address::{AcsQuery, TcsQuery, acs_url, tcs_url};
pub use socket::{Connector, OpenError, Socket, SocketReader, SocketWriter};
