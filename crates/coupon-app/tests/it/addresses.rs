//! The reference of webhooks and contacts.

coupon_app::address_contract!(coupon_app::contract::ReferenceAddressHarness::new());
