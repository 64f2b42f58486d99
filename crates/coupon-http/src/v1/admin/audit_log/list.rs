//! `GET /v1/admin/audit-log`.

use crate::auth::Administrator;
use crate::error::Problem;
use crate::page::{Cursor, Page, instant};
use crate::reply::{Reply, json};
use crate::station::Station;
use crate::v1::admin::{coupons, keys};
use axum::extract::{RawQuery, State};
use coupon_api::{AuditEntryPage, AuditedState, IssuedCouponIdText, Time};
use coupon_app::{
    AuditAction, AuditCursor, AuditEntry, AuditFilter, AuditedChange, AuditedMatter, DeliveryState,
};
use coupon_core::{Coupon, Timestamp};
use http::StatusCode;
use std::sync::Arc;

const LIST: u8 = 6;

/// What administrators did, the newest first: who, when, by which request, and what it was before and after.
///
/// An action that a ledger decided ahead of its store is here as soon as the store has it, a moment later. What was
/// refused, and what changed nothing, is not here.
#[utoipa::path(
    get,
    path = "/v1/admin/audit-log",
    tag = "admin",
    operation_id = "listAuditLog",
    security(("apiKey" = ["admin"])),
    params(
        ("couponId" = Option<u64>, Query, description = "Only what was done to this coupon and to what is issued of it", minimum = 1),
        ("actor" = Option<String>, Query, description = "Only what the API key with this id did"),
        ("action" = Option<String>, Query, description = "Only this action, such as `coupon.paused`"),
        ("from" = Option<Time>, Query, description = "Only from this instant on"),
        ("until" = Option<Time>, Query, description = "Only before this instant"),
        ("cursor" = Option<String>, Query, description = "The `nextCursor` of the page before"),
        ("limit" = Option<u64>, Query, description = "1 to 1000, 100 by default", minimum = 1, maximum = 1000),
    ),
    responses(
        (status = 200, description = "A page", body = AuditEntryPage),
        (status = "4XX", description = "Refused", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = coupon_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn list_audit_log(
    _: Administrator,
    State(station): State<Arc<Station>>,
    RawQuery(query): RawQuery,
) -> Reply {
    let (filter, limit) = read(query.as_deref())?;
    let log = station.hall.audit.audit_log(&filter).await;
    let mut entries = log.map_err(|error| Problem::from(&error))?;
    let more = entries.len() > limit;
    entries.truncate(limit);
    let last = entries.last().filter(|_| more);
    let answer = AuditEntryPage {
        next_cursor: last.map(|last| cursor(last).text()),
        data: entries.iter().map(wire).collect(),
    };
    json(StatusCode::OK, &answer)
}

/// The filter, which asks for one more than the page has, and the length of the page.
fn read(query: Option<&str>) -> Result<(AuditFilter, usize), Problem> {
    let mut filter = AuditFilter::default();
    let page = Page::read_with(query, LIST, &mut |name, value| {
        match name {
            "couponId" if filter.coupon.is_none() => filter.coupon = Some(value.parse().ok()?),
            "actor" if filter.actor.is_none() => filter.actor = Some(value.into()),
            "action" if filter.action.is_none() => filter.action = Some(AuditAction::parse(value)?),
            "from" if filter.from.is_none() => filter.from = Some(instant(value)?),
            "until" if filter.until.is_none() => filter.until = Some(instant(value)?),
            _ => return None,
        }
        Some(())
    })?;
    filter.after = page.cursor.map(after).transpose()?;
    filter.limit = page.limit + 1;
    Ok((filter, page.limit))
}

fn cursor(last: &AuditEntry) -> Cursor {
    Cursor {
        list: LIST,
        first: last.at.as_micros().cast_unsigned(),
        // There is no log of four thousand million actions.
        second: u32::try_from(last.number).unwrap_or(u32::MAX),
    }
}

fn after(cursor: Cursor) -> Result<AuditCursor, Problem> {
    Ok(AuditCursor {
        at: Timestamp::from_micros(cursor.first.cast_signed()).ok_or(Problem::InvalidCursor)?,
        number: cursor.second.into(),
    })
}

fn wire(entry: &AuditEntry) -> coupon_api::AuditEntry {
    let mut shown = coupon_api::AuditEntry {
        number: entry.number,
        at: Time(entry.at),
        actor: entry.actor.clone(),
        request_id: entry.request.clone(),
        action: entry.action.name(),
        coupon_id: entry.coupon().map(coupon_core::CouponId::get),
        issued_coupon_id: None,
        key_id: None,
        webhook_id: None,
        notification_id: None,
        dead_letter_id: None,
        cloned_from: None,
        before: None,
        after: None,
    };
    match &entry.change {
        AuditedChange::Coupon {
            before,
            after,
            issued,
            cloned_from,
        } => {
            let state = |coupon: &Coupon| {
                let wire = coupons::wire(coupon, *issued, entry.at);
                (!coupon.deleted).then(|| AuditedState::Coupon(Box::new(wire)))
            };
            shown.cloned_from = cloned_from.map(coupon_core::CouponId::get);
            shown.before = before.as_deref().and_then(state);
            shown.after = state(after);
        }
        AuditedChange::IssuedCoupon { id, before, after } => {
            let state = |used: &coupon_app::AuditedUse| {
                AuditedState::IssuedCoupon(coupon_api::AuditedUse {
                    redeemed_at: used.redeemed_at.map(Time),
                    order_id: used.order.clone(),
                    revoked_at: used.revoked_at.map(Time),
                })
            };
            shown.issued_coupon_id = Some(IssuedCouponIdText(*id));
            shown.before = Some(state(before));
            shown.after = Some(state(after));
        }
        AuditedChange::Key { id, before, after } => {
            let state = |key: &coupon_app::AuditedKey| {
                AuditedState::Key(coupon_api::AuditedKey {
                    name: key.name.clone(),
                    scopes: key.scopes.iter().copied().map(keys::wire_scope).collect(),
                    expires_at: key.expires_at.map(Time),
                    revoked_at: key.revoked_at.map(Time),
                })
            };
            shown.key_id = Some(id.clone());
            shown.before = before.as_ref().map(state);
            shown.after = Some(state(after));
        }
        AuditedChange::Matter(matter) => show_matter(&mut shown, matter),
    }
    shown
}

fn show_matter(shown: &mut coupon_api::AuditEntry, matter: &AuditedMatter) {
    match matter {
        AuditedMatter::Webhook { id, before, after } => {
            let state = |webhook: &coupon_app::AuditedWebhook| {
                AuditedState::Webhook(coupon_api::AuditedWebhook {
                    url: webhook.url.clone(),
                    description: webhook.description.clone(),
                    events: webhook.kinds.clone(),
                    previous_secret_until: webhook.previous_secret_until.map(Time),
                    disabled_at: webhook.disabled_at.map(Time),
                    disabled_reason: webhook.disabled_reason.clone(),
                })
            };
            shown.webhook_id = Some(*id);
            shown.before = before.as_ref().map(state);
            shown.after = after.as_ref().map(state);
        }
        AuditedMatter::Delivery {
            notification,
            channel,
            recipient,
            before,
        } => {
            let state = |state: &str| {
                AuditedState::Delivery(coupon_api::AuditedDelivery {
                    channel: channel.clone(),
                    recipient: recipient.clone(),
                    state: state.into(),
                })
            };
            shown.notification_id = Some(notification.clone());
            shown.before = Some(state(before));
            shown.after = Some(state(DeliveryState::Waiting.name()));
        }
        AuditedMatter::DeadLetters { through } => shown.dead_letter_id = Some(through.clone()),
    }
}
