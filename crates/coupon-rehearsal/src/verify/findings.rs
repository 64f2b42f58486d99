//! Invariants, and the violations of them that an audit can name.

use serde::Serialize;

const MOST_EXAMPLES: usize = 5;
/// Of what was lost: everybody who was told so is named, within reason.
const MOST_LOST: usize = 1_000;

/// What must hold; the numbers are the contract's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum Invariant {
    /// Issued never exceeds the quantity, and equals it if demand sufficed.
    I1,
    /// One per user.
    I2,
    /// Every acknowledged issue is there, the same.
    I3,
    /// Nothing was issued that nobody asked for.
    I4,
    /// Positions are exactly 1 to issued.
    I5,
    /// Positions follow real time, and so do times of issue.
    I6,
    /// Refusals are true.
    I7,
    /// Every attempt is accounted for, and every unknown became definite.
    I8,
    /// The server's own counts agree with what it holds.
    I9,
    /// Nothing was issued outside the window.
    I12,
}

impl Invariant {
    /// Its number in the contract.
    pub fn number(self) -> &'static str {
        match self {
            Self::I1 => "I1",
            Self::I2 => "I2",
            Self::I3 => "I3",
            Self::I4 => "I4",
            Self::I5 => "I5",
            Self::I6 => "I6",
            Self::I7 => "I7",
            Self::I8 => "I8",
            Self::I9 => "I9",
            Self::I12 => "I12",
        }
    }

    /// What it says, in English.
    pub fn english(self) -> &'static str {
        match self {
            Self::I1 => "Exactly min(quantity, demand) issued",
            Self::I2 => "One per user",
            Self::I3 => "Every acknowledged issue kept, unchanged",
            Self::I4 => "Nothing issued that nobody asked for",
            Self::I5 => "Positions 1 to issued, no gap, no reuse",
            Self::I6 => "First come, first served in real time",
            Self::I7 => "Every refusal true",
            Self::I8 => "Every attempt accounted for, every unknown resolved",
            Self::I9 => "The server's counts agree",
            Self::I12 => "Nothing issued outside the window",
        }
    }

    /// What it says, in Korean.
    pub fn korean(self) -> &'static str {
        match self {
            Self::I1 => "발급 수 = min(수량, 수요)",
            Self::I2 => "한 사람에 한 장",
            Self::I3 => "응답한 발급은 그대로 남아 있음",
            Self::I4 => "요청하지 않은 발급 없음",
            Self::I5 => "발급 순번은 빠짐도 중복도 없음",
            Self::I6 => "먼저 온 순서대로 발급",
            Self::I7 => "거절은 모두 사실",
            Self::I8 => "모든 시도를 집계, 불명은 모두 해소",
            Self::I9 => "서버의 집계가 일치",
            Self::I12 => "발급 기간 밖의 발급 없음",
        }
    }
}

/// A kind of violation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingKind {
    /// More issued than the quantity.
    OverIssued,
    /// Fewer issued than were asked for and in stock.
    UnderIssued,
    /// A user holds more than one.
    DuplicateUser,
    /// A user was told "issued" more than once.
    IssuedTwice,
    /// An acknowledged issue is not there.
    LostAcknowledgement,
    /// A user was told another position than the one they hold.
    PositionChanged,
    /// The code or the time of issue is another than the one acknowledged.
    DetailsChanged,
    /// An issue for a user who never asked.
    PhantomIssue,
    /// An issue although every answer promised that nothing had happened.
    SilentEffect,
    /// A position below the highest is held by nobody.
    PositionGap,
    /// A position is held by more than one user.
    PositionReused,
    /// A code is held more than once, or an issued coupon's id is not its position's.
    IdentityReused,
    /// A user whose request left after another's answer came stands before them.
    OrderInverted,
    /// A time of issue is earlier than that of a position before.
    TimeRanBack,
    /// "Sold out" while there was stock, or to a holder.
    UntrueSoldOut,
    /// Another refusal that cannot have been true.
    UntrueRefusal,
    /// Whether a user holds a coupon was never answered definitely.
    UnresolvedUnknown,
    /// The recorded attempts are not those that were sent.
    UncountedAttempts,
    /// Asks that could not be sent because the server stayed away.
    NeverSent,
    /// Answers that the interface does not know.
    UnexpectedAnswer,
    /// The server's counts differ from its list.
    CountsDisagree,
    /// Issued before the opening or after the closing.
    OutsideWindow,
    /// Lost with the ledger's state, and counted and named by the server: no violation where the coupon's answers do
    /// not wait for the store, and yet to be told.
    LostAndCounted,
}

