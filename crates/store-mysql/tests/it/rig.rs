//! Databases for tests: a fresh one, a store and a ledger on it, and questions put to it directly.

use coupon_app::contract::ledger::{ask, order};
use coupon_app::contract::terms;
use coupon_app::{
    Answer, Board, CommandOutcome, IssueLedger, LedgerError, NotificationKinds, Reply, Request,
};
use coupon_core::{Command, CouponId, Outcome, Terms, UserId};
use coupon_testkit::{Sql, SqlDatabase, SqlEngine, SqlOptions};
use std::sync::{Arc, LazyLock};
use store_mysql::{
    DatabaseLedger, LedgerOptions, MysqlRedemptions, MysqlStore, OpenError, RedemptionOptions, StoreOptions,
};
use tokio::runtime::Runtime;

/// Where the SQL of every test is run: the tests' own event loops come and go.
pub(crate) static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
});

/// A database with tables, on the engine's shared server; `None` when the engine cannot be had here.
pub(crate) fn database(engine: SqlEngine) -> Option<SqlDatabase> {
    let server = coupon_testkit::or_skip(Sql::shared(engine))?;
    Some(migrated(server.fresh_database().unwrap()))
}

/// A server of the test's own.
pub(crate) fn server(options: &SqlOptions) -> Option<Sql> {
    coupon_testkit::or_skip(Sql::start(options))
}

/// The same database with tables.
pub(crate) fn migrated(database: SqlDatabase) -> SqlDatabase {
    let url = database.url().to_owned();
    // On a thread of its own, since tests call this from within their event loops.
    let migrating = std::thread::spawn(move || RUNTIME.block_on(MysqlStore::migrate(&url)));
    migrating.join().unwrap().unwrap();
    database
}

/// Empties every table: as good as a fresh database, and quicker.
pub(crate) fn empty(database: &SqlDatabase) {
    for table in [
        "coupons",
        "coupon_uses",
        "coupon_revisions",
        "issued_coupons",
        "redemption_history",
        "redemption_tokens",
        "quarantine",
        "command_tokens",
        "ledger_sessions",
        "api_keys",
        "webhooks",
        "contacts",
        "ledger_servers",
        "audit_log",
        "issued_blocks",
        "announcements",
        "notifications",
        "notification_deliveries",
        "jobs",
    ] {
        database.query(&format!("DELETE FROM {table}")).unwrap();
    }
    database
        .query("UPDATE meta SET last_coupon_id = 0, code_key = NULL, reminders = '', last_letter = 0")
        .unwrap();
}

pub(crate) async fn store(url: &str) -> MysqlStore {
    store_writing(url, NotificationKinds::NONE).await
}

/// A store that writes notifications of these kinds.
pub(crate) async fn store_writing(url: &str, notifications: NotificationKinds) -> MysqlStore {
    let url = url.to_owned();
    let options = StoreOptions {
        notifications: notifications.into(),
        ..StoreOptions::default()
    };
    let opening = async move { MysqlStore::open(&url, options).await };
    RUNTIME.spawn(opening).await.unwrap().unwrap()
}

/// What redeems in that store.
pub(crate) async fn redemptions(
    url: &str,
    store: &MysqlStore,
    options: RedemptionOptions,
) -> MysqlRedemptions {
    let (url, store) = (url.to_owned(), store.clone());
    let opening = async move { MysqlRedemptions::open(&url, &store, &options) };
    RUNTIME.spawn(opening).await.unwrap().unwrap()
}

pub(crate) async fn try_ledger(
    url: &str,
    options: LedgerOptions,
    board: &Arc<Board>,
) -> Result<DatabaseLedger, OpenError> {
    let (url, board) = (url.to_owned(), Arc::clone(board));
    let opening = async move { DatabaseLedger::open(&url, options, board).await };
    RUNTIME.spawn(opening).await.unwrap()
}

pub(crate) async fn ledger(url: &str, options: LedgerOptions) -> DatabaseLedger {
    try_ledger(url, options, &Arc::default()).await.unwrap()
}

/// One batch.
pub(crate) async fn batch(ledger: &DatabaseLedger, mut requests: Vec<Request>) -> Vec<Answer> {
    let mut answers = Vec::new();
    ledger.commit(&mut requests, &mut answers).await;
    answers
}

