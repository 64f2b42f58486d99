//! The client's own record of a rehearsal: an append-only file of JSON lines.
//!
//! The first line is the [`Header`] (an object), the last one the [`End`] (an object), and between them stands one
//! array per attempt, in the order in which the attempts ended:
//!
//! ```text
//! [user, intendedNs, sentNs, answeredNs, status, "outcome", position, issuedAtUs, "code", "note"]
//! ```
//!
//! Trailing members that do not apply are left out or null. Times are monotonic nanoseconds since the start of the
//! load; `issuedAtUs` is the server's, in microseconds since 1970. Lines `{"fault": ...}` mark when the server was
//! killed. A file without its last line is a rehearsal that was cut short, and fails its audit.

mod reader;
mod record;
mod writer;

use std::io;

pub(crate) use record::FORMAT;
pub use record::{Attempt, Code, CouponFacts, End, FaultMark, Header, PlanFacts};
pub use writer::HistoryWriter;

/// A whole history, in memory: about 100 bytes per attempt.
#[derive(Debug, Clone)]
pub struct History {
    /// What was planned, and for which coupon.
    pub header: Header,
    /// Every attempt, in the order in which they ended.
    pub attempts: Vec<Attempt>,
    /// When the server was killed, if it was.
    pub faults: Vec<FaultMark>,
    /// How it ended; none if the file was cut short.
    pub end: Option<End>,
}

/// Why a history could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The file could not be created, written or read.
    #[error("the history {path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// A line is not what it should be.
    #[error("the history {path}, line {line}: {why}")]
    BadLine {
        /// The file.
        path: String,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
}
