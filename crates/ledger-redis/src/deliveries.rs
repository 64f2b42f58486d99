//! The source port over streams: one consumer group reads every coupon's stream.

use crate::engine;
use crate::error::RedisTrouble;
use crate::keys::Keys;
use crate::limits::{
    FIND_COUPONS, GONE_AFTER_CLAIMS, LONGEST_PAUSE, LONGEST_WAIT, MAX_CALLS, MAX_ENTRIES, MAX_WHY_BYTES,
    SHORTEST_PAUSE,
};
use crate::link::Link;
use crate::options::RedisOptions;
use crate::reply::{self, Fields, array, small};
use crate::scripts::{Script, Scripts};
use crate::streams::{self, Raw};
use async_trait::async_trait;
use coupon_app::{Backlog, Delivery, DeliverySource, StoreError, Ticket};
use coupon_core::CouponId;
use futures_util::{StreamExt, TryStreamExt, stream};
use redis::{Cmd, Value};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// How one worker reads.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    /// The group: all workers of one group share the entries.
    pub group: String,
    /// Every group that must have an entry before it is removed, this one included.
    pub groups: Vec<String>,
    /// This worker: a name that no other living worker has.
    pub consumer: String,
    /// After how long in somebody's hands an entry is taken to be forgotten. Shorter hands entries out twice while
    /// their worker is merely slow; longer makes those of a dead worker wait.
    pub claim_after: Duration,
}

/// What was taken.
type Deliveries = Vec<(Ticket, Delivery)>;

/// What is known of one coupon's stream.
#[derive(Clone, Debug)]
struct Stream {
    /// When it is asked again.
    next_at: Instant,
    pause: Duration,
    /// When entries in forgetful hands are looked for again.
    claim_at: Instant,
    /// When consumers that have gone are looked for again.
    sweep_at: Instant,
    has_group: bool,
    /// Whether the last look found all that one look may, so that there is more.
    full: bool,
}

/// Hands out the streams of every coupon that has one.
pub struct RedisDeliveries {
    source: Arc<Source>,
    handle: Handle,
}

struct Source {
    link: Link,
    scripts: Scripts,
    keys: Keys,
    worker: WorkerOptions,
    found: Mutex<Found>,
}

#[derive(Default)]
struct Found {
    streams: HashMap<CouponId, Stream>,
    looked_at: Option<Instant>,
}

impl std::fmt::Debug for RedisDeliveries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisDeliveries")
            .field("worker", &self.source.worker)
            .finish_non_exhaustive()
    }
}

impl RedisDeliveries {
    /// A worker. It connects when it is first used, on `handle`.
    pub fn new(options: RedisOptions, worker: WorkerOptions, handle: Handle) -> Self {
        let scripts = engine::scripts(&options);
        let loaded = vec![scripts.done.clone(), scripts.set_aside.clone()];
        let keys = Keys::new(&options.prefix);
        let source = Source {
            link: Link::new(options, loaded, false),
            scripts,
            keys,
            worker,
            found: Mutex::default(),
        };
        Self {
            source: Arc::new(source),
            handle,
        }
    }

    async fn on_the_handle<T: Send + 'static, F>(
        &self,
        act: impl FnOnce(Arc<Source>) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, RedisTrouble>> + Send + 'static,
    {
        let acting = self.handle.spawn(act(Arc::clone(&self.source)));
        let acted = acting.await.map_err(StoreError::lasting)?;
        acted.map_err(RedisTrouble::of_a_store)
    }
}

#[async_trait]
impl DeliverySource for RedisDeliveries {
    async fn next(&self, max_records: usize) -> Result<Vec<(Ticket, Delivery)>, StoreError> {
        self.on_the_handle(async move |source| source.next(max_records).await)
            .await
    }

    async fn done(&self, tickets: &[Ticket]) -> Result<(), StoreError> {
        let mut entries: HashMap<CouponId, Vec<Box<str>>> = HashMap::new();
        for ticket in tickets {
            entries
                .entry(ticket.coupon)
                .or_default()
                .push(ticket.entry.clone());
        }
        self.on_the_handle(async move |source| source.done(entries).await)
            .await
    }

    async fn set_aside(&self, ticket: &Ticket, why: &str) -> Result<(), StoreError> {
        let (ticket, why) = (ticket.clone(), why.to_owned());
        self.on_the_handle(async move |source| source.set_aside(ticket.coupon, &ticket.entry, &why).await)
            .await
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        self.on_the_handle(async move |source| source.backlog().await)
            .await
    }
}

