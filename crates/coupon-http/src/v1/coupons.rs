//! Coupons as everyone sees them.

pub(crate) mod events;
pub(crate) mod issue;
pub(crate) mod read;
pub(crate) mod time;
