//! What the store knows of a coupon's state in a shared ledger.

use crate::error::Failure;
use crate::limits;
use crate::query::limit_of;
use crate::row;
use crate::rows;
use crate::script::Script;
use crate::store::Reader;
use coupon_app::{CommandToken, Epoch, IssuedRecord, LedgerIdentity, LedgerMark, RevisedRecord};
use coupon_core::{CouponId, Held, UserId};
use sqlx::mysql::MySqlRow;
use std::collections::HashMap;

fn select(script: &mut Script) {
    script.statement(
        "SELECT coupon, epoch, run_id, replication_id, GREATEST(highest_position, position_floor), issued, \
             lost FROM coupons WHERE id ",
    );
}

fn read(found: &MySqlRow) -> Result<LedgerMark, Failure> {
    let identity = match (row::optional_text(found, 2)?, row::optional_text(found, 3)?) {
        (Some(run), Some(replication)) => Some(LedgerIdentity {
            run: run.into(),
            replication: replication.into(),
        }),
        (None, _) | (_, None) => None,
    };
    Ok(LedgerMark {
        coupon: row::coupon(&row::text(found, 0)?)?,
        epoch: row::small(found, 1)?,
        identity,
        highest: row::small(found, 4)?,
        issued: row::small(found, 5)?,
        lost: row::small(found, 6)?,
    })
}

pub(crate) async fn mark(reader: &Reader, coupon: CouponId) -> Result<Option<LedgerMark>, Failure> {
    let script = || {
        let mut script = Script::new();
        select(&mut script);
        script.sql("= ").number(coupon.get());
        script
    };
    let answered = reader.ask_one(script).await?;
    answered.rows.first().map(read).transpose()
}

pub(crate) async fn marks(
    reader: &Reader,
    after: Option<CouponId>,
    limit: usize,
) -> Result<Vec<LedgerMark>, Failure> {
    let script = || {
        let mut script = Script::new();
        select(&mut script);
        script
            .sql("> ")
            .number(after.map_or(0, CouponId::get))
            .sql(" ORDER BY id LIMIT ")
            .number(limit_of(limit));
        script
    };
    reader.ask_one(script).await?.rows.iter().map(read).collect()
}

pub(crate) async fn commands(reader: &Reader, coupon: CouponId) -> Result<Vec<RevisedRecord>, Failure> {
    let script = || {
        let mut script = Script::new();
        script
            .statement(
                "SELECT r.coupon, r.issued, r.actor, t.scope, t.payload, r.lost FROM command_tokens t \
                 JOIN coupon_revisions r ON r.coupon_id = t.coupon_id AND r.revision = t.revision \
                 WHERE t.coupon_id = ",
            )
            .number(coupon.get())
            .sql(" ORDER BY t.number");
        script
    };
    let answered = reader.ask_one(script).await?;
    let sixteen = |bytes: Vec<u8>| -> Result<[u8; 16], Failure> {
        let sixteen = bytes.try_into();
        sixteen.map_err(|_| Failure::Damaged("a command's token".to_owned()))
    };
    let command = |found| {
        Ok(RevisedRecord {
            coupon: row::coupon(&row::text(found, 0)?)?,
            issued: row::small(found, 1)?,
            lost: row::small(found, 5)?,
            actor: row::text(found, 2)?.into(),
            token: Some(CommandToken {
                scope: sixteen(row::bytes(found, 3)?)?,
                payload: sixteen(row::bytes(found, 4)?)?,
            }),
        })
    };
    answered.rows.iter().map(command).collect()
}

pub(crate) async fn note_identity(
    reader: &Reader,
    coupon: CouponId,
    epoch: Epoch,
    identity: &LedgerIdentity,
) -> Result<bool, Failure> {
    let script = || {
        let mut script = Script::new();
        script
            .statement("UPDATE coupons SET run_id = ")
            .text(&identity.run)
            .sql(", replication_id = ")
            .text(&identity.replication)
            .sql(" WHERE id = ")
            .number(coupon.get())
            .sql(" AND epoch = ")
            .number(epoch);
        script
    };
    Ok(reader.ask_one(script).await?.affected == 1)
}

/// One statement that commits by itself. If its answer is lost it is not sent again: whoever asked looks at the mark.
pub(crate) async fn raise_epoch(
    reader: &Reader,
    coupon: CouponId,
    from: Epoch,
    highest: u32,
) -> Result<Option<LedgerMark>, Failure> {
    let mut script = Script::new();
    script
        .statement(
            "UPDATE coupons SET epoch = epoch + 1, run_id = NULL, replication_id = NULL, \
             lost = GREATEST(position_floor, highest_position, ",
        )
        .number(highest)
        .sql(") - issued, position_floor = GREATEST(position_floor, highest_position, ")
        .number(highest)
        .sql("), closed_through = GREATEST(closed_through, position_floor, highest_position, ")
        .number(highest)
        .sql(") WHERE id = ")
        .number(coupon.get())
        .sql(" AND epoch = ")
        .number(from);
    let mut connection = reader.connection().await?;
    let answered = reader.ask_on(&mut connection, script).await?;
    drop(connection);
    if answered.first().is_none_or(|one| one.affected == 0) {
        return Ok(None);
    }
    mark(reader, coupon).await
}

pub(crate) async fn records(
    reader: &Reader,
    coupon: CouponId,
    after: u32,
    limit: usize,
) -> Result<Vec<IssuedRecord>, Failure> {
    let script = || {
        let mut script = Script::new();
        script
            .statement(
                "SELECT user_id, position, issued_at, expires_at, key_hash FROM issued_coupons WHERE coupon_id = ",
            )
            .number(coupon.get())
            .sql(" AND position > ")
            .number(after)
            .sql(" ORDER BY position LIMIT ")
            .number(limit_of(limit));
        script
    };
    let answered = reader.ask_one(script).await?;
    let record = |found| {
        Ok(IssuedRecord {
            coupon,
            user: row::user(found, 0)?,
            grant: row::grant(found, 1)?,
            key: row::key(found, 4)?,
        })
    };
    answered.rows.iter().map(record).collect()
}

/// What these users hold of a coupon, in the order asked.
pub(crate) async fn held(
    reader: &Reader,
    coupon: CouponId,
    users: &[UserId],
) -> Result<Vec<Option<Held>>, Failure> {
    let mut found: HashMap<UserId, Held> = HashMap::new();
    for chunk in users.chunks(limits::MAX_ASKED_USERS) {
        let script = || {
            let mut script = Script::new();
            rows::ask_holders(&mut script, coupon, chunk.iter());
            script
        };
        for holder in &reader.ask_one(script).await?.rows {
            let (grant, key) = (row::grant(holder, 1)?, row::key(holder, 4)?);
            found.insert(row::user(holder, 0)?, Held { grant, key });
        }
    }
    Ok(users.iter().map(|user| found.get(user).copied()).collect())
}
