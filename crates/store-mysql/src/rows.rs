//! The statements that more than one room needs: coupons, revisions, issued coupons.

use crate::audit;
use crate::error::Failure;
use crate::limits;
use crate::script::Script;
use coupon_app::{Epoch, IssuedRecord, RevisedRecord};
use coupon_core::{Coupon, CouponId, Position, UserId};
use std::num::NonZeroU32;

/// What [`ask_holders`] and [`ask_positions`] select: user, then the columns of a grant, then the key.
const SELECT_HELD: &str =
    "SELECT user_id, position, issued_at, expires_at, key_hash FROM issued_coupons FORCE INDEX (";

/// Asks which of these users hold a coupon. The index is named, because with statistics that are old, as they are in
/// the middle of a sale, both engines would at times rather read the whole coupon.
pub(crate) fn ask_holders<'u>(
    script: &mut Script,
    coupon: CouponId,
    users: impl Iterator<Item = &'u UserId>,
) {
    script
        .statement(SELECT_HELD)
        .sql("holder) WHERE coupon_id = ")
        .number(coupon.get());
    script.sql(" AND user_id IN (");
    for (index, user) in users.enumerate() {
        script
            .sql(if index == 0 { "" } else { ", " })
            .bytes(user.as_bytes());
    }
    script.sql(")");
}

/// Asks which of these positions are taken.
pub(crate) fn ask_positions(
    script: &mut Script,
    coupon: CouponId,
    positions: impl Iterator<Item = Position>,
) {
    script
        .statement(SELECT_HELD)
        .sql("PRIMARY) WHERE coupon_id = ")
        .number(coupon.get());
    script.sql(" AND position IN (");
    for (index, position) in positions.enumerate() {
        script
            .sql(if index == 0 { "" } else { ", " })
            .number(position.get());
    }
    script.sql(")");
}

/// Inserts issued coupons behind what stands in `first`: as few round trips as their size allows.
pub(crate) fn insert_issues<'i>(
    first: Script,
    coupon: CouponId,
    epoch: Epoch,
    issues: impl Iterator<Item = &'i IssuedRecord>,
) -> Vec<Script> {
    let mut scripts: Vec<Script> = Vec::new();
    let mut script = first;
    let mut rows = 0;
    for issue in issues {
        if script.len() > limits::MAX_SCRIPT_BYTES {
            scripts.push(std::mem::take(&mut script));
            rows = 0;
        }
        if rows % limits::MAX_INSERT_ROWS == 0 {
            script.statement(
                "INSERT INTO issued_coupons \
                 (coupon_id, position, user_id, issued_at, expires_at, key_hash, epoch) VALUES (",
            );
        } else {
            script.sql(", (");
        }
        rows += 1;
        script
            .number(coupon.get())
            .sql(", ")
            .number(issue.grant.position.get());
        script.sql(", ").bytes(issue.user.as_bytes());
        script.sql(", ").number(issue.grant.issued_at.as_micros());
        script.sql(", ").number(issue.grant.expires_at.as_micros());
        script
            .sql(", ")
            .optional(issue.key.map(std::num::NonZeroU64::get));
        script.sql(", ").number(epoch).sql(")");
    }
    scripts.push(script);
    scripts
}

/// The ends of a batch of issues, by which the coupon's own are moved.
pub(crate) struct Ends {
    pub(crate) highest: u32,
    pub(crate) first_issued_at: i64,
    pub(crate) last_issued_at: i64,
    pub(crate) first_expiry: i64,
    pub(crate) last_expiry: i64,
}

impl Ends {
    /// Of issues in any order; `None` when there are none.
    pub(crate) fn of<'i>(issues: impl Iterator<Item = &'i IssuedRecord>) -> Option<Self> {
        issues.fold(None, |ends: Option<Self>, issue| {
            let (issued_at, expiry) = (
                issue.grant.issued_at.as_micros(),
                issue.grant.expires_at.as_micros(),
            );
            let position = issue.grant.position.get();
            Some(ends.map_or(
                Self {
                    highest: position,
                    first_issued_at: issued_at,
                    last_issued_at: issued_at,
                    first_expiry: expiry,
                    last_expiry: expiry,
                },
                |ends| Self {
                    highest: ends.highest.max(position),
                    first_issued_at: ends.first_issued_at.min(issued_at),
                    last_issued_at: ends.last_issued_at.max(issued_at),
                    first_expiry: ends.first_expiry.min(expiry),
                    last_expiry: ends.last_expiry.max(expiry),
                },
            ))
        })
    }

    /// Moves the coupon's ends, in an UPDATE.
    pub(crate) fn set(&self, script: &mut Script) {
        script
            .sql(", highest_position = GREATEST(highest_position, ")
            .number(self.highest);
        let mins = [
            ("first_issued_at", self.first_issued_at),
            ("first_expiry", self.first_expiry),
        ];
        let maxs = [
            ("last_issued_at", self.last_issued_at),
            ("last_expiry", self.last_expiry),
        ];
        for (function, ends) in [("LEAST", mins), ("GREATEST", maxs)] {
            for (column, value) in ends {
                script
                    .sql("), ")
                    .sql(column)
                    .sql(" = ")
                    .sql(function)
                    .sql("(COALESCE(")
                    .sql(column)
                    .sql(", ");
                script.number(value).sql("), ").number(value);
            }
        }
        script.sql(")");
    }
}

