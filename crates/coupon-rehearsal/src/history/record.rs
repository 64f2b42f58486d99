//! What the lines of a history say.

use std::fmt;
use std::fmt::Write as _;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::outcome::Outcome;
use crate::users::UserIds;
use crate::workloads::Shape;

/// The version of the format that this code writes and reads.
pub(crate) const FORMAT: u32 = 1;

/// The first line: what was planned, without secrets.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// The version of the format, 1.
    pub history: u32,
    /// The wall time at the start, by the caller's clock.
    pub started_at: Timestamp,
    /// Where the server was.
    pub base_url: String,
    /// Where more servers of the same service were, if there were any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more_urls: Vec<String>,
    /// How user numbers become user ids.
    pub user_prefix: UserIds,
    /// The coupon as it was when the load began.
    pub coupon: CouponFacts,
    /// The workload.
    pub plan: PlanFacts,
}

impl Header {
    /// Every server that was asked.
    pub fn servers(&self) -> String {
        let more = self.more_urls.iter().map(String::as_str);
        let all: Vec<&str> = std::iter::once(self.base_url.as_str()).chain(more).collect();
        all.join(", ")
    }
}

/// What the coupon promised when the load began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CouponFacts {
    /// Its id.
    pub id: u64,
    /// How many there are; none means unlimited.
    pub quantity: Option<u64>,
    /// When its issue window opens (inclusive).
    pub opens_at: Timestamp,
    /// When its issue window closes (exclusive).
    pub closes_at: Timestamp,
    /// The revision of its facts, if the server told it.
    pub revision: Option<u64>,
    /// How many were issued already.
    pub issued: u64,
}

/// The workload, as the history remembers it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanFacts {
    /// Distinct users.
    pub users: u32,
    /// Asks that the plan has arrive, duplicates included and repeats not.
    pub asks: u64,
    /// The time over which they arrive, in milliseconds.
    pub duration_ms: u64,
    /// How they are spread over it.
    pub shape: Shape,
    /// The share of users who ask more than once.
    pub duplicate_share: f64,
    /// Keep-alive connections.
    pub connections: usize,
    /// The seed of the arrivals.
    pub seed: u64,
}

/// The last line: what the load itself counted, to hold the lines against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct End {
    /// Requests sent, counted when they were sent.
    pub sent: u64,
    /// Asks that were due or promised and never sent, because the server stayed away too long.
    pub never_sent: u64,
    /// When the load ended, in nanoseconds since its start.
    pub ended_ns: u64,
}

/// A fault that was done to the server on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FaultMark {
    /// What was done.
    pub fault: String,
    /// When, in nanoseconds since the start.
    pub struck_ns: u64,
    /// When the server was ready again.
    pub over_ns: u64,
}

/// One request and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The user's number.
    pub user: u32,
    /// When it should have been sent, in nanoseconds since the start.
    pub intended_ns: u64,
    /// When it was sent.
    pub sent_ns: u64,
    /// When its answer was there, or was given up.
    pub answered_ns: u64,
    /// The HTTP status; 0 if there was no answer.
    pub status: u16,
    /// What it came to.
    pub outcome: Outcome,
    /// The position that the answer named.
    pub position: Option<u64>,
    /// The time of issue that the answer named, in microseconds since 1970.
    pub issued_at_us: Option<i64>,
    /// The code that the answer named.
    pub code: Option<Code>,
    /// Why the outcome is unknown or unexpected.
    pub note: Option<Box<str>>,
}

impl Attempt {
    /// How long it took from the intended send time, in microseconds: waiting for a connection counts.
    pub fn latency_us(&self) -> u64 {
        self.answered_ns.saturating_sub(self.intended_ns) / 1_000
    }

