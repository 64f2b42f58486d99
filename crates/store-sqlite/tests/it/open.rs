//! Opening: what is refused, and that every refusal says what to do.

use crate::scene::{Scene, coupon, entry, revision, wait};
use coupon_app::{KeyRecord, KeyStore, RecordStore, Scope};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use store_sqlite::{OpenError, SqliteOptions, SqliteStore};

fn open(path: &Path) -> Result<SqliteStore, OpenError> {
    SqliteStore::open(path, SqliteOptions::default())
}

#[test]
fn a_new_store_is_its_owners_alone_and_survives_power_loss() {
    let scene = Scene::new();
    let store = scene.open();
    wait(store.apply(&[entry(1, vec![revision(coupon(1, None), 0)])])).unwrap();
    let mut modes = Vec::new();
    for file in std::fs::read_dir(scene.directory.path()).unwrap() {
        modes.push(file.unwrap().metadata().unwrap().permissions().mode() & 0o777);
    }
    assert_eq!(modes, [0o600; 3], "the file, its log and the log's index");
    let mode: String = scene
        .connection()
        .pragma_query_value(None, "journal_mode", |row| row.get(0))
        .unwrap();
    assert_eq!(mode, "wal");
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let scene = Scene::new();
    drop(scene.open());
    scene
        .connection()
        .pragma_update(None, "user_version", 99)
        .unwrap();
    let error = open(&scene.path()).unwrap_err();
    assert!(matches!(error, OpenError::NewerFormat { found: 99, .. }));
    let said = error.to_string();
    assert!(said.contains("start the version that wrote it"), "{said}");
    let version: i64 = scene
        .connection()
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    assert_eq!(version, 99);
    // What a crash left in the log stays there too, for the version that wrote it.
    let crashed = [scene.file("crashed.db"), scene.file("crashed.db-wal")];
    let writer = scene.connection();
    writer.pragma_update(None, "user_version", 98).unwrap();
    let log = scene.file("store.db-wal");
    for (from, to) in [scene.path(), log].iter().zip(&crashed) {
        std::fs::copy(from, to).unwrap();
    }
    let bytes = || crashed.each_ref().map(|file| std::fs::read(file).unwrap());
    let before = bytes();
    assert!(before.iter().all(|file| !file.is_empty()));
    let error = open(&crashed[0]).unwrap_err();
    assert!(
        matches!(error, OpenError::NewerFormat { found: 98, .. }),
        "{error}"
    );
    assert!(bytes() == before);
}

#[test]
fn somebody_elses_file_is_refused_and_left_alone() {
    let scene = Scene::new();
    scene
        .connection()
        .execute_batch("CREATE TABLE theirs (a)")
        .unwrap();
    let before = std::fs::read(scene.path()).unwrap();
    assert!(matches!(open(&scene.path()), Err(OpenError::NotAStore { .. })));
    assert_eq!(std::fs::read(scene.path()).unwrap(), before);
    std::fs::write(
        scene.file("text"),
        "not a database, though it has more than a header's length".repeat(99),
    )
    .unwrap();
    let error = open(&scene.file("text")).unwrap_err();
    assert!(matches!(error, OpenError::NotAStore { .. }));
    assert!(error.to_string().contains("move it away"), "{error}");
}

#[test]
fn a_missing_directory_and_one_that_cannot_be_written_are_named() {
    let scene = Scene::new();
    let error = open(&scene.file("missing/store.db")).unwrap_err();
    assert!(matches!(&error, OpenError::NoDirectory(path) if path.ends_with("missing")));
    assert!(error.to_string().contains("create it"), "{error}");
    std::fs::write(scene.file("file"), "").unwrap();
    let error = open(&scene.file("file/store.db")).unwrap_err();
    assert!(matches!(error, OpenError::NotWritable { .. }));
    // Even the superuser makes no file here.
    let error = open(Path::new("/proc/self/fdinfo/store.db")).unwrap_err();
    assert!(
        matches!(error, OpenError::NotWritable { .. } | OpenError::NoDirectory(_)),
        "{error}"
    );
}

#[test]
fn a_file_that_was_cut_off_is_refused() {
    let scene = Scene::new();
    drop(scene.open());
    let whole = std::fs::read(scene.path()).unwrap();
    for length in [1, 99, 512, 4_095] {
        std::fs::write(scene.path(), &whole[..length]).unwrap();
        assert!(open(&scene.path()).is_err(), "{length} bytes");
    }
}

#[test]
fn the_key_of_the_codes_is_kept_from_the_first_time_on() {
    let scene = Scene::new();
    let store = scene.open();
    assert_eq!(wait(store.code_key([7; 16])).unwrap(), [7; 16]);
    drop(store);
    assert_eq!(wait(scene.open().code_key([9; 16])).unwrap(), [7; 16]);
}

#[test]
fn a_key_that_exists_is_refused_by_name_and_the_store_stays_healthy() {
    let scene = Scene::new();
    let store = scene.open();
    let key = KeyRecord {
        id: "k-1".into(),
        name: "shop".into(),
        scopes: vec![Scope::Issue, Scope::Admin],
        secret_hash: [3; 32],
        created_at: crate::scene::at(1),
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
    };
    wait(store.add_key(&key, &"first".into())).unwrap();
    let error = wait(store.add_key(&key, &"first".into())).unwrap_err();
    assert!(!error.retriable && error.to_string().contains("k-1"), "{error}");
    wait(coupon_app::CouponStore::health(&store)).unwrap();
    assert_eq!(wait(store.keys()).unwrap(), [key]);
}
