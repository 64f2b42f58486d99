//! Whether ledger and store agree, as administrators see it.

use serde::Serialize;
use utoipa::ToSchema;

/// How many issued coupons, and a sum of hashes over them that does not depend on their order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeldSum {
    /// How many.
    pub count: u64,
    /// The sum, as 16 hexadecimal digits. Equal sums of one answer mean equal contents.
    #[schema(examples("4f1c2a9b7d3e5f60"))]
    pub hash: String,
}

/// Positions that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PositionRange {
    /// The first.
    pub first: u32,
    /// The last.
    pub last: u32,
}

/// What does not agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DifferenceKind {
    /// The ledger has it; the store has not, and nothing brings it.
    NotInStore,
    /// The store has it, the ledger has not.
    NotInLedger,
    /// Both have the position, but not the same.
    Unlike,
    /// The ledger's state may not be used.
    State,
    /// A count does not agree with what is there.
    Count,
}

/// One thing that does not agree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReconciliationDifference {
    /// What.
    pub kind: DifferenceKind,
    /// The issued coupon that it is about, if it is about one.
    #[schema(required = true, examples("1-17"))]
    pub id: Option<String>,
    /// Who holds it.
    #[schema(required = true)]
    pub user_id: Option<String>,
    /// More, for people.
    #[schema(required = true)]
    pub detail: Option<String>,
}

/// One coupon, compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CouponReconciliation {
    /// Which coupon.
    pub coupon_id: u64,
    /// Whether everything agrees.
    pub sound: bool,
    /// Compared up to this position.
    pub until: u32,
    /// What the ledger holds.
    pub ledger: HeldSum,
    /// What is on its way and not in the store yet.
    pub pending: HeldSum,
    /// What the store holds.
    pub store: HeldSum,
    /// How many positions were lost with the ledger's state. They belong to nobody and are never used again.
    pub lost: u64,
    /// Which.
    pub lost_positions: Vec<PositionRange>,
    /// Records that contradict the store, or come from a state that was lost, and were put into quarantine.
    pub quarantined: u64,
    /// What does not agree.
    pub differences: Vec<ReconciliationDifference>,
    /// How many more do not agree than are listed.
    pub more_differences: u64,
}

/// A page of coupons, compared.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReconciliationPage {
    /// The coupons in order of id.
    pub data: Vec<CouponReconciliation>,
    /// Where the next page begins; null on the last one.
    #[schema(required = true)]
    pub next_cursor: Option<String>,
}
