//! Issued coupons: their holder's, or any for a service.

pub(crate) mod cancel;
pub(crate) mod history;
pub(crate) mod lookup;
pub(crate) mod quote;
pub(crate) mod read;
pub(crate) mod redeem;

use crate::auth::Caller;
use crate::error::{Problem, Wrong, WrongRule};
use crate::idempotency::{IDEMPOTENT_REPLAYED, TRUE};
use crate::reply::{Reply, json};
use crate::station::Station;
use coupon_api::Whole;
use coupon_app::{RedemptionOutcome, RedemptionRequest};
use coupon_core::limits::MAX_AMOUNT;
use coupon_core::{Amount, IssuedCoupon, IssuedCouponId, OrderId, Rule, Timestamp, may_use};
use http::StatusCode;

/// One issued coupon, if the caller may see it. Another user's is as none.
async fn visible(station: &Station, caller: &Caller, id: IssuedCouponId) -> Result<IssuedCoupon, Problem> {
    let issued = station.desk.issued_coupon(id).await?;
    let visible = issued.filter(|issued| may_use(issued, caller.user()));
    visible.ok_or(Problem::UnknownIssuedCoupon)
}

/// The same as an answer.
async fn show(station: &Station, caller: &Caller, id: IssuedCouponId) -> Reply {
    let issued = visible(station, caller, id).await?;
    json(StatusCode::OK, &station.stored(&issued, station.desk.now()))
}

/// What a step came to.
pub(super) struct Done {
    issued: Box<IssuedCoupon>,
    decided_at: Timestamp,
    replayed: bool,
}

/// Has the store decide a step.
pub(super) async fn decide(station: &Station, request: RedemptionRequest) -> Result<Done, Problem> {
    let decided = station.hall.redeemer.ask(request).await;
    match decided.map_err(|error| station.redemption_failed(&error))? {
        RedemptionOutcome::Refused(refusal) => Err(refusal.into()),
        RedemptionOutcome::TokenReused => Err(Problem::IdempotencyKeyReused),
        RedemptionOutcome::Done {
            issued,
            decided_at,
            replayed,
        } => Ok(Done {
            issued,
            decided_at,
            replayed,
        }),
    }
}

impl Done {
    /// The issued coupon as the step left it.
    pub(super) fn show(&self, station: &Station) -> Reply {
        self.reply(&station.stored(&self.issued, self.decided_at))
    }

    fn reply(&self, answer: &impl serde::Serialize) -> Reply {
        let mut response = json(StatusCode::OK, answer)?;
        if self.replayed {
            response.headers_mut().insert(IDEMPOTENT_REPLAYED, TRUE);
        }
        Ok(response)
    }
}

/// The amount of an order; what may not be one is put among what is `wrong`.
fn order_amount(given: Whole, wrong: &mut Vec<Wrong>) -> Option<Amount> {
    let amount = given.get().and_then(|units| Amount::new(units).ok());
    if amount.is_none() {
        wrong.push(Wrong {
            field: "orderAmount".into(),
            rule: WrongRule::Domain(Rule::Range {
                min: 0,
                max: MAX_AMOUNT,
            }),
        });
    }
    amount
}

/// The id of an order; what may not be one is put among what is `wrong`.
fn order_id(given: Box<str>, wrong: &mut Vec<Wrong>) -> Option<OrderId> {
    let order = OrderId::parse(given).map_err(|error| {
        wrong.push(Wrong {
            field: "orderId".into(),
            rule: WrongRule::from(error),
        });
    });
    order.ok()
}

/// The currency of an issued coupon's amounts, asked for before anything is decided. A coupon keeps its currency, and one
/// that is not there has none issued, so nobody is told this of it.
async fn currency(station: &Station, id: IssuedCouponId) -> Result<String, Problem> {
    let found = station.desk.coupon_of_issue(id.coupon).await;
    let posted = found.map_err(|error| station.redemption_failed(&error))?;
    Ok(posted.map_or_else(String::new, |posted| posted.coupon.terms.currency.to_string()))
}
