//! Quarantine: records that must not stand among the others, each an alarm or one that came before its time.

use crate::error::Failure;
use crate::query::limit_of;
use crate::row;
use crate::script::Script;
use crate::store::Reader;
use coupon_app::{CommandToken, Epoch, IssuedRecord, Origin, Quarantined, Record, RevisedRecord, Suspicion};
use coupon_core::{Coupon, CouponId, Grant, KeyHash, UserId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sqlx::mysql::MySqlRow;

/// What tells records in quarantine apart: the same record of the same epoch is there once.
pub(crate) type Fingerprint = [u8; 16];

/// A record as it is written down.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Written {
    Issued {
        coupon: CouponId,
        user: UserId,
        grant: Grant,
        key: Option<KeyHash>,
    },
    Revised {
        coupon: Box<Coupon>,
        issued: u32,
        /// Not written where there is none, as it never was before it was known.
        #[serde(default, skip_serializing_if = "is_none")]
        lost: u32,
        #[serde(flatten)]
        actor: Origin,
        scope: Option<[u8; 16]>,
        payload: Option<[u8; 16]>,
    },
}

impl From<&Record> for Written {
    fn from(record: &Record) -> Self {
        match record {
            Record::Issued(issue) => Self::Issued {
                coupon: issue.coupon,
                user: issue.user.clone(),
                grant: issue.grant,
                key: issue.key,
            },
            Record::Revised(revised) => Self::Revised {
                coupon: Box::new(revised.coupon.clone()),
                issued: revised.issued,
                lost: revised.lost,
                actor: revised.actor.clone(),
                scope: revised.token.map(|token| token.scope),
                payload: revised.token.map(|token| token.payload),
            },
        }
    }
}