/// One issue.
pub(crate) async fn issue(
    ledger: &DatabaseLedger,
    coupon: CouponId,
    user: &UserId,
) -> Result<Outcome, LedgerError> {
    match batch(ledger, vec![ask(coupon, user, None)])
        .await
        .pop()
        .unwrap()?
    {
        Reply::Issue(outcome) => Ok(outcome),
        other @ (Reply::Command(_) | Reply::Look(_)) => panic!("{other:?}"),
    }
}

/// A new coupon with these terms.
pub(crate) async fn create_with(ledger: &DatabaseLedger, terms: Terms) -> CouponId {
    let create = order(None, Command::Create(Box::new(terms)));
    let answer = batch(ledger, vec![Request::Command(Box::new(create))])
        .await
        .pop()
        .unwrap();
    match answer.unwrap() {
        Reply::Command(outcome) => match *outcome {
            CommandOutcome::Done { coupon, .. } => coupon.id,
            other @ (CommandOutcome::Refused(_) | CommandOutcome::TokenReused) => panic!("{other:?}"),
        },
        other @ (Reply::Issue(_) | Reply::Look(_)) => panic!("{other:?}"),
    }
}

/// Terms whose window is open by every real clock.
pub(crate) fn open_now(count: u32) -> Terms {
    let mut wanted = terms(count);
    wanted.window =
        coupon_core::Window::new(coupon_core::Timestamp::MIN, coupon_core::Timestamp::MAX).unwrap();
    wanted.validity = coupon_core::Validity::Until(coupon_core::Timestamp::MAX);
    wanted
}

/// A new coupon that is open by every real clock.
pub(crate) async fn create(ledger: &DatabaseLedger, count: u32) -> CouponId {
    create_with(ledger, open_now(count)).await
}

/// Positions and users in the table, and the count beside the coupon.
pub(crate) fn rows(database: &SqlDatabase, coupon: CouponId) -> Vec<(u32, String)> {
    let found = database
        .query(&format!(
            "SELECT position, CONVERT(user_id USING utf8mb4) FROM issued_coupons WHERE coupon_id = {coupon} ORDER BY position"
        ))
        .unwrap();
    let found: Vec<(u32, String)> = text(&found)
        .into_iter()
        .map(|row| (row[0].parse().unwrap(), row[1].clone()))
        .collect();
    let counted = database
        .query(&format!("SELECT issued FROM coupons WHERE id = {coupon}"))
        .unwrap();
    assert_eq!(
        text(&counted)[0][0].parse::<usize>().unwrap(),
        found.len(),
        "I9: the count is the rows"
    );
    let positions: Vec<u32> = found.iter().map(|(position, _)| *position).collect();
    assert_eq!(
        positions,
        (1..=u32::try_from(found.len()).unwrap()).collect::<Vec<_>>(),
        "I5"
    );
    found
}

/// Rows as text.
pub(crate) fn text(rows: &coupon_testkit::Rows) -> Vec<Vec<String>> {
    rows.iter()
        .map(|row| {
            row.iter()
                .map(|value| value.clone().unwrap_or_default())
                .collect()
        })
        .collect()
}

/// Runs a test on an event loop of its own.
pub(crate) fn run(case: impl Future<Output = ()>) {
    coupon_app::contract::run(case);
}

/// The value, or the end of a test that cannot be held here.
macro_rules! had {
    ($wanted:expr) => {
        match $wanted {
            Some(had) => had,
            None => return,
        }
    };
}
pub(crate) use had;

/// One test for each case on one engine.
macro_rules! on {
    ($name:ident, $engine:expr; $($case:ident)*) => {
        mod $name {
            use coupon_testkit::SqlEngine;
            $(
                #[test]
                fn $case() {
                    super::$case($engine);
                }
            )*
        }
    };
}

/// One test for each case on each engine.
macro_rules! on_both {
    ($($case:ident)*) => {
        $crate::rig::on! { mariadb, SqlEngine::MariaDb; $($case)* }
        $crate::rig::on! { mysql, SqlEngine::MySql; $($case)* }
    };
}
pub(crate) use {on, on_both};
