//! What an attempt came to: the contract's outcomes, the two answers that promise that nothing happened, and the
//! two that a client cannot rely on.

use serde::{Deserialize, Serialize};

/// How one attempt ended, as the client saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// 201: this attempt won a coupon.
    Issued,
    /// 409 `already-issued`: the user holds one, and the answer names it.
    AlreadyIssued,
    /// 410 `sold-out`.
    SoldOut,
    /// 403 `not-yet-open`; asked again after the opening.
    NotYetOpen,
    /// 410 `closed`.
    Closed,
    /// 403 `paused`.
    Paused,
    /// 404 `unknown-coupon`.
    UnknownCoupon,
    /// 429: over the client's limit, nothing happened; asked again.
    RateLimited,
    /// 503: the server could not or would not, nothing happened; asked again.
    Unavailable,
    /// No answer, a broken one, or a 5xx that may have had an effect; asked again until definite.
    Unknown,
    /// An answer that the interface does not know.
    Unexpected,
}

impl Outcome {
    /// Every outcome, in the order in which reports list them.
    pub const ALL: [Self; 11] = [
        Self::Issued,
        Self::AlreadyIssued,
        Self::SoldOut,
        Self::NotYetOpen,
        Self::Closed,
        Self::Paused,
        Self::UnknownCoupon,
        Self::RateLimited,
        Self::Unavailable,
        Self::Unknown,
        Self::Unexpected,
    ];

    /// Its name in histories and results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::AlreadyIssued => "already-issued",
            Self::SoldOut => "sold-out",
            Self::NotYetOpen => "not-yet-open",
            Self::Closed => "closed",
            Self::Paused => "paused",
            Self::UnknownCoupon => "unknown-coupon",
            Self::RateLimited => "rate-limited",
            Self::Unavailable => "unavailable",
            Self::Unknown => "unknown",
            Self::Unexpected => "unexpected",
        }
    }

    /// Its name in Korean.
    pub fn korean(self) -> &'static str {
        match self {
            Self::Issued => "발급",
            Self::AlreadyIssued => "이미 발급됨",
            Self::SoldOut => "소진",
            Self::NotYetOpen => "발급 전",
            Self::Closed => "마감",
            Self::Paused => "일시 중지",
            Self::UnknownCoupon => "없는 쿠폰",
            Self::RateLimited => "요청 한도 초과",
            Self::Unavailable => "일시적 이용 불가",
            Self::Unknown => "결과 불명",
            Self::Unexpected => "규약 밖 응답",
        }
    }

    /// Whether it is a refusal: a definite answer, and no coupon by this attempt.
    pub fn is_refusal(self) -> bool {
        match self {
            Self::AlreadyIssued
            | Self::SoldOut
            | Self::NotYetOpen
            | Self::Closed
            | Self::Paused
            | Self::UnknownCoupon => true,
            Self::Issued | Self::RateLimited | Self::Unavailable | Self::Unknown | Self::Unexpected => false,
        }
    }

    /// Whether it is neither an issue nor a refusal: the client did not get what it asked the ledger for.
    pub fn is_failure(self) -> bool {
        self != Self::Issued && !self.is_refusal()
    }

    /// Whether the attempt may have made the user a holder.
    pub fn may_have_issued(self) -> bool {
        matches!(
            self,
            Self::Issued | Self::AlreadyIssued | Self::Unknown | Self::Unexpected
        )
    }

    /// Its place in [`Self::ALL`].
    pub(crate) fn index(self) -> usize {
        self as usize
    }
}
