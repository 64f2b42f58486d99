//! The source port over a consumer group.

mod reader;

use crate::client;
use crate::dead_letters::DeadLetters;
use crate::error::KafkaTrouble;
use crate::limits::LONGEST_WAIT;
use crate::message;
use crate::options::{KafkaOptions, WorkerOptions};
use crate::probe::{Probe, Span};
use crate::progress::{Mark, Stub};
use async_trait::async_trait;
use coupon_app::{Backlog, Clock, Delivery, DeliverySource, StoreError, Ticket};
use rdkafka::consumer::{CommitMode, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::OwnedMessage;
use rdkafka::{Message as _, Offset, TopicPartitionList};
use reader::{Client, Desk, Reader};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// A member of a consumer group. It ends when it is closed or dropped; what it held and was not done goes to others.
pub struct KafkaDeliveries {
    options: KafkaOptions,
    worker: WorkerOptions,
    desk: Arc<Desk>,
    client: Weak<Client>,
    reader: Mutex<Option<Reader>>,
    /// One commit at a time: the next one takes what came meanwhile.
    committing: Mutex<()>,
    dead_letters: DeadLetters,
    probe: Arc<Probe>,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for KafkaDeliveries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaDeliveries")
            .field("worker", &self.worker)
            .finish_non_exhaustive()
    }
}

