//! The reference store sits the store's examination.

use coupon_app::contract::ReferenceStoreHarness;

coupon_app::store_contract!(ReferenceStoreHarness::new());
