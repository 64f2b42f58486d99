//! A coupon as administrators set it and see it.

use crate::present::{not_null, nullable};
use crate::{
    AckLevel, AnyDuration, AnyTime, CouponState, Discount, DiscountBody, Duration, Strategy, Time, Whole,
};
use serde::de::{self, Deserializer, MapAccess};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use utoipa::ToSchema;

/// The shop's own marks, each key once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(value_type = BTreeMap<String, String>)]
pub struct Labels(pub BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Labels {
    /// A plain map would take the last of repeated keys in silence.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Labels;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Labels, A::Error> {
                let mut labels = BTreeMap::new();
                while let Some((key, value)) = map.next_entry::<String, String>()? {
                    if labels.insert(key, value).is_some() {
                        return Err(de::Error::duplicate_field("labels"));
                    }
                }
                Ok(Labels(labels))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

/// A new coupon.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateCouponBody {
    /// Its name, 1 to 200 characters.
    #[schema(min_length = 1, max_length = 200, examples("Opening day"))]
    pub name: String,
    /// The first instant of the issue window. In the past: it opens at once.
    #[schema(value_type = Time)]
    pub opens_at: AnyTime,
    /// The first instant after the issue window, in the future and after `opensAt`.
    #[schema(value_type = Time)]
    pub closes_at: AnyTime,
    /// How many, 1 to 2^32-1, or null for unlimited.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(value_type = Option<u64>, required = true, minimum = 1, examples(1000))]
    pub quantity: Option<Whole>,
    /// When every issued one expires, at or after `closesAt`. Exactly one of this and `validFor`.
    #[serde(default)]
    #[schema(value_type = Option<Time>, examples("2026-12-31T15:00:00Z"))]
    pub expires_at: Option<AnyTime>,
    /// How long after its issue one expires.
    #[serde(default)]
    #[schema(value_type = Option<Duration>)]
    pub valid_for: Option<AnyDuration>,
    /// What redeeming gives.
    #[serde(default)]
    pub discount: Option<DiscountBody>,
    /// The smallest order it can be redeemed on, in minor units; 0 by default.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = u64, required = false, default = 0)]
    pub min_order_amount: Option<Whole>,
    /// ISO 4217 code.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = String, required = false, default = "KRW")]
    pub currency: Option<String>,
    /// IANA name: whose midnight counts for days and reminders.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = String, required = false, default = "Asia/Seoul")]
    pub time_zone: Option<String>,
    /// Who decides; the server's default when absent.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Strategy, required = false)]
    pub strategy: Option<Strategy>,
    /// What must hold before an issue is answered.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = AckLevel, required = false, default = "ledger")]
    pub ack: Option<AckLevel>,
    /// Whether the public face shows quantity and remaining.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = bool, required = false, default = true)]
    pub show_remaining: Option<bool>,
    /// The shop's own marks.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Labels, required = false)]
    pub labels: Option<Labels>,
}

/// A change of a coupon: what is absent stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangeCouponBody {
    /// Its name, 1 to 200 characters.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 200)]
    pub name: Option<String>,
    /// The first instant of the issue window; changes only before the opening.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Time, required = false)]
    pub opens_at: Option<AnyTime>,
    /// The first instant after the issue window, in the future.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Time, required = false)]
    pub closes_at: Option<AnyTime>,
    /// How many, not below what is issued, or null for unlimited.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<u64>, required = false, minimum = 1)]
    pub quantity: Option<Option<Whole>>,
    /// When those not yet issued will expire. At most one of this and `validFor`.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Time, required = false)]
    pub expires_at: Option<AnyTime>,
    /// How long after its issue one not yet issued will expire.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Duration, required = false)]
    pub valid_for: Option<AnyDuration>,
    /// What redeeming gives; null takes it away.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<DiscountBody>, required = false)]
    pub discount: Option<Option<DiscountBody>>,
    /// The smallest order it can be redeemed on, in minor units.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = u64, required = false)]
    pub min_order_amount: Option<Whole>,
    /// Whether the public face shows quantity and remaining.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = bool, required = false)]
    pub show_remaining: Option<bool>,
    /// The shop's own marks; these replace all of them.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Labels, required = false)]
    pub labels: Option<Labels>,
}

