//! Reads topics beside the group: how far it is, and ranges of records. Everything here blocks.

use crate::client::{self, Voice};
use crate::error::KafkaTrouble;
use crate::limits::{LONGEST_READ, POLL};
use crate::options::KafkaOptions;
use rdkafka::Message as _;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::OwnedMessage;
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// One partition as a group sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) partition: i32,
    /// The first offset that the group has not done.
    pub(crate) mark: i64,
    /// One above the last offset there is.
    pub(crate) end: i64,
}

impl Span {
    /// How many offsets lie between.
    pub(crate) fn len(self) -> u64 {
        u64::try_from(self.end - self.mark).unwrap_or(0)
    }
}

/// A consumer that belongs to no group but may read and write its offsets.
pub(crate) struct Probe {
    options: KafkaOptions,
    group: String,
    consumer: Mutex<Option<BaseConsumer<Voice>>>,
}

impl Probe {
    /// Connects when it is first used.
    pub(crate) fn new(options: KafkaOptions, group: String) -> Self {
        Self {
            options,
            group,
            consumer: Mutex::new(None),
        }
    }

    /// Does this on a thread that may block.
    pub(crate) async fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        ask: impl FnOnce(&Probing<'_>) -> Result<T, KafkaTrouble> + Send + 'static,
    ) -> Result<T, KafkaTrouble> {
        let probe = Arc::clone(self);
        let asking = tokio::task::spawn_blocking(move || {
            // A panic while it was held left either a consumer or none.
            let mut held = probe.consumer.lock().unwrap_or_else(PoisonError::into_inner);
            let consumer = match &*held {
                Some(consumer) => consumer,
                None => held.insert(
                    client::consumer(&probe.options, &probe.group)
                        .set("enable.partition.eof", "true")
                        .create_with_context(Voice)
                        .map_err(KafkaTrouble::Settings)?,
                ),
            };
            ask(&Probing {
                consumer,
                timeout: probe.options.request_timeout,
            })
        });
        asking.await.map_err(|_panicked| KafkaTrouble::Closed)?
    }
}

/// A probe at work.
pub(crate) struct Probing<'p> {
    consumer: &'p BaseConsumer<Voice>,
    timeout: Duration,
}

impl Probing<'_> {
    /// Every partition of a topic.
    pub(crate) fn spans(&self, topic: &str) -> Result<Vec<Span>, KafkaTrouble> {
        let metadata = self
            .consumer
            .fetch_metadata(Some(topic), self.timeout)
            .map_err(KafkaTrouble::Read)?;
        let mut partitions = TopicPartitionList::new();
        for found in metadata.topics().iter().filter(|found| found.name() == topic) {
            for partition in found.partitions() {
                partitions.add_partition(topic, partition.id());
            }
        }
        let committed = self
            .consumer
            .committed_offsets(partitions, self.timeout)
            .map_err(KafkaTrouble::Read)?;
        let mut spans = Vec::new();
        for element in committed.elements() {
            let partition = element.partition();
            let (low, end) = self
                .consumer
                .fetch_watermarks(topic, partition, self.timeout)
                .map_err(KafkaTrouble::Read)?;
            // Whoever has committed nothing, or less than is still there, begins at the beginning.
            let mark = match element.offset() {
                Offset::Offset(mark) => mark.clamp(low, end),
                Offset::Beginning
                | Offset::End
                | Offset::Stored
                | Offset::Invalid
                | Offset::OffsetTail(_) => low,
            };
            spans.push(Span { partition, mark, end });
        }
        Ok(spans)
    }

    /// The records of these spans, at most `max` of each, in order within each.
    pub(crate) fn read(
        &self,
        topic: &str,
        spans: &[Span],
        max: usize,
    ) -> Result<Vec<OwnedMessage>, KafkaTrouble> {
        let mut left: BTreeMap<i32, (i64, usize)> = BTreeMap::new();
        let mut assignment = TopicPartitionList::new();
        for span in spans.iter().filter(|span| span.mark < span.end) {
            assignment
                .add_partition_offset(topic, span.partition, Offset::Offset(span.mark))
                .map_err(KafkaTrouble::Read)?;
            left.insert(span.partition, (span.end, max));
        }
        if left.is_empty() || max == 0 {
            return Ok(Vec::new());
        }
        self.consumer.assign(&assignment).map_err(KafkaTrouble::Read)?;
        let read = self.read_assigned(left);
        self.consumer.unassign().map_err(KafkaTrouble::Read)?;
        read
    }

    fn read_assigned(
        &self,
        mut left: BTreeMap<i32, (i64, usize)>,
    ) -> Result<Vec<OwnedMessage>, KafkaTrouble> {
        let give_up_at = Instant::now() + LONGEST_READ;
        let mut read = Vec::new();
        while !left.is_empty() {
            if Instant::now() >= give_up_at {
                return Err(KafkaTrouble::TooSlow);
            }
            match self.consumer.poll(POLL) {
                Some(Ok(message)) => {
                    let Some((end, more)) = left.get_mut(&message.partition()) else {
                        continue;
                    };
                    let offset = message.offset();
                    if offset < *end {
                        read.push(message.detach());
                        *more -= 1;
                    }
                    if offset + 1 >= *end || *more == 0 {
                        left.remove(&message.partition());
                    }
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    left.remove(&partition);
                }
                // The library tries again by itself until our patience ends.
                Some(Err(error)) => client::error(&error, "while reading a range"),
                None => {}
            }
        }
        read.sort_by_key(|message| (message.partition(), message.offset()));
        Ok(read)
    }

    /// From now on the group begins here.
    pub(crate) fn mark(&self, topic: &str, marks: &[(i32, i64)]) -> Result<(), KafkaTrouble> {
        let mut offsets = TopicPartitionList::new();
        for (partition, offset) in marks {
            offsets
                .add_partition_offset(topic, *partition, Offset::Offset(*offset))
                .map_err(KafkaTrouble::Commit)?;
        }
        self.consumer
            .commit(&offsets, CommitMode::Sync)
            .map_err(KafkaTrouble::Commit)
    }
}
