//! Files of every earlier format, filled, and brought to the newest: nothing in them is lost.

use crate::redeem::{cancel, redeem, take};
use crate::scene::{
    EXPIRY, START, Scene, assert_sound, at, coupon, coupon_id, entry, load, revised, revision, user, wait,
};
use coupon_app::{
    AuditAction, AuditFilter, AuditLog as _, Contacts as _, CouponStore as _, DeliveryState,
    FailedDeliveries as _, KeyStore as _, NotificationOutbox as _, RecordStore as _, RedemptionStore as _,
    WebhookStore as _,
};
use coupon_core::{IssuedState, Step};
use rusqlite::Connection;
use rusqlite::types::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use store_sqlite::{Pace, SqliteOptions, SqliteStore, StoreAtRest, backup_file, verify};

/// The scripts as they were released.
const SCRIPTS: [&str; 10] = [
    include_str!("../../migrations/0001_first.sql"),
    include_str!("../../migrations/0002_redemption.sql"),
    include_str!("../../migrations/0003_sums.sql"),
    include_str!("../../migrations/0004_addresses.sql"),
    include_str!("../../migrations/0005_notifications.sql"),
    include_str!("../../migrations/0006_administration.sql"),
    include_str!("../../migrations/0007_failed_deliveries.sql"),
    include_str!("../../migrations/0008_folds_in_steps.sql"),
    include_str!("../../migrations/0009_checks_in_place.sql"),
    include_str!("../../migrations/0010_first_steps.sql"),
];

/// The first format that says of each revision what it was.
const WITH_AUDIT_LOG: usize = 6;

/// The key of an issued coupon of coupon 1 in SQL.
const FIRST: i64 = 1 << 32;

