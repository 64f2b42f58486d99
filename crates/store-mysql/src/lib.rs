//! The store on MySQL and MariaDB, and the ledger that decides there.
//!
//! * [`MysqlStore`] takes in what a shared ledger has decided, and answers: the ports [`coupon_app::DeliveryStore`],
//!   [`coupon_app::CouponIds`], [`coupon_app::LedgerMarks`], [`coupon_app::CouponStore`] and [`coupon_app::KeyStore`].
//!   It also keeps what is to be told, [`coupon_app::NotificationOutbox`] and [`coupon_app::FailedDeliveries`], writes
//!   down what the clock makes due, [`coupon_app::Calendar`], and gives jobs to workers, [`coupon_app::JobBook`].
//!   It also keeps where notifications go: [`coupon_app::WebhookStore`] and [`coupon_app::ContactStore`].
//! * [`QuarantineOffice`] looks after what the store did not take: the port [`coupon_app::DeadLetterOffice`].
//! * [`DatabaseLedger`] decides there: the port [`coupon_app::IssueLedger`], for the strategies `database` and
//!   `redis-lock`.
//! * [`MysqlRedemptions`] decides what becomes of issued coupons: the port [`coupon_app::RedemptionStore`].
//!
//! `docs/DATA-MODEL.md` describes the tables to the column, and `docs/decisions/` says why they are so.

mod addresses;
mod announce;
mod audit;
mod calendar;
mod condition;
mod connection;
mod contacts;
mod deliver;
mod error;
mod failed;
mod history;
mod ids;
mod jobs;
mod keys;
mod ledger;
mod limits;
mod marks;
mod migrations;
mod notice_ports;
mod notices;
mod office;
mod outbox;
mod quarantine;
mod query;
mod redeem;
mod roll_call;
mod row;
mod rows;
mod script;
mod session;
mod settings;
mod shelf;
mod store;
mod survey;
mod teller;
mod telling;
mod transaction;
mod webhooks;

pub use error::{Failure, OpenError};
pub use ledger::{Contention, DatabaseLedger, LedgerClock, LedgerOptions, NoTurn, Turn, Turns};
pub use office::QuarantineOffice;
pub use redeem::{MysqlRedemptions, RedemptionOptions};
pub use store::{MysqlStore, StoreOptions};
pub use telling::Telling;
