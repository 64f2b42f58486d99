//! Questions about what is in the store. Each is served by a key of its table.

use crate::error::Failure;
use crate::limits;
use crate::row::{self, ISSUED_COLUMNS};
use crate::rows;
use crate::script::Script;
use crate::store::Reader;
use coupon_app::{StoreTally, WalletFilter};
use coupon_core::{CouponId, Held, IssuedCoupon, IssuedCouponId, IssuedState, Timestamp, UserId};
use std::collections::HashMap;

/// A page's size as SQL takes it.
pub(crate) fn limit_of(limit: usize) -> u64 {
    u64::try_from(limit).unwrap_or(u64::MAX)
}

fn select() -> Script {
    let mut script = Script::new();
    script
        .statement("SELECT ")
        .sql(ISSUED_COLUMNS)
        .sql(" FROM issued_coupons ");
    script
}

/// By the key `holder`: a user has few, so they are sorted as they are found.
pub(crate) async fn wallet(
    reader: &Reader,
    user: &UserId,
    filter: WalletFilter,
) -> Result<Vec<IssuedCoupon>, Failure> {
    let script = || {
        let mut script = select();
        script.sql("WHERE user_id = ").bytes(user.as_bytes());
        if let Some(after) = filter.after {
            let (issued_at, coupon) = (after.issued_at.as_micros(), after.coupon.get());
            script.sql(" AND (issued_at < ").number(issued_at);
            script.sql(" OR issued_at = ").number(issued_at);
            script.sql(" AND coupon_id < ").number(coupon).sql(")");
        }
        in_state(&mut script, filter.state, filter.now);
        script
            .sql(" ORDER BY issued_at DESC, coupon_id DESC LIMIT ")
            .number(limit_of(filter.limit));
        script
    };
    all(reader, script).await
}

/// The conditions that [`IssuedCoupon::state`] puts into words.
fn in_state(script: &mut Script, state: Option<IssuedState>, now: Timestamp) {
    let now = now.as_micros();
    match state {
        None => {}
        Some(IssuedState::Revoked) => {
            script.sql(" AND revoked_at IS NOT NULL");
        }
        Some(IssuedState::Redeemed) => {
            script.sql(" AND revoked_at IS NULL AND redeemed_at IS NOT NULL");
        }
        Some(IssuedState::Expired) => {
            script
                .sql(" AND revoked_at IS NULL AND redeemed_at IS NULL AND expires_at <= ")
                .number(now);
        }
        Some(IssuedState::Issued) => {
            script
                .sql(" AND revoked_at IS NULL AND redeemed_at IS NULL AND expires_at > ")
                .number(now);
        }
    }
}

async fn all(reader: &Reader, script: impl Fn() -> Script) -> Result<Vec<IssuedCoupon>, Failure> {
    let answered = reader.ask_one(script).await?;
    answered.rows.iter().map(row::issued_coupon).collect()
}

pub(crate) async fn issued_coupon(
    reader: &Reader,
    id: IssuedCouponId,
) -> Result<Option<IssuedCoupon>, Failure> {
    let script = || {
        let mut script = select();
        script.sql("WHERE coupon_id = ").number(id.coupon.get());
        script.sql(" AND position = ").number(id.position.get());
        script
    };
    Ok(all(reader, script).await?.pop())
}

/// What these users hold, in the order asked.
pub(crate) async fn held(
    reader: &Reader,
    coupon: CouponId,
    users: &[UserId],
) -> Result<Vec<Option<Held>>, Failure> {
    let mut found: HashMap<UserId, Held> = HashMap::new();
    for some in users.chunks(limits::MAX_ASKED_USERS) {
        let script = || {
            let mut script = Script::new();
            rows::ask_holders(&mut script, coupon, some.iter());
            script
        };
        for row in &reader.ask_one(script).await?.rows {
            let held = Held {
                grant: row::grant(row, 1)?,
                key: row::key(row, 4)?,
            };
            found.insert(row::user(row, 0)?, held);
        }
    }
    Ok(users.iter().map(|user| found.get(user).copied()).collect())
}

pub(crate) async fn issued_coupons(
    reader: &Reader,
    coupon: CouponId,
    after: u32,
    limit: usize,
) -> Result<Vec<IssuedCoupon>, Failure> {
    let script = || {
        let mut script = select();
        script.sql("WHERE coupon_id = ").number(coupon.get());
        script.sql(" AND position > ").number(after);
        script.sql(" ORDER BY position LIMIT ").number(limit_of(limit));
        script
    };
    all(reader, script).await
}

/// From the counts beside the coupon. Only while some have expired and others have not are rows counted: see
/// docs/decisions/0063.
pub(crate) async fn tally(reader: &Reader, coupon: CouponId, now: Timestamp) -> Result<StoreTally, Failure> {
    let counts = || {
        let mut script = Script::new();
        script
            .statement(
                "SELECT c.issued, COALESCE(u.redeemed, 0), COALESCE(u.revoked, 0), COALESCE(u.cancelled, 0), \
                 c.first_expiry, c.last_expiry FROM coupons c LEFT JOIN coupon_uses u ON u.coupon_id = c.id \
                 WHERE c.id = ",
            )
            .number(coupon.get());
        script
    };
    let answered = reader.ask_one(counts).await?;
    let Some(counted) = answered.rows.first() else {
        return Ok(StoreTally::default());
    };
    let mut tally = StoreTally {
        issued: row::unsigned(counted, 0)?,
        redeemed: row::unsigned(counted, 1)?,
        revoked: row::unsigned(counted, 2)?,
        cancelled: row::unsigned(counted, 3)?,
        expired: 0,
    };
    let (first, last) = (
        row::optional_timestamp(counted, 4)?,
        row::optional_timestamp(counted, 5)?,
    );
    if last.is_some_and(|last| now >= last) {
        tally.expired = tally.issued.saturating_sub(tally.redeemed + tally.revoked);
    } else if first.is_some_and(|first| now >= first) {
        tally.expired = expired(reader, coupon, now).await?;
    }
    Ok(tally)
}

async fn expired(reader: &Reader, coupon: CouponId, now: Timestamp) -> Result<u64, Failure> {
    let script = || {
        let mut script = Script::new();
        script
            .statement("SELECT COUNT(*) FROM issued_coupons WHERE coupon_id = ")
            .number(coupon.get());
        in_state(&mut script, Some(IssuedState::Expired), now);
        script
    };
    let answered = reader.ask_one(script).await?;
    answered
        .rows
        .first()
        .map_or(Ok(0), |counted| row::unsigned(counted, 0))
}

/// Whether the store answers and can write: a row is locked and written as it is, in a transaction that is undone.
pub(crate) async fn health(reader: &Reader) -> Result<(), Failure> {
    let script = || {
        let mut script = Script::new();
        script
            .statement("START TRANSACTION")
            .statement("INSERT INTO coupon_uses (coupon_id) VALUES (0)")
            .statement("ROLLBACK");
        script
    };
    reader.ask(script).await.map(drop)
}
