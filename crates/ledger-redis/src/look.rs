//! Readings of what was decided.

use crate::engine::{Engine, Said};
use crate::error::RedisTrouble;
use crate::limits::MAX_LOOK_POSITIONS;
use crate::pack;
use crate::reply::{array, bytes, optional};
use coupon_app::{Delivery, Look, PendingIssue, Record, Seen};
use coupon_core::{Coupon, CouponId, Grant, IssuedCouponId, UserId};
use std::sync::Arc;

impl Engine {
    /// What each of these users holds of one coupon.
    pub(crate) async fn holders(
        &self,
        coupon: CouponId,
        users: &[&UserId],
    ) -> Result<Vec<Option<Grant>>, RedisTrouble> {
        let keys = [self.keys.state(coupon), self.keys.users(coupon)];
        let count = users.len().to_string();
        let mut args: Vec<&[u8]> = vec![count.as_bytes()];
        args.extend(users.iter().map(|user| user.as_bytes()));
        let grants = match self
            .consult(coupon, &self.scripts.holders, &keys, &args, false)
            .await?
        {
            Said::Standing(_, mut fields) => {
                let found = array(fields.value()?)?.into_iter();
                let grant = |value| {
                    let Some(value) = optional(value) else {
                        return Ok(None);
                    };
                    let held = pack::held(&bytes(value)?).map_err(|it| RedisTrouble::Nonsense(it.0))?;
                    Ok(Some(held.grant))
                };
                found.map(grant).collect::<Result<Vec<_>, RedisTrouble>>()?
            }
            Said::Missing | Said::Deleted => vec![None; users.len()],
            Said::Retired(_) => {
                let users: Vec<UserId> = users.iter().copied().cloned().collect();
                let held = self.held_on_record(coupon, &users).await?;
                held.into_iter().map(|held| held.map(|held| held.grant)).collect()
            }
            Said::Changed | Said::NotYet(_) => return Err(RedisTrouble::Nonsense("a look is no command")),
        };
        if grants.len() == users.len() {
            Ok(grants)
        } else {
            Err(RedisTrouble::Nonsense("others were answered than were asked"))
        }
    }

    /// A look that stands alone in its batch.
    pub(crate) async fn look(&self, look: &Look) -> Result<Seen, RedisTrouble> {
        match look {
            Look::Holder { user, coupons } => {
                let mut held = Vec::new();
                for coupon in coupons {
                    let grant = self.holders(*coupon, &[user]).await?.pop().flatten();
                    held.extend(grant.map(|grant| (*coupon, grant)));
                }
                Ok(Seen::Holder(held))
            }
            Look::Positions { coupon, after, limit } => {
                Ok(Seen::Positions(self.positions(*coupon, *after, *limit).await?))
            }
            Look::Coupon(coupon) => Ok(Seen::Coupon(self.coupon(*coupon).await?)),
        }
    }

    async fn coupon(&self, coupon: CouponId) -> Result<Option<(Arc<Coupon>, u32)>, RedisTrouble> {
        let Said::Standing(head, _) = self.read(coupon, b"", true).await? else {
            return Ok(None);
        };
        let existing = head.existing();
        Ok(head
            .facts
            .filter(|coupon| !coupon.deleted)
            .map(|coupon| (coupon, existing)))
    }

    /// What is known of one issue that the store does not have.
    pub(crate) async fn pending(&self, id: IssuedCouponId) -> Result<PendingIssue, RedisTrouble> {
        let (coupon, position) = (id.coupon, id.position.get());
        let keys = [self.keys.state(coupon), self.keys.stream(coupon)];
        let from = (position - 1).to_string();
        let args: [&[u8]; 2] = [from.as_bytes(), b"1"];
        let said = self
            .consult(coupon, &self.scripts.positions, &keys, &args, false)
            .await?;
        let Said::Standing(head, mut fields) = said else {
            return Ok(PendingIssue::Nothing);
        };
        if position > head.position {
            return Ok(PendingIssue::Nothing);
        }
        for entry in array(fields.value()?)? {
            let (epoch, records) =
                pack::entry(coupon, &bytes(entry)?).map_err(|it| RedisTrouble::Nonsense(it.0))?;
            let is_it =
                |record: &Record| matches!(record, Record::Issued(one) if one.grant.position == id.position);
            if records.iter().any(is_it) {
                return Ok(PendingIssue::Here {
                    delivery: Delivery {
                        coupon,
                        epoch,
                        records,
                    },
                    revision: head.revision,
                });
            }
        }
        Ok(PendingIssue::HandedOver)
    }

    /// Who holds the positions after `after`, from the entries that are still in the stream. An entry that was
    /// removed is in the store: then the answer begins after it, and whoever sees the gap finds the rest there.
    async fn positions(
        &self,
        coupon: CouponId,
        after: u32,
        limit: usize,
    ) -> Result<Vec<(UserId, Grant)>, RedisTrouble> {
        let limit = limit.min(MAX_LOOK_POSITIONS);
        let keys = [self.keys.state(coupon), self.keys.stream(coupon)];
        let mut found: Vec<(UserId, Grant)> = Vec::new();
        let mut after = after;
        let mut until = None;
        while found.len() < limit {
            let wanted = (limit - found.len()).to_string();
            let from = after.to_string();
            let args: [&[u8]; 2] = [from.as_bytes(), wanted.as_bytes()];
            let said = self
                .consult(coupon, &self.scripts.positions, &keys, &args, false)
                .await?;
            let Said::Standing(head, mut fields) = said else {
                return Ok(found);
            };
            // What was issued while this look was under way is not of it.
            let until = *until.get_or_insert(head.position);
            let entries = array(fields.value()?)?;
            let before = after;
            for entry in entries {
                let (_, records) =
                    pack::entry(coupon, &bytes(entry)?).map_err(|it| RedisTrouble::Nonsense(it.0))?;
                for record in records {
                    let Record::Issued(issued) = record else { continue };
                    let position = issued.grant.position.get();
                    if position > after && position <= until && found.len() < limit {
                        after = position;
                        found.push((issued.user, issued.grant));
                    }
                }
            }
            if after == before {
                break;
            }
        }
        Ok(found)
    }
}
