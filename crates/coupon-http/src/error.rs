//! The one mapping from everything that can be refused or go wrong to what a client is told.
//!
//! Every code is a promise about side effects: only `indeterminate` leaves open whether something happened.

mod letter;
mod values;

pub(crate) use letter::render;
pub(crate) use values::{Wrong, WrongRule};

use crate::auth::Need;
use crate::messages::Code;
use coupon_api::{IssuedCoupon, Time};
use coupon_app::{DeskError, LedgerError, Reason, StoreError};
use coupon_core::{CommandRefusal, RedemptionRefusal, Revision, Timestamp};
use letter::Fact;
use std::borrow::Cow;

/// A refusal or an error, as the edge knows it.
#[derive(Clone, Debug)]
pub(crate) enum Problem {
    MalformedJson {
        line: usize,
        column: usize,
    },
    NotAnObject,
    TooDeep {
        limit: usize,
    },
    NumberTooLarge {
        line: usize,
        column: usize,
    },
    WrongType {
        field: String,
        expected: String,
    },
    UnknownField {
        field: String,
    },
    RepeatedField {
        field: String,
    },
    MissingField {
        field: String,
    },
    InvalidParameter {
        parameter: String,
    },
    InvalidCursor,
    InvalidHeader {
        header: &'static str,
    },
    IncompleteBody,
    AuthenticationRequired,
    InvalidCredentials,
    TokenExpired,
    WrongScope {
        need: Need,
    },
    NotYetOpen {
        opens_at: Timestamp,
        now: Timestamp,
        /// In which the coupon's days begin and end.
        time_zone: Box<str>,
    },
    Paused,
    UnknownPath,
    UnknownCoupon,
    UnknownIssuedCoupon,
    UnknownKey,
    UnknownWebhook,
    UnknownDelivery,
    TooManyWebhooks {
        limit: usize,
    },
    UnknownDeadLetter,
    UnknownUser,
    MethodNotAllowed,
    RequestTimeout,
    AlreadyIssued(Box<IssuedCoupon<'static>>),
    BelowIssued {
        issued: u32,
    },
    AlreadyOpened,
    AlreadyClosed,
    HasIssues {
        issued: u32,
    },
    IdsExhausted,
    OrderMismatch,
    AlreadyRedeemed {
        redeemed_at: Timestamp,
    },
    NotRedeemed,
    HistoryFull,
    Expired {
        expires_at: Timestamp,
    },
    Revoked {
        revoked_at: Timestamp,
    },
    BelowMinimum {
        min_order_amount: u64,
    },
    SoldOut,
    Closed {
        closed_at: Timestamp,
    },
    StaleRevision {
        revision: Revision,
    },
    TooLarge {
        limit: usize,
    },
    UnsupportedMediaType,
    InvalidValues(Vec<Wrong>),
    IdempotencyKeyReused,
    RateLimited {
        limit: u32,
        window_s: u64,
        retry_after_s: u64,
    },
    Indeterminate,
    Unavailable {
        retry_after_s: u64,
    },
}

impl Problem {
    /// Its code.
    pub(crate) const fn code(&self) -> Code {
        match self {
            Self::MalformedJson { .. } => Code::MalformedJson,
            Self::NotAnObject => Code::NotAnObject,
            Self::TooDeep { .. } => Code::TooDeep,
            Self::NumberTooLarge { .. } => Code::NumberTooLarge,
            Self::WrongType { .. } => Code::WrongType,
            Self::UnknownField { .. } => Code::UnknownField,
            Self::RepeatedField { .. } => Code::RepeatedField,
            Self::MissingField { .. } => Code::MissingField,
            Self::InvalidParameter { .. } => Code::InvalidParameter,
            Self::InvalidCursor => Code::InvalidCursor,
            Self::InvalidHeader { .. } => Code::InvalidHeader,
            Self::IncompleteBody => Code::IncompleteBody,
            Self::AuthenticationRequired => Code::AuthenticationRequired,
            Self::InvalidCredentials => Code::InvalidCredentials,
            Self::TokenExpired => Code::TokenExpired,
            Self::WrongScope { .. } => Code::WrongScope,
            Self::NotYetOpen { .. } => Code::NotYetOpen,
            Self::Paused => Code::Paused,
            Self::UnknownPath => Code::UnknownPath,
            Self::UnknownCoupon => Code::UnknownCoupon,
            Self::UnknownIssuedCoupon => Code::UnknownIssuedCoupon,
            Self::UnknownKey => Code::UnknownKey,
            Self::UnknownWebhook => Code::UnknownWebhook,
            Self::UnknownDelivery => Code::UnknownDelivery,
            Self::TooManyWebhooks { .. } => Code::TooManyWebhooks,
            Self::UnknownDeadLetter => Code::UnknownDeadLetter,
            Self::UnknownUser => Code::UnknownUser,
            Self::MethodNotAllowed => Code::MethodNotAllowed,
            Self::RequestTimeout => Code::RequestTimeout,
            Self::AlreadyIssued(_) => Code::AlreadyIssued,
            Self::BelowIssued { .. } => Code::BelowIssued,
            Self::AlreadyOpened => Code::AlreadyOpened,
            Self::AlreadyClosed => Code::AlreadyClosed,
            Self::HasIssues { .. } => Code::HasIssues,
            Self::IdsExhausted => Code::IdsExhausted,
            Self::OrderMismatch => Code::OrderMismatch,
            Self::AlreadyRedeemed { .. } => Code::AlreadyRedeemed,
            Self::NotRedeemed => Code::NotRedeemed,
            Self::HistoryFull => Code::HistoryFull,
            Self::Expired { .. } => Code::Expired,
            Self::Revoked { .. } => Code::Revoked,
            Self::BelowMinimum { .. } => Code::BelowMinimum,
            Self::SoldOut => Code::SoldOut,
            Self::Closed { .. } => Code::Closed,
            Self::StaleRevision { .. } => Code::StaleRevision,
            Self::TooLarge { .. } => Code::TooLarge,
            Self::UnsupportedMediaType => Code::UnsupportedMediaType,
            Self::InvalidValues(_) => Code::InvalidValues,
            Self::IdempotencyKeyReused => Code::IdempotencyKeyReused,
            Self::RateLimited { .. } => Code::RateLimited,
            Self::Indeterminate => Code::Indeterminate,
            Self::Unavailable { .. } => Code::Unavailable,
        }
    }

