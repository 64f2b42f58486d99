//! Deciding a batch on what was read: pure, in order, each request on what the ones before it left.

use super::offers::{Key, Revisions, missing};
use crate::error::Failure;
use coupon_app::{
    AuditedUse, CommandToken, Origin, RedemptionAction, RedemptionOutcome, RedemptionRequest, limits,
};
use coupon_core::{
    Decision, HistoryEntry, IssuedCoupon, IssuedCouponId, Offer, OrderId, RedemptionRefusal, Step, Timestamp,
    Trail, decide_cancellation, decide_redemption, decide_revocation, may_use,
};
use std::collections::{BTreeMap, HashMap, HashSet};

/// One issued coupon while a batch is decided; its row is locked.
#[derive(Debug)]
pub(super) struct Stand {
    /// As the row had it.
    pub(super) before: IssuedCoupon,
    /// As the steps of this batch have left it.
    pub(super) issued: IssuedCoupon,
    pub(super) trail: Trail,
    /// The steps of this batch.
    pub(super) taken: Vec<HistoryEntry>,
}

impl Stand {
    pub(super) fn new(issued: IssuedCoupon, trail: Trail) -> Self {
        Self {
            before: issued.clone(),
            issued,
            trail,
            taken: Vec::new(),
        }
    }
}

/// A step for the audit log.
#[derive(Debug)]
pub(super) struct Logged {
    pub(super) origin: Origin,
    pub(super) id: IssuedCouponId,
    pub(super) entry: HistoryEntry,
    pub(super) before: AuditedUse,
    pub(super) after: AuditedUse,
}

/// An idempotency key and the step that it was used for.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) payload: [u8; 16],
    pub(super) id: IssuedCouponId,
    pub(super) number: u32,
    pub(super) decided_at: Timestamp,
    /// How the step left the issued coupon, if it is one of this batch.
    pub(super) left: Option<Box<IssuedCoupon>>,
}

impl Kept {
    /// Whether it is still to be obeyed.
    pub(super) fn lives(&self, clock: Timestamp) -> bool {
        let ends_at = self
            .decided_at
            .as_micros()
            .saturating_add(limits::COMMAND_TOKEN_LIFE_US);
        clock.as_micros() < ends_at
    }
}

/// What was read for a batch, and what has become of it.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) stands: BTreeMap<IssuedCouponId, Stand>,
    /// Keys that live, by their scope.
    pub(super) tokens: HashMap<[u8; 16], Kept>,
    /// Scopes whose key has outlived its day and is in the way of a new one.
    pub(super) outlived: HashSet<[u8; 16]>,
    /// The keys of this batch's steps.
    pub(super) kept: Vec<CommandToken>,
    /// The steps of this batch that administrators took.
    pub(super) logged: Vec<Logged>,
    pub(super) revisions: Revisions,
    pub(super) offers: BTreeMap<Key, Offer>,
    /// Orders whose use was given back before.
    pub(super) given_back: HashSet<(IssuedCouponId, OrderId)>,
    /// Steps from before, where an earlier answer is to be given again.
    pub(super) past: HashMap<(IssuedCouponId, u32), HistoryEntry>,
}

impl Notes {
    /// Decides one request.
    pub(super) fn decide(
        &mut self,
        request: &RedemptionRequest,
        clock: Timestamp,
    ) -> Result<RedemptionOutcome, Failure> {
        let found = self.stands.get(&request.id);
        let Some(stand) = found.filter(|stand| may_use(&stand.issued, request.user.as_ref())) else {
            return Ok(RedemptionOutcome::Refused(RedemptionRefusal::UnknownIssuedCoupon));
        };
        if let Some(token) = request.token
            && let Some(kept) = self.tokens.get(&token.scope)
        {
            return self.replay(token, kept, request.id, stand);
        }
        match self.judge(request, stand, clock)? {
            Decision::Refused(refusal) => Ok(RedemptionOutcome::Refused(refusal)),
            Decision::Stands => Ok(RedemptionOutcome::Done {
                decided_at: stand.trail.judged_time(clock),
                issued: Box::new(stand.issued.clone()),
                replayed: true,
            }),
            Decision::Taken(entry) => self.take(request, entry),
        }
    }

