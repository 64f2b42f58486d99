//! Names of segments, and the list of those in use that writer, reader and recovery share.

use coupon_app::Seq;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The file that is made ready for the next segment. It belongs to nobody until it is renamed.
pub(crate) const PREPARED: &str = "prepared";

const SUFFIX: &str = ".journal";

/// The name of the segment whose first batch is `first_seq`.
pub(crate) fn name(first_seq: Seq) -> String {
    format!("{first_seq:020}{SUFFIX}")
}

/// The first batch of the segment of this name; `None` when it is not the name of one.
pub(crate) fn first_seq(file_name: &str) -> Option<Seq> {
    let digits = file_name.strip_suffix(SUFFIX)?;
    if digits.len() != 20 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

/// The first batches of the segments in use, in order; the last one is being written.
#[derive(Debug, Default)]
pub(crate) struct Segments(Mutex<VecDeque<Seq>>);

impl Segments {
    pub(crate) fn new(first_seqs: impl IntoIterator<Item = Seq>) -> Self {
        Self(Mutex::new(first_seqs.into_iter().collect()))
    }

    fn list(&self) -> MutexGuard<'_, VecDeque<Seq>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new segment is being written.
    pub(crate) fn push(&self, first_seq: Seq) {
        self.list().push_back(first_seq);
    }

    /// The segment that holds this batch, or would.
    pub(crate) fn holding(&self, seq: Seq) -> Option<Seq> {
        self.list().iter().rev().copied().find(|first| *first <= seq)
    }

    /// The oldest segment, if every batch in it is at or below `through`. Never the one being written.
    pub(crate) fn oldest_done(&self, through: Seq) -> Option<Seq> {
        let list = self.list();
        (*list.get(1)? <= through.saturating_add(1)).then(|| list[0])
    }

    /// The oldest segment has been removed.
    pub(crate) fn pop_oldest(&self) {
        self.list().pop_front();
    }
}
