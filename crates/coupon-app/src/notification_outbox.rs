//! The port of the notifications outbox: what is to be told, to whom, and what became of it.

use crate::{
    DeliveryId, Notification, NotificationId, NotificationKind, Origin, Recipient, Report, StoreError,
};
use async_trait::async_trait;
use coupon_core::{Span, Timestamp};

/// Keeps notifications from the event that they tell of until they are delivered, and every delivery that failed until
/// it has been seen.
///
/// A notification begins without deliveries: somebody takes it ([`NotificationOutbox::take_new`]), asks the channels who
/// is to be told, and writes that down ([`NotificationOutbox::plan`]). From then on each delivery is taken, tried and
/// settled alone. [`crate::FailedDeliveries`] looks after those that came to nothing.
///
/// Every implementation MUST keep these, and `contract::notices` examines each:
///
/// 1. **With the event.** A step of an issued coupon and the notification of it are written in one transaction, both or
///    neither; so are the issue that takes the last of a quantity and [`NotificationId::SoldOut`]. The notification of an
///    issue rests on the row of the issued coupon itself: [`crate::Calendar::announce`] writes it, and no issue is passed
///    over, whatever is killed when.
/// 2. **Once.** An id is written at most once, whoever writes and however often, even after it was forgotten. What
///    changed nothing (a refusal, a replay, a redelivery) writes none. Kinds that the store was opened without are not
///    written.
/// 3. **One at a time.** What was taken is not handed out again until its lease ends, however many ask at once. Then it
///    is: whoever had it may be dead.
/// 4. **Attempts are counted when they are taken**, so that one during which its worker dies counts too, and a delivery
///    that kills its worker comes to an end.
/// 5. **Planned once.** The first plan of a notification counts, in one transaction with all of its deliveries; a later
///    one changes nothing.
/// 6. **A final state stays** until somebody replays the delivery. Of a worker whose lease has ended, only the news that
///    it was delivered is taken; and a delivery that is called delivered is never handed out again.
/// 7. **Nothing is lost.** A notification is here until all of its deliveries are delivered or dismissed and it is
///    forgotten on demand; whatever was written or settled is durable when the method returns.
/// 8. **The caller's clock**, passed with each call, for leases and for when a delivery is due. A new notification may be
///    taken at once, whatever time it tells of. Those that were due first come first.
#[async_trait]
pub trait NotificationOutbox: Send + Sync + 'static {
    /// Takes notifications that nobody has planned, at most `limit`, for as long as `lease`.
    async fn take_new(
        &self,
        now: Timestamp,
        lease: Span,
        limit: usize,
    ) -> Result<Vec<Notification>, StoreError>;

    /// Writes down who is to be told. A plan without deliveries says that nobody is.
    async fn plan(&self, plans: &[Plan], now: Timestamp) -> Result<(), StoreError>;

    /// Takes deliveries of these channels that are due, at most `limit`, for as long as `lease`.
    async fn take_due(
        &self,
        channels: &[&str],
        now: Timestamp,
        lease: Span,
        limit: usize,
    ) -> Result<Vec<Taken>, StoreError>;

    /// Writes down what became of attempts.
    async fn settle(&self, settled: &[Settled], now: Timestamp) -> Result<(), StoreError>;

    /// Deliveries in this state, or in any, after number `after` (0 for the beginning), in the order of planning.
    async fn deliveries(
        &self,
        state: Option<DeliveryState>,
        after: u64,
        limit: usize,
    ) -> Result<Vec<DeliveryRecord>, StoreError>;

    /// Has a delivery in a final state tried again, with all the patience of its channel; says whether there is one, and
    /// writes an entry of the [`crate::AuditLog`] in the same transaction if so.
    async fn replay(
        &self,
        delivery: &DeliveryId,
        now: Timestamp,
        origin: &Origin,
    ) -> Result<bool, StoreError>;

    /// What is in it.
    async fn tally(&self) -> Result<OutboxTally, StoreError>;

    /// Removes notifications of which everything has been delivered or dismissed since before `before`, at most `limit`;
    /// says how many.
    async fn forget(&self, before: Timestamp, limit: usize) -> Result<u64, StoreError>;
}

