//! Webhooks.

use crate::Time;
use crate::present::{not_null, nullable};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An event that a webhook can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub enum Event {
    /// A coupon was issued to somebody.
    #[serde(rename = "issued_coupon.issued")]
    Issued,
    /// An issued coupon ends soon and has not been used.
    #[serde(rename = "issued_coupon.expiring")]
    Expiring,
    /// An issued coupon was used.
    #[serde(rename = "issued_coupon.redeemed")]
    Redeemed,
    /// A use was given back.
    #[serde(rename = "issued_coupon.redemption_cancelled")]
    RedemptionCancelled,
    /// An issued coupon has ended unused.
    #[serde(rename = "issued_coupon.expired")]
    Expired,
    /// An issued coupon was taken back.
    #[serde(rename = "issued_coupon.revoked")]
    Revoked,
    /// A coupon is sold out.
    #[serde(rename = "coupon.sold_out")]
    SoldOut,
}

/// A new webhook.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateWebhookBody {
    /// Where to: an absolute `https` URL without user, password or fragment, at most 2,048 bytes.
    #[schema(max_length = 2048, examples("https://shop.example/hooks/coupons"))]
    pub url: String,
    /// What for, at most 200 characters.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub description: String,
    /// What it is sent; null or absent for everything, later events too.
    #[serde(default)]
    pub events: Option<Vec<Event>>,
}

/// What is to change of a webhook; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangeWebhookBody {
    /// Where to.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = String, required = false, max_length = 2048)]
    pub url: Option<String>,
    /// What for.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = String, required = false, max_length = 200)]
    pub description: Option<String>,
    /// What it is sent; null for everything.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<Vec<Event>>, required = false)]
    pub events: Option<Option<Vec<Event>>>,
    /// Whether it is sent anything.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = bool, required = false)]
    pub enabled: Option<bool>,
}

/// Why a webhook is sent nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DisabledReason {
    /// An administrator wants it so.
    ByHand,
    /// The receiver answered 410.
    Gone,
}

/// A webhook without its secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// Which one.
    pub id: u32,
    /// Where to.
    #[schema(value_type = String, examples("https://shop.example/hooks/coupons"))]
    pub url: String,
    /// What for.
    pub description: String,
    /// What it is sent; null for everything.
    #[schema(required = true)]
    pub events: Option<Vec<Event>>,
    /// Whether it is sent anything.
    pub enabled: bool,
    /// Since when it is sent nothing.
    #[schema(required = true)]
    pub disabled_at: Option<Time>,
    /// Why.
    #[schema(required = true)]
    pub disabled_reason: Option<DisabledReason>,
    /// Until when what it is sent is signed with the secret before the present one too.
    #[schema(required = true)]
    pub previous_secret_until: Option<Time>,
    /// When it was made.
    pub created_at: Time,
    /// How often it was changed, counted from 1.
    pub revision: u32,
}

/// A webhook with its newest secret, which is shown this once.
#[derive(Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewWebhook {
    /// The webhook.
    #[serde(flatten)]
    pub webhook: Webhook,
    /// What it is signed with, for the receiver. Shown once.
    #[schema(examples("whsec_AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="))]
    pub secret: String,
}

/// A page of webhooks.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookPage {
    /// The page.
    pub data: Vec<Webhook>,
    /// Where the next page begins; null on the last.
    #[schema(required = true)]
    pub next_cursor: Option<String>,
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum DeliveryState {
    /// It is to be tried, for the first time or again.
    Waiting,
    /// The receiver has it.
    Delivered,
    /// It was given up.
    Dead,
    /// There was nowhere to bring it.
    Undeliverable,
    /// It was given up, and somebody has taken it off the list of dead letters.
    Dismissed,
}

/// One notification on its way to a webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookDelivery {
    /// The notification, which is the `webhook-id` too.
    #[schema(examples("redeemed-1-17-1"))]
    pub id: String,
    /// What it tells.
    pub event: Event,
    /// When that which it tells of happened.
    pub at: Time,
    /// Where it stands.
    pub state: DeliveryState,
    /// How many attempts were made since it was planned or replayed.
    pub attempts: u32,
    /// When it is tried next; null when it is not.
    #[schema(required = true)]
    pub due_at: Option<Time>,
    /// What the receiver answered last, if it did.
    #[schema(required = true)]
    pub status: Option<u16>,
    /// The same in words; empty before the first attempt.
    pub detail: String,
}

/// A page of deliveries.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookDeliveryPage {
    /// The page; it may have fewer than were asked for although there are more.
    pub data: Vec<WebhookDelivery>,
    /// Where the next page begins; null on the last.
    #[schema(required = true)]
    pub next_cursor: Option<String>,
}

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum PingOutcome {
    /// The receiver has it.
    Delivered,
    /// It did not work, and it may work later.
    Failed,
    /// This server does not send there.
    Refused,
    /// The receiver wants nothing any more.
    Gone,
}

/// What came of a ping.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ping {
    /// In one word.
    pub outcome: PingOutcome,
    /// What the receiver answered, if it did.
    #[schema(required = true)]
    pub status: Option<u16>,
    /// In words.
    pub detail: String,
}
