//! Servers that are configured too weakly for the promise.

use super::rig::{self, create, had, issue, ledger, on_both, run};
use coupon_app::contract::user;
use coupon_app::{Health, IssueLedger, LedgerError};
use coupon_core::Outcome;
use coupon_testkit::{SqlEngine, SqlOptions};
use std::sync::Arc;
use std::time::Duration;
use store_mysql::{LedgerOptions, OpenError};

fn declaring(names: &[&str]) -> LedgerOptions {
    LedgerOptions {
        declared: names.iter().map(|name| (*name).to_owned()).collect(),
        // Asked for where it matters.
        check_every: Duration::from_secs(3_600),
        ..LedgerOptions::default()
    }
}

fn named(health: &Health, setting: &str) -> bool {
    matches!(health, Health::NotReady(why) if why.contains(setting))
}

fn a_weak_setting_makes_the_ledger_unavailable_until_it_is_strong_or_declared(engine: SqlEngine) {
    let server = had!(rig::server(&SqlOptions::on(engine)));
    let database = rig::migrated(server.fresh_database().unwrap());
    run(async {
        let strict = ledger(database.url(), declaring(&[])).await;
        assert_eq!(strict.health(), Health::Ready);
        let coupon = create(&strict, 100).await;
        let mut cases = vec![
            ("sync_binlog", "0", "1"),
            ("sync_binlog", "100", "1"),
            ("innodb_flush_log_at_trx_commit", "2", "1"),
            ("innodb_flush_log_at_trx_commit", "0", "1"),
            ("max_allowed_packet", "524288", "16777216"),
        ];
        if engine == SqlEngine::MariaDb {
            // MySQL has lost the setting.
            cases.push(("binlog_format", "'STATEMENT'", "'MIXED'"));
        }
        for (n, (setting, weak, strong)) in cases.into_iter().enumerate() {
            server.query(&format!("SET GLOBAL {setting} = {weak}")).unwrap();
            let health = strict.check_settings().await;
            assert!(named(&health, setting), "{setting} = {weak}: {health:?}");
            let told = issue(&strict, coupon, &user(n)).await;
            assert!(matches!(told, Err(LedgerError::Unavailable(_))), "{told:?}");
            // A ledger that is opened meanwhile says so at once; one whose operator declares it does not.
            assert!(named(
                &ledger(database.url(), declaring(&[])).await.health(),
                setting
            ));
            if setting != "binlog_format" {
                // This one nobody can answer for: the server would refuse every write.
                let declared = ledger(database.url(), declaring(&[setting])).await;
                assert_eq!(declared.health(), Health::Ready);
            }
            server.query(&format!("SET GLOBAL {setting} = {strong}")).unwrap();
            assert_eq!(strict.check_settings().await, Health::Ready);
            let told = issue(&strict, coupon, &user(n)).await;
            assert!(matches!(told, Ok(Outcome::Issued(_))), "{told:?}");
        }
    });
}

fn a_clock_that_stands_still_within_a_statement_is_too_weak(engine: SqlEngine) {
    let server = had!(rig::server(&SqlOptions::on(engine).set("sysdate-is-now", "")));
    let database = rig::migrated(server.fresh_database().unwrap());
    run(async {
        let health = ledger(database.url(), declaring(&[])).await.health();
        assert!(named(&health, "sysdate-is-now"), "{health:?}");
    });
}

fn without_a_binary_log_its_settings_do_not_matter(engine: SqlEngine) {
    let options = SqlOptions::on(engine)
        .without("log-bin")
        .set("skip-log-bin", "")
        .set("sync-binlog", "0");
    let server = had!(rig::server(&options));
    let database = rig::migrated(server.fresh_database().unwrap());
    run(async {
        assert_eq!(
            ledger(database.url(), declaring(&[])).await.health(),
            Health::Ready
        );
    });
}

fn a_server_that_cannot_be_asked_is_not_ready_and_then_ready_again(engine: SqlEngine) {
    let mut server = had!(rig::server(&SqlOptions::on(engine)));
    let database = rig::migrated(server.fresh_database().unwrap());
    run(async {
        let ledger = ledger(database.url(), declaring(&[])).await;
        server.stop();
        assert!(named(&ledger.check_settings().await, "cannot be asked"));
        server.restart().unwrap();
        assert_eq!(ledger.check_settings().await, Health::Ready);
    });
}

fn what_is_not_judged_cannot_be_declared(engine: SqlEngine) {
    let database = had!(rig::database(engine));
    run(async {
        let opened = rig::try_ledger(database.url(), declaring(&["fsync"]), &Arc::default()).await;
        assert!(matches!(opened, Err(OpenError::NotASetting(name)) if name == "fsync"));
    });
}

on_both! {
    a_weak_setting_makes_the_ledger_unavailable_until_it_is_strong_or_declared
    a_clock_that_stands_still_within_a_statement_is_too_weak
    without_a_binary_log_its_settings_do_not_matter
    a_server_that_cannot_be_asked_is_not_ready_and_then_ready_again
    what_is_not_judged_cannot_be_declared
}
