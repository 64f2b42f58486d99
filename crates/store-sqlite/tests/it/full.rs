//! A full disk: nothing is half written, the store says so, and goes on once there is room.

use crate::scene::{Scene, assert_sound, coupon, entry, issues, load, revision, wait};
use coupon_app::{CouponStore, RecordStore};
use store_sqlite::{SqliteOptions, SqliteStore};

#[test]
fn a_full_disk_keeps_the_last_whole_application_and_lasts_until_there_is_room() {
    let scene = Scene::new();
    let options = SqliteOptions {
        max_pages: Some(60),
        ..SqliteOptions::default()
    };
    let store = SqliteStore::open(&scene.path(), options).unwrap();
    wait(store.apply(&[entry(1, vec![revision(coupon(1, None), 0)])])).unwrap();
    let mut seq = 1;
    let error = loop {
        let rows = (u32::try_from(seq).unwrap() - 1) * 100;
        let (first, last) = (rows + 1, rows + 100);
        match wait(store.apply(&[entry(seq + 1, issues(1, first, last))])) {
            Ok(applied) => seq = applied.seq,
            Err(error) => break error,
        }
        assert!(seq < 100, "60 pages hold no 10,000 rows");
    };
    assert!(!error.retriable && error.to_string().contains("full"), "{error}");
    let health = wait(store.health()).unwrap_err();
    assert!(health.to_string().contains("full"), "{health}");
    let whole = (usize::try_from(seq).unwrap() - 1) * 100;
    assert_eq!(load(&store).issued.len(), whole);
    assert_eq!(wait(store.applied()).unwrap(), seq);
    assert!(
        wait(store.health()).is_err(),
        "asking for the applied number mends nothing"
    );
    drop(store);
    assert_sound(&scene);

    let store = scene.open();
    let first = u32::try_from(whole).unwrap() + 1;
    wait(store.apply(&[entry(seq + 1, issues(1, first, first + 99))])).unwrap();
    wait(store.health()).unwrap();
    assert_eq!(load(&store).issued.len(), whole + 100);
    assert_sound(&scene);
}
