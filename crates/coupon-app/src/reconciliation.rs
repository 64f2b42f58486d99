//! The reconciliation port: whether ledger, the ways from it, and store say the same of who holds what.

mod by_looks;

pub use by_looks::LookReconciliation;

use crate::StoreError;
use crate::limits::MAX_DIFFERENCES;
use async_trait::async_trait;
use coupon_core::{CouponId, Position, Timestamp, UserId};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// One issue as a comparison sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// Its position.
    pub position: Position,
    /// Who holds it.
    pub user: UserId,
    /// Since when.
    pub issued_at: Timestamp,
}

/// How many, and a sum of hashes that does not depend on their order. Equal sums of equal counts mean the same issues,
/// but for one chance in 2^64; sums of two versions of this program need not be equal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// How many.
    pub count: u64,
    /// The sum of their hashes.
    pub hash: u64,
}

impl Sum {
    /// Of these.
    pub fn of<'h>(all: impl IntoIterator<Item = &'h Holding>) -> Self {
        all.into_iter().fold(Self::default(), |sum, held| {
            let mut hasher = DefaultHasher::new();
            (
                held.position.get(),
                held.user.as_bytes(),
                held.issued_at.as_micros(),
            )
                .hash(&mut hasher);
            Self {
                count: sum.count + 1,
                hash: sum.hash.wrapping_add(hasher.finish()),
            }
        })
    }
}

/// What was read of one coupon. The order of reading makes a sale that goes on no difference: first how far the ledger
/// has come, then the ledger, then the ways to the store, then the store.
#[derive(Clone, Debug, Default)]
pub struct Readings {
    /// How far the ledger had come at first. What lies beyond is not compared.
    pub until: u32,
    /// What the ledger holds; `None` when it has no state of this coupon.
    pub ledger: Option<Vec<Holding>>,
    /// What is on its way to the store.
    pub pending: Vec<Holding>,
    /// What the store holds.
    pub store: Vec<Holding>,
}

/// Something that does not agree, by the position that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The ledger has it; the store has not, and nothing brings it.
    NotInStore(Holding),
    /// The store has it and the ledger has not: who holds it could be issued another.
    NotInLedger(Holding),
    /// Both have the position, of different users or times.
    Unlike {
        /// What the ledger says.
        ledger: Holding,
        /// What the store says.
        store: Holding,
    },
    /// The ledger's state may not be used, and why.
    State(String),
    /// So many are counted, and so many are there.
    Count {
        /// Counted.
        counted: u64,
        /// There.
        found: u64,
    },
}

/// What was found of one coupon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reconciled {
    /// Which coupon.
    pub coupon: CouponId,
    /// Compared up to this position.
    pub until: u32,
    /// What the ledger holds.
    pub ledger: Sum,
    /// What is on its way and not in the store yet.
    pub pending: Sum,
    /// What the store holds.
    pub store: Sum,
    /// Positions that were lost with the ledger's state and belong to nobody: the first and the last of each range.
    pub lost: Vec<(u32, u32)>,
    /// Records of this coupon that went to quarantine.
    pub quarantined: u64,
    /// What does not agree, at most [`crate::limits::MAX_DIFFERENCES`].
    pub differences: Vec<Difference>,
    /// How many more do not agree.
    pub more: u64,
}

impl Reconciled {
    /// Whether everything agrees.
    pub fn is_sound(&self) -> bool {
        self.differences.is_empty()
    }

    /// How many positions were lost.
    pub fn lost_count(&self) -> u64 {
        self.lost
            .iter()
            .map(|(first, last)| u64::from(last - first) + 1)
            .sum()
    }
}

/// Compares in both directions.
pub fn compare(coupon: CouponId, readings: Readings) -> Reconciled {
    let until = readings.until;
    let within = |all: Vec<Holding>| -> BTreeMap<Position, Holding> {
        let all = all.into_iter().filter(|held| held.position.get() <= until);
        all.map(|held| (held.position, held)).collect()
    };
    let store = within(readings.store);
    let mut pending = within(readings.pending);
    let mut differences = Vec::new();
    let has_state = readings.ledger.is_some();
    let ledger = within(readings.ledger.unwrap_or_default());
    pending.retain(|position, _| !store.contains_key(position));
    for (position, held) in &ledger {
        match store.get(position) {
            Some(stored) if stored == held => {}
            Some(stored) => differences.push(Difference::Unlike {
                ledger: held.clone(),
                store: stored.clone(),
            }),
            None if pending.get(position) == Some(held) => {}
            None => differences.push(Difference::NotInStore(held.clone())),
        }
    }
    if has_state {
        let missing = store
            .iter()
            .filter(|(position, _)| !ledger.contains_key(position));
        differences.extend(missing.map(|(_, held)| Difference::NotInLedger(held.clone())));
    }
    let more = differences.len().saturating_sub(MAX_DIFFERENCES);
    differences.truncate(MAX_DIFFERENCES);
    Reconciled {
        coupon,
        until,
        ledger: Sum::of(ledger.values()),
        pending: Sum::of(pending.values()),
        store: Sum::of(store.values()),
        lost: Vec::new(),
        quarantined: 0,
        differences,
        more: u64::try_from(more).unwrap_or(u64::MAX),
    }
}

/// What reconciliation has done, for metrics: this server's, since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReconciliationFigures {
    /// Differences that were found by the last comparison of every coupon that was compared.
    pub differences: u64,
    /// Coupons whose state was taken anew from the store.
    pub reopened: u64,
    /// Positions that were lost with the states of these.
    pub lost: u64,
    /// How often a coupon's state could not be taken anew.
    pub failed: u64,
}

/// Compares ledger and store, and mends what can be mended.
///
/// 1. **A sale may go on.** A comparison finds no difference that is only the way from ledger to store.
/// 2. **Named.** Every difference names position and user.
/// 3. **Mending loses nothing.** What only the ledger has is brought to the store; a state that lacks what the store has
///    is taken anew. What cannot be mended is found by the next comparison as before.
#[async_trait]
pub trait Reconciliation: Send + Sync + 'static {
    /// Compares one coupon; `None` when there is none.
    async fn compare(&self, coupon: CouponId) -> Result<Option<Reconciled>, StoreError>;

    /// Mends what can be mended of these coupons, and permits to open those that stay closed because answered issues
    /// were lost.
    async fn repair(&self, coupons: &[CouponId]) -> Result<(), StoreError>;

    /// What has been done so far.
    fn figures(&self) -> ReconciliationFigures;
}
