//! One store under examination: numbers the entries that it is given, and reads back what it loads.

use super::{Books, StoreHarness};
use crate::contract::{START, run};
use crate::{Applied, CommandToken, Entry, IssuedRecord, Record, Restore, RevisedRecord, Seq};
use coupon_core::{Coupon, CouponId, Grant, Position, Span, Terms, Timestamp, UserId};

/// A store under examination.
pub struct StoreExam<'h> {
    harness: &'h mut dyn StoreHarness,
    /// Only empty while it is being opened again.
    books: Option<Books>,
}

/// Everything that a store loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Coupons in the order given.
    pub coupons: Vec<Coupon>,
    /// Issues in the order given.
    pub issued: Vec<IssuedRecord>,
    /// Tokens in the order given.
    pub tokens: Vec<(RevisedRecord, CommandToken)>,
    /// The applied number.
    pub applied: Seq,
}

impl Restore for Loaded {
    fn coupon(&mut self, coupon: Coupon) {
        self.coupons.push(coupon);
    }

    fn issued(&mut self, record: IssuedRecord) {
        let known = self.coupons.iter().any(|coupon| coupon.id == record.coupon);
        assert!(known, "a coupon comes before its issues");
        self.issued.push(record);
    }

    fn token(&mut self, record: RevisedRecord, token: CommandToken) {
        self.tokens.push((record, token));
    }
}

impl<'h> StoreExam<'h> {
    /// Runs one case on a fresh store.
    pub fn sit(harness: &'h mut dyn StoreHarness, case: impl AsyncFnOnce(&mut StoreExam<'h>)) {
        run(async {
            let books = harness.open().await;
            let mut exam = Self {
                harness,
                books: Some(books),
            };
            case(&mut exam).await;
            exam.reopen().await;
        });
    }

    /// The store.
    pub fn books(&self) -> &Books {
        self.books.as_ref().unwrap()
    }

    /// Opens the store again; it has everything that it had.
    pub async fn reopen(&mut self) {
        let before = self.loaded().await;
        let books = self.books.take().unwrap();
        self.books = Some(self.harness.reopen(books).await);
        assert_eq!(self.loaded().await, before, "what was applied is durable");
    }

    /// Applies records, each in an entry of its own, after what is applied already.
    pub async fn apply(&self, records: Vec<Record>) -> Applied {
        let after = self.books().records.applied().await.unwrap();
        let entries: Vec<Entry> = records
            .into_iter()
            .zip(after + 1..)
            .map(|(record, seq)| entry(seq, vec![record]))
            .collect();
        self.apply_entries(&entries).await
    }

    /// Applies entries.
    pub async fn apply_entries(&self, entries: &[Entry]) -> Applied {
        let applied = self.books().records.apply(entries).await.unwrap();
        assert_eq!(applied.seq, self.books().records.applied().await.unwrap());
        applied
    }

    /// Everything that the store loads.
    pub async fn loaded(&self) -> Loaded {
        let mut loaded = Loaded::default();
        loaded.applied = self.books().records.load(&mut loaded).await.unwrap();
        assert_eq!(loaded.applied, self.books().records.applied().await.unwrap());
        loaded
    }
}

/// An entry.
pub(super) fn entry(seq: Seq, records: Vec<Record>) -> Entry {
    Entry { seq, records }
}

/// The first revision of a coupon with these terms.
pub(crate) fn coupon(id: CouponId, terms: Terms) -> Coupon {
    Coupon {
        id,
        revision: 1,
        terms,
        paused: false,
        closed_at: None,
        deleted: false,
        created_at: START,
        revised_at: START,
    }
}

/// A revision by somebody, without a token.
pub(super) fn revised(coupon: Coupon) -> Record {
    revised_under(coupon, None)
}

/// A revision by somebody.
pub(super) fn revised_under(coupon: Coupon, token: Option<CommandToken>) -> Record {
    Record::Revised(Box::new(RevisedRecord {
        coupon,
        issued: 0,
        lost: 0,
        actor: "key-1".into(),
        token,
    }))
}

/// An issue that is valid for so many microseconds.
pub(crate) fn issue_for(
    coupon: CouponId,
    user: &UserId,
    position: u32,
    issued_at: Timestamp,
    valid_us: i64,
) -> IssuedRecord {
    IssuedRecord {
        coupon,
        user: user.clone(),
        grant: Grant {
            position: Position::new(position).unwrap(),
            issued_at,
            expires_at: issued_at.saturating_add(Span::from_micros(valid_us).unwrap()),
        },
        key: None,
    }
}

/// An issue.
pub(super) fn issue(coupon: CouponId, user: &UserId, position: u32) -> Record {
    Record::Issued(issue_for(coupon, user, position, START, 1_000_000))
}