impl Source {
    async fn next(&self, max_records: usize) -> Result<Deliveries, RedisTrouble> {
        let give_up_at = Instant::now() + LONGEST_WAIT;
        // One at a time: two callers of one worker would only take turns at the same connection.
        let mut found = self.found.lock().await;
        let mut taken = Vec::new();
        let mut records = 0;
        loop {
            // What is in hand must not be lost with an error.
            if taken.is_empty() {
                self.find(&mut found).await?;
            }
            let now = Instant::now();
            let mut due: Vec<CouponId> = Vec::new();
            due.extend(
                found
                    .streams
                    .iter()
                    .filter(|(_, it)| it.next_at <= now)
                    .map(|(id, _)| *id),
            );
            // Whoever has waited longest comes first, so that no coupon starves behind a busy one.
            due.sort_by_key(|id| found.streams[id].next_at);
            let mut full = false;
            let mut trouble = None;
            for some in due.chunks(MAX_CALLS) {
                let before: Vec<(CouponId, Stream)> =
                    some.iter().map(|id| (*id, found.streams[id].clone())).collect();
                let reading = before
                    .into_iter()
                    .map(async |(id, stream)| self.take(id, stream).await);
                let read: Vec<Result<(CouponId, Stream, Deliveries), RedisTrouble>> =
                    stream::iter(reading).buffered(MAX_CALLS).collect().await;
                for read in read {
                    match read {
                        Ok((id, stream, deliveries)) => {
                            full |= stream.full;
                            found.streams.insert(id, stream);
                            records += deliveries.iter().map(|(_, it)| it.records.len()).sum::<usize>();
                            taken.extend(deliveries);
                        }
                        Err(one) => trouble = Some(one),
                    }
                }
                if records >= max_records || trouble.is_some() {
                    break;
                }
            }
            // A commit of the store costs the same with what is there already, so that is taken along.
            if full && trouble.is_none() && records < max_records && Instant::now() < give_up_at {
                continue;
            }
            // What was taken is handed out; the trouble is still there when the next is asked for.
            if let Some(trouble) = trouble.filter(|_| taken.is_empty()) {
                return Err(trouble);
            }
            if !taken.is_empty() || Instant::now() >= give_up_at {
                return Ok(taken);
            }
            let next_at = found.streams.values().map(|it| it.next_at).min();
            // Not from now on, or streams that are asked again meanwhile would put it off.
            let look_at = found.looked_at.unwrap_or(now) + FIND_COUPONS;
            tokio::time::sleep_until(next_at.map_or(look_at, |it| it.min(look_at)).min(give_up_at)).await;
        }
    }

    /// Finds coupons that have a stream.
    async fn find(&self, found: &mut Found) -> Result<(), RedisTrouble> {
        let now = Instant::now();
        if found.looked_at.is_some_and(|it| now < it + FIND_COUPONS) {
            return Ok(());
        }
        let ids = self.coupons().await?;
        found.streams.retain(|id, _| ids.contains(id));
        for id in ids {
            found.streams.entry(id).or_insert(Stream {
                next_at: now,
                pause: SHORTEST_PAUSE,
                claim_at: now,
                sweep_at: now,
                has_group: false,
                full: false,
            });
        }
        found.looked_at = Some(now);
        Ok(())
    }

    async fn coupons(&self) -> Result<Vec<CouponId>, RedisTrouble> {
        let mut members = redis::cmd("SMEMBERS");
        members.arg(self.keys.streams());
        let id = |id| {
            CouponId::new(small(id)?).map_err(|_refused| RedisTrouble::Nonsense("the index names no coupon"))
        };
        array(self.link.send(&members).await?)?
            .into_iter()
            .map(id)
            .collect()
    }

