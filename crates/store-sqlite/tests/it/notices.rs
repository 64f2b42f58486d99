//! Notifications across formats and crashes: what only this store can be asked.

use crate::scene::{EXPIRY, START, Scene, assert_sound, at, coupon, entry, issue, issues, revision, wait};
use coupon_app::{Calendar, NotificationKinds, NotificationOutbox, Record, RecordStore, Reminders};
use coupon_core::{Span, Timestamp};
use std::time::Duration;
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
            assert!(passed.held > Duration::ZERO, "{job} would never rest");
            written.push(passed.written);
            if !passed.more || written.len() > 10 {
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

const DAY: i64 = 86_400_000_000;

/// Issues of coupon 1 from `first` on, each with so many days from [`START`] to its end.
fn ending(first: u32, days: &[i64]) -> Vec<Record> {
    let end = |(position, days): (u32, &i64)| {
        let mut issued = issue(1, position, &format!("user-{position}"));
        issued.grant.expires_at = at(START + days * DAY);
        Record::Issued(issued)
    };
    (first..).zip(days).map(end).collect()
}

#[test]
fn neighbours_are_reminded_each_by_its_own_end_and_those_between_them_are_not() {
    let scene = Scene::new();
    let store = open(&scene);
    let mut records = vec![revision(coupon(1, None), 0)];
    // At day 50, with reminders ten and two days before: number 3 has ended, 4 and 7 are not due, 8 is nearly over.
    records.extend(ending(1, &[55, 55, 50, 90, 55, 56, 61, 51, 55]));
    wait(store.apply(&[entry(1, records)])).unwrap();
    let reminders = Reminders::new([10, 2]).unwrap();
    let pass = |day: i64, limit: usize| wait(store.remind(&reminders, at(START + day * DAY), limit)).unwrap();
    // In two calls, so that the second meets those that the first has reminded.
    assert_eq!((pass(50, 2).written, pass(50, 100).written), (2, 4));
    assert_eq!(pass(50, 100).written, 0);
    let mut told: Vec<(String, i64)> = wait(store.take_new(Timestamp::MAX, Span::ZERO, 100))
        .unwrap()
        .iter()
        .map(|one| (one.id().to_string(), (one.at.as_micros() - START) / DAY))
        .collect();
    told.sort();
    let expected = [
        (1, 10, 45),
        (2, 10, 45),
        (5, 10, 45),
        (6, 10, 46),
        (8, 2, 49),
        (9, 10, 45),
    ];
    assert_eq!(
        told,
        expected.map(|(position, days, day)| (format!("expiring-1-{position}-{days}"), day))
    );
    assert_eq!(
        pass(53, 100).written,
        5,
        "1, 2, 5 and 9 two days before, and 7 ten days before"
    );
    drop(store);
    assert_sound(&scene);
}

#[test]
fn a_sale_of_what_ends_much_later_gives_the_job_nothing_to_look_at_until_then() {
    let scene = Scene::new();
    let store = open(&scene);
    let mut records = vec![revision(coupon(1, None), 0)];
    records.extend(ending(1, &[30]));
    wait(store.apply(&[entry(1, records)])).unwrap();
    let reminders = Reminders::new([7]).unwrap();
    let pass = |day: i64| wait(store.remind(&reminders, at(START + day * DAY), 100)).unwrap();
    let looks = |day: i64| -> i64 {
        let due = "SELECT count(*) FROM issued_blocks WHERE reminder_due <= ?1";
        let connection = scene.connection();
        connection
            .query_row(due, [START + day * DAY], |row| row.get(0))
            .unwrap()
    };
    assert_eq!(looks(0), 1, "nobody has asked for reminders yet");
    assert_eq!(pass(1).written, 0);
    wait(store.apply(&[entry(2, ending(2, &[30, 40, 60]))])).unwrap();
    assert_eq!(looks(20), 0, "all of them are reminded later");
    wait(store.apply(&[entry(3, ending(5, &[12, 60]))])).unwrap();
    assert_eq!(looks(5), 1, "one of them ends earlier");
    assert_eq!((pass(5).written, pass(23).written, pass(33).written), (1, 2, 1));
    // All are done for a while; a latecomer is not overlooked.
    wait(store.apply(&[entry(4, ending(7, &[35]))])).unwrap();
    assert_eq!((pass(33).written, pass(53).written, pass(60).written), (1, 2, 0));
    drop(store);
    assert_sound(&scene);
}