    fn judge(
        &self,
        request: &RedemptionRequest,
        stand: &Stand,
        clock: Timestamp,
    ) -> Result<Decision, Failure> {
        let Stand { issued, trail, .. } = stand;
        Ok(match &request.action {
            RedemptionAction::Redeem(order) => {
                let key = self.revisions.of(request.id.coupon, request.id.position)?;
                let offer = self.offers.get(&key).ok_or_else(|| missing(key))?;
                decide_redemption(issued, offer, *trail, order, &request.actor, clock)
            }
            RedemptionAction::Cancel(order) => {
                let same = |entry: &HistoryEntry| matches!(&entry.step, Step::Cancelled { order: one } if one == order);
                let before =
                    self.given_back.contains(&(request.id, order.clone())) || stand.taken.iter().any(same);
                decide_cancellation(issued, *trail, order, before, &request.actor, clock)
            }
            RedemptionAction::Revoke => decide_revocation(issued, *trail, &request.actor, clock),
        })
    }

    fn take(
        &mut self,
        request: &RedemptionRequest,
        entry: HistoryEntry,
    ) -> Result<RedemptionOutcome, Failure> {
        let stand = self.stands.get_mut(&request.id);
        let stand = stand.ok_or(Failure::Overtaken("an issued coupon"))?;
        let before = AuditedUse::from(&stand.issued);
        stand.issued.take_step(&entry);
        if let Some(origin) = request.administrator() {
            self.logged.push(Logged {
                origin,
                id: request.id,
                entry: entry.clone(),
                before,
                after: AuditedUse::from(&stand.issued),
            });
        }
        stand.trail = stand.trail.after(&entry);
        let (number, decided_at) = (entry.number, entry.at);
        stand.taken.push(entry);
        if let Some(token) = request.token {
            let kept = Kept {
                payload: token.payload,
                id: request.id,
                number,
                decided_at,
                left: Some(Box::new(stand.issued.clone())),
            };
            self.tokens.insert(token.scope, kept);
            self.kept.push(token);
        }
        Ok(RedemptionOutcome::Done {
            issued: Box::new(stand.issued.clone()),
            decided_at,
            replayed: false,
        })
    }

    /// The answer that a key was given before.
    fn replay(
        &self,
        token: CommandToken,
        kept: &Kept,
        id: IssuedCouponId,
        stand: &Stand,
    ) -> Result<RedemptionOutcome, Failure> {
        if kept.payload != token.payload || kept.id != id {
            return Ok(RedemptionOutcome::TokenReused);
        }
        let issued = match &kept.left {
            Some(left) => left.clone(),
            None => Box::new(self.as_of(id, kept.number, &stand.before)?),
        };
        Ok(RedemptionOutcome::Done {
            issued,
            decided_at: kept.decided_at,
            replayed: true,
        })
    }

    /// The issued coupon as a step from before this batch left it.
    fn as_of(
        &self,
        id: IssuedCouponId,
        number: u32,
        present: &IssuedCoupon,
    ) -> Result<IssuedCoupon, Failure> {
        let step = |number: u32| {
            let found = self.past.get(&(id, number));
            found.ok_or_else(|| Failure::Damaged(format!("step {number} of {id} is missing")))
        };
        let mut issued = IssuedCoupon::new(present.coupon, present.user.clone(), present.grant);
        let entry = step(number)?;
        match entry.step {
            // While it was revoked it was not redeemed.
            Step::Redeemed { .. } => {}
            Step::Cancelled { .. } => {
                // It is revoked once.
                let mut past = self.past.iter().filter(|((of, _), _)| *of == id);
                let revoked = past
                    .find(|((_, one), entry)| *one < number && entry.step == Step::Revoked)
                    .map(|(_, entry)| entry.at);
                issued.revoked_at = revoked;
            }
            // Whatever stood before is what the step before left.
            Step::Revoked if number > 1 => issued.take_step(step(number - 1)?),
            Step::Revoked => {}
        }
        issued.take_step(entry);
        Ok(issued)
    }
}
