//! Whether topics keep the promise: looked at before anything is written to them, and then every so often.

use crate::error::KafkaTrouble;
use crate::health;
use crate::options::KafkaOptions;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// What is known of some topics.
pub(crate) struct Strength {
    topics: Vec<String>,
    /// For how long a look that found trouble counts for those who ask next, who need not wait for the same.
    trouble_counts: Duration,
    last: Mutex<Last>,
}

/// The last look.
enum Last {
    None,
    Strong(Instant),
    Trouble(Instant, String),
}

impl Strength {
    /// Of these topics, of which nothing is known yet. Trouble counts for so long.
    pub(crate) fn of(topics: &[&str], trouble_counts: Duration) -> Self {
        Self {
            topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
            trouble_counts,
            last: Mutex::new(Last::None),
        }
    }

    /// Everything that keeps them from keeping the promise.
    pub(crate) async fn weaknesses(&self, options: &KafkaOptions) -> Result<Vec<String>, KafkaTrouble> {
        health::weaknesses(options, &self.topics).await
    }

    /// Lets nothing be published unless the promise holds. It also keeps a topic from coming to be by being written to.
    pub(crate) async fn ready(&self, options: &KafkaOptions) -> Result<(), KafkaTrouble> {
        let mut last = self.last.lock().await;
        match &*last {
            Last::Strong(at) if at.elapsed() < options.probe_every => return Ok(()),
            Last::Trouble(at, why) if at.elapsed() < self.trouble_counts => {
                return Err(KafkaTrouble::Weak(why.clone()));
            }
            Last::None | Last::Strong(_) | Last::Trouble(..) => {}
        }
        // Whoever asks while nobody has looked, because this look was broken off, looks too.
        *last = Last::None;
        let looked = match self.weaknesses(options).await {
            Ok(weak) if weak.is_empty() => Ok(()),
            Ok(weak) => Err(KafkaTrouble::Weak(weak.join("; "))),
            Err(trouble) => Err(trouble),
        };
        *last = match &looked {
            Ok(()) => Last::Strong(Instant::now()),
            Err(KafkaTrouble::Weak(why)) => Last::Trouble(Instant::now(), why.clone()),
            Err(trouble) => Last::Trouble(Instant::now(), trouble.to_string()),
        };
        looked
    }

    /// Forgets that they were strong, so that whoever asks next looks.
    pub(crate) async fn doubt(&self) {
        let mut last = self.last.lock().await;
        if matches!(*last, Last::Strong(_)) {
            *last = Last::None;
        }
    }
}
