//! Notifications across formats and crashes: what only this store can be asked.

use crate::scene::{EXPIRY, START, Scene, assert_sound, at, coupon, entry, issues, revision, wait};
use coupon_app::{Calendar, NotificationKinds, NotificationOutbox, RecordStore, Reminders};
use coupon_core::{Span, Timestamp};
use store_sqlite::{Difference, SqliteOptions, SqliteStore, verify};

fn open(scene: &Scene) -> SqliteStore {
    let options = SqliteOptions {
        notifications: NotificationKinds::ALL,
        ..SqliteOptions::default()
    };
    SqliteStore::open(&scene.path(), options).unwrap()
}

/// Ten thousand issued coupons, over three blocks.
fn filled(scene: &Scene) -> SqliteStore {
    let store = open(scene);
    let mut records = vec![revision(coupon(1, None), 0)];
    records.extend(issues(1, 1, 10_000));
    wait(store.apply(&[entry(1, records)])).unwrap();
    store
}

/// Everything that there is to tell, by kind.
fn told(store: &SqliteStore) -> usize {
    wait(store.take_new(Timestamp::MAX, Span::ZERO, 100_000))
        .unwrap()
        .len()
}

#[test]
fn a_store_without_a_channel_tells_nothing_and_expires_all_the_same() {
    let scene = Scene::new();
    let store = scene.open();
    let records = [vec![revision(coupon(1, Some(3)), 0)], issues(1, 1, 3)].concat();
    wait(store.apply(&[entry(1, records)])).unwrap();
    let reminders = Reminders::new([7]).unwrap();
    assert_eq!(
        wait(store.remind(&reminders, at(EXPIRY - 1), 10))
            .unwrap()
            .written,
        0
    );
    assert_eq!(wait(store.announce(10)).unwrap().written, 0);
    assert_eq!(wait(store.expire(at(EXPIRY), 10)).unwrap().written, 3);
    assert_eq!(told(&store), 0);
    drop(store);
    // Whoever is to be told from now on is not told of what was before.
    let store = open(&scene);
    assert_eq!(wait(store.announce(10)).unwrap().written, 0);
    assert_eq!(wait(store.expire(at(EXPIRY), 10)).unwrap().written, 0);
    assert_eq!(told(&store), 0);
    drop(store);
    assert_sound(&scene);
}

#[test]
fn what_a_job_passed_over_is_not_read_again() {
    let scene = Scene::new();
    let store = filled(&scene);
    let reminders = Reminders::new([7]).unwrap();
    let pass = |now: i64| wait(store.remind(&reminders, at(now), 100_000)).unwrap();
    assert_eq!((pass(START + 1).written, pass(START + 1).more), (0, false));
    let due: i64 = scene
        .connection()
        .query_row(
            "SELECT count(*) FROM issued_blocks WHERE reminder_due <= ?1",
            [EXPIRY - 8 * 86_400_000_000],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(due, 0, "no block is looked at before its time");
    assert_eq!(pass(EXPIRY - 1).written, 10_000);
    drop(store);
    assert_sound(&scene);
}

#[test]
fn a_job_writes_no_more_at_once_than_it_may_and_goes_on_within_a_block() {
    let scene = Scene::new();
    let store = filled(&scene);
    let reminders = Reminders::new([7]).unwrap();
    for job in ["remind", "expire"] {
        let mut written = Vec::new();
        loop {
            let passed = match job {
                "remind" => wait(store.remind(&reminders, at(EXPIRY - 1), 1_000)),
                _ => wait(store.expire(at(EXPIRY), 1_000)),
            };
            let passed = passed.unwrap();
            written.push(passed.written);
            if !passed.more {
                break;
            }
        }
        assert_eq!(written, [1_000; 10], "{job}");
    }
    assert_eq!(told(&store), 20_000);
    drop(store);
    assert_sound(&scene);
}

#[test]
fn a_block_that_is_not_due_in_time_is_found_by_verify() {
    let scene = Scene::new();
    drop(filled(&scene));
    scene
        .connection()
        .execute("UPDATE issued_blocks SET expiry_due = NULL WHERE block = 1", [])
        .unwrap();
    let found = verify(&scene.path()).unwrap().differences;
    assert_eq!(found, [Difference::NotDue { coupon: 1, block: 1 }]);
}
