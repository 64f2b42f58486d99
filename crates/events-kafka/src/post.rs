//! Puts records onto topics and waits until each is there.

use crate::client::{self, Voice};
use crate::error::KafkaTrouble;
use crate::limits::MAX_UNANSWERED;
use crate::options::KafkaOptions;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::OwnedHeaders;
use rdkafka::producer::Producer as _;
use rdkafka::producer::future_producer::{DeliveryFuture, FutureProducer, FutureRecord};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::sync::Mutex;

type Client = FutureProducer<Voice>;

/// One record for a topic.
pub(crate) struct Parcel {
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: OwnedHeaders,
}

/// A producer. One call of [`Post::send`] sends at a time; within it many records are under way.
pub(crate) struct Post {
    options: KafkaOptions,
    client: Mutex<Option<Client>>,
}

impl Post {
    /// Connects when it is first used.
    pub(crate) fn new(options: KafkaOptions) -> Self {
        Self {
            options,
            client: Mutex::new(None),
        }
    }

    /// Sends records and waits for all of them. After an error any of them may be on the topic, or may yet come
    /// there until the time for publishing is over.
    pub(crate) async fn send(
        &self,
        topic: &str,
        parcels: impl Iterator<Item = Parcel> + Send,
    ) -> Result<(), KafkaTrouble> {
        let mut held = self.client.lock().await;
        let client = self.living(&mut held)?;
        let mut under_way = VecDeque::new();
        let mut first_trouble = None;
        for parcel in parcels {
            if let Err(trouble) = send_one(client, topic, &parcel, &mut under_way).await {
                first_trouble = Some(trouble);
                break;
            }
        }
        while !under_way.is_empty() {
            if let Err(trouble) = answered(&mut under_way).await {
                first_trouble.get_or_insert(trouble);
            }
        }
        first_trouble.map_or(Ok(()), Err)
    }

    /// Sends one record and waits for it, while others do the same: what comes from each of them travels together. After
    /// an error it may be on the topic all the same.
    pub(crate) async fn send_alone(&self, topic: &str, parcel: Parcel) -> Result<(), KafkaTrouble> {
        let client = self.living(&mut *self.client.lock().await)?.clone();
        let mut under_way = VecDeque::new();
        send_one(&client, topic, &parcel, &mut under_way).await?;
        answered(&mut under_way).await
    }

    /// The client that is held, or another one.
    fn living<'h>(&self, held: &'h mut Option<Client>) -> Result<&'h Client, KafkaTrouble> {
        // One that has failed for good never sends again. Repetitions of what it sent are then told apart by whoever
        // takes them.
        if held
            .as_ref()
            .is_none_or(|client| client.client().fatal_error().is_some())
        {
            *held = None;
        }
        match held {
            Some(client) => Ok(client),
            None => Ok(held.insert(
                client::producer(&self.options)
                    .create_with_context(Voice)
                    .map_err(KafkaTrouble::Settings)?,
            )),
        }
    }

    /// Gives up what is still under way after `deadline`.
    pub(crate) async fn close(&self, deadline: Duration) -> Result<(), KafkaTrouble> {
        let Some(client) = self.client.lock().await.take() else {
            return Ok(());
        };
        let flushing = tokio::task::spawn_blocking(move || client.flush(deadline));
        flushing
            .await
            .map_err(|_panicked| KafkaTrouble::Closed)?
            .map_err(KafkaTrouble::Publish)
    }
}

async fn send_one(
    client: &Client,
    topic: &str,
    parcel: &Parcel,
    under_way: &mut VecDeque<DeliveryFuture>,
) -> Result<(), KafkaTrouble> {
    if under_way.len() >= MAX_UNANSWERED {
        answered(under_way).await?;
    }
    let mut record = FutureRecord::to(topic).headers(parcel.headers.clone());
    if let Some(key) = &parcel.key {
        record = record.key(key);
    }
    if let Some(value) = &parcel.value {
        record = record.payload(value);
    }
    loop {
        match client.send_result(record) {
            Ok(sent) => {
                under_way.push_back(sent);
                return Ok(());
            }
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back))
                if !under_way.is_empty() =>
            {
                answered(under_way).await?;
                record = back;
            }
            Err((cause, _)) => return Err(trouble(cause, parcel.key.as_deref())),
        }
    }
}

/// Waits for the one that was sent first.
async fn answered(under_way: &mut VecDeque<DeliveryFuture>) -> Result<(), KafkaTrouble> {
    let Some(first) = under_way.pop_front() else {
        return Ok(());
    };
    match first.await {
        Ok(Ok(_placed)) => Ok(()),
        Ok(Err((cause, record))) => Err(trouble(cause, rdkafka::Message::key(&record))),
        Err(_dropped) => Err(KafkaTrouble::Publish(KafkaError::Canceled)),
    }
}

fn trouble(cause: KafkaError, key: Option<&[u8]>) -> KafkaTrouble {
    match cause.rdkafka_error_code() {
        Some(RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::InvalidMessageSize) => {
            KafkaTrouble::TooLong {
                what: String::from_utf8_lossy(key.unwrap_or_default()).into_owned(),
                cause,
            }
        }
        _ => KafkaTrouble::Publish(cause),
    }
}
