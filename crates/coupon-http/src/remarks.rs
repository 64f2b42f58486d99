//! What a server says of parts that are none of the hall's own, where readiness tells it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Parts that somebody outside the hall watches. A clone is the same sheet.
#[derive(Clone, Debug, Default)]
pub struct Remarks(Arc<Mutex<BTreeMap<&'static str, Option<String>>>>);

impl Remarks {
    /// From now on `/readyz` names `part`: as ready, or with the reason why it is not.
    pub fn set(&self, part: &'static str, reason: Option<String>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(part, reason);
    }

    pub(crate) fn all(&self) -> Vec<(&'static str, Option<String>)> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().map(|(part, reason)| (*part, reason.clone())).collect()
    }
}
