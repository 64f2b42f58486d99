//! The tables themselves: their schema, their last line of defence, and the indexes that questions use.

use super::rig::{self, RUNTIME, batch, create, had, ledger, on_both, run};
use coupon_app::contract::ledger::ask;
use coupon_app::contract::user;
use coupon_app::{AuditAction, AuditFilter, AuditLog, CommandRequest, Origin, Request};
use coupon_core::Command;
use coupon_testkit::{Sql, SqlDatabase, SqlEngine};
use store_mysql::{LedgerOptions, MysqlStore, OpenError, StoreOptions};

async fn open(database: &SqlDatabase) -> Result<MysqlStore, OpenError> {
    let url = database.url().to_owned();
    let opening = async move { MysqlStore::open(&url, StoreOptions::default()).await };
    RUNTIME.spawn(opening).await.unwrap()
}

fn tables_of_another_version_are_left_alone(engine: SqlEngine) {
    let server = had!(coupon_testkit::or_skip(Sql::shared(engine)));
    let database = server.fresh_database().unwrap();
    run(async {
        assert!(matches!(
            open(&database).await,
            Err(OpenError::NotMigrated { found: 0, .. })
        ));
        let database = rig::migrated(database);
        open(&database).await.unwrap();
        database
            .query("INSERT INTO _sqlx_migrations VALUES (99, 'later', NOW(), TRUE, '', 0)")
            .unwrap();
        assert!(matches!(
            open(&database).await,
            Err(OpenError::NewerSchema { found: 99, .. })
        ));
        let url = database.url().to_owned();
        let migrated = RUNTIME
            .spawn(async move { MysqlStore::migrate(&url).await })
            .await
            .unwrap();
        assert!(matches!(migrated, Err(OpenError::NewerSchema { found: 99, .. })));
    });
}

fn whatever_else_goes_wrong_a_user_and_a_position_are_unique(engine: SqlEngine) {
    let database = had!(rig::database(engine));
    let insert = |position: u32, user: &str| {
        database.query(&format!(
            "INSERT INTO issued_coupons (coupon_id, position, user_id, issued_at, expires_at, epoch) \
             VALUES (1, {position}, '{user}', 0, 1, 1)"
        ))
    };
    insert(1, "kim").unwrap();
    assert!(insert(2, "kim").is_err(), "one per user");
    assert!(insert(1, "lee").is_err(), "one per position");
    insert(2, "Kim").unwrap();
    insert(3, "kim ").unwrap();
}

fn questions_use_an_index_even_when_statistics_are_old(engine: SqlEngine) {
    let database = had!(rig::database(engine));
    run(async {
        let ledger = ledger(database.url(), LedgerOptions::default()).await;
        let coupon = create(&ledger, 0).await;
        // The statistics are those of an empty table; then come many rows.
        database
            .query("ALTER TABLE issued_coupons STATS_AUTO_RECALC = 0")
            .unwrap();
        database.query("ANALYZE TABLE issued_coupons").unwrap();
        for round in 0..3 {
            let crowd = (0..4_000).map(|n| ask(coupon, &user(round * 4_000 + n), None));
            batch(&ledger, crowd.collect()).await;
        }
        let users: Vec<String> = (0..900).map(|n| format!("'{}'", user(n * 13).as_str())).collect();
        let users = users.join(", ");
        let questions = [
            (
                format!(
                    "SELECT user_id, position, key_hash FROM issued_coupons FORCE INDEX (holder) \
                     WHERE coupon_id = {coupon} AND user_id IN ({users})"
                ),
                "holder",
            ),
            (
                "SELECT * FROM issued_coupons WHERE user_id = 'user-1' ORDER BY issued_at DESC, coupon_id DESC LIMIT 100"
                    .to_owned(),
                "holder",
            ),
            (
                format!("SELECT * FROM issued_coupons WHERE coupon_id = {coupon} AND position > 9000 ORDER BY position LIMIT 100"),
                "PRIMARY",
            ),
        ];
        for (question, index) in questions {
            let plan = database
                .query(&format!("EXPLAIN FORMAT=JSON {question}"))
                .unwrap();
            let plan = rig::text(&plan).concat().concat();
            assert!(plan.contains(index), "{question}: {plan}");
            assert!(!plan.contains("\"access_type\": \"ALL\""), "{plan}");
        }
        // What the server really reads for the users of a batch: about one row each, not the coupon.
        let counted = counted(
            &database,
            &format!(
                "SELECT COUNT(*) FROM issued_coupons FORCE INDEX (holder) WHERE coupon_id = {coupon} AND user_id IN ({users})"
            ),
        );
        assert!(counted < 4_000, "{counted} rows were read to find 900");
    });
}

fn a_command_is_in_the_audit_log_when_it_is_answered(engine: SqlEngine) {
    let database = had!(rig::database(engine));
    run(async {
        let ledger = ledger(database.url(), LedgerOptions::default()).await;
        let coupon = create(&ledger, 0).await;
        let ask = |request: &str, command: Command| {
            Request::Command(Box::new(CommandRequest {
                coupon: Some(coupon),
                if_match: None,
                actor: Origin::of_request("key-7".into(), request).of_command(&command, None),
                command,
                token: None,
            }))
        };
        // The second changes nothing, and the last is refused.
        for (request, command) in [
            ("r-1", Command::Pause),
            ("r-2", Command::Pause),
            ("r-3", Command::Close),
            ("r-4", Command::Resume),
        ] {
            batch(&ledger, vec![ask(request, command)]).await;
        }
        let store = rig::store(database.url()).await;
        let filter = AuditFilter {
            actor: Some("key-7".into()),
            limit: 9,
            ..AuditFilter::default()
        };
        let log = store.audit_log(&filter).await.unwrap();
        let told: Vec<_> = log
            .iter()
            .map(|entry| (entry.action, entry.request.as_deref()))
            .collect();
        assert_eq!(
            told,
            [
                (AuditAction::CouponClosed, Some("r-3")),
                (AuditAction::CouponPaused, Some("r-1"))
            ]
        );
    });
}

/// Rows that the server reads to answer a question.
fn counted(database: &SqlDatabase, question: &str) -> i64 {
    let url = database.url().to_owned();
    let question = question.to_owned();
    std::thread::spawn(move || {
        RUNTIME.block_on(async {
            let mut connection = <sqlx::mysql::MySqlConnection as sqlx::Connection>::connect(&url)
                .await
                .unwrap();
            sqlx::raw_sql("FLUSH STATUS")
                .execute(&mut connection)
                .await
                .unwrap();
            sqlx::raw_sql(sqlx::AssertSqlSafe(question))
                .execute(&mut connection)
                .await
                .unwrap();
            let status = sqlx::raw_sql("SHOW SESSION STATUS LIKE 'Handler_read%'")
                .fetch_all(&mut connection)
                .await
                .unwrap();
            status
                .iter()
                .map(|row| {
                    sqlx::Row::try_get_unchecked::<String, _>(row, 1)
                        .unwrap()
                        .parse::<i64>()
                        .unwrap()
                })
                .sum()
        })
    })
    .join()
    .unwrap()
}

on_both! {
    tables_of_another_version_are_left_alone
    whatever_else_goes_wrong_a_user_and_a_position_are_unique
    questions_use_an_index_even_when_statistics_are_old
    a_command_is_in_the_audit_log_when_it_is_answered
}
