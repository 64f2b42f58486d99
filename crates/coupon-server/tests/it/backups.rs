//! A backup while the server runs, and what comes back from it.

use crate::harness::{Caller, PATIENCE, Scratch};
use reqwest::{Method, StatusCode};
use rusqlite::Connection;
use serde_json::Value;

/// What the server says of a coupon's issued coupons, in order.
fn issued(admin: &Caller) -> Vec<Value> {
    let (status, page) = admin.ask(Method::GET, "/v1/admin/coupons/1/issued-coupons?limit=1000", None);
    assert_eq!(status, StatusCode::OK, "{page}");
    page["data"].as_array().unwrap().clone()
}

#[test]
fn a_backup_of_a_running_server_gives_the_same_answers_when_restored() {
    let scratch = Scratch::new();
    let server = scratch.serve();
    let admin = Caller::admin(&scratch, &server);
    let coupon = admin.publish(1_000);
    for user in 0..100 {
        assert_eq!(
            admin.issue(&coupon, &format!("user-{user}")).0,
            StatusCode::CREATED
        );
    }
    scratch.must(&["backup", "--to", "backup.sqlite3"]);
    let before = issued(&admin);
    assert_eq!(before.len(), 100);
    assert_eq!(admin.issue(&coupon, "after the backup").0, StatusCode::CREATED);
    assert!(server.stop().0.success());

    scratch.must(&["restore", "--from", "backup.sqlite3", "--data-dir", "restored"]);
    let server = scratch.serve_with(&["--data-dir", "restored"]);
    let key = std::fs::read_to_string(scratch.path().join("restored/admin-key")).unwrap();
    let admin = Caller::new(&server, &key);
    assert_eq!(
        issued(&admin),
        before,
        "the same positions, users, codes and times"
    );
    let (status, next) = admin.issue(&coupon, "somebody new");
    assert_eq!(
        (status, next["position"].as_u64()),
        (StatusCode::CREATED, Some(101))
    );
    let (status, again) = admin.issue(&coupon, "user-7");
    assert_eq!(status, StatusCode::CONFLICT, "{again}");
    assert!(server.stop().0.success());
    scratch.must(&["verify", "--data-dir", "restored"]);
}

#[test]
fn a_backup_never_overwrites_and_a_restore_never_mixes() {
    let scratch = Scratch::new();
    let server = scratch.serve();
    Caller::admin(&scratch, &server).publish(10);
    scratch.must(&["backup", "--to", "backup.sqlite3"]);
    let why = scratch.refused(&["backup", "--to", "backup.sqlite3"]);
    assert!(why.contains("exists"), "{why}");
    let why = scratch.refused(&["restore", "--from", "backup.sqlite3", "--data-dir", "data"]);
    assert!(why.contains("empty"), "{why}");
    let mut damaged = std::fs::read(scratch.path().join("backup.sqlite3")).unwrap();
    damaged[100..200].fill(0xFF);
    std::fs::write(scratch.path().join("damaged.sqlite3"), damaged).unwrap();
    std::fs::write(
        scratch.path().join("mail.toml"),
        "[mail]\nhost = \"mail.example\"\n",
    )
    .unwrap();
    for (command, path, told) in [
        (
            "backup",
            "nowhere/x.sqlite3",
            "the directory nowhere does not exist; create it first",
        ),
        (
            "restore",
            "nofile",
            "nofile cannot be restored; name a file that is there with --from",
        ),
        ("restore", "mail.toml", "neither a store nor a backup"),
        ("restore", "damaged.sqlite3", "restore a backup that is whole"),
    ] {
        let option = if command == "backup" { "--to" } else { "--from" };
        let directory = if command == "backup" { "data" } else { "other" };
        let why = scratch.refused(&[command, option, path, "--data-dir", directory]);
        assert!(why.contains(path) && why.contains(told), "{path}: {why}");
        for misleading in ["data directory", "cannot be written", "last backup"] {
            assert!(!why.contains(misleading), "{path}: {why}");
        }
        assert!(
            !scratch.path().join("other").exists(),
            "nothing is left of a restore that was refused"
        );
    }
}

#[test]
fn a_backup_holds_what_was_answered_and_has_not_reached_the_store() {
    let scratch = Scratch::new();
    let server = scratch.serve();
    let admin = Caller::admin(&scratch, &server);
    let coupon = admin.publish(1_000);
    assert_eq!(admin.issue(&coupon, "early").0, StatusCode::CREATED);
    // Nobody else can write to the store as long as this transaction is open, so the follower stands still.
    let writer = Connection::open(scratch.data_dir().join("store.sqlite3")).unwrap();
    writer.busy_timeout(PATIENCE).unwrap();
    writer.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut answered = Vec::new();
    for number in 0..50 {
        let user = format!("user-{number}");
        let (status, issued) = admin.issue(&coupon, &user);
        assert_eq!(status, StatusCode::CREATED, "{issued}");
        answered.push((user, issued["code"].clone()));
    }
    let said = scratch.must(&["backup", "--to", "backup.sqlite3", "--json"]);
    let said: Value = serde_json::from_str(&said).unwrap();
    assert!(said["entriesFromJournal"].as_u64() >= Some(50), "{said}");
    writer.execute_batch("ROLLBACK").unwrap();
    drop(writer);
    assert!(server.stop().0.success());

    scratch.must(&["restore", "--from", "backup.sqlite3", "--data-dir", "restored"]);
    let server = scratch.serve_with(&["--data-dir", "restored"]);
    let key = std::fs::read_to_string(scratch.path().join("restored/admin-key")).unwrap();
    let admin = Caller::new(&server, &key);
    for (user, code) in answered {
        let (status, refused) = admin.issue(&coupon, &user);
        assert_eq!(status, StatusCode::CONFLICT, "{user}: {refused}");
        assert_eq!(refused["issuedCoupon"]["code"], code, "{user}");
    }
    let left = std::fs::read_dir(scratch.data_dir()).unwrap();
    let left: Vec<_> = left
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(
        !left.iter().any(|name| name.starts_with("backup-")),
        "the frozen journal is gone: {left:?}"
    );
}

