//! Deciding redemptions, cancellations and revocations: a batch in one transaction.

use crate::audit;
use crate::error::Failure;
use crate::history;
use crate::notices::write_step;
use crate::row::{ISSUED_COUPON, issued_coupon, packed, timestamp};
use crate::sums::{Standing, Sums};
use coupon_app::{
    AuditedUse, CommandToken, LedgerError, NotificationKinds, Reason, Redeemable, RedemptionAction,
    RedemptionOutcome, RedemptionRequest, limits,
};
use coupon_core::{
    Amount, Coupon, Decision, HistoryEntry, IssuedCoupon, IssuedCouponId, Offer, RedemptionRefusal, Step,
    Timestamp, Trail, decide_cancellation, decide_redemption, decide_revocation, may_use,
};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
use std::collections::HashMap;

/// Revisions whose offers are remembered; beyond, all are read again.
const MOST_OFFERS: usize = 4_096;

/// Tokens whose day is over go in the transactions that keep new ones, so many at a time.
const FORGOTTEN_AT_ONCE: usize = 64;

/// What revisions offer. A revision never changes, so what was read once stays true.
#[derive(Debug, Default)]
pub(crate) struct Offers(HashMap<(u32, u32), Offer>);

/// Why a batch was not decided, and what that promises.
#[derive(Debug)]
pub(crate) enum Undecided {
    /// The transaction was undone: nothing happened.
    Nothing(Failure),
    /// The commit failed, and may have reached the disk.
    Perhaps(Failure),
}

impl From<Failure> for Undecided {
    fn from(failure: Failure) -> Self {
        Self::Nothing(failure)
    }
}

impl From<rusqlite::Error> for Undecided {
    fn from(error: rusqlite::Error) -> Self {
        Self::Nothing(error.into())
    }
}

impl From<Undecided> for LedgerError {
    fn from(undecided: Undecided) -> Self {
        match undecided {
            Undecided::Nothing(failure) => Self::Unavailable(Reason::adapter(failure)),
            Undecided::Perhaps(failure) => Self::Indeterminate(Reason::adapter(failure)),
        }
    }
}

/// Decides requests as `RedemptionStore::decide` demands, and says whether anything was written.
pub(crate) fn decide(
    connection: &mut Connection,
    offers: &mut Offers,
    kinds: NotificationKinds,
    requests: &[RedemptionRequest],
    clock: Timestamp,
) -> Result<(Vec<RedemptionOutcome>, bool), Undecided> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut work = Work {
        transaction: &transaction,
        offers,
        kinds,
        clock,
        wrote: false,
        kept_tokens: 0,
        sums: Sums::default(),
    };
    let mut outcomes = Vec::with_capacity(requests.len());
    for request in requests {
        outcomes.push(work.decide(request)?);
    }
    work.forget_tokens()?;
    work.sums.write(&transaction)?;
    let wrote = work.wrote;
    if wrote {
        commit(transaction)?;
    } else {
        transaction.rollback()?;
    }
    Ok((outcomes, wrote))
}

fn commit(transaction: Transaction<'_>) -> Result<(), Undecided> {
    match transaction.commit() {
        Ok(()) => Ok(()),
        Err(error) => {
            let failure = Failure::from(error);
            // A lock that somebody else holds leaves the transaction as it was, to be undone; of anything else nobody
            // knows how far it came.
            Err(if failure.passes() {
                Undecided::Nothing(failure)
            } else {
                Undecided::Perhaps(failure)
            })
        }
    }
}

struct Work<'a> {
    transaction: &'a Transaction<'a>,
    offers: &'a mut Offers,
    kinds: NotificationKinds,
    clock: Timestamp,
    wrote: bool,
    kept_tokens: usize,
    sums: Sums,
}

/// An issued coupon as its row has it.
struct Found {
    id: i64,
    issued: IssuedCoupon,
    /// The revision that it was issued under.
    revision: u32,
    trail: Trail,
}

