//! Webhooks: the shop's endpoints that are told what happens.

pub(crate) mod change;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod deliveries;
pub(crate) mod list;
pub(crate) mod ping;
pub(crate) mod read;
pub(crate) mod replay;
pub(crate) mod rotate;
mod secret;

use crate::entity_tag::{if_match, tag};
use crate::error::{Problem, Wrong, WrongRule};
use crate::reply::{Reply, json};
use crate::station::Station;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use coupon_api::{DisabledReason, Event, NewWebhook, Time};
use coupon_app::limits::MAX_WEBHOOK_DESCRIPTION_CHARS;
use coupon_app::{
    NotificationKind, NotificationOutbox, Origin, StoreError, Webhook, WebhookId, WebhookKinds, WebhookState,
    WebhookUrl,
};
use coupon_core::{Rule, Timestamp};
use http::header::ETAG;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use std::borrow::Cow;
use std::sync::Arc;

/// The id of a webhook in the path. What is none is a webhook that does not exist.
pub(crate) struct WebhookPath(WebhookId);

impl FromRequestParts<Arc<Station>> for WebhookPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, station: &Arc<Station>) -> Result<Self, Problem> {
        let path: Result<Path<String>, PathRejection> = Path::from_request_parts(parts, station).await;
        path.ok()
            .and_then(|Path(text)| text.parse().ok())
            .map(Self)
            .ok_or(Problem::UnknownWebhook)
    }
}

const fn wire_event(kind: NotificationKind) -> Event {
    match kind {
        NotificationKind::Issued => Event::Issued,
        NotificationKind::Expiring => Event::Expiring,
        NotificationKind::Redeemed => Event::Redeemed,
        NotificationKind::RedemptionCancelled => Event::RedemptionCancelled,
        NotificationKind::Expired => Event::Expired,
        NotificationKind::Revoked => Event::Revoked,
        NotificationKind::SoldOut => Event::SoldOut,
    }
}

const fn kind(event: Event) -> NotificationKind {
    match event {
        Event::Issued => NotificationKind::Issued,
        Event::Expiring => NotificationKind::Expiring,
        Event::Redeemed => NotificationKind::Redeemed,
        Event::RedemptionCancelled => NotificationKind::RedemptionCancelled,
        Event::Expired => NotificationKind::Expired,
        Event::Revoked => NotificationKind::Revoked,
        Event::SoldOut => NotificationKind::SoldOut,
    }
}

fn wire(webhook: &Webhook, now: Timestamp) -> coupon_api::Webhook {
    let (disabled_at, disabled_reason) = match webhook.state {
        WebhookState::Enabled => (None, None),
        WebhookState::Disabled { at, reason } => (Some(Time(at)), Some(wire_reason(reason))),
    };
    let previous = webhook.secrets.previous.as_ref();
    coupon_api::Webhook {
        id: webhook.id.get(),
        url: webhook.url.as_str().to_owned(),
        description: webhook.description.to_string(),
        events: match &webhook.kinds {
            WebhookKinds::All => None,
            WebhookKinds::Some(kinds) => Some(kinds.iter().copied().map(wire_event).collect()),
        },
        enabled: webhook.state == WebhookState::Enabled,
        disabled_at,
        disabled_reason,
        previous_secret_until: previous
            .filter(|(_, until)| now < *until)
            .map(|(_, until)| Time(*until)),
        created_at: Time(webhook.created_at),
        revision: webhook.revision,
    }
}

const fn wire_reason(reason: coupon_app::DisabledReason) -> DisabledReason {
    match reason {
        coupon_app::DisabledReason::ByHand => DisabledReason::ByHand,
        coupon_app::DisabledReason::Gone => DisabledReason::Gone,
    }
}

/// A webhook with its tag.
fn shown(status: StatusCode, webhook: &Webhook, now: Timestamp) -> Reply {
    let mut response = json(status, &wire(webhook, now))?;
    response.headers_mut().insert(ETAG, tag(webhook.revision));
    Ok(response)
}

