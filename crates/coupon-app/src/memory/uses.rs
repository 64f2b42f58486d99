//! What became of issued coupons in the reference store: histories, and nothing that does not follow from them.

use super::audit::Log;
use crate::{AuditedUse, CommandToken, RedemptionAction, RedemptionOutcome, RedemptionRequest, limits};
use coupon_core::{
    Decision, Grant, HistoryEntry, IssuedCoupon, IssuedCouponId, Offer, RedemptionRefusal, Span, Step,
    Timestamp, Trail, decide_cancellation, decide_redemption, decide_revocation, may_use,
};
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(super) struct Uses {
    /// What each gives, from the revision that it was issued under.
    offers: BTreeMap<IssuedCouponId, Offer>,
    histories: BTreeMap<IssuedCouponId, Vec<HistoryEntry>>,
    /// The tokens of taken steps, oldest first.
    tokens: Vec<Kept>,
}

#[derive(Debug)]
struct Kept {
    token: CommandToken,
    id: IssuedCouponId,
    entry: HistoryEntry,
}

impl Uses {
    /// Notes what an issue gives.
    pub(super) fn note_offer(&mut self, id: IssuedCouponId, offer: Offer) {
        self.offers.insert(id, offer);
    }

    /// What it gives.
    pub(super) fn offer(&self, id: IssuedCouponId) -> Offer {
        let silent = Offer {
            discount: None,
            min_order_amount: 0,
        };
        self.offers.get(&id).cloned().unwrap_or(silent)
    }

    /// Its history.
    pub(super) fn history(&self, id: IssuedCouponId) -> &[HistoryEntry] {
        self.histories.get(&id).map_or(&[], Vec::as_slice)
    }

    /// Every issued coupon that has one.
    pub(super) fn with_history(&self) -> impl Iterator<Item = IssuedCouponId> {
        self.histories.keys().copied()
    }

    /// How far its history goes.
    pub(super) fn trail(&self, id: IssuedCouponId, grant: Grant) -> Trail {
        let fresh = Trail::fresh(grant);
        self.history(id)
            .iter()
            .fold(fresh, |trail, entry| trail.after(entry))
    }

    /// A freshly issued one after the first `steps` of its history.
    pub(super) fn after(&self, mut issued: IssuedCoupon, steps: u32) -> IssuedCoupon {
        let history = self.history(issued.id()).iter();
        for entry in history.take_while(|entry| entry.number <= steps) {
            issued.take_step(entry);
        }
        issued
    }

    /// Cancellations, ever.
    pub(super) fn cancelled(&self, id: IssuedCouponId) -> u64 {
        let cancelled = |entry: &&HistoryEntry| matches!(entry.step, Step::Cancelled { .. });
        u64::try_from(self.history(id).iter().filter(cancelled).count()).unwrap_or(u64::MAX)
    }

    /// Decides one request. `fresh` is the issued coupon as it was issued, if there is one.
    pub(super) fn decide(
        &mut self,
        request: &RedemptionRequest,
        fresh: Option<IssuedCoupon>,
        clock: Timestamp,
        log: &mut Log,
    ) -> RedemptionOutcome {
        let Some(fresh) = fresh.filter(|fresh| may_use(fresh, request.user.as_ref())) else {
            return RedemptionOutcome::Refused(RedemptionRefusal::UnknownIssuedCoupon);
        };
        if let Some(outcome) = self.replay(request, &fresh, clock) {
            return outcome;
        }
        let id = request.id;
        let trail = self.trail(id, fresh.grant);
        let mut issued = self.after(fresh, u32::MAX);
        let decision = match &request.action {
            RedemptionAction::Redeem(order) => {
                decide_redemption(&issued, &self.offer(id), trail, order, &request.actor, clock)
            }
            RedemptionAction::Cancel(order) => {
                let same = |entry: &HistoryEntry| matches!(&entry.step, Step::Cancelled { order: one } if one == order);
                let before = self.history(id).iter().any(same);
                decide_cancellation(&issued, trail, order, before, &request.actor, clock)
            }
            RedemptionAction::Revoke => decide_revocation(&issued, trail, &request.actor, clock),
        };
        match decision {
            Decision::Refused(refusal) => RedemptionOutcome::Refused(refusal),
            Decision::Stands => RedemptionOutcome::Done {
                issued: Box::new(issued),
                decided_at: trail.judged_time(clock),
                replayed: true,
            },
            Decision::Taken(entry) => {
                let before = AuditedUse::from(&issued);
                issued.take_step(&entry);
                if let Some(origin) = request.administrator() {
                    log.step(&origin, &entry, before, &issued);
                }
                if let Some(token) = request.token {
                    self.tokens.retain(|kept| kept.token.scope != token.scope);
                    let entry = entry.clone();
                    self.tokens.push(Kept { token, id, entry });
                }
                let decided_at = entry.at;
                self.histories.entry(id).or_default().push(entry);
                RedemptionOutcome::Done {
                    issued: Box::new(issued),
                    decided_at,
                    replayed: false,
                }
            }
        }
    }

    /// The answer that a live token was given before.
    fn replay(
        &self,
        request: &RedemptionRequest,
        fresh: &IssuedCoupon,
        clock: Timestamp,
    ) -> Option<RedemptionOutcome> {
        let token = request.token?;
        let life = Span::from_micros(limits::COMMAND_TOKEN_LIFE_US)?;
        let lives = |kept: &&Kept| clock < kept.entry.at.saturating_add(life);
        let mut kept = self.tokens.iter().filter(lives);
        let kept = kept.find(|kept| kept.token.scope == token.scope)?;
        if kept.token.payload != token.payload || kept.id != request.id {
            return Some(RedemptionOutcome::TokenReused);
        }
        Some(RedemptionOutcome::Done {
            issued: Box::new(self.after(fresh.clone(), kept.entry.number)),
            decided_at: kept.entry.at,
            replayed: true,
        })
    }
}
