//! Any user, for services.

pub(crate) mod list_coupons;
