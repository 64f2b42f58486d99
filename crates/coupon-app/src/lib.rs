//! The doors: what the house promises and what it needs, as ports with their contracts, and the use cases between.
//!
//! * [`IssueLedger`] decides and makes durable; [`Combiner`] stands in front of every ledger and turns concurrent
//!   requests into batches.
//! * [`Ledgers`] are all that one server offers; [`Forwarding`] brings to the store what cannot wait for workers.
//! * [`Outbox`] hands on what the ledger has decided; [`RecordStore`] takes it in; [`follow`] carries it across.
//! * [`RedemptionStore`] decides what becomes of an issued coupon; [`Redeemer`] stands in front of it, and [`Bringing`]
//!   gets it what a shared ledger has issued and no worker has stored yet ([`PendingIssues`]).
//! * [`DeliverySource`] hands out the stream of a ledger that many servers share; [`DeliverySink`] puts it onto a feed
//!   where workers and others take it; [`DeliveryStore`] takes it in;
//!   [`FactsOfRecord`] tells such a ledger what the store knows, [`LedgerMarks`] when it was lost.
//! * [`NotificationOutbox`] keeps what is to be told; [`Calendar`] writes down what the clock makes due; [`JobBook`]
//!   gives each job to one worker.
//! * [`Channel`] brings a [`Notification`] to whom it concerns.
//! * [`Contacts`] says how a person is reached; [`ContactStore`] keeps what we were told.
//! * [`WebhookStore`] keeps the shop's endpoints; [`WebhookPost`] reaches one out of turn.
//! * [`SharedState`], [`Passage`] and [`RollCall`] are how the state of such a ledger is taken anew after a loss.
//! * [`Reconciliation`] compares ledger and store, and mends.
//! * [`DeadLetterOffice`] keeps what could not be taken; [`DeadLetters`] are all of one server. [`FailedDeliveries`] are
//!   those of the outbox.
//! * [`Lock`] is a lease that lowers contention, no more.
//! * [`AuditLog`] tells what administrators did; [`Origin`] is what every command brings to it.
//! * [`CouponStore`] and [`KeyStore`] answer queries; [`Desk`] merges them with what is still on its way.
//! * [`Board`] is what a server may say of a coupon from memory.
//!
//! With the feature `contract` come the reference adapters and the suites that examine any adapter.

mod audit;
mod board;
mod bringing;
mod calendar;
mod clock;
mod code;
mod combiner;
mod contact;
#[cfg(feature = "contract")]
pub mod contract;
mod dead_letter;
mod delivery;
mod delivery_sink;
mod delivery_source;
mod desk;
mod error;
mod failed_delivery;
mod follow;
mod forwarding;
mod job;
mod key;
mod ledger;
mod ledgers;
pub mod limits;
mod lock;
#[cfg(feature = "contract")]
pub mod memory;
mod notification;
mod notification_outbox;
mod on_record;
mod outbox;
mod reconciliation;
mod redeemer;
mod redemption;
mod reopening;
mod store;
mod webhook;

pub use audit::{
    AuditAction, AuditCursor, AuditEntry, AuditFilter, AuditLog, AuditedChange, AuditedKey, AuditedMatter,
    AuditedUse, AuditedWebhook, Origin,
};
pub use board::{Board, Found, Posted};
pub use bringing::{Bringing, PendingIssue, PendingIssues};
pub use calendar::{Calendar, Passed, Reminders, RemindersError, ZonedReminders};
pub use clock::Clock;
pub use code::{Code, CodeError, CodeKey};
pub use combiner::{Combiner, CombinerStats, Lane, Pending};
pub use contact::{ContactStore, Contacts};
pub use dead_letter::{Contents, DeadLetter, DeadLetterOffice, DeadLetters, ListedLetter, Replayed};
pub use delivery::{
    CouponIds, Delivered, Delivery, DeliveryStore, Epoch, LedgerIdentity, LedgerMark, LedgerMarks,
    Quarantined, Suspicion,
};
pub use delivery_sink::DeliverySink;
pub use delivery_source::{Backlog, DeliverySource, Ticket};
pub use desk::{Desk, DeskError, Tally};
pub use error::{LedgerError, Reason, StoreError};
pub use failed_delivery::{FailedDeliveries, FailedDelivery, NotificationLetters, Remedy};
pub use follow::{Followed, follow};
pub use forwarding::{Epochs, Forwarding};
pub use job::{JobBook, JobRecord, JobRun};
pub use key::{KeyId, KeyRecord, Scope};
pub use ledger::{
    Answer, CommandOutcome, CommandRequest, CommandToken, Health, IssueLedger, IssueRequest, Look, Reply,
    Request, Seen,
};
pub use ledgers::{Lanes, Ledgers, Offer, RefuseFrom};
pub use lock::{Lease, Lock};
pub use notification::{
    About, Attempt, Channel, ChannelOutcome, DeliveryId, News, Notification, NotificationData,
    NotificationId, NotificationIdError, NotificationKey, NotificationKind, Patience, Recipient,
    RecipientError, Report, rfc3339,
};
pub use notification_outbox::{
    DeliveryRecord, DeliveryState, NotificationKinds, NotificationOutbox, OutboxTally, Plan, Settled, Taken,
    Verdict,
};
pub use on_record::{FactsOfRecord, OnRecord};
pub use outbox::{Entry, IssuedRecord, Outbox, Record, RevisedRecord, Seq};
pub use reconciliation::{
    Difference, Holding, LookReconciliation, Readings, Reconciled, Reconciliation, ReconciliationFigures,
    Sum, compare,
};
pub use redeemer::{Quote, Redeemer, RedeemerError};
pub use redemption::{Redeemable, RedemptionAction, RedemptionOutcome, RedemptionRequest, RedemptionStore};
pub use reopening::{
    Flaw, Passage, Roll, RollCall, SeenPosition, ServerId, SharedState, StateStanding, flaw,
};
pub use store::{
    Applied, CouponStore, KeyStore, RecordStore, Restore, StoreTally, WalletCursor, WalletFilter,
};
pub use webhook::{
    DisabledReason, Secret, Webhook, WebhookDraft, WebhookId, WebhookIdError, WebhookKinds, WebhookParts,
    WebhookPost, WebhookSecret, WebhookSecrets, WebhookState, WebhookStore, WebhookUrl, WebhookUrlError,
};
