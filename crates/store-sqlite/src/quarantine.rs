//! Quarantine: records that must not stand among the others, kept whole with the reason.

use crate::error::Failure;
use crate::row::{key_bits, seq_column, timestamp, user};
use coupon_app::{IssuedRecord, RevisedRecord, Seq};
use coupon_core::{CouponId, Grant, Position, UserId};
use rusqlite::{Connection, Transaction};

/// Why a record was not written where it belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Suspicion {
    /// Issued: the store knows no such coupon.
    UnknownCoupon,
    /// Issued: the quantity is used up.
    QuantityExceeded,
    /// Issued: another user has this position.
    PositionTaken,
    /// Issued: this user has this coupon at another position.
    AlreadyHeld,
    /// Revised: this revision is there with other content.
    RevisionTaken,
    /// Revised: more are issued than the new quantity.
    QuantityBelowIssued,
}

impl Suspicion {
    const ALL: [Self; 6] = [
        Self::UnknownCoupon,
        Self::QuantityExceeded,
        Self::PositionTaken,
        Self::AlreadyHeld,
        Self::RevisionTaken,
        Self::QuantityBelowIssued,
    ];

    /// Its written form, in the table and in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnknownCoupon => "unknown-coupon",
            Self::QuantityExceeded => "quantity-exceeded",
            Self::PositionTaken => "position-taken",
            Self::AlreadyHeld => "already-held",
            Self::RevisionTaken => "revision-taken",
            Self::QuantityBelowIssued => "quantity-below-issued",
        }
    }

    fn parse(name: &str) -> Result<Self, Failure> {
        let mut all = Self::ALL.into_iter();
        all.find(|suspicion| suspicion.name() == name)
            .ok_or_else(|| Failure::Damaged(format!("{name} is no reason for quarantine")))
    }
}

/// A record in quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// Its number in the quarantine, counted from 1.
    pub number: u64,
    /// The entry that it came with.
    pub seq: Seq,
    /// Why.
    pub suspicion: Suspicion,
    /// Of which coupon.
    pub coupon: CouponId,
    /// What it gave and to whom; `None` when it was a revision.
    pub issued: Option<(UserId, Grant)>,
}

/// Keeps an issue.
pub(crate) fn keep_issued(
    transaction: &Transaction<'_>,
    seq: Seq,
    suspicion: Suspicion,
    record: &IssuedRecord,
) -> Result<(), Failure> {
    transaction
        .prepare_cached(
            "INSERT INTO quarantine (seq, reason, coupon_id, position, user_id, issued_at, expires_at, key_hash)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute((
            seq_column(seq)?,
            suspicion.name(),
            record.coupon.get(),
            record.grant.position.get(),
            record.user.as_bytes(),
            record.grant.issued_at.as_micros(),
            record.grant.expires_at.as_micros(),
            key_bits(record.key),
        ))?;
    // The user id stays out of the log.
    tracing::error!(
        seq,
        coupon = record.coupon.get(),
        position = record.grant.position.get(),
        reason = suspicion.name(),
        "an issue went to quarantine"
    );
    Ok(())
}

/// Keeps a revision.
pub(crate) fn keep_revised(
    transaction: &Transaction<'_>,
    seq: Seq,
    suspicion: Suspicion,
    record: &RevisedRecord,
    json: &str,
) -> Result<(), Failure> {
    transaction
        .prepare_cached(
            "INSERT INTO quarantine (seq, reason, coupon_id, revision, coupon, actor)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute((
            seq_column(seq)?,
            suspicion.name(),
            record.coupon.id.get(),
            record.coupon.revision,
            json,
            &*record.actor.key,
        ))?;
    tracing::error!(
        seq,
        coupon = record.coupon.id.get(),
        revision = record.coupon.revision,
        reason = suspicion.name(),
        "a revision went to quarantine"
    );
    Ok(())
}

/// How many records are in quarantine.
pub(crate) fn count(connection: &Connection) -> Result<u64, Failure> {
    let count = connection
        .prepare_cached("SELECT count(*) FROM quarantine")?
        .query_row([], |row| row.get(0))?;
    crate::row::sum(count)
}

/// The records after number `after`, at most `limit`.
pub(crate) fn page(connection: &Connection, after: u64, limit: usize) -> Result<Vec<Quarantined>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT number, seq, reason, coupon_id, position, user_id, issued_at, expires_at FROM quarantine
         WHERE number > ?1 ORDER BY number LIMIT ?2",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query((seq_column(after)?, limit))?;
    let mut page = Vec::new();
    while let Some(row) = rows.next()? {
        let coupon = CouponId::new(row.get(3)?).map_err(|error| Failure::Damaged(error.to_string()))?;
        let issued = match row.get::<_, Option<u32>>(4)?.and_then(Position::new) {
            Some(position) => {
                let grant = Grant {
                    position,
                    issued_at: timestamp(row.get(6)?)?,
                    expires_at: timestamp(row.get(7)?)?,
                };
                Some((user(row.get_ref(5)?)?, grant))
            }
            None => None,
        };
        page.push(Quarantined {
            number: crate::row::sum(row.get(0)?)?,
            seq: crate::row::sum(row.get(1)?)?,
            suspicion: Suspicion::parse(&row.get::<_, String>(2)?)?,
            coupon,
            issued,
        });
    }
    Ok(page)
}
