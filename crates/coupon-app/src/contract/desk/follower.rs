//! The follower: carries everything, loses nothing, and ends when the ledger has ended.

use super::{Office, a_morning};
use crate::contract::store::StoreHarness;
use crate::contract::user;
use crate::{Applied, Followed as Figures, Outbox, StoreError, follow};
use std::sync::Mutex;
use std::time::Duration;

/// Remembers what the follower says.
#[derive(Default)]
struct Notes(Mutex<Vec<Applied>>);

impl Figures for Notes {
    fn applied(&self, applied: Applied) {
        self.0.lock().unwrap().push(applied);
    }

    fn failed(&self, error: &StoreError, _pause: Duration) {
        panic!("a healthy store does not fail: {error}");
    }
}

pub fn the_follower_carries_everything_and_ends_with_the_ledger(harness: &mut dyn StoreHarness) {
    Office::open(harness, async |office| {
        let mut issued = a_morning(office).await;
        let notes = Notes::default();
        let following = follow(
            office.ledger.as_ref(),
            office.books.records.as_ref(),
            &office.board,
            &notes,
        );
        let selling = async {
            for n in 10..60 {
                let coupon = issued[n % 7].coupon;
                issued.push(office.issue(coupon, &user(n)).await);
                tokio::task::yield_now().await;
            }
            office.combiner.close().unwrap();
        };
        let (followed, ()) = tokio::join!(following, selling);
        followed.unwrap();
        assert_eq!(office.board.pending(), []);
        assert_eq!(office.medium.kept(), 0, "what the store has is released");
        assert_eq!(
            office.books.records.applied().await.unwrap(),
            office.ledger.durable()
        );
        for one in &issued {
            let stored = office.books.coupons.issued_coupon(one.id()).await.unwrap();
            assert_eq!(stored.as_ref(), Some(one));
        }
        let notes = notes.0.into_inner().unwrap();
        let written: u64 = notes.iter().map(|applied| applied.written).sum();
        assert_eq!(written, 57);
        assert!(notes.windows(2).all(|pair| pair[0].seq < pair[1].seq));
    });
}
