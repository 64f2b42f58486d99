//! The desk sits its examination over the reference store.

use coupon_app::contract::ReferenceStoreHarness;

coupon_app::desk_contract!(ReferenceStoreHarness::new());
