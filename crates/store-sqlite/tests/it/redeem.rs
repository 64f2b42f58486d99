//! Redeeming on this store: old files, killed processes, full disks, backups.

use crate::scene::{
    EXPIRY, START, Scene, assert_sound, at, coupon, entry, id, issues, load, revision, user, wait,
};
use coupon_app::{
    CouponStore, LedgerError, RecordStore, RedemptionAction, RedemptionOutcome, RedemptionRequest,
    RedemptionStore, StoreTally, WalletFilter,
};
use coupon_core::{Actor, Amount, IssuedState, Order, OrderId};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Duration;
use store_sqlite::{OpenError, Pace, SqliteOptions, SqliteStore, backup_file, verify};

const FIRST_FORMAT: &str = include_str!("../../migrations/0001_first.sql");

fn order(name: &str) -> Order {
    Order {
        id: OrderId::parse(name).unwrap(),
        amount: Amount::new(50_000).unwrap(),
    }
}

fn request(position: u32, action: RedemptionAction) -> RedemptionRequest {
    RedemptionRequest {
        id: id(1, position),
        user: None,
        action,
        actor: Actor::Key("till".into()),
        audit: None,
        token: None,
    }
}

pub(crate) fn redeem(position: u32, name: &str) -> RedemptionRequest {
    request(position, RedemptionAction::Redeem(order(name)))
}

pub(crate) fn cancel(position: u32, name: &str) -> RedemptionRequest {
    request(position, RedemptionAction::Cancel(order(name).id))
}

pub(crate) fn revoke(position: u32) -> RedemptionRequest {
    request(position, RedemptionAction::Revoke)
}

/// Asks a second after the start; everything asked for must be new.
pub(crate) fn take(store: &SqliteStore, requests: &[RedemptionRequest]) {
    let outcomes = wait(store.decide(requests, at(START + 1_000_000))).unwrap();
    for outcome in outcomes {
        assert!(
            matches!(outcome, RedemptionOutcome::Done { replayed: false, .. }),
            "{outcome:?}"
        );
    }
}

/// A store with so many issued coupons of coupon 1.
pub(crate) fn filled(scene: &Scene, rows: u32) -> SqliteStore {
    let store = scene.open();
    let mut records = vec![revision(coupon(1, None), 0)];
    records.extend(issues(1, 1, rows));
    wait(store.apply(&[entry(1, records)])).unwrap();
    store
}

fn tally(store: &SqliteStore) -> StoreTally {
    wait(store.tally(coupon(1, None).id, at(START))).unwrap()
}

/// A file as the first format left it: one coupon, two issued, both in the index.
fn write_first_format(path: &std::path::Path) {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.execute_batch(FIRST_FORMAT).unwrap();
    let json = serde_json::to_string(&coupon(1, Some(5))).unwrap();
    connection
        .execute("INSERT INTO coupons (id, revision, quantity, deleted, issued, last_position, indexed_through) VALUES (1, 1, 5, 0, 2, 2, 2)", [])
        .unwrap();
    connection
        .execute(
            "INSERT INTO coupon_revisions VALUES (1, 1, ?1, 0, 'key-1', 1)",
            [json],
        )
        .unwrap();
    for position in 1..=2_i64 {
        let name = format!("user-{position}").into_bytes();
        connection
            .execute(
                "INSERT INTO issued_coupons (id, user_id, issued_at, expires_at, coupon_revision) VALUES ((1 << 32) + ?1, ?2, ?3, ?4, 1)",
                (position, &name, START, EXPIRY),
            )
            .unwrap();
        connection
            .execute("INSERT INTO holders VALUES (?1, 1, ?2)", (&name, position))
            .unwrap();
    }
    connection
        .execute("INSERT INTO issued_blocks VALUES (1, 0, 2, 2, ?1, ?1)", [EXPIRY])
        .unwrap();
    connection.execute("UPDATE meta SET applied_seq = 3", []).unwrap();
    connection
        .execute_batch("PRAGMA application_id = 0x46434f4d; PRAGMA user_version = 1;")
        .unwrap();
}

fn format_of(path: &std::path::Path) -> i64 {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap()
}

#[test]
fn a_store_of_the_first_format_is_verified_backed_up_and_brought_to_the_newest() {
    let new = Scene::new();
    drop(new.open());
    let newest = format_of(&new.path());
    let scene = Scene::new();
    write_first_format(&scene.path());
    assert_eq!(assert_sound(&scene).issued, 2);
    let pace = Pace {
        pages: 100,
        pause: Duration::ZERO,
    };
    backup_file(&scene.path(), &scene.file("old.db"), pace, &mut |_| {}).unwrap();
    assert_eq!(
        (format_of(&scene.path()), format_of(&scene.file("old.db"))),
        (1, 1)
    );

    for (path, sealed) in [(scene.path(), false), (scene.file("old.db"), true)] {
        assert_eq!(verify(&path).unwrap().sealed, sealed);
        let store = SqliteStore::open(&path, SqliteOptions::default()).unwrap();
        assert_eq!(format_of(&path), newest);
        assert_eq!(
            (load(&store).issued.len(), wait(store.applied()).unwrap()),
            (2, 3)
        );
        take(&store, &[redeem(2, "a"), cancel(2, "a"), redeem(2, "b")]);
        let filter = WalletFilter {
            state: Some(IssuedState::Redeemed),
            now: at(START),
            after: None,
            limit: 9,
        };
        let wallet = wait(store.wallet(&user("user-2"), filter)).unwrap();
        assert_eq!(wallet[0].redemption.as_ref().unwrap().order, order("b"));
        drop(store);
        assert_eq!(verify(&path).unwrap().differences, []);
    }
}

