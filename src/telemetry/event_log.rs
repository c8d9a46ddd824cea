//! Log lines as events of Windows.

use std::io;
use std::sync::Arc;

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

use crate::platform::event_log::{EventLog, Severity};

/// Makes a writer for each line.
#[derive(Clone, Debug)]
pub(super) struct Events(Arc<EventLog>);

impl Events {
    pub(super) fn new(log: EventLog) -> Self {
        Self(Arc::new(log))
    }
}

/// Writes one line as one event.
#[derive(Debug)]
pub(super) struct Event {
    log: Arc<EventLog>,
    severity: Severity,
}

impl<'a> MakeWriter<'a> for Events {
    type Writer = Event;

    fn make_writer(&'a self) -> Event {
        Event {
            log: Arc::clone(&self.0),
            severity: Severity::Information,
        }
    }

    fn make_writer_for(&'a self, line: &Metadata<'_>) -> Event {
        Event {
            severity: severity(*line.level()),
            ..self.make_writer()
        }
    }
}

impl io::Write for Event {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        self.log.report(self.severity, text.trim_end())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How the log marks lines of that level.
fn severity(level: Level) -> Severity {
    match level {
        Level::ERROR => Severity::Error,
        Level::WARN => Severity::Warning,
        Level::INFO | Level::DEBUG | Level::TRACE => Severity::Information,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_marked_as_windows_does() {
        for (level, expected) in [
            (Level::ERROR, Severity::Error),
            (Level::WARN, Severity::Warning),
            (Level::INFO, Severity::Information),
            (Level::DEBUG, Severity::Information),
        ] {
            assert_eq!(severity(level), expected);
        }
    }
}
