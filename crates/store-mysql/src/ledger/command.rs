//! Commands: decided under the row lock, or under that of `meta` for a new coupon.

use super::poster::Reach;
use super::{Inner, LedgerClock, Prepared};
use crate::error::Failure;
use crate::row;
use crate::rows;
use crate::script::Script;
use crate::session::{CLOCK, Session};
use coupon_app::limits::{COMMAND_TOKEN_LIFE_US, MAX_COMMAND_TOKENS};
use coupon_app::{CommandOutcome, CommandRequest, CommandToken, Reply, RevisedRecord};
use coupon_core::{
    Command, CommandRefusal, Coupon, CouponId, Effect, Revision, Span, Standing, Timestamp, decide_command,
};
use sqlx::mysql::MySqlRow;
use std::sync::Arc;

/// The epoch of a coupon that no shared ledger has lost yet.
const FIRST_EPOCH: u32 = 1;

/// What a command is judged by.
#[derive(Debug)]
struct Read {
    coupon: Option<(Coupon, Standing, Option<Timestamp>)>,
    last_id: Option<CouponId>,
    token: Option<Earlier>,
    clock: Timestamp,
}

/// An earlier command under the same key.
#[derive(Debug)]
struct Earlier {
    payload: Vec<u8>,
    decided_at: Timestamp,
    coupon: Coupon,
    issued: u32,
}

/// Everything up to COMMIT. When nothing was written the transaction has ended.
pub(super) async fn prepare(
    inner: &Inner,
    session: &mut Session,
    request: &CommandRequest,
) -> Result<Prepared, Failure> {
    let read = read(inner, session, request).await?;
    let (outcome, record) = judge(&read, request);
    let replies = vec![Reply::Command(Box::new(outcome))];
    let Some(record) = record else {
        session.roll_back().await;
        return Ok(Prepared { replies, news: None });
    };
    write(
        session,
        &record,
        read.coupon.as_ref().map(|(coupon, ..)| coupon.revision),
    )
    .await?;
    let reach = read.coupon.and_then(|(_, standing, first)| {
        first.map(|first_issued_at| Reach {
            issued: standing.issued,
            first_issued_at,
            last_issued_at: standing.last_issued_at,
        })
    });
    Ok(Prepared {
        replies,
        news: Some((Arc::new(record.coupon), reach)),
    })
}

async fn read(inner: &Inner, session: &mut Session, request: &CommandRequest) -> Result<Read, Failure> {
    let mut script = Script::new();
    script.statement("START TRANSACTION");
    match request.coupon {
        Some(coupon) => script
            .statement("SELECT coupon, issued, last_issued_at, first_issued_at FROM coupons WHERE id = ")
            .number(coupon.get())
            .sql(" FOR UPDATE"),
        None => script.statement("SELECT last_coupon_id FROM meta WHERE only_row = 1 FOR UPDATE"),
    };
    script.statement("SELECT ").sql(CLOCK);
    if let Some(token) = request.token {
        script
            .statement(
                "SELECT t.payload, t.decided_at, r.coupon, r.issued FROM command_tokens t \
                 JOIN coupon_revisions r ON r.coupon_id = t.coupon_id AND r.revision = t.revision WHERE t.scope = ",
            )
            .bytes(&token.scope);
    }
    let answered = session.ask(script).await?;
    let first = |index: usize| answered.get(index).and_then(|one| one.rows.first());
    let mut coupon = None;
    let mut last_id = None;
    match (request.coupon, first(1)) {
        (Some(_), Some(found)) => {
            let standing = Standing {
                issued: row::small(found, 1)?,
                last_issued_at: row::optional_timestamp(found, 2)?.unwrap_or(Timestamp::MIN),
            };
            coupon = Some((
                row::coupon(&row::text(found, 0)?)?,
                standing,
                row::optional_timestamp(found, 3)?,
            ));
        }
        (None, Some(found)) => last_id = CouponId::new(row::small(found, 0)?).ok(),
        (_, None) => {}
    }
    let database = first(2).map_or(Err(Failure::Damaged("no clock".to_owned())), |found| {
        row::signed(found, 0)
    })?;
    let clock = match &inner.clock {
        LedgerClock::Database => Timestamp::saturating_from_micros(database),
        LedgerClock::Given(clock) => clock.now(),
    };
    let token = first(3).map(earlier).transpose()?;
    Ok(Read {
        coupon,
        last_id,
        token,
        clock,
    })
}

