//! `GET /v1/admin/webhooks/{id}/deliveries`.

use super::{CHANNEL, WebhookPath, one, wire_event};
use crate::auth::Administrator;
use crate::error::Problem;
use crate::page::{Cursor, Page};
use crate::reply::{Reply, json};
use crate::station::Station;
use axum::extract::{RawQuery, State};
use coupon_api::{Time, WebhookDelivery, WebhookDeliveryPage};
use coupon_app::limits::MAX_PAGE;
use coupon_app::{DeliveryRecord, DeliveryState};
use http::StatusCode;
use std::sync::Arc;

/// The cursors of this list: the number of the last delivery that was looked at.
const LIST: u8 = 10;

/// How many deliveries, of whatever webhook or channel, are looked at for one page.
const LOOKS: usize = 10 * MAX_PAGE;

/// What is on its way to a webhook, what arrived, and what was given up, in the order of planning.
#[utoipa::path(
    get,
    path = "/v1/admin/webhooks/{id}/deliveries",
    tag = "admin",
    operation_id = "listWebhookDeliveries",
    security(("apiKey" = ["admin"])),
    params(
        ("id" = u64, Path, description = "Which webhook"),
        ("state" = Option<coupon_api::DeliveryState>, Query, description = "Only those in this state"),
        ("cursor" = Option<String>, Query, description = "The `nextCursor` of the page before"),
        ("limit" = Option<u64>, Query, description = "1 to 1000, 100 by default", minimum = 1, maximum = 1000),
    ),
    responses(
        (status = 200, description = "A page", body = WebhookDeliveryPage),
        (status = "4XX", description = "Refused", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = coupon_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn list_webhook_deliveries(
    _: Administrator,
    State(station): State<Arc<Station>>,
    WebhookPath(id): WebhookPath,
    RawQuery(query): RawQuery,
) -> Reply {
    let page = Page::read(query.as_deref(), LIST, Some("state"))?;
    let state = page.own.as_deref().map(state_of).transpose()?;
    one(&station, id).await?;
    let kept = super::deliveries(&station)?;
    let recipient = id.recipient();
    let mut after = page.cursor.map_or(0, |cursor| cursor.first);
    let (mut data, mut looked, mut more) = (Vec::new(), 0, true);
    while more && data.len() < page.limit && looked < LOOKS {
        let records = kept.deliveries(state, after, MAX_PAGE).await;
        let records = records.map_err(|error| Problem::from(&error))?;
        more = records.len() == MAX_PAGE;
        for record in &records {
            if data.len() == page.limit {
                more = true;
                break;
            }
            (after, looked) = (record.number, looked + 1);
            if &*record.delivery.channel == CHANNEL && record.delivery.recipient == recipient {
                data.push(wire(record));
            }
        }
    }
    let cursor = Cursor {
        list: LIST,
        first: after,
        second: 0,
    };
    let answer = WebhookDeliveryPage {
        data,
        next_cursor: more.then(|| cursor.text()),
    };
    json(StatusCode::OK, &answer)
}

fn state_of(name: &str) -> Result<DeliveryState, Problem> {
    DeliveryState::parse(name).ok_or_else(|| Problem::InvalidParameter {
        parameter: "state".to_owned(),
    })
}

fn wire(record: &DeliveryRecord) -> WebhookDelivery {
    let notification = record.delivery.notification;
    WebhookDelivery {
        id: notification.to_string(),
        event: wire_event(notification.kind()),
        at: Time(record.at),
        state: match record.state {
            DeliveryState::Waiting => coupon_api::DeliveryState::Waiting,
            DeliveryState::Delivered => coupon_api::DeliveryState::Delivered,
            DeliveryState::Dead => coupon_api::DeliveryState::Dead,
            DeliveryState::Undeliverable => coupon_api::DeliveryState::Undeliverable,
            DeliveryState::Dismissed => coupon_api::DeliveryState::Dismissed,
        },
        attempts: record.attempts,
        due_at: record.due_at.map(Time),
        status: record.report.status,
        detail: record.report.text.to_string(),
    }
}
