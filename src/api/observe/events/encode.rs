//! The two encodings of a stream: a JSON object a line, and server-sent events.

use bytes::Bytes;
use serde::Serialize;

use super::wire::StreamItem;

/// How a stream is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// `application/x-ndjson`.
    Lines,
    /// `text/event-stream`.
    ServerSent,
}

impl Encoding {
    /// What an `Accept` header asks for: lines, unless it names server-sent events.
    pub(super) fn of_accept(accept: Option<&str>) -> Self {
        if accept.is_some_and(|text| text.contains("text/event-stream")) {
            Self::ServerSent
        } else {
            Self::Lines
        }
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Lines => "application/x-ndjson",
            Self::ServerSent => "text/event-stream",
        }
    }

    /// One item.
    ///
    /// # Errors
    /// None in practice: every item is plain data.
    pub(super) fn write(self, item: &StreamItem) -> Result<Bytes, serde_json::Error> {
        match self {
            Self::Lines => json_line(item),
            Self::ServerSent => server_sent(item),
        }
    }
}

/// A JSON object and a line feed.
///
/// # Errors
/// Whatever its serialiser refuses.
pub(in crate::api) fn json_line(item: &impl Serialize) -> Result<Bytes, serde_json::Error> {
    let mut line = serde_json::to_vec(item)?;
    line.push(b'\n');
    Ok(line.into())
}

fn server_sent(item: &StreamItem) -> Result<Bytes, serde_json::Error> {
    // JSON holds no line feed, so one `data` line is enough.
    let data = serde_json::to_string(item)?;
    let text = match item {
        StreamItem::Event(event) => {
            format!(
                "id: {}\nevent: {}\ndata: {data}\n\n",
                event.sequence, "event"
            )
        }
        StreamItem::Task(_) => format!("event: task\ndata: {data}\n\n"),
        // With an id, so that a client that reconnects goes on from here.
        StreamItem::Sync(sync) => {
            format!("id: {}\nevent: sync\ndata: {data}\n\n", sync.sequence)
        }
        StreamItem::Heartbeat => ": heartbeat\n\n".to_owned(),
        StreamItem::End(_) => format!("event: end\ndata: {data}\n\n"),
    };
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::observe::events::wire::{EndReason, EventRecord, StreamEnd};

    fn items() -> [StreamItem; 3] {
        [
            StreamItem::Event(EventRecord {
                sequence: 7,
                at: crate::api::wire::Time::default(),
                task_arn: "arn".to_owned(),
                task_id: "a".to_owned(),
                container: Some("web".to_owned()),
                kind: "Started".to_owned(),
                message: "two\nlines".to_owned(),
            }),
            StreamItem::Heartbeat,
            StreamItem::End(StreamEnd {
                reason: EndReason::TooSlow,
                message: "9 events".to_owned(),
                resume_after: 7,
            }),
        ]
    }

    fn written(encoding: Encoding) -> String {
        let parts = items().map(|item| encoding.write(&item).expect("bytes").to_vec());
        String::from_utf8(parts.concat()).expect("text")
    }

    #[test]
    fn a_line_each() {
        insta::assert_snapshot!(written(Encoding::Lines), @r#"
        {"type":"event","sequence":7,"at":"1970-01-01T00:00:00.000Z","taskArn":"arn","taskId":"a","container":"web","kind":"Started","message":"two\nlines"}
        {"type":"heartbeat"}
        {"type":"end","reason":"tooSlow","message":"9 events","resumeAfter":7}
        "#);
    }

    #[test]
    fn server_sent_events_carry_their_place_as_id() {
        insta::assert_snapshot!(written(Encoding::ServerSent), @r#"
        id: 7
        event: event
        data: {"type":"event","sequence":7,"at":"1970-01-01T00:00:00.000Z","taskArn":"arn","taskId":"a","container":"web","kind":"Started","message":"two\nlines"}

        : heartbeat

        event: end
        data: {"type":"end","reason":"tooSlow","message":"9 events","resumeAfter":7}
        "#);
    }

    #[test]
    fn lines_unless_server_sent_events_are_asked_for() {
        for (accept, encoding) in [
            (None, Encoding::Lines),
            (Some("*/*"), Encoding::Lines),
            (
                Some("application/json, text/event-stream;q=0.9"),
                Encoding::ServerSent,
            ),
        ] {
            assert_eq!(Encoding::of_accept(accept), encoding, "{accept:?}");
        }
    }
}
