//! `GET /v1/admin/dead-letters`.

use crate::auth::Administrator;
use crate::error::Problem;
use crate::page::Page;
use crate::reply::{Reply, json};
use crate::station::Station;
use axum::extract::{RawQuery, State};
use coupon_api::DeadLetterPage;
use http::StatusCode;
use std::sync::Arc;

/// What could not be taken and has not been looked after, place by place, oldest first.
///
/// The list is empty where everything was taken.
#[utoipa::path(
    get,
    path = "/v1/admin/dead-letters",
    tag = "admin",
    operation_id = "listDeadLetters",
    security(("apiKey" = ["admin"])),
    params(
        ("place" = Option<String>, Query, description = "Only what lies there, such as `notification.mail`"),
        ("cursor" = Option<String>, Query, description = "The `nextCursor` of the page before"),
        ("limit" = Option<u64>, Query, description = "1 to 1000, 100 by default", minimum = 1, maximum = 1000),
    ),
    responses(
        (status = 200, description = "A page", body = DeadLetterPage),
        (status = "4XX", description = "Refused", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = coupon_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn list_dead_letters(
    _: Administrator,
    State(station): State<Arc<Station>>,
    RawQuery(query): RawQuery,
) -> Reply {
    let (mut letters, mut after) = (None, None);
    // Its cursors are ids, because the places number their letters each in its own way.
    let page = Page::read_own_cursor(query.as_deref(), &mut |name, value| {
        match name {
            "place" if letters.is_none() => letters = Some(station.hall.dead_letters.only(value)?),
            "cursor" if after.is_none() => after = Some(value.to_owned()),
            _ => return None,
        }
        Some(())
    })?;
    let letters = letters.as_ref().unwrap_or(&station.hall.dead_letters);
    let listed = letters.list(after.as_deref(), page.limit).await;
    let listed = listed
        .map_err(|error| super::looking_failed(&error))?
        .ok_or(Problem::InvalidCursor)?;
    let full = listed.len() == page.limit;
    let last = listed.last().map(|last| last.id.clone());
    let answer = DeadLetterPage {
        data: listed.into_iter().map(super::wire).collect(),
        next_cursor: last.filter(|_| full),
    };
    json(StatusCode::OK, &answer)
}
