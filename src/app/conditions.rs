//! How the host's set-up is, for whoever asks for the agent's health.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::api::observe::probes::Check;

/// The last check of each name. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Conditions(Arc<Mutex<BTreeMap<&'static str, Check>>>);

impl Conditions {
    /// So it is now. Whether that is news.
    pub fn set(&self, check: Check) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(check.name, check.clone()) != Some(check)
    }

    /// All of them, by name.
    pub fn checks(&self) -> Vec<Check> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.values().cloned().collect()
    }
}
