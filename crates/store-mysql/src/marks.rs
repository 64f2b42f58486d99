//! What the store knows of a coupon's state in a shared ledger.

use crate::error::Failure;
use crate::limits;
use crate::query::limit_of;
use crate::row;
use crate::rows;
use crate::script::Script;
use crate::store::Reader;
use coupon_app::{Epoch, IssuedRecord, LedgerIdentity, LedgerMark};
use coupon_core::{CouponId, Held, UserId};
use std::collections::HashMap;

fn select(script: &mut Script, coupon: CouponId) {
    script
        .statement(
            "SELECT coupon, epoch, run_id, replication_id, GREATEST(highest_position, position_floor), issued \
             FROM coupons WHERE id = ",
        )
        .number(coupon.get());
}

pub(crate) async fn mark(reader: &Reader, coupon: CouponId) -> Result<Option<LedgerMark>, Failure> {
    let script = || {
        let mut script = Script::new();
        select(&mut script, coupon);
        script
    };
    let answered = reader.ask_one(script).await?;
    let Some(found) = answered.rows.first() else {
        return Ok(None);
    };
    let identity = match (row::optional_text(found, 2)?, row::optional_text(found, 3)?) {
        (Some(run), Some(replication)) => Some(LedgerIdentity {
            run: run.into(),
            replication: replication.into(),
        }),
        (None, _) | (_, None) => None,
    };
    Ok(Some(LedgerMark {
        coupon: row::coupon(&row::text(found, 0)?)?,
        epoch: row::small(found, 1)?,
        identity,
        highest: row::small(found, 4)?,
        issued: row::small(found, 5)?,
    }))
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
             position_floor = GREATEST(position_floor, highest_position, ",
        )
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
