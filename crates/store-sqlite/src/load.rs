//! Loading: everything as of one instant, for a ledger that is being rebuilt.

use crate::apply::applied_seq;
use crate::error::Failure;
use crate::migrations::{WITH_AUDIT_LOG, format};
use crate::row::{key_hash, timestamp, unpacked, user};
use crate::tail::Census;
use coupon_app::{AuditAction, CommandToken, IssuedRecord, Origin, Restore, RevisedRecord, Seq};
use coupon_core::{Coupon, CouponId, Grant};
use rusqlite::Connection;

/// Hands everything over in one read transaction, from a file of any format, and shows `census` each issued coupon on the way.
pub(crate) fn load(
    connection: &mut Connection,
    restore: &mut (dyn Restore + Send),
    census: &mut Option<Census>,
) -> Result<Seq, Failure> {
    let snapshot = connection.transaction()?;
    let seq = applied_seq(&snapshot)?;
    coupons(&snapshot, restore)?;
    issued(&snapshot, restore, census)?;
    tokens(&snapshot, restore)?;
    Ok(seq)
}

fn coupons(snapshot: &Connection, restore: &mut (dyn Restore + Send)) -> Result<(), Failure> {
    let mut statement = snapshot.prepare(
        "SELECT r.coupon FROM coupons c JOIN coupon_revisions r ON r.coupon_id = c.id AND r.revision = c.revision
         ORDER BY c.id",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let json = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
        restore.coupon(serde_json::from_str::<Coupon>(json)?);
    }
    Ok(())
}

fn issued(
    snapshot: &Connection,
    restore: &mut (dyn Restore + Send),
    census: &mut Option<Census>,
) -> Result<(), Failure> {
    let mut statement = snapshot
        .prepare("SELECT id, user_id, issued_at, expires_at, key_hash FROM issued_coupons ORDER BY id")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let id = unpacked(row.get(0)?)?;
        let user = user(row.get_ref(1)?)?;
        if let Some(census) = census {
            census.count(&user, id.coupon);
        }
        restore.issued(IssuedRecord {
            coupon: id.coupon,
            user,
            grant: Grant {
                position: id.position,
                issued_at: timestamp(row.get(2)?)?,
                expires_at: timestamp(row.get(3)?)?,
            },
            key: key_hash(row.get(4)?),
        });
    }
    Ok(())
}

fn tokens(snapshot: &Connection, restore: &mut (dyn Restore + Send)) -> Result<(), Failure> {
    let (told, log) = if format(snapshot)? >= WITH_AUDIT_LOG {
        (
            "a.request_id, a.action, a.cloned_from",
            "LEFT JOIN audit_log a ON a.coupon_id = t.coupon_id AND a.revision = t.revision",
        )
    } else {
        ("NULL, NULL, NULL", "")
    };
    let mut statement = snapshot.prepare(&format!(
        "SELECT t.scope, t.payload, r.coupon, t.issued, t.actor, {told} FROM command_tokens t
         JOIN coupon_revisions r ON r.coupon_id = t.coupon_id AND r.revision = t.revision
         {log} ORDER BY t.number"
    ))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let token = CommandToken {
            scope: row.get(0)?,
            payload: row.get(1)?,
        };
        let json = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
        let record = RevisedRecord {
            coupon: serde_json::from_str(json)?,
            issued: row.get(3)?,
            lost: 0,
            actor: Origin {
                key: row.get(4)?,
                request: row.get(5)?,
                action: row
                    .get::<_, Option<String>>(6)?
                    .as_deref()
                    .and_then(AuditAction::parse),
                cloned_from: row
                    .get::<_, Option<u32>>(7)?
                    .and_then(|id| CouponId::new(id).ok()),
            },
            token: Some(token),
        };
        restore.token(record, token);
    }
    Ok(())
}
