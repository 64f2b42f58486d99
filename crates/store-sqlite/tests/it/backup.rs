//! Backups: made while the store is written to, checked, sealed, and refused when anything in them has changed.

use crate::scene::{Scene, assert_sound, coupon, entry, issues, load, revision, token, wait, with_token};
use coupon_app::{KeyRecord, KeyStore, RecordStore, Scope};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use store_sqlite::{BackupError, Difference, Pace, SqliteOptions, SqliteStore, backup_file, verify};

const FAST: Pace = Pace {
    pages: 1_000,
    pause: Duration::ZERO,
};

fn filled(scene: &Scene, rows: u32) -> SqliteStore {
    let store = scene.open_folding(100);
    let mut records = vec![with_token(coupon(1, None), 0, Some(token(1, 2)))];
    records.extend(issues(1, 1, rows));
    wait(store.apply(&[entry(1, records)])).unwrap();
    wait(store.code_key([5; 16])).unwrap();
    let key = KeyRecord {
        id: "k-1".into(),
        name: "shop".into(),
        scopes: vec![Scope::Issue],
        secret_hash: [0xab; 32],
        created_at: crate::scene::at(1),
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
    };
    wait(store.add_key(&key, &"first".into())).unwrap();
    store
}

fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path, SqliteOptions::default()).unwrap()
}

#[test]
fn a_backup_has_everything_and_is_one_file_of_its_owners() {
    let scene = Scene::new();
    let store = filled(&scene, 250);
    let copy = scene.file("copy.db");
    let mut last = None;
    let report = store
        .backup(&copy, FAST, &mut |progress| last = Some(progress))
        .unwrap();
    let last = last.unwrap();
    assert_eq!(last.copied, last.total);
    assert!(report.sealed && report.issued == 250 && report.applied_seq == 1);
    assert_eq!(verify(&copy).unwrap(), report);
    let names: Vec<String> = std::fs::read_dir(scene.directory.path())
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("copy"))
        .collect();
    assert_eq!(names, ["copy.db"]);
    assert_eq!(
        std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777,
        0o600
    );

    let restored = open(&copy);
    assert_eq!(load(&restored), load(&store));
    assert_eq!(wait(restored.keys()).unwrap(), wait(store.keys()).unwrap());
    assert_eq!(wait(restored.code_key([6; 16])).unwrap(), [5; 16]);
    wait(restored.apply(&[entry(2, issues(1, 251, 260))])).unwrap();
    drop(restored);
    let used = verify(&copy).unwrap();
    assert!(
        !used.sealed && used.differences.is_empty(),
        "a store in use is no backup"
    );
}

#[test]
fn a_backup_never_overwrites() {
    let scene = Scene::new();
    let store = filled(&scene, 5);
    let copy = scene.file("copy.db");
    std::fs::write(&copy, "precious").unwrap();
    let refused = store.backup(&copy, FAST, &mut |_| {});
    assert!(matches!(refused, Err(BackupError::Exists(_))));
    assert_eq!(std::fs::read(&copy).unwrap(), b"precious");
    let missing = backup_file(
        &scene.file("nothing.db"),
        &scene.file("new.db"),
        FAST,
        &mut |_| {},
    );
    assert!(missing.is_err() && !scene.file("new.db").exists());
}

#[test]
fn a_backup_of_a_store_that_is_written_to_is_of_one_instant() {
    let scene = Scene::new();
    let store = filled(&scene, 1_000);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            let (mut seq, mut position) = (1, 1_000);
            while !done.load(Ordering::Relaxed) {
                seq += 1;
                wait(store.apply(&[entry(seq, issues(1, position + 1, position + 20))])).unwrap();
                position += 20;
            }
            seq
        });
        let slow = Pace {
            pages: 5,
            pause: Duration::from_micros(200),
        };
        for number in 0..5 {
            let copy = scene.file(&format!("copy-{number}.db"));
            let before = wait(store.applied()).unwrap();
            let report = backup_file(&scene.path(), &copy, slow, &mut |_| {}).unwrap();
            let after = wait(store.applied()).unwrap();
            assert!((before..=after).contains(&report.applied_seq));
            assert_eq!(report.issued, 1_000 + (report.applied_seq - 1) * 20);
            assert_eq!(verify(&copy).unwrap(), report);
        }
        done.store(true, Ordering::Relaxed);
        assert!(writing.join().unwrap() > 5, "it was written to meanwhile");
    });
    drop(store);
    assert_sound(&scene);
}

