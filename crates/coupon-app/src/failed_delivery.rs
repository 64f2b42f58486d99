//! The port of failed deliveries: notifications that came to nobody, kept until somebody has looked after them; and the
//! office of dead letters over it.

use crate::limits::MAX_PAGE;
use crate::{
    Clock, Contents, DeadLetter, DeadLetterOffice, DeliveryRecord, DeliveryState, Replayed, StoreError,
};
use async_trait::async_trait;
use coupon_core::Timestamp;
use std::fmt;
use std::sync::Arc;

/// Looks after what is [`DeliveryState::Dead`] or [`DeliveryState::Undeliverable`] in a [`crate::NotificationOutbox`].
///
/// Every implementation MUST keep these, and `contract::notices::failures` examines each:
///
/// 1. **All of them.** A delivery is on the list of its channel from the settlement that gave it up until it is replayed
///    or dismissed. So long it is not forgotten, and [`crate::OutboxTally`] counts the same.
/// 2. **A number when it is shown.** The first list that shows a failed delivery gives it a number, larger than every one
///    before it in the store, of whatever channel, and durable. The number stays until the delivery leaves the list; if
///    it fails again it is shown under a new one. So whatever nobody has seen stands behind whatever somebody has.
/// 3. **No further than was shown.** Looking after deliveries through a number touches those of the channel that are on
///    the list under that number or a smaller one. It touches neither what has failed since, nor what others have
///    replayed or dismissed meanwhile, whatever became of it.
/// 4. **Replayed**, a delivery waits again, under its own [`crate::DeliveryId`] and with all the patience of its channel.
///    **Dismissed**, it is final: neither handed out nor listed, and forgotten in time as if it had been delivered. Only
///    [`crate::NotificationOutbox::replay`], which names it, brings it back.
#[async_trait]
pub trait FailedDeliveries: Send + Sync + 'static {
    /// Failed deliveries of this channel under numbers greater than `after` (0 for the beginning), in the order of their
    /// numbers, at most `limit`.
    async fn failed(
        &self,
        channel: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<FailedDelivery>, StoreError>;

    /// Replays or dismisses the failed deliveries of this channel through this number; says how many. When it fails, some
    /// may have been looked after, and asking again does the rest.
    async fn look_after(
        &self,
        channel: &str,
        through: u64,
        remedy: Remedy,
        now: Timestamp,
    ) -> Result<u64, StoreError>;
}

/// A delivery on the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedDelivery {
    /// Its number on the list, from 1; never used again.
    pub letter: u64,
    /// The delivery.
    pub record: DeliveryRecord,
}

/// What is done about a failed delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// It is tried again.
    Replay,
    /// It is given up for good.
    Dismiss,
}

impl Remedy {
    /// Where the delivery then stands.
    pub const fn state(self) -> DeliveryState {
        match self {
            Self::Replay => DeliveryState::Waiting,
            Self::Dismiss => DeliveryState::Dismissed,
        }
    }
}

/// The office of what one channel could not bring. Every letter of it can be brought again.
pub struct NotificationLetters {
    deliveries: Arc<dyn FailedDeliveries>,
    channel: &'static str,
    clock: Arc<dyn Clock>,
}

impl NotificationLetters {
    /// Of this channel of an outbox.
    pub fn of(deliveries: Arc<dyn FailedDeliveries>, channel: &'static str, clock: Arc<dyn Clock>) -> Self {
        Self {
            deliveries,
            channel,
            clock,
        }
    }

    async fn look_after(&self, through: &str, remedy: Remedy) -> Result<Option<u64>, StoreError> {
        let Some(through) = DeadLetter::place(through) else {
            return Ok(None);
        };
        let now = self.clock.now();
        let done = self.deliveries.look_after(self.channel, through, remedy, now);
        done.await.map(Some)
    }
}

impl fmt::Debug for NotificationLetters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NotificationLetters").field(&self.channel).finish()
    }
}

fn letter(failed: FailedDelivery) -> DeadLetter {
    let FailedDelivery { letter, record } = failed;
    let (state, report) = (record.state.name(), &record.report);
    let answered = report
        .status
        .map_or_else(String::new, |status| format!(" ({status})"));
    DeadLetter {
        name: letter.to_string().into(),
        why: format!("{state}: {}{answered}", report.text),
        origin: format!("outbox of notifications, after {} attempts", record.attempts),
        group: record.delivery.recipient.to_string(),
        whole: true,
        contents: Some(Contents::Notification(record.delivery.notification)),
    }
}

#[async_trait]
impl DeadLetterOffice for NotificationLetters {
    async fn list(&self, after: Option<&str>, limit: usize) -> Result<Option<Vec<DeadLetter>>, StoreError> {
        let after = match after.map(DeadLetter::place) {
            None => 0,
            Some(Some(place)) => place,
            Some(None) => return Ok(None),
        };
        let limit = limit.min(MAX_PAGE);
        let failed = self.deliveries.failed(self.channel, after, limit).await?;
        Ok(Some(failed.into_iter().map(letter).collect()))
    }

    async fn find(&self, name: &str) -> Result<Option<DeadLetter>, StoreError> {
        let Some(number) = DeadLetter::place(name) else {
            return Ok(None);
        };
        let found = self.deliveries.failed(self.channel, number - 1, 1).await?;
        let found = found.into_iter().find(|failed| failed.letter == number);
        Ok(found.map(letter))
    }

    async fn replay(&self, through: &str) -> Result<Option<Replayed>, StoreError> {
        let sent = self.look_after(through, Remedy::Replay).await?;
        Ok(sent.map(|sent| Replayed {
            sent,
            stopped_at: None,
        }))
    }

    async fn dismiss(&self, through: &str) -> Result<Option<u64>, StoreError> {
        self.look_after(through, Remedy::Dismiss).await
    }
}
