//! What administrators do.

pub(crate) mod audit_log;
pub(crate) mod coupons;
pub(crate) mod dead_letters;
pub(crate) mod issued_coupons;
pub(crate) mod keys;
pub(crate) mod reconciliation;
pub(crate) mod webhooks;
