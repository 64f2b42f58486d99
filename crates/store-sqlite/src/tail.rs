//! The tail: the newest issued coupons, whose users are not in the table `holders` yet.
//!
//! Users come in no order, so each of them would dirty a page of that table's B-tree: by far the dearest part of an
//! application. They are gathered here instead and folded in by the hundred thousand, when one page takes several.
//! Nothing rests on this memory: it is read again from `issued_coupons`, beyond `coupons.indexed_through`.

use crate::error::Failure;
use coupon_app::Seq;
use coupon_core::{CouponId, UserId};
use hashbrown::HashTable;
use rusqlite::Connection;
use std::hash::{BuildHasher, RandomState};

/// One issued coupon of the tail: 16 bytes. The user's bytes are in its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TailRow {
    /// The hash of the user id.
    pub(crate) user: u64,
    /// The key of the row.
    pub(crate) id: i64,
}

impl TailRow {
    /// Whether it is of this coupon.
    pub(crate) fn is_of(self, coupon: CouponId) -> bool {
        self.id >> 32 == i64::from(coupon.get())
    }
}

/// The newest issued coupons by user.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    hasher: RandomState,
    rows: HashTable<TailRow>,
    /// The applied number that this is as of.
    pub(crate) applied: Seq,
}

impl Tail {
    /// The tail of the file as it is now.
    pub(crate) fn read(connection: &Connection, applied: Seq) -> Result<Self, Failure> {
        let mut tail = Self {
            applied,
            ..Self::default()
        };
        let mut statement = connection.prepare_cached(
            "SELECT i.id, i.user_id FROM coupons c JOIN issued_coupons i
             ON i.id > (c.id << 32) + c.indexed_through AND i.id <= (c.id << 32) + c.last_position
             WHERE c.indexed_through < c.last_position",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let user = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
            let row = TailRow {
                user: tail.hasher.hash_one(user),
                id: row.get(0)?,
            };
            tail.insert(row);
        }
        Ok(tail)
    }

    /// The hash of a user.
    pub(crate) fn hash(&self, user: &UserId) -> u64 {
        self.hasher.hash_one(user.as_bytes())
    }

    /// The rows of the users with this hash: almost always of one user.
    pub(crate) fn rows(&self, user: u64) -> impl Iterator<Item = TailRow> + '_ {
        self.rows
            .iter_hash(user)
            .copied()
            .filter(move |row| row.user == user)
    }

    /// Whether a user with this hash may hold this coupon.
    pub(crate) fn may_hold(&self, user: u64, coupon: CouponId) -> bool {
        self.rows(user).any(|row| row.is_of(coupon))
    }

    /// How many rows.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Takes in a row.
    pub(crate) fn insert(&mut self, row: TailRow) {
        self.rows.insert_unique(row.user, row, |row| row.user);
    }

    /// An empty tail under the same hash.
    pub(crate) fn emptied(&self) -> Self {
        Self {
            hasher: self.hasher.clone(),
            rows: HashTable::new(),
            applied: self.applied,
        }
    }

    /// Forgets every row, keeping the memory for the next ones.
    pub(crate) fn clear(&mut self) {
        self.rows.clear();
    }

    /// Takes in the rows of another tail under the same hash.
    pub(crate) fn take_in(&mut self, other: &Self) {
        for row in &other.rows {
            self.insert(*row);
        }
    }
}
