//! ACS and TCS: sessions over websockets.

use std::sync::{Arc, Mutex};

use futures_util::{SinkExt as _, StreamExt as _};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::begun::Begun;
use super::{LAB, PAUSE, Saying, State, http, locked, of_lab, signature};

pub(super) async fn serve<S>(mut stream: S, state: Arc<Mutex<State>>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin,
{
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut head).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let request = http::head_of(&head).expect("a request");
    let refused = {
        let mut state = locked(&state);
        let signed = of_lab("GET", &request.path, &request.headers, b"");
        let checked = signature::check(signed, LAB);
        state.bad_signatures.extend(checked.err());
        if request.path.starts_with("/acs/") {
            state.refusals.pop_front()
        } else {
            None
        }
    };
    if let Some(pieces) = refused {
        return refuse(stream, &pieces).await;
    }
    let (path, query) = request.path.split_once('?').unwrap_or_default();
    if path == "/acs/ws" {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let decoded = pairs.map(|(name, value)| {
            let value = percent_decode_str(value).decode_utf8().expect("UTF-8");
            (name.to_owned(), value.into_owned())
        });
        let mut state = locked(&state);
        state.opened.push(decoded.collect());
        state.tell("opened", &Value::Null);
    }
    let stream = Begun::new(head, stream);
    let Ok(socket) = tokio_tungstenite::accept_async(stream).await else {
        return;
    };
    match path {
        "/acs/ws" => acs_session(socket, &state).await,
        "/tcs/ws" => telemetry_session(socket, &request.path, &state).await,
        _ => panic!("a session at {path}"),
    }
}

/// Writes piece by piece, and waits for the other side to close.
async fn refuse<S>(mut stream: S, pieces: &[String])
where
    S: AsyncRead + AsyncWrite + Send + Unpin,
{
    for piece in pieces {
        let written = stream.write_all(piece.as_bytes()).await;
        if written.is_err() || stream.flush().await.is_err() {
            return;
        }
        // Long enough to be read by itself.
        tokio::time::sleep(5 * PAUSE).await;
    }
    let _closed = stream.read_u8().await;
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
                    let frame: Value = serde_json::from_str(text.as_str()).expect("JSON");
                    let mut state = locked(state);
                    state.tell(frame["type"].as_str().unwrap_or_default(), &frame["message"]);
                    state.heard.push(frame);
                }
                Some(Ok(Message::Pong(_))) => locked(state).pongs += 1,
                Some(Ok(_)) => {}
                Some(Err(_)) | None => break,
            },
            Some(saying) = sayings.recv() => {
                let said = match saying {
                    Saying::Frame(text) => {
                        locked(state).tell("said", &Value::Null);
                        socket.send(Message::text(text)).await
                    }
                    Saying::Bytes(bytes) => {
                        let stream = socket.get_mut();
                        stream.write_all(&bytes).await.map_err(Into::into)
                    }
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

/// Acknowledges what it hears, and closes when the test says so.
async fn telemetry_session<S>(mut socket: WebSocketStream<S>, address: &str, state: &Mutex<State>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin,
{
    let (sender, mut closes) = mpsc::channel(1);
    {
        let mut state = locked(state);
        state.telemetry_opened += 1;
        state.telemetry_session = Some(sender);
    }
    loop {
        // Cancel-safe: whole frames and whole items.
        tokio::select! {
            frame = socket.next() => match frame {
                Some(Ok(Message::Text(text))) => {
                    let ack = hear(text.as_str(), address, state);
                    if socket.send(Message::text(ack)).await.is_err() {
                        return;
                    }
                }
                Some(Ok(Message::Close(frame))) => {
                    let code = frame.map_or(0, |frame| frame.code.into());
                    locked(state).telemetry_closed.push(code);
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            },
            Some(code) = closes.recv() => {
                let frame = CloseFrame { code: code.into(), reason: "".into() };
                if socket.close(Some(frame)).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Requests are header lines, an empty line and JSON, each signed. Gives the acknowledgement.
fn hear(text: &str, address: &str, state: &Mutex<State>) -> String {
    let (head, body) = text.split_once("\r\n\r\n").expect("an empty line");
    let headers: Vec<(String, String)> = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let checked = signature::check(of_lab("GET", address, &headers, body.as_bytes()), LAB);
    let request: Value = serde_json::from_str(body).expect("JSON");
    let kind = request["type"].as_str().expect("a type").to_owned();
    let mut state = locked(state);
    state.bad_signatures.extend(checked.err());
    state.tell(&kind, &Value::Null);
    state.telemetry.push((address.to_owned(), request));
    let ack = match kind.as_str() {
        "PublishMetricsRequest" => "AckPublishMetric",
        "PublishHealthRequest" => "AckPublishHealth",
        "PublishInstanceStatusRequest" => "AckPublishInstanceStatus",
        _ => panic!("a request {kind}"),
    };
    json!({"type": ack, "message": {"message": "ok"}}).to_string()
}
