//! `POST /v1/coupons/{couponId}/issues`.

use crate::body::HallBody;
use crate::error::Problem;
use crate::issue::issue;
use crate::language::Language;
use crate::page::no_query;
use crate::serve::Watch;
use crate::station::Station;
use axum::extract::{FromRequestParts, Path, Request, State};
use axum::response::Response;
use coupon_api::{IssueBody, IssuedCoupon};
use std::sync::Arc;
use std::time::Instant;

/// Issue a coupon to a user.
///
/// A user issues for themselves and sends `{}`; a service or administrator names the user. With an `Idempotency-Key`
/// the same user gets the same 201 again, for ever, with `Idempotent-Replayed: true`; with another key or none the
/// answer is 409 `already-issued`, which holds the issued coupon.
#[utoipa::path(
    post,
    path = "/v1/coupons/{couponId}/issues",
    tag = "coupons",
    operation_id = "issueCoupon",
    security(("userToken" = []), ("apiKey" = ["issue"])),
    params(
        ("couponId" = u64, Path, description = "Which coupon", minimum = 1),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters"),
    ),
    request_body(content = IssueBody, content_type = "application/json"),
    responses(
        (status = 201, description = "Issued", body = IssuedCoupon<'static>),
        (status = 400, description = "`malformed-json`, `not-an-object`, `too-deep`, `number-too-large`, `wrong-type`, `unknown-field`, `repeated-field`, `missing-field`, `invalid-header`, `invalid-parameter`, `incomplete-body`", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 401, description = "`authentication-required`, `invalid-credentials`, `token-expired`", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 403, description = "`not-yet-open` (with `opensAt` and `Retry-After`), `paused`, `wrong-scope`", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 404, description = "`unknown-coupon`", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 408, description = "`request-timeout`", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 409, description = "`already-issued` (with `issuedCoupon`)", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 410, description = "`sold-out`, `closed` (with `closedAt`)", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 413, description = "`too-large`", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported-media-type`", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 422, description = "`invalid-values`", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 429, description = "`rate-limited`: nothing happened", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 500, description = "`indeterminate`: it may have happened; ask again with the same user", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`: nothing happened", body = coupon_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn issue_coupon(
    State(station): State<Arc<Station>>,
    request: Request,
) -> Result<Response, Problem> {
    let (mut head, body) = request.into_parts();
    no_query(head.uri.query())?;
    let path = Path::<String>::from_request_parts(&mut head, &station).await;
    let coupon = path.ok().and_then(|Path(id)| id.parse().ok());
    let Some(watch) = head.extensions.get::<Arc<Watch>>().cloned() else {
        return Err(Problem::Unavailable { retry_after_s: 1 }); // not reached: the front puts it there
    };
    let language = Language::preferred(&head.headers);
    let ended = issue(&station, &watch, coupon, &mut Some((head, body)), Instant::now()).await;
    Ok(ended.into_response(language).map(HallBody::into_routed))
}
