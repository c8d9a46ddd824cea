//! The event stream of our containers.

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use serde_json::json;

use super::client::{Call, Docker};
use super::convert::event::event;
use super::raw::Request;
use super::wire;
use crate::boundary::{BoundaryError, EventStream};
use crate::domain::runtime::RuntimeEvent;

impl Docker {
    /// Opens the stream. Has no deadline once it is open: nothing may happen for days.
    ///
    /// The connection is made only when the stream is polled, and Docker does not say when it has begun to listen. So
    /// Docker's own time is asked first and the stream is opened from then on: Docker keeps its last 256 events and
    /// gives those of the gap.
    pub(super) async fn event_stream(&self) -> Result<EventStream, BoundaryError> {
        let call = Call::engine("listen for container events", self.deadlines().info);
        let said: wire::Info = self.ask(&call, Request::get("/info")).await?;
        let mut filters = self.own_label();
        if let Some(filters) = filters.as_object_mut() {
            filters.insert("type".to_owned(), json!(["container"]));
        }
        let mut request = Request::get("/events").query("filters", filters.to_string());
        if let Some(since) = said.system_time.as_deref().and_then(unix_time) {
            request = request.query("since", since);
        }
        let source = Source {
            docker: self.clone(),
            lines: self.open_lines(request).await?,
            call,
            ended: false,
        };
        Ok(stream::unfold(source, |mut source| async {
            let item = source.next().await?;
            Some((item, source))
        })
        .boxed())
    }
}

struct Source {
    docker: Docker,
    call: Call,
    lines: BoxStream<'static, Result<Vec<u8>, bollard::errors::Error>>,
    ended: bool,
}

impl Source {
    /// The next event that is about one of ours. An error is the last item.
    async fn next(&mut self) -> Option<Result<RuntimeEvent, BoundaryError>> {
        while !self.ended {
            match self.lines.next().await? {
                Ok(line) => match self.call.read(&line).map(|message| event(&message)) {
                    Ok(Some(event)) => return Some(Ok(event)),
                    Ok(None) => {}
                    Err(error) => {
                        self.ended = true;
                        return Some(Err(error));
                    }
                },
                Err(cause) => {
                    self.ended = true;
                    return Some(Err(self.docker.judge(&self.call, cause)));
                }
            }
        }
        None
    }
}

/// Docker reads `seconds.nanoseconds`.
fn unix_time(rfc3339: &str) -> Option<String> {
    let time: jiff::Timestamp = rfc3339.parse().ok()?;
    Some(format!(
        "{}.{:09}",
        time.as_second(),
        time.subsec_nanosecond()
    ))
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn times_are_written_as_docker_reads_them() {
        let time = unix_time("2026-01-02T03:04:05.000000678+01:00");
        assert_eq!(time.as_deref(), Some("1767319445.000000678"));
        assert_eq!(unix_time("yesterday"), None);
    }
}
