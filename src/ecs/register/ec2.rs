//! What the texts of an EC2 instance mean. Pure.

use serde_json::Value;

/// What is to be done with an instance that is interrupted.
const ACTIONS: [&str; 3] = ["hibernate", "terminate", "stop"];

/// What an Auto Scaling group says of an instance that shall take work.
const IN_SERVICE: &str = "InService";

/// What cloud-init calls it to have found nobody who tells it anything.
const NO_SOURCE: &str = "DataSourceNone";

/// The region that an identity document names.
pub fn region_of_document(document: &str) -> Option<String> {
    text_of(document, "region")
}

/// The region that an ARN names.
pub fn region_of_arn(arn: &str) -> Option<String> {
    let region = arn.split(':').nth(3)?;
    (!region.is_empty()).then(|| region.to_owned())
}

/// The action of a notice of interruption; `None` = it is no such notice.
pub fn interruption(notice: &str) -> Option<String> {
    text_of(notice, "action").filter(|action| ACTIONS.contains(&action.as_str()))
}

/// Whether the notice recommends to rebalance.
pub fn is_rebalance(notice: &str) -> bool {
    text_of(notice, "noticeTime").is_some()
}

/// Whether state of the instance `saved` is none of the instance `now`: the disk was copied.
pub fn is_another(saved: Option<&str>, now: Option<&str>) -> bool {
    matches!((saved, now), (Some(saved), Some(now)) if saved != now)
}

/// Whether an instance whose group says so may register.
pub fn is_in_service(state: &str) -> bool {
    state.trim() == IN_SERVICE
}

/// Whether cloud-init has found nobody to tell it the user data of the instance, by its `result.json` or
/// `status.json`.
pub fn found_no_source(said: &str) -> bool {
    let said: Option<Value> = serde_json::from_str(said).ok();
    let source = said
        .as_ref()
        .and_then(|said| said.pointer("/v1/datasource")?.as_str());
    source == Some(NO_SOURCE)
}

fn text_of(document: &str, member: &str) -> Option<String> {
    let document: Value = serde_json::from_str(document).ok()?;
    let text = document.get(member)?.as_str()?;
    (!text.is_empty()).then(|| text.to_owned())
}
