//! Notifications as rows: writing them beside what they tell of, and reading what they tell.

use crate::error::Failure;
use crate::history;
use crate::row::{ISSUED_COUPON, issued_coupon, packed, timestamp, unpacked};
use coupon_app::{About, News, Notification, NotificationId, NotificationKinds};
use coupon_core::{Coupon, CouponId, HistoryEntry, IssuedCouponId, Step, Timestamp};
use rusqlite::{Connection, OptionalExtension, Transaction};
use std::collections::HashMap;

/// The columns of a notification's identity, with its time.
pub(crate) const IDENTITY: &str = "n.subject, n.kind, n.detail, n.at";

/// Subject, kind and detail: the key of a notification.
pub(crate) fn key(id: NotificationId) -> (i64, &'static str, i64) {
    let key = id.key();
    let subject = packed(key.issued.coupon, key.issued.position.get());
    (subject, key.word, i64::from(key.detail))
}

/// The notification with this key.
pub(crate) fn id(subject: i64, kind: &str, detail: i64) -> Result<NotificationId, Failure> {
    let wrong = || Failure::Damaged(format!("{kind} {detail} of row {subject} is no notification"));
    let issued = unpacked(subject)?;
    let detail = u32::try_from(detail).map_err(|_out_of_range| wrong())?;
    NotificationId::from_key(issued, kind, detail).map_err(|_no_id| wrong())
}

/// Writes one, unless it is there or of a kind that is not wanted.
pub(crate) fn write(
    transaction: &Transaction<'_>,
    kinds: NotificationKinds,
    id: NotificationId,
    at: Timestamp,
) -> Result<(), Failure> {
    if kinds.has(id.kind()) {
        let (subject, kind, detail) = key(id);
        transaction
            .prepare_cached(
                "INSERT INTO notifications (subject, kind, detail, at, new_at) VALUES (?1, ?2, ?3, ?4, 0)
                 ON CONFLICT (subject, kind, detail) DO NOTHING",
            )?
            .execute((subject, kind, detail, at.as_micros()))?;
    }
    Ok(())
}

/// Writes what a step of an issued coupon is told as.
pub(crate) fn write_step(
    transaction: &Transaction<'_>,
    kinds: NotificationKinds,
    issued: IssuedCouponId,
    entry: &HistoryEntry,
) -> Result<(), Failure> {
    let id = NotificationId::of_step(issued, entry);
    write(transaction, kinds, id, entry.at)
}

/// Writes that a coupon is sold out, if the issues that were just counted have taken the last; the last of them was at
/// `at`.
pub(crate) fn write_sold_out(
    transaction: &Transaction<'_>,
    coupon: CouponId,
    at: Timestamp,
) -> Result<(), Failure> {
    transaction
        .prepare_cached(
            "INSERT INTO notifications (subject, kind, detail, at, new_at)
             SELECT (id << 32) | last_position, 'sold-out', 0, ?2, 0 FROM coupons WHERE id = ?1 AND issued = quantity
             ON CONFLICT (subject, kind, detail) DO NOTHING",
        )?
        .execute((coupon.get(), at.as_micros()))?;
    Ok(())
}

/// Reads what notifications tell. Coupons are read once, however many are told of.
#[derive(Default)]
pub(crate) struct Teller(HashMap<CouponId, Coupon>);

impl Teller {
    /// Everything that a channel needs to know of one.
    pub(crate) fn tell(
        &mut self,
        connection: &Connection,
        id: NotificationId,
        at: i64,
    ) -> Result<Notification, Failure> {
        let about = match id.issued_coupon() {
            None => sold_out(id)?,
            Some(of) => {
                let row = packed(of.coupon, of.position.get());
                let mut statement = connection.prepare_cached(&format!(
                    "SELECT {ISSUED_COUPON} FROM issued_coupons i WHERE i.id = ?1"
                ))?;
                let mut rows = statement.query([row])?;
                let found = rows.next()?.ok_or_else(|| missing(id))?;
                About::IssuedCoupon {
                    issued: Box::new(issued_coupon(found)?),
                    news: news(connection, id, row)?,
                }
            }
        };
        Ok(Notification {
            at: timestamp(at)?,
            coupon: self.coupon(connection, id.coupon())?.clone(),
            about,
        })
    }

    /// A coupon as it is.
    pub(crate) fn coupon(&mut self, connection: &Connection, id: CouponId) -> Result<&Coupon, Failure> {
        match self.0.entry(id) {
            std::collections::hash_map::Entry::Occupied(known) => Ok(known.into_mut()),
            std::collections::hash_map::Entry::Vacant(unknown) => {
                let json: Option<String> = connection
                    .prepare_cached(
                        "SELECT r.coupon FROM coupons c JOIN coupon_revisions r
                         ON r.coupon_id = c.id AND r.revision = c.revision WHERE c.id = ?1",
                    )?
                    .query_row([id.get()], |row| row.get(0))
                    .optional()?;
                let json = json.ok_or_else(|| Failure::Damaged(format!("coupon {id} is missing")))?;
                Ok(unknown.insert(serde_json::from_str(&json)?))
            }
        }
    }
}

fn missing(id: NotificationId) -> Failure {
    Failure::Damaged(format!("what notification {id} tells of is missing"))
}

fn sold_out(id: NotificationId) -> Result<About, Failure> {
    match id {
        NotificationId::SoldOut { position, .. } => Ok(About::SoldOut { position }),
        NotificationId::Issued(_)
        | NotificationId::Expiring { .. }
        | NotificationId::Redeemed { .. }
        | NotificationId::RedemptionCancelled { .. }
        | NotificationId::Expired(_)
        | NotificationId::Revoked(_) => Err(missing(id)),
    }
}

fn news(connection: &Connection, id: NotificationId, row: i64) -> Result<News, Failure> {
    Ok(match id {
        NotificationId::Issued(_) => News::Issued,
        NotificationId::Expired(_) => News::Expired,
        NotificationId::Revoked(_) => News::Revoked,
        NotificationId::Expiring { days, .. } => News::Expiring { days },
        NotificationId::Redeemed { number, .. } => match history::one(connection, row, number)?.step {
            Step::Redeemed { order, discount } => News::Redeemed {
                number,
                order,
                discount,
            },
            Step::Cancelled { .. } | Step::Revoked => return Err(missing(id)),
        },
        NotificationId::RedemptionCancelled { number, .. } => {
            match history::one(connection, row, number)?.step {
                Step::Cancelled { order } => News::RedemptionCancelled { number, order },
                Step::Redeemed { .. } | Step::Revoked => return Err(missing(id)),
            }
        }
        NotificationId::SoldOut { .. } => return Err(missing(id)),
    })
}