/// The hard limit: raises the count of a coupon by these issues, within its quantity and in this epoch only.
pub(crate) fn raise_count(script: &mut Script, coupon: CouponId, epoch: Epoch, issues: &[IssuedRecord]) {
    let count = u64::try_from(issues.len()).unwrap_or(u64::MAX);
    script
        .statement("UPDATE coupons SET issued = issued + ")
        .number(count);
    if let Some(ends) = Ends::of(issues.iter()) {
        ends.set(script);
    }
    script
        .sql(" WHERE id = ")
        .number(coupon.get())
        .sql(" AND epoch = ")
        .number(epoch);
    // `issued` means the row as it was: conditions are judged before anything is set.
    script
        .sql(" AND (quantity IS NULL OR issued + ")
        .number(count)
        .sql(" <= quantity)");
}

fn json(coupon: &Coupon) -> Result<String, Failure> {
    Ok(serde_json::to_string(coupon)?)
}

/// Writes a coupon that was not there.
pub(crate) fn insert_coupon(script: &mut Script, coupon: &Coupon, epoch: Epoch) -> Result<(), Failure> {
    script
        .statement("INSERT INTO coupons (id, revision, epoch, quantity, deleted, coupon) VALUES (")
        .number(coupon.id.get())
        .sql(", ")
        .number(coupon.revision)
        .sql(", ")
        .number(epoch)
        .sql(", ")
        .optional(coupon.terms.quantity.limit().map(NonZeroU32::get))
        .sql(", ")
        .number(u8::from(coupon.deleted))
        .sql(", ")
        .text(&json(coupon)?)
        .sql(")")
        .statement("INSERT INTO coupon_uses (coupon_id) VALUES (")
        .number(coupon.id.get())
        .sql(")");
    Ok(())
}

/// Writes a later revision of a coupon; the row is locked.
pub(crate) fn update_coupon(script: &mut Script, coupon: &Coupon) -> Result<(), Failure> {
    script
        .statement("UPDATE coupons SET revision = ")
        .number(coupon.revision)
        .sql(", quantity = ")
        .optional(coupon.terms.quantity.limit().map(NonZeroU32::get))
        .sql(", deleted = ")
        .number(u8::from(coupon.deleted))
        .sql(", coupon = ")
        .text(&json(coupon)?)
        .sql(" WHERE id = ")
        .number(coupon.id.get())
        .sql(" AND revision < ")
        .number(coupon.revision);
    Ok(())
}

/// Writes a revision into the history, and its token; with `again`, one that may be there already.
pub(crate) fn insert_revision(
    script: &mut Script,
    revised: &RevisedRecord,
    again: bool,
) -> Result<(), Failure> {
    let coupon = &revised.coupon;
    script
        .statement(
            "INSERT INTO coupon_revisions (coupon_id, revision, coupon, issued, lost, actor, revised_at) VALUES (",
        )
        .number(coupon.id.get())
        .sql(", ")
        .number(coupon.revision)
        .sql(", ")
        .text(&json(coupon)?)
        .sql(", ")
        .number(revised.issued)
        .sql(", ")
        .number(revised.lost)
        .sql(", ")
        .text(&revised.actor.key)
        .sql(", ")
        .number(coupon.revised_at.as_micros())
        .sql(")");
    if again {
        script.sql(" ON DUPLICATE KEY UPDATE revision = coupon_revisions.revision");
    }
    audit::revised(script, revised, again);
    let Some(token) = revised.token else {
        return Ok(());
    };
    script
        .statement("DELETE FROM command_tokens WHERE scope = ")
        .bytes(&token.scope)
        .sql(" AND decided_at <= ")
        .number(
            coupon
                .revised_at
                .as_micros()
                .saturating_sub(coupon_app::limits::COMMAND_TOKEN_LIFE_US),
        )
        .statement("INSERT INTO command_tokens (scope, payload, coupon_id, revision, decided_at) VALUES (")
        .bytes(&token.scope)
        .sql(", ")
        .bytes(&token.payload)
        .sql(", ")
        .number(coupon.id.get())
        .sql(", ")
        .number(coupon.revision)
        .sql(", ")
        .number(coupon.revised_at.as_micros())
        .sql(")");
    if again {
        script.sql(" ON DUPLICATE KEY UPDATE scope = command_tokens.scope");
    }
    Ok(())
}
