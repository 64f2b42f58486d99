//! The thread that fetches: it alone polls, so that the group is served whether or not somebody asks for records.

use crate::client;
use crate::error::KafkaTrouble;
use crate::limits::{MAX_HELD, MAX_REMEMBERED, POLL};
use crate::progress::Progress;
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::OwnedMessage;
use rdkafka::{Message as _, TopicPartitionList};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio::sync::{Notify, oneshot};

pub(crate) type Client = BaseConsumer<Member>;

/// What the thread and those who ask for records share.
#[derive(Default)]
pub(crate) struct Desk {
    progress: Mutex<Progress<Arc<OwnedMessage>>>,
    trouble: Mutex<Option<KafkaError>>,
    /// Something came, or went wrong.
    pub(crate) arrival: Notify,
}

impl Desk {
    pub(crate) fn progress(&self) -> MutexGuard<'_, Progress<Arc<OwnedMessage>>> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What went wrong since somebody asked.
    pub(crate) fn trouble(&self) -> Option<KafkaError> {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        match &*trouble {
            // That stays.
            Some(fatal @ KafkaError::MessageConsumptionFatal(_)) => Some(fatal.clone()),
            _ => trouble.take(),
        }
    }

    fn is_full(&self) -> bool {
        let progress = self.progress();
        progress.open() >= MAX_HELD || progress.entries() >= MAX_REMEMBERED
    }

    fn receive(&self, message: OwnedMessage) {
        let (partition, offset) = (message.partition(), message.offset());
        self.progress().receive(partition, offset, Arc::new(message));
        // Whatever was wrong has passed.
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.arrival.notify_one();
    }

    fn note(&self, error: KafkaError) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        self.arrival.notify_one();
    }
}

/// What the group tells its member.
pub(crate) struct Member(Arc<Desk>);

impl ClientContext for Member {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        client::log(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        client::error(&error, reason);
    }
}

impl ConsumerContext for Member {
    /// What was held of partitions that go, or come anew, is forgotten before anybody else can have them.
    fn pre_rebalance(&self, _client: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let (Rebalance::Assign(moved) | Rebalance::Revoke(moved)) = rebalance else {
            return;
        };
        let mut progress = self.0.progress();
        for element in moved.elements() {
            progress.forget(element.partition());
        }
        tracing::debug!(?rebalance, "the group moves partitions");
    }

    fn commit_callback(&self, _result: KafkaResult<()>, _offsets: &TopicPartitionList) {}
}

/// The running thread.
pub(crate) struct Reader {
    client: Weak<Client>,
    stop: Arc<AtomicBool>,
    ended: oneshot::Receiver<()>,
}

impl Reader {
    pub(crate) fn start(config: &ClientConfig, topic: &str, desk: Arc<Desk>) -> Result<Self, KafkaTrouble> {
        let context = Member(Arc::clone(&desk));
        let client: Client = config
            .create_with_context(context)
            .map_err(KafkaTrouble::Settings)?;
        client.subscribe(&[topic]).map_err(KafkaTrouble::Settings)?;
        let client = Arc::new(client);
        let stop = Arc::new(AtomicBool::new(false));
        let (ending, ended) = oneshot::channel();
        let reader = Self {
            client: Arc::downgrade(&client),
            stop: Arc::clone(&stop),
            ended,
        };
        let fetch = move || {
            fetch(&client, &desk, &stop);
            // The last one leaves the group, which may take as long as a broker takes to answer.
            drop(client);
            // Whoever waited has given up.
            let _nobody = ending.send(());
        };
        std::thread::Builder::new()
            .name("kafka-reader".to_owned())
            .spawn(fetch)
            .map_err(|error| KafkaTrouble::Settings(KafkaError::ClientCreation(error.to_string())))?;
        Ok(reader)
    }

    pub(crate) fn client(&self) -> Weak<Client> {
        Weak::clone(&self.client)
    }

    /// Ends the thread and waits until it has left the group.
    pub(crate) async fn end(mut self) {
        self.stop.store(true, Ordering::Release);
        // An error says that the thread has ended otherwise, which is as well.
        let _ended = (&mut self.ended).await;
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
    }
}

fn fetch(client: &Client, desk: &Desk, stop: &AtomicBool) {
    let mut paused = false;
    while !stop.load(Ordering::Acquire) {
        let full = desk.is_full();
        if full || paused {
            // Partitions that came meanwhile are not paused, so it is said again as long as it is so.
            let told = client.assignment().and_then(|held| {
                if full {
                    client.pause(&held)
                } else {
                    client.resume(&held)
                }
            });
            match told {
                Ok(()) => paused = full,
                Err(error) => desk.note(error),
            }
        }
        match client.poll(POLL) {
            Some(Ok(message)) => desk.receive(message.detach()),
            Some(Err(error)) => desk.note(error),
            None => {}
        }
    }
}
