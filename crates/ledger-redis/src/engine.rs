//! What all that the ledger does has in common: asking a script about one coupon, and knowing when not to believe it.

use crate::error::{Doubt, RedisTrouble};
use crate::facts::{Head, instant};
use crate::keys::Keys;
use crate::known::{Known, Memory};
use crate::link::Link;
use crate::options::RedisOptions;
use crate::reply::Fields;
use crate::scripts::{Script, Scripts};
use coupon_app::{Board, CouponIds, FactsOfRecord};
use coupon_core::{CouponId, Timestamp};
use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

/// How often a coupon is asked again because the store knew of a later epoch.
const MAX_EPOCH_TRIES: usize = 3;

/// The parts of a ledger.
pub(crate) struct Engine {
    pub(crate) link: Link,
    pub(crate) scripts: Scripts,
    pub(crate) keys: Keys,
    pub(crate) memory: Memory,
    pub(crate) ids: Arc<dyn CouponIds>,
    pub(crate) record: Option<Arc<dyn FactsOfRecord>>,
    pub(crate) closed: AtomicBool,
    /// Coupons whose state was found to be in doubt.
    doubted: Mutex<BTreeSet<CouponId>>,
}

/// What a script says of a coupon.
#[derive(Debug)]
pub(crate) enum Said {
    /// Where it stands, and what else was asked.
    Standing(Box<Head>, Fields),
    /// There is none, and never was one.
    Missing,
    /// It was deleted.
    Deleted,
    /// Its members were given up after the sale; since when it is closed.
    Retired(Timestamp),
    /// It is not what the command was decided on.
    Changed,
    /// It cannot be done yet, and why.
    NotYet(String),
}

impl Engine {
    pub(crate) fn new(
        options: RedisOptions,
        board: Arc<Board>,
        ids: Arc<dyn CouponIds>,
        record: Option<Arc<dyn FactsOfRecord>>,
    ) -> Self {
        let scripts = scripts(&options);
        let loaded = scripts.of_the_ledger().map(Script::clone).to_vec();
        let keys = Keys::new(&options.prefix);
        Self {
            link: Link::new(options, loaded, true),
            scripts,
            keys,
            memory: Memory::new(board),
            ids,
            record,
            closed: AtomicBool::new(false),
            doubted: Mutex::default(),
        }
    }

