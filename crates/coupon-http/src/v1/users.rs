//! Any user, for services.

pub(crate) mod contact;
pub(crate) mod list_coupons;
