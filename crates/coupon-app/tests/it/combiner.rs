//! The combiner sits its examination in front of the reference ledger.

use coupon_app::contract::ReferenceHarness;

coupon_app::combiner_contract!(ReferenceHarness::new());