/// A webhook with its tag and its newest secret.
fn shown_with_secret(status: StatusCode, webhook: &Webhook, now: Timestamp) -> Reply {
    let shown = NewWebhook {
        webhook: wire(webhook, now),
        secret: secret::text(&webhook.secrets.current),
    };
    let mut response = json(status, &shown)?;
    response.headers_mut().insert(ETAG, tag(webhook.revision));
    Ok(response)
}

/// A store that fails while it writes may have written.
fn writing_failed(error: &StoreError) -> Problem {
    tracing::error!(%error, "a webhook could not be written");
    Problem::Indeterminate
}

async fn one(station: &Station, id: WebhookId) -> Result<Webhook, Problem> {
    let found = station.hall.webhooks.store.webhook(id).await;
    found
        .map_err(|error| Problem::from(&error))?
        .ok_or(Problem::UnknownWebhook)
}

/// How often a change is tried again because somebody else was faster, if the caller does not mind what it changes.
const CHANGE_TRIES: usize = 5;

/// Puts what `next` makes of a webhook in its place, and returns it.
async fn change(
    station: &Station,
    id: WebhookId,
    (origin, headers): (&Origin, &HeaderMap),
    next: impl Fn(Webhook) -> Webhook,
) -> Result<Webhook, Problem> {
    for _try in 0..CHANGE_TRIES {
        let present = one(station, id).await?;
        let revision = present.revision;
        if if_match(headers, Some(revision))?.is_some_and(|wanted| wanted != revision) {
            return Err(Problem::StaleRevision { revision });
        }
        let next = next(present);
        let by = Some((origin, station.desk.now()));
        let changed = station.hall.webhooks.store.change_webhook(&next, by).await;
        if changed.map_err(|error| writing_failed(&error))? {
            return Ok(next);
        }
    }
    Err(Problem::Unavailable { retry_after_s: 1 })
}

/// The URL, if this server sends there; what is wrong with it is put among what is `wrong`.
fn url(station: &Station, text: String, wrong: &mut Vec<Wrong>) -> Option<WebhookUrl> {
    let url = WebhookUrl::parse(text).and_then(|url| {
        station.hall.webhooks.post.accepts(&url)?;
        Ok(url)
    });
    url.map_err(|error| {
        wrong.push(Wrong {
            field: Cow::Borrowed("url"),
            rule: WrongRule::WebhookUrl(error),
        });
    })
    .ok()
}

fn description(text: String, wrong: &mut Vec<Wrong>) -> Box<str> {
    let rule = if text.chars().count() > MAX_WEBHOOK_DESCRIPTION_CHARS {
        let (min, max) = (0, MAX_WEBHOOK_DESCRIPTION_CHARS);
        Some(Rule::Length { min, max })
    } else if text.chars().any(char::is_control) {
        Some(Rule::ForbiddenCharacter)
    } else {
        None
    };
    wrong.extend(rule.map(|rule| Wrong {
        field: Cow::Borrowed("description"),
        rule: WrongRule::Domain(rule),
    }));
    text.into()
}

fn kinds(events: Option<Vec<Event>>, wrong: &mut Vec<Wrong>) -> WebhookKinds {
    let Some(events) = events else {
        return WebhookKinds::All;
    };
    let given = events.len();
    let mut add = |rule| {
        wrong.push(Wrong {
            field: Cow::Borrowed("events"),
            rule,
        });
    };
    match WebhookKinds::some(events.into_iter().map(kind)) {
        None => {
            add(WrongRule::Empty);
            WebhookKinds::All
        }
        Some(kinds) => {
            if matches!(&kinds, WebhookKinds::Some(kept) if kept.len() < given) {
                add(WrongRule::Repeated);
            }
            kinds
        }
    }
}

/// What the channel of webhooks is called where deliveries are kept.
const CHANNEL: &str = "webhook";

/// Where deliveries are kept.
fn deliveries(station: &Station) -> Result<&dyn NotificationOutbox, Problem> {
    let kept = station.hall.webhooks.deliveries.as_deref();
    kept.ok_or(Problem::Unavailable { retry_after_s: 5 })
}
