//! Lines of places that write too often are left out, and counted.

use std::fmt;
use std::time::Instant;

use serde_json::json;
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::limit::{Limiter, Verdict};

/// Event id of the line that says how many were left out.
const LEFT_OUT: &str = "log-lines-left-out";

/// Another format, without the lines that are too many.
#[derive(Debug, Default)]
pub(super) struct Limited<F> {
    inner: F,
    json: bool,
    limiter: Limiter,
}

impl<F> Limited<F> {
    /// `inner`, whose lines are JSON objects or for people.
    pub(super) fn new(inner: F, json: bool) -> Self {
        Self {
            inner,
            json,
            limiter: Limiter::default(),
        }
    }

    fn tell(&self, mut writer: Writer<'_>, event: &Event<'_>, left_out: u64) -> fmt::Result {
        let site = event.metadata();
        let place = format!("{}:{}", site.target(), site.line().unwrap_or_default());
        let message = format!("{left_out} lines of {place} were left out: they came too often");
        if self.json {
            let line = json!({
                "level": site.level().as_str(), "event": LEFT_OUT, "message": message,
                "site": place, "left_out": left_out,
            });
            writeln!(writer, "{line}")
        } else {
            writeln!(writer, "{:>5} {message}", site.level())
        }
    }
}

impl<S, N, F> FormatEvent<S, N> for Limited<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        match self.limiter.judge(event.metadata(), Instant::now()) {
            // What is not written is an empty line of no bytes.
            Verdict::LeaveOut => Ok(()),
            Verdict::Write { left_out } => {
                if left_out > 0 {
                    self.tell(writer.by_ref(), event, left_out)?;
                }
                self.inner.format_event(context, writer, event)
            }
        }
    }
}
