//! What issued coupons offer: the terms of the revision that each was issued under.
//!
//! A row does not say which that was: it is the highest revision that was made when the last position was below its
//! own. Revisions are few and never change; which there are is read anew for every batch, because one may
//! have come since, and what they offer is remembered.

use super::lock;
use crate::connection::Answered;
use crate::error::Failure;
use crate::limits;
use crate::row::{self, ISSUED_COLUMNS};
use crate::script::Script;
use crate::store::Reader;
use coupon_app::Redeemable;
use coupon_core::{CouponId, IssuedCouponId, Offer, Position, Revision, Trail};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Mutex;

/// What revisions offer, as far as it was read before.
#[derive(Debug, Default)]
pub(super) struct Offers(HashMap<Key, Offer>);

/// A revision of a coupon.
pub(super) type Key = (CouponId, Revision);

impl Offers {
    fn keep(&mut self, key: Key, offer: Offer) {
        if self.0.len() >= limits::MAX_REMEMBERED_OFFERS {
            self.0.clear();
        }
        self.0.insert(key, offer);
    }

    /// What is known of these.
    pub(super) fn known(&self, keys: &BTreeSet<Key>) -> BTreeMap<Key, Offer> {
        let known = |key: &Key| Some((*key, self.0.get(key)?.clone()));
        keys.iter().filter_map(known).collect()
    }
}

/// The revisions that there are of some coupons, each with the last position when it was made.
#[derive(Debug, Default)]
pub(super) struct Revisions(BTreeMap<CouponId, Vec<(Revision, u32)>>);

/// Asks for the revisions of these coupons.
pub(super) fn ask_revisions(script: &mut Script, coupons: &[CouponId]) {
    script.statement("SELECT coupon_id, revision, issued + lost FROM coupon_revisions WHERE coupon_id IN (0");
    for coupon in coupons {
        script.sql(", ").number(coupon.get());
    }
    script.sql(")");
}

impl Revisions {
    /// Takes what came back.
    pub(super) fn take(&mut self, answered: &Answered) -> Result<(), Failure> {
        for found in &answered.rows {
            let revisions = self.0.entry(row::coupon_id(found, 0)?).or_default();
            revisions.push((row::revision(found, 1)?, row::small(found, 2)?));
        }
        Ok(())
    }

    /// The one that this position was issued under.
    pub(super) fn of(&self, coupon: CouponId, position: Position) -> Result<Key, Failure> {
        let revisions = self.0.get(&coupon).map_or(&[][..], Vec::as_slice);
        let before = revisions.iter().filter(|(_, last)| *last < position.get());
        let last = before.map(|(revision, _)| *revision).max();
        last.map(|revision| (coupon, revision)).ok_or_else(|| {
            Failure::Damaged(format!("no revision of coupon {coupon} is as old as its issues"))
        })
    }
}

/// Asks what these revisions offer.
pub(super) fn ask_offers(script: &mut Script, keys: &[Key]) {
    for (index, (coupon, revision)) in keys.iter().enumerate() {
        if index > 0 {
            script.sql(" UNION ALL ");
        } else {
            script.statement("");
        }
        script
            .sql("SELECT coupon FROM coupon_revisions WHERE coupon_id = ")
            .number(coupon.get())
            .sql(" AND revision = ")
            .number(*revision);
    }
}

/// What came back, remembered.
pub(super) fn take_offers(
    answered: &Answered,
    offers: &Mutex<Offers>,
    into: &mut BTreeMap<Key, Offer>,
) -> Result<(), Failure> {
    for found in &answered.rows {
        let coupon = row::coupon(&row::text(found, 0)?)?;
        let (key, offer) = ((coupon.id, coupon.revision), Offer::from(&coupon.terms));
        lock(offers).keep(key, offer.clone());
        into.insert(key, offer);
    }
    Ok(())
}

/// One issued coupon with everything that a quote needs.
pub(super) async fn redeemable(
    reader: &Reader,
    offers: &Mutex<Offers>,
    id: IssuedCouponId,
) -> Result<Option<Redeemable>, Failure> {
    let script = || {
        let mut script = Script::new();
        script
            .statement("SELECT ")
            .sql(ISSUED_COLUMNS)
            .sql(", steps, last_step_at FROM issued_coupons WHERE coupon_id = ")
            .number(id.coupon.get())
            .sql(" AND position = ")
            .number(id.position.get());
        ask_revisions(&mut script, &[id.coupon]);
        script
    };
    let answered = reader.ask(script).await?;
    let [row, revised] = answered.as_slice() else {
        return Err(Failure::Damaged("statements without results".to_owned()));
    };
    let Some(found) = row.rows.first() else {
        return Ok(None);
    };
    let (issued, trail) = stand(found)?;
    let mut revisions = Revisions::default();
    revisions.take(revised)?;
    let key = revisions.of(id.coupon, id.position)?;
    let mut known = lock(offers).known(&BTreeSet::from([key]));
    if known.is_empty() {
        let script = || {
            let mut script = Script::new();
            ask_offers(&mut script, &[key]);
            script
        };
        take_offers(&reader.ask_one(script).await?, offers, &mut known)?;
    }
    let offer = known.remove(&key).ok_or_else(|| missing(key))?;
    Ok(Some(Redeemable { issued, offer, trail }))
}

/// A row of [`ISSUED_COLUMNS`], the number of steps and the time of the last one.
pub(super) fn stand(found: &sqlx::mysql::MySqlRow) -> Result<(coupon_core::IssuedCoupon, Trail), Failure> {
    let issued = row::issued_coupon(found)?;
    let trail = Trail {
        steps: row::small(found, 10)?,
        last_at: row::optional_timestamp(found, 11)?.unwrap_or(issued.grant.issued_at),
    };
    Ok((issued, trail))
}

/// A revision that was there a moment ago.
pub(super) fn missing((coupon, revision): Key) -> Failure {
    Failure::Damaged(format!("revision {revision} of coupon {coupon} is missing"))
}
