//! The issue path: from a request's head and body to the ledger's answer, on the shortest way.
//!
//! Nothing here is allocated that need not be, and nothing is looked up by name. The order of checks: credential,
//! scope, rate, headers, body, coupon id, ledger. So a request that is not counted as an attempt changes nothing.

use crate::address;
use crate::auth::{Caller, Need};
use crate::body::{self, HallBody};
use crate::error::{self, Problem, WrongRule};
use crate::idempotency::{self, IDEMPOTENT_REPLAYED, TRUE};
use crate::json;
use crate::language::Language;
use crate::limits::ISSUE_BODY_BYTES;
use crate::media;
use crate::meter::IssueEnd;
use crate::rate::{Left, Limiter};
use crate::refusals::Refused;
use crate::serve::Watch;
use crate::station::Station;
use bytes::Bytes;
use coupon_api::{IssueBody, IssuedCoupon};
use coupon_app::{IssueRequest, LedgerError};
use coupon_core::{CouponId, Grant, IssuedCouponId, Outcome, UserId};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode, Uri};
use hyper::body::Body;
use std::borrow::Cow;
use std::time::Instant;

/// The route as the document names it.
pub(crate) const ROUTE: &str = "/v1/coupons/{couponId}/issues";

/// The coupon of a request that takes the fast path (`None` within when there can be none). Only ids in plain digits
/// do; the router knows the rest.
pub(crate) fn fast_path(method: &Method, uri: &Uri) -> Option<Option<CouponId>> {
    if *method != Method::POST || uri.query().is_some() {
        return None;
    }
    let id = uri.path().strip_prefix("/v1/coupons/")?.strip_suffix("/issues")?;
    let plain = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| id.parse().ok())
}

/// How an issue request ended: what to count, what to say, and what the client has left of its rate.
pub(crate) struct Ended<'s> {
    result: Result<Response<HallBody>, Problem>,
    rate: Option<(&'s Limiter, Option<Left>)>,
}

impl Ended<'_> {
    /// The answer, put into words.
    pub(crate) fn into_response(self, language: Language) -> Response<HallBody> {
        let mut response = match self.result {
            Ok(response) => response,
            Err(problem) => error::render(&problem, language),
        };
        if let Some((limiter, left)) = self.rate {
            limiter.tell(left, response.headers_mut());
        }
        response
    }
}

/// Handles one issue request. `coupon` is `None` when the path's id is none.
///
/// Head and body are pieces of the connection's read buffer. They are let go before the wait for the ledger: hyper
/// reads on meanwhile, and would have to take another buffer if anybody still held the old one.
pub(crate) async fn issue<'s, B>(
    station: &'s Station,
    watch: &Watch,
    coupon: Option<CouponId>,
    request: &mut Option<(Parts, B)>,
    began: Instant,
) -> Ended<'s>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut rate = None;
    let mut end = IssueEnd::Rejected;
    let prepared = match request {
        Some((head, body)) => prepare(station, watch, coupon, head, body, &mut rate, &mut end).await,
        None => Err(Problem::Indeterminate), // not reached: nobody handles a request twice
    };
    *request = None;
    let result = match prepared {
        Ok(request) => decide(station, request, &mut end).await,
        Err(problem) => Err(problem),
    };
    station.meter.issue_ended(end, began.elapsed());
    Ended { result, rate }
}

/// Everything that can be said of a request without the ledger.
async fn prepare<'s, B>(
    station: &'s Station,
    watch: &Watch,
    coupon: Option<CouponId>,
    head: &Parts,
    body: B,
    rate: &mut Option<(&'s Limiter, Option<Left>)>,
    end: &mut IssueEnd,
) -> Result<IssueRequest, Problem>
where
    B: Body<Data = Bytes> + Unpin,
{
    let caller = station.authenticate(&head.headers)?;
    caller.may(Need::Issue)?;
    check_rate(station, watch, &caller, head, rate).inspect_err(|_| *end = IssueEnd::RateLimited)?;
    let body = body::read(body, ISSUE_BODY_BYTES).await?;
    watch.body_read();
    if !body.is_empty() {
        media::require_json(&head.headers)?;
    }
    let user = user_of(&caller, &body)?;
    let key = idempotency::key(&head.headers)?.map(|key| station.desk.key_hash(key));
    let coupon = coupon.ok_or_else(|| {
        *end = IssueEnd::UnknownCoupon;
        Problem::UnknownCoupon
    })?;
    Ok(IssueRequest { coupon, user, key })
}