/// Who is to be told of a notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Of which.
    pub notification: NotificationId,
    /// By which channel whom, each once.
    pub deliveries: Vec<(Box<str>, Recipient)>,
}

/// A delivery that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Which.
    pub delivery: DeliveryId,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// What is to be told.
    pub notification: Notification,
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Of which delivery.
    pub delivery: DeliveryId,
    /// Which attempt.
    pub attempt: u32,
    /// What now.
    pub verdict: Verdict,
    /// What an operator is told.
    pub report: Report,
}

/// What is to become of a delivery after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The recipient has it.
    Delivered,
    /// It is tried again, not before this.
    Again(Timestamp),
    /// It is given up: a dead letter.
    Dead,
    /// There is nowhere to bring it.
    Undeliverable,
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeliveryState {
    /// It is to be tried, for the first time or again.
    Waiting,
    /// The recipient has it.
    Delivered,
    /// It was given up.
    Dead,
    /// There was nowhere to bring it.
    Undeliverable,
    /// It had failed, and somebody who has seen it wants it no more.
    Dismissed,
}

impl DeliveryState {
    /// Every one.
    pub const ALL: [Self; 5] = [
        Self::Waiting,
        Self::Delivered,
        Self::Dead,
        Self::Undeliverable,
        Self::Dismissed,
    ];

    /// Whether it has come to nothing, and nobody has looked after it.
    pub const fn has_failed(self) -> bool {
        matches!(self, Self::Dead | Self::Undeliverable)
    }

    /// Whether it must stay on record: it is to be brought, or to be seen.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Waiting) || self.has_failed()
    }

    /// Its written form.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
            Self::Undeliverable => "undeliverable",
            Self::Dismissed => "dismissed",
        }
    }

    /// The one with this written form.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }
}

impl Verdict {
    /// Where the delivery then stands.
    pub const fn state(self) -> DeliveryState {
        match self {
            Self::Delivered => DeliveryState::Delivered,
            Self::Again(_) => DeliveryState::Waiting,
            Self::Dead => DeliveryState::Dead,
            Self::Undeliverable => DeliveryState::Undeliverable,
        }
    }
}

/// A delivery as it is on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRecord {
    /// The order of planning; never used again.
    pub number: u64,
    /// Which.
    pub delivery: DeliveryId,
    /// When that which it tells of happened.
    pub at: Timestamp,
    /// Where it stands.
    pub state: DeliveryState,
    /// How many attempts were taken since it was planned or replayed.
    pub attempts: u32,
    /// When it is due, or when the lease of whoever has it ends; `None` in a final state.
    pub due_at: Option<Timestamp>,
    /// What the last settled attempt told; empty before the first.
    pub report: Report,
}

/// What is in an outbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutboxTally {
    /// Notifications that nobody has planned.
    pub new: u64,
    /// Deliveries that wait.
    pub waiting: u64,
    /// When the oldest event of these happened; `None` without any.
    pub oldest: Option<Timestamp>,
    /// Dead letters.
    pub dead: u64,
    /// Deliveries without an address.
    pub undeliverable: u64,
}

/// A set of kinds of notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotificationKinds(u8);

impl NotificationKinds {
    /// None: nothing is written.
    pub const NONE: Self = Self(0);
    /// Every kind.
    pub const ALL: Self = Self(0x7f);

    /// Whether it has this kind.
    pub const fn has(self, kind: NotificationKind) -> bool {
        self.0 & Self::bit(kind) != 0
    }

    const fn bit(kind: NotificationKind) -> u8 {
        match kind {
            NotificationKind::Issued => 1,
            NotificationKind::Expiring => 2,
            NotificationKind::Redeemed => 4,
            NotificationKind::RedemptionCancelled => 8,
            NotificationKind::Expired => 16,
            NotificationKind::Revoked => 32,
            NotificationKind::SoldOut => 64,
        }
    }
}

impl FromIterator<NotificationKind> for NotificationKinds {
    fn from_iter<I: IntoIterator<Item = NotificationKind>>(kinds: I) -> Self {
        Self(kinds.into_iter().fold(0, |bits, kind| bits | Self::bit(kind)))
    }
}