/// A file of this format, with a row in every table that it has: a coupon of two revisions, three issued, of which one is
/// redeemed from the format on in which that has a history.
fn write(connection: &Connection, format: usize) {
    for script in &SCRIPTS[..format] {
        connection.execute_batch(script).unwrap();
    }
    let first = coupon(1, Some(5));
    let second = revised(first.clone(), |it| it.paused = true);
    let (first, second) = [first, second]
        .map(|it| serde_json::to_string(&it).unwrap())
        .into();
    let run = |sql: &str| connection.execute_batch(sql).unwrap();
    run(
        "INSERT INTO coupons (id, revision, quantity, deleted, issued, last_position, indexed_through)
         VALUES (1, 2, 5, 0, 3, 3, 3)",
    );
    for (revision, json, at) in [(1, first, START), (2, second, START + 1_000_000)] {
        connection
            .execute(
                "INSERT INTO coupon_revisions VALUES (1, ?1, ?2, 0, 'key-1', ?3)",
                (revision, json, at),
            )
            .unwrap();
    }
    for (position, name) in [(1, "kim"), (2, "KIM"), (3, "쿠폰 '\"\\ ")] {
        connection
            .execute(
                "INSERT INTO issued_coupons (id, user_id, issued_at, expires_at, key_hash, coupon_revision)
                 VALUES (?1, ?2, ?3, ?4, -7, 1)",
                (FIRST + position, name.as_bytes(), START + position, EXPIRY),
            )
            .unwrap();
        connection
            .execute(
                "INSERT INTO holders VALUES (?1, 1, ?2)",
                (name.as_bytes(), position),
            )
            .unwrap();
    }
    run(&format!(
        "INSERT INTO issued_blocks (coupon_id, block, held, unused, first_expiry, last_expiry)
         VALUES (1, 0, 3, 3, {EXPIRY}, {EXPIRY});
         INSERT INTO quarantine (seq, reason, coupon_id, position, user_id, issued_at, expires_at)
         VALUES (4, 'taken', 1, 3, x'6c6565', {START}, {EXPIRY});
         INSERT INTO command_tokens (scope, payload, coupon_id, revision, issued, actor, decided_at)
         VALUES (zeroblob(16), zeroblob(16), 1, 2, 0, 'key-1', {START});
         INSERT INTO api_keys (id, name, scopes, secret_hash, created_at, revoked_at)
         VALUES ('key-1', '관리자', 'admin', zeroblob(32), {START}, NULL);
         UPDATE meta SET applied_seq = 9, code_key = x'07070707070707070707070707070707'"
    ));
    if format >= 2 {
        run(&format!(
            "UPDATE issued_coupons SET redeemed_at = {START} + 5, order_id = 'a', order_amount = 50000,
                 discount_amount = 5000, steps = 1 WHERE id = {FIRST} + 1;
             INSERT INTO redemption_history VALUES ({FIRST} + 1, 1, 'redeemed', {START} + 5, 'till', 'a', 50000, 5000);
             INSERT INTO redemption_tokens VALUES (zeroblob(16), zeroblob(16), {FIRST} + 1, 1, {START} + 5)"
        ));
    }
    if format >= 3 {
        // Until then a trigger did it.
        run("UPDATE coupons SET redeemed = 1; UPDATE issued_blocks SET unused = 2");
    }
    if format >= 4 {
        run(&format!(
            "INSERT INTO webhooks (revision, url, description, kinds, secret, previous_secret, previous_until, created_at)
             VALUES (3, 'https://shop.example/hook', '창고', 'all', zeroblob(32), zeroblob(32), {EXPIRY}, {START});
             INSERT INTO contacts VALUES (x'6b696d', 'kim@example.org', '김', 'ko')"
        ));
    }
    if format >= 5 {
        run(&format!(
            "INSERT INTO announcements VALUES (1, 3);
             INSERT INTO notifications (subject, kind, detail, at, done_at)
             VALUES ({FIRST} + 1, 'redeemed', 1, {START} + 5, NULL), ({FIRST} + 1, 'issued', 0, {START}, {START});
             INSERT INTO notification_deliveries (notification, channel, recipient, state, attempts, due_at, report)
             VALUES (1, 'mail', 'holder', 'waiting', 2, {START} + 9, 'later'),
                    (1, 'webhook', '1', 'dead', 10, NULL, 'not accepted'),
                    (2, 'mail', 'holder', 'delivered', 1, NULL, 'taken'),
                    (2, 'webhook', '1', 'delivered', 1, NULL, 'taken');
             DELETE FROM notification_deliveries WHERE number = 4;
             INSERT INTO jobs (name, began_at, ended_at, done) VALUES ('expire', {START}, {START}, 7)"
        ));
    }
    if format >= 6 {
        run(&format!(
            "INSERT INTO audit_log (at, actor, action, coupon_id, revision)
             VALUES ({START}, 'key-1', 'coupon.created', 1, 1), ({START} + 1000000, 'key-1', 'coupon.paused', 1, 2);
             UPDATE api_keys SET expires_at = {EXPIRY}, last_used_at = {START}"
        ));
    }
    if format >= 7 {
        run(
            "UPDATE notification_deliveries SET letter = 4 WHERE state = 'dead'; UPDATE meta SET last_letter = 7",
        );
    }
    if format >= 8 {
        // A fold is under way and has passed two of three.
        run(
            "UPDATE coupons SET indexed_through = 1, folding_through = 3; INSERT INTO fold VALUES (1, x'6b696d', 1);
             DELETE FROM holders WHERE position = 3",
        );
    }
    if format >= 10 {
        run(&format!(
            "INSERT INTO first_steps VALUES (7, {FIRST} + 2, 'revoked', {START} + 6, 'key-1', NULL, NULL, NULL);
             UPDATE issued_coupons SET revoked_at = {START} + 6, steps = 1, first_step = 7 WHERE id = {FIRST} + 2;
             UPDATE coupons SET revoked = 1; UPDATE issued_blocks SET unused = 1"
        ));
    }
    connection
        .execute_batch(&format!(
            "PRAGMA application_id = 0x46434f4d; PRAGMA user_version = {format};"
        ))
        .unwrap();
}

/// What stands in each column of each table, row by row.
type Content = BTreeMap<String, (Vec<String>, Vec<Vec<Value>>)>;

fn names(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).unwrap();
    let names = statement.query_map([], |row| row.get(0)).unwrap();
    names.map(Result::unwrap).collect()
}

fn rows(connection: &Connection, table: &str, columns: &[String]) -> Vec<Vec<Value>> {
    let list = columns.join(", ");
    let order: Vec<String> = (1..=columns.len()).map(|column| column.to_string()).collect();
    let sql = format!("SELECT {list} FROM {table} ORDER BY {}", order.join(", "));
    let mut statement = connection.prepare(&sql).unwrap();
    let rows = statement.query_map([], |row| {
        (0..columns.len()).map(|column| row.get(column)).collect()
    });
    rows.unwrap().map(Result::unwrap).collect()
}

fn content(connection: &Connection) -> Content {
    let tables = names(
        connection,
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    );
    let filled = |table: String| {
        let columns = names(
            connection,
            &format!("SELECT name FROM pragma_table_info('{table}')"),
        );
        let rows = rows(connection, &table, &columns);
        (table, (columns, rows))
    };
    tables.into_iter().map(filled).collect()
}

