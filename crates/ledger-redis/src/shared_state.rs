//! The ports by which a lost state is taken anew: this server's view of it, and the stream as a way to the store.

use crate::engine::Engine;
use crate::error::RedisTrouble;
use crate::ledger::RedisLedger;
use crate::limits::{MAX_DRAINED, MAX_SCANNED};
use crate::pack;
use crate::reopen::ReopenError;
use crate::reply::{Fields, array, bytes, optional, pairs, small, text};
use crate::streams::{self, Raw};
use async_trait::async_trait;
use coupon_app::limits::MAX_PAGE;
use coupon_app::{
    Delivery, DeliveryStore, IssuedRecord, LedgerIdentity, LedgerMark, LedgerMarks, Passage, Record,
    SeenPosition, SharedState, StateStanding, StoreError,
};
use coupon_core::{CouponId, UserId};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

impl RedisLedger {
    async fn in_doubt<T: Send + 'static, F>(
        &self,
        act: impl FnOnce(Arc<Engine>) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, RedisTrouble>> + Send + 'static,
    {
        let acting = self.handle.spawn(act(Arc::clone(&self.engine)));
        let acted = acting.await.map_err(StoreError::lasting)?;
        acted.map_err(RedisTrouble::of_a_store)
    }
}

#[async_trait]
impl SharedState for RedisLedger {
    async fn identity(&self) -> Result<LedgerIdentity, StoreError> {
        self.in_doubt(async move |engine| {
            engine.link.probe().await?;
            let found = engine.link.found();
            let found = found.ok_or(RedisTrouble::Nonsense(
                "servers that were looked at were not seen",
            ))?;
            Ok(found.fingerprint())
        })
        .await
    }

    fn close(&self) -> Vec<SeenPosition> {
        self.engine.link.close();
        self.engine.memory.close()
    }

    fn open(&self, identity: &LedgerIdentity) -> bool {
        self.engine.link.open(identity)
    }

    fn is_open(&self) -> bool {
        self.engine.link.is_open()
    }

    fn doubts(&self) -> Vec<CouponId> {
        self.engine.take_doubted()
    }

    fn seen(&self, coupon: CouponId) -> u32 {
        self.engine.memory.of(coupon).map_or(0, |known| known.seen)
    }

    async fn coupons(&self) -> Result<Vec<CouponId>, StoreError> {
        self.in_doubt(async move |engine| {
            let mut ids = BTreeSet::new();
            for list in [engine.keys.coupons(), engine.keys.streams()] {
                let mut members = redis::cmd("SMEMBERS");
                members.arg(list);
                for id in array(engine.link.send_in_doubt(&members).await?)? {
                    let id = CouponId::new(small(id)?);
                    ids.insert(id.map_err(|_refused| RedisTrouble::Nonsense("the index names no coupon"))?);
                }
            }
            Ok(ids.into_iter().collect())
        })
        .await
    }

    async fn standing(&self, coupon: CouponId) -> Result<Option<StateStanding>, StoreError> {
        self.in_doubt(async move |engine| engine.standing(coupon).await)
            .await
    }

    async fn issues(&self, coupon: CouponId) -> Result<Vec<IssuedRecord>, StoreError> {
        let mut all: HashMap<u32, IssuedRecord> = HashMap::new();
        let mut cursor = "0".to_owned();
        loop {
            let from = cursor.clone();
            let (next, some) = self
                .in_doubt(async move |engine| engine.some_users(coupon, &from).await)
                .await?;
            // A scan may show an element twice.
            all.extend(some.into_iter().map(|one| (one.grant.position.get(), one)));
            cursor = next;
            if cursor == "0" {
                return Ok(all.into_values().collect());
            }
        }
    }

    async fn fence(&self, coupon: CouponId) -> Result<Option<StateStanding>, StoreError> {
        let fenced = RedisLedger::fence(self, coupon).await;
        let fenced = fenced.map_err(RedisTrouble::of_a_store)?;
        Ok(fenced.map(|fenced| StateStanding {
            epoch: fenced.epoch,
            last_position: fenced.last_position,
            fenced: true,
        }))
    }

    async fn rebuild(&self, mark: &LedgerMark, store: &dyn LedgerMarks) -> Result<(), StoreError> {
        let coupon = mark.coupon.id;
        let reopening = self.reopen(mark.coupon.clone(), mark.epoch).await;
        let mut reopening = reopening.map_err(RedisTrouble::of_a_store)?;
        let mut after = 0;
        loop {
            let page = store.records(coupon, after, MAX_PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.grant.position.get();
            reopening.add(&page).await.map_err(RedisTrouble::of_a_store)?;
        }
        let commands = store.commands(coupon).await?;
        let tokens = reopening.add_tokens(&commands).await;
        tokens.map_err(RedisTrouble::of_a_store)?;
        match reopening.open(mark.highest).await {
            Ok(_reopened) => Ok(()),
            Err(ReopenError::Redis(trouble)) => Err(trouble.of_a_store()),
            // Somebody is faster, or the stream has something new: both are found by beginning again.
            Err(
                other @ (ReopenError::Epoch { .. }
                | ReopenError::StreamAhead { .. }
                | ReopenError::Incomplete { .. }),
            ) => Err(StoreError::passing(other)),
        }
    }
}

#[async_trait]
impl Passage for RedisLedger {
    fn name(&self) -> &'static str {
        "stream"
    }

