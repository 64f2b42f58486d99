//! One module per verb of the command line.

pub(crate) mod audit_log;
pub(crate) mod backup;
pub(crate) mod cells;
pub(crate) mod config;
pub(crate) mod coupon;
pub(crate) mod dead_letters;
pub(crate) mod healthcheck;
pub(crate) mod jobs;
pub(crate) mod key;
pub(crate) mod migrate;
pub(crate) mod notification;
pub(crate) mod openapi;
pub(crate) mod rehearse;
pub(crate) mod restore;
pub(crate) mod serve;
pub(crate) mod token;
pub(crate) mod verify;
pub(crate) mod webhook;
pub(crate) mod work;
