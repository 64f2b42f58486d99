//! MariaDB and MySQL.

use coupon_testkit::{ServerError, Sql, SqlEngine, SqlOptions, or_skip};

fn one(sql: &Sql, query: &str) -> String {
    let rows = sql.query(query).unwrap();
    rows[0].last().unwrap().clone().unwrap()
}

fn databases_are_apart(engine: SqlEngine) {
    let Some(sql) = or_skip(Sql::shared(engine)) else {
        return;
    };
    let version = one(sql, "SELECT VERSION()");
    assert_eq!(
        version.contains("MariaDB"),
        engine == SqlEngine::MariaDb,
        "{version}"
    );
    let (first, second) = (sql.fresh_database().unwrap(), sql.fresh_database().unwrap());
    assert_ne!(first.url(), second.url());
    first.query("CREATE TABLE t (a INT, b TEXT)").unwrap();
    first.query("INSERT INTO t VALUES (1, 'x'), (2, NULL)").unwrap();
    let rows = first.query("SELECT a, b FROM t ORDER BY a").unwrap();
    let expected = [
        vec![Some("1".to_owned()), Some("x".to_owned())],
        vec![Some("2".to_owned()), None],
    ];
    assert_eq!(rows, expected);
    let error = second.query("SELECT * FROM t").unwrap_err();
    assert!(matches!(error, ServerError::Refused { .. }), "{error}");
    assert!(error.to_string().contains("1146"), "{error}");

    let name = first.name().to_owned();
    drop(first);
    assert!(
        sql.query(&format!("SHOW DATABASES LIKE '{name}'"))
            .unwrap()
            .is_empty()
    );
}

#[test]
fn databases_on_mariadb_are_apart_and_go_when_dropped() {
    databases_are_apart(SqlEngine::MariaDb);
}

#[test]
fn databases_on_mysql_are_apart_and_go_when_dropped() {
    databases_are_apart(SqlEngine::MySql);
}

fn it_survives_kill_9(engine: SqlEngine) {
    let Some(mut sql) = or_skip(Sql::start(&SqlOptions::on(engine))) else {
        return;
    };
    for (setting, expected) in [
        ("innodb_flush_log_at_trx_commit", "1"),
        ("sync_binlog", "1"),
        ("log_bin", "1"),
    ] {
        assert_eq!(one(&sql, &format!("SELECT @@{setting}")), expected, "{setting}");
    }
    let database = sql.fresh_database().unwrap();
    database.query("CREATE TABLE t (a INT PRIMARY KEY)").unwrap();
    database.query("INSERT INTO t VALUES (7)").unwrap();
    sql.kill9();
    assert!(sql.query("SELECT 1").is_err());
    sql.restart().unwrap();
    let rows = database.query("SELECT a FROM t").unwrap();
    assert_eq!(rows, [[Some("7".to_owned())]]);
}

#[test]
fn kill_9_of_mariadb_loses_nothing_that_was_committed() {
    it_survives_kill_9(SqlEngine::MariaDb);
}

#[test]
fn kill_9_of_mysql_loses_nothing_that_was_committed() {
    it_survives_kill_9(SqlEngine::MySql);
}

fn it_can_be_weak(engine: SqlEngine) {
    let options = SqlOptions::on(engine)
        .set("innodb_flush_log_at_trx_commit", "0")
        .set("sync_binlog", "0")
        .without("log_bin")
        .set("skip-log-bin", "");
    let Some(sql) = or_skip(Sql::start(&options)) else {
        return;
    };
    assert_eq!(one(&sql, "SELECT @@innodb_flush_log_at_trx_commit"), "0");
    assert_eq!(one(&sql, "SELECT @@log_bin"), "0");
}

#[test]
fn a_mariadb_with_weak_settings_can_be_had() {
    it_can_be_weak(SqlEngine::MariaDb);
}

#[test]
fn a_mysql_with_weak_settings_can_be_had() {
    it_can_be_weak(SqlEngine::MySql);
}
