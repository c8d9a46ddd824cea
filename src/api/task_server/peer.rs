//! The other end of the connection that a request came on, found out once a connection by the listener.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderValue;
use axum::http::request::Parts;
use tokio::time::Instant;

use crate::domain::caller::{Caller, Doubt};

/// The other end. The listener puts it into the extensions of each request of the connection; cheap to clone.
#[derive(Clone, Debug)]
pub struct Peer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    address: SocketAddr,
    caller: Caller,
    /// The address as a header shows it: written once, not for each request.
    header: HeaderValue,
}

impl Peer {
    /// A caller at an address.
    pub fn new(address: SocketAddr, caller: Caller) -> Self {
        let shown = HeaderValue::from_str(&address.to_string());
        Self(Arc::new(Inner {
            address,
            caller,
            header: shown.unwrap_or_else(|_| HeaderValue::from_static("")),
        }))
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// Who it is.
    pub fn caller(&self) -> &Caller {
        &self.0.caller
    }

    /// The address as a header shows it.
    pub(super) fn header(&self) -> HeaderValue {
        self.0.header.clone()
    }

    /// The peer of a request. A listener that does not say is one that cannot tell callers apart.
    pub(super) fn of(extensions: &axum::http::Extensions) -> Self {
        extensions.get::<Self>().cloned().unwrap_or_else(|| {
            let nobody = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
            Self::new(nobody, Caller::Unknown(Doubt::Unsupported))
        })
    }
}

/// When a request began: its head was there, and nobody had been asked yet who sent it. All that it waits for counts
/// from here. The listener puts it into the extensions of each request.
#[derive(Clone, Copy, Debug)]
pub struct Began(pub Instant);

impl<S: Sync> FromRequestParts<S> for Began {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let began = parts.extensions.get::<Self>().copied();
        Ok(began.unwrap_or_else(|| Self(Instant::now())))
    }
}

impl<S: Sync> FromRequestParts<S> for Peer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.extensions))
    }
}
