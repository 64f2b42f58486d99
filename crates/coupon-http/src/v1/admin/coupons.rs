//! Coupons as administrators see and change them.

pub(crate) mod change;
pub(crate) mod clone;
pub(crate) mod close;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod events;
pub(crate) mod export_issued;
pub(crate) mod list;
pub(crate) mod list_issued;
pub(crate) mod pause;
pub(crate) mod read;
pub(crate) mod resume;
mod search;
pub(crate) mod stats;
mod terms;

pub(crate) use terms::wire;

use crate::entity_tag;
use crate::error::Problem;
use crate::extract::Command;
use crate::idempotency::{IDEMPOTENT_REPLAYED, TRUE};
use crate::reply::{Reply, json};
use crate::station::Station;
use coupon_app::{CommandOutcome, CommandRequest};
use coupon_core::{Coupon, CouponId};
use http::StatusCode;
use http::header::ETAG;

/// The cursors of the list of coupons.
const COUPON_LIST: u8 = 2;
/// The cursors of the lists of issued coupons.
const ISSUED_LIST: u8 = 3;

/// Carries out a command and answers with the coupon as it left it.
async fn carry_out<T>(
    station: &Station,
    coupon: Option<CouponId>,
    command: Command<T>,
    what: coupon_core::Command,
    success: StatusCode,
) -> Reply {
    carry_out_as(station, coupon, command, what, success, None).await
}

/// The same; a new coupon may have taken its terms from another.
async fn carry_out_as<T>(
    station: &Station,
    coupon: Option<CouponId>,
    command: Command<T>,
    what: coupon_core::Command,
    success: StatusCode,
    cloned_from: Option<CouponId>,
) -> Reply {
    let posted = match coupon {
        Some(id) => station.desk.present_coupon(id).await,
        None => None,
    };
    let present = posted.map(|posted| posted.coupon.revision);
    let request = CommandRequest {
        coupon,
        actor: command.origin.of_command(&what, cloned_from),
        command: what,
        if_match: entity_tag::if_match(&command.headers, present)?,
        token: command.token,
    };
    let outcome = station
        .desk
        .command(request)
        .await
        .map_err(|error| station.ledger_failed(&error))?;
    match outcome {
        CommandOutcome::Done {
            coupon,
            issued,
            decided_at,
            replayed,
        } => {
            let mut response = if coupon.deleted {
                let mut empty = axum::response::Response::default();
                *empty.status_mut() = success;
                empty
            } else {
                let mut response = json(success, &wire(&coupon, issued, decided_at))?;
                response
                    .headers_mut()
                    .insert(ETAG, entity_tag::tag(coupon.revision));
                response
            };
            if success == StatusCode::CREATED
                && let Ok(location) = format!("/v1/admin/coupons/{}", coupon.id).try_into()
            {
                response.headers_mut().insert(http::header::LOCATION, location);
            }
            if replayed {
                response.headers_mut().insert(IDEMPOTENT_REPLAYED, TRUE);
            }
            Ok(response)
        }
        CommandOutcome::Refused(refusal) => Err(refusal.into()),
        CommandOutcome::TokenReused => Err(Problem::IdempotencyKeyReused),
    }
}

/// A coupon with its tag.
fn show(station: &Station, coupon: &Coupon, issued: u32) -> Reply {
    let mut response = json(StatusCode::OK, &wire(coupon, issued, station.desk.now()))?;
    response
        .headers_mut()
        .insert(ETAG, entity_tag::tag(coupon.revision));
    Ok(response)
}
