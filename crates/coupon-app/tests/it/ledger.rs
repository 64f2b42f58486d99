//! The reference ledger sits the ledger's examination.

use coupon_app::contract::ReferenceHarness;

coupon_app::ledger_contract!(ReferenceHarness::new());
