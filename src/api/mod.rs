//! HTTP: one folder a listener, one file an endpoint.