impl KafkaDeliveries {
    /// Joins the group. Brokers that cannot be reached are no error here: it goes on trying.
    ///
    /// # Errors
    ///
    /// If the settings make no sense.
    pub fn join(
        options: KafkaOptions,
        worker: WorkerOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, KafkaTrouble> {
        let desk = Arc::new(Desk::default());
        let config = client::member(&options, &worker);
        let reader = Reader::start(&config, &options.topic, Arc::clone(&desk))?;
        Ok(Self {
            client: reader.client(),
            reader: Mutex::new(Some(reader)),
            desk,
            committing: Mutex::new(()),
            dead_letters: DeadLetters::new(options.clone(), &worker.group),
            probe: Arc::new(Probe::new(options.clone(), worker.group.clone())),
            clock,
            options,
            worker,
        })
    }

    /// Leaves the group, so that others get the partitions at once.
    ///
    /// # Errors
    ///
    /// If that took longer than `deadline`. Then it goes on beside, and the group notices by its own means.
    pub async fn close(&self, deadline: Duration) -> Result<(), StoreError> {
        let Some(reader) = self.reader.lock().await.take() else {
            return Ok(());
        };
        let left = tokio::time::timeout(deadline, reader.end()).await;
        left.map_err(|_elapsed| KafkaTrouble::TooSlow.of_a_port())
    }

    /// Takes what can be handed out now. What cannot be read is buried on the way.
    async fn take(&self, max: usize) -> Result<Vec<(Ticket, Delivery)>, KafkaTrouble> {
        let held = self
            .desk
            .progress()
            .take(max, Instant::now(), self.worker.hand_again_after);
        let mut taken = Vec::with_capacity(held.len());
        let mut buried = false;
        for (stub, letter) in held {
            match message::read(letter.payload()) {
                Ok(delivery) => {
                    let ticket = Ticket {
                        coupon: delivery.coupon,
                        entry: stub.text().into(),
                    };
                    taken.push((ticket, delivery));
                }
                Err(unreadable) => {
                    match self.dead_letters.bury(&letter, &unreadable.to_string()).await {
                        Ok(()) => {
                            self.desk.progress().done(stub);
                            buried = true;
                        }
                        // It stays in hand, in nobody's way, and is tried again when its time has come.
                        Err(trouble) => tracing::warn!(%trouble, "a dead letter could not be kept yet"),
                    }
                }
            }
        }
        if buried {
            self.commit().await?;
        }
        Ok(taken)
    }

    /// Commits how far everything is done.
    async fn commit(&self) -> Result<(), KafkaTrouble> {
        let _turn = self.committing.lock().await;
        let due = self.desk.progress().due();
        if due.is_empty() {
            return Ok(());
        }
        let client = self.client.upgrade().ok_or(KafkaTrouble::Closed)?;
        let offsets = self.offsets(&due)?;
        let committing = tokio::task::spawn_blocking(move || client.commit(&offsets, CommitMode::Sync));
        match committing.await.map_err(|_panicked| KafkaTrouble::Closed)? {
            Ok(()) => {
                self.desk.progress().committed(&due);
                Ok(())
            }
            // The group is moving partitions. What stays ours is committed with the next ones, and the rest is handed
            // out again by somebody else.
            Err(error) if is_moving(&error) => {
                tracing::debug!(%error, "offsets wait for the group");
                Ok(())
            }
            Err(error) => Err(KafkaTrouble::Commit(error)),
        }
    }

    fn offsets(&self, marks: &[Mark]) -> Result<TopicPartitionList, KafkaTrouble> {
        let mut offsets = TopicPartitionList::new();
        for mark in marks {
            offsets
                .add_partition_offset(&self.options.topic, mark.partition, Offset::Offset(mark.offset))
                .map_err(KafkaTrouble::Commit)?;
        }
        Ok(offsets)
    }

    async fn next_ones(&self, max_records: usize) -> Result<Vec<(Ticket, Delivery)>, KafkaTrouble> {
        let give_up_at = tokio::time::Instant::now() + LONGEST_WAIT;
        // What a moving group refused.
        self.commit().await?;
        loop {
            if self.client.strong_count() == 0 {
                return Err(KafkaTrouble::Closed);
            }
            let taken = self.take(max_records.max(1)).await?;
            if !taken.is_empty() {
                return Ok(taken);
            }
            if let Some(trouble) = self.desk.trouble() {
                return Err(KafkaTrouble::Read(trouble));
            }
            let waited = tokio::time::timeout_at(give_up_at, self.desk.arrival.notified()).await;
            if waited.is_err() {
                return Ok(Vec::new());
            }
        }
    }

    async fn put_aside(&self, ticket: &Ticket, why: &str) -> Result<(), KafkaTrouble> {
        let Some(stub) = Stub::parse(&ticket.entry) else {
            return Ok(());
        };
        let letter = self.desk.progress().in_hand(stub);
        if let Some(letter) = letter {
            self.dead_letters.bury(&letter, why).await?;
            self.desk.progress().done(stub);
        }
        self.commit().await
    }

    async fn look(&self) -> Result<Backlog, KafkaTrouble> {
        let topic = self.options.topic.clone();
        let (lag, oldest) = self
            .probe
            .ask(move |probe| {
                let spans = probe.spans(&topic)?;
                let lag: u64 = spans.iter().copied().map(Span::len).sum();
                Ok((lag, probe.read(&topic, &spans, 1)?))
            })
            .await?;
        let in_hand = u64::try_from(self.desk.progress().out())
            .unwrap_or(u64::MAX)
            .min(lag);
        // What cannot be read has no age; it is about to be set aside.
        let decided = |message: &OwnedMessage| {
            let delivery = message::read(message.payload()).ok()?;
            message::decided_at(&delivery)
        };
        let oldest = oldest.iter().filter_map(decided).min();
        let now = self.clock.now().as_micros();
        Ok(Backlog {
            waiting: lag - in_hand,
            in_hand,
            oldest_us: oldest.map_or(0, |oldest| now.saturating_sub(oldest.as_micros()).max(0)),
            set_aside: self.dead_letters.count().await?,
        })
    }
}

/// Whether a commit failed because the group is changing hands.
fn is_moving(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::RebalanceInProgress
                | RDKafkaErrorCode::IllegalGeneration
                | RDKafkaErrorCode::UnknownMemberId
                | RDKafkaErrorCode::AssignmentLost
        )
    )
}

#[async_trait]
impl DeliverySource for KafkaDeliveries {
    async fn next(&self, max_records: usize) -> Result<Vec<(Ticket, Delivery)>, StoreError> {
        self.next_ones(max_records).await.map_err(KafkaTrouble::of_a_port)
    }

    async fn done(&self, tickets: &[Ticket]) -> Result<(), StoreError> {
        {
            let mut progress = self.desk.progress();
            for stub in tickets.iter().filter_map(|ticket| Stub::parse(&ticket.entry)) {
                progress.done(stub);
            }
        }
        self.commit().await.map_err(KafkaTrouble::of_a_port)
    }

    async fn set_aside(&self, ticket: &Ticket, why: &str) -> Result<(), StoreError> {
        self.put_aside(ticket, why).await.map_err(KafkaTrouble::of_a_port)
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        self.look().await.map_err(KafkaTrouble::of_a_port)
    }
}
