//! Where the wires meet: which adapter stands behind which port.

mod embedded;
mod lock_turns;
mod no_redemption;
mod redis_watch;
mod shared;

pub(crate) use embedded::{Embedded, journal_options, open_ledger, store_options};
pub(crate) use shared::{Engines, Together, database_url, redis_options};

use crate::config::Settings;
use crate::hall::hall_settings;
use crate::keys::Keys;
use coupon_app::{AuditLog, Board, Clock, CodeKey, CouponStore, Desk, KeyStore, Ledgers, Redeemer};
use coupon_core::{AckLevel, Strategy};
use coupon_http::HallParts;
use secrecy::SecretBox;
use std::sync::Arc;

/// A working service without its doors, whatever stands behind: ledgers, store and what joins them.
pub(crate) struct House {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) board: Arc<Board>,
    pub(crate) store: Arc<dyn CouponStore>,
    pub(crate) key_store: Arc<dyn KeyStore>,
    pub(crate) audit: Arc<dyn AuditLog>,
    pub(crate) codes: CodeKey,
    pub(crate) ledgers: Arc<Ledgers>,
    pub(crate) redeemer: Arc<Redeemer>,
    /// What new coupons may have as their strategy; the first is the default.
    pub(crate) strategies: Vec<Strategy>,
    /// What new coupons may have as their level of acknowledgement.
    pub(crate) acks: Vec<AckLevel>,
    /// The secrets it starts with.
    pub(crate) keys: Keys,
}

impl House {
    /// A desk with lanes of its own, for one event loop.
    pub(crate) fn desk(&self) -> Desk {
        Desk::new(
            self.ledgers.lanes(),
            Arc::clone(&self.board),
            Arc::clone(&self.store),
            Arc::clone(&self.clock),
            self.codes.clone(),
        )
    }

    /// Everything that the HTTP hall is made of.
    pub(crate) fn hall_parts(&self, settings: &Settings) -> anyhow::Result<HallParts> {
        let mut hall = hall_settings(settings, &self.keys)?;
        hall.strategies.clone_from(&self.strategies);
        hall.acks.clone_from(&self.acks);
        Ok(HallParts {
            keys: Arc::clone(&self.key_store),
            audit: Arc::clone(&self.audit),
            ledgers: Arc::clone(&self.ledgers),
            redeemer: Arc::clone(&self.redeemer),
            clock: Arc::clone(&self.clock),
            key_seed: SecretBox::new(Box::new(self.keys.seed)),
            settings: hall,
        })
    }
}
