//! How often a caller may ask: a bucket for each caller and path, credentials apart from everything else.

mod bucket;

mod layer;

pub use bucket::{Class, Limits, Rate, RateLimits};
pub use layer::{RateLimiter, limit};
