//! Log lines in a file, for an agent without anybody who reads its standard error.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use crate::platform::rotating::Rotating;

/// Writes each line whole. A line that cannot be written is lost: there is nobody to tell.
#[derive(Clone, Debug)]
pub(super) struct LogFile(Arc<Mutex<Rotating>>);

impl LogFile {
    pub(super) fn new(file: Rotating) -> Self {
        Self(Arc::new(Mutex::new(file)))
    }
}

impl io::Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A panic while it is held leaves a whole value behind.
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.append(&String::from_utf8_lossy(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
