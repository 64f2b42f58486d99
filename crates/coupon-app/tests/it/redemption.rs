//! The reference store sits the examination of redemption.

use coupon_app::contract::ReferenceStoreHarness;

coupon_app::redemption_contract!(ReferenceStoreHarness::new());
