//! The fold: brings the users of the tail into the table `holders`, in the order of its key.

use crate::error::Failure;
use rusqlite::Transaction;

/// Folds every row that is not indexed yet, as part of `transaction`.
///
/// `OR ROLLBACK`, because the default keeps an image of every page that the statement touches, in case it is undone
/// alone; here a user who stands twice is damage, and nothing of the transaction is to stay.
pub(crate) fn fold(transaction: &Transaction<'_>) -> Result<(), Failure> {
    transaction
        .prepare_cached(
            "INSERT OR ROLLBACK INTO holders (user_id, coupon_id, position)
             SELECT i.user_id, i.coupon_id, i.position FROM coupons c JOIN issued_coupons i
             ON i.id > (c.id << 32) + c.indexed_through AND i.id <= (c.id << 32) + c.last_position
             WHERE c.indexed_through < c.last_position
             ORDER BY i.user_id, i.coupon_id",
        )?
        .execute([])?;
    transaction
        .prepare_cached(
            "UPDATE coupons SET indexed_through = last_position WHERE indexed_through < last_position",
        )?
        .execute([])?;
    Ok(())
}