fn earlier(found: &MySqlRow) -> Result<Earlier, Failure> {
    Ok(Earlier {
        payload: row::bytes(found, 0)?,
        decided_at: row::timestamp(found, 1)?,
        coupon: row::coupon(&row::text(found, 2)?)?,
        issued: row::small(found, 3)?,
    })
}

/// Decides by the core. The record, if there is one, is to be written.
fn judge(read: &Read, request: &CommandRequest) -> (CommandOutcome, Option<RevisedRecord>) {
    if let Some(outcome) = request.token.and_then(|token| replay(read, token)) {
        return (outcome, None);
    }
    let coupon = read.coupon.as_ref().map(|(coupon, ..)| coupon);
    let standing = read
        .coupon
        .as_ref()
        .map_or(Standing::NONE, |(_, standing, _)| *standing);
    let effect = match (&request.command, request.coupon) {
        (Command::Create(terms), None) => read
            .last_id
            .map_or(Some(CouponId::FIRST), CouponId::next)
            .ok_or(CommandRefusal::IdsExhausted)
            .and_then(|id| Coupon::create(id, terms.as_ref().clone(), read.clock))
            .map(|coupon| Effect::Revised(Box::new(coupon))),
        (command, _) => decide_command(coupon, standing, command, request.if_match, read.clock),
    };
    match (effect, coupon) {
        (Err(refusal), _) => (CommandOutcome::Refused(refusal), None),
        (Ok(Effect::Unchanged), None) => (CommandOutcome::Refused(CommandRefusal::UnknownCoupon), None),
        (Ok(Effect::Unchanged), Some(coupon)) => {
            let outcome = CommandOutcome::Done {
                coupon: Arc::new(coupon.clone()),
                issued: standing.issued,
                decided_at: standing.judged_time(read.clock).max(coupon.revised_at),
                replayed: false,
            };
            (outcome, None)
        }
        (Ok(Effect::Revised(coupon)), _) => {
            let outcome = CommandOutcome::Done {
                coupon: Arc::new(coupon.as_ref().clone()),
                issued: standing.issued,
                decided_at: coupon.revised_at,
                replayed: false,
            };
            let record = RevisedRecord {
                coupon: *coupon,
                issued: standing.issued,
                lost: 0,
                actor: request.actor.clone(),
                token: request.token,
            };
            (outcome, Some(record))
        }
    }
}

/// The answer that a living token was given before.
fn replay(read: &Read, token: CommandToken) -> Option<CommandOutcome> {
    let life = Span::from_micros(COMMAND_TOKEN_LIFE_US).unwrap_or(Span::ZERO);
    let earlier = read.token.as_ref()?;
    if read.clock >= earlier.decided_at.saturating_add(life) {
        return None;
    }
    if earlier.payload != token.payload {
        return Some(CommandOutcome::TokenReused);
    }
    Some(CommandOutcome::Done {
        coupon: Arc::new(earlier.coupon.clone()),
        issued: earlier.issued,
        decided_at: earlier.coupon.revised_at,
        replayed: true,
    })
}

async fn write(
    session: &mut Session,
    record: &RevisedRecord,
    known: Option<Revision>,
) -> Result<(), Failure> {
    let coupon = &record.coupon;
    let mut script = Script::new();
    session.count(&mut script);
    if known.is_some() {
        rows::update_coupon(&mut script, coupon)?;
    } else {
        script
            .statement("UPDATE meta SET last_coupon_id = ")
            .number(coupon.id.get())
            .sql(" WHERE only_row = 1 AND last_coupon_id < ")
            .number(coupon.id.get());
        rows::insert_coupon(&mut script, coupon, FIRST_EPOCH)?;
    }
    rows::insert_revision(&mut script, record, false)?;
    if record.token.is_some() {
        let kept = u64::try_from(MAX_COMMAND_TOKENS).unwrap_or(u64::MAX);
        script
            .statement("DELETE FROM command_tokens WHERE decided_at <= ")
            .number(
                coupon
                    .revised_at
                    .as_micros()
                    .saturating_sub(COMMAND_TOKEN_LIFE_US),
            )
            .statement("DELETE FROM command_tokens WHERE number + ")
            .number(kept)
            .sql(" <= LAST_INSERT_ID()");
    }
    let answered = session.ask(script).await?;
    let changed = |index: usize| answered.get(index).is_some_and(|one| one.affected == 1);
    if !changed(0) {
        return Err(Failure::Overtaken("the row of a session"));
    }
    if !changed(1) {
        return Err(Failure::Overtaken("a coupon"));
    }
    Ok(())
}
