//! Messages of a pull, summed over layers.

use std::collections::BTreeMap;

use super::super::wire;
use crate::domain::runtime::PullProgress;

/// Most layers counted: an image has at most 127.
const MAX_LAYERS: usize = 256;

/// Adds up the messages of one pull.
#[derive(Debug, Default)]
pub(in super::super) struct Tally {
    layers: BTreeMap<String, Layer>,
}

#[derive(Debug, Default)]
struct Layer {
    downloaded: u64,
    total: u64,
    extracted: u64,
    extracting_secs: u64,
    done: bool,
}

impl Tally {
    /// Takes the next message and gives the sum so far, or the message's error text. Sums never shrink.
    pub(in super::super) fn add(
        &mut self,
        message: wire::Progress,
    ) -> Result<PullProgress, String> {
        if let Some(text) = error_of(&message) {
            return Err(text);
        }
        let room = self.layers.len() < MAX_LAYERS;
        if let Some(id) = message.id
            && let Some(step) = Step::of(&message.status)
            && (room || self.layers.contains_key(&id))
        {
            self.layers
                .entry(id)
                .or_default()
                .take(step, &message.detail);
        }
        Ok(self.sum())
    }

    fn sum(&self) -> PullProgress {
        let mut sum = PullProgress::default();
        for layer in self.layers.values() {
            sum.downloaded_bytes = sum.downloaded_bytes.saturating_add(layer.downloaded);
            sum.download_total_bytes = sum.download_total_bytes.saturating_add(layer.total);
            sum.extracted_bytes = sum.extracted_bytes.saturating_add(layer.extracted);
            sum.extracting_secs = sum.extracting_secs.saturating_add(layer.extracting_secs);
            sum.layers_total = sum.layers_total.saturating_add(1);
            if layer.done {
                sum.layers_done = sum.layers_done.saturating_add(1);
            }
        }
        sum
    }
}

/// The error that a message of a pull or load carries.
pub(in super::super) fn error_of(message: &wire::Progress) -> Option<String> {
    let detail = message.error_detail.as_ref().map(|detail| &detail.message);
    detail
        .filter(|text| !text.is_empty())
        .or(message.error.as_ref())
        .cloned()
}

/// Where a layer is, from the status text of its message.
#[derive(Clone, Copy)]
enum Step {
    Waiting,
    Downloading,
    Downloaded,
    Extracting,
    Done,
}

impl Step {
    /// `None` for messages that are not about a layer, such as `Pulling from team/web`.
    fn of(status: &str) -> Option<Self> {
        match status {
            "Pulling fs layer" | "Waiting" | "Verifying Checksum" => Some(Self::Waiting),
            "Downloading" => Some(Self::Downloading),
            "Download complete" => Some(Self::Downloaded),
            "Extracting" => Some(Self::Extracting),
            "Pull complete" | "Already exists" => Some(Self::Done),
            _ => None,
        }
    }
}

impl Layer {
    fn take(&mut self, step: Step, detail: &wire::ProgressDetail) {
        let bytes = |number: Option<i64>| number.and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
        let in_bytes = detail.units.as_deref().is_none_or(str::is_empty);
        let (current, total) = (bytes(detail.current), bytes(detail.total));
        match step {
            Step::Downloading => {
                self.downloaded = self.downloaded.max(current);
                self.total = self.total.max(total);
            }
            Step::Downloaded => self.downloaded = self.downloaded.max(self.total),
            Step::Extracting if in_bytes => {
                self.extracted = self.extracted.max(current);
                // The number to extract is that of the packed layer, which may have come in one piece.
                self.total = self.total.max(total);
                self.downloaded = self.downloaded.max(self.total);
            }
            // Of containerd's image store: for how long it has been at it, once a second.
            Step::Extracting => self.extracting_secs = self.extracting_secs.max(current),
            Step::Waiting => {}
            Step::Done => {
                self.downloaded = self.downloaded.max(self.total);
                self.extracted = self.extracted.max(self.total);
                self.done = true;
            }
        }
    }
}
