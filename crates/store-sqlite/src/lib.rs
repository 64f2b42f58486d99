//! The embedded store: the system of record of a server that works alone, in one SQLite file.
//!
//! [`SqliteStore`] implements the ports [`coupon_app::RecordStore`], [`coupon_app::CouponStore`],
//! [`coupon_app::RedemptionStore`], [`coupon_app::NotificationOutbox`], [`coupon_app::FailedDeliveries`],
//! [`coupon_app::Calendar`], [`coupon_app::JobBook`] and [`coupon_app::KeyStore`]. One connection writes, behind a mutex;
//! a few read, off the event loops. `docs/DATA-MODEL.md` describes the file to the column, and `docs/decisions/` says why
//! it is so.
//!
//! * `apply`, `tail`, `filter` and `fold` take in what the ledger decided;
//! * `load`, `query` and `keys` give it back;
//! * `redeem` and `history` decide what becomes of an issued coupon, and keep every step;
//! * `webhooks` and `contacts` keep where notifications go ([`coupon_app::WebhookStore`], [`coupon_app::ContactStore`]);
//! * `notices`, `outbox`, `calendar` and `jobs` keep what is to be told, and write down what the clock says;
//! * [`backup_file`] and [`verify`] copy a store while it is in use, and tell whether one is sound;
//! * [`StoreAtRest`] reads one in which nothing runs, and changes nothing.

mod addresses;
mod apply;
mod at_rest;
mod audit;
mod backup;
mod calendar;
mod careful;
mod carrier;
mod connection;
mod contacts;
mod error;
mod failed;
mod filter;
mod fold;
mod history;
mod issued_table;
mod jobs;
mod keys;
mod load;
mod migrations;
mod notice_ports;
mod notices;
mod outbox;
mod quarantine;
mod query;
mod readers;
mod redeem;
mod revise;
mod row;
mod seal;
mod store;
mod sums;
mod swift;
mod tail;
mod verify;
mod webhooks;

pub use at_rest::StoreAtRest;
pub use backup::{BackupError, Pace, Progress, backup_file};
pub use error::OpenError;
pub use quarantine::{Quarantined, Suspicion};
pub use store::{SqliteOptions, SqliteStore};
pub use verify::{Difference, Report, VerifyError, verify};
