//! The law: what a coupon is, who gets one, and what must always hold.
//!
//! Everything here is a pure function of its arguments: no I/O, no async, no clock, no random numbers. A ledger
//! (see `coupon_app::IssueLedger`) brings the facts and the time, calls [`decide`] or [`decide_command`], makes the
//! result durable, and only then answers; a store (see `coupon_app::RedemptionStore`) does the same with
//! [`decide_redemption`], [`decide_cancellation`] and [`decide_revocation`]. Because all decide by these functions,
//! they agree.

mod command;
mod contact;
mod coupon;
mod discount;
mod invariants;
mod issue;
mod issued_coupon;
mod job;
pub mod limits;
mod order;
mod quantity;
mod redemption;
mod reminder;
mod terms;
mod text;
mod time;
mod user;
mod validity;
mod violation;
mod window;

pub use command::{Command, CommandRefusal, Effect, decide_command};
pub use contact::{Contact, EmailAddress, EmailAddressError, Language, PersonName, PersonNameError};
pub use coupon::{Coupon, CouponId, CouponIdError, CouponState, Revision};
pub use discount::Discount;
pub use invariants::{Breach, HistoryBreach, Witnessed, check_history, check_order};
pub use issue::{Grant, Held, KeyHash, Outcome, Standing, decide};
pub use issued_coupon::{IssuedCoupon, IssuedCouponId, IssuedCouponIdError, IssuedState, Redemption};
pub use job::{job_due_in, job_is_due, lease_is_free};
pub use order::{Amount, AmountError, Order, OrderId, OrderIdError};
pub use quantity::{Position, Quantity};
pub use redemption::{
    Actor, Decision, HistoryEntry, Offer, RedemptionRefusal, Step, Trail, decide_cancellation,
    decide_redemption, decide_revocation, may_use, quote,
};
pub use reminder::{Reminder, Reminding, decide_reminder};
pub use terms::{AckLevel, Strategy, Terms, TermsChange, TermsDraft};
pub use time::{Span, Timestamp};
pub use user::{UserId, UserIdError};
pub use validity::Validity;
pub use violation::{Field, Rule, Violation};
pub use window::Window;
