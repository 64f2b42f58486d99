//! `POST /v1/issued-coupons/lookup`.

use crate::auth::{Caller, UserOrService};
use crate::error::{Problem, WrongRule};
use crate::extract::{NoQuery, SmallBody};
use crate::limits::WRONG_CODE_TIME;
use crate::rate::Limiter;
use crate::reply::Reply;
use crate::station::Station;
use axum::extract::State;
use axum::response::IntoResponse;
use coupon_api::LookupBody;
use coupon_app::Code;
use std::sync::Arc;
use tokio::time::Instant;

/// One issued coupon by its code.
///
/// Wrong codes are counted: ten a minute and user. Right ones are not. Every wrong code gets the same answer, after the
/// same time, whether it is nobody's or somebody else's.
#[utoipa::path(
    post,
    path = "/v1/issued-coupons/lookup",
    tag = "wallet",
    operation_id = "lookUpIssuedCoupon",
    security(("userToken" = []), ("apiKey" = ["issue", "redeem"])),
    request_body(content = LookupBody, content_type = "application/json"),
    responses(
        (status = 200, description = "The issued coupon", body = coupon_api::IssuedCoupon<'static>),
        (status = "4XX", description = "Refused; a code that is nobody's, and another user's, is 404 `unknown-issued-coupon`", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = coupon_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn look_up_issued_coupon(
    UserOrService(caller): UserOrService,
    _: NoQuery,
    State(station): State<Arc<Station>>,
    SmallBody(body): SmallBody<LookupBody>,
) -> Reply {
    let (limiter, client) = limit(&station, &caller);
    let Some(limiter) = limiter else {
        return look_up_in_time(&station, &caller, &body.code).await.0;
    };
    // Counted before and given back after, so that many guesses at once are counted too.
    let (reply, left) = match limiter.check(client) {
        Err(too_many) => (Err(too_many), None),
        Ok(left) => match look_up_in_time(&station, &caller, &body.code).await {
            (reply, Wrong(true)) => (reply, Some(left)),
            (reply, Wrong(false)) => (reply, Some(limiter.give_back(client, left))),
        },
    };
    // Whatever the answer, it says what is left, as when coupons are issued.
    let mut response = reply.unwrap_or_else(Problem::into_response);
    limiter.tell(left, response.headers_mut());
    Ok(response)
}

/// Whether the code was one that counts.
struct Wrong(bool);

/// Looks a code up, and takes the same time for every wrong one.
async fn look_up_in_time(station: &Station, caller: &Caller, code: &str) -> (Reply, Wrong) {
    let began = Instant::now();
    let reply = look_up(station, caller, code).await;
    let wrong = matches!(
        &reply,
        Err(Problem::UnknownIssuedCoupon | Problem::InvalidValues(_))
    );
    if wrong {
        // Whether a code is nobody's or somebody else's shows neither in the answer nor in how long it took.
        tokio::time::sleep_until(began + WRONG_CODE_TIME).await;
    }
    (reply, Wrong(wrong))
}

async fn look_up(station: &Station, caller: &Caller, code: &str) -> Reply {
    let code: Code = code
        .parse()
        .map_err(|_not_a_code| Problem::invalid("code", WrongRule::NotACode))?;
    let id = station.desk.reverse(code).ok_or(Problem::UnknownIssuedCoupon)?;
    super::show(station, caller, id).await
}

/// How many wrong codes this caller may look up, and by what they are known.
fn limit<'s>(station: &'s Station, caller: &'s Caller) -> (Option<&'s Limiter>, &'s [u8]) {
    let limiters = &station.hall.limiters;
    match caller {
        Caller::User(token) => (limiters.wrong_codes_per_user.as_ref(), token.user.as_bytes()),
        Caller::Key(key) => (limiters.wrong_codes_per_key.as_ref(), key.record.id.as_bytes()),
    }
}
