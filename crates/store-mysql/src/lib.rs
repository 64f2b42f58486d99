//! The store on MySQL and MariaDB, and the ledger that decides there.
//!
//! * [`MysqlStore`] takes in what a shared ledger has decided, and answers: the ports [`coupon_app::DeliveryStore`],
//!   [`coupon_app::CouponIds`], [`coupon_app::LedgerMarks`], [`coupon_app::CouponStore`] and [`coupon_app::KeyStore`].
//! * [`DatabaseLedger`] decides there: the port [`coupon_app::IssueLedger`], for the strategies `database` and
//!   `redis-lock`.
//!
//! `docs/DATA-MODEL.md` describes the tables to the column, and `docs/decisions/` says why they are so.

mod audit;
mod connection;
mod deliver;
mod error;
mod ids;
mod keys;
mod ledger;
mod limits;
mod marks;
mod migrations;
mod quarantine;
mod query;
mod row;
mod rows;
mod script;
mod settings;
mod shelf;
mod store;

pub use error::{Failure, OpenError};
pub use ledger::{Contention, DatabaseLedger, LedgerClock, LedgerOptions, NoTurn, Turn, Turns};
pub use store::{MysqlStore, StoreOptions};
