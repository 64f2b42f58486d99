//! A coupon as everyone may see it, and the parts that it shares with the administrator's view.

use crate::{Time, Whole};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where a coupon stands: the first of these that is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum CouponState {
    /// By an administrator, or because the window has ended.
    Closed,
    /// The window has not opened.
    Scheduled,
    /// An administrator has paused it.
    Paused,
    /// Nothing is left.
    SoldOut,
    /// It can be issued.
    Open,
}

impl From<coupon_core::CouponState> for CouponState {
    fn from(state: coupon_core::CouponState) -> Self {
        match state {
            coupon_core::CouponState::Closed => Self::Closed,
            coupon_core::CouponState::Scheduled => Self::Scheduled,
            coupon_core::CouponState::Paused => Self::Paused,
            coupon_core::CouponState::SoldOut => Self::SoldOut,
            coupon_core::CouponState::Open => Self::Open,
        }
    }
}

/// Which kind of ledger decides a coupon; fixed when the coupon is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Memory of one process and its journal.
    Journal,
    /// A row lock in MySQL or MariaDB.
    Database,
    /// The database under a Redis lock with a fencing token.
    RedisLock,
    /// One Lua script per batch.
    RedisScript,
}

impl From<coupon_core::Strategy> for Strategy {
    fn from(strategy: coupon_core::Strategy) -> Self {
        match strategy {
            coupon_core::Strategy::Journal => Self::Journal,
            coupon_core::Strategy::Database => Self::Database,
            coupon_core::Strategy::RedisLock => Self::RedisLock,
            coupon_core::Strategy::RedisScript => Self::RedisScript,
        }
    }
}

impl From<Strategy> for coupon_core::Strategy {
    fn from(strategy: Strategy) -> Self {
        match strategy {
            Strategy::Journal => Self::Journal,
            Strategy::Database => Self::Database,
            Strategy::RedisLock => Self::RedisLock,
            Strategy::RedisScript => Self::RedisScript,
        }
    }
}

/// What must hold before an issue is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AckLevel {
    /// The ledger's own promise of durability.
    Ledger,
    /// The store has it too.
    Store,
}

impl From<coupon_core::AckLevel> for AckLevel {
    fn from(ack: coupon_core::AckLevel) -> Self {
        match ack {
            coupon_core::AckLevel::Ledger => Self::Ledger,
            coupon_core::AckLevel::Store => Self::Store,
        }
    }
}

impl From<AckLevel> for coupon_core::AckLevel {
    fn from(ack: AckLevel) -> Self {
        match ack {
            AckLevel::Ledger => Self::Ledger,
            AckLevel::Store => Self::Store,
        }
    }
}

/// The kind of a discount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum DiscountType {
    /// A fixed amount in the currency's minor unit.
    Amount,
    /// A share of the order amount.
    Percent,
}

/// The discount that redeeming gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Discount {
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: DiscountType,
    /// The amount in minor units, or the percentage.
    #[schema(examples(10))]
    pub value: u64,
    /// Of a percentage: at most so much, in minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, examples(5000))]
    pub max_amount: Option<u64>,
}

impl From<coupon_core::Discount> for Discount {
    fn from(discount: coupon_core::Discount) -> Self {
        match discount {
            coupon_core::Discount::Amount { value } => Self {
                kind: DiscountType::Amount,
                value,
                max_amount: None,
            },
            coupon_core::Discount::Percent { value, max_amount } => Self {
                kind: DiscountType::Percent,
                value: value.into(),
                max_amount,
            },
        }
    }
}

/// A discount as an administrator sets it.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DiscountBody {
    /// Its kind.
    #[serde(rename = "type")]
    pub kind: DiscountType,
    /// The amount in minor units, 1 to 2^53-1, or the percentage, 1 to 100.
    #[schema(value_type = u64, minimum = 1, examples(10))]
    pub value: Whole,
    /// Of a percentage only: at most so much, in minor units.
    #[serde(default)]
    #[schema(value_type = Option<u64>, minimum = 1, examples(5000))]
    pub max_amount: Option<Whole>,
}

/// The public face of a coupon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PublicCoupon {
    /// Its id.
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
    /// What redeeming gives.
    #[schema(required = true)]
    pub discount: Option<Discount>,
    /// The smallest order it can be redeemed on, in minor units.
    #[schema(examples(0))]
    pub min_order_amount: u64,
    /// ISO 4217 code.
    #[schema(value_type = String, examples("KRW"))]
    pub currency: Box<str>,
    /// How many there are, null when unlimited; absent unless the coupon shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>, required = false, examples(1000))]
    pub quantity: Option<Option<u32>>,
    /// How many are left, null when unlimited; absent unless the coupon shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>, required = false, examples(983))]
    pub remaining: Option<Option<u32>>,
}

/// The clock that judges a coupon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CouponTime {
    /// Which coupon.
    #[schema(value_type = u64, examples(1))]
    pub coupon_id: u32,
    /// What the judging clock says.
    pub now: Time,
    /// The first instant of the issue window.
    pub opens_at: Time,
    /// The first instant after the issue window.
    pub closes_at: Time,
    /// Where the coupon stands now.
    pub state: CouponState,
}

/// What everybody may see of a coupon, live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CouponEvent {
    /// Which coupon.
    #[schema(value_type = u64, examples(1))]
    pub coupon_id: u32,
    /// Where it stands.
    pub state: CouponState,
    /// What the judging clock said when this was seen.
    pub now: Time,
    /// The first instant of the issue window.
    pub opens_at: Time,
    /// The first instant after the issue window.
    pub closes_at: Time,
    /// How many are left, null when unlimited; absent unless the coupon shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>, required = false, examples(983))]
    pub remaining: Option<Option<u32>>,
}