#[test]
fn a_format_that_is_newer_than_this_one_is_refused() {
    let scene = Scene::new();
    drop(scene.open());
    let newest = format_of(&scene.path());
    scene
        .connection()
        .pragma_update(None, "user_version", newest + 1)
        .unwrap();
    let refused = SqliteStore::open(&scene.path(), SqliteOptions::default()).unwrap_err();
    assert!(matches!(
        refused,
        OpenError::NewerFormat { found, known, .. } if (found, known) == (newest + 1, newest)
    ));
}

const MARK: &str = "redeemed ";
const ROWS: u32 = 3_000;

/// Redeems batch after batch until it is killed, saying after each that it has been decided. Started by the test
/// below, in the directory of the store.
#[test]
#[ignore = "the child of `what_was_answered_before_the_process_was_killed_is_there`, which starts it"]
fn child_that_redeems_until_it_is_killed() {
    let store = SqliteStore::open(std::path::Path::new("store.db"), SqliteOptions::default()).unwrap();
    let done = u32::try_from(tally(&store).redeemed).unwrap();
    for first in (done + 1..=ROWS).step_by(10) {
        let batch: Vec<_> = (first..first + 10)
            .map(|position| redeem(position, "a"))
            .collect();
        take(&store, &batch);
        let mut out = std::io::stdout().lock();
        writeln!(out, "{MARK}{}", first + 9).unwrap();
        out.flush().unwrap();
    }
}

#[test]
fn what_was_answered_before_the_process_was_killed_is_there() {
    let scene = Scene::new();
    drop(filled(&scene, ROWS));
    for wait_for in [1, 4, 9, 20] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "redeem::child_that_redeems_until_it_is_killed",
                "--ignored",
                "--nocapture",
            ])
            .current_dir(scene.directory.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (mut seen, mut acknowledged) = (0, 0);
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            let Some((_, last)) = line.split_once(MARK) else {
                continue;
            };
            acknowledged = last.parse::<u64>().unwrap();
            seen += 1;
            if seen == wait_for {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(seen >= wait_for, "the child ended by itself");
        assert_sound(&scene);
        let redeemed = tally(&scene.open()).redeemed;
        assert!(
            redeemed == acknowledged || redeemed == acknowledged + 10,
            "{redeemed} of {acknowledged}"
        );
    }
}

#[test]
fn on_a_full_disk_nothing_happens_and_that_is_what_is_said() {
    let scene = Scene::new();
    drop(filled(&scene, 2_000));
    let pages: i64 = scene
        .connection()
        .pragma_query_value(None, "page_count", |row| row.get(0))
        .unwrap();
    let options = SqliteOptions {
        max_pages: Some(u32::try_from(pages).unwrap() + 20),
        ..SqliteOptions::default()
    };
    let store = SqliteStore::open(&scene.path(), options).unwrap();
    let mut redeemed = 0;
    let error = loop {
        let batch: Vec<_> = (redeemed + 1..=redeemed + 50)
            .map(|position| redeem(position, "order"))
            .collect();
        match wait(store.decide(&batch, at(START + 1))) {
            Ok(_) => redeemed += 50,
            Err(error) => break error,
        }
        assert!(redeemed < 2_000, "20 pages hold no 2,000 steps");
    };
    assert!(matches!(error, LedgerError::Unavailable(_)), "{error:?}");
    assert!(wait(store.health()).unwrap_err().to_string().contains("full"));
    assert_eq!(tally(&store).redeemed, u64::from(redeemed));
    // A batch that writes nothing can still be answered, and does not say that all is well.
    let known = wait(store.decide(&[redeem(1, "order")], at(START + 2))).unwrap();
    assert!(matches!(known[0], RedemptionOutcome::Done { replayed: true, .. }));
    assert!(wait(store.health()).is_err());
    drop(store);
    assert_sound(&scene);
    let store = scene.open();
    take(&store, &[redeem(redeemed + 1, "order")]);
    wait(store.health()).unwrap();
}

#[test]
fn a_backup_has_every_step_and_restores_it() {
    let scene = Scene::new();
    let store = filled(&scene, 20);
    take(
        &store,
        &[redeem(1, "a"), cancel(1, "a"), redeem(2, "b"), revoke(3)],
    );
    let pace = Pace {
        pages: 100,
        pause: Duration::ZERO,
    };
    let copy = scene.file("copy.db");
    assert!(store.backup(&copy, pace, &mut |_| {}).unwrap().sealed);
    take(&store, &[redeem(1, "c")]);
    let restored = SqliteStore::open(&copy, SqliteOptions::default()).unwrap();
    for (position, steps) in [(1, 2), (2, 1), (3, 1), (4, 0)] {
        let there = wait(store.history(id(1, position), 0, 2)).unwrap();
        let back = wait(restored.history(id(1, position), 0, 9)).unwrap();
        assert_eq!((back.len(), &back), (steps, &there));
    }
    assert_eq!(
        tally(&restored),
        StoreTally {
            issued: 20,
            redeemed: 1,
            revoked: 1,
            cancelled: 1,
            expired: 0
        }
    );
}
