//! Issued coupons, as administrators handle them.

pub(crate) mod revoke;
