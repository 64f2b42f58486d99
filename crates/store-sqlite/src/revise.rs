//! Revisions of coupons, and the command tokens that came with them.

use crate::audit;
use crate::error::Failure;
use crate::quarantine::{Suspicion, keep_revised};
use coupon_app::limits::{COMMAND_TOKEN_LIFE_US, MAX_COMMAND_TOKENS};
use coupon_app::{CommandToken, RevisedRecord, Seq};
use rusqlite::{OptionalExtension, Transaction};

/// What became of a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Revised {
    /// It was written, or it was there already.
    Kept,
    /// It went to quarantine.
    Quarantined,
}

/// Writes one revision. It is not judged again, but two different revisions of one number, and a quantity below what
/// is issued, are alarms.
pub(crate) fn revise(
    transaction: &Transaction<'_>,
    seq: Seq,
    record: &RevisedRecord,
) -> Result<Revised, Failure> {
    let coupon = &record.coupon;
    let json = serde_json::to_string(coupon)?;
    let kept: Option<String> = transaction
        .prepare_cached("SELECT coupon FROM coupon_revisions WHERE coupon_id = ?1 AND revision = ?2")?
        .query_row((coupon.id.get(), coupon.revision), |row| row.get(0))
        .optional()?;
    let suspicion = match kept {
        Some(same) if same == json => None,
        Some(_) => Some(Suspicion::RevisionTaken),
        None => write(transaction, record, &json)?,
    };
    if let Some(suspicion) = suspicion {
        keep_revised(transaction, seq, suspicion, record, &json)?;
        return Ok(Revised::Quarantined);
    }
    if let Some(token) = &record.token {
        keep_token(transaction, record, token)?;
    }
    Ok(Revised::Kept)
}

fn write(
    transaction: &Transaction<'_>,
    record: &RevisedRecord,
    json: &str,
) -> Result<Option<Suspicion>, Failure> {
    let coupon = &record.coupon;
    let quantity = coupon.terms.quantity.limit().map(std::num::NonZeroU32::get);
    let standing: Option<(u32, u32)> = transaction
        .prepare_cached("SELECT issued, revision FROM coupons WHERE id = ?1")?
        .query_row([coupon.id.get()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match standing {
        None => {
            transaction
                .prepare_cached(
                    "INSERT INTO coupons (id, revision, quantity, deleted) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute((coupon.id.get(), coupon.revision, quantity, coupon.deleted))?;
        }
        // A revision that comes late fills its place in the history and is not the present one.
        Some((_, revision)) if coupon.revision < revision => {}
        Some((issued, _)) if quantity.is_some_and(|quantity| quantity < issued) => {
            return Ok(Some(Suspicion::QuantityBelowIssued));
        }
        Some(_) => {
            transaction
                .prepare_cached(
                    "UPDATE coupons SET revision = ?2, quantity = ?3, deleted = ?4 WHERE id = ?1",
                )?
                .execute((coupon.id.get(), coupon.revision, quantity, coupon.deleted))?;
        }
    }
    transaction
        .prepare_cached(
            "INSERT INTO coupon_revisions (coupon_id, revision, coupon, issued, actor, revised_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute((
            coupon.id.get(),
            coupon.revision,
            json,
            record.issued,
            &*record.actor.key,
            coupon.revised_at.as_micros(),
        ))?;
    audit::revised(transaction, record)?;
    Ok(None)
}

/// Keeps the newest command of a token's scope. Redelivered, it stays where it stands in the order.
fn keep_token(
    transaction: &Transaction<'_>,
    record: &RevisedRecord,
    token: &CommandToken,
) -> Result<(), Failure> {
    let coupon = &record.coupon;
    let known: Option<i64> = transaction
        .prepare_cached(
            "SELECT number FROM command_tokens WHERE scope = ?1 AND payload = ?2 AND coupon_id = ?3 AND revision = ?4",
        )?
        .query_row(
            (&token.scope, &token.payload, coupon.id.get(), coupon.revision),
            |row| row.get(0),
        )
        .optional()?;
    if known.is_some() {
        return Ok(());
    }
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO command_tokens (scope, payload, coupon_id, revision, issued, actor, decided_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute((
            &token.scope,
            &token.payload,
            coupon.id.get(),
            coupon.revision,
            record.issued,
            &*record.actor.key,
            coupon.revised_at.as_micros(),
        ))?;
    Ok(())
}

/// Drops the tokens that have outlived their day, counted from the newest, and the oldest beyond the most that are
/// kept.
pub(crate) fn prune_tokens(transaction: &Transaction<'_>) -> Result<(), Failure> {
    transaction
        .prepare_cached(
            "DELETE FROM command_tokens WHERE decided_at < (SELECT max(decided_at) FROM command_tokens) - ?1",
        )?
        .execute([COMMAND_TOKEN_LIFE_US])?;
    let most = i64::try_from(MAX_COMMAND_TOKENS).unwrap_or(i64::MAX);
    transaction
        .prepare_cached(
            "DELETE FROM command_tokens
             WHERE number <= (SELECT number FROM command_tokens ORDER BY number DESC LIMIT 1 OFFSET ?1)",
        )?
        .execute([most])?;
    Ok(())
}
