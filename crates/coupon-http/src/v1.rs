//! The first version of the interface: nouns are folders, verbs are files.

pub(crate) mod admin;
pub(crate) mod coupons;
pub(crate) mod issued_coupons;
pub(crate) mod me;
pub(crate) mod users;
mod wallet;
