//! The letterhead: what goes over the wire, as types and as OpenAPI schemas, and nothing else.
//!
//! Request types end in `Body` and refuse unknown and repeated fields. Their fields hold what arrived with its JSON
//! type and no more: whether a number or a text may be is decided where it is used. Answer types are written, never
//! read, by the server; [`IssuedCoupon::write_json`] is the one that the fast path writes by hand.

mod admin;
mod audit;
mod contact;
mod coupon;
mod dead_letter;
mod digits;
mod duration;
mod issued_coupon;
mod key;
mod page;
mod present;
mod problem;
mod ready;
mod reconciliation;
mod redemption;
mod time;
mod webhook;
mod whole;

pub use admin::{
    AdminCoupon, ChangeCouponBody, CloneCouponBody, CouponStats, CreateCouponBody, Labels, Refusals,
};
pub use audit::{AuditEntry, AuditedDelivery, AuditedKey, AuditedState, AuditedUse, AuditedWebhook};
pub use contact::{ContactBody, Language};
pub use coupon::{
    AckLevel, CouponEvent, CouponState, CouponTime, Discount, DiscountBody, DiscountType, PublicCoupon,
    Strategy,
};
pub use dead_letter::{DeadLetter, DismissedLetters, ReplayedLetters};
pub use duration::{AnyDuration, Duration, DurationError};
pub use issued_coupon::{CodeText, IssueBody, IssuedCoupon, IssuedCouponIdText, IssuedState, LookupBody};
pub use key::{ApiKey, CreateKeyBody, NewApiKey, Scope};
pub use page::{AdminCouponPage, ApiKeyPage, AuditEntryPage, DeadLetterPage, IssuedCouponPage};
pub use problem::{FieldError, Problem};
pub use ready::{CheckResult, Liveness, Readiness};
pub use reconciliation::{
    CouponReconciliation, DifferenceKind, HeldSum, PositionRange, ReconciliationDifference,
    ReconciliationPage,
};
pub use redemption::{
    CancelBody, HistoryEntry, HistoryPage, Quote, QuoteBody, RedeemBody, Redemption, Step, StepBy,
};
pub use time::{AnyTime, Time, TimeError};
pub use webhook::{
    ChangeWebhookBody, CreateWebhookBody, DeliveryState, DisabledReason, Event, NewWebhook, Ping,
    PingOutcome, Webhook, WebhookDelivery, WebhookDeliveryPage, WebhookPage,
};
pub use whole::Whole;
