//! The calling user.

pub(crate) mod list_coupons;
