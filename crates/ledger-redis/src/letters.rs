//! The office of dead letters beside the streams.

use crate::engine;
use crate::error::RedisTrouble;
use crate::keys::Keys;
use crate::limits::{MAX_CALLS, MAX_LETTERS};
use crate::link::Link;
use crate::options::RedisOptions;
use crate::reply::{array, small};
use crate::streams::{self, Raw};
use async_trait::async_trait;
use coupon_app::{Contents, DeadLetter, DeadLetterOffice, DeliveryStore, Replayed, StoreError};
use coupon_core::CouponId;
use futures_util::{StreamExt, TryStreamExt, stream};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::runtime::Handle;

/// Looks after the entries of every coupon that workers have set aside: by coupon, and for each in the order of
/// setting aside.
///
/// A letter is brought again to the store of the group that could not take it. One that cannot be read, or whose group
/// has none here, is not whole.
pub struct RedisLetters {
    desk: Arc<Desk>,
    targets: Arc<Targets>,
    handle: Handle,
}

/// Where letters are brought, by group.
type Targets = Vec<(String, Arc<dyn DeliveryStore>)>;

struct Desk {
    link: Link,
    keys: Keys,
}

impl std::fmt::Debug for RedisLetters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisLetters").finish_non_exhaustive()
    }
}

/// The place of a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    coupon: CouponId,
    /// The id in the stream of letters, as its two parts.
    letter: (u64, u64),
}

impl Place {
    fn parse(name: &str) -> Option<Self> {
        let mut parts = name.split('-');
        let coupon = parts.next()?.parse().ok()?;
        let mut number = || parts.next()?.parse::<u64>().ok();
        let letter = (number()?, number()?);
        parts.next().is_none().then_some(Self { coupon, letter })
    }

    fn id(self) -> String {
        format!("{}-{}", self.letter.0, self.letter.1)
    }
}

impl RedisLetters {
    /// An office. It connects when it is first used, on `handle`. What a group of `targets` could not take is brought
    /// to the store beside it.
    pub fn new(
        options: RedisOptions,
        targets: Vec<(String, Arc<dyn DeliveryStore>)>,
        handle: Handle,
    ) -> Self {
        let keys = Keys::new(&options.prefix);
        let scripts = engine::scripts(&options);
        let link = Link::new(options, vec![scripts.now], false);
        Self {
            desk: Arc::new(Desk { link, keys }),
            targets: Arc::new(targets),
            handle,
        }
    }

    async fn on_the_handle<T: Send + 'static, F>(
        &self,
        act: impl FnOnce(Arc<Desk>) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, RedisTrouble>> + Send + 'static,
    {
        let acting = self.handle.spawn(act(Arc::clone(&self.desk)));
        let acted = acting.await.map_err(StoreError::lasting)?;
        acted.map_err(RedisTrouble::of_a_store)
    }

    fn target(&self, letter: &DeadLetter) -> Option<&Arc<dyn DeliveryStore>> {
        let found = self.targets.iter().find(|(group, _)| *group == letter.group);
        found.map(|(_, target)| target)
    }

    /// Letters behind a place, through another if there is one.
    async fn read(
        &self,
        after: Option<Place>,
        through: Option<Place>,
        limit: usize,
    ) -> Result<Vec<(Place, DeadLetter)>, StoreError> {
        let reading = self.on_the_handle(async move |desk| desk.read(after, through, limit).await);
        let mut letters = reading.await?;
        for (_, letter) in &mut letters {
            letter.whole = letter.contents.is_some() && self.target(letter).is_some();
        }
        Ok(letters)
    }

    async fn remove(&self, place: Place) -> Result<u64, StoreError> {
        let removing = self.on_the_handle(async move |desk| {
            let mut delete = redis::cmd("XDEL");
            delete.arg(desk.keys.dead(place.coupon)).arg(place.id());
            small(desk.link.send(&delete).await?)
        });
        removing.await.map(u64::from)
    }
}

#[async_trait]
impl DeadLetterOffice for RedisLetters {
    async fn list(&self, after: Option<&str>, limit: usize) -> Result<Option<Vec<DeadLetter>>, StoreError> {
        let after = match after.map(Place::parse) {
            None => None,
            Some(Some(place)) => Some(place),
            Some(None) => return Ok(None),
        };
        let letters = self.read(after, None, limit).await?;
        Ok(Some(letters.into_iter().map(|(_, letter)| letter).collect()))
    }

