//! `POST /v1/admin/reconciliation/repair`.

use crate::auth::Administrator;
use crate::error::Problem;
use crate::extract::{NoFields, NoQuery, SmallBody};
use crate::reply::{Reply, json};
use crate::station::Station;
use axum::extract::State;
use coupon_api::ReconciliationPage;
use coupon_app::limits::MAX_PAGE;
use http::StatusCode;
use std::sync::Arc;

/// Mend what can be mended.
///
/// What only the ledger has is brought to the store. A ledger's state that lacks something, or that stays closed because
/// answered issues were lost with it, is taken anew from the store; its coupons are closed for a moment. The answer lists
/// what was unsound, as it is afterwards.
#[utoipa::path(
    post,
    path = "/v1/admin/reconciliation/repair",
    tag = "admin",
    operation_id = "repairReconciliation",
    security(("apiKey" = ["admin"])),
    request_body(content = NoFields, content_type = "application/json"),
    responses(
        (status = 200, description = "What was unsound, as it is now", body = ReconciliationPage),
        (status = "4XX", description = "Refused", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`: ask again", body = coupon_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn repair_reconciliation(
    _: Administrator,
    _: NoQuery,
    State(station): State<Arc<Station>>,
    SmallBody(_): SmallBody<NoFields>,
) -> Reply {
    let reconciliation = &station.hall.reconciliation;
    let mut unsound = Vec::new();
    let mut after = None;
    loop {
        let page = station.desk.coupons(after, MAX_PAGE);
        let Some(last) = page.last() else { break };
        after = Some(last.coupon.id);
        for posted in page {
            let found = reconciliation.compare(posted.coupon.id).await;
            let found = found.map_err(|error| Problem::from(&error))?;
            if found.is_some_and(|found| !found.is_sound()) {
                unsound.push(posted.coupon.id);
            }
        }
    }
    let repaired = reconciliation.repair(&unsound).await;
    repaired.map_err(|error| Problem::from(&error))?;
    let mut data = Vec::with_capacity(unsound.len());
    for coupon in unsound {
        data.extend(super::compared(&station, coupon).await?);
    }
    let answer = ReconciliationPage {
        data,
        next_cursor: None,
    };
    json(StatusCode::OK, &answer)
}
