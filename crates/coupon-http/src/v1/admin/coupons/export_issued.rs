//! `GET /v1/admin/coupons/{couponId}/issued-coupons.csv`.

use crate::auth::Administrator;
use crate::csv;
use crate::error::Problem;
use crate::extract::{CouponPath, NoQuery};
use crate::reply::Reply;
use crate::station::Station;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use coupon_app::DeskError;
use coupon_app::limits::MAX_PAGE;
use coupon_core::CouponId;
use futures_util::stream;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use std::sync::Arc;

/// Who got a coupon, in the order of issue, as CSV of any size.
///
/// Holds what was issued when the request came. Texts are quoted, and one that a spreadsheet could take for a formula
/// has an apostrophe before it; the list as JSON has every text as it is.
#[utoipa::path(
    get,
    path = "/v1/admin/coupons/{couponId}/issued-coupons.csv",
    tag = "admin",
    operation_id = "exportIssuedCoupons",
    security(("apiKey" = ["admin"])),
    params(
        ("couponId" = u64, Path, description = "Which coupon", minimum = 1),
    ),
    responses(
        (status = 200, description = "RFC 4180, UTF-8, with a header line", body = String, content_type = "text/csv"),
        (status = "4XX", description = "Refused", body = coupon_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn export_issued_coupons(
    _: Administrator,
    _: NoQuery,
    State(station): State<Arc<Station>>,
    CouponPath(id): CouponPath,
) -> Reply {
    let posted = station
        .desk
        .newest_coupon(id)
        .await
        .ok_or(Problem::UnknownCoupon)?;
    let first = Export {
        station,
        coupon: id,
        after: 0,
        until: posted.issued,
        head: true,
    };
    let pages = stream::try_unfold(first, Export::next_page);
    let mut response = Response::new(Body::from_stream(pages));
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/csv; charset=utf-8; header=present"),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let name = format!("attachment; filename=\"issued-coupons-{id}.csv\"");
    if let Ok(name) = HeaderValue::try_from(name) {
        headers.insert(CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

/// How far an export has come.
struct Export {
    station: Arc<Station>,
    coupon: CouponId,
    after: u32,
    until: u32,
    head: bool,
}

impl Export {
    /// The next piece. When the ledger or the store fails, the body breaks off, so that nobody takes a part for the
    /// whole.
    async fn next_page(mut self) -> Result<Option<(Bytes, Self)>, DeskError> {
        let mut piece = String::new();
        if std::mem::take(&mut self.head) {
            piece.push_str(csv::HEAD);
        }
        if self.after < self.until {
            let page = self
                .station
                .desk
                .issued_coupons(self.coupon, self.after, MAX_PAGE)
                .await?;
            let now = self.station.desk.now();
            let wanted = page
                .iter()
                .take_while(|one| one.grant.position.get() <= self.until);
            for one in wanted {
                csv::push_line(&mut piece, &self.station.stored(one, now));
            }
            self.after = page.last().map_or(self.until, |one| one.grant.position.get());
        }
        Ok((!piece.is_empty()).then(|| (Bytes::from(piece), self)))
    }
}