/// The directories of backups in the data directory.
fn frozen(scratch: &Scratch) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(scratch.data_dir()).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.starts_with("backup-")
        })
        .collect()
}

#[test]
fn what_a_killed_backup_leaves_is_removed_at_the_next_start_or_backup_and_a_running_one_is_left_alone() {
    let scratch = Scratch::new();
    let server = scratch.serve();
    let admin = Caller::admin(&scratch, &server);
    let coupon = admin.publish(10);
    assert_eq!(admin.issue(&coupon, "kim").0, StatusCode::CREATED);
    assert!(server.stop().0.success());
    // A backup that stands still when it has frozen the journal and not begun to copy: the store is not to be had.
    let stopped_in_the_middle = |to: &str| {
        let exclusive = Connection::open(scratch.data_dir().join("store.sqlite3")).unwrap();
        exclusive
            .execute_batch(
                "PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; UPDATE meta SET applied_seq = applied_seq; COMMIT",
            )
            .unwrap();
        let before = frozen(&scratch);
        let backup = scratch.command(&["backup", "--to", to]).spawn().unwrap();
        let begun = std::time::Instant::now();
        let is_filled = |path: &std::path::PathBuf| {
            !before.contains(path)
                && std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some())
        };
        // It has the store's file open, so it holds none of the locks any more under which left-overs are removed.
        let waits_for_the_store = || {
            let open = std::fs::read_dir(format!("/proc/{}/fd", backup.id())).unwrap();
            let mut files = open.filter_map(|file| std::fs::read_link(file.unwrap().path()).ok());
            files.any(|file| file.ends_with("data/store.sqlite3"))
        };
        let made = loop {
            if let Some(made) = frozen(&scratch).into_iter().find(is_filled)
                && waits_for_the_store()
            {
                break made;
            }
            assert!(begun.elapsed() < PATIENCE, "no backup begins");
            std::thread::yield_now();
        };
        let process = rustix::process::Pid::from_child(&backup);
        rustix::process::kill_process(process, rustix::process::Signal::STOP).unwrap();
        (made, backup)
    };
    let none = Vec::<std::path::PathBuf>::new();
    let (first, mut backup) = stopped_in_the_middle("first.sqlite3");
    scratch.must(&["backup", "--to", "second.sqlite3"]);
    assert_eq!(
        frozen(&scratch),
        [first],
        "that of a backup that runs is left alone"
    );
    backup.kill().unwrap();
    backup.wait().unwrap();
    assert_eq!(frozen(&scratch).len(), 1, "a killed one leaves it behind");
    scratch.must(&["backup", "--to", "third.sqlite3"]);
    assert_eq!(frozen(&scratch), none);

    let (_, mut backup) = stopped_in_the_middle("fourth.sqlite3");
    backup.kill().unwrap();
    backup.wait().unwrap();
    assert_eq!(frozen(&scratch).len(), 1);
    let server = scratch.serve();
    assert_eq!(frozen(&scratch), none);
    assert!(server.stop().0.success());
    scratch.must(&["verify", "--data-dir", "data"]);
}

#[test]
fn what_a_killed_backup_left_beside_the_file_is_removed_and_nothing_else() {
    let scratch = Scratch::new();
    let server = scratch.serve();
    Caller::admin(&scratch, &server).publish(10);
    assert!(server.stop().0.success());
    let saved = scratch.path().join("saved");
    std::fs::create_dir(&saved).unwrap();
    for (name, file) in [
        (".firstcome-backup-a1B2c3", "store.sqlite3"),
        (".firstcome-backup-a1B2c4", "store.sqlite3-wal"),
        (".firstcome-backup-a1B2c5", "store.sqlite3"),
        (".firstcome-backup-a1B2c6", "somebody's"),
        (".firstcome-backup-of-monday", "store.sqlite3"),
        ("backup-a1B2c7", "store.sqlite3"),
    ] {
        std::fs::create_dir(saved.join(name)).unwrap();
        std::fs::write(saved.join(name).join(file), "what was copied so far").unwrap();
    }
    // A backup that runs holds its directory like this.
    let running = std::fs::File::open(saved.join(".firstcome-backup-a1B2c5")).unwrap();
    running.lock().unwrap();
    scratch.must(&["backup", "--to", "saved/one.sqlite3"]);
    let left = std::fs::read_dir(&saved).unwrap();
    let mut left: Vec<_> = left
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort_unstable();
    assert_eq!(
        left,
        [
            ".firstcome-backup-a1B2c5",
            ".firstcome-backup-a1B2c6",
            ".firstcome-backup-of-monday",
            "backup-a1B2c7",
            "one.sqlite3",
        ]
    );
}
