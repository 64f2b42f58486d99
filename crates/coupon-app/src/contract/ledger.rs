//! What every ledger is asked.

mod exam;
pub mod stock;

pub use exam::{Carried, Exam, ask, change, order};

use crate::memory::ManualClock;
use crate::{Board, IssueLedger, Outbox, RecordStore};
use async_trait::async_trait;
use std::sync::Arc;

/// A ledger, opened, with everything around it.
pub struct Bench {
    /// Decides.
    pub ledger: Arc<dyn IssueLedger>,
    /// Hands on what was decided; often the same object.
    pub outbox: Arc<dyn Outbox>,
    /// Where the ledger posts.
    pub board: Arc<Board>,
    /// What the ledger was restored from. The suite carries entries to it as the follower would.
    pub store: Arc<dyn RecordStore>,
}

/// Opens ledgers for the suite.
///
/// `crash_and_reopen` is where a ledger shows that it is durable: it MUST lose everything that a power cut would
/// lose. The suite calls it throughout, after any batch, with the store anywhere between empty and complete.
#[async_trait(?Send)]
pub trait LedgerHarness {
    /// A ledger that nobody has used, on an empty medium, with an empty store. It judges by `clock`. May be called
    /// again; what was opened before is then no longer used.
    async fn open(&mut self, clock: Arc<ManualClock>) -> Bench;

    /// Ends what was opened last, without closing it, as a power cut would; opens it again from what is durable, with
    /// a new board and the same store. `bench` holds the last references that the suite has.
    async fn crash_and_reopen(&mut self, bench: Bench, clock: Arc<ManualClock>) -> Bench;

    /// How many random schedules the ledger is put through. Fewer for one that is slow to open.
    fn schedules(&self) -> u32 {
        64
    }
}

/// One test for each case of the ledger's contract. Takes an expression that makes a [`LedgerHarness`].
#[macro_export]
macro_rules! ledger_contract {
    ($harness:expr) => {
        $crate::contract_cases! { ledger, $harness;
            stock {
                the_last_coupon_goes_to_exactly_one_user
            }
        }
    };
}

/// Writes the tests of a suite.
#[doc(hidden)]
#[macro_export]
macro_rules! contract_cases {
    ($suite:ident, $harness:expr; $($part:ident { $($case:ident)* })*) => {
        $($(
            #[test]
            fn $case() {
                $crate::contract::$suite::$part::$case(&mut $harness);
            }
        )*)*
    };
}
