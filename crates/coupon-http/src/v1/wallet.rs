//! A page of what one user holds, newest first.

use crate::error::Problem;
use crate::page::{Cursor, Page};
use crate::reply::{Reply, json};
use crate::station::Station;
use coupon_api::IssuedCouponPage;
use coupon_app::{WalletCursor, WalletFilter};
use coupon_core::{CouponId, IssuedState, Timestamp, UserId};
use http::StatusCode;

/// The cursors of wallets.
const LIST: u8 = 1;

pub(super) async fn page(station: &Station, user: &UserId, query: Option<&str>) -> Reply {
    let page = Page::read(query, LIST, Some("state"))?;
    let state = page.own.as_deref().map(state_of).transpose()?;
    let now = station.desk.now();
    let filter = WalletFilter {
        state,
        now,
        after: page.cursor.map(position).transpose()?,
        limit: page.limit + 1,
    };
    let mut held = station.desk.wallet(user, filter).await?;
    let more = held.len() > page.limit;
    held.truncate(page.limit);
    let last = held.last().filter(|_| more);
    let answer = IssuedCouponPage {
        next_cursor: last.map(|last| {
            let first = u64::try_from(last.grant.issued_at.as_micros()).unwrap_or(0);
            Cursor {
                list: LIST,
                first,
                second: last.coupon.get(),
            }
            .text()
        }),
        data: held.iter().map(|one| station.stored(one, now)).collect(),
    };
    json(StatusCode::OK, &answer)
}

fn state_of(name: &str) -> Result<IssuedState, Problem> {
    [
        IssuedState::Issued,
        IssuedState::Redeemed,
        IssuedState::Expired,
        IssuedState::Revoked,
    ]
    .into_iter()
    .find(|&state| coupon_api::IssuedState::from(state).name() == name)
    .ok_or_else(|| Problem::InvalidParameter {
        parameter: "state".to_owned(),
    })
}

fn position(cursor: Cursor) -> Result<WalletCursor, Problem> {
    let issued_at = i64::try_from(cursor.first).ok().and_then(Timestamp::from_micros);
    let coupon = CouponId::new(cursor.second).ok();
    match (issued_at, coupon) {
        (Some(issued_at), Some(coupon)) => Ok(WalletCursor { issued_at, coupon }),
        _ => Err(Problem::InvalidCursor),
    }
}
