//! Looks: what has been committed, read without locks.

use crate::connection::Answered;
use crate::error::Failure;
use crate::limits;
use crate::query::limit_of;
use crate::row;
use crate::script::Script;
use crate::session::Session;
use coupon_app::{Look, Seen};
use coupon_core::CouponId;
use coupon_core::Grant;
use std::collections::HashMap;
use std::sync::Arc;

/// Answers looks, as many in one round trip as fit.
pub(super) async fn look(session: &mut Session, looks: &[Look]) -> Result<Vec<Seen>, Failure> {
    let mut seen = Vec::with_capacity(looks.len());
    let mut rest = looks;
    while !rest.is_empty() {
        let mut script = Script::new();
        let mut count = 0;
        while let Some(look) = rest.get(count)
            && script.statements() < limits::MAX_SCRIPT_STATEMENTS
            && script.len() < limits::MAX_SCRIPT_BYTES
        {
            ask(&mut script, look);
            count += 1;
        }
        let (now, later) = rest.split_at(count);
        let answered = session.ask(script).await?;
        for (look, answered) in now.iter().zip(&answered) {
            seen.push(read(look, answered)?);
        }
        rest = later;
    }
    Ok(seen)
}

fn ask(script: &mut Script, look: &Look) {
    match look {
        Look::Holder { user, coupons } => {
            script
                .statement(
                    "SELECT coupon_id, position, issued_at, expires_at FROM issued_coupons WHERE user_id = ",
                )
                .bytes(user.as_bytes())
                // None has this id; it is for the list that is empty.
                .sql(" AND coupon_id IN (0");
            for coupon in coupons {
                script.sql(", ").number(coupon.get());
            }
            script.sql(")");
        }
        Look::Positions { coupon, after, limit } => {
            script
                .statement(
                    "SELECT user_id, position, issued_at, expires_at FROM issued_coupons WHERE coupon_id = ",
                )
                .number(coupon.get())
                .sql(" AND position > ")
                .number(*after)
                .sql(" ORDER BY position LIMIT ")
                .number(limit_of(*limit));
        }
        Look::Coupon(coupon) => {
            script
                .statement("SELECT coupon, issued FROM coupons WHERE deleted = 0 AND id = ")
                .number(coupon.get());
        }
    }
}

fn read(look: &Look, answered: &Answered) -> Result<Seen, Failure> {
    let rows = &answered.rows;
    Ok(match look {
        Look::Holder { coupons, .. } => {
            let found = rows
                .iter()
                .map(|found| Ok((row::coupon_id(found, 0)?, row::grant(found, 1)?)));
            let held: HashMap<CouponId, Grant> = found.collect::<Result<_, Failure>>()?;
            let asked = coupons
                .iter()
                .filter_map(|coupon| Some((*coupon, *held.get(coupon)?)));
            Seen::Holder(asked.collect())
        }
        Look::Positions { .. } => {
            let found = rows
                .iter()
                .map(|found| Ok((row::user(found, 0)?, row::grant(found, 1)?)));
            Seen::Positions(found.collect::<Result<_, Failure>>()?)
        }
        Look::Coupon(_) => {
            let found = rows.first().map(|found| {
                Ok::<_, Failure>((
                    Arc::new(row::coupon(&row::text(found, 0)?)?),
                    row::small(found, 1)?,
                ))
            });
            Seen::Coupon(found.transpose()?)
        }
    })
}