    /// The facts of the case, which become extension members and fill the details.
    fn facts(&self) -> Vec<(&'static str, Fact<'_>)> {
        let number = |number: usize| Fact::Number(u64::try_from(number).unwrap_or(u64::MAX));
        match self {
            Self::MalformedJson { line, column } | Self::NumberTooLarge { line, column } => {
                vec![("line", number(*line)), ("column", number(*column))]
            }
            Self::WrongType { field, expected } => {
                vec![
                    ("field", Fact::Text(field)),
                    ("expected", Fact::Expected(expected)),
                ]
            }
            Self::UnknownField { field } | Self::RepeatedField { field } | Self::MissingField { field } => {
                vec![("field", Fact::Text(field))]
            }
            Self::InvalidParameter { parameter } => vec![("parameter", Fact::Text(parameter))],
            Self::InvalidHeader { header } => vec![("header", Fact::Text(header))],
            Self::WrongScope { need } => vec![("needed", Fact::Need(*need))],
            Self::NotYetOpen {
                opens_at, time_zone, ..
            } => {
                vec![("opensAt", Fact::LocalTime(Time(*opens_at), time_zone))]
            }
            Self::AlreadyIssued(issued) => vec![("issuedCoupon", Fact::IssuedCoupon(issued))],
            Self::BelowIssued { issued } | Self::HasIssues { issued } => {
                vec![("issued", Fact::Number(u64::from(*issued)))]
            }
            Self::AlreadyRedeemed { redeemed_at } => vec![("redeemedAt", Fact::Time(Time(*redeemed_at)))],
            Self::Expired { expires_at } => vec![("expiresAt", Fact::Time(Time(*expires_at)))],
            Self::Revoked { revoked_at } => vec![("revokedAt", Fact::Time(Time(*revoked_at)))],
            Self::BelowMinimum { min_order_amount } => {
                vec![("minOrderAmount", Fact::Number(*min_order_amount))]
            }
            Self::Closed { closed_at } => vec![("closedAt", Fact::Time(Time(*closed_at)))],
            Self::StaleRevision { revision } => vec![("revision", Fact::Number(u64::from(*revision)))],
            Self::TooLarge { limit } | Self::TooManyWebhooks { limit } | Self::TooDeep { limit } => {
                vec![("limit", number(*limit))]
            }
            Self::InvalidValues(wrong) => vec![("errors", Fact::Wrong(wrong))],
            Self::RateLimited {
                limit,
                window_s,
                retry_after_s,
            } => vec![
                ("limit", Fact::Number(u64::from(*limit))),
                ("window", Fact::Number(*window_s)),
                ("retryAfter", Fact::Number(*retry_after_s)),
            ],
            Self::NotAnObject
            | Self::InvalidCursor
            | Self::IncompleteBody
            | Self::AuthenticationRequired
            | Self::InvalidCredentials
            | Self::TokenExpired
            | Self::Paused
            | Self::UnknownPath
            | Self::UnknownCoupon
            | Self::UnknownIssuedCoupon
            | Self::UnknownKey
            | Self::UnknownWebhook
            | Self::UnknownDelivery
            | Self::UnknownDeadLetter
            | Self::UnknownUser
            | Self::MethodNotAllowed
            | Self::RequestTimeout
            | Self::AlreadyOpened
            | Self::AlreadyClosed
            | Self::IdsExhausted
            | Self::OrderMismatch
            | Self::NotRedeemed
            | Self::HistoryFull
            | Self::SoldOut
            | Self::UnsupportedMediaType
            | Self::IdempotencyKeyReused
            | Self::Indeterminate
            | Self::Unavailable { .. } => Vec::new(),
        }
    }

