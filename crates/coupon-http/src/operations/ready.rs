//! `GET /readyz`.

use crate::limits::CHECK_TIME;
use crate::reply::{Reply, json};
use crate::station::Station;
use axum::extract::State;
use coupon_api::{CheckResult, Readiness};
use coupon_app::Health;
use http::StatusCode;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

const READY: &str = "ready";
const NOT_READY: &str = "notReady";

/// Whether the server can serve, and if not, why.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "operations",
    operation_id = "ready",
    responses(
        (status = 200, description = "It can", body = Readiness),
        (status = 503, description = "It cannot", body = Readiness),
    ),
)]
pub(crate) async fn ready(State(station): State<Arc<Station>>) -> Reply {
    let ledger = match station.hall.ledgers.health() {
        Health::Ready => None,
        Health::NotReady(reason) => Some(reason),
    };
    let store = match tokio::time::timeout(CHECK_TIME, station.desk.store_health()).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_elapsed) => Some(format!("no answer within {} s", CHECK_TIME.as_secs())),
    };
    let redemption = match station.hall.redeemer.health() {
        Health::Ready => None,
        Health::NotReady(reason) => Some(reason),
    };
    let stopping = station.hall.stopping.load(Ordering::Relaxed);
    let server = stopping.then(|| "the server is stopping".to_owned());
    let named = [
        ("ledger", ledger),
        ("store", store),
        ("redemption", redemption),
        ("server", server),
    ];
    readiness(named.into_iter().chain(station.hall.remarks.all()))
}

/// The answer to a check of these parts, each with the reason why it is not ready, if it is not.
pub(crate) fn readiness(named: impl IntoIterator<Item = (&'static str, Option<String>)>) -> Reply {
    let named: Vec<(&'static str, Option<String>)> = named.into_iter().collect();
    let ready = named.iter().all(|(_, reason)| reason.is_none());
    let checks: BTreeMap<String, CheckResult> = named
        .into_iter()
        .map(|(name, reason)| {
            let status = if reason.is_none() { READY } else { NOT_READY };
            (name.to_owned(), CheckResult { status, reason })
        })
        .collect();
    let (code, status) = if ready {
        (StatusCode::OK, READY)
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, NOT_READY)
    };
    json(code, &Readiness { status, checks })
}
