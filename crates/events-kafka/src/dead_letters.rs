//! Records that could not be taken: kept with the reason, listed, and sent again.

use crate::error::KafkaTrouble;
use crate::limits::{MAX_HEADER_BYTES, MAX_LETTER_BYTES, MAX_LETTER_HEADERS, MAX_LETTERS, MAX_WHY_BYTES};
use crate::message;
use crate::options::KafkaOptions;
use crate::post::{Parcel, Post};
use crate::probe::Probe;
use coupon_app::{Delivery, StoreError};
use rdkafka::Message as _;
use rdkafka::message::{Header, Headers as _, OwnedHeaders, OwnedMessage};
use std::sync::Arc;

/// What our own headers begin with.
const OURS: &str = "firstcome-dlq-";
const REASON: &str = "firstcome-dlq-reason";
const TOPIC: &str = "firstcome-dlq-topic";
const PARTITION: &str = "firstcome-dlq-partition";
const OFFSET: &str = "firstcome-dlq-offset";
const GROUP: &str = "firstcome-dlq-group";
/// Says that the value was too long to keep whole.
const CUT: &str = "firstcome-dlq-cut";

/// Names a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LetterId {
    /// Of the topic of dead letters.
    pub partition: i32,
    /// In that partition.
    pub offset: i64,
}

/// A record that could not be taken.
#[derive(Debug)]
pub struct DeadLetter {
    /// Its own name.
    pub id: LetterId,
    /// Why it could not be taken.
    pub why: String,
    /// Where it lay: topic, partition, offset.
    pub topic: String,
    /// See `topic`.
    pub partition: Option<i32>,
    /// See `topic`.
    pub offset: Option<i64>,
    /// The group that could not take it.
    pub group: String,
    /// Whether it was too long to be kept whole. Then it cannot be replayed.
    pub cut: bool,
    /// The delivery, if it can be read.
    pub delivery: Option<Delivery>,
}

/// What became of a replay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replay {
    /// Letters that are on the topic again.
    pub sent: u64,
    /// The first letter that is not whole and cannot be sent.
    pub stopped_at: Option<LetterId>,
}

/// The dead letters of one group's topic. Any number may look after them; whatever they repeat is harmless.
pub struct DeadLetters {
    options: KafkaOptions,
    group: String,
    probe: Arc<Probe>,
    post: Post,
}

impl std::fmt::Debug for DeadLetters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeadLetters")
            .field("topic", &self.options.dead_letters)
            .finish_non_exhaustive()
    }
}

impl DeadLetters {
    /// Those that `group` has set aside. It connects when it is first used.
    pub fn new(options: KafkaOptions, group: &str) -> Self {
        // Where somebody has got to who looks after them is kept as the offsets of a group of its own.
        let looked_after = format!("{group}.dead-letters");
        Self {
            probe: Arc::new(Probe::new(options.clone(), looked_after)),
            post: Post::new(options.clone()),
            group: group.to_owned(),
            options,
        }
    }

    /// The letters that nobody has looked after, in order, at most `limit`.
    ///
    /// # Errors
    ///
    /// If they cannot be read.
    pub async fn list(&self, limit: usize) -> Result<Vec<DeadLetter>, StoreError> {
        self.list_after(None, limit).await
    }

    /// Those of them behind a place.
    ///
    /// # Errors
    ///
    /// If they cannot be read.
    pub async fn list_after(
        &self,
        after: Option<LetterId>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        let read = self.read(after, limit).await.map_err(KafkaTrouble::of_a_port)?;
        Ok(read.iter().map(letter).collect())
    }

    /// How many letters nobody has looked after.
    pub(crate) async fn count(&self) -> Result<u64, KafkaTrouble> {
        let topic = self.options.dead_letters.clone();
        let spans = self.probe.ask(move |probe| probe.spans(&topic)).await?;
        Ok(spans.into_iter().map(crate::probe::Span::len).sum())
    }

    /// Puts the letters that nobody has looked after, through this place, onto the topic again as they were, and then
    /// counts them as looked after. The first that is not whole ends it. When it fails, some may be on the topic and
    /// are listed still: doing it again is right, because whoever takes a record tolerates repetition.
    ///
    /// # Errors
    ///
    /// If they cannot be read, sent or marked.
    pub async fn replay(&self, through: LetterId) -> Result<Replay, StoreError> {
        let replay = async {
            let mut replay = Replay::default();
            loop {
                let letters = self.read(None, MAX_LETTERS).await?;
                let all = letters.len();
                let due: Vec<&OwnedMessage> = letters
                    .iter()
                    .take_while(|message| id(message) <= through)
                    .collect();
                let whole: Vec<&OwnedMessage> = due
                    .iter()
                    .copied()
                    .take_while(|message| !is_cut(message))
                    .collect();
                let parcels = whole.iter().map(|message| original(message));
                self.post.send(&self.options.topic, parcels).await?;
                self.mark(whole.iter().map(|message| id(message))).await?;
                replay.sent += u64::try_from(whole.len()).unwrap_or(u64::MAX);
                if let Some(cut) = due.get(whole.len()) {
                    replay.stopped_at = Some(id(cut));
                    return Ok(replay);
                }
                if due.len() < all || due.is_empty() {
                    return Ok(replay);
                }
            }
        };
        replay.await.map_err(KafkaTrouble::of_a_port)
    }

    /// Counts the letters up to and including this one, in its partition, as looked after, without sending them, and
    /// says how many they are. They stay on the topic of dead letters.
    ///
    /// # Errors
    ///
    /// If that cannot be noted.
    pub async fn dismiss(&self, through: LetterId) -> Result<u64, StoreError> {
        self.mark([through].into_iter())
            .await
            .map_err(KafkaTrouble::of_a_port)
    }

