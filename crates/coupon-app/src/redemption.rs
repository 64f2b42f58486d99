//! The redemption port: where the use of an issued coupon becomes a fact.

use crate::{CommandToken, LedgerError, Origin, StoreError};
use async_trait::async_trait;
use coupon_core::{
    Actor, CouponId, HistoryEntry, IssuedCoupon, IssuedCouponId, Offer, Order, OrderId, RedemptionRefusal,
    Timestamp, Trail, UserId,
};

/// Decides redemptions, cancellations and revocations, and makes them durable before it answers.
///
/// Every implementation MUST keep these, and `contract::redemption` examines each:
///
/// 1. **Once.** Under any concurrency, of any number of callers and servers, an issued coupon is redeemed at most once
///    at a time, and a cancellation gives back exactly one use, to the order that had it.
/// 2. **By the law.** What happens is what `coupon_core::decide_redemption`, `decide_cancellation` and
///    `decide_revocation` say of what is on record, with the [`Offer`] of the revision that it was issued under: a
///    later change of terms concerns only what is not yet issued.
/// 3. **Batches.** The requests of one call are decided in the given order, each on what the ones before it left, in
///    one transaction and at the cost of one commit.
/// 4. **Durable before the answer.** No answer leaves before everything that it rests on is durable: a taken step's
///    own record, and for replays and refusals the records that they rest on.
/// 5. **A history.** Every taken step leaves an entry, in the same transaction; refusals and replays leave none.
///    Numbers are 1, 2, 3 without gap, and times never decrease. One that an administrator took leaves an entry in the
///    audit log as well, see [`crate::AuditLog`].
/// 6. **Idempotent.** Within [`crate::limits::COMMAND_TOKEN_LIFE_US`] of a taken step, the same token gives the answer
///    that the step was given, and changes nothing; the same scope with another payload is refused. A request that
///    took no step leaves no token behind.
/// 7. **The caller's clock**, passed with the batch, and never before the last step of the issued coupon.
/// 8. **Truthful errors.** `Unavailable` promises that nothing of the batch happened and nothing will; `Indeterminate`
///    that it may have, as a whole or not at all.
/// 9. **What has arrived.** It knows the issued coupons that were applied; any other, and one that is not the asking
///    user's, is unknown. Taking in issues neither undoes nor forgets a use.
#[async_trait]
pub trait RedemptionStore: Send + Sync + 'static {
    /// Decides `requests` in order at the reading `clock`, and returns one outcome for each, in the same order.
    async fn decide(
        &self,
        requests: &[RedemptionRequest],
        clock: Timestamp,
    ) -> Result<Vec<RedemptionOutcome>, LedgerError>;

    /// An issued coupon with everything that a quote needs; `None` when it is not there.
    async fn redeemable(&self, id: IssuedCouponId) -> Result<Option<Redeemable>, StoreError>;

    /// The history of an issued coupon after entry number `after` (0 for the beginning), at most `limit` entries.
    async fn history(
        &self,
        id: IssuedCouponId,
        after: u32,
        limit: usize,
    ) -> Result<Vec<HistoryEntry>, StoreError>;

    /// Names every issued coupon that has a history, each once, in any order.
    async fn with_history(&self, take: &mut (dyn FnMut(IssuedCouponId) + Send)) -> Result<(), StoreError>;

    /// Names every coupon of which an issued coupon has a history, each once, in any order: little enough to be asked
    /// for again and again by a server that is not the only one to redeem.
    async fn used_coupons(&self) -> Result<Vec<CouponId>, StoreError>;
}

/// One request to use, give back or take away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedemptionRequest {
    /// Which issued coupon.
    pub id: IssuedCouponId,
    /// For whom: a user, who has their own only, or `None` for whoever acts for all users.
    pub user: Option<UserId>,
    /// What.
    pub action: RedemptionAction,
    /// Who does it, for the history.
    pub actor: Actor,
    /// The id of the request, if an administrator asks: the step goes into the audit log.
    pub audit: Option<Box<str>>,
    /// The idempotency key, if one came.
    pub token: Option<CommandToken>,
}

impl RedemptionRequest {
    /// Where it came from, if an administrator asks.
    pub fn administrator(&self) -> Option<Origin> {
        match (&self.actor, &self.audit) {
            (Actor::Key(key), Some(request)) => Some(Origin::of_request(key.clone(), request)),
            (Actor::Holder | Actor::Key(_), _) => None,
        }
    }
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedemptionAction {
    /// Use it on this order.
    Redeem(Order),
    /// Give the use of this order back.
    Cancel(OrderId),
    /// Take it back for good.
    Revoke,
}

/// The answer to a [`RedemptionRequest`]. A refusal is an outcome, not an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedemptionOutcome {
    /// It is so.
    Done {
        /// The issued coupon as the step left it; of a replay without a token, as it is now.
        issued: Box<IssuedCoupon>,
        /// The judged time of the step; of a replay without a token, of this request.
        decided_at: Timestamp,
        /// Whether an earlier request asked the same and this one changed nothing.
        replayed: bool,
    },
    /// It must not be; nothing changed.
    Refused(RedemptionRefusal),
    /// The token's key was used before with another payload; nothing changed.
    TokenReused,
}

/// An issued coupon, what it gives, and how far its history goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redeemable {
    /// The issued coupon as it is.
    pub issued: IssuedCoupon,
    /// What the revision that it was issued under gives and asks for.
    pub offer: Offer,
    /// How far its history goes.
    pub trail: Trail,
}
