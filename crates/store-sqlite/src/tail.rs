//! The tail: the newest issued coupons, whose users are not in the table `holders` yet.
//!
//! Users come in no order, so each of them would dirty a page of that table's B-tree: by far the dearest part of an
//! application. They are gathered here instead and folded in by the hundred thousand, when one page takes several.
//! Nothing rests on this memory: it is read again from `issued_coupons`, beyond `coupons.indexed_through`.

use crate::error::Failure;
use crate::filter::Filter;
use crate::fold::Reach;
use crate::row::{sum, unpacked};
use coupon_app::Seq;
use coupon_core::{CouponId, IssuedCouponId, UserId};
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
    /// Of which coupon, at which position.
    fn place(self) -> Option<IssuedCouponId> {
        unpacked(self.id).ok()
    }

    /// Whether it is of this coupon.
    pub(crate) fn is_of(self, coupon: CouponId) -> bool {
        self.id >> 32 == i64::from(coupon.get())
    }
}

/// The newest issued coupons by user, and what is known of the users before them.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    hasher: RandomState,
    rows: HashTable<TailRow>,
    /// Has at least everyone in `holders`; nothing is known of them without it.
    indexed: Option<Filter>,
    /// Every issued coupon in the store.
    pub(crate) stored: u64,
    /// The applied number that this is as of.
    pub(crate) applied: Seq,
}

impl Tail {
    /// The tail of the file as it is now. Who is in `holders` is only known when it is nobody; see [`Tail::know`].
    pub(crate) fn read(connection: &Connection, applied: Seq) -> Result<Self, Failure> {
        let indexed: bool = connection
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM holders)")?
            .query_row([], |row| row.get(0))?;
        let mut tail = Self {
            applied,
            stored: stored(connection)?,
            indexed: (!indexed).then(|| Filter::with_room(0)),
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

    /// Whether a user with this hash may be in `holders` with this coupon.
    pub(crate) fn may_be_indexed(&self, user: u64, coupon: CouponId) -> bool {
        self.indexed
            .as_ref()
            .is_none_or(|indexed| indexed.may_have(user, coupon))
    }

    /// Somebody was written to `holders`.
    pub(crate) fn note_indexed(&mut self, row: TailRow) {
        // A key that is no coupon's cannot be in the table; `row` was packed from one.
        if let Some(indexed) = &mut self.indexed
            && let Some(place) = row.place()
        {
            indexed.insert(row.user, place.coupon);
        }
    }

    /// What it takes to find out who is in `holders` while everything is loaded; `None` when it is known.
    pub(crate) fn curious(&self, connection: &Connection) -> Result<Option<Census>, Failure> {
        if self.indexed.is_some() {
            return Ok(None);
        }
        // With room for a quarter more, so that it need not grow soon.
        let rows = usize::try_from(stored(connection)?).unwrap_or(usize::MAX);
        Ok(Some(Census {
            hasher: self.hasher.clone(),
            seen: Filter::with_room(rows.saturating_add(rows / 4)),
        }))
    }

    /// Everyone with a row as of entry `applied` was counted. Of use unless entries were applied meanwhile.
    pub(crate) fn know(&mut self, census: Census, applied: Seq) {
        if self.applied == applied {
            self.indexed = Some(census.seen);
        }
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
            applied: self.applied,
            ..Self::default()
        }
    }

    /// Takes in the rows of another tail under the same hash.
    pub(crate) fn take_in(&mut self, other: &Self) {
        for row in &other.rows {
            self.insert(*row);
        }
    }

    /// Every row that `reach` has was folded into `holders`. Keeps the memory for the next ones.
    pub(crate) fn folded(&mut self, reach: &Reach) {
        let mut rows = std::mem::take(&mut self.rows);
        rows.retain(|row| {
            let folded = row.place().is_some_and(|place| reach.has(place));
            if folded {
                self.note_indexed(*row);
            }
            !folded
        });
        self.rows = rows;
    }
}

fn stored(connection: &Connection) -> Result<u64, Failure> {
    let stored = connection
        .prepare_cached("SELECT coalesce(sum(issued), 0) FROM coupons")?
        .query_row([], |row| row.get(0))?;
    sum(stored)
}

/// Counts users while they are loaded.
pub(crate) struct Census {
    hasher: RandomState,
    seen: Filter,
}

impl Census {
    /// One more.
    pub(crate) fn count(&mut self, user: &UserId, coupon: CouponId) {
        self.seen.insert(self.hasher.hash_one(user.as_bytes()), coupon);
    }
}