    async fn carries(&self, coupon: CouponId) -> Result<Vec<IssuedRecord>, StoreError> {
        let mut all = Vec::new();
        let mut from = "-".to_owned();
        loop {
            let begin = from.clone();
            let entries = self
                .in_doubt(async move |engine| engine.entries(coupon, &begin, "+").await)
                .await?;
            let Some(last) = entries.last() else {
                return Ok(all);
            };
            from = format!("({}", last.id);
            let readable = entries
                .iter()
                .filter_map(|raw| streams::delivery(coupon, raw).ok());
            for record in readable.flat_map(|delivery| delivery.records) {
                if let Record::Issued(issued) = record {
                    all.push(issued);
                }
            }
        }
    }

    async fn drain(&self, coupon: CouponId, store: &dyn DeliveryStore) -> Result<u32, StoreError> {
        let end = self
            .in_doubt(async move |engine| engine.end_of_stream(coupon).await)
            .await?;
        let Some((end, position)) = end else {
            return Ok(0);
        };
        let mut from = "-".to_owned();
        loop {
            let (begin, until) = (from.clone(), end.clone());
            let entries = self
                .in_doubt(async move |engine| engine.entries(coupon, &begin, &until).await)
                .await?;
            let Some(last) = entries.last() else {
                return Ok(position);
            };
            from = format!("({}", last.id);
            let mut deliveries: Vec<Delivery> = Vec::new();
            for raw in &entries {
                match streams::delivery(coupon, raw) {
                    Ok(delivery) => deliveries.push(delivery),
                    // A worker sets it aside, where it is counted and can be looked at.
                    Err(unreadable) => {
                        tracing::warn!(%coupon, entry = %raw.id, %unreadable, "an entry was not brought to the store");
                    }
                }
            }
            store.deliver(&deliveries).await?;
        }
    }
}

impl Engine {
    async fn standing(&self, coupon: CouponId) -> Result<Option<StateStanding>, RedisTrouble> {
        let mut get = redis::cmd("HMGET");
        get.arg(self.keys.state(coupon))
            .arg("epoch")
            .arg("issued")
            .arg("fenced");
        let mut fields = array(self.link.send_in_doubt(&get).await?)?
            .into_iter()
            .map(optional);
        let mut field = || fields.next().flatten();
        let (Some(epoch), Some(issued)) = (field(), field()) else {
            return Ok(None);
        };
        let fenced = field().map(text).transpose()?;
        Ok(Some(StateStanding {
            epoch: small(epoch)?,
            last_position: small(issued)?,
            fenced: fenced.is_some_and(|fenced| fenced == "1"),
        }))
    }

    /// Some of a coupon's users, from a cursor, and the next cursor.
    async fn some_users(
        &self,
        coupon: CouponId,
        cursor: &str,
    ) -> Result<(String, Vec<IssuedRecord>), RedisTrouble> {
        let mut scan = redis::cmd("HSCAN");
        scan.arg(self.keys.users(coupon))
            .arg(cursor)
            .arg("COUNT")
            .arg(MAX_SCANNED);
        let mut fields = Fields::of(self.link.send_in_doubt(&scan).await?)?;
        let next = fields.text()?;
        let user = |(user, held)| {
            let user = UserId::parse(text(user)?);
            let user = user.map_err(|_refused| RedisTrouble::Nonsense("a member is no user"))?;
            let held = pack::held(&bytes(held)?).map_err(|it| RedisTrouble::Nonsense(it.0))?;
            Ok(IssuedRecord {
                coupon,
                user,
                grant: held.grant,
                key: held.key,
            })
        };
        let found: Result<Vec<IssuedRecord>, RedisTrouble> =
            pairs(fields.value()?)?.into_iter().map(user).collect();
        Ok((next, found?))
    }

    /// The id of the last entry that a stream ever had, and its position; `None` when there is no stream.
    async fn end_of_stream(&self, coupon: CouponId) -> Result<Option<(String, u32)>, RedisTrouble> {
        let mut info = redis::cmd("XINFO");
        info.arg("STREAM").arg(self.keys.stream(coupon));
        let said = match self.link.send_in_doubt(&info).await {
            // There is no such key.
            Err(RedisTrouble::Unanswered(error)) if !error.is_io_error() => return Ok(None),
            said => said?,
        };
        for (name, value) in pairs(said)? {
            if text(name)? == "last-generated-id" {
                let id = text(value)?;
                let position = id.split('-').next().and_then(|it| it.parse().ok());
                let position = position.ok_or(RedisTrouble::Nonsense("an entry's id is no position"))?;
                return Ok(Some((id, position)));
            }
        }
        Err(RedisTrouble::Nonsense("a stream has no end"))
    }

    async fn entries(&self, coupon: CouponId, from: &str, until: &str) -> Result<Vec<Raw>, RedisTrouble> {
        let mut range = redis::cmd("XRANGE");
        range
            .arg(self.keys.stream(coupon))
            .arg(from)
            .arg(until)
            .arg("COUNT")
            .arg(MAX_DRAINED);
        Raw::list(self.link.send_in_doubt(&range).await?)
    }
}
