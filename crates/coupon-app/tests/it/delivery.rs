//! The reference of a store that is filled by deliveries passes its own examination.

use coupon_app::contract::ReferenceDeliveryHarness;

coupon_app::delivery_contract!(ReferenceDeliveryHarness::new());
