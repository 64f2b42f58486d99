//! Issued coupons, in one pass in order of coupon and position: what they add up to.

use super::coupon::Kept;
use super::{Difference, Findings, Report};
use crate::error::Failure;
use crate::fold::Cursor;
use crate::issued_table::BLOCK_BITS;
use crate::migrations::{WITH_STEPS, format};
use crate::row::{count, sum, timestamp, unpacked, user};
use coupon_core::{Timestamp, UserId};
use rusqlite::{Connection, OptionalExtension};
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};

/// What the rows that are indexed add up to: a sum of hashes does not depend on their order.
pub(super) struct Indexed {
    hasher: RandomState,
    pub(super) of: BTreeMap<u32, (u64, u64)>,
}

impl Indexed {
    /// Counts one pair of user and position.
    pub(super) fn digest(&self, user: &[u8], coupon: u32, position: u32) -> u64 {
        self.hasher.hash_one((user, coupon, position))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Block {
    held: u64,
    unused: u64,
    first_expiry: i64,
    last_expiry: i64,
}

/// The rows of one coupon so far.
#[derive(Default)]
struct Seen {
    rows: u64,
    last_position: u32,
    last_issued_at: Option<Timestamp>,
    redeemed: u64,
    revoked: u64,
    indexed: u64,
    digest: u64,
    blocks: BTreeMap<u32, Block>,
    tail: HashMap<UserId, u32>,
}

/// One row.
struct Row {
    position: u32,
    user: UserId,
    issued_at: Timestamp,
    expires_at: Timestamp,
    redeemed: bool,
    revoked: bool,
}

/// Checks every row and gives what the indexed ones add up to.
pub(super) fn check(
    snapshot: &Connection,
    coupons: &BTreeMap<u32, Kept>,
    report: &mut Report,
    findings: &mut Findings,
) -> Result<Indexed, Failure> {
    let mut indexed = Indexed {
        hasher: RandomState::new(),
        of: BTreeMap::new(),
    };
    let cursor = match format(snapshot)? {
        ..WITH_STEPS => None,
        _ => Cursor::read(snapshot)?,
    };
    let mut all: BTreeMap<u32, Seen> = BTreeMap::new();
    let mut statement = snapshot.prepare(
        "SELECT id, user_id, issued_at, expires_at, redeemed_at, order_id, revoked_at FROM issued_coupons ORDER BY id",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let id = unpacked(row.get(0)?)?;
        let coupon = id.coupon.get();
        let one = Row {
            position: id.position.get(),
            user: user(row.get_ref(1)?)?,
            issued_at: timestamp(row.get(2)?)?,
            expires_at: timestamp(row.get(3)?)?,
            redeemed: row.get::<_, Option<i64>>(4)?.is_some(),
            revoked: row.get::<_, Option<i64>>(6)?.is_some(),
        };
        report.issued += 1;
        let is_indexed = coupons.get(&coupon).is_some_and(|kept| {
            kept.extent
                .has(one.position, one.user.as_bytes(), coupon, cursor.as_ref())
        });
        let seen = all.entry(coupon).or_default();
        seen.take(snapshot, coupon, is_indexed, &indexed, one, findings)?;
    }
    for (coupon, seen) in &mut all {
        indexed.of.insert(*coupon, (seen.indexed, seen.digest));
        if !coupons.contains_key(coupon) {
            findings.add(Difference::NoCoupon(*coupon));
        }
    }
    for (coupon, kept) in coupons {
        let nothing = Seen::default();
        compare(
            snapshot,
            *coupon,
            kept,
            all.get(coupon).unwrap_or(&nothing),
            findings,
        )?;
    }
    Ok(indexed)
}

impl Seen {
    fn take(
        &mut self,
        snapshot: &Connection,
        coupon: u32,
        is_indexed: bool,
        indexed: &Indexed,
        row: Row,
        findings: &mut Findings,
    ) -> Result<(), Failure> {
        let position = row.position;
        if self.last_issued_at.is_some_and(|last| row.issued_at < last) {
            findings.add(Difference::TimeRanBack { coupon, position });
        }
        self.rows += 1;
        self.last_position = position;
        self.last_issued_at = Some(row.issued_at);
        self.revoked += u64::from(row.revoked);
        self.redeemed += u64::from(row.redeemed && !row.revoked);
        let unused = u64::from(!row.redeemed && !row.revoked);
        let expiry = row.expires_at.as_micros();
        self.blocks
            .entry(position >> BLOCK_BITS)
            .and_modify(|block| {
                block.held += 1;
                block.unused += unused;
                block.first_expiry = block.first_expiry.min(expiry);
                block.last_expiry = block.last_expiry.max(expiry);
            })
            .or_insert(Block {
                held: 1,
                unused,
                first_expiry: expiry,
                last_expiry: expiry,
            });
        if is_indexed {
            self.indexed += 1;
            let digest = indexed.digest(row.user.as_bytes(), coupon, position);
            self.digest = self.digest.wrapping_add(digest);
            return Ok(());
        }
        // Of the tail there are few, so each is looked up.
        let in_index = snapshot
            .prepare_cached("SELECT position FROM holders WHERE user_id = ?1 AND coupon_id = ?2")?
            .query_row((row.user.as_bytes(), coupon), |row| row.get(0))
            .optional()?;
        let in_tail = self.tail.insert(row.user, position);
        if let Some(other) = in_index.or(in_tail) {
            findings.add(Difference::IssuedTwice {
                coupon,
                position,
                other,
            });
        }
        Ok(())
    }
}

/// Holds what is kept of a coupon against its rows.
fn compare(
    snapshot: &Connection,
    coupon: u32,
    kept: &Kept,
    seen: &Seen,
    findings: &mut Findings,
) -> Result<(), Failure> {
    findings.compare(coupon, "issued", kept.issued, seen.rows);
    findings.compare(coupon, "redeemed", kept.redeemed, seen.redeemed);
    findings.compare(coupon, "revoked", kept.revoked, seen.revoked);
    let last = kept.last_position;
    findings.compare(
        coupon,
        "last_position",
        u64::from(last),
        u64::from(seen.last_position),
    );
    let missing = u64::from(seen.last_position).saturating_sub(seen.rows);
    if missing > 0 {
        let explained = explained(snapshot, coupon, seen.last_position)?;
        if explained != missing {
            findings.add(Difference::Positions {
                coupon,
                last: seen.last_position,
                missing,
                explained,
            });
        }
    }
    let blocks = blocks(snapshot, coupon)?;
    let numbers = blocks.keys().chain(seen.blocks.keys());
    let differing: std::collections::BTreeSet<u32> = numbers
        .filter(|number| blocks.get(number) != seen.blocks.get(number))
        .copied()
        .collect();
    for block in differing {
        findings.add(Difference::Block { coupon, block });
    }
    Ok(())
}

/// How many positions without a row are in quarantine.
fn explained(snapshot: &Connection, coupon: u32, last: u32) -> Result<u64, Failure> {
    let explained = snapshot
        .prepare_cached(
            "SELECT count(DISTINCT q.position) FROM quarantine q WHERE q.coupon_id = ?1 AND q.position <= ?2
             AND NOT EXISTS (SELECT 1 FROM issued_coupons i WHERE i.id = (?1 << 32) + q.position)",
        )?
        .query_row((coupon, last), |row| row.get(0))?;
    sum(explained)
}

fn blocks(snapshot: &Connection, coupon: u32) -> Result<BTreeMap<u32, Block>, Failure> {
    let mut statement = snapshot.prepare_cached(
        "SELECT block, held, unused, first_expiry, last_expiry FROM issued_blocks WHERE coupon_id = ?1",
    )?;
    let mut rows = statement.query([coupon])?;
    let mut blocks = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let block = Block {
            held: sum(row.get(1)?)?,
            unused: sum(row.get(2)?)?,
            first_expiry: row.get(3)?,
            last_expiry: row.get(4)?,
        };
        blocks.insert(count(row.get(0)?)?, block);
    }
    Ok(blocks)
}