impl FindingKind {
    fn most_examples(self) -> usize {
        if self == Self::LostAndCounted {
            MOST_LOST
        } else {
            MOST_EXAMPLES
        }
    }

    /// Its name in results and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::OverIssued => "over-issued",
            Self::UnderIssued => "under-issued",
            Self::DuplicateUser => "duplicate-user",
            Self::IssuedTwice => "issued-twice",
            Self::LostAcknowledgement => "lost-acknowledgement",
            Self::PositionChanged => "position-changed",
            Self::DetailsChanged => "details-changed",
            Self::PhantomIssue => "phantom-issue",
            Self::SilentEffect => "silent-effect",
            Self::PositionGap => "position-gap",
            Self::PositionReused => "position-reused",
            Self::IdentityReused => "identity-reused",
            Self::OrderInverted => "order-inverted",
            Self::TimeRanBack => "time-ran-back",
            Self::UntrueSoldOut => "untrue-sold-out",
            Self::UntrueRefusal => "untrue-refusal",
            Self::UnresolvedUnknown => "unresolved-unknown",
            Self::UncountedAttempts => "uncounted-attempts",
            Self::NeverSent => "never-sent",
            Self::UnexpectedAnswer => "unexpected-answer",
            Self::CountsDisagree => "counts-disagree",
            Self::OutsideWindow => "outside-window",
            Self::LostAndCounted => "lost-and-counted",
        }
    }
}

/// One kind of violation, how often, and some of them in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What kind.
    pub kind: FindingKind,
    /// How often.
    pub count: u64,
    /// The first few.
    pub examples: Vec<String>,
}

/// One invariant, examined.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// Which.
    pub invariant: Invariant,
    /// What was looked at, in numbers.
    pub evidence: String,
    /// What violates it; empty if it holds.
    pub findings: Vec<Finding>,
    /// What violates nothing, and has to be told; most often empty.
    pub remarks: Vec<Finding>,
}

impl Check {
    pub(super) fn of(invariant: Invariant) -> Self {
        Self {
            invariant,
            evidence: String::new(),
            findings: Vec::new(),
            remarks: Vec::new(),
        }
    }

    /// Whether the invariant holds.
    pub fn passed(&self) -> bool {
        self.findings.is_empty()
    }

    pub(super) fn with_evidence(mut self, evidence: String) -> Self {
        self.evidence = evidence;
        self
    }

    /// Notes one violation; its words are only made if there is room for them.
    pub(super) fn note(&mut self, kind: FindingKind, example: impl FnOnce() -> String) {
        self.note_many(kind, 1, example);
    }

    /// Notes several at once.
    pub(super) fn note_many(&mut self, kind: FindingKind, count: u64, example: impl FnOnce() -> String) {
        add(&mut self.findings, kind, count, example);
    }

    /// Tells something that violates nothing.
    pub(super) fn remark(&mut self, kind: FindingKind, count: u64, example: impl FnOnce() -> String) {
        add(&mut self.remarks, kind, count, example);
    }
}

fn add(findings: &mut Vec<Finding>, kind: FindingKind, count: u64, example: impl FnOnce() -> String) {
    let index = findings
        .iter()
        .position(|finding| finding.kind == kind)
        .unwrap_or_else(|| {
            findings.push(Finding {
                kind,
                count: 0,
                examples: Vec::new(),
            });
            findings.len() - 1
        });
    let finding = &mut findings[index];
    finding.count += count;
    if finding.examples.len() < kind.most_examples() {
        finding.examples.push(example());
    }
}
