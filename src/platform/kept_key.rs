//! A key that the system keeps while the host runs.

use crate::domain::secret::Secret;

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;

/// A key that the system keeps.
#[derive(Debug)]
pub struct KeptKey {
    /// The key.
    pub bytes: Secret<[u8; KEY_BYTES]>,
    /// It was there already.
    pub found: bool,
}
