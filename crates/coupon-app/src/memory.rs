//! The in-memory reference: a ledger and a store that are obviously right rather than fast.
//!
//! What other adapters keep on disk or in a server these keep behind an `Arc`: the [`Medium`] is the ledger's disk,
//! and clones of one [`MemoryStore`] are one store opened again. Everything else is lost when they are dropped, so
//! the references recover as every other adapter must: from the store, and from the entries that it has not applied.

mod audit;
mod clock;
mod deliveries;
mod facts;
mod ledger;
mod letters;
mod notice_ports;
mod notices;
mod store;
mod uses;
mod webhooks;

pub use clock::ManualClock;
pub use deliveries::MemoryDeliveries;
pub use ledger::{Medium, MemoryLedger};
pub use letters::MemoryLetters;
pub use store::{MemoryStore, Quarantined};
pub use webhooks::MemoryAddresses;