impl Work<'_> {
    fn decide(&mut self, request: &RedemptionRequest) -> Result<RedemptionOutcome, Failure> {
        let found = find(self.transaction, request.id)?;
        let Some(mut found) = found.filter(|found| may_use(&found.issued, request.user.as_ref())) else {
            return Ok(RedemptionOutcome::Refused(RedemptionRefusal::UnknownIssuedCoupon));
        };
        if let Some(token) = request.token
            && let Some(answer) = self.replay(token, &found)?
        {
            return Ok(answer);
        }
        Ok(match self.judge(request, &found)? {
            Decision::Refused(refusal) => RedemptionOutcome::Refused(refusal),
            Decision::Stands => RedemptionOutcome::Done {
                decided_at: found.trail.judged_time(self.clock),
                issued: Box::new(found.issued),
                replayed: true,
            },
            Decision::Taken(entry) => {
                let stood = Standing::of(&found.issued);
                let before = AuditedUse::from(&found.issued);
                found.issued.take_step(&entry);
                self.sums.count(stood, &found.issued);
                self.write(&found, &entry)?;
                if let Some(origin) = request.administrator() {
                    audit::step(self.transaction, &origin, &entry, &before, &found.issued)?;
                }
                if let Some(token) = request.token {
                    self.keep(token, found.id, &entry)?;
                }
                RedemptionOutcome::Done {
                    issued: Box::new(found.issued),
                    decided_at: entry.at,
                    replayed: false,
                }
            }
        })
    }

    fn judge(&mut self, request: &RedemptionRequest, found: &Found) -> Result<Decision, Failure> {
        let Found { issued, trail, .. } = found;
        Ok(match &request.action {
            RedemptionAction::Redeem(order) => {
                let offer = self
                    .offers
                    .of(self.transaction, request.id.coupon.get(), found.revision)?;
                decide_redemption(issued, offer, *trail, order, &request.actor, self.clock)
            }
            RedemptionAction::Cancel(order) => {
                let stands = issued
                    .redemption
                    .as_ref()
                    .is_some_and(|redemption| redemption.order.id == *order);
                // Before the second step nothing can have been given back.
                let before =
                    !stands && trail.steps >= 2 && history::was_cancelled(self.transaction, found.id, order)?;
                decide_cancellation(issued, *trail, order, before, &request.actor, self.clock)
            }
            RedemptionAction::Revoke => decide_revocation(issued, *trail, &request.actor, self.clock),
        })
    }

    /// Writes the issued coupon as the step left it, and the step.
    fn write(&mut self, found: &Found, entry: &HistoryEntry) -> Result<(), Failure> {
        let redemption = found.issued.redemption.as_ref();
        let units = |amount: Amount| amount.get().cast_signed();
        let first_step = match entry.number {
            1 => Some(history::begin(self.transaction, found.id, entry)?),
            _ => {
                history::add(self.transaction, found.id, entry)?;
                None
            }
        };
        let changed = self
            .transaction
            .prepare_cached(
                "UPDATE issued_coupons
                 SET redeemed_at = ?2, order_id = ?3, order_amount = ?4, discount_amount = ?5, revoked_at = ?6, steps = ?7,
                     first_step = coalesce(?8, first_step)
                 WHERE id = ?1",
            )?
            .execute((
                found.id,
                redemption.map(|redemption| redemption.redeemed_at.as_micros()),
                redemption.map(|redemption| redemption.order.id.as_str()),
                redemption.map(|redemption| units(redemption.order.amount)),
                redemption.and_then(|redemption| redemption.discount.map(units)),
                found.issued.revoked_at.map(Timestamp::as_micros),
                entry.number,
                first_step,
            ))?;
        if changed != 1 {
            return Err(Failure::Damaged(format!(
                "row {} went while it was changed",
                found.id
            )));
        }
        write_step(self.transaction, self.kinds, found.issued.id(), entry)?;
        self.wrote = true;
        Ok(())
    }

    /// The answer that a live token was given before.
    fn replay(&self, token: CommandToken, found: &Found) -> Result<Option<RedemptionOutcome>, Failure> {
        let kept = self
            .transaction
            .prepare_cached(
                "SELECT payload, issued_coupon, number, decided_at FROM redemption_tokens WHERE scope = ?1",
            )?
            .query_row([token.scope], |row| {
                Ok((
                    row.get::<_, [u8; 16]>(0)?,
                    row.get::<_, i64>(1)?,
                    row.get::<_, u32>(2)?,
                    row.get::<_, i64>(3)?,
                ))
            })
            .optional()?;
        let Some((payload, id, number, decided_at)) = kept else {
            return Ok(None);
        };
        if decided_at.saturating_add(limits::COMMAND_TOKEN_LIFE_US) <= self.clock.as_micros() {
            return Ok(None);
        }
        if payload != token.payload || id != found.id {
            return Ok(Some(RedemptionOutcome::TokenReused));
        }
        Ok(Some(RedemptionOutcome::Done {
            issued: Box::new(as_of(self.transaction, found, number)?),
            decided_at: timestamp(decided_at)?,
            replayed: true,
        }))
    }

    fn keep(&mut self, token: CommandToken, id: i64, entry: &HistoryEntry) -> Result<(), Failure> {
        self.transaction
            .prepare_cached(
                "INSERT OR REPLACE INTO redemption_tokens (scope, payload, issued_coupon, number, decided_at)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute((token.scope, token.payload, id, entry.number, entry.at.as_micros()))?;
        self.kept_tokens += 1;
        Ok(())
    }

    /// Forgets tokens whose day is over: faster than new ones are kept, so that they do not pile up.
    fn forget_tokens(&self) -> Result<(), Failure> {
        if self.kept_tokens == 0 {
            return Ok(());
        }
        let most = i64::try_from(self.kept_tokens * 2 + FORGOTTEN_AT_ONCE).unwrap_or(i64::MAX);
        let before = self
            .clock
            .as_micros()
            .saturating_sub(limits::COMMAND_TOKEN_LIFE_US);
        self.transaction
            .prepare_cached(
                "DELETE FROM redemption_tokens WHERE scope IN (
                     SELECT scope FROM redemption_tokens WHERE decided_at <= ?1 ORDER BY decided_at LIMIT ?2)",
            )?
            .execute((before, most))?;
        Ok(())
    }
}

