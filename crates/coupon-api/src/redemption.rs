//! Quotes, redemptions, and the history of an issued coupon.

use crate::present::not_null;
use crate::{IssuedCoupon, IssuedCouponIdText, Time, Whole};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use utoipa::ToSchema;

/// The order that a quote is for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QuoteBody {
    /// What the order comes to before the discount, in minor units.
    #[schema(value_type = u64, minimum = 0, maximum = 9_007_199_254_740_991_u64, examples(50_000))]
    pub order_amount: Whole,
    /// Services and administrators may name the holder: another's issued coupon is then as none. Unknown for users.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = String, required = false, examples("user-1"))]
    pub user_id: Option<Box<str>>,
}

/// The order that an issued coupon is redeemed on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RedeemBody {
    /// The shop's id of the order: 1 to 128 bytes of UTF-8 without control or bidirectional-control characters.
    #[schema(value_type = String, min_length = 1, examples("order-1001"))]
    pub order_id: Box<str>,
    /// What the order comes to before the discount, in minor units.
    #[schema(value_type = u64, minimum = 0, maximum = 9_007_199_254_740_991_u64, examples(50_000))]
    pub order_amount: Whole,
    /// Services and administrators may name the holder: another's issued coupon is then as none. Unknown for users.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = String, required = false, examples("user-1"))]
    pub user_id: Option<Box<str>>,
}

/// The order whose use is given back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CancelBody {
    /// The shop's id of the order.
    #[schema(value_type = String, min_length = 1, examples("order-1001"))]
    pub order_id: Box<str>,
    /// Services and administrators may name the holder: another's issued coupon is then as none. Unknown for users.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = String, required = false, examples("user-1"))]
    pub user_id: Option<Box<str>>,
}

/// What an order would get.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Quote<'a> {
    /// The issued coupon.
    pub id: IssuedCouponIdText,
    /// What the order comes to before the discount, in minor units.
    #[schema(examples(50_000))]
    pub order_amount: u64,
    /// What it would get, never more than it comes to; null when the coupon does not say.
    #[schema(required = true, examples(5_000))]
    pub discount_amount: Option<u64>,
    /// What would be left to pay; null when the coupon does not say.
    #[schema(required = true, examples(45_000))]
    pub payable_amount: Option<u64>,
    /// ISO 4217 code.
    #[schema(examples("KRW"))]
    pub currency: Cow<'a, str>,
    /// The first instant at which it can no longer be redeemed.
    pub expires_at: Time,
}

/// An issued coupon that was redeemed, and what its order got.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Redemption<'a> {
    /// The issued coupon.
    #[serde(flatten)]
    pub issued: IssuedCoupon<'a>,
    /// What the order comes to before the discount, in minor units.
    #[schema(examples(50_000))]
    pub order_amount: u64,
    /// What it got, never more than it comes to; null when the coupon does not say.
    #[schema(required = true, examples(5_000))]
    pub discount_amount: Option<u64>,
    /// What is left to pay; null when the coupon does not say.
    #[schema(required = true, examples(45_000))]
    pub payable_amount: Option<u64>,
    /// ISO 4217 code.
    #[schema(examples("KRW"))]
    pub currency: Cow<'a, str>,
}

/// A step in the life of an issued coupon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Step {
    /// It was issued.
    Issued,
    /// It was used.
    Redeemed,
    /// The use was given back.
    RedemptionCancelled,
    /// An administrator took it back.
    Revoked,
}

/// Who took a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum StepBy {
    /// The user who holds the issued coupon.
    Holder,
    /// A service or an administrator, with an API key.
    Key,
}

/// One step, as it was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEntry {
    /// The place in the history; the issue has 0.
    #[schema(examples(1))]
    pub number: u32,
    /// What.
    pub step: Step,
    /// When.
    pub at: Time,
    /// Who; null for the issue, of which it is not recorded.
    #[schema(required = true)]
    pub by: Option<StepBy>,
    /// The public part of the API key, for services and administrators only.
    #[schema(required = true, value_type = Option<String>)]
    pub key_id: Option<Box<str>>,
    /// Of a redemption and its cancellation: which order.
    #[schema(required = true)]
    pub order_id: Option<String>,
    /// Of a redemption: what the order came to, in minor units.
    #[schema(required = true)]
    pub order_amount: Option<u64>,
    /// Of a redemption: what the order got.
    #[schema(required = true)]
    pub discount_amount: Option<u64>,
}

/// A page of a history.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryPage {
    /// The page.
    pub data: Vec<HistoryEntry>,
    /// Where the next page begins; null on the last.
    #[schema(required = true)]
    pub next_cursor: Option<String>,
}