#[test]
fn a_filled_store_of_any_earlier_format_is_verified_backed_up_and_upgraded_and_loses_nothing() {
    let new = Scene::new();
    drop(new.open());
    let definitions_of_a_new_store = definitions(&new.connection());
    for (check, tables) in [
        ("CHECK (kind = ", 1),
        ("CHECK (state = ", 1),
        ("CHECK (step = ", 2),
    ] {
        let made = definitions_of_a_new_store
            .iter()
            .filter(|sql| sql.contains(check));
        assert_eq!(made.count(), tables, "{check}: word by word");
    }
    for format in 1..=SCRIPTS.len() {
        let scene = Scene::new();
        write(&scene.connection(), format);
        let before = content(&scene.connection());
        let empty: Vec<&String> = before
            .iter()
            .filter(|(table, (_, rows))| rows.is_empty() && *table != "seal")
            .map(|(table, _)| table)
            .collect();
        assert_eq!(empty, [""; 0], "format {format}: nothing to lose");
        assert_eq!(assert_sound(&scene).issued, 3, "format {format}");
        let pace = Pace {
            pages: 100,
            pause: Duration::ZERO,
        };
        backup_file(&scene.path(), &scene.file("old.db"), pace, &mut |_| {}).unwrap();
        for path in [scene.path(), scene.file("old.db")] {
            let store = SqliteStore::open(&path, SqliteOptions::default()).unwrap();
            let connection = Connection::open(&path).unwrap();
            for (table, (columns, kept)) in &before {
                if table != "seal" {
                    assert_eq!(
                        rows(&connection, table, columns),
                        *kept,
                        "format {format}: {table}"
                    );
                }
            }
            if format >= 5 {
                let sql = "SELECT seq FROM sqlite_sequence WHERE name = 'notification_deliveries'";
                let last: i64 = connection.query_row(sql, [], |row| row.get(0)).unwrap();
                assert_eq!(
                    last, 4,
                    "format {format}: a number that was forgotten does not come again"
                );
            }
            assert_eq!(
                definitions(&connection),
                definitions_of_a_new_store,
                "format {format}"
            );
            words_that_are_none_are_refused(&connection);
            drop(connection);
            what_was_in_it_is_found_by_every_port(&store, format);
            drop(store);
            assert_eq!(verify(&path).unwrap().differences, [], "format {format}");
        }
    }
}

/// How each table and index is made.
fn definitions(connection: &Connection) -> Vec<String> {
    names(
        connection,
        "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name",
    )
}

fn words_that_are_none_are_refused(connection: &Connection) {
    for (table, column) in [
        ("notifications", "kind"),
        ("notification_deliveries", "state"),
        ("redemption_history", "step"),
        ("first_steps", "step"),
    ] {
        let sql = format!("UPDATE {table} SET {column} = 'nonsense'");
        if !rows(connection, table, &[column.to_owned()]).is_empty() {
            let refused = connection.execute(&sql, []).unwrap_err();
            let told = refused.to_string();
            assert!(told.starts_with("CHECK constraint failed"), "{table}: {told}");
        }
    }
}