/// The issued coupon as its step `number` left it.
fn as_of(transaction: &Transaction<'_>, found: &Found, number: u32) -> Result<IssuedCoupon, Failure> {
    let mut issued = IssuedCoupon::new(found.issued.coupon, found.issued.user.clone(), found.issued.grant);
    let entry = history::one(transaction, found.id, number)?;
    match entry.step {
        // While it was revoked it was not redeemed.
        Step::Redeemed { .. } => {}
        Step::Cancelled { .. } => issued.revoked_at = history::revoked_before(transaction, found.id, number)?,
        // It is revoked once, so whatever stood before is what the step before left.
        Step::Revoked if number > 1 => issued.take_step(&history::one(transaction, found.id, number - 1)?),
        Step::Revoked => {}
    }
    issued.take_step(&entry);
    Ok(issued)
}

fn find(connection: &Connection, id: IssuedCouponId) -> Result<Option<Found>, Failure> {
    let id = packed(id.coupon, id.position.get());
    let mut statement = connection.prepare_cached(&found_sql())?;
    let mut rows = statement.query([id])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let issued = issued_coupon(row)?;
    let (steps, revision) = (row.get(9)?, row.get(10)?);
    let fresh = Trail::fresh(issued.grant);
    let trail = match steps {
        0 => fresh,
        _ => Trail {
            steps,
            last_at: history::one(connection, id, steps)?.at,
        },
    };
    Ok(Some(Found {
        id,
        issued,
        revision,
        trail,
    }))
}

fn found_sql() -> String {
    format!("SELECT {ISSUED_COUPON}, i.steps, i.coupon_revision FROM issued_coupons i WHERE i.id = ?1")
}

/// One issued coupon with everything that a quote needs.
pub(crate) fn redeemable(
    connection: &mut Connection,
    id: IssuedCouponId,
) -> Result<Option<Redeemable>, Failure> {
    let snapshot = connection.transaction()?;
    let Some(found) = find(&snapshot, id)? else {
        return Ok(None);
    };
    Ok(Some(Redeemable {
        offer: offer(&snapshot, id.coupon.get(), found.revision)?,
        issued: found.issued,
        trail: found.trail,
    }))
}

impl Offers {
    fn of(&mut self, connection: &Connection, coupon: u32, revision: u32) -> Result<&Offer, Failure> {
        let key = (coupon, revision);
        if self.0.len() >= MOST_OFFERS && !self.0.contains_key(&key) {
            self.0.clear();
        }
        match self.0.entry(key) {
            std::collections::hash_map::Entry::Occupied(known) => Ok(known.into_mut()),
            std::collections::hash_map::Entry::Vacant(unknown) => {
                Ok(unknown.insert(offer(connection, coupon, revision)?))
            }
        }
    }
}

fn offer(connection: &Connection, coupon: u32, revision: u32) -> Result<Offer, Failure> {
    let json: Option<String> = connection
        .prepare_cached("SELECT coupon FROM coupon_revisions WHERE coupon_id = ?1 AND revision = ?2")?
        .query_row((coupon, revision), |row| row.get(0))
        .optional()?;
    let json =
        json.ok_or_else(|| Failure::Damaged(format!("revision {revision} of coupon {coupon} is missing")))?;
    let coupon: Coupon = serde_json::from_str(&json)?;
    Ok(Offer::from(&coupon.terms))
}