/// What a copy of a coupon has otherwise: what is absent is as in the other one.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CloneCouponBody {
    /// Its name, 1 to 200 characters.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 200)]
    pub name: Option<String>,
    /// The first instant of the issue window. In the past: it opens at once.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Time, required = false)]
    pub opens_at: Option<AnyTime>,
    /// The first instant after the issue window, in the future and after `opensAt`.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Time, required = false)]
    pub closes_at: Option<AnyTime>,
    /// How many, 1 to 2^32-1, or null for unlimited.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<u64>, required = false, minimum = 1)]
    pub quantity: Option<Option<Whole>>,
    /// When every issued one expires. At most one of this and `validFor`.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Time, required = false)]
    pub expires_at: Option<AnyTime>,
    /// How long after its issue one expires.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Duration, required = false)]
    pub valid_for: Option<AnyDuration>,
    /// What redeeming gives; null for nothing.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<DiscountBody>, required = false)]
    pub discount: Option<Option<DiscountBody>>,
    /// The smallest order it can be redeemed on, in minor units.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = u64, required = false)]
    pub min_order_amount: Option<Whole>,
    /// ISO 4217 code.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = String, required = false)]
    pub currency: Option<String>,
    /// IANA name: whose midnight counts for days and reminders.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = String, required = false)]
    pub time_zone: Option<String>,
    /// Who decides.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Strategy, required = false)]
    pub strategy: Option<Strategy>,
    /// What must hold before an issue is answered.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = AckLevel, required = false)]
    pub ack: Option<AckLevel>,
    /// Whether the public face shows quantity and remaining.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = bool, required = false)]
    pub show_remaining: Option<bool>,
    /// The shop's own marks; these replace all of them.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Labels, required = false)]
    pub labels: Option<Labels>,
}

/// A coupon as administrators see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdminCoupon {
    /// Its id, counted from 1.
    #[schema(value_type = u64, examples(1))]
    pub id: u32,
    /// Its name.
    #[schema(value_type = String, examples("Opening day"))]
    pub name: Box<str>,
    /// Where it stands.
    pub state: CouponState,
    /// The first instant of the issue window.
    pub opens_at: Time,
    /// The first instant after the issue window.
    pub closes_at: Time,
    /// How many there are, or null when unlimited.
    #[schema(value_type = Option<u64>, required = true, examples(1000))]
    pub quantity: Option<u32>,
    /// How many are issued.
    #[schema(value_type = u64, examples(17))]
    pub issued: u32,
    /// How many are left, or null when unlimited.
    #[schema(value_type = Option<u64>, required = true, examples(983))]
    pub remaining: Option<u32>,
    /// When every issued one expires, unless `validFor` says.
    #[schema(required = true)]
    pub expires_at: Option<Time>,
    /// How long after its issue one expires, unless `expiresAt` says.
    #[schema(required = true)]
    pub valid_for: Option<Duration>,
    /// What redeeming gives.
    #[schema(required = true)]
    pub discount: Option<Discount>,
    /// The smallest order it can be redeemed on, in minor units.
    #[schema(examples(0))]
    pub min_order_amount: u64,
    /// ISO 4217 code.
    #[schema(value_type = String, examples("KRW"))]
    pub currency: Box<str>,
    /// IANA name.
    #[schema(value_type = String, examples("Asia/Seoul"))]
    pub time_zone: Box<str>,
    /// Who decides.
    pub strategy: Strategy,
    /// What must hold before an issue is answered.
    pub ack: AckLevel,
    /// Whether the public face shows quantity and remaining.
    pub show_remaining: bool,
    /// The shop's own marks.
    pub labels: Labels,
    /// Whether an administrator has paused it.
    pub paused: bool,
    /// When an administrator closed it for good.
    #[schema(required = true)]
    pub closed_at: Option<Time>,
    /// When it was created.
    pub created_at: Time,
    /// When it was last changed.
    pub revised_at: Time,
    /// How often its facts have been set; also its `ETag`.
    #[schema(value_type = u64, examples(1))]
    pub revision: u32,
}

/// Refusals of one coupon, counted by one server since its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Refusals {
    /// Since when.
    pub since: Time,
    /// The user had it already.
    pub already_issued: u64,
    /// Nothing was left.
    pub sold_out: u64,
    /// The window had not opened.
    pub not_yet_open: u64,
    /// The window had ended or the coupon was closed.
    pub closed: u64,
    /// It was paused.
    pub paused: u64,
}

/// Everything that is counted of one coupon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CouponStats {
    /// Which coupon.
    #[schema(value_type = u64, examples(1))]
    pub coupon_id: u32,
    /// Where it stands.
    pub state: CouponState,
    /// How many there are, or null when unlimited.
    #[schema(value_type = Option<u64>, required = true)]
    pub quantity: Option<u32>,
    /// Issued, exact, by ledger and store.
    pub issued: u64,
    /// How many are left, or null when unlimited.
    #[schema(value_type = Option<u64>, required = true)]
    pub remaining: Option<u32>,
    /// Of the issued, on their way to the store.
    pub pending: u64,
    /// Redeemed.
    pub redeemed: u64,
    /// Redemptions cancelled.
    pub cancelled: u64,
    /// Expired unused.
    pub expired: u64,
    /// Taken back by an administrator.
    pub revoked: u64,
    /// From the opening to the last issue, once it is sold out.
    #[schema(required = true)]
    pub time_to_sell_out: Option<Duration>,
    /// When the first was issued.
    #[schema(required = true)]
    pub first_issued_at: Option<Time>,
    /// When the last was issued.
    #[schema(required = true)]
    pub last_issued_at: Option<Time>,
    /// Refusals by reason that this server alone has given since its start.
    pub refusals_by_this_server: Refusals,
}