    /// Takes what one stream has: first what somebody has forgotten, then what is new.
    async fn take(
        &self,
        coupon: CouponId,
        mut stream: Stream,
    ) -> Result<(CouponId, Stream, Deliveries), RedisTrouble> {
        let now = Instant::now();
        let mut entries = Vec::new();
        if !stream.has_group {
            stream.has_group = self.make_group(coupon).await?;
        }
        if stream.has_group && now >= stream.claim_at {
            let claimed = self.claim(coupon).await;
            entries = self.if_there(&mut stream, claimed)?;
            if entries.len() < MAX_ENTRIES {
                stream.claim_at = now + self.worker.claim_after;
            }
            if stream.has_group && now >= stream.sweep_at {
                self.sweep(coupon).await;
                stream.sweep_at = now + self.gone_after();
            }
        }
        if stream.has_group && entries.is_empty() {
            let read = self.read(coupon).await;
            entries = self.if_there(&mut stream, read)?;
        }
        stream.pause = if entries.is_empty() {
            (stream.pause * 2).min(LONGEST_PAUSE)
        } else {
            SHORTEST_PAUSE
        };
        stream.full = entries.len() >= MAX_ENTRIES;
        // What was full has more.
        stream.next_at = if stream.full { now } else { now + stream.pause };
        let mut taken = Vec::with_capacity(entries.len());
        for raw in entries {
            match streams::delivery(coupon, &raw) {
                Ok(delivery) => {
                    let entry = raw.id;
                    taken.push((Ticket { coupon, entry }, delivery));
                }
                Err(unreadable) => {
                    let set_aside = self.set_aside(coupon, &raw.id, &unreadable.to_string()).await;
                    if let Err(trouble) = set_aside {
                        // It stays in hand, and is tried again when it is claimed.
                        tracing::warn!(%coupon, entry = %raw.id, %trouble, "an entry could not be set aside");
                    }
                }
            }
        }
        Ok((coupon, stream, taken))
    }

    /// Entries, unless stream or group have gone: after a loss of Redis, or when the coupon was retired.
    fn if_there(
        &self,
        stream: &mut Stream,
        read: Result<Vec<Raw>, RedisTrouble>,
    ) -> Result<Vec<Raw>, RedisTrouble> {
        match read {
            Err(RedisTrouble::Unanswered(error)) if error.code() == Some("NOGROUP") => {
                stream.has_group = false;
                Ok(Vec::new())
            }
            read => read,
        }
    }

    /// Makes the group, from the beginning of the stream; `false` when there is no stream yet.
    async fn make_group(&self, coupon: CouponId) -> Result<bool, RedisTrouble> {
        let mut create = redis::cmd("XGROUP");
        create
            .arg("CREATE")
            .arg(self.keys.stream(coupon))
            .arg(&self.worker.group)
            .arg("0");
        match self.link.send(&create).await {
            Ok(_) => Ok(true),
            Err(RedisTrouble::Unanswered(error)) if error.code() == Some("BUSYGROUP") => Ok(true),
            Err(RedisTrouble::Unanswered(error)) if !error.is_io_error() => Ok(false),
            Err(trouble) => Err(trouble),
        }
    }

    async fn claim(&self, coupon: CouponId) -> Result<Vec<Raw>, RedisTrouble> {
        let mut claim = redis::cmd("XAUTOCLAIM");
        claim
            .arg(self.keys.stream(coupon))
            .arg(&self.worker.group)
            .arg(&self.worker.consumer)
            .arg(self.worker.claim_after.as_millis().to_string())
            .arg("0-0")
            .arg("COUNT")
            .arg(MAX_ENTRIES);
        let mut fields = Fields::of(self.link.send(&claim).await?)?;
        let _cursor = fields.value()?;
        Raw::list(fields.value()?)
    }

    /// After how long without a word a consumer that has nothing in hand is taken to have gone.
    fn gone_after(&self) -> Duration {
        self.worker.claim_after.saturating_mul(GONE_AFTER_CLAIMS)
    }

    /// Forgets consumers that have gone. Nothing rests on it, so trouble waits for the next time.
    async fn sweep(&self, coupon: CouponId) {
        let gone_after = self.gone_after().as_millis().to_string();
        let (group, consumer) = (self.worker.group.as_bytes(), self.worker.consumer.as_bytes());
        let args = [group, consumer, gone_after.as_bytes()];
        let keys = [self.keys.stream(coupon)];
        match self.call(&self.scripts.sweep, &keys, &args).await.and_then(small) {
            Ok(0) => {}
            Ok(gone) => tracing::info!(%coupon, gone, "workers that have gone were forgotten"),
            Err(trouble) => tracing::debug!(%coupon, %trouble, "consumers were not swept"),
        }
    }

