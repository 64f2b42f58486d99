//! One batch in one transaction, up to its COMMIT: lock and read, decide, write.

use super::notes::{Kept, Notes, Stand};
use super::offers::{self, Key, Offers};
use super::statements::Statements;
use super::write::write;
use super::{Decided, lock};
use crate::connection::Answered;
use crate::error::Failure;
use crate::history;
use crate::limits;
use crate::row::{self, ISSUED_COLUMNS};
use crate::script::Script;
use crate::session::Session;
use coupon_app::{NotificationKinds, RedemptionAction, RedemptionRequest};
use coupon_core::{CouponId, IssuedCouponId, Timestamp};
use std::collections::BTreeSet;
use std::sync::Mutex;

/// Everything up to COMMIT. When nothing was written the transaction is to be undone.
pub(super) async fn decide(
    session: &mut Session,
    known: &Mutex<Offers>,
    kinds: NotificationKinds,
    requests: &[RedemptionRequest],
    clock: Timestamp,
) -> Result<Decided, Failure> {
    let mut notes = read(session, requests, clock).await?;
    read_more(session, known, requests, &mut notes).await?;
    let decided = requests.iter().map(|request| notes.decide(request, clock));
    let outcomes = decided.collect::<Result<Vec<_>, Failure>>()?;
    let wrote = notes.stands.values().any(|stand| !stand.taken.is_empty());
    if wrote {
        write(session, kinds, &notes).await?;
    }
    Ok(Decided {
        outcomes,
        wrote,
        kept_tokens: !notes.kept.is_empty(),
    })
}

/// What the rows of a statement are.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Nothing,
    Stands,
    Revisions,
    Tokens,
    Offers,
    GivenBack,
    Past,
}

/// Locks every issued coupon of the batch and reads what every decision needs. The rest is read after the locks are
/// held, each statement on what was committed before it began.
async fn read(
    session: &mut Session,
    requests: &[RedemptionRequest],
    clock: Timestamp,
) -> Result<Notes, Failure> {
    let mut questions = Statements::default();
    questions
        .next(session, Kind::Nothing)
        .await?
        .statement("START TRANSACTION");
    let ids: BTreeSet<IssuedCouponId> = requests.iter().map(|request| request.id).collect();
    let ids: Vec<IssuedCouponId> = ids.into_iter().collect();
    for some in ids.chunks(limits::MAX_ASKED_USERS) {
        select_stands(questions.next(session, Kind::Stands).await?, some);
    }
    let redeems = |request: &&RedemptionRequest| matches!(request.action, RedemptionAction::Redeem(_));
    let coupons: BTreeSet<CouponId> = requests
        .iter()
        .filter(redeems)
        .map(|request| request.id.coupon)
        .collect();
    let coupons: Vec<CouponId> = coupons.into_iter().collect();
    for some in coupons.chunks(limits::MAX_ASKED_USERS) {
        offers::ask_revisions(questions.next(session, Kind::Revisions).await?, some);
    }
    let scopes: BTreeSet<[u8; 16]> = requests
        .iter()
        .filter_map(|request| Some(request.token?.scope))
        .collect();
    let scopes: Vec<[u8; 16]> = scopes.into_iter().collect();
    for some in scopes.chunks(limits::MAX_ASKED_USERS) {
        select_tokens(questions.next(session, Kind::Tokens).await?, some);
    }
    let mut notes = Notes::default();
    for (kind, answered) in questions.answers(session).await? {
        match kind {
            Kind::Stands => {
                for found in &answered.rows {
                    let (issued, trail) = offers::stand(found)?;
                    notes.stands.insert(issued.id(), Stand::new(issued, trail));
                }
            }
            Kind::Revisions => notes.revisions.take(&answered)?,
            Kind::Tokens => take_tokens(&mut notes, &answered, clock)?,
            Kind::Nothing | Kind::Offers | Kind::GivenBack | Kind::Past => {}
        }
    }
    Ok(notes)
}

