//! Writing to the event log.

use std::io;

use windows_registry::LOCAL_MACHINE;
use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::System::EventLog::{
    DeregisterEventSource, EVENTLOG_ERROR_TYPE, EVENTLOG_INFORMATION_TYPE, EVENTLOG_WARNING_TYPE,
    RegisterEventSourceW, ReportEventW,
};

use crate::platform::event_log::{EVENT_ID, SOURCE, Severity};

/// Key that makes the source known.
const SOURCES: &str = r"SYSTEM\CurrentControlSet\Services\EventLog\Application";

/// A program of Windows whose messages are nothing but the text of the event.
const MESSAGES: &str = r"%SystemRoot%\System32\EventCreate.exe";

/// Information, warning and error.
const TYPES: u32 = 7;

/// Longest text that is written, in UTF-16 units: the log takes 31,839.
const MAX_TEXT: usize = 30_000;

/// The log, open for writing.
#[derive(Debug)]
pub struct EventLog {
    /// A number of the system's; it is no address of ours.
    handle: usize,
}

impl EventLog {
    /// Makes the source known, if this process may, and opens the log.
    ///
    /// # Errors
    /// Of the system.
    pub fn open() -> io::Result<Self> {
        // Without it events are there all the same, below a sentence about a missing description.
        drop(make_known());
        let name = wide(SOURCE);
        #[expect(unsafe_code, reason = "the event log has no other door")]
        // SAFETY: The name ends with a zero and lives until after the call; no server means this host.
        let handle = unsafe { RegisterEventSourceW(std::ptr::null(), name.as_ptr()) };
        if handle.is_null() {
            return Err(io::Error::last_os_error());
        }
        Ok(Self {
            handle: handle.expose_provenance(),
        })
    }

    /// Writes an event.
    ///
    /// # Errors
    /// Of the system.
    pub fn report(&self, severity: Severity, text: &str) -> io::Result<()> {
        let kind = match severity {
            Severity::Information => EVENTLOG_INFORMATION_TYPE,
            Severity::Warning => EVENTLOG_WARNING_TYPE,
            Severity::Error => EVENTLOG_ERROR_TYPE,
        };
        let text = wide(text);
        let texts = [text.as_ptr()];
        #[expect(unsafe_code, reason = "the event log has no other door")]
        // SAFETY: The handle is open as long as we live; one text is announced and given, which ends with a zero; no
        // user and no data are given.
        let written = unsafe {
            ReportEventW(
                self.raw(),
                kind,
                0,
                EVENT_ID,
                std::ptr::null_mut(),
                1,
                0,
                texts.as_ptr(),
                std::ptr::null(),
            )
        };
        if written == 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    fn raw(&self) -> HANDLE {
        std::ptr::with_exposed_provenance_mut(self.handle)
    }
}

impl Drop for EventLog {
    fn drop(&mut self) {
        #[expect(unsafe_code, reason = "what was opened is closed")]
        // SAFETY: The handle is open, and nobody uses it after us.
        let _closed = unsafe { DeregisterEventSource(self.raw()) };
    }
}

fn make_known() -> windows_registry::Result<()> {
    let key = LOCAL_MACHINE.create(format!(r"{SOURCES}\{SOURCE}"))?;
    key.set_expand_string("EventMessageFile", MESSAGES)?;
    key.set_u32("TypesSupported", TYPES)
}

/// Text for the system: cut to what it takes, with a zero at the end and none before.
fn wide(text: &str) -> Vec<u16> {
    let units = text.encode_utf16().filter(|unit| *unit != 0);
    units.take(MAX_TEXT).chain([0]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_taken_and_the_source_is_known() {
        // Wine takes events and keeps none: what they look like cannot be seen here.
        let log = EventLog::open().unwrap();
        log.report(Severity::Warning, "a test").unwrap();
        let key = LOCAL_MACHINE.open(format!(r"{SOURCES}\{SOURCE}")).unwrap();
        assert_eq!(key.get_u32("TypesSupported").unwrap(), TYPES);
    }

    #[test]
    fn a_text_ends_with_its_only_zero() {
        let text = wide(&format!("a\0b{}", "x".repeat(40_000)));
        assert_eq!(text.len(), MAX_TEXT + 1);
        assert_eq!(text.iter().filter(|unit| **unit == 0).count(), 1);
    }
}
