//! The line that tells how a rehearsal is going.

use crate::terminal;
use coupon_rehearsal::{Progress, ProgressSink};

/// One line on a terminal, written over and over; nothing elsewhere.
#[derive(Debug)]
pub(super) struct ProgressLine {
    people_watch: bool,
}

impl ProgressLine {
    pub(super) fn new() -> Self {
        Self {
            people_watch: terminal::people_read_errors(),
        }
    }

    /// Clears the line.
    pub(super) fn finish(&self) {
        if self.people_watch {
            terminal::overwrite("");
        }
    }
}

impl ProgressSink for ProgressLine {
    fn progress(&mut self, progress: &Progress) {
        if self.people_watch {
            terminal::overwrite(&progress.to_string());
        }
    }
}