    async fn read(&self, coupon: CouponId) -> Result<Vec<Raw>, RedisTrouble> {
        let read = self.read_command(coupon);
        Raw::list(reply::entries_of_one(self.link.send(&read).await?)?)
    }

    fn read_command(&self, coupon: CouponId) -> Cmd {
        let mut read = redis::cmd("XREADGROUP");
        read.arg("GROUP")
            .arg(&self.worker.group)
            .arg(&self.worker.consumer)
            .arg("COUNT")
            .arg(MAX_ENTRIES)
            .arg("STREAMS")
            .arg(self.keys.stream(coupon))
            .arg(">");
        read
    }

    async fn call(&self, script: &Script, keys: &[String], args: &[&[u8]]) -> Result<Value, RedisTrouble> {
        self.link.call(script, keys, args).await
    }

    async fn done(&self, entries: HashMap<CouponId, Vec<Box<str>>>) -> Result<(), RedisTrouble> {
        let groups = self.worker.groups.len().to_string();
        for (coupon, ids) in entries {
            let mut args: Vec<&[u8]> = vec![self.worker.group.as_bytes(), groups.as_bytes()];
            args.extend(self.worker.groups.iter().map(String::as_bytes));
            args.extend(ids.iter().map(|id| id.as_bytes()));
            let said = self
                .call(&self.scripts.done, &[self.keys.stream(coupon)], &args)
                .await;
            match said {
                Ok(_removed) => {}
                // The stream has gone with its coupon, or was lost: then there is nothing to remove.
                Err(RedisTrouble::Unanswered(error)) if !error.is_io_error() => {
                    tracing::debug!(%coupon, %error, "entries could not be removed");
                }
                Err(trouble) => return Err(trouble),
            }
        }
        Ok(())
    }

    async fn set_aside(&self, coupon: CouponId, entry: &str, why: &str) -> Result<(), RedisTrouble> {
        let mut why = why.to_owned();
        let mut end = why.len().min(MAX_WHY_BYTES);
        while !why.is_char_boundary(end) {
            end -= 1;
        }
        why.truncate(end);
        let keys = [self.keys.stream(coupon), self.keys.dead(coupon)];
        let args: [&[u8]; 3] = [self.worker.group.as_bytes(), entry.as_bytes(), why.as_bytes()];
        let set_aside = small(self.call(&self.scripts.set_aside, &keys, &args).await?)? == 1;
        if set_aside {
            tracing::warn!(%coupon, entry, why, "an entry was set aside");
        }
        Ok(())
    }

    async fn backlog(&self) -> Result<Backlog, RedisTrouble> {
        let coupons = self.coupons().await?;
        let asking = coupons
            .into_iter()
            .map(async |coupon| self.backlog_of(coupon).await);
        let all: Vec<Backlog> = stream::iter(asking)
            .buffer_unordered(MAX_CALLS)
            .try_collect()
            .await?;
        Ok(all.into_iter().fold(Backlog::default(), |sum, one| Backlog {
            waiting: sum.waiting + one.waiting,
            in_hand: sum.in_hand + one.in_hand,
            oldest_us: sum.oldest_us.max(one.oldest_us),
            set_aside: sum.set_aside + one.set_aside,
        }))
    }

    async fn backlog_of(&self, coupon: CouponId) -> Result<Backlog, RedisTrouble> {
        let keys = [self.keys.stream(coupon), self.keys.dead(coupon)];
        let group = self.worker.group.as_bytes();
        let said = self.call(&self.scripts.backlog, &keys, &[group, b"0"]).await?;
        let mut fields = Fields::of(said)?;
        let (waiting, in_hand) = (fields.small()?, fields.small()?);
        let oldest = streams::fields(reply::pairs_if_any(fields.value()?)?)?;
        let now = crate::facts::instant(&fields.text()?)?;
        let set_aside = fields.small()?;
        let raw = Raw {
            id: "".into(),
            fields: oldest,
        };
        // Entries that cannot be read have no age; they are about to be set aside.
        let decided_at = streams::delivery(coupon, &raw)
            .ok()
            .as_ref()
            .and_then(streams::decided_at);
        Ok(Backlog {
            waiting: waiting.into(),
            in_hand: in_hand.into(),
            oldest_us: decided_at.map_or(0, |it| (now.as_micros() - it.as_micros()).max(0)),
            set_aside: set_aside.into(),
        })
    }
}