    /// Keeps a record that cannot be taken.
    pub(crate) async fn bury(&self, message: &OwnedMessage, why: &str) -> Result<(), KafkaTrouble> {
        let parcel = buried(message, &self.group, why);
        self.post
            .send(&self.options.dead_letters, [parcel].into_iter())
            .await?;
        let (partition, offset) = (message.partition(), message.offset());
        tracing::warn!(
            topic = message.topic(),
            partition,
            offset,
            why,
            "a record was set aside"
        );
        Ok(())
    }

    async fn read(&self, after: Option<LetterId>, limit: usize) -> Result<Vec<OwnedMessage>, KafkaTrouble> {
        let topic = self.options.dead_letters.clone();
        let limit = limit.min(MAX_LETTERS);
        let read = self.probe.ask(move |probe| {
            let mut spans = probe.spans(&topic)?;
            if let Some(after) = after {
                spans.retain(|span| span.partition >= after.partition);
                for span in spans.iter_mut().filter(|span| span.partition == after.partition) {
                    span.mark = span.mark.max(after.offset.saturating_add(1));
                }
            }
            probe.read(&topic, &spans, limit)
        });
        let mut letters = read.await?;
        letters.truncate(limit);
        Ok(letters)
    }

    /// Counts letters as looked after; says how many more that are than before.
    async fn mark(&self, letters: impl Iterator<Item = LetterId>) -> Result<u64, KafkaTrouble> {
        let mut marks = std::collections::BTreeMap::new();
        for letter in letters {
            let mark = marks.entry(letter.partition).or_insert(0);
            *mark = letter.offset.saturating_add(1).max(*mark);
        }
        if marks.is_empty() {
            return Ok(0);
        }
        let topic = self.options.dead_letters.clone();
        let mark = move |probe: &crate::probe::Probing<'_>| {
            let mut further = Vec::new();
            let mut more = 0;
            for span in probe.spans(&topic)? {
                // Nobody goes back, and nobody beyond the end.
                let mark = marks.get(&span.partition).copied().unwrap_or(0).min(span.end);
                if mark > span.mark {
                    more += u64::try_from(mark - span.mark).unwrap_or(0);
                    further.push((span.partition, mark));
                }
            }
            if !further.is_empty() {
                probe.mark(&topic, &further)?;
            }
            Ok(more)
        };
        self.probe.ask(mark).await
    }
}

fn id(message: &OwnedMessage) -> LetterId {
    LetterId {
        partition: message.partition(),
        offset: message.offset(),
    }
}

fn headers(message: &OwnedMessage) -> impl Iterator<Item = Header<'_, &[u8]>> {
    message.headers().into_iter().flat_map(|headers| headers.iter())
}

/// The last header of this name, as text.
fn word(message: &OwnedMessage, name: &str) -> Option<String> {
    let last = headers(message).filter(|header| header.key == name).last()?;
    Some(String::from_utf8_lossy(last.value?).into_owned())
}

fn is_cut(message: &OwnedMessage) -> bool {
    word(message, CUT).is_some()
}

fn letter(message: &OwnedMessage) -> DeadLetter {
    let number = |name| word(message, name).and_then(|text| text.parse::<i64>().ok());
    DeadLetter {
        id: id(message),
        why: word(message, REASON).unwrap_or_default(),
        topic: word(message, TOPIC).unwrap_or_default(),
        partition: number(PARTITION).and_then(|number| number.try_into().ok()),
        offset: number(OFFSET),
        group: word(message, GROUP).unwrap_or_default(),
        cut: is_cut(message),
        delivery: message::read(message.payload()).ok(),
    }
}

/// Those headers that the record had before it became a letter, as far as they are kept.
fn own_headers(message: &OwnedMessage) -> OwnedHeaders {
    let kept = headers(message)
        .filter(|header| !header.key.starts_with(OURS))
        .filter(|header| header.key.len() + header.value.map_or(0, <[u8]>::len) <= MAX_HEADER_BYTES)
        .take(MAX_LETTER_HEADERS);
    kept.fold(OwnedHeaders::new(), |headers, header| headers.insert(header))
}

/// A record as a letter.
fn buried(message: &OwnedMessage, group: &str, why: &str) -> Parcel {
    let mut end = why.len().min(MAX_WHY_BYTES);
    while !why.is_char_boundary(end) {
        end -= 1;
    }
    let mut room = MAX_LETTER_BYTES;
    let mut cut = false;
    let mut keep = |bytes: &[u8]| {
        let kept = &bytes[..bytes.len().min(room)];
        room -= kept.len();
        cut |= kept.len() < bytes.len();
        kept.to_vec()
    };
    let key = message.key().map(&mut keep);
    let value = message.payload().map(&mut keep);
    let text = |headers: OwnedHeaders, key, value: &str| {
        headers.insert(Header {
            key,
            value: Some(value),
        })
    };
    let mut headers = own_headers(message);
    headers = text(headers, REASON, &why[..end]);
    headers = text(headers, TOPIC, message.topic());
    headers = text(headers, PARTITION, &message.partition().to_string());
    headers = text(headers, OFFSET, &message.offset().to_string());
    headers = text(headers, GROUP, group);
    if cut {
        headers = text(headers, CUT, "true");
    }
    Parcel { key, value, headers }
}

/// A letter as the record that it was.
fn original(message: &OwnedMessage) -> Parcel {
    Parcel {
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers: own_headers(message),
    }
}
