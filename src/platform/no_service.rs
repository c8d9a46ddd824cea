//! Systems whose services are no programs' own affair: a unit file or the like makes the agent one.

use std::convert::Infallible;
use std::io;

use super::event_log::Severity;
use super::service::{Installation, ServiceError};

/// The log of events, of which there is none.
#[derive(Debug)]
pub struct EventLog(Infallible);

impl EventLog {
    /// There is none.
    ///
    /// # Errors
    /// Always.
    pub fn open() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Cannot be: there is none.
    ///
    /// # Errors
    /// Never comes to it.
    pub fn report(&self, _: Severity, _: &str) -> io::Result<()> {
        match self.0 {}
    }
}

/// There is no service manager.
///
/// # Errors
/// Always.
pub fn run(_agent: impl FnOnce() -> u8 + Send + 'static) -> Result<(), ServiceError> {
    Err(ServiceError::Unsupported)
}

/// There is no service manager.
///
/// # Errors
/// Always.
pub fn install(_wanted: &Installation) -> Result<Vec<&'static str>, ServiceError> {
    Err(ServiceError::Unsupported)
}

/// There is no service manager.
///
/// # Errors
/// Always.
pub fn uninstall() -> Result<(), ServiceError> {
    Err(ServiceError::Unsupported)
}

/// There is no service manager.
///
/// # Errors
/// Always.
pub fn start() -> Result<(), ServiceError> {
    Err(ServiceError::Unsupported)
}

/// There is no service manager.
///
/// # Errors
/// Always.
pub fn stop() -> Result<(), ServiceError> {
    Err(ServiceError::Unsupported)
}

/// There is no service manager.
///
/// # Errors
/// Always.
pub fn status() -> Result<Option<&'static str>, ServiceError> {
    Err(ServiceError::Unsupported)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_says_so_and_what_to_use_instead() {
        let wanted = Installation {
            program: "/berth".into(),
            args: Vec::new(),
            start: crate::platform::service::Start::Manual,
        };
        let installed = install(&wanted).map(|_| ());
        let refused = [run(|| 0), installed, uninstall(), start(), stop()];
        for refused in refused.into_iter().chain([status().map(|_| ())]) {
            let words = refused.unwrap_err().to_string();
            assert!(words.contains("deploy/systemd"), "{words}");
        }
    }
}
