//! Writing the steps of a batch: rows of issued coupons, history, idempotency keys, and the sums of each coupon.

use super::notes::{Notes, Stand};
use super::statements::Statements;
use crate::audit;
use crate::error::Failure;
use crate::history;
use crate::limits;
use crate::notices::{self, Told};
use crate::script::Script;
use crate::session::Session;
use crate::survey::{self, Block};
use coupon_app::NotificationKinds;
use coupon_core::{Amount, CouponId, HistoryEntry, IssuedCoupon, IssuedCouponId, Step, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// What a statement must have done to rows; anything else undoes the transaction.
#[derive(Clone, Copy, Debug)]
struct Must {
    affect: Option<u64>,
    or_else: &'static str,
}

const ANYTHING: Must = Must {
    affect: None,
    or_else: "",
};

/// Writes every step that was taken, and counts the session.
pub(super) async fn write(
    session: &mut Session,
    kinds: NotificationKinds,
    notes: &Notes,
) -> Result<(), Failure> {
    let taken = |(_, stand): &(&IssuedCouponId, &Stand)| !stand.taken.is_empty();
    let changed: Vec<(&IssuedCouponId, &Stand)> = notes.stands.iter().filter(taken).collect();
    let mut statements = Statements::default();
    for some in changed.chunks(limits::MAX_STEP_ROWS) {
        let must = Must {
            // An INSERT that finds its row counts two; a step always changes it.
            affect: u64::try_from(some.len() * 2).ok(),
            or_else: "a row of an issued coupon",
        };
        let script = statements.next(session, must).await?;
        for (index, (_, stand)) in some.iter().enumerate() {
            put_row(script, index == 0, stand);
        }
        script.sql(
            " ON DUPLICATE KEY UPDATE redeemed_at = VALUES(redeemed_at), order_id = VALUES(order_id), \
             order_amount = VALUES(order_amount), discount_amount = VALUES(discount_amount), \
             revoked_at = VALUES(revoked_at), steps = VALUES(steps), last_step_at = VALUES(last_step_at)",
        );
    }
    let entries: Vec<(IssuedCouponId, &HistoryEntry)> = changed
        .iter()
        .flat_map(|(id, stand)| stand.taken.iter().map(|entry| (**id, entry)))
        .collect();
    for some in entries.chunks(limits::MAX_STEP_ROWS) {
        let script = statements.next(session, ANYTHING).await?;
        for (index, (id, entry)) in some.iter().enumerate() {
            history::insert(script, index == 0, *id, entry);
        }
    }
    let told: Vec<Told> = entries
        .iter()
        .map(|(id, entry)| Told::of_step(*id, entry))
        .filter(|told| kinds.has(told.id.kind()))
        .collect();
    for some in told.chunks(limits::MAX_STEP_ROWS) {
        notices::insert(statements.next(session, ANYTHING).await?, some);
    }
    put_tokens(session, notes, &mut statements).await?;
    for some in notes.logged.chunks(limits::MAX_STEP_ROWS) {
        let script = statements.next(session, ANYTHING).await?;
        for (index, logged) in some.iter().enumerate() {
            audit::step(
                script,
                index == 0,
                &logged.origin,
                logged.id,
                &logged.entry,
                (&logged.before, &logged.after),
            )?;
        }
    }
    // What was given back is open again: jobs have to look at it. Behind the rows, as jobs do it too.
    let given_back: BTreeSet<Block> = entries
        .iter()
        .filter(|(_, entry)| matches!(entry.step, Step::Cancelled { .. }))
        .map(|(id, _)| Block::of(*id))
        .collect();
    let given_back: Vec<Block> = given_back.into_iter().collect();
    for some in given_back.chunks(limits::MAX_STEP_ROWS) {
        survey::look_again(statements.next(session, ANYTHING).await?, some);
    }
    // The sums last: their rows are what batches of one coupon wait for, whoever sends them.
    put_sums(session, &Sums::of(&changed), &mut statements).await?;
    let must = Must {
        affect: Some(1),
        or_else: "the row of a session",
    };
    let script = statements.next(session, must).await?;
    session.count(script);
    for (must, answered) in statements.answers(session).await? {
        if must.affect.is_some_and(|rows| rows != answered.affected) {
            return Err(Failure::Overtaken(must.or_else));
        }
    }
    Ok(())
}

/// The row as the steps have left it. It is there, and locked: what an issue decided is named only because an INSERT
/// wants it.
fn put_row(script: &mut Script, first: bool, stand: &Stand) {
    if first {
        script.statement(
            "INSERT INTO issued_coupons (coupon_id, position, user_id, issued_at, expires_at, epoch, redeemed_at, \
             order_id, order_amount, discount_amount, revoked_at, steps, last_step_at) VALUES (",
        );
    } else {
        script.sql(", (");
    }
    let issued = &stand.issued;
    let redemption = issued.redemption.as_ref();
    script
        .number(issued.coupon.get())
        .sql(", ")
        .number(issued.grant.position.get())
        .sql(", ")
        .bytes(issued.user.as_bytes())
        .sql(", ")
        .number(issued.grant.issued_at.as_micros())
        .sql(", ")
        .number(issued.grant.expires_at.as_micros())
        .sql(", 0, ")
        .optional(redemption.map(|redemption| redemption.redeemed_at.as_micros()))
        .sql(", ");
    match redemption {
        None => script.sql("NULL"),
        Some(redemption) => script.bytes(redemption.order.id.as_str().as_bytes()),
    };
    script
        .sql(", ")
        .optional(redemption.map(|redemption| redemption.order.amount.get()))
        .sql(", ")
        .optional(redemption.and_then(|redemption| redemption.discount.map(Amount::get)))
        .sql(", ")
        .optional(issued.revoked_at.map(Timestamp::as_micros))
        .sql(", ")
        .number(stand.trail.steps)
        .sql(", ")
        .number(stand.trail.last_at.as_micros())
        .sql(")");
}

/// Keeps the idempotency keys of the steps. One that is there already was put there by somebody else since this
/// transaction has looked: the INSERT fails, and the batch is decided again.
async fn put_tokens(
    session: &mut Session,
    notes: &Notes,
    statements: &mut Statements<Must>,
) -> Result<(), Failure> {
    for some in notes.kept.chunks(limits::MAX_STEP_ROWS) {
        for token in some.iter().filter(|token| notes.outlived.contains(&token.scope)) {
            let Some(kept) = notes.tokens.get(&token.scope) else {
                continue;
            };
            let script = statements.next(session, ANYTHING).await?;
            script
                .statement("DELETE FROM redemption_tokens WHERE scope = ")
                .bytes(&token.scope)
                .sql(" AND decided_at <= ")
                .number(
                    kept.decided_at
                        .as_micros()
                        .saturating_sub(coupon_app::limits::COMMAND_TOKEN_LIFE_US),
                );
        }
        let script = statements.next(session, ANYTHING).await?;
        script.statement(
            "INSERT INTO redemption_tokens (scope, payload, coupon_id, position, number, decided_at) VALUES ",
        );
        let kept = some
            .iter()
            .filter_map(|token| Some((token, notes.tokens.get(&token.scope)?)));
        for (index, (token, kept)) in kept.enumerate() {
            script
                .sql(if index == 0 { "(" } else { ", (" })
                .bytes(&token.scope)
                .sql(", ")
                .bytes(&token.payload)
                .sql(", ")
                .number(kept.id.coupon.get())
                .sql(", ")
                .number(kept.id.position.get())
                .sql(", ")
                .number(kept.number)
                .sql(", ")
                .number(kept.decided_at.as_micros())
                .sql(")");
        }
    }
    Ok(())
}

/// Adds to the sums, in the order of coupons: all at once where nothing is taken away, because the columns know no
/// negative numbers, otherwise one by one.
async fn put_sums(
    session: &mut Session,
    sums: &BTreeMap<CouponId, Sums>,
    statements: &mut Statements<Must>,
) -> Result<(), Failure> {
    let or_else = "the sums of a coupon";
    if sums.values().any(|sums| sums.redeemed[0] < sums.redeemed[1]) {
        for (coupon, sums) in sums {
            let affect = Some(1);
            sums.change(statements.next(session, Must { affect, or_else }).await?, *coupon);
        }
        return Ok(());
    }
    let sums: Vec<(&CouponId, &Sums)> = sums.iter().collect();
    for some in sums.chunks(limits::MAX_STEP_ROWS) {
        // As with the issued coupons: each row is there, and a step always changes its coupon's sums.
        let affect = u64::try_from(some.len() * 2).ok();
        let script = statements.next(session, Must { affect, or_else }).await?;
        script.statement("INSERT INTO coupon_uses (coupon_id, redeemed, revoked, cancelled) VALUES ");
        for (index, (coupon, sums)) in some.iter().enumerate() {
            sums.row(script.sql(if index == 0 { "(" } else { ", (" }), **coupon);
        }
        script.sql(
            " ON DUPLICATE KEY UPDATE redeemed = redeemed + VALUES(redeemed), \
             revoked = revoked + VALUES(revoked), cancelled = cancelled + VALUES(cancelled)",
        );
    }
    Ok(())
}

/// By how much the sums of a coupon change.
#[derive(Debug, Default)]
struct Sums {
    redeemed: [u64; 2],
    revoked: u64,
    cancelled: u64,
}

fn counts_as_redeemed(issued: &IssuedCoupon) -> bool {
    issued.redemption.is_some() && issued.revoked_at.is_none()
}

impl Sums {
    fn of(changed: &[(&IssuedCouponId, &Stand)]) -> BTreeMap<CouponId, Self> {
        let mut all: BTreeMap<CouponId, Self> = BTreeMap::new();
        for (id, stand) in changed {
            let sums = all.entry(id.coupon).or_default();
            sums.redeemed[0] += u64::from(counts_as_redeemed(&stand.issued));
            sums.redeemed[1] += u64::from(counts_as_redeemed(&stand.before));
            // It is revoked once and for good.
            sums.revoked += u64::from(stand.issued.revoked_at.is_some() && stand.before.revoked_at.is_none());
            let cancelled = |entry: &&HistoryEntry| matches!(entry.step, Step::Cancelled { .. });
            let cancelled = stand.taken.iter().filter(cancelled).count();
            sums.cancelled += u64::try_from(cancelled).unwrap_or(u64::MAX);
        }
        all
    }

    /// As a row to be added, where no more are taken away than come.
    fn row(&self, script: &mut Script, coupon: CouponId) {
        script
            .number(coupon.get())
            .sql(", ")
            .number(self.redeemed[0].saturating_sub(self.redeemed[1]))
            .sql(", ")
            .number(self.revoked)
            .sql(", ")
            .number(self.cancelled)
            .sql(")");
    }

    /// Added before it is taken away.
    fn change(&self, script: &mut Script, coupon: CouponId) {
        script
            .statement("UPDATE coupon_uses SET redeemed = redeemed + ")
            .number(self.redeemed[0])
            .sql(" - ")
            .number(self.redeemed[1])
            .sql(", revoked = revoked + ")
            .number(self.revoked)
            .sql(", cancelled = cancelled + ")
            .number(self.cancelled)
            .sql(" WHERE coupon_id = ")
            .number(coupon.get());
    }
}
