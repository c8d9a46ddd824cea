//! The Docker Engine adapter: the only place that knows bollard.
