//! Databases of every earlier version, filled, and migrated to the newest: nothing in them is lost.

use super::rig::{self, RUNTIME, had, issue, ledger, on_both, redemptions, run};
use coupon_app::contract::user;
use coupon_app::{
    AuditAction, AuditFilter, AuditLog as _, Contacts as _, CouponStore as _, DeliveryState,
    FailedDeliveries as _, KeyStore as _, NotificationOutbox as _, RedemptionAction, RedemptionOutcome,
    RedemptionRequest, RedemptionStore as _, WebhookStore as _,
};
use coupon_core::{
    Actor, Coupon, CouponId, IssuedCouponId, IssuedState, OrderId, Outcome, Position, Timestamp, UserId,
};
use coupon_testkit::{Sql, SqlDatabase, SqlEngine};
use sqlx::mysql::MySqlPoolOptions;
use std::collections::BTreeMap;
use store_mysql::{LedgerOptions, MysqlStore, OpenError, RedemptionOptions, StoreOptions};

/// The scripts as they were released.
const SCRIPTS: [&str; 9] = [
    include_str!("../../migrations/0001_first.sql"),
    include_str!("../../migrations/0002_redemption.sql"),
    include_str!("../../migrations/0003_addresses.sql"),
    include_str!("../../migrations/0004_roll_call.sql"),
    include_str!("../../migrations/0005_administration.sql"),
    include_str!("../../migrations/0006_notifications.sql"),
    include_str!("../../migrations/0007_lost_positions.sql"),
    include_str!("../../migrations/0008_dismissed.sql"),
    include_str!("../../migrations/0009_failed_deliveries.sql"),
];

/// When everything happened that is in the tables.
const AT: i64 = 1_790_000_000_000_000;
/// When the issued coupons end.
const END: i64 = 253_402_300_799_999_999;

fn coupon(revision: u32) -> Coupon {
    let at = Timestamp::from_micros(AT).unwrap();
    Coupon {
        id: CouponId::FIRST,
        revision,
        terms: rig::open_now(5),
        paused: false,
        closed_at: None,
        deleted: false,
        created_at: at,
        revised_at: at,
    }
}

/// Makes the tables of this version, by the library that has always made them.
fn migrate_to(database: &SqlDatabase, version: usize) {
    use sqlx::migrate::{Migration, MigrationType, Migrator};
    let url = database.url().to_owned();
    let migrating = async move {
        let migration = |(script, version): (&&'static str, i64)| {
            let script = sqlx::SqlSafeStr::into_sql_str(*script);
            Migration::new(version, "earlier".into(), MigrationType::Simple, script, true)
        };
        let scripts = SCRIPTS[..version].iter().zip(1..).map(migration);
        let mut migrator = Migrator::with_migrations(scripts.collect());
        migrator.set_locking(false);
        let pool = MySqlPoolOptions::new()
            .max_connections(1)
            .connect(&url)
            .await
            .unwrap();
        migrator.run(&pool).await.unwrap();
        pool.close().await;
    };
    let thread = std::thread::spawn(move || RUNTIME.block_on(migrating));
    thread.join().unwrap();
}

