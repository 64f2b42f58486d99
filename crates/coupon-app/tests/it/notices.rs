//! The reference store sits the examination of outbox, calendar and jobs.

use coupon_app::contract::ReferenceStoreHarness;

coupon_app::notice_contract!(ReferenceStoreHarness::new());
