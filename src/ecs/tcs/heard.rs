//! What TCS says: nothing that changes anything, but signs of life.

use serde_json::Value;

/// Messages that show that the service is there (reference agent).
const SIGNS_OF_LIFE: [&str; 4] = [
    "HeartbeatMessage",
    "AckPublishMetric",
    "AckPublishHealth",
    "AckPublishInstanceStatus",
];

/// Whether the frame is a sign of life. Whatever else it is, it changes nothing.
pub fn is_sign_of_life(text: &str) -> bool {
    let frame: Result<Value, _> = serde_json::from_str(text);
    let kind = frame
        .as_ref()
        .ok()
        .and_then(|frame| frame.get("type")?.as_str());
    kind.is_some_and(|kind| SIGNS_OF_LIFE.contains(&kind))
}