/// A row in every table that this version has: a coupon of two revisions, three issued, of which one is redeemed from
/// the version on in which that has a history.
fn fill(database: &SqlDatabase, version: usize) {
    let say = |sql: String| {
        database
            .query(&sql)
            .unwrap_or_else(|error| panic!("{sql}: {error}"))
    };
    let json = |revision| {
        let json = serde_json::to_string(&coupon(revision)).unwrap();
        json.replace('\\', "\\\\").replace('\'', "\\'")
    };
    say("UPDATE meta SET last_coupon_id = 1, code_key = REPEAT(CHAR(7), 16)".to_owned());
    say(format!(
        "INSERT INTO coupons (id, revision, epoch, quantity, deleted, issued, highest_position, first_issued_at,
             last_issued_at, first_expiry, last_expiry, fence, fence_given, coupon)
         VALUES (1, 2, 3, 5, 0, 3, 3, {AT}, {AT}, {END}, {END}, 4, 5, '{}')",
        json(2)
    ));
    say("INSERT INTO coupon_uses (coupon_id, redeemed) VALUES (1, 0)".to_owned());
    for revision in [1, 2] {
        say(format!(
            "INSERT INTO coupon_revisions (coupon_id, revision, coupon, issued, actor, revised_at)
             VALUES (1, {revision}, '{}', 0, 'key-1', {AT} + {revision})",
            json(revision)
        ));
    }
    for (position, name) in [(1, "user-1"), (2, "USER-1"), (3, "쿠폰 \"")] {
        say(format!(
            "INSERT INTO issued_coupons (coupon_id, position, user_id, issued_at, expires_at, key_hash, epoch)
             VALUES (1, {position}, '{name}', {AT}, {END}, 18446744073709551615, 3)"
        ));
    }
    for table in [
        "quarantine (fingerprint, coupon_id, epoch, position, user_id, reason, record)
             VALUES (REPEAT('f', 16), 1, 2, 3, 'lee', 'stale-epoch', '{}')"
            .to_owned(),
        format!(
            "command_tokens (scope, payload, coupon_id, revision, decided_at)
                 VALUES (REPEAT('s', 16), REPEAT('p', 16), 1, 2, {AT})"
        ),
        format!("ledger_sessions VALUES (REPEAT('i', 16), 7, {AT})"),
        format!(
            "api_keys (id, name, scopes, secret_hash, created_at)
                 VALUES ('key-1', '관리자', 'admin', REPEAT('h', 32), {AT})"
        ),
    ] {
        say(format!("INSERT INTO {table}"));
    }
    if version >= 2 {
        say(format!(
            "UPDATE issued_coupons SET redeemed_at = {AT} + 5, order_id = 'a', order_amount = 50000,
                 discount_amount = 5000, steps = 1, last_step_at = {AT} + 5 WHERE position = 1"
        ));
        say("UPDATE coupon_uses SET redeemed = 1".to_owned());
        say(format!(
            "INSERT INTO redemption_history VALUES (1, 1, 1, 'redeemed', {AT} + 5, 'till', 'a', 50000, 5000)"
        ));
        say(format!(
            "INSERT INTO redemption_tokens VALUES (REPEAT('s', 16), REPEAT('p', 16), 1, 1, 1, {AT} + 5)"
        ));
    }
    if version >= 3 {
        say(format!(
            "INSERT INTO webhooks (revision, url, description, kinds, secret, previous_secret, previous_until, created_at)
             VALUES (3, 'https://shop.example/hook', '창고', 'all', REPEAT('n', 32), REPEAT('o', 32), {END}, {AT})"
        ));
        say("INSERT INTO contacts VALUES ('user-1', 'kim@example.org', '김', 'ko')".to_owned());
    }
    if version >= 4 {
        say("UPDATE coupons SET lost = 2".to_owned());
        say(format!(
            "INSERT INTO ledger_servers VALUES (REPEAT('i', 16), {AT}, 1, 1)"
        ));
    }
    if version >= 5 {
        say(format!(
            "INSERT INTO audit_log (at, actor, request_id, action, coupon_id, revision)
             VALUES ({AT} + 1, 'key-1', 'r-1', 'coupon.created', 1, 1), ({AT} + 2, 'key-1', 'r-2', 'coupon.resumed', 1, 2)"
        ));
        say(format!(
            "UPDATE api_keys SET expires_at = {END}, last_used_at = {AT}"
        ));
    }
    if version >= 6 {
        say("INSERT INTO issued_blocks (coupon_id, block, held, surveyed) VALUES (1, 0, 3, 3)".to_owned());
        say("INSERT INTO announcements VALUES (1, 3)".to_owned());
        say(format!(
            "INSERT INTO notifications (coupon_id, position, kind, detail, at, done_at)
             VALUES (1, 1, 'redeemed', 1, {AT} + 5, NULL), (1, 1, 'issued', 0, {AT}, {AT})"
        ));
        say(format!(
            "INSERT INTO notification_deliveries (notification, channel, recipient, state, attempts, due_at, report)
             VALUES (1, 'mail', 'holder', 'waiting', 2, {AT} + 9, 'later'),
                    (1, 'webhook', '1', 'dead', 10, NULL, 'not accepted'),
                    (2, 'mail', 'holder', 'delivered', 1, NULL, 'taken')"
        ));
        say(format!(
            "INSERT INTO jobs (name, began_at, ended_at, done) VALUES ('expire', {AT}, {AT}, 7)"
        ));
    }
    if version >= 8 {
        say("UPDATE quarantine SET dismissed = 1".to_owned());
    }
    if version >= 9 {
        say("UPDATE notification_deliveries SET letter = 4 WHERE state = 'dead'".to_owned());
        say("UPDATE meta SET last_letter = 7".to_owned());
    }
}

/// What stands in each column of each table, row by row, in hexadecimal digits.
type Content = BTreeMap<String, (Vec<String>, Vec<Vec<String>>)>;

fn names(database: &SqlDatabase, sql: &str) -> Vec<String> {
    let found = database.query(sql).unwrap();
    found.iter().map(|row| row[0].clone().unwrap()).collect()
}

fn rows(database: &SqlDatabase, table: &str, columns: &[String]) -> Vec<Vec<String>> {
    let shown: Vec<String> = columns
        .iter()
        .map(|name| format!("COALESCE(HEX(`{name}`), '-')"))
        .collect();
    let order: Vec<String> = (1..=columns.len()).map(|column| column.to_string()).collect();
    let (shown, order) = (shown.join(", "), order.join(", "));
    let found = database.query(&format!("SELECT {shown} FROM {table} ORDER BY {order}"));
    rig::text(&found.unwrap())
}