fn what_was_in_it_is_found_by_every_port(store: &SqliteStore, format: usize) {
    let loaded = load(store);
    assert_eq!((loaded.seq, loaded.issued.len(), loaded.tokens.len()), (9, 3, 1));
    assert!(loaded.coupons[0].paused);
    assert_eq!(wait(store.code_key([9; 16])).unwrap(), [7; 16]);
    assert_eq!(&*wait(store.keys()).unwrap()[0].name, "관리자");
    let log = wait(store.audit_log(&AuditFilter {
        limit: 9,
        ..AuditFilter::default()
    }));
    let actions: Vec<AuditAction> = log.unwrap().iter().map(|entry| entry.action).collect();
    let last = if format >= 6 {
        AuditAction::CouponPaused
    } else {
        AuditAction::CouponChanged
    };
    assert_eq!(actions, [last, AuditAction::CouponCreated]);
    let kim = crate::scene::id(1, 1);
    let issued = wait(store.issued_coupon(kim)).unwrap().unwrap();
    assert_eq!(issued.user, user("kim"));
    if format >= 2 {
        assert_eq!(issued.state(at(START + 9)), IssuedState::Redeemed);
        let history = wait(store.history(kim, 0, 9)).unwrap();
        assert!(
            matches!(history.as_slice(), [one] if matches!(one.step, Step::Redeemed { .. })),
            "{history:?}"
        );
        take(store, &[cancel(1, "a")]);
    }
    take(store, &[redeem(1, "b"), redeem(3, "c")]);
    // The first step may stand elsewhere than those after it.
    let steps = if format >= 2 { vec![1, 2, 3] } else { vec![1] };
    for (after, limit) in [(0, 9), (0, 1), (0, 2), (1, 1), (1, 9), (3, 9)] {
        let page = wait(store.history(kim, after, limit)).unwrap();
        let numbers: Vec<u32> = page.iter().map(|entry| entry.number).collect();
        let expected = steps.iter().filter(|number| **number > after).take(limit);
        assert!(numbers.iter().eq(expected), "format {format}: {numbers:?}");
    }
    if format >= 4 {
        let webhook = wait(store.webhooks()).unwrap().pop().unwrap();
        assert_eq!((webhook.revision, &*webhook.description), (3, "창고"));
        let contact = wait(store.contact(&user("kim"))).unwrap().unwrap();
        assert_eq!(contact.email.as_str(), "kim@example.org");
    }
    if format >= 5 {
        let deliveries = wait(store.deliveries(None, 0, 9)).unwrap();
        let states: Vec<DeliveryState> = deliveries.iter().map(|one| one.state).collect();
        use DeliveryState::{Dead, Delivered, Waiting};
        assert_eq!(states, [Waiting, Dead, Delivered]);
        let failed = wait(store.failed("webhook", 0, 9)).unwrap();
        let letters: Vec<(u64, u64)> = failed.iter().map(|one| (one.letter, one.record.number)).collect();
        assert_eq!(letters, [(if format >= 7 { 4 } else { 1 }, 2)]);
    }
}

#[test]
fn a_store_of_any_format_is_read_at_rest_as_it_will_be_read_when_upgraded_and_stays_as_it_is() {
    for format in 1..=SCRIPTS.len() {
        let scene = Scene::new();
        write(&scene.connection(), format);
        let before = std::fs::read(scene.path()).unwrap();
        let store = StoreAtRest::open(&scene.path()).unwrap();
        let at_rest = load(&store);
        assert_eq!(at_rest.seq, wait(store.applied()).unwrap());
        assert_eq!(wait(store.code_key([9; 16])).unwrap(), [7; 16]);
        let [kim, nobody] = [1, 2].map(|id| store.issued(coupon_id(id)).unwrap());
        assert_eq!((kim, nobody), (3, 0));
        assert!(wait(store.apply(&[])).is_err(), "it takes nothing");
        drop(store);
        assert!(std::fs::read(scene.path()).unwrap() == before, "format {format}");

        let mut upgraded = load(&SqliteStore::open(&scene.path(), SqliteOptions::default()).unwrap());
        if format < WITH_AUDIT_LOG {
            // The upgrade writes down what each revision was.
            for (record, _) in &mut upgraded.tokens {
                assert!(record.actor.action.take().is_some());
            }
        }
        assert_eq!(at_rest, upgraded, "format {format}");
    }
}

#[test]
fn a_store_at_rest_keeps_its_seal_its_log_and_its_want_of_a_key() {
    let scene = Scene::new();
    let store = scene.open();
    wait(store.apply(&[entry(1, vec![revision(coupon(1, Some(5)), 0)])])).unwrap();
    let copy = scene.file("sealed.db");
    store.backup(&copy, Pace::default(), &mut |_| {}).unwrap();
    // As a crash leaves it: the file, and what was committed to the log.
    let crashed = scene.file("crashed.db");
    std::fs::copy(scene.path(), &crashed).unwrap();
    let [log, crashed_log] = [&scene.path(), &crashed].map(|path| format!("{}-wal", path.display()));
    std::fs::copy(log, &crashed_log).unwrap();
    drop(store);
    for (path, files) in [
        (&copy, vec![copy.clone()]),
        (&crashed, vec![crashed.clone(), crashed_log.into()]),
    ] {
        let bytes = || -> Vec<Vec<u8>> { files.iter().map(|file| std::fs::read(file).unwrap()).collect() };
        let before = bytes();
        let store = StoreAtRest::open(path).unwrap();
        assert_eq!(load(&store).coupons.len(), 1);
        assert_eq!(
            wait(store.code_key([9; 16])).unwrap(),
            [9; 16],
            "a key for this time"
        );
        assert_eq!(
            wait(store.code_key([8; 16])).unwrap(),
            [8; 16],
            "which was not kept"
        );
        drop(store);
        assert!(bytes() == before, "{}", path.display());
    }
    assert!(verify(&copy).unwrap().sealed);
}
