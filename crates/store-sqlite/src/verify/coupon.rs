//! Coupons: the kept sums, and whether the present revision says the same.

use super::{Difference, Findings};
use crate::error::Failure;
use crate::fold::Extent;
use crate::migrations::{WITH_STEPS, format};
use crate::row::{count, sum};
use coupon_core::Coupon;
use rusqlite::Connection;
use std::collections::BTreeMap;

/// What is kept of one coupon.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    pub(super) issued: u64,
    pub(super) last_position: u32,
    pub(super) extent: Extent,
    pub(super) redeemed: u64,
    pub(super) revoked: u64,
    pub(super) cancelled: u64,
}

/// Reads every coupon and checks its quantity and its present revision.
pub(super) fn read(snapshot: &Connection, findings: &mut Findings) -> Result<BTreeMap<u32, Kept>, Failure> {
    let folding_through = if format(snapshot)? < WITH_STEPS {
        "0"
    } else {
        "c.folding_through"
    };
    let mut statement = snapshot.prepare(&format!(
        "SELECT c.id, c.revision, c.quantity, c.deleted, c.issued, c.last_position, c.indexed_through, c.redeemed,
                c.revoked, c.cancelled, r.coupon, {folding_through}
         FROM coupons c LEFT JOIN coupon_revisions r ON r.coupon_id = c.id AND r.revision = c.revision ORDER BY c.id",
    ))?;
    let mut rows = statement.query([])?;
    let mut coupons = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let coupon = count(row.get(0)?)?;
        let quantity: Option<u32> = row.get(2)?;
        let kept = Kept {
            issued: sum(row.get(4)?)?,
            last_position: count(row.get(5)?)?,
            extent: Extent {
                indexed_through: count(row.get(6)?)?,
                folding_through: count(row.get(11)?)?,
            },
            redeemed: sum(row.get(7)?)?,
            revoked: sum(row.get(8)?)?,
            cancelled: sum(row.get(9)?)?,
        };
        if let Some(quantity) = quantity.map(u64::from).filter(|quantity| *quantity < kept.issued) {
            findings.add(Difference::OverIssued {
                coupon,
                issued: kept.issued,
                quantity,
            });
        }
        let present = Present {
            coupon,
            revision: row.get(1)?,
            quantity,
            deleted: row.get(3)?,
        };
        if let Some(what) = present.differs_from(row.get(10)?) {
            findings.add(Difference::Revision {
                coupon,
                revision: present.revision,
                what,
            });
        }
        coupons.insert(coupon, kept);
    }
    check_history(snapshot, findings)?;
    Ok(coupons)
}

/// What `coupons` says of the present revision.
struct Present {
    coupon: u32,
    revision: u32,
    quantity: Option<u32>,
    deleted: bool,
}

impl Present {
    fn differs_from(&self, json: Option<String>) -> Option<&'static str> {
        let Some(json) = json else {
            return Some("is missing");
        };
        let Ok(coupon) = serde_json::from_str::<Coupon>(&json) else {
            return Some("cannot be read");
        };
        let same = coupon.id.get() == self.coupon
            && coupon.revision == self.revision
            && coupon.terms.quantity.limit().map(std::num::NonZeroU32::get) == self.quantity
            && coupon.deleted == self.deleted;
        (!same).then_some("says something else than the coupon")
    }
}

/// Every revision ever must be readable and where it says it belongs.
fn check_history(snapshot: &Connection, findings: &mut Findings) -> Result<(), Failure> {
    let mut statement = snapshot.prepare("SELECT coupon_id, revision, coupon FROM coupon_revisions")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (coupon, revision) = (count(row.get(0)?)?, count(row.get(1)?)?);
        let json = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
        let what = match serde_json::from_str::<Coupon>(json) {
            Ok(parsed) if parsed.id.get() == coupon && parsed.revision == revision => continue,
            Ok(_) => "is another coupon's or number's",
            Err(_) => "cannot be read",
        };
        findings.add(Difference::Revision {
            coupon,
            revision,
            what,
        });
    }
    Ok(())
}
