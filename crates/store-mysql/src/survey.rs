//! Blocks of issued coupons: which rows a job has seen, and from when it has something to do in them.
//!
//! Issues do not touch blocks. A job finds new rows by comparing how many a coupon has issued with how many its blocks
//! hold, and counts again where there may be more. Whoever gives a use back resets its block. Either raises the block's
//! version, so that a job which has looked before does not write down a time that is too late.

use crate::error::Failure;
use crate::limits;
use crate::row;
use crate::script::Script;
use crate::store::Reader;
use coupon_core::IssuedCouponId;
use std::collections::BTreeMap;

const BLOCK_BITS: u32 = 12;

/// The positions of one coupon that agree but for their last twelve bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Block {
    pub(crate) coupon: u32,
    pub(crate) number: u32,
}

impl Block {
    /// The one that this issued coupon is in.
    pub(crate) fn of(issued: IssuedCouponId) -> Self {
        Self {
            coupon: issued.coupon.get(),
            number: issued.position.get() >> BLOCK_BITS,
        }
    }

    pub(crate) fn first(self) -> u32 {
        (self.number << BLOCK_BITS).max(1)
    }

    pub(crate) fn last(self) -> u32 {
        self.number << BLOCK_BITS | ((1 << BLOCK_BITS) - 1)
    }

    /// How many rows it can have.
    fn room(self) -> u32 {
        self.last() - self.first() + 1
    }

    /// Names its issued coupons, in a condition.
    pub(crate) fn rows(self, script: &mut Script) {
        script
            .sql(" FROM issued_coupons FORCE INDEX (PRIMARY) WHERE coupon_id = ")
            .number(self.coupon)
            .sql(" AND position BETWEEN ")
            .number(self.first())
            .sql(" AND ")
            .number(self.last());
    }

    /// Names its row, in a condition.
    pub(crate) fn itself(self, script: &mut Script) {
        script
            .sql(" WHERE coupon_id = ")
            .number(self.coupon)
            .sql(" AND block = ")
            .number(self.number);
    }
}

/// Has jobs look at these blocks again, at least one. One that is not there yet is made, so that whoever makes it
/// beside us waits for our end.
pub(crate) fn look_again(script: &mut Script, blocks: &[Block]) {
    script.statement("INSERT INTO issued_blocks (coupon_id, block) VALUES (");
    for (index, block) in blocks.iter().enumerate() {
        script
            .sql(if index == 0 { "" } else { ", (" })
            .number(block.coupon)
            .sql(", ")
            .number(block.number)
            .sql(")");
    }
    script.sql(" ON DUPLICATE KEY UPDATE version = version + 1, expiry_due = 0, reminder_due = 0");
}

/// A coupon with rows that no block counts.
struct Grown {
    coupon: u32,
    issued: u32,
    highest: u32,
}

/// Finds new rows, within limits; says whether there may be more.
pub(crate) async fn survey(reader: &Reader) -> Result<bool, Failure> {
    let grown = grown(reader).await?;
    let mut left = limits::MAX_SURVEYED_BLOCKS;
    for one in &grown {
        if left == 0 {
            return Ok(true);
        }
        let mut blocks = uncertain(reader, one).await?;
        let more = blocks.len() > left;
        blocks.truncate(left);
        left -= blocks.len();
        count(reader, one, &blocks).await?;
        if more {
            return Ok(true);
        }
    }
    Ok(u64::try_from(grown.len()).unwrap_or(u64::MAX) >= u64::from(limits::MAX_SURVEYED_COUPONS))
}

/// Both numbers are of one instant, and blocks count committed rows only: equal numbers say that every row is counted.
async fn grown(reader: &Reader) -> Result<Vec<Grown>, Failure> {
    let script = || {
        let mut script = Script::new();
        script
            .statement(
                "SELECT c.id, c.issued, c.highest_position, COALESCE(SUM(b.held), 0) AS counted \
                 FROM coupons c LEFT JOIN issued_blocks b ON b.coupon_id = c.id WHERE c.issued > 0 \
                 GROUP BY c.id, c.issued, c.highest_position HAVING counted <> c.issued ORDER BY c.id LIMIT ",
            )
            .number(limits::MAX_SURVEYED_COUPONS);
        script
    };
    let found = reader.ask_one(script).await?.rows;
    let one = |found| {
        Ok(Grown {
            coupon: row::small(found, 0)?,
            issued: row::small(found, 1)?,
            highest: row::small(found, 2)?,
        })
    };
    found.iter().map(one).collect()
}

/// The blocks that may have new rows, those first that were not looked at for longest.
async fn uncertain(reader: &Reader, grown: &Grown) -> Result<Vec<Block>, Failure> {
    let script = || {
        let mut script = Script::new();
        script
            .statement("SELECT block, held, surveyed FROM issued_blocks WHERE coupon_id = ")
            .number(grown.coupon);
        script
    };
    let mut known: BTreeMap<u32, (u32, u32)> = BTreeMap::new();
    for found in &reader.ask_one(script).await?.rows {
        let counted = (row::small(found, 1)?, row::small(found, 2)?);
        known.insert(row::small(found, 0)?, counted);
    }
    let mut uncertain = Vec::new();
    for number in 0..=grown.highest >> BLOCK_BITS {
        let block = Block {
            coupon: grown.coupon,
            number,
        };
        let (held, surveyed) = known.get(&number).copied().unwrap_or_default();
        if held < block.room() && surveyed < grown.issued {
            uncertain.push((surveyed, block));
        }
    }
    uncertain.sort_unstable();
    Ok(uncertain.into_iter().map(|(_, block)| block).collect())
}

/// Counts the rows of blocks. They are counted after `issued` was read, so at least so many are seen.
async fn count(reader: &Reader, grown: &Grown, blocks: &[Block]) -> Result<(), Failure> {
    if blocks.is_empty() {
        return Ok(());
    }
    let script = || {
        let mut script = Script::new();
        for block in blocks {
            script.statement("SELECT COUNT(*)");
            block.rows(&mut script);
        }
        script
    };
    let mut held = Vec::with_capacity(blocks.len());
    for answered in reader.ask(script).await? {
        let found = answered.rows.first();
        let found = found.ok_or_else(|| Failure::Damaged("a count without a row".to_owned()))?;
        held.push(row::small(found, 0)?);
    }
    let script = || {
        let mut script = Script::new();
        for (block, held) in blocks.iter().zip(&held) {
            put(&mut script, *block, *held, grown.issued);
        }
        script
    };
    reader.ask(script).await.map(drop)
}

/// What is assigned first sees the row as it was, so `held` is the last.
fn put(script: &mut Script, block: Block, held: u32, surveyed: u32) {
    script
        .statement("INSERT INTO issued_blocks (coupon_id, block, held, surveyed) VALUES (")
        .number(block.coupon)
        .sql(", ")
        .number(block.number)
        .sql(", ")
        .number(held)
        .sql(", ")
        .number(surveyed)
        .sql(") ON DUPLICATE KEY UPDATE version = version + IF(held < ")
        .number(held)
        .sql(", 1, 0), expiry_due = IF(held < ")
        .number(held)
        .sql(", 0, expiry_due), reminder_due = IF(held < ")
        .number(held)
        .sql(", 0, reminder_due), surveyed = GREATEST(surveyed, ")
        .number(surveyed)
        .sql("), held = GREATEST(held, ")
        .number(held)
        .sql(")");
}
