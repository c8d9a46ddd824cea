//! Frames: text to messages and back.
//!
//! **Invariant.** No text makes this fail: what cannot be read is said to be so, and the session lives on.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::wire::{
    AckRequest, Addressed, HeartbeatAckRequest, HeartbeatMessage, IamRoleCredentialsAckRequest,
    IamRoleCredentialsMessage, NackRequest, PayloadMessage, TaskManifestMessage,
    TaskStopVerificationAck, TaskStopVerificationMessage,
};

/// The control plane does not know the instance as an active one.
const INACTIVE: &str = "InactiveInstanceException";

/// What the service says instead of an answer.
const EXCEPTIONS: [&str; 7] = [
    "ServerException",
    "BadRequestException",
    "InvalidClusterException",
    "InvalidInstanceException",
    "AccessDeniedException",
    INACTIVE,
    "ErrorMessage",
];

/// Messages of the model that this version has no answer to; they are signs of life all the same.
const UNHANDLED: [&str; 7] = [
    "CloseMessage",
    "HeartbeatAckRequest",
    "AckRequest",
    "NackRequest",
    "IAMRoleCredentialsAckRequest",
    "TaskStopVerificationMessage",
    "PollRequest",
];

/// What a frame came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Decoded {
    /// A message.
    Message(Inbound),
    /// Neither a message nor a sign of life: why.
    Nothing(String),
}