/// Ranges of the primary key, a coupon at a time.
fn select_stands(script: &mut Script, ids: &[IssuedCouponId]) {
    script
        .statement("SELECT ")
        .sql(ISSUED_COLUMNS)
        .sql(", steps, last_step_at FROM issued_coupons FORCE INDEX (PRIMARY) WHERE");
    for (index, of_one) in ids.chunk_by(|one, other| one.coupon == other.coupon).enumerate() {
        let coupon = of_one.first().map_or(0, |id| id.coupon.get());
        script
            .sql(if index == 0 {
                " (coupon_id = "
            } else {
                " OR (coupon_id = "
            })
            .number(coupon)
            .sql(" AND position IN (");
        for (index, id) in of_one.iter().enumerate() {
            script
                .sql(if index == 0 { "" } else { ", " })
                .number(id.position.get());
        }
        script.sql("))");
    }
    // In this order, by whichever server: so nobody waits in a circle.
    script.sql(" ORDER BY coupon_id, position FOR UPDATE");
}

fn select_tokens(script: &mut Script, scopes: &[[u8; 16]]) {
    script.statement(
        "SELECT scope, payload, coupon_id, position, number, decided_at FROM redemption_tokens WHERE scope IN (",
    );
    for (index, scope) in scopes.iter().enumerate() {
        script.sql(if index == 0 { "" } else { ", " }).bytes(scope);
    }
    script.sql(")");
}

fn take_tokens(notes: &mut Notes, answered: &Answered, clock: Timestamp) -> Result<(), Failure> {
    for found in &answered.rows {
        let scope = row::hash(found, 0)?;
        let kept = Kept {
            payload: row::hash(found, 1)?,
            id: history::id(found, 2)?,
            number: row::small(found, 4)?,
            decided_at: row::timestamp(found, 5)?,
            left: None,
        };
        if kept.lives(clock) {
            notes.tokens.insert(scope, kept);
        } else {
            notes.outlived.insert(scope);
        }
    }
    Ok(())
}

/// What only some decisions need: offers that are not known yet, uses that were given back, answers of before.
async fn read_more(
    session: &mut Session,
    known: &Mutex<Offers>,
    requests: &[RedemptionRequest],
    notes: &mut Notes,
) -> Result<(), Failure> {
    let mut questions = Statements::default();
    let mut wanted: BTreeSet<Key> = BTreeSet::new();
    for request in requests {
        let Some(stand) = notes.stands.get(&request.id) else {
            continue;
        };
        match &request.action {
            RedemptionAction::Redeem(_) => {
                wanted.insert(notes.revisions.of(request.id.coupon, request.id.position)?);
            }
            // Before the second step nothing can have been given back.
            RedemptionAction::Cancel(order) if stand.trail.steps >= 2 => {
                let script = questions.next(session, Kind::GivenBack).await?;
                script.statement("SELECT coupon_id, position, order_id");
                history::of(script, request.id);
                script
                    .sql(" AND step = 'cancelled' AND order_id = ")
                    .bytes(order.as_str().as_bytes())
                    .sql(" LIMIT 1");
            }
            RedemptionAction::Cancel(_) | RedemptionAction::Revoke => {}
        }
        let again = request.token.and_then(|token| notes.tokens.get(&token.scope));
        if let Some(kept) = again.filter(|kept| kept.id == request.id) {
            let script = questions.next(session, Kind::Past).await?;
            script
                .statement("SELECT coupon_id, position, ")
                .sql(history::COLUMNS);
            history::of(script, request.id);
            script
                .sql(" AND (number IN (")
                .number(kept.number)
                .sql(", ")
                .number(kept.number.saturating_sub(1))
                .sql(") OR step = 'revoked')");
        }
    }
    notes.offers = lock(known).known(&wanted);
    wanted.retain(|key| !notes.offers.contains_key(key));
    let wanted: Vec<Key> = wanted.into_iter().collect();
    for some in wanted.chunks(limits::MAX_SCRIPT_STATEMENTS) {
        offers::ask_offers(questions.next(session, Kind::Offers).await?, some);
    }
    for (kind, answered) in questions.answers(session).await? {
        match kind {
            Kind::Offers => offers::take_offers(&answered, known, &mut notes.offers)?,
            Kind::GivenBack => {
                for found in &answered.rows {
                    let order = row::optional_order_id(found, 2)?;
                    let id = history::id(found, 0)?;
                    notes.given_back.extend(order.map(|order| (id, order)));
                }
            }
            Kind::Past => {
                for found in &answered.rows {
                    let (id, entry) = (history::id(found, 0)?, history::entry(found, 2)?);
                    notes.past.insert((id, entry.number), entry);
                }
            }
            Kind::Nothing | Kind::Stands | Kind::Revisions | Kind::Tokens => {}
        }
    }
    Ok(())
}
