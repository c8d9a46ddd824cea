//! ACS: sessions over websockets.

use std::sync::{Arc, Mutex};

use futures_util::{SinkExt as _, StreamExt as _};
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Message, http};

use super::{Saying, State, locked, signature};

#[expect(
    clippy::result_large_err,
    reason = "the handshake's callback has this type"
)]
pub(super) async fn serve<S>(stream: S, state: Arc<Mutex<State>>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin,
{
    let (shared, mut telemetry) = (Arc::clone(&state), None);
    let opening = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        let mut state = locked(&shared);
        let headers: Vec<(String, String)> = request
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().expect("text").to_owned()))
            .collect();
        let path = request.uri().path_and_query().expect("a path").as_str();
        if let Err(why) = signature::check("GET", path, &headers, b"") {
            state.bad_signatures.push(why);
        }
        if request.uri().path() == "/tcs/ws" {
            telemetry = Some(path.to_owned());
            return Ok(response);
        }
        if let Some((status, body)) = state.refusals.pop_front() {
            let refused = http::Response::builder().status(status).body(Some(body));
            return Err(refused.expect("an answer"));
        }
        assert_eq!(request.uri().path(), "/acs/ws");
        let query = request.uri().query().unwrap_or_default();
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let decoded = pairs.map(|(name, value)| {
            let value = percent_decode_str(value).decode_utf8().expect("UTF-8");
            (name.to_owned(), value.into_owned())
        });
        let decoded = decoded.collect();
        state.opened.push(decoded);
        Ok(response)
    };
    let Ok(socket) = tokio_tungstenite::accept_hdr_async(stream, opening).await else {
        return;
    };
    if let Some(address) = telemetry {
        return telemetry_session(socket, &address, &state).await;
    }
    acs_session(socket, &state).await;
}

/// Says what the test says and keeps what it hears.
async fn acs_session<S>(mut socket: WebSocketStream<S>, state: &Mutex<State>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin,
{
    let (sender, mut sayings) = mpsc::channel(64);
    locked(state).session = Some(sender.clone());
    loop {
        // Cancel-safe: whole frames and whole items.
        tokio::select! {
            frame = socket.next() => match frame {
                Some(Ok(Message::Text(text))) => {
                    let frame = serde_json::from_str(text.as_str()).expect("JSON");
                    locked(state).heard.push(frame);
                }
                Some(Ok(Message::Pong(_))) => locked(state).pongs += 1,
                Some(Ok(_)) => {}
                Some(Err(_)) | None => break,
            },
            Some(saying) = sayings.recv() => {
                let said = match saying {
                    Saying::Frame(text) => socket.send(Message::text(text)).await,
                    Saying::Ping => socket.send(Message::Ping(vec![1].into())).await,
                    Saying::Close(code) => {
                        let frame = CloseFrame { code: code.into(), reason: "".into() };
                        socket.close(Some(frame)).await
                    }
                    Saying::Vanish => break,
                };
                if said.is_err() {
                    break;
                }
            }
        }
    }
    let mut state = locked(state);
    // Another session may have come since.
    if state
        .session
        .as_ref()
        .is_some_and(|session| session.same_channel(&sender))
    {
        state.session = None;
    }
}

/// Requests are header lines, an empty line and JSON, each signed.
async fn telemetry_session<S>(mut socket: WebSocketStream<S>, address: &str, state: &Mutex<State>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin,
{
    while let Some(Ok(frame)) = socket.next().await {
        let Message::Text(text) = frame else {
            continue;
        };
        let (head, body) = text.as_str().split_once("\r\n\r\n").expect("an empty line");
        let headers: Vec<(String, String)> = head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let checked = signature::check("GET", address, &headers, body.as_bytes());
        let request: serde_json::Value = serde_json::from_str(body).expect("JSON");
        let kind = request["type"].as_str().expect("a type");
        let kind = kind
            .trim_start_matches("Publish")
            .trim_end_matches("Request")
            .trim_end_matches('s');
        let kind = if kind == "InstanceStatu" {
            "InstanceStatus"
        } else {
            kind
        };
        let ack =
            serde_json::json!({"type": format!("AckPublish{kind}"), "message": {"message": "ok"}});
        {
            let mut state = locked(state);
            state.bad_signatures.extend(checked.err());
            state.telemetry.push((address.to_owned(), request));
        }
        if socket.send(Message::text(ack.to_string())).await.is_err() {
            return;
        }
    }
}
