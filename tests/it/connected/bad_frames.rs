//! What is no frame, frames without their end and frames without bounds: they cost their session and nothing else.

use serde_json::json;

use super::{Host, SERVE, arn, task};

/// Head of a text frame that says how long it is.
fn text_head(length: u64) -> Vec<u8> {
    [&[0x81, 127][..], &length.to_be_bytes()].concat()
}

/// One more than is taken in.
const TOO_LARGE: u64 = 32 * 1024 * 1024 + 1;

#[tokio::test]
async fn frames_that_are_none_or_too_large_end_their_session_and_nothing_else() {
    let host = Host::new().await;
    let bad = [
        text_head(TOO_LARGE),
        text_head(u64::MAX >> 1),
        // Reserved bits and an operation that there is not.
        vec![0xff; 16],
        // Long enough to be a frame by what its first bytes mean.
        format!("HTTP/1.1 400 Bad Request\r\n\r\n{:100}", "").into_bytes(),
        // A text that is none.
        vec![0x81, 2, 0xc3, 0x28],
        // A continuation of nothing.
        vec![0x80, 1, b'x'],
    ];
    for (number, bytes) in bad.iter().enumerate() {
        host.plane.say_bytes(bytes).await;
        host.plane
            .until("another session is open", || {
                (host.plane.opened().len() == number + 2).then_some(())
            })
            .await;
    }
    host.plane
        .payload("m1", 1, &[task("a", SERVE, "RUNNING")])
        .await;
    host.plane.change(&arn("a"), "RUNNING").await;
}

/// Half of a payload's frame, then nothing, then the end of the connection; and whole frames with half a message.
#[tokio::test]
async fn what_is_cut_off_is_not_acted_upon() {
    let host = Host::new().await;
    let payload = json!({"type": "PayloadMessage", "message": {"messageId": "m1", "seqNum": 1, "tasks": [task("a", SERVE, "RUNNING")]}});
    let text = payload.to_string();
    for length in [1, text.len() / 2, text.len() - 1] {
        host.plane.say_text(&text[..length]).await;
    }
    let length = u64::try_from(text.len()).expect("a length");
    let half = [&text_head(length)[..], &text.as_bytes()[..text.len() / 2]].concat();
    host.plane.say_bytes(&half).await;
    host.plane
        .until("it is let go", || host.plane.vanish().then_some(()))
        .await;
    host.plane
        .until("another session is open", || {
            (host.plane.opened().len() == 2).then_some(())
        })
        .await;
    host.plane
        .payload("m2", 2, &[task("b", SERVE, "RUNNING")])
        .await;
    host.plane.change(&arn("b"), "RUNNING").await;
    assert_eq!(host.status_of(&arn("a")), None);
    assert_eq!(host.plane.heard_of("AckRequest").len(), 1);
}

/// Answers to many messages at once, of both kinds of work: each is one whole frame, and each comes.
#[tokio::test]
async fn check_060_answers_are_whole_frames_while_many_are_written() {
    const MESSAGES: usize = 40;
    let host = Host::new().await;
    for number in 0..MESSAGES {
        let id = format!("t{number}");
        let heartbeat = json!({"messageId": format!("h{number}")});
        host.plane.say("HeartbeatMessage", heartbeat).await;
        let sequence = i64::try_from(number).expect("a number");
        host.plane
            .payload(&id, sequence, &[task(&id, "exit 0", "RUNNING")])
            .await;
    }
    // The double takes frames of one JSON text each and nothing else.
    for kind in ["HeartbeatAckRequest", "AckRequest"] {
        let mut ids = host
            .plane
            .until(kind, || {
                let heard = host.plane.heard_of(kind);
                (heard.len() == MESSAGES).then_some(heard)
            })
            .await;
        ids.sort_by_key(|message| message["messageId"].to_string());
        ids.dedup_by_key(|message| message["messageId"].to_string());
        assert_eq!(ids.len(), MESSAGES, "each once");
    }
    assert_eq!(host.plane.opened().len(), 1);
}
