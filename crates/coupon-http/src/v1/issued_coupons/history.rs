//! `GET /v1/issued-coupons/{id}/history`.

use crate::auth::{Caller, UserOrService};
use crate::error::Problem;
use crate::extract::IssuedPath;
use crate::page::{Cursor, Page};
use crate::reply::{Reply, json};
use crate::station::Station;
use axum::extract::{RawQuery, State};
use coupon_api::{HistoryEntry, HistoryPage, Step, StepBy, Time};
use coupon_core::{Actor, Amount, IssuedCoupon};
use http::StatusCode;
use std::sync::Arc;

/// The cursors of histories.
const LIST: u8 = 5;

/// Every step in the life of an issued coupon, in order: its issue, redemptions, cancellations, revocation.
#[utoipa::path(
    get,
    path = "/v1/issued-coupons/{id}/history",
    tag = "redemption",
    operation_id = "getIssuedCouponHistory",
    security(("userToken" = []), ("apiKey" = ["issue", "redeem"])),
    params(
        ("id" = String, Path, description = "`{couponId}-{position}`"),
        ("limit" = Option<u64>, Query, description = "1 to 1000, 100 by default", minimum = 1, maximum = 1000),
        ("cursor" = Option<String>, Query, description = "`nextCursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page of steps", body = HistoryPage),
        (status = "4XX", description = "Refused; another user's is 404 `unknown-issued-coupon`", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = coupon_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get_history(
    UserOrService(caller): UserOrService,
    State(station): State<Arc<Station>>,
    IssuedPath(id): IssuedPath,
    RawQuery(query): RawQuery,
) -> Reply {
    let page = Page::read(query.as_deref(), LIST, None)?;
    let whose = u64::from(id.coupon.get()) << 32 | u64::from(id.position.get());
    if page.cursor.as_ref().is_some_and(|cursor| cursor.first != whose) {
        return Err(Problem::InvalidCursor);
    }
    let issued = super::visible(&station, &caller, id).await?;
    let mut data = Vec::new();
    let after = match page.cursor {
        None => {
            data.push(issue(&issued));
            0
        }
        Some(cursor) => cursor.second,
    };
    let steps = station.hall.redeemer.history(id, after, page.limit + 1).await;
    let steps = steps.map_err(|error| Problem::from(&error))?;
    data.extend(steps.into_iter().map(|entry| wire(entry, &caller)));
    let more = data.len() > page.limit;
    data.truncate(page.limit);
    let next_cursor = data.last().filter(|_| more).map(|last| {
        let place = Cursor {
            list: LIST,
            first: whose,
            second: last.number,
        };
        place.text()
    });
    json(StatusCode::OK, &HistoryPage { data, next_cursor })
}

/// The first step, of which the ledger keeps no more than this.
fn issue(issued: &IssuedCoupon) -> HistoryEntry {
    HistoryEntry {
        number: 0,
        step: Step::Issued,
        at: Time(issued.grant.issued_at),
        by: None,
        key_id: None,
        order_id: None,
        order_amount: None,
        discount_amount: None,
    }
}

fn wire(entry: coupon_core::HistoryEntry, caller: &Caller) -> HistoryEntry {
    let (by, key_id) = match entry.actor {
        Actor::Holder => (StepBy::Holder, None),
        // Which of the shop's keys it was is nothing to its customers.
        Actor::Key(id) => (StepBy::Key, caller.user().is_none().then_some(id)),
    };
    let (step, order_id, order_amount, discount_amount) = match entry.step {
        coupon_core::Step::Redeemed { order, discount } => {
            let amount = order.amount.get();
            (
                Step::Redeemed,
                Some(order.id),
                Some(amount),
                discount.map(Amount::get),
            )
        }
        coupon_core::Step::Cancelled { order } => (Step::RedemptionCancelled, Some(order), None, None),
        coupon_core::Step::Revoked => (Step::Revoked, None, None, None),
    };
    HistoryEntry {
        number: entry.number,
        step,
        at: Time(entry.at),
        by: Some(by),
        key_id,
        order_id: order_id.map(|id| id.as_str().to_owned()),
        order_amount,
        discount_amount,
    }
}
