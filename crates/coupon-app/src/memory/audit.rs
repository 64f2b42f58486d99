//! The reference of the audit log.

use crate::{
    AuditAction, AuditEntry, AuditFilter, AuditedChange, AuditedKey, AuditedMatter, AuditedUse, Origin,
};
use crate::{KeyRecord, RevisedRecord};
use coupon_core::{Coupon, HistoryEntry, IssuedCoupon, Timestamp};
use std::cmp::Reverse;

/// Every entry, in the order of writing.
#[derive(Debug, Default)]
pub(super) struct Log(Vec<AuditEntry>);

impl Log {
    /// A revision, unless it is there already.
    pub(super) fn revised(&mut self, before: Option<&Coupon>, revised: &RevisedRecord) {
        let coupon = &revised.coupon;
        let same = |entry: &AuditEntry| {
            matches!(&entry.change, AuditedChange::Coupon { after, .. }
                if after.id == coupon.id && after.revision == coupon.revision)
        };
        if self.0.iter().any(same) {
            return;
        }
        let change = AuditedChange::Coupon {
            before: before.cloned().map(Box::new),
            after: Box::new(coupon.clone()),
            issued: revised.issued,
            cloned_from: revised.actor.cloned_from,
        };
        let action = revised.actor.action_on(coupon);
        self.write(coupon.revised_at, &revised.actor, action, change);
    }

    /// A key that was made or revoked.
    pub(super) fn key(
        &mut self,
        at: Timestamp,
        origin: &Origin,
        before: Option<&KeyRecord>,
        after: &KeyRecord,
    ) {
        let action = match before {
            None => AuditAction::KeyCreated,
            Some(_) => AuditAction::KeyRevoked,
        };
        let change = AuditedChange::Key {
            id: after.id.clone(),
            before: before.map(AuditedKey::from),
            after: after.into(),
        };
        self.write(at, origin, action, change);
    }

    /// A step that an administrator took.
    pub(super) fn step(
        &mut self,
        origin: &Origin,
        entry: &HistoryEntry,
        before: AuditedUse,
        after: &IssuedCoupon,
    ) {
        let change = AuditedChange::IssuedCoupon {
            id: after.id(),
            before,
            after: after.into(),
        };
        self.write(entry.at, origin, AuditAction::from(&entry.step), change);
    }

    /// Anything else.
    pub(super) fn matter(
        &mut self,
        at: Timestamp,
        origin: &Origin,
        (action, matter): (AuditAction, AuditedMatter),
    ) {
        self.write(at, origin, action, AuditedChange::Matter(matter));
    }

    fn write(&mut self, at: Timestamp, origin: &Origin, action: AuditAction, change: AuditedChange) {
        let number = u64::try_from(self.0.len()).unwrap_or(u64::MAX) + 1;
        self.0.push(AuditEntry {
            number,
            at,
            actor: origin.key.clone(),
            request: origin.request.clone(),
            action,
            change,
        });
    }

    pub(super) fn page(&self, filter: &AuditFilter) -> Vec<AuditEntry> {
        let asked = |entry: &&AuditEntry| {
            let place = (entry.at, entry.number);
            filter.coupon.is_none_or(|coupon| entry.coupon() == Some(coupon))
                && filter.actor.as_ref().is_none_or(|actor| entry.actor == *actor)
                && filter.action.is_none_or(|action| entry.action == action)
                && filter.from.is_none_or(|from| entry.at >= from)
                && filter.until.is_none_or(|until| entry.at < until)
                && filter.after.is_none_or(|after| place < (after.at, after.number))
        };
        let mut page: Vec<AuditEntry> = self.0.iter().filter(asked).cloned().collect();
        page.sort_unstable_by_key(|entry| Reverse((entry.at, entry.number)));
        page.truncate(filter.limit);
        page
    }
}