impl From<Written> for Record {
    fn from(written: Written) -> Self {
        match written {
            Written::Issued {
                coupon,
                user,
                grant,
                key,
            } => Self::Issued(IssuedRecord {
                coupon,
                user,
                grant,
                key,
            }),
            Written::Revised {
                coupon,
                issued,
                lost,
                actor,
                scope,
                payload,
            } => Self::Revised(Box::new(RevisedRecord {
                coupon: *coupon,
                issued,
                lost,
                actor,
                token: scope
                    .zip(payload)
                    .map(|(scope, payload)| CommandToken { scope, payload }),
            })),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_none(count: &u32) -> bool {
    *count == 0
}

fn json(record: &Record) -> Result<String, Failure> {
    Ok(serde_json::to_string(&Written::from(record))?)
}

pub(crate) fn fingerprint(record: &Record, epoch: Epoch) -> Result<Fingerprint, Failure> {
    let digest = Sha256::new()
        .chain_update(epoch.to_be_bytes())
        .chain_update(json(record)?)
        .finalize();
    let mut fingerprint = [0; 16];
    fingerprint.copy_from_slice(&digest[..16]);
    Ok(fingerprint)
}

const COLUMNS: &str = "number, reason, epoch, record, fingerprint";

fn record(found: &MySqlRow) -> Result<(Quarantined, Fingerprint), Failure> {
    let reason = row::text(found, 1)?;
    let written: Written = serde_json::from_str(&row::text(found, 3)?)?;
    let kept = Quarantined {
        number: row::unsigned(found, 0)?,
        reason: Suspicion::parse(&reason)
            .ok_or_else(|| Failure::Damaged(format!("the reason {reason} in quarantine")))?,
        epoch: row::small(found, 2)?,
        record: written.into(),
    };
    let fingerprint = row::bytes(found, 4)?.try_into();
    let fingerprint = fingerprint.map_err(|_| Failure::Damaged("a fingerprint in quarantine".to_owned()))?;
    Ok((kept, fingerprint))
}

/// A page of what is there, by number.
pub(crate) async fn page(reader: &Reader, after: u64, limit: usize) -> Result<Vec<Quarantined>, Failure> {
    paged(reader, "TRUE", after, limit).await
}

/// A page of what nobody has dismissed, by number.
pub(crate) async fn listed(reader: &Reader, after: u64, limit: usize) -> Result<Vec<Quarantined>, Failure> {
    paged(reader, "dismissed = 0", after, limit).await
}

async fn paged(
    reader: &Reader,
    condition: &'static str,
    after: u64,
    limit: usize,
) -> Result<Vec<Quarantined>, Failure> {
    let script = || {
        let mut script = Script::new();
        script
            .statement("SELECT ")
            .sql(COLUMNS)
            .sql(" FROM quarantine WHERE ")
            .sql(condition)
            .sql(" AND number > ")
            .number(after);
        script.sql(" ORDER BY number LIMIT ").number(limit_of(limit));
        script
    };
    let answered = reader.ask_one(script).await?;
    let kept = answered
        .rows
        .iter()
        .map(|found| record(found).map(|(kept, _)| kept));
    kept.collect()
}

/// Takes everything through this number off the list, and says how many. If the answer is lost and it is asked again,
/// those of the first time are not counted.
pub(crate) async fn dismiss(reader: &Reader, through: u64) -> Result<u64, Failure> {
    let script = || {
        let mut script = Script::new();
        script
            .statement("UPDATE quarantine SET dismissed = 1 WHERE dismissed = 0 AND number <= ")
            .number(through);
        script
    };
    Ok(reader.ask_one(script).await?.affected)
}

/// Asks for those of a coupon that wait for a revision, in order of position.
pub(crate) fn ask_waiting(script: &mut Script, coupon: CouponId, limit: usize) {
    script
        .statement("SELECT ")
        .sql(COLUMNS)
        .sql(" FROM quarantine WHERE reason IN ('unknown-coupon', 'quantity-exceeded') AND coupon_id = ")
        .number(coupon.get())
        .sql(" AND position IS NOT NULL ORDER BY position, number LIMIT ")
        .number(limit_of(limit));
}

/// Asks for those with these fingerprints.
pub(crate) fn ask_known(script: &mut Script, fingerprints: &[Fingerprint]) {
    script
        .statement("SELECT ")
        .sql(COLUMNS)
        .sql(" FROM quarantine WHERE fingerprint IN (");
    for (index, fingerprint) in fingerprints.iter().enumerate() {
        script.sql(if index == 0 { "" } else { ", " }).bytes(fingerprint);
    }
    script.sql(")");
}

/// What the two questions above found.
pub(crate) fn found(rows: &[MySqlRow]) -> Result<Vec<(Quarantined, Fingerprint)>, Failure> {
    rows.iter().map(record).collect()
}

/// Puts a record there, or gives one that is there another reason.
pub(crate) fn put(
    script: &mut Script,
    coupon: CouponId,
    record: &Record,
    epoch: Epoch,
    reason: Suspicion,
) -> Result<(), Failure> {
    script
        .statement(
            "INSERT INTO quarantine (fingerprint, coupon_id, epoch, position, user_id, reason, record) VALUES (",
        )
        .bytes(&fingerprint(record, epoch)?)
        .sql(", ")
        .number(coupon.get())
        .sql(", ")
        .number(epoch)
        .sql(", ");
    if let Record::Issued(issue) = record {
        script
            .number(issue.grant.position.get())
            .sql(", ")
            .bytes(issue.user.as_bytes());
    } else {
        script.sql("NULL, NULL");
    }
    script
        .sql(", '")
        .sql(reason.name())
        .sql("', ")
        .text(&json(record)?);
    script
        .sql(") ON DUPLICATE KEY UPDATE reason = '")
        .sql(reason.name())
        .sql("'");
    Ok(())
}

/// Takes a record out.
pub(crate) fn lift(script: &mut Script, fingerprint: &Fingerprint) {
    script
        .statement("DELETE FROM quarantine WHERE fingerprint = ")
        .bytes(fingerprint);
}
