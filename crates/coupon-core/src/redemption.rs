//! Redeeming: what an order gets for an issued coupon, and who may use one, give a use back, or take one away.
//!
//! Three steps change an issued coupon after its issue: a redemption, its cancellation, a revocation. Each is decided
//! here from what is on record, and each leaves an entry in the issued coupon's history.

use crate::limits::MAX_STEPS;
use crate::{Amount, Discount, Grant, IssuedCoupon, Order, OrderId, Redemption, Terms, Timestamp, UserId};

/// What redeeming gives and asks for: the part of the terms that an issued coupon keeps from the revision it was
/// issued under. A later change concerns only what is not yet issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// What it gives; `None` when the coupon does not say and the shop knows.
    pub discount: Option<Discount>,
    /// The smallest order it can be redeemed on.
    pub min_order_amount: u64,
}

impl From<&Terms> for Offer {
    fn from(terms: &Terms) -> Self {
        Self {
            discount: terms.discount,
            min_order_amount: terms.min_order_amount,
        }
    }
}

impl Offer {
    /// What an order of this amount gets; `None` when the coupon does not say.
    pub fn discount_on(&self, amount: Amount) -> Option<Amount> {
        self.discount.map(|discount| discount.on(amount))
    }
}

/// Who took a step.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Actor {
    /// The user who holds the issued coupon.
    Holder,
    /// A service or an administrator: the id of an API key.
    Key(Box<str>),
}

/// A step in the life of an issued coupon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// It was used.
    Redeemed {
        /// On which order.
        order: Order,
        /// What the order got.
        discount: Option<Amount>,
    },
    /// The use was given back.
    Cancelled {
        /// Of which order.
        order: OrderId,
    },
    /// An administrator took it back.
    Revoked,
}

/// A step as it is on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// Counted from 1 for each issued coupon, without gap. The issue itself has no entry: it is the issued coupon.
    pub number: u32,
    /// The judged time; never decreases with the number, and is never before the issue.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// What.
    pub step: Step,
}

/// How far the history of an issued coupon goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trail {
    /// How many steps, which is also the number of the last entry.
    pub steps: u32,
    /// When the last step was taken; before the first, when it was issued.
    pub last_at: Timestamp,
}

impl Trail {
    /// No step taken since the issue.
    pub const fn fresh(grant: Grant) -> Self {
        Self {
            steps: 0,
            last_at: grant.issued_at,
        }
    }

    /// The time that a request is judged by: the clock, but never before the last step, so that a history's times do
    /// not decrease whatever the clock does.
    pub fn judged_time(self, clock: Timestamp) -> Timestamp {
        clock.max(self.last_at)
    }
}

/// What a request to use, give back or take away comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It happens: the entry to be made durable, with which [`IssuedCoupon::take_step`] changes the issued coupon.
    Taken(HistoryEntry),
    /// It is so already, by an earlier request that asked the same. Nothing changes.
    Stands,
    /// It must not be. Nothing changes.
    Refused(RedemptionRefusal),
}

/// Why an issued coupon is not redeemed, given back or quoted. A refusal is an outcome, not an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedemptionRefusal {
    /// There is no such issued coupon, or it is another user's: the two are not told apart.
    UnknownIssuedCoupon,
    /// It is redeemed on this order with another amount, or a cancellation names another order.
    OrderMismatch,
    /// An administrator took it back.
    Revoked {
        /// When.
        revoked_at: Timestamp,
    },
    /// It is redeemed on another order.
    AlreadyRedeemed {
        /// When.
        redeemed_at: Timestamp,
    },
    /// Its validity has ended.
    Expired {
        /// The first instant after it.
        expires_at: Timestamp,
    },
    /// The order is too small.
    BelowMinimum {
        /// The smallest order it can be redeemed on.
        min_order_amount: u64,
    },
    /// There is no use to give back.
    NotRedeemed,
    /// It was redeemed and given back so often that its history takes no further redemption.
    HistoryFull,
}

/// Whether somebody may ask for this issued coupon: its holder, or anyone who acts for all users (`None`).
pub fn may_use(issued: &IssuedCoupon, asks: Option<&UserId>) -> bool {
    asks.is_none_or(|user| *user == issued.user)
}