fn content(database: &SqlDatabase) -> Content {
    let tables = names(
        database,
        "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() \
         AND table_name <> '_sqlx_migrations'",
    );
    let filled = |table: String| {
        let columns = names(
            database,
            &format!(
                "SELECT column_name FROM information_schema.columns WHERE table_schema = DATABASE() \
                 AND table_name = '{table}' ORDER BY ordinal_position"
            ),
        );
        let rows = rows(database, &table, &columns);
        (table, (columns, rows))
    };
    tables.into_iter().map(filled).collect()
}

fn a_filled_database_of_any_earlier_version_is_migrated_and_loses_nothing(engine: SqlEngine) {
    let server = had!(coupon_testkit::or_skip(Sql::shared(engine)));
    for version in 1..=SCRIPTS.len() {
        let database = server.fresh_database().unwrap();
        migrate_to(&database, version);
        fill(&database, version);
        let before = content(&database);
        for (table, (_, rows)) in &before {
            assert!(!rows.is_empty(), "version {version}: nothing to lose in {table}");
        }
        let url = database.url().to_owned();
        let opening = std::thread::spawn(move || {
            RUNTIME.block_on(async move { MysqlStore::open(&url, StoreOptions::default()).await })
        });
        match opening.join().unwrap() {
            Ok(_store) => assert_eq!(version, SCRIPTS.len()),
            Err(OpenError::NotMigrated { .. }) => {}
            Err(other) => panic!("version {version}: {other}"),
        }
        // Twice: what is done is not done again.
        let database = rig::migrated(rig::migrated(database));
        for (table, (columns, kept)) in &before {
            assert_eq!(
                rows(&database, table, columns),
                *kept,
                "version {version}: {table}"
            );
        }
        run(what_was_in_it_is_found_by_every_port(&database, version));
    }
}

async fn what_was_in_it_is_found_by_every_port(database: &SqlDatabase, version: usize) {
    let store = rig::store(database.url()).await;
    assert_eq!(store.code_key([9; 16]).await.unwrap(), [7; 16]);
    assert_eq!(&*store.keys().await.unwrap()[0].name, "관리자");
    let filter = AuditFilter {
        limit: 9,
        ..AuditFilter::default()
    };
    let log = store.audit_log(&filter).await.unwrap();
    let actions: Vec<AuditAction> = log.iter().map(|entry| entry.action).collect();
    let last = if version >= 5 {
        AuditAction::CouponResumed
    } else {
        AuditAction::CouponChanged
    };
    assert_eq!(actions, [last, AuditAction::CouponCreated], "version {version}");
    let id = IssuedCouponId {
        coupon: CouponId::FIRST,
        position: Position::new(1).unwrap(),
    };
    let issued = store.issued_coupon(id).await.unwrap().unwrap();
    assert_eq!(issued.user, user(1));
    let now = Timestamp::from_micros(AT + 10).unwrap();
    if version >= 2 {
        assert_eq!(issued.state(now), IssuedState::Redeemed);
        let redemptions = redemptions(database.url(), &store, RedemptionOptions::default()).await;
        let cancel = RedemptionRequest {
            id,
            user: None,
            action: RedemptionAction::Cancel(OrderId::parse("a").unwrap()),
            actor: Actor::Key("till".into()),
            audit: None,
            token: None,
        };
        let outcome = redemptions.decide(&[cancel], now).await.unwrap().pop().unwrap();
        assert!(matches!(outcome, RedemptionOutcome::Done { .. }), "{outcome:?}");
    }
    if version >= 3 {
        let webhook = store.webhooks().await.unwrap().pop().unwrap();
        assert_eq!((webhook.revision, &*webhook.description), (3, "창고"));
        let contact = store.contact(&user(1)).await.unwrap().unwrap();
        assert_eq!(contact.email.as_str(), "kim@example.org");
    }
    if version >= 6 {
        let deliveries = store.deliveries(None, 0, 9).await.unwrap();
        let states: Vec<DeliveryState> = deliveries.iter().map(|one| one.state).collect();
        use DeliveryState::{Dead, Delivered, Waiting};
        assert_eq!(states, [Waiting, Dead, Delivered]);
        let failed = store.failed("webhook", 0, 9).await.unwrap();
        let letters: Vec<(u64, u64)> = failed.iter().map(|one| (one.letter, one.record.number)).collect();
        assert_eq!(letters, [(if version >= 9 { 4 } else { 1 }, 2)]);
    }
    // The sale goes on where it stood.
    let ledger = ledger(database.url(), LedgerOptions::default()).await;
    let kim = issue(&ledger, CouponId::FIRST, &user(1)).await.unwrap();
    assert!(matches!(kim, Outcome::AlreadyIssued { .. }), "{kim:?}");
    let lee = UserId::parse("lee").unwrap();
    let lee = issue(&ledger, CouponId::FIRST, &lee).await.unwrap();
    assert!(
        matches!(&lee, Outcome::Issued(grant) if grant.position.get() == 4),
        "{lee:?}"
    );
}

on_both! {
    a_filled_database_of_any_earlier_version_is_migrated_and_loses_nothing
}
