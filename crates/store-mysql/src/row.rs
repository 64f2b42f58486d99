//! Values out of rows.

use crate::error::Failure;
use coupon_core::{
    Amount, Coupon, CouponId, Grant, IssuedCoupon, KeyHash, Order, OrderId, Position, Redemption, Revision,
    Timestamp, UserId,
};
use sqlx::Row;
use sqlx::mysql::MySqlRow;

fn damaged(what: &str) -> Failure {
    Failure::Damaged(what.to_owned())
}

/// A number, signed or not. The engines disagree about the types of expressions, so only the value counts.
pub(crate) fn signed(row: &MySqlRow, column: usize) -> Result<i64, Failure> {
    Ok(row.try_get_unchecked(column)?)
}

pub(crate) fn optional_signed(row: &MySqlRow, column: usize) -> Result<Option<i64>, Failure> {
    Ok(row.try_get_unchecked(column)?)
}

pub(crate) fn unsigned(row: &MySqlRow, column: usize) -> Result<u64, Failure> {
    Ok(row.try_get_unchecked(column)?)
}

pub(crate) fn optional_unsigned(row: &MySqlRow, column: usize) -> Result<Option<u64>, Failure> {
    Ok(row.try_get_unchecked(column)?)
}

pub(crate) fn small(row: &MySqlRow, column: usize) -> Result<u32, Failure> {
    Ok(row.try_get_unchecked(column)?)
}

pub(crate) fn bytes(row: &MySqlRow, column: usize) -> Result<Vec<u8>, Failure> {
    Ok(row.try_get_unchecked(column)?)
}

pub(crate) fn text(row: &MySqlRow, column: usize) -> Result<String, Failure> {
    String::from_utf8(bytes(row, column)?).map_err(|_not_utf8| damaged("text that is not UTF-8"))
}

pub(crate) fn optional_text(row: &MySqlRow, column: usize) -> Result<Option<String>, Failure> {
    let bytes: Option<Vec<u8>> = row.try_get_unchecked(column)?;
    bytes
        .map(|bytes| String::from_utf8(bytes).map_err(|_not_utf8| damaged("text that is not UTF-8")))
        .transpose()
}

pub(crate) fn timestamp(row: &MySqlRow, column: usize) -> Result<Timestamp, Failure> {
    instant(signed(row, column)?)
}

pub(crate) fn optional_timestamp(row: &MySqlRow, column: usize) -> Result<Option<Timestamp>, Failure> {
    optional_signed(row, column)?.map(instant).transpose()
}

fn instant(micros: i64) -> Result<Timestamp, Failure> {
    Timestamp::from_micros(micros).ok_or_else(|| damaged("an instant outside the years 1970 to 9999"))
}

pub(crate) fn coupon_id(row: &MySqlRow, column: usize) -> Result<CouponId, Failure> {
    CouponId::new(small(row, column)?).map_err(|_not_an_id| damaged("a coupon id out of range"))
}

pub(crate) fn revision(row: &MySqlRow, column: usize) -> Result<Revision, Failure> {
    small(row, column)
}

pub(crate) fn user(row: &MySqlRow, column: usize) -> Result<UserId, Failure> {
    UserId::parse(text(row, column)?).map_err(|_not_a_user| damaged("a user id that is not one"))
}

pub(crate) fn key(row: &MySqlRow, column: usize) -> Result<Option<KeyHash>, Failure> {
    Ok(optional_unsigned(row, column)?.and_then(KeyHash::new))
}

/// Position, time of issue and end of validity, in three columns from `column`.
pub(crate) fn grant(row: &MySqlRow, column: usize) -> Result<Grant, Failure> {
    Ok(Grant {
        position: Position::new(small(row, column)?).ok_or_else(|| damaged("position 0"))?,
        issued_at: timestamp(row, column + 1)?,
        expires_at: timestamp(row, column + 2)?,
    })
}

pub(crate) fn coupon(json: &str) -> Result<Coupon, Failure> {
    Ok(serde_json::from_str(json)?)
}

/// The columns that [`issued_coupon`] reads.
pub(crate) const ISSUED_COLUMNS: &str = "coupon_id, user_id, position, issued_at, expires_at, redeemed_at, order_id, revoked_at, \
     order_amount, discount_amount";

pub(crate) fn issued_coupon(row: &MySqlRow) -> Result<IssuedCoupon, Failure> {
    let order = (optional_order_id(row, 6)?, optional_amount(row, 8)?);
    let redemption = match (optional_timestamp(row, 5)?, order) {
        (Some(redeemed_at), (Some(id), Some(amount))) => Some(Redemption {
            redeemed_at,
            order: Order { id, amount },
            discount: optional_amount(row, 9)?,
        }),
        (None, _) => None,
        (Some(_), _) => return Err(damaged("a redemption without an order")),
    };
    Ok(IssuedCoupon {
        coupon: coupon_id(row, 0)?,
        user: user(row, 1)?,
        grant: grant(row, 2)?,
        redemption,
        revoked_at: optional_timestamp(row, 7)?,
    })
}

pub(crate) fn optional_order_id(row: &MySqlRow, column: usize) -> Result<Option<OrderId>, Failure> {
    optional_text(row, column)?
        .map(|id| OrderId::parse(id).map_err(|_not_one| damaged("an order id")))
        .transpose()
}

pub(crate) fn optional_amount(row: &MySqlRow, column: usize) -> Result<Option<Amount>, Failure> {
    optional_unsigned(row, column)?
        .map(|units| Amount::new(units).map_err(|_not_one| damaged("an amount")))
        .transpose()
}

/// A hash of 16 bytes.
pub(crate) fn hash(row: &MySqlRow, column: usize) -> Result<[u8; 16], Failure> {
    <[u8; 16]>::try_from(bytes(row, column)?).map_err(|_other| damaged("a hash of another length"))
}