/// Asks the ledger, and puts its outcome into an answer or a problem.
async fn decide(
    station: &Station,
    request: IssueRequest,
    end: &mut IssueEnd,
) -> Result<Response<HallBody>, Problem> {
    let (coupon, user) = (request.coupon, request.user.clone());
    let outcome = station.desk.issue(request).await.map_err(|error| {
        *end = match &error {
            LedgerError::Unavailable(_) => IssueEnd::Unavailable,
            LedgerError::Indeterminate(_) => IssueEnd::Indeterminate,
        };
        station.ledger_failed(&error)
    })?;
    let refusals = &station.hall.refusals;
    let refused = |problem, why| {
        refusals.count(coupon, why);
        Err(problem)
    };
    match outcome {
        Outcome::Issued(grant) => {
            *end = IssueEnd::Issued;
            Ok(created(
                station,
                &station.granted(coupon, &user, grant, grant.issued_at),
            ))
        }
        Outcome::AlreadyIssued {
            grant,
            same_key: true,
        } => {
            *end = IssueEnd::Replayed;
            let mut response = created(station, &station.granted(coupon, &user, grant, grant.issued_at));
            response.headers_mut().insert(IDEMPOTENT_REPLAYED, TRUE);
            Ok(response)
        }
        Outcome::AlreadyIssued {
            grant,
            same_key: false,
        } => {
            *end = IssueEnd::AlreadyIssued;
            let issued = match known_better(station, coupon, grant).await? {
                None => owned(station.granted(coupon, &user, grant, station.desk.now())),
                Some(stored) => owned(station.stored(&stored, station.desk.now())),
            };
            refused(Problem::AlreadyIssued(Box::new(issued)), Refused::AlreadyIssued)
        }
        Outcome::SoldOut => {
            *end = IssueEnd::SoldOut;
            refused(Problem::SoldOut, Refused::SoldOut)
        }
        Outcome::NotYetOpen { opens_at } => {
            *end = IssueEnd::NotYetOpen;
            let now = station.desk.now();
            let posted = station.desk.coupon(coupon);
            let problem = Problem::NotYetOpen {
                opens_at,
                now,
                time_zone: posted.map_or_else(Box::default, |posted| posted.coupon.terms.time_zone.clone()),
            };
            refused(problem, Refused::NotYetOpen)
        }
        Outcome::Closed { closed_at } => {
            *end = IssueEnd::Closed;
            refused(Problem::Closed { closed_at }, Refused::Closed)
        }
        Outcome::Paused => {
            *end = IssueEnd::Paused;
            refused(Problem::Paused, Refused::Paused)
        }
        Outcome::UnknownCoupon => {
            *end = IssueEnd::UnknownCoupon;
            Err(Problem::UnknownCoupon)
        }
    }
}

/// What the store knows of an issued coupon, if that can be more than the ledger does. Of almost all it cannot, and
/// whoever tries again at an opening is refused from memory; the few others are looked up.
async fn known_better(
    station: &Station,
    coupon: CouponId,
    grant: Grant,
) -> Result<Option<coupon_core::IssuedCoupon>, Problem> {
    let id = IssuedCouponId {
        coupon,
        position: grant.position,
    };
    if !station.hall.redeemer.has_history(id) {
        return Ok(None);
    }
    // In a box, so that the future of the many stays small.
    Ok(Box::pin(station.desk.issued_coupon(id)).await?)
}

/// An issued coupon that can travel with a problem.
fn owned(issued: IssuedCoupon<'_>) -> IssuedCoupon<'static> {
    IssuedCoupon {
        user_id: Cow::Owned(issued.user_id.into_owned()),
        order_id: issued.order_id.map(|order| Cow::Owned(order.into_owned())),
        ..issued
    }
}

fn check_rate<'s>(
    station: &'s Station,
    watch: &Watch,
    caller: &Caller,
    head: &Parts,
    rate: &mut Option<(&'s Limiter, Option<Left>)>,
) -> Result<(), Problem> {
    let limiters = &station.hall.limiters;
    if let Some(limiter) = &limiters.issue_per_address {
        let client = address::client(watch.peer(), &head.headers, &station.hall.trusted_proxies);
        *rate = Some((limiter, None));
        let left = limiter.check(client)?;
        *rate = Some((limiter, Some(left)));
    }
    let limiter = match caller {
        Caller::User(_) => limiters.issue_per_user.as_ref(),
        Caller::Key(_) => limiters.issue_per_key.as_ref(),
    };
    if let Some(limiter) = limiter {
        *rate = Some((limiter, None));
        let left = match caller {
            Caller::User(token) => limiter.check(token.user.as_bytes())?,
            Caller::Key(key) => limiter.check(key.record.id.as_bytes())?,
        };
        *rate = Some((limiter, Some(left)));
    }
    Ok(())
}

/// For whom: a user's token says it and the body must not; a key's body must.
fn user_of(caller: &Caller, body: &[u8]) -> Result<UserId, Problem> {
    let body: IssueBody = json::read_fast(body)?;
    let field = || "userId".to_owned();
    match (caller.user(), body.user_id) {
        (Some(user), None) => Ok(user.clone()),
        (Some(_), Some(_)) => Err(Problem::UnknownField { field: field() }),
        (None, None) => Err(Problem::MissingField { field: field() }),
        (None, Some(user)) => {
            UserId::parse(user).map_err(|error| Problem::invalid("userId", WrongRule::from(error)))
        }
    }
}

fn created(station: &Station, issued: &IssuedCoupon<'_>) -> Response<HallBody> {
    let body = station.ink.write(|out| issued.write_json(out));
    let mut response = Response::new(HallBody::Whole(body));
    *response.status_mut() = StatusCode::CREATED;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