#[test]
fn a_backup_with_a_flipped_bit_is_refused_or_says_the_same() {
    let scene = Scene::new();
    let store = filled(&scene, 250);
    let copy = scene.file("copy.db");
    store.backup(&copy, FAST, &mut |_| {}).unwrap();
    let sound = std::fs::read(&copy).unwrap();
    let expected = load(&store);
    let expected_keys = wait(store.keys()).unwrap();
    let flipped = scene.file("flipped.db");
    let (mut refused, mut same) = (0, 0);
    // A prime stride comes by every kind of page and every place in one.
    for (place, bit) in (0..sound.len()).step_by(211).zip((0..8).cycle()) {
        let mut bytes = sound.clone();
        bytes[place] ^= 1 << bit;
        std::fs::write(&flipped, &bytes).unwrap();
        let found = verify(&flipped);
        if found.is_ok_and(|report| report.sealed && report.differences.is_empty()) {
            same += 1;
            let restored = open(&flipped);
            assert_eq!(load(&restored), expected, "byte {place}");
            assert_eq!(wait(restored.keys()).unwrap(), expected_keys, "byte {place}");
        } else {
            refused += 1;
            let again = scene.file("again.db");
            let restored = backup_file(&flipped, &again, FAST, &mut |_| {});
            assert!(restored.is_err_and(|_| !again.exists()), "byte {place}");
        }
        for rest in ["flipped.db-wal", "flipped.db-shm"] {
            drop(std::fs::remove_file(scene.file(rest)));
        }
    }
    assert!(
        refused > 50,
        "{refused} refused, {same} in bytes that nothing uses"
    );
}

#[test]
fn the_seal_sees_what_no_other_check_can() {
    let scene = Scene::new();
    let store = filled(&scene, 50);
    let copy = scene.file("copy.db");
    store.backup(&copy, FAST, &mut |_| {}).unwrap();
    for change in [
        "UPDATE api_keys SET secret_hash = zeroblob(32)",
        "UPDATE issued_coupons SET key_hash = 77 WHERE position = 9",
        "UPDATE meta SET applied_seq = 7",
        "UPDATE coupon_revisions SET actor = 'another'",
        "DELETE FROM command_tokens",
        "UPDATE audit_log SET actor = 'another'",
    ] {
        let changed = scene.file("changed.db");
        std::fs::copy(&copy, &changed).unwrap();
        rusqlite::Connection::open(&changed)
            .unwrap()
            .execute(change, [])
            .unwrap();
        assert_eq!(
            verify(&changed).unwrap().differences,
            [Difference::Seal],
            "{change}"
        );
    }
}

#[test]
fn an_unsound_store_gives_no_backup_and_the_error_names_the_difference() {
    let scene = Scene::new();
    let store = filled(&scene, 50);
    scene
        .connection()
        .execute("UPDATE coupons SET issued = 49", [])
        .unwrap();
    let refused = store
        .backup(&scene.file("copy.db"), FAST, &mut |_| {})
        .unwrap_err();
    let said = refused.to_string();
    assert!(
        said.contains("coupon 1: issued is kept as 49, and the rows make 50"),
        "{said}"
    );
    assert!(!scene.file("copy.db").exists());
}

#[test]
fn a_revision_alone_is_a_store_worth_a_backup() {
    let scene = Scene::new();
    let store = scene.open();
    let copy = scene.file("empty.db");
    assert!(store.backup(&copy, FAST, &mut |_| {}).unwrap().sealed);
    wait(store.apply(&[entry(1, vec![revision(coupon(1, Some(1)), 0)])])).unwrap();
    assert_eq!(
        store
            .backup(&scene.file("one.db"), FAST, &mut |_| {})
            .unwrap()
            .coupons,
        1
    );
}
