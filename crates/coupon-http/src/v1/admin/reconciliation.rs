//! Whether ledger and store agree.

pub(crate) mod list;
pub(crate) mod repair;

use crate::error::Problem;
use crate::station::Station;
use coupon_api::{
    CouponReconciliation, DifferenceKind, HeldSum, PositionRange, ReconciliationDifference, Time,
};
use coupon_app::{Difference, Holding, Reconciled, Sum};
use coupon_core::{CouponId, IssuedCouponId};

/// One coupon, compared now; `None` when it is gone meanwhile.
async fn compared(station: &Station, coupon: CouponId) -> Result<Option<CouponReconciliation>, Problem> {
    let compared = station.hall.reconciliation.compare(coupon).await;
    let compared = compared.map_err(|error| Problem::from(&error))?;
    Ok(compared.as_ref().map(wire))
}

fn sum(sum: Sum) -> HeldSum {
    HeldSum {
        count: sum.count,
        hash: format!("{:016x}", sum.hash),
    }
}

fn wire(found: &Reconciled) -> CouponReconciliation {
    let range = |(first, last): &(u32, u32)| PositionRange {
        first: *first,
        last: *last,
    };
    CouponReconciliation {
        coupon_id: u64::from(found.coupon.get()),
        sound: found.is_sound(),
        until: found.until,
        ledger: sum(found.ledger),
        pending: sum(found.pending),
        store: sum(found.store),
        lost: found.lost_count(),
        lost_positions: found.lost.iter().map(range).collect(),
        quarantined: found.quarantined,
        differences: found
            .differences
            .iter()
            .map(|one| difference(found.coupon, one))
            .collect(),
        more_differences: found.more,
    }
}

/// Who holds it since when, for people.
fn told(held: &Holding) -> String {
    let at = Time(held.issued_at);
    format!("{:?} at {at}", held.user.as_str())
}

fn difference(coupon: CouponId, one: &Difference) -> ReconciliationDifference {
    let about = |kind: DifferenceKind, held: &Holding| ReconciliationDifference {
        kind,
        id: Some(
            IssuedCouponId {
                coupon,
                position: held.position,
            }
            .to_string(),
        ),
        user_id: Some(held.user.as_str().to_owned()),
        detail: None,
    };
    let plain = |kind, detail: String| ReconciliationDifference {
        kind,
        id: None,
        user_id: None,
        detail: Some(detail),
    };
    match one {
        Difference::NotInStore(held) => about(DifferenceKind::NotInStore, held),
        Difference::NotInLedger(held) => about(DifferenceKind::NotInLedger, held),
        Difference::Unlike { ledger, store } => ReconciliationDifference {
            detail: Some(format!(
                "the ledger says {}, the store {}",
                told(ledger),
                told(store)
            )),
            ..about(DifferenceKind::Unlike, store)
        },
        Difference::State(why) => plain(DifferenceKind::State, why.clone()),
        Difference::Count { counted, found } => plain(
            DifferenceKind::Count,
            format!("{counted} are counted, {found} are there"),
        ),
    }
}