    async fn find(&self, name: &str) -> Result<Option<DeadLetter>, StoreError> {
        let Some(place) = Place::parse(name) else {
            return Ok(None);
        };
        let before = self.read(Some(before(place)), Some(place), 1).await?;
        let found = before.into_iter().find(|(found, _)| *found == place);
        Ok(found.map(|(_, letter)| letter))
    }

    async fn replay(&self, through: &str) -> Result<Option<Replayed>, StoreError> {
        let Some(through) = Place::parse(through) else {
            return Ok(None);
        };
        let mut replayed = Replayed::default();
        loop {
            let letters = self.read(None, Some(through), MAX_LETTERS).await?;
            if letters.is_empty() {
                return Ok(Some(replayed));
            }
            for (place, letter) in letters {
                let records = letter.contents.as_ref().and_then(Contents::records);
                let (Some(target), Some(delivery)) = (self.target(&letter), records) else {
                    replayed.stopped_at = Some(letter.name);
                    return Ok(Some(replayed));
                };
                target.deliver(std::slice::from_ref(delivery)).await?;
                replayed.sent += self.remove(place).await?;
            }
        }
    }

    async fn dismiss(&self, through: &str) -> Result<Option<u64>, StoreError> {
        let Some(through) = Place::parse(through) else {
            return Ok(None);
        };
        let mut gone = 0;
        loop {
            let letters = self.read(None, Some(through), MAX_LETTERS).await?;
            if letters.is_empty() {
                return Ok(Some(gone));
            }
            for (place, _) in letters {
                gone += self.remove(place).await?;
            }
        }
    }
}

/// The place right before this one.
fn before(place: Place) -> Place {
    let letter = match place.letter {
        (time, 0) => (time.saturating_sub(1), u64::MAX),
        (time, number) => (time, number - 1),
    };
    Place { letter, ..place }
}

impl Desk {
    async fn read(
        &self,
        after: Option<Place>,
        through: Option<Place>,
        limit: usize,
    ) -> Result<Vec<(Place, DeadLetter)>, RedisTrouble> {
        let mut letters = Vec::new();
        let within = |coupon: &CouponId| {
            after.is_none_or(|after| *coupon >= after.coupon)
                && through.is_none_or(|through| *coupon <= through.coupon)
        };
        let coupons: Vec<CouponId> = self.coupons().await?.into_iter().filter(within).collect();
        let range = |coupon: CouponId| {
            let begin = after
                .filter(|after| after.coupon == coupon)
                .map_or_else(|| "-".to_owned(), |after| format!("({}", after.id()));
            let end = through
                .filter(|through| through.coupon == coupon)
                .map_or_else(|| "+".to_owned(), Place::id);
            let mut range = redis::cmd("XRANGE");
            range.arg(self.keys.dead(coupon)).arg(begin).arg(end);
            range.arg("COUNT").arg(limit.min(MAX_LETTERS));
            range
        };
        for some in coupons.chunks(MAX_CALLS) {
            let asking = some.iter().copied().map(async |coupon| {
                let said = self.link.send(&range(coupon)).await?;
                let letters = Raw::list(said)?.into_iter().map(|raw| letter(coupon, raw));
                letters.collect::<Result<Vec<_>, RedisTrouble>>()
            });
            let read: Vec<Vec<_>> = stream::iter(asking).buffered(MAX_CALLS).try_collect().await?;
            letters.extend(read.into_iter().flatten());
            if letters.len() >= limit {
                break;
            }
        }
        letters.truncate(limit);
        Ok(letters)
    }

    async fn coupons(&self) -> Result<BTreeSet<CouponId>, RedisTrouble> {
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
}

fn letter(coupon: CouponId, raw: Raw) -> Result<(Place, DeadLetter), RedisTrouble> {
    let word = |name| String::from_utf8_lossy(raw.field(name).unwrap_or_default()).into_owned();
    let name = format!("{coupon}-{}", raw.id);
    let place = Place::parse(&name).ok_or(RedisTrouble::Nonsense("an id has two numbers"))?;
    let letter = DeadLetter {
        name: name.into(),
        why: word("why"),
        origin: format!("stream of coupon {coupon}, entry {}", word("entry")),
        group: word("group"),
        whole: false,
        contents: streams::delivery(coupon, &raw).ok().map(Contents::Records),
    };
    Ok((place, letter))
}
