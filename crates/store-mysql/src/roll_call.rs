//! The roll call: two small tables that servers look at a few times a second, judged by the database's clock.

use crate::error::Failure;
use crate::limits;
use crate::row;
use crate::script::Script;
use crate::session::CLOCK;
use crate::store::Reader;
use coupon_app::limits::ATTENDS_WITHIN;
use coupon_app::{LedgerIdentity, Roll, SeenPosition, ServerId};
use std::time::Duration;

/// After how long without a word a server's row is removed, in microseconds: a day.
const FORGOTTEN_AFTER_US: i64 = 24 * 3_600 * 1_000_000;

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

pub(crate) async fn attend(reader: &Reader, server: ServerId, open: bool) -> Result<Roll, Failure> {
    let script = || {
        let mut script = Script::new();
        script
            .statement("INSERT INTO ledger_servers (id, attended_at, answered, is_open) VALUES (")
            .bytes(&server.0)
            .sql(", ")
            .sql(CLOCK)
            .sql(", 0, ")
            .number(u8::from(open))
            .sql(") ON DUPLICATE KEY UPDATE attended_at = VALUES(attended_at), is_open = VALUES(is_open)")
            .statement(
                "SELECT number, leader IS NOT NULL, run_id, replication_id, \
                 (SELECT COUNT(*) FROM ledger_servers WHERE is_open = 1 AND id <> ",
            )
            .bytes(&server.0)
            .sql(" AND attended_at > ")
            .sql(CLOCK)
            .sql(" - ")
            .number(micros(ATTENDS_WITHIN))
            .sql(") FROM ledger_call");
        script
    };
    let answered = reader.ask(script).await?;
    let found = answered.get(1).and_then(|one| one.rows.first());
    let found = found.ok_or_else(|| Failure::Damaged("the roll call has no row".to_owned()))?;
    let trusted = match (row::optional_text(found, 2)?, row::optional_text(found, 3)?) {
        (Some(run), Some(replication)) => Some(LedgerIdentity {
            run: run.into(),
            replication: replication.into(),
        }),
        (None, _) | (_, None) => None,
    };
    Ok(Roll {
        call: row::unsigned(found, 0)?,
        running: row::signed(found, 1)? != 0,
        trusted,
        others_open: u64::try_from(row::signed(found, 4)?).unwrap_or_default(),
    })
}

/// Positions and answer in one transaction. If the answer to its COMMIT is lost it is made again, which changes nothing.
pub(crate) async fn answer(
    reader: &Reader,
    server: ServerId,
    call: u64,
    seen: &[SeenPosition],
) -> Result<(), Failure> {
    let mut attempt = 0;
    loop {
        let failure = match try_answer(reader, server, call, seen).await {
            Ok(()) => return Ok(()),
            Err(failure) => failure,
        };
        if !failure.passes() || attempt + 1 >= reader.attempts() {
            return Err(failure);
        }
        reader.pause(attempt).await;
        attempt += 1;
    }
}

async fn try_answer(
    reader: &Reader,
    server: ServerId,
    call: u64,
    seen: &[SeenPosition],
) -> Result<(), Failure> {
    let mut connection = reader.connection().await?;
    let mut scripts: Vec<Script> = Vec::new();
    let mut begin = Script::new();
    begin.statement("START TRANSACTION");
    scripts.push(begin);
    // In order of id, as everybody locks coupons.
    let mut seen: Vec<&SeenPosition> = seen.iter().collect();
    seen.sort_by_key(|one| one.coupon);
    for some in seen.chunks(limits::MAX_SEEN_POSITIONS) {
        let mut script = Script::new();
        for one in some {
            script
                .statement("UPDATE coupons SET position_floor = GREATEST(position_floor, ")
                .number(one.position)
                .sql(") WHERE id = ")
                .number(one.coupon.get())
                .sql(" AND GREATEST(position_floor, highest_position) < ")
                .number(one.position);
        }
        scripts.push(script);
    }
    let mut end = Script::new();
    end.statement("UPDATE ledger_servers SET answered = ")
        .number(call)
        .sql(" WHERE id = ")
        .bytes(&server.0)
        .statement("COMMIT");
    scripts.push(end);
    for script in scripts {
        let asked = reader.ask_on(&mut connection, script).await;
        if let Err(failure) = asked {
            // The transaction ends with its connection.
            connection.close_on_drop();
            return Err(failure);
        }
    }
    Ok(())
}

pub(crate) async fn lead(reader: &Reader, server: ServerId, lease: Duration) -> Result<Option<u64>, Failure> {
    let script = || {
        let mut script = Script::new();
        // A leader's number stays; whoever takes over has a new one. What is assigned first sees the old leader.
        script
            .statement("UPDATE ledger_call SET number = number + IF(leader <=> ")
            .bytes(&server.0)
            .sql(", 0, 1), leader = ")
            .bytes(&server.0)
            .sql(", lease_until = ")
            .sql(CLOCK)
            .sql(" + ")
            .number(micros(lease))
            .sql(" WHERE leader IS NULL OR leader = ")
            .bytes(&server.0)
            .sql(" OR lease_until < ")
            .sql(CLOCK)
            .statement("DELETE FROM ledger_servers WHERE attended_at < ")
            .sql(CLOCK)
            .sql(" - ")
            .number(FORGOTTEN_AFTER_US)
            .statement("SELECT number, leader <=> ")
            .bytes(&server.0)
            .sql(" FROM ledger_call");
        script
    };
    let answered = reader.ask(script).await?;
    let Some(found) = answered.get(2).and_then(|one| one.rows.first()) else {
        return Err(Failure::Damaged("the roll call has no row".to_owned()));
    };
    let leads = row::signed(found, 1)? != 0;
    Ok(if leads {
        Some(row::unsigned(found, 0)?)
    } else {
        None
    })
}

pub(crate) async fn unanswered(reader: &Reader, call: u64) -> Result<u64, Failure> {
    let script = || {
        let mut script = Script::new();
        script
            .statement("SELECT COUNT(*) FROM ledger_servers WHERE answered < ")
            .number(call)
            .sql(" AND attended_at > ")
            .sql(CLOCK)
            .sql(" - ")
            .number(micros(ATTENDS_WITHIN));
        script
    };
    let answered = reader.ask_one(script).await?;
    let count = answered
        .rows
        .first()
        .map(|found| row::signed(found, 0))
        .transpose()?;
    Ok(u64::try_from(count.unwrap_or_default()).unwrap_or_default())
}

pub(crate) async fn finish(
    reader: &Reader,
    server: ServerId,
    call: u64,
    trusted: Option<&LedgerIdentity>,
) -> Result<bool, Failure> {
    let script = || {
        let mut script = Script::new();
        script.statement("UPDATE ledger_call SET leader = NULL");
        if let Some(trusted) = trusted {
            script.sql(", run_id = ").text(&trusted.run);
            script.sql(", replication_id = ").text(&trusted.replication);
        }
        script
            .sql(" WHERE leader = ")
            .bytes(&server.0)
            .sql(" AND number = ")
            .number(call);
        script
    };
    Ok(reader.ask_one(script).await?.affected == 1)
}

pub(crate) async fn leave(reader: &Reader, server: ServerId) -> Result<(), Failure> {
    let script = || {
        let mut script = Script::new();
        script
            .statement("DELETE FROM ledger_servers WHERE id = ")
            .bytes(&server.0);
        script
    };
    reader.ask_one(script).await.map(drop)
}
