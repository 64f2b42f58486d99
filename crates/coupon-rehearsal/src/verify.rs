//! The audit: a history and the server's final state against the contract's invariants.
//!
//! Every fault is reported once, under its own name: a position that is missing because its acknowledged issue was
//! lost is a lost acknowledgement and not also a gap. What the server itself counts and names as lost with its ledger's
//! state is told and is no fault, unless the coupon's answers wait for the store. Nothing here knows how issues are decided; it only knows what
//! clients may rely on.

mod accounts;
mod case;
mod findings;
mod holders;
mod order;
mod refusals;
mod state;
mod stock;

use serde::Serialize;

use crate::history::History;
use case::Case;

pub use findings::{Check, Finding, FindingKind, Invariant};
pub use state::{FinalState, IssuedCoupon};

/// What the audit found.
#[derive(Debug, Clone, Serialize)]
pub struct Verdict {
    /// How many coupons the server holds as issued in the end.
    pub coupons_held: u64,
    /// Every invariant that was checked, with its evidence and its violations.
    pub checks: Vec<Check>,
}

impl Verdict {
    /// Whether nothing was violated.
    pub fn passed(&self) -> bool {
        self.findings().next().is_none()
    }

    /// Every violation, in the order of the invariants.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.checks.iter().flat_map(|check| &check.findings)
    }

    /// How many acknowledged issues are lost that the server counts and names as lost.
    pub fn lost_and_counted(&self) -> u64 {
        let kept = self
            .checks
            .iter()
            .filter(|check| check.invariant == Invariant::I3);
        let remarks = kept.flat_map(|check| &check.remarks);
        let lost = remarks.filter(|remark| remark.kind == FindingKind::LostAndCounted);
        lost.map(|remark| remark.count).sum()
    }
}

/// Holds a history against the final state of the server. `O(n log n)` in the number of attempts.
pub fn audit(history: &History, state: &FinalState) -> Verdict {
    let case = Case::open(history, state);
    let checks = vec![
        stock::exact(&case),
        holders::one_per_user(&case),
        holders::kept(&case),
        holders::asked_for(&case),
        stock::contiguous(&case),
        order::first_come(&case),
        refusals::are_true(&case),
        accounts::of_attempts(&case),
        accounts::of_the_server(&case),
        order::inside_the_window(&case),
    ];
    Verdict {
        coupons_held: state.issued(),
        checks,
    }
}
