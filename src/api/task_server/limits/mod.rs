//! How often a caller may ask: a bucket for each caller and path, and one for all its requests for credentials.

mod bucket;

mod layer;

pub use bucket::{Class, Limits, Rate, RateLimits};
pub use layer::{RateLimiter, limit};

pub(super) use layer::is_for_credentials;