/// A message of ACS.
#[derive(Clone, Debug, PartialEq)]
pub enum Inbound {
    /// `HeartbeatMessage`.
    Heartbeat(HeartbeatMessage),
    /// `PayloadMessage`.
    Payload(PayloadMessage),
    /// `IAMRoleCredentialsMessage`.
    Credentials(IamRoleCredentialsMessage),
    /// `TaskManifestMessage`.
    Manifest(TaskManifestMessage),
    /// `TaskStopVerificationAck`.
    StopVerified(TaskStopVerificationAck),
    /// `StageUpdateMessage`.
    StageUpdate(Addressed),
    /// `PerformUpdateMessage`.
    PerformUpdate(Addressed),
    /// `AttachTaskNetworkInterfacesMessage`.
    TaskInterfaces(Value),
    /// `AttachInstanceNetworkInterfacesMessage`.
    InstanceInterfaces(Value),
    /// `ConfirmAttachmentMessage`.
    Volume(Value),
    /// An exception: name and text.
    Exception(&'static str, String),
    /// A known type that has no answer here.
    Unhandled(&'static str),
}

/// A message to ACS.
#[derive(Clone, Debug, PartialEq)]
pub enum Outbound {
    /// `AckRequest`.
    Ack(AckRequest),
    /// `NackRequest`.
    Nack(NackRequest),
    /// `HeartbeatAckRequest`.
    HeartbeatAck(HeartbeatAckRequest),
    /// `IAMRoleCredentialsAckRequest`.
    CredentialsAck(IamRoleCredentialsAckRequest),
    /// `TaskStopVerificationMessage`.
    VerifyStops(TaskStopVerificationMessage),
}

/// Reads a frame.
pub fn decode(text: &str) -> Decoded {
    let document: Value = match serde_json::from_str(text) {
        Ok(document) => document,
        Err(error) => return Decoded::Nothing(format!("is no JSON: {}", place(&error))),
    };
    let Value::Object(mut members) = document else {
        return Decoded::Nothing("is no object".to_owned());
    };
    if let Some((name, text)) = short_exception(&members) {
        return Decoded::Message(Inbound::Exception(name, text));
    }
    let kind = match members.get("type") {
        Some(Value::String(kind)) => kind.clone(),
        _ => return Decoded::Nothing("has no type".to_owned()),
    };
    let message = members.remove("message").unwrap_or(Value::Null);
    read(&kind, message).map_or_else(Decoded::Nothing, Decoded::Message)
}

fn read(kind: &str, message: Value) -> Result<Inbound, String> {
    Ok(match kind {
        "HeartbeatMessage" => Inbound::Heartbeat(typed(kind, message)?),
        "PayloadMessage" => Inbound::Payload(typed(kind, message)?),
        "IAMRoleCredentialsMessage" => Inbound::Credentials(typed(kind, message)?),
        "TaskManifestMessage" => Inbound::Manifest(typed(kind, message)?),
        "TaskStopVerificationAck" => Inbound::StopVerified(typed(kind, message)?),
        "StageUpdateMessage" => Inbound::StageUpdate(typed(kind, message)?),
        "PerformUpdateMessage" => Inbound::PerformUpdate(typed(kind, message)?),
        "AttachTaskNetworkInterfacesMessage" => Inbound::TaskInterfaces(message),
        "AttachInstanceNetworkInterfacesMessage" => Inbound::InstanceInterfaces(message),
        "ConfirmAttachmentMessage" => Inbound::Volume(message),
        _ => {
            if let Some(name) = known(&EXCEPTIONS, kind) {
                let text = message.get("message").and_then(Value::as_str);
                return Ok(Inbound::Exception(name, shown(text.unwrap_or_default())));
            }
            let name = known(&UNHANDLED, kind);
            return name.map(Inbound::Unhandled).ok_or_else(|| {
                let short: String = kind.chars().take(MAX_NAME_SHOWN).collect();
                format!("has the unknown type {short:?}")
            });
        }
    })
}

/// How much of an exception's text is kept, in characters: it goes into logs and into what people are told.
const MAX_TEXT: usize = 500;

fn shown(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}

/// How much of a type's name is shown: the longest of the model has 40 characters.
const MAX_NAME_SHOWN: usize = 80;

fn typed<T: DeserializeOwned + Default>(kind: &str, message: Value) -> Result<T, String> {
    if message.is_null() {
        return Ok(T::default());
    }
    // The words of the error could repeat a value, which may be a secret: only its place is told.
    serde_json::from_value(message).map_err(|error| format!("is no {kind}: {}", place(&error)))
}

fn place(error: &serde_json::Error) -> String {
    match error.classify() {
        serde_json::error::Category::Data => "a member has the wrong type".to_owned(),
        serde_json::error::Category::Io
        | serde_json::error::Category::Syntax
        | serde_json::error::Category::Eof => {
            format!("line {} column {}", error.line(), error.column())
        }
    }
}

/// `{"<exception>": "<text>"}`.
fn short_exception(members: &Map<String, Value>) -> Option<(&'static str, String)> {
    let mut entries = members.iter();
    let (Some((name, Value::String(text))), None) = (entries.next(), entries.next()) else {
        return None;
    };
    Some((known(&EXCEPTIONS, name)?, shown(text)))
}

fn known<const N: usize>(names: &[&'static str; N], name: &str) -> Option<&'static str> {
    names.iter().find(|known| **known == name).copied()
}

/// What the body of a refused handshake says, if it names an exception: its name and text.
pub fn refusal(body: &str) -> Option<(&'static str, String)> {
    match decode(body) {
        Decoded::Message(Inbound::Exception(name, text)) => Some((name, text)),
        Decoded::Message(_) | Decoded::Nothing(_) => None,
    }
}

/// Whether the exception says that the instance is not active.
pub fn is_inactive(exception: &str) -> bool {
    exception == INACTIVE
}

/// Writes a frame.
pub fn encode(message: &Outbound) -> String {
    match message {
        Outbound::Ack(it) => frame("AckRequest", it),
        Outbound::Nack(it) => frame("NackRequest", it),
        Outbound::HeartbeatAck(it) => frame("HeartbeatAckRequest", it),
        Outbound::CredentialsAck(it) => frame("IAMRoleCredentialsAckRequest", it),
        Outbound::VerifyStops(it) => frame("TaskStopVerificationMessage", it),
    }
}

fn frame(kind: &str, message: &impl Serialize) -> String {
    // Texts and lists of texts always become JSON.
    let message = serde_json::to_value(message).unwrap_or_default();
    json!({"type": kind, "message": message}).to_string()
}