    /// Seconds to wait, where waiting helps.
    fn retry_after_s(&self) -> Option<u64> {
        if let Self::RateLimited { retry_after_s, .. } | Self::Unavailable { retry_after_s } = self {
            return Some(*retry_after_s);
        }
        if let Self::NotYetOpen { opens_at, now, .. } = self {
            let wait = opens_at.as_micros().saturating_sub(now.as_micros());
            return Some(u64::try_from(wait).unwrap_or(0).div_ceil(1_000_000).max(1));
        }
        None
    }

    /// The challenge of a 401 (RFC 6750).
    fn challenge(&self) -> Option<&'static str> {
        if self.code().message().status != http::StatusCode::UNAUTHORIZED {
            return None;
        }
        // Section 3.1: no error code for who has not tried.
        Some(match self.code() == Code::AuthenticationRequired {
            true => "Bearer realm=\"firstcome\"",
            false => "Bearer realm=\"firstcome\", error=\"invalid_token\"",
        })
    }

    /// One field that is wrong.
    pub(crate) fn invalid(field: impl Into<Cow<'static, str>>, rule: WrongRule) -> Self {
        Self::InvalidValues(vec![Wrong {
            field: field.into(),
            rule,
        }])
    }
}

impl From<CommandRefusal> for Problem {
    fn from(refusal: CommandRefusal) -> Self {
        match refusal {
            CommandRefusal::UnknownCoupon => Self::UnknownCoupon,
            CommandRefusal::Stale { revision } => Self::StaleRevision { revision },
            CommandRefusal::BelowIssued { issued } => Self::BelowIssued { issued },
            CommandRefusal::AlreadyOpened => Self::AlreadyOpened,
            CommandRefusal::Closed => Self::AlreadyClosed,
            CommandRefusal::HasIssues { issued } => Self::HasIssues { issued },
            CommandRefusal::Invalid(violations) => {
                Self::InvalidValues(violations.into_iter().map(Wrong::from).collect())
            }
            CommandRefusal::IdsExhausted => Self::IdsExhausted,
        }
    }
}

impl From<RedemptionRefusal> for Problem {
    fn from(refusal: RedemptionRefusal) -> Self {
        match refusal {
            RedemptionRefusal::UnknownIssuedCoupon => Self::UnknownIssuedCoupon,
            RedemptionRefusal::OrderMismatch => Self::OrderMismatch,
            RedemptionRefusal::Revoked { revoked_at } => Self::Revoked { revoked_at },
            RedemptionRefusal::AlreadyRedeemed { redeemed_at } => Self::AlreadyRedeemed { redeemed_at },
            RedemptionRefusal::Expired { expires_at } => Self::Expired { expires_at },
            RedemptionRefusal::BelowMinimum { min_order_amount } => Self::BelowMinimum { min_order_amount },
            RedemptionRefusal::NotRedeemed => Self::NotRedeemed,
            RedemptionRefusal::HistoryFull => Self::HistoryFull,
        }
    }
}

/// Seconds after which a full queue has long been worked off.
const QUEUE_RETRY_S: u64 = 1;
/// Seconds after which a restart or a failover may be over.
const OUTAGE_RETRY_S: u64 = 5;

impl From<&LedgerError> for Problem {
    fn from(error: &LedgerError) -> Self {
        match error {
            LedgerError::Indeterminate(_) => Self::Indeterminate,
            LedgerError::Unavailable(Reason::QueueFull) => Self::Unavailable {
                retry_after_s: QUEUE_RETRY_S,
            },
            LedgerError::Unavailable(
                Reason::Closing | Reason::Poisoned | Reason::StoreBehind | Reason::Adapter(_),
            ) => Self::Unavailable {
                retry_after_s: OUTAGE_RETRY_S,
            },
        }
    }
}

impl From<&StoreError> for Problem {
    fn from(error: &StoreError) -> Self {
        Self::Unavailable {
            retry_after_s: if error.retriable {
                QUEUE_RETRY_S
            } else {
                OUTAGE_RETRY_S
            },
        }
    }
}

impl From<DeskError> for Problem {
    /// Questions change nothing, so a question that the ledger failed on is unavailable, never indeterminate.
    fn from(error: DeskError) -> Self {
        match &error {
            DeskError::Ledger(LedgerError::Unavailable(_)) => {}
            DeskError::Ledger(LedgerError::Indeterminate(_)) | DeskError::Store(_) => {
                tracing::warn!(%error, "a question could not be answered");
            }
        }
        match error {
            DeskError::Ledger(LedgerError::Unavailable(reason)) => {
                Self::from(&LedgerError::Unavailable(reason))
            }
            DeskError::Ledger(LedgerError::Indeterminate(_)) => Self::Unavailable {
                retry_after_s: OUTAGE_RETRY_S,
            },
            DeskError::Store(error) => Self::from(&error),
        }
    }
}

impl axum::response::IntoResponse for Problem {
    /// The problem travels beside an empty response; the hall puts it into words, because only there the language of
    /// the request is known.
    fn into_response(self) -> axum::response::Response {
        let mut response = axum::response::Response::default();
        *response.status_mut() = self.code().message().status;
        response.extensions_mut().insert(self);
        response
    }
}
