//! Checksums of rows. SQLite finds damage to its own structure, not a changed letter inside a value: these do.
//!
//! **Invariant.** A checksum covers the serialized rows, where absent fields are left out; see the ADR for what that
//! asks of new columns.

use std::io::{self, Write};

use serde::Serialize;
use sha2::{Digest, Sha256};

/// Whether checksums are written and compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checksums {
    /// Yes: every column of the schema is known here.
    Used,
    /// No: the schema is newer and may have columns that belong to a checksum and are not known here. What is
    /// written then has no checksum, and a newer agent has nothing to compare it with.
    Unused,
}

impl Checksums {
    /// The checksum to write: the first eight bytes of the SHA-256 of the rows' JSON text.
    pub(super) fn of(self, rows: &impl Serialize) -> Option<i64> {
        match self {
            Self::Used => digest(rows),
            Self::Unused => None,
        }
    }

    /// Whether rows are as they were written, as far as can be said.
    pub(super) fn fit(self, rows: &impl Serialize, stored: Option<i64>) -> bool {
        match (self, stored) {
            (Self::Used, Some(stored)) => digest(rows) == Some(stored),
            (Self::Used, None) | (Self::Unused, _) => true,
        }
    }
}

/// `None` for what has no JSON text, which rows of numbers and strings always have.
fn digest(rows: &impl Serialize) -> Option<i64> {
    let mut sink = Sink(Sha256::new());
    serde_json::to_writer(&mut sink, rows).ok()?;
    let digest = sink.0.finalize();
    let (head, _) = digest.split_first_chunk::<8>()?;
    Some(i64::from_be_bytes(*head))
}

struct Sink(Sha256);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
