//! The proxy in front of real servers.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use coupon_testkit::{
    Direction, FaultProxy, Loss, Redis, RedisOptions, ServerError, Sql, SqlEngine, or_skip,
};

const LIMIT: Duration = Duration::from_secs(60);

struct Bench {
    redis: Redis,
    proxy: FaultProxy,
}

impl Bench {
    fn set_up() -> Option<Self> {
        let redis = or_skip(Redis::start(&RedisOptions::default()))?;
        let proxy = FaultProxy::to(redis.port()).unwrap();
        Some(Self { redis, proxy })
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.proxy.port())).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream
    }

    /// What Redis has under the key, asked past the proxy.
    fn stored(&self, key: &str) -> String {
        self.redis.command(&["GET", key]).unwrap().text()
    }
}

fn say(stream: &mut TcpStream, words: &str) {
    stream.write_all(format!("{words}\r\n").as_bytes()).unwrap();
}

fn hear(stream: &mut TcpStream, expected: &str) {
    let mut answer = vec![0; expected.len()];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(String::from_utf8(answer).unwrap(), expected);
}

/// The connection ended; a client sees its end or a reset, depending on what it had sent.
fn is_cut(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0; 64]) {
        Ok(count) => count == 0,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

#[test]
fn without_orders_it_passes_everything_on_and_counts() {
    let Some(bench) = Bench::set_up() else { return };
    let mut stream = bench.connect();
    say(&mut stream, "SET key value");
    hear(&mut stream, "+OK\r\n");
    let value = "x".repeat(1 << 20);
    say(
        &mut stream,
        &format!("*3\r\n$3\r\nSET\r\n$5\r\nlarge\r\n${}\r\n{value}", value.len()),
    );
    hear(&mut stream, "+OK\r\n");
    say(&mut stream, "GET large");
    hear(&mut stream, &format!("${}\r\n{value}\r\n", value.len()));
    drop(stream);
    assert!(bench.proxy.wait_until(LIMIT, |counts| counts.open == 0));
    let counts = bench.proxy.counts();
    assert_eq!((counts.accepted, counts.cut, counts.bytes_dropped), (1, 0, 0));
    assert!(counts.bytes_to_server > 1 << 20, "{counts:?}");
    assert!(counts.bytes_to_client > 1 << 20, "{counts:?}");
    assert_eq!(bench.stored("key"), "value");
}

#[test]
fn cut_ends_what_is_open_and_lets_new_ones_through() {
    let Some(bench) = Bench::set_up() else { return };
    let (mut one, mut two) = (bench.connect(), bench.connect());
    assert!(bench.proxy.wait_until(LIMIT, |counts| counts.open == 2));
    bench.proxy.cut();
    assert!(is_cut(&mut one) && is_cut(&mut two));
    assert_eq!(bench.proxy.counts().cut, 2);
    let mut three = bench.connect();
    say(&mut three, "PING");
    hear(&mut three, "+PONG\r\n");
}

#[test]
fn refuse_closes_new_ones_until_mended() {
    let Some(bench) = Bench::set_up() else { return };
    let mut before = bench.connect();
    assert!(bench.proxy.wait_until(LIMIT, |counts| counts.open == 1));
    bench.proxy.refuse();
    assert!(is_cut(&mut bench.connect()));
    assert_eq!(bench.proxy.counts().refused, 1);
    say(&mut before, "PING");
    hear(&mut before, "+PONG\r\n");
    bench.proxy.mend();
    let mut after = bench.connect();
    say(&mut after, "PING");
    hear(&mut after, "+PONG\r\n");
}

#[test]
fn a_server_that_is_down_is_seen_as_a_closed_connection() {
    let Some(mut bench) = Bench::set_up() else { return };
    bench.redis.kill9();
    assert!(is_cut(&mut bench.connect()));
    bench.redis.restart().unwrap();
    let mut stream = bench.connect();
    say(&mut stream, "PING");
    hear(&mut stream, "+PONG\r\n");
}

#[test]
fn what_is_stalled_passes_when_mended() {
    for direction in [Direction::ToServer, Direction::ToClient] {
        let Some(bench) = Bench::set_up() else { return };
        bench.proxy.stall(direction);
        let mut stream = bench.connect();
        say(&mut stream, "SET key value");
        assert!(bench.proxy.wait_until(LIMIT, |counts| counts.stalled == 1));
        // Held on the way there it has not happened; held on the way back it has.
        let expected = if direction == Direction::ToServer {
            ""
        } else {
            "value"
        };
        assert_eq!(bench.stored("key"), expected);
        bench.proxy.mend();
        hear(&mut stream, "+OK\r\n");
        assert_eq!(bench.stored("key"), "value");
    }
}

#[test]
fn swallowed_bytes_leave_the_connection_open() {
    let Some(bench) = Bench::set_up() else { return };
    bench.proxy.drop_after(Direction::ToClient, 3);
    let mut stream = bench.connect();
    say(&mut stream, "SET key value");
    hear(&mut stream, "+OK");
    assert!(bench.proxy.wait_until(LIMIT, |counts| counts.bytes_dropped == 2));
    assert_eq!(bench.proxy.counts().open, 1);
    assert_eq!(bench.stored("key"), "value");
}

#[test]
fn an_answer_can_be_torn() {
    let Some(bench) = Bench::set_up() else { return };
    bench.proxy.cut_after(Direction::ToClient, 2);
    let mut stream = bench.connect();
    say(&mut stream, "SET key value");
    hear(&mut stream, "+O");
    assert!(is_cut(&mut stream));
    assert_eq!(bench.stored("key"), "value");
}

#[test]
fn a_lost_answer_means_that_it_has_happened() {
    let Some(bench) = Bench::set_up() else { return };
    bench.proxy.cut_at(b"SET key", Loss::Answer, 1);
    let mut stream = bench.connect();
    say(&mut stream, "PING");
    hear(&mut stream, "+PONG\r\n");
    say(&mut stream, "SET key value");
    assert!(is_cut(&mut stream));
    assert_eq!(bench.stored("key"), "value");
    assert_eq!(bench.proxy.counts().matched, 1);

    let mut again = bench.connect();
    say(&mut again, "SET key other");
    hear(&mut again, "+OK\r\n");
}

#[test]
fn a_lost_request_means_that_it_has_not_happened() {
    let Some(bench) = Bench::set_up() else { return };
    bench.proxy.cut_at(b"SET key", Loss::Request, 1);
    let mut stream = bench.connect();
    say(&mut stream, "SET key value");
    assert!(is_cut(&mut stream));
    assert_eq!(bench.stored("key"), "");
}

#[test]
fn a_dropped_proxy_frees_its_port_and_its_connections() {
    let Some(bench) = Bench::set_up() else { return };
    let mut stream = bench.connect();
    assert!(bench.proxy.wait_until(LIMIT, |counts| counts.open == 1));
    let port = bench.proxy.port();
    drop(bench.proxy);
    assert!(is_cut(&mut stream));
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

fn commit_without_an_answer(engine: SqlEngine, loss: Loss) {
    let Some(sql) = or_skip(Sql::shared(engine)) else {
        return;
    };
    let database = sql.fresh_database().unwrap();
    database.query("CREATE TABLE t (a INT PRIMARY KEY)").unwrap();
    let proxy = FaultProxy::to(sql.port()).unwrap();
    proxy.cut_at(b"COMMIT", loss, 1);
    let mut session = database.session_by_port(proxy.port()).unwrap();
    session.query("BEGIN").unwrap();
    session.query("INSERT INTO t VALUES (1)").unwrap();
    let error = session.query("COMMIT").unwrap_err();
    assert!(matches!(error, ServerError::Talk { .. }), "{error}");
    assert_eq!((proxy.counts().matched, proxy.counts().cut), (1, 1));
    let rows = database.query("SELECT a FROM t").unwrap();
    assert_eq!(rows.len(), usize::from(loss == Loss::Answer));
}

#[test]
fn on_mariadb_a_commit_whose_answer_is_lost_has_happened() {
    commit_without_an_answer(SqlEngine::MariaDb, Loss::Answer);
}

#[test]
fn on_mysql_a_commit_whose_answer_is_lost_has_happened() {
    commit_without_an_answer(SqlEngine::MySql, Loss::Answer);
}

#[test]
fn on_mariadb_a_commit_that_is_lost_has_not_happened() {
    commit_without_an_answer(SqlEngine::MariaDb, Loss::Request);
}

#[test]
fn on_mysql_a_commit_that_is_lost_has_not_happened() {
    commit_without_an_answer(SqlEngine::MySql, Loss::Request);
}
