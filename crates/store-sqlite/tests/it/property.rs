//! Whatever is delivered, however often and in whatever pieces: the store has it once, in order.

use crate::scene::{
    Scene, assert_sound, coupon, coupon_id, entry, issue, load, revised, revision, user, wait,
};
use coupon_app::{CouponStore, Entry, IssuedRecord, Record, RecordStore, WalletFilter};
use coupon_core::Coupon;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// What happens in a sale: a user gets the next position of a coupon, or the coupon is revised.
#[derive(Clone, Debug)]
enum Event {
    Issue { coupon: u32, user: u32 },
    Revise { coupon: u32 },
    Commit,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        12 => (1..=3u32, 0..40u32).prop_map(|(coupon, user)| Event::Issue { coupon, user }),
        1 => (1..=3u32).prop_map(|coupon| Event::Revise { coupon }),
        3 => Just(Event::Commit),
    ];
    prop::collection::vec(event, 0..200)
}

/// A right history, as a ledger makes it.
#[derive(Default)]
struct History {
    coupons: BTreeMap<u32, Coupon>,
    issued: BTreeMap<(u32, u32), IssuedRecord>,
    entries: Vec<Entry>,
}

impl History {
    fn of(events: &[Event]) -> Self {
        let mut history = Self::default();
        let mut records: Vec<Record> = Vec::new();
        for number in 1..=3 {
            history.coupons.insert(number, coupon(number, None));
            records.push(revision(coupon(number, None), 0));
        }
        for event in events {
            match event {
                Event::Issue { coupon, user } => {
                    let name = format!("user-{user}");
                    let held = history.of_coupon(*coupon).any(|one| one.user.as_str() == name);
                    if !held {
                        let position = u32::try_from(history.of_coupon(*coupon).count()).unwrap() + 1;
                        let one = issue(*coupon, position, &name);
                        history.issued.insert((*coupon, position), one.clone());
                        records.push(Record::Issued(one));
                    }
                }
                Event::Revise { coupon } => {
                    let issued = u32::try_from(history.of_coupon(*coupon).count()).unwrap();
                    let next = revised(history.coupons[coupon].clone(), |coupon| {
                        coupon.paused = !coupon.paused
                    });
                    history.coupons.insert(*coupon, next.clone());
                    records.push(revision(next, issued));
                }
                Event::Commit => history.commit(&mut records),
            }
        }
        history.commit(&mut records);
        history
    }

    fn of_coupon(&self, coupon: u32) -> impl Iterator<Item = &IssuedRecord> {
        self.issued
            .range((coupon, 0)..=(coupon, u32::MAX))
            .map(|(_, one)| one)
    }

    fn commit(&mut self, records: &mut Vec<Record>) {
        let seq = u64::try_from(self.entries.len()).unwrap() + 1;
        self.entries.push(entry(seq, std::mem::take(records)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn pieces_that_overlap_gaps_quiet_moments_and_restarts_change_nothing(
        events in events(),
        pieces in prop::collection::vec((any::<prop::sample::Index>(), 1..9usize, any::<bool>(), any::<bool>()), 1..30),
        (fold_rows, fold_step) in (1..60usize, 1..9usize),
    ) {
        let history = History::of(&events);
        let scene = Scene::new();
        let mut store = scene.open_stepping(fold_rows, fold_step);
        for (place, length, restarts, quiet) in pieces {
            let first = place.index(history.entries.len());
            let last = (first + length).min(history.entries.len());
            let applied = wait(store.applied()).unwrap();
            let piece = &history.entries[first..last];
            let delivered = wait(store.apply(piece));
            if piece[0].seq > applied + 1 {
                prop_assert!(delivered.is_err(), "a gap");
                prop_assert_eq!(wait(store.applied()).unwrap(), applied);
            } else {
                let through = applied.max(u64::try_from(last).unwrap());
                prop_assert_eq!(delivered.unwrap().seq, through);
            }
            if quiet {
                wait(store.settle()).unwrap();
            }
            if restarts {
                drop(store);
                store = scene.open_stepping(fold_rows, fold_step);
                load(&store);
                assert_sound(&scene);
            }
        }
        let applied = wait(store.apply(&history.entries)).unwrap();
        prop_assert_eq!(applied.quarantined, 0);
        let loaded = load(&store);
        prop_assert_eq!(loaded.coupons, history.coupons.values().cloned().collect::<Vec<_>>());
        prop_assert_eq!(loaded.issued, history.issued.values().cloned().collect::<Vec<_>>());
        assert_sound(&scene);
    }

    #[test]
    fn records_that_come_again_under_new_numbers_and_in_any_order_are_redeliveries(
        events in events(),
        order in any::<prop::sample::Selector>(),
        (fold_rows, fold_step) in (1..60usize, 1..9usize),
    ) {
        let history = History::of(&events);
        let scene = Scene::new();
        let store = scene.open_stepping(fold_rows, fold_step);
        wait(store.apply(&history.entries)).unwrap();
        let before = load(&store);
        let mut again: Vec<Record> = history.issued.values().cloned().map(Record::Issued).collect();
        let mut shuffled = Vec::new();
        while !again.is_empty() {
            let place = order.select(0..again.len());
            shuffled.push(again.swap_remove(place));
        }
        let count = u64::try_from(shuffled.len()).unwrap();
        let seq = before.seq + 1;
        let applied = wait(store.apply(&[entry(seq, shuffled)])).unwrap();
        prop_assert_eq!((applied.written, applied.redelivered, applied.quarantined), (0, count, 0));
        prop_assert_eq!(load(&store).issued, before.issued);
        for number in 0..40 {
            let name = format!("user-{number}");
            let filter = WalletFilter { state: None, now: crate::scene::at(0), after: None, limit: 10 };
            let wallet = wait(store.wallet(&user(&name), filter)).unwrap();
            let expected = (1..=3).filter(|coupon| history.of_coupon(*coupon).any(|one| one.user.as_str() == name));
            let mut held: Vec<u32> = wallet.iter().map(|one| one.coupon.get()).collect();
            held.sort_unstable();
            prop_assert_eq!(held, expected.collect::<Vec<_>>());
            for one in wallet {
                prop_assert!(one.coupon >= coupon_id(1) && history.issued[&(one.coupon.get(), one.grant.position.get())].user == one.user);
            }
        }
        assert_sound(&scene);
    }
}