    /// The coupons that were found to be in doubt since this was last asked.
    pub(crate) fn take_doubted(&self) -> Vec<CouponId> {
        let mut doubted = self.doubted.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *doubted).into_iter().collect()
    }

    fn doubt(&self, coupon: CouponId, doubt: Doubt) -> RedisTrouble {
        self.doubted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(coupon);
        doubt.into()
    }

    /// One call, with whatever tests add to it.
    pub(crate) async fn call(
        &self,
        script: &Script,
        keys: &[String],
        args: &[&[u8]],
    ) -> Result<redis::Value, RedisTrouble> {
        #[cfg(feature = "sim")]
        if let Some(clock) = &self.link.options().sim.clock {
            let now = clock.now().as_micros().to_string();
            let args: Vec<&[u8]> = args.iter().copied().chain([now.as_bytes()]).collect();
            return self.link.call(script, keys, &args).await;
        }
        self.link.call(script, keys, args).await
    }

    /// What is known of a coupon: by this server, or else by the store.
    async fn acquaint(&self, coupon: CouponId) -> Result<Known, RedisTrouble> {
        if let Some(known) = self.memory.of(coupon) {
            return Ok(known);
        }
        let on_record = match &self.record {
            Some(record) => record.on_record(coupon).await.map_err(RedisTrouble::Store)?,
            None => None,
        };
        Ok(on_record.map_or_else(Known::default, |it| Known {
            epoch: it.epoch,
            seen: it.last_position,
            revision: 0,
            exists: true,
        }))
    }

    /// Calls a script about one coupon. Its first three arguments say what this server knows; `args` follow.
    /// `with_facts` asks for the coupon itself in the reply, whatever revision is known.
    pub(crate) async fn consult(
        &self,
        coupon: CouponId,
        script: &Script,
        keys: &[String],
        args: &[&[u8]],
        with_facts: bool,
    ) -> Result<Said, RedisTrouble> {
        let mut tries = 1;
        loop {
            let known = self.acquaint(coupon).await?;
            let revision = if with_facts { 0 } else { known.revision };
            let knows = [known.epoch, known.seen, revision].map(|number| number.to_string());
            let all: Vec<&[u8]> = knows
                .iter()
                .map(String::as_bytes)
                .chain(args.iter().copied())
                .collect();
            let closings = self.memory.closings();
            let mut fields = Fields::of(self.call(script, keys, &all).await?)?;
            match fields.text()?.as_str() {
                "ok" => {
                    let head = Head::read(&mut fields)?;
                    if !self.memory.note(coupon, &head, closings) {
                        return Err(RedisTrouble::ClosedMeanwhile);
                    }
                    return Ok(Said::Standing(Box::new(head), fields));
                }
                "missing" if known.exists => return Err(self.doubt(coupon, Doubt::Lost(coupon))),
                "missing" => return Ok(Said::Missing),
                "deleted" => return Ok(Said::Deleted),
                "retired" => return Ok(Said::Retired(instant(&fields.text()?)?)),
                "changed" => return Ok(Said::Changed),
                "not-yet" => return Ok(Said::NotYet(fields.text()?)),
                "epoch" => {
                    let found = fields.small()?;
                    let adopted = tries < MAX_EPOCH_TRIES && self.adopt(coupon, found, known).await?;
                    if !adopted {
                        let known = known.epoch;
                        return Err(self.doubt(coupon, Doubt::Epoch { coupon, found, known }));
                    }
                }
                "fenced" => return Err(self.doubt(coupon, Doubt::Fenced(coupon))),
                "behind" => {
                    let (_, found) = (fields.small()?, fields.small()?);
                    let seen = known.seen;
                    return Err(self.doubt(coupon, Doubt::Behind { coupon, found, seen }));
                }
                _ => return Err(RedisTrouble::Nonsense("no script says this")),
            }
            tries += 1;
        }
    }

    /// Another epoch than the known one is believed only if the store says so too.
    async fn adopt(&self, coupon: CouponId, found: u32, known: Known) -> Result<bool, RedisTrouble> {
        let Some(record) = &self.record else {
            return Ok(false);
        };
        let on_record = record.on_record(coupon).await.map_err(RedisTrouble::Store)?;
        let Some(on_record) = on_record.filter(|it| it.epoch == found && found > known.epoch) else {
            return Ok(false);
        };
        self.memory
            .adopt(coupon, on_record.epoch, on_record.last_position);
        Ok(true)
    }

    /// Reads a coupon, its clock, and a token's answer.
    pub(crate) async fn read(
        &self,
        coupon: CouponId,
        token_scope: &[u8],
        with_facts: bool,
    ) -> Result<Said, RedisTrouble> {
        let keys = [self.keys.state(coupon), self.keys.tokens(coupon)];
        self.consult(coupon, &self.scripts.read, &keys, &[token_scope], with_facts)
            .await
    }

    /// Reads every coupon there is, and posts what this server has not seen.
    pub(crate) async fn refresh(&self) -> Result<(), RedisTrouble> {
        use futures_util::{StreamExt, TryStreamExt};
        let mut members = redis::cmd("SMEMBERS");
        members.arg(self.keys.coupons());
        // Also what Redis may have forgotten: so a loss is found out before anybody asks.
        let mut ids: BTreeSet<CouponId> = self.memory.ids().into_iter().collect();
        for id in crate::reply::array(self.link.send(&members).await?)? {
            let id = CouponId::new(crate::reply::small(id)?);
            ids.insert(id.map_err(|_refused| RedisTrouble::Nonsense("the index names no coupon"))?);
        }
        let reading = ids.into_iter().map(|id| async move {
            match self.read(id, b"", false).await {
                // What is in doubt is told to whoever asks for it; the others are read all the same.
                Ok(_) | Err(RedisTrouble::Doubt(_)) => Ok(()),
                Err(trouble) => Err(trouble),
            }
        });
        futures_util::stream::iter(reading)
            .buffer_unordered(crate::limits::MAX_CALLS)
            .try_collect()
            .await
    }
}

/// The scripts that these options ask for.
pub(crate) fn scripts(options: &RedisOptions) -> Scripts {
    #[cfg(feature = "sim")]
    {
        Scripts::simulated(&options.sim)
    }
    #[cfg(not(feature = "sim"))]
    {
        let _ = options;
        Scripts::new()
    }
}