    /// Appends its line, with the line end.
    pub(crate) fn write_line(&self, to: &mut String) {
        let Self {
            user,
            intended_ns,
            sent_ns,
            answered_ns,
            status,
            ..
        } = self;
        let outcome = self.outcome.name();
        let mut write = |arguments: fmt::Arguments<'_>| {
            to.write_fmt(arguments).expect("writing to a String cannot fail");
        };
        write(format_args!(
            "[{user},{intended_ns},{sent_ns},{answered_ns},{status},\"{outcome}\""
        ));
        match (self.position, self.issued_at_us, &self.code) {
            (Some(position), Some(issued_at_us), Some(code)) => {
                write(format_args!(",{position},{issued_at_us},\"{code}\""));
            }
            _ if self.note.is_some() => write(format_args!(",null,null,null")),
            _ => {}
        }
        if let Some(note) = &self.note {
            let quoted = serde_json::to_string(note).expect("a string always becomes JSON");
            write(format_args!(",{quoted}"));
        }
        to.push_str("]\n");
    }

    /// Reads its line.
    pub(crate) fn parse(line: &str) -> Result<Self, serde_json::Error> {
        let line: AttemptLine = serde_json::from_str(line)?;
        Ok(Self {
            user: line.0,
            intended_ns: line.1,
            sent_ns: line.2,
            answered_ns: line.3,
            status: line.4,
            outcome: line.5,
            position: line.6,
            issued_at_us: line.7,
            code: line.8,
            note: line.9,
        })
    }
}

#[derive(Deserialize)]
struct AttemptLine(
    u32,
    u64,
    u64,
    u64,
    u16,
    Outcome,
    #[serde(default)] Option<u64>,
    #[serde(default)] Option<i64>,
    #[serde(default)] Option<Code>,
    #[serde(default)] Option<Box<str>>,
);

/// A coupon code, kept without an allocation of its own: there are a million of them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code {
    length: u8,
    bytes: [u8; Self::LONGEST_BYTES],
}

impl Code {
    /// The longest code that fits; `XXXX-XXXX-XXXX` has 14 bytes.
    pub const LONGEST_BYTES: usize = 15;

    /// Takes 1 to 15 letters, digits and hyphens.
    pub fn parse(text: &str) -> Option<Self> {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if text.is_empty() || text.len() > Self::LONGEST_BYTES || !text.bytes().all(known) {
            return None;
        }
        let mut bytes = [0; Self::LONGEST_BYTES];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Some(Self {
            length: u8::try_from(text.len()).ok()?,
            bytes,
        })
    }

    /// The code as text.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.bytes[..usize::from(self.length)]).expect("only ASCII gets past `parse`")
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Code({self})")
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| serde::de::Error::custom(format_args!("{text:?} is not a coupon code")))
    }
}

#[cfg(test)]
mod tests {
    use super::{Attempt, Code};
    use crate::outcome::Outcome;

    fn refusal() -> Attempt {
        Attempt {
            user: 7,
            intended_ns: 1,
            sent_ns: 2,
            answered_ns: 3_001,
            status: 410,
            outcome: Outcome::SoldOut,
            position: None,
            issued_at_us: None,
            code: None,
            note: None,
        }
    }

    #[test]
    fn every_kind_of_attempt_reads_back_as_it_was_written() {
        let issued = Attempt {
            status: 201,
            outcome: Outcome::Issued,
            position: Some(u64::MAX),
            issued_at_us: Some(-1),
            code: Code::parse("ABCD-EFGH-JKMN"),
            ..refusal()
        };
        let noted = Attempt {
            status: 0,
            outcome: Outcome::Unknown,
            note: Some("said \"no\"\n".into()),
            ..refusal()
        };
        for attempt in [refusal(), issued, noted] {
            let mut line = String::new();
            attempt.write_line(&mut line);
            assert_eq!(Attempt::parse(line.trim_end()).unwrap(), attempt);
            assert_eq!(line.matches('\n').count(), 1);
        }
    }

    #[test]
    fn waiting_for_a_connection_counts_in_the_latency() {
        assert_eq!(refusal().latency_us(), 3);
    }

    #[test]
    fn a_code_that_could_break_a_line_is_no_code() {
        for text in ["", "ABCD-EFGH-JKMN-PQ", "A\"B", "Ü"] {
            assert_eq!(Code::parse(text), None, "{text}");
        }
    }
}
