//! Between rows and the words of the domain.

use crate::error::Failure;
use coupon_app::Seq;
use coupon_core::{
    Amount, CouponId, Grant, IssuedCoupon, IssuedCouponId, KeyHash, Order, OrderId, Position, Redemption,
    Timestamp, UserId,
};
use rusqlite::Row;
use rusqlite::types::ValueRef;

/// The columns that [`issued_coupon`] reads, in its order.
pub(crate) const ISSUED_COUPON: &str =
    "i.id, i.user_id, i.issued_at, i.expires_at, i.redeemed_at, i.order_id, i.revoked_at, i.order_amount,
     i.discount_amount";

/// The key of an issued coupon's row: the coupon in the upper bits, the position in the lower 32.
pub(crate) fn packed(coupon: CouponId, position: u32) -> i64 {
    i64::from(coupon.get()) << 32 | i64::from(position)
}

/// The issued coupon with this key.
pub(crate) fn unpacked(id: i64) -> Result<IssuedCouponId, Failure> {
    let coupon = u32::try_from(id >> 32)
        .ok()
        .and_then(|number| CouponId::new(number).ok());
    let position = u32::try_from(id & i64::from(u32::MAX))
        .ok()
        .and_then(Position::new);
    match (coupon, position) {
        (Some(coupon), Some(position)) => Ok(IssuedCouponId { coupon, position }),
        (None, _) | (_, None) => Err(Failure::Damaged(format!("{id} is no key of an issued coupon"))),
    }
}

/// An instant.
pub(crate) fn timestamp(micros: i64) -> Result<Timestamp, Failure> {
    Timestamp::from_micros(micros).ok_or_else(|| Failure::Damaged(format!("{micros} is no instant")))
}

/// An instant that may be missing.
pub(crate) fn optional_timestamp(micros: Option<i64>) -> Result<Option<Timestamp>, Failure> {
    micros.map(timestamp).transpose()
}

/// A user id, straight from the row's memory.
pub(crate) fn user(value: ValueRef<'_>) -> Result<UserId, Failure> {
    let bytes = value.as_blob().map_err(rusqlite::Error::from)?;
    std::str::from_utf8(bytes)
        .ok()
        .and_then(|text| UserId::parse(text).ok())
        .ok_or_else(|| Failure::Damaged("a user id that cannot be one".into()))
}

/// The hash of an idempotency key: all 64 bits, kept in SQLite's signed integer.
pub(crate) fn key_hash(bits: Option<i64>) -> Option<KeyHash> {
    bits.and_then(|bits| KeyHash::new(bits.cast_unsigned()))
}

/// The same, the other way.
pub(crate) fn key_bits(hash: Option<KeyHash>) -> Option<i64> {
    hash.map(|hash| hash.get().cast_signed())
}

/// A number that must fit 32 bits.
pub(crate) fn count(number: i64) -> Result<u32, Failure> {
    u32::try_from(number).map_err(|_out_of_range| Failure::Damaged(format!("{number} where a count belongs")))
}

/// A sum that must not be negative.
pub(crate) fn sum(number: i64) -> Result<u64, Failure> {
    u64::try_from(number).map_err(|_negative| Failure::Damaged(format!("{number} where a sum belongs")))
}

/// An entry's number as SQLite holds it.
pub(crate) fn seq_column(seq: Seq) -> Result<i64, Failure> {
    i64::try_from(seq).map_err(|_too_large| Failure::TooLarge(seq))
}

/// An amount of money.
pub(crate) fn amount(units: i64) -> Result<Amount, Failure> {
    u64::try_from(units)
        .ok()
        .and_then(|units| Amount::new(units).ok())
        .ok_or_else(|| Failure::Damaged(format!("{units} is no amount")))
}

/// An amount that may be missing.
pub(crate) fn optional_amount(units: Option<i64>) -> Result<Option<Amount>, Failure> {
    units.map(amount).transpose()
}

/// The id of an order that may be missing.
pub(crate) fn order_id(value: ValueRef<'_>) -> Result<Option<OrderId>, Failure> {
    let text = value.as_str_or_null().map_err(rusqlite::Error::from)?;
    let parsed = text.map(OrderId::parse).transpose();
    parsed.map_err(|_not_one| Failure::Damaged("an order id that cannot be one".into()))
}

/// The redemption that stands: all of its columns, or none.
fn redemption(id: IssuedCouponId, row: &Row<'_>) -> Result<Option<Redemption>, Failure> {
    let redeemed_at = optional_timestamp(row.get(4)?)?;
    let order = order_id(row.get_ref(5)?)?;
    let units = optional_amount(row.get(7)?)?;
    let discount = optional_amount(row.get(8)?)?;
    match (redeemed_at, order, units) {
        (None, None, None) if discount.is_none() => Ok(None),
        (Some(redeemed_at), Some(order), Some(amount)) => Ok(Some(Redemption {
            redeemed_at,
            order: Order { id: order, amount },
            discount,
        })),
        _ => Err(Failure::Damaged(format!("{id} is redeemed in part"))),
    }
}

/// An issued coupon from the columns of [`ISSUED_COUPON`].
pub(crate) fn issued_coupon(row: &Row<'_>) -> Result<IssuedCoupon, Failure> {
    let id = unpacked(row.get(0)?)?;
    let redemption = redemption(id, row)?;
    Ok(IssuedCoupon {
        coupon: id.coupon,
        user: user(row.get_ref(1)?)?,
        grant: Grant {
            position: id.position,
            issued_at: timestamp(row.get(2)?)?,
            expires_at: timestamp(row.get(3)?)?,
        },
        redemption,
        revoked_at: optional_timestamp(row.get(6)?)?,
    })
}
