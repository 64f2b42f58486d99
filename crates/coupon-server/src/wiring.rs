//! Where the wires meet: which adapter stands behind which port.

mod carriers;
mod channels;
mod embedded;
mod jobs;
mod kafka;
mod letters;
mod lock_turns;
mod reopening;
mod shared;

pub(crate) use carriers::{Carrier, Carriers, KafkaLegs};
pub(crate) use channels::Channels;
pub(crate) use embedded::{Embedded, codes_of, journal_options, open_ledger, store_options};
pub(crate) use jobs::{JobThread, jobs};
pub(crate) use kafka::{kafka_options, topic_plan, watch as watch_kafka};
pub(crate) use shared::{Engines, Together, database_url, redis_options};

use crate::config::Settings;
use crate::hall::hall_settings;
use crate::keys::Keys;
use coupon_app::{
    AuditLog, Board, Clock, CodeKey, ContactStore, CouponStore, DeadLetters, Desk, KeyStore, Ledgers,
    NotificationOutbox, Reconciliation, Redeemer, WebhookStore,
};
use coupon_core::{AckLevel, Strategy};
use coupon_http::{HallParts, Webhooks};
use secrecy::SecretBox;
use std::sync::Arc;

/// A working service without its doors, whatever stands behind: ledgers, store and what joins them.
pub(crate) struct House {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) board: Arc<Board>,
    pub(crate) store: Arc<dyn CouponStore>,
    pub(crate) key_store: Arc<dyn KeyStore>,
    pub(crate) webhooks: Arc<dyn WebhookStore>,
    pub(crate) contacts: Arc<dyn ContactStore>,
    pub(crate) audit: Arc<dyn AuditLog>,
    pub(crate) codes: CodeKey,
    pub(crate) ledgers: Arc<Ledgers>,
    pub(crate) redeemer: Arc<Redeemer>,
    pub(crate) reconciliation: Arc<dyn Reconciliation>,
    /// What could not be taken, wherever it lies.
    pub(crate) dead_letters: DeadLetters,
    /// What was told and is to be told, if the store keeps it.
    pub(crate) deliveries: Option<Arc<dyn NotificationOutbox>>,
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

    /// The ways to tell people and systems what happens. Templates and addresses that cannot be used are refused here,
    /// at the start.
    pub(crate) fn channels(&self, settings: &Settings) -> anyhow::Result<Channels> {
        let (webhooks, contacts) = (Arc::clone(&self.webhooks), Arc::clone(&self.contacts));
        Channels::open(settings, webhooks, contacts, &self.codes)
    }

    /// Everything that the HTTP hall is made of.
    pub(crate) fn hall_parts(&self, settings: &Settings, channels: &Channels) -> anyhow::Result<HallParts> {
        let mut hall = hall_settings(settings, &self.keys)?;
        hall.strategies.clone_from(&self.strategies);
        hall.acks.clone_from(&self.acks);
        Ok(HallParts {
            webhooks: Webhooks {
                store: Arc::clone(&self.webhooks),
                post: Arc::clone(&channels.webhooks) as _,
                deliveries: self.deliveries.clone(),
            },
            keys: Arc::clone(&self.key_store),
            audit: Arc::clone(&self.audit),
            ledgers: Arc::clone(&self.ledgers),
            redeemer: Arc::clone(&self.redeemer),
            contacts: Arc::clone(&self.contacts),
            reconciliation: Arc::clone(&self.reconciliation),
            dead_letters: self.dead_letters.clone(),
            clock: Arc::clone(&self.clock),
            key_seed: SecretBox::new(Box::new(self.keys.seed)),
            settings: hall,
        })
    }
}