/// What an order of this amount would get now. Changes nothing.
///
/// The order of checks: revoked, already redeemed, expired, below the minimum.
pub fn quote(
    issued: &IssuedCoupon,
    offer: &Offer,
    trail: Trail,
    amount: Amount,
    clock: Timestamp,
) -> Result<Option<Amount>, RedemptionRefusal> {
    if let Some(revoked_at) = issued.revoked_at {
        return Err(RedemptionRefusal::Revoked { revoked_at });
    }
    if let Some(redemption) = &issued.redemption {
        return Err(RedemptionRefusal::AlreadyRedeemed {
            redeemed_at: redemption.redeemed_at,
        });
    }
    let expires_at = issued.grant.expires_at;
    if trail.judged_time(clock) >= expires_at {
        return Err(RedemptionRefusal::Expired { expires_at });
    }
    if amount.get() < offer.min_order_amount {
        return Err(RedemptionRefusal::BelowMinimum {
            min_order_amount: offer.min_order_amount,
        });
    }
    Ok(offer.discount_on(amount))
}

/// Decides a redemption on an order.
///
/// The order of checks is part of the contract: the redemption that stands is of this order (the same amount: it
/// stands; another: mismatch), then what [`quote`] checks, then the history's length. The order comes first so that a shop whose answer was lost
/// learns the truth by asking again, even after the validity's end or a revocation.
pub fn decide_redemption(
    issued: &IssuedCoupon,
    offer: &Offer,
    trail: Trail,
    order: &Order,
    actor: &Actor,
    clock: Timestamp,
) -> Decision {
    if let Some(redemption) = &issued.redemption
        && redemption.order.id == order.id
    {
        return if redemption.order.amount == order.amount {
            Decision::Stands
        } else {
            Decision::Refused(RedemptionRefusal::OrderMismatch)
        };
    }
    match quote(issued, offer, trail, order.amount, clock) {
        Err(refusal) => Decision::Refused(refusal),
        // Only a redemption is refused for this: giving back and taking away must always be possible.
        Ok(_) if trail.steps >= MAX_STEPS => Decision::Refused(RedemptionRefusal::HistoryFull),
        Ok(discount) => {
            let order = order.clone();
            taken(trail, clock, actor, Step::Redeemed { order, discount })
        }
    }
}

/// Decides whether a use is given back. `cancelled_before` says whether a redemption on this order was ever cancelled;
/// it matters only where no redemption on this order stands.
///
/// It is possible after the validity's end too, since the order was returned whatever the clock says, and the shop's
/// books must agree; the issued coupon is then expired. It is possible after a revocation, and the issued coupon stays
/// revoked. Whoever repeats a cancellation is told that it is so, even when another order has used the coupon since:
/// their use was given back, and the other order's is not touched.
pub fn decide_cancellation(
    issued: &IssuedCoupon,
    trail: Trail,
    order: &OrderId,
    cancelled_before: bool,
    actor: &Actor,
    clock: Timestamp,
) -> Decision {
    match &issued.redemption {
        Some(redemption) if redemption.order.id == *order => {
            let order = order.clone();
            taken(trail, clock, actor, Step::Cancelled { order })
        }
        Some(_) | None if cancelled_before => Decision::Stands,
        Some(_) => Decision::Refused(RedemptionRefusal::OrderMismatch),
        None => Decision::Refused(RedemptionRefusal::NotRedeemed),
    }
}

/// Decides whether an administrator takes an issued coupon back. Always, once. A redemption that stands goes on to
/// stand, because the order has had its discount; but after its cancellation the issued coupon cannot be used again.
pub fn decide_revocation(issued: &IssuedCoupon, trail: Trail, actor: &Actor, clock: Timestamp) -> Decision {
    if issued.revoked_at.is_some() {
        return Decision::Stands;
    }
    taken(trail, clock, actor, Step::Revoked)
}

fn taken(trail: Trail, clock: Timestamp, actor: &Actor, step: Step) -> Decision {
    Decision::Taken(HistoryEntry {
        number: trail.steps.saturating_add(1),
        at: trail.judged_time(clock),
        actor: actor.clone(),
        step,
    })
}

impl IssuedCoupon {
    /// This issued coupon after one more step of its history, in order.
    pub fn take_step(&mut self, entry: &HistoryEntry) {
        match &entry.step {
            Step::Redeemed { order, discount } => {
                self.redemption = Some(Redemption {
                    redeemed_at: entry.at,
                    order: order.clone(),
                    discount: *discount,
                });
            }
            Step::Cancelled { .. } => self.redemption = None,
            Step::Revoked => self.revoked_at = Some(entry.at),
        }
    }
}

impl Trail {
    /// This trail after one more entry.
    #[must_use]
    pub const fn after(self, entry: &HistoryEntry) -> Self {
        Self {
            steps: entry.number,
            last_at: entry.at,
        }
    }
}
