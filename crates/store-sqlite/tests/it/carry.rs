//! The log is carried into the file beside whoever redeems, and stays short.

use crate::redeem::{filled, redeem, take};
use crate::scene::{Scene, assert_sound};
use std::fs;
use std::time::{Duration, Instant};

/// Longest that anything may take here.
const LONGEST: Duration = Duration::from_secs(20);

/// How many are redeemed as the file says without its log. A copy that was taken while pages came in may be in no order.
fn carried(scene: &Scene) -> Option<u32> {
    let copy = scene.file("copy.db");
    fs::copy(scene.path(), &copy).unwrap();
    let connection = rusqlite::Connection::open(&copy).unwrap();
    let count = "SELECT count(*) FROM issued_coupons WHERE redeemed_at IS NOT NULL";
    let counted = connection.query_row(count, [], |row| row.get(0)).ok();
    drop(connection);
    fs::remove_file(&copy).unwrap();
    counted
}

#[test]
fn what_was_redeemed_comes_into_the_file_by_itself() {
    let scene = Scene::new();
    let store = filled(&scene, 100);
    for done in 1..=3 {
        take(&store, &[redeem(done, "a")]);
        let began = Instant::now();
        while carried(&scene) != Some(done) {
            assert!(
                began.elapsed() < LONGEST,
                "{done} redeemed, and the file has {:?}",
                carried(&scene)
            );
        }
    }
}

#[test]
fn the_log_begins_anew_while_redemptions_go_on() {
    const ROWS: u32 = 30_000;
    const LOG_BYTES: u64 = 64 << 20;
    let scene = Scene::new();
    let store = filled(&scene, ROWS);
    // In no order of theirs, so that a batch changes pages everywhere: more than twice as much in all.
    let positions: Vec<u32> = (0..ROWS).map(|nth| nth * 7_919 % ROWS + 1).collect();
    let mut longest = 0;
    for batch in positions.chunks(64) {
        let requests: Vec<_> = batch.iter().map(|position| redeem(*position, "a")).collect();
        take(&store, &requests);
        let length = fs::metadata(scene.file("store.db-wal")).unwrap().len();
        longest = longest.max(length);
    }
    drop(store);
    assert_sound(&scene);
    let expected = LOG_BYTES / 4..LOG_BYTES + LOG_BYTES / 8;
    assert!(expected.contains(&longest), "the log had {longest} bytes");
}

#[test]
fn the_sqlite_that_is_built_in_lets_one_connection_carry_while_another_commits() {
    // https://www.sqlite.org/wal.html#walresetbug
    assert!(rusqlite::version_number() >= 3_051_003, "{}", rusqlite::version());
}
