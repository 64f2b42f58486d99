//! The audit log.

use crate::{AdminCoupon, IssuedCouponIdText, Scope, Time};
use serde::Serialize;
use utoipa::ToSchema;

/// One administrative action.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// Its number. Numbers grow, not without gaps.
    #[schema(examples(17))]
    pub number: u64,
    /// When it was done.
    pub at: Time,
    /// The id of the API key that did it.
    #[schema(value_type = String, examples("4f1c2a9b7d3e5f60"))]
    pub actor: Box<str>,
    /// The `x-request-id` of the request by which it was done; null when it came by none.
    #[schema(value_type = Option<String>, required = true)]
    pub request_id: Option<Box<str>>,
    /// What was done.
    #[schema(value_type = String, examples("coupon.paused"))]
    pub action: &'static str,
    /// The coupon it was done to, or whose issued coupon it was done to.
    #[schema(value_type = Option<u64>, required = true, examples(1))]
    pub coupon_id: Option<u32>,
    /// The issued coupon it was done to.
    #[schema(value_type = Option<String>, required = true)]
    pub issued_coupon_id: Option<IssuedCouponIdText>,
    /// The API key it was done to.
    #[schema(value_type = Option<String>, required = true)]
    pub key_id: Option<Box<str>>,
    /// The webhook it was done to.
    #[schema(value_type = Option<u64>, required = true)]
    pub webhook_id: Option<u32>,
    /// The notification whose delivery it was done to.
    #[schema(value_type = Option<String>, required = true)]
    pub notification_id: Option<Box<str>>,
    /// The last of the dead letters it was done to. Such an entry is written before the letters are touched: it tells
    /// what was asked for.
    #[schema(value_type = Option<String>, required = true)]
    pub dead_letter_id: Option<Box<str>>,
    /// The coupon whose terms a new one took over.
    #[schema(value_type = Option<u64>, required = true)]
    pub cloned_from: Option<u32>,
    /// As it was; null for what was new.
    #[schema(required = true)]
    pub before: Option<AuditedState>,
    /// As it was left; null for what was deleted.
    #[schema(required = true)]
    pub after: Option<AuditedState>,
}

/// What something was like before or after an action.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum AuditedState {
    /// A coupon.
    Coupon(Box<AdminCoupon>),
    /// An issued coupon.
    IssuedCoupon(AuditedUse),
    /// An API key.
    Key(AuditedKey),
    /// A webhook.
    Webhook(AuditedWebhook),
    /// A delivery.
    Delivery(AuditedDelivery),
}

/// What a webhook was like.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditedWebhook {
    /// Where to, without the query.
    #[schema(value_type = String)]
    pub url: Box<str>,
    /// What for.
    #[schema(value_type = String)]
    pub description: Box<str>,
    /// What it was sent: `all`, or events with a comma between.
    #[schema(value_type = String, examples("all"))]
    pub events: Box<str>,
    /// Until when the secret before the present one was live.
    #[schema(required = true)]
    pub previous_secret_until: Option<Time>,
    /// Since when it was sent nothing.
    #[schema(required = true)]
    pub disabled_at: Option<Time>,
    /// Why.
    #[schema(value_type = Option<String>, required = true, examples("by-hand"))]
    pub disabled_reason: Option<Box<str>>,
}

/// What a delivery was like.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditedDelivery {
    /// By which channel.
    #[schema(value_type = String, examples("webhook"))]
    pub channel: Box<str>,
    /// Whom, as the channel calls it.
    #[schema(value_type = String, examples("1"))]
    pub recipient: Box<str>,
    /// Where it stood.
    #[schema(value_type = String, examples("dead"))]
    pub state: Box<str>,
}

/// What had become of an issued coupon.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditedUse {
    /// When it was redeemed.
    #[schema(required = true)]
    pub redeemed_at: Option<Time>,
    /// On which order.
    #[schema(value_type = Option<String>, required = true)]
    pub order_id: Option<Box<str>>,
    /// When it was revoked.
    #[schema(required = true)]
    pub revoked_at: Option<Time>,
}

/// What an API key was like.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditedKey {
    /// What administrators call it.
    #[schema(value_type = String)]
    pub name: Box<str>,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// When it ends by itself.
    #[schema(required = true)]
    pub expires_at: Option<Time>,
    /// When it was revoked.
    #[schema(required = true)]
    pub revoked_at: Option<Time>,
}
