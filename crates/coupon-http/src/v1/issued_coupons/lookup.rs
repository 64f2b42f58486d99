//! `POST /v1/issued-coupons/lookup`.

use crate::auth::{Caller, UserOrService};
use crate::error::{Problem, WrongRule};
use crate::extract::{NoQuery, SmallBody};
use crate::limits::WRONG_CODE_TIME;
use crate::rate::Limiter;
use crate::reply::Reply;
use crate::station::Station;
use axum::extract::State;
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
    // Counted before and given back after, so that many guesses at once are counted too.
    let began = Instant::now();
    let guess = Guess::count(&station, &caller)?;
    let reply = look_up(&station, &caller, &body.code).await;
    let wrong = matches!(
        &reply,
        Err(Problem::UnknownIssuedCoupon | Problem::InvalidValues(_))
    );
    if wrong {
        // Whether a code is nobody's or somebody else's shows neither in the answer nor in how long it took.
        tokio::time::sleep_until(began + WRONG_CODE_TIME).await;
    } else {
        guess.give_back();
    }
    reply
}

async fn look_up(station: &Station, caller: &Caller, code: &str) -> Reply {
    let code: Code = code
        .parse()
        .map_err(|_not_a_code| Problem::invalid("code", WrongRule::NotACode))?;
    let id = station.desk.reverse(code).ok_or(Problem::UnknownIssuedCoupon)?;
    super::show(station, caller, id).await
}

/// A look-up that may turn out to be wrong.
struct Guess<'s> {
    limiter: Option<&'s Limiter>,
    client: &'s [u8],
}

impl<'s> Guess<'s> {
    fn count(station: &'s Station, caller: &'s Caller) -> Result<Self, Problem> {
        let limiters = &station.hall.limiters;
        let (limiter, client) = match caller {
            Caller::User(token) => (limiters.wrong_codes_per_user.as_ref(), token.user.as_bytes()),
            Caller::Key(key) => (limiters.wrong_codes_per_key.as_ref(), key.record.id.as_bytes()),
        };
        if let Some(limiter) = limiter {
            limiter.check(client)?;
        }
        Ok(Self { limiter, client })
    }

    fn give_back(self) {
        if let Some(limiter) = self.limiter {
            limiter.give_back(self.client);
        }
    }
}
