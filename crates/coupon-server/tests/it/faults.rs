//! Faults in the middle of a sale, on real processes and engines. After each the invariants are counted: in every case
//! not one too many, and what was answered stays true, or is counted and named as lost.

mod sale;

use crate::fleet::{Fleet, wait_for};
use coupon_testkit::{
    Direction, FaultProxy, Loss as Lost, Redis, RedisOptions, Sql, SqlEngine, SqlOptions, or_skip,
};
use rustix::process::Signal;
use sale::{Loss, Sale};
use serde_json::{Value, json};

/// Before something goes wrong, so many have won.
const BEFORE: usize = 30;

fn script(ack: &str) -> Value {
    json!({ "strategy": "redis-script", "ack": ack })
}

fn under(strategy: &str) -> Value {
    json!({ "strategy": strategy })
}

/// A sale at two servers and two workers, and what goes wrong with it.
fn goes_wrong(terms: &Value, loss: Loss, fault: impl FnOnce(&mut Sale)) {
    let Some(mut sale) = Sale::of_two(terms) else {
        return;
    };
    sale.until_won(BEFORE);
    fault(&mut sale);
    sale.finish(loss);
}

#[test]
fn a_killed_server_takes_nothing_with_it() {
    for strategy in ["redis-script", "database", "redis-lock"] {
        goes_wrong(&under(strategy), Loss::Nothing, |sale| {
            sale.kill_server(0);
            sale.until_felt(3);
            sale.start_server(0);
        });
    }
}

#[test]
fn a_killed_worker_takes_nothing_with_it() {
    goes_wrong(&script("ledger"), Loss::Nothing, |sale| {
        sale.kill_worker(0);
        sale.kill_worker(1);
        sale.until_won(BEFORE + 20);
        sale.start_worker(0);
        sale.start_worker(1);
    });
}

#[test]
fn a_killed_redis_that_kept_its_file_has_lost_nothing() {
    for ack in ["ledger", "store"] {
        goes_wrong(&script(ack), Loss::Nothing, |sale| {
            // So that something is on its way when it happens.
            sale.kill_worker(0);
            sale.kill_worker(1);
            sale.until_won(BEFORE + 20);
            sale.fleet.redis.kill9();
            sale.until_unavailable(3);
            sale.fleet.redis.restart().unwrap();
            // Whoever takes the state anew brings what is on its way to the store itself: nobody else is there.
            sale.until_taken_anew();
            sale.start_worker(0);
            sale.start_worker(1);
        });
    }
}

#[test]
fn a_killed_redis_stops_locks_and_nothing_else() {
    goes_wrong(&under("redis-lock"), Loss::Nothing, |sale| {
        sale.fleet.redis.kill9();
        sale.until_unavailable(3);
        sale.fleet.redis.restart_empty().unwrap();
    });
}

#[test]
fn what_is_lost_with_an_empty_restart_is_counted_and_never_used_again() {
    goes_wrong(&script("ledger"), Loss::Counted, |sale| {
        sale.fleet.redis.restart_empty().unwrap();
    });
}

#[test]
fn what_is_lost_with_a_flush_is_counted_and_never_used_again() {
    goes_wrong(&script("ledger"), Loss::Counted, |sale| {
        // Some are known to the store, and hold what they hold in the state that is taken anew too.
        sale.hold(true);
        sale.until_stored(10);
        sale.fleet.redis.command(&["FLUSHALL"]).unwrap();
        sale.hold(false);
        // Closed until it is reconciled, and whoever asks is told when to come back.
        sale.until_unavailable(1);
    });
}

#[test]
fn nothing_that_waited_for_the_store_is_lost_with_redis() {
    goes_wrong(&script("store"), Loss::Unanswered, |sale| {
        sale.fleet.redis.command(&["FLUSHALL"]).unwrap();
        sale.until_won(2 * BEFORE);
        sale.fleet.redis.restart_empty().unwrap();
    });
}

#[test]
fn whoever_dies_while_it_reopens_a_coupon_is_followed_by_another() {
    goes_wrong(&script("ledger"), Loss::Counted, |sale| {
        // While this one sleeps, whoever leads waits for it.
        sale.servers[1].as_ref().unwrap().signal(Signal::STOP);
        let calls = sale.number("SELECT number FROM ledger_call");
        sale.fleet.redis.command(&["FLUSHALL"]).unwrap();
        // It has told what it has seen, which nobody else knows.
        let told = format!(
            "SELECT COUNT(*) FROM ledger_servers JOIN ledger_call ON answered = number WHERE number > {calls}"
        );
        wait_for(|| (sale.number(&told) > 0).then_some(()));
        sale.kill_server(0);
        sale.servers[1].as_ref().unwrap().signal(Signal::CONT);
        sale.start_server(0);
    });
}

#[test]
fn a_flushed_script_cache_is_not_noticed() {
    goes_wrong(&script("ledger"), Loss::Nothing, |sale| {
        for more in 0..5 {
            sale.until_won(BEFORE + 5 * more);
            sale.fleet.redis.command(&["SCRIPT", "FLUSH", "SYNC"]).unwrap();
        }
    });
}

#[test]
fn a_full_memory_refuses_until_there_is_room() {
    goes_wrong(&script("ledger"), Loss::Nothing, |sale| {
        let limit = |bytes| {
            sale.fleet
                .redis
                .command(&["CONFIG", "SET", "maxmemory", bytes])
                .unwrap()
        };
        limit("1");
        sale.until_unavailable(5);
        limit("0");
    });
}

/// A sale in which everybody reaches Redis through a proxy, and a replica takes its place that has not heard of the
/// last issues.
fn a_lagging_replica_is_promoted(ack: &str, loss: Loss) {
    let Some(fleet) = Fleet::open() else { return };
    let Some(replica) = or_skip(Redis::start(&RedisOptions::durable())) else {
        return;
    };
    let proxy = FaultProxy::to(fleet.redis.port()).unwrap();
    let url = fleet.database.url().to_owned();
    let serve = || fleet.serve_at(&url, proxy.port(), &[]);
    let work = || {
        let working = fleet.command_at(&url, proxy.port(), &["work", "--listen", "127.0.0.1:0"]);
        crate::harness::Server::start(working)
    };
    let (servers, workers) = (vec![serve(), serve()], vec![work(), work()]);
    let sale = Sale::open(fleet, servers, workers, &script(ack));
    let port = sale.fleet.redis.port().to_string();
    replica.command(&["REPLICAOF", "127.0.0.1", &port]).unwrap();
    sale.until_won(BEFORE);
    wait_for(|| {
        let state = format!("firstcome:{{{}}}:state", sale.id());
        let issued = replica
            .command(&["HGET", &state, "issued"])
            .ok()?
            .text()
            .parse::<u32>();
        (issued.ok()? >= 10).then_some(())
    });
    replica.command(&["REPLICAOF", "NO", "ONE"]).unwrap();
    sale.until_won(BEFORE + 20);
    proxy.retarget(replica.port());
    proxy.cut();
    sale.finish(loss);
}

#[test]
fn a_promoted_replica_that_lagged_is_brought_up_to_the_store() {
    a_lagging_replica_is_promoted("ledger", Loss::Counted);
}

#[test]
fn a_promoted_replica_that_lagged_costs_nothing_that_waited_for_the_store() {
    a_lagging_replica_is_promoted("store", Loss::Unanswered);
}

#[test]
fn a_killed_database_comes_back_with_everything() {
    for terms in [
        under("database"),
        under("redis-lock"),
        script("ledger"),
        script("store"),
    ] {
        let Some(fleet) = Fleet::on(&SqlOptions::on(SqlEngine::MariaDb)) else {
            return;
        };
        let mut sale = Sale::on(fleet, &terms);
        sale.until_won(BEFORE);
        let database = sale.fleet.own.as_mut().unwrap();
        database.kill9();
        if terms["strategy"] != "redis-script" {
            sale.until_unavailable(3);
        }
        let database = sale.fleet.own.as_mut().unwrap();
        database.restart().unwrap();
        sale.finish(Loss::Nothing);
    }
}

#[test]
fn a_lock_holder_that_sleeps_past_its_lease_writes_nothing_late() {
    let Some(fleet) = Fleet::open() else { return };
    let short = ["--set", "redis.lock_lease_ms=100"];
    let servers = vec![fleet.serve(&short), fleet.serve(&short)];
    let sale = Sale::open(fleet, servers, Vec::new(), &under("redis-lock"));
    for more in 1..=6 {
        sale.until_won(10 * more);
        let sleeper = sale.servers[more % 2].as_ref().unwrap();
        sleeper.signal(Signal::STOP);
        let lock = format!("firstcome:lock:coupon:{}", sale.id());
        // Whoever held it then, a lease later somebody else does, or nobody.
        let owner = sale.fleet.redis.command(&["GET", &lock]).unwrap().text();
        wait_for(|| {
            let now = sale.fleet.redis.command(&["GET", &lock]).unwrap().text();
            (now != owner || now.is_empty()).then_some(())
        });
        sleeper.signal(Signal::CONT);
    }
    sale.finish(Loss::Nothing);
}

#[test]
fn a_lock_is_renewed_by_its_owner_while_a_batch_takes_long() {
    let Some(fleet) = Fleet::open() else { return };
    let Some(database) = or_skip(Sql::shared(SqlEngine::MariaDb)) else {
        return;
    };
    let proxy = FaultProxy::to(database.port()).unwrap();
    let url = fleet.database.url_by_port(proxy.port());
    let server = fleet.serve_at(&url, fleet.redis.port(), &["--set", "redis.lock_lease_ms=500"]);
    let caller = crate::fleet::admin(&server);
    let coupon = crate::fleet::publish(&caller, 5, &under("redis-lock"));
    proxy.stall(Direction::ToServer);
    let asking = {
        let (caller, coupon) = (caller.clone(), coupon.clone());
        std::thread::spawn(move || caller.issue(&coupon, "alice"))
    };
    let lock = format!("firstcome:lock:coupon:{}", coupon.rsplit('/').next().unwrap());
    let ask = |what: &str| fleet.redis.command(&[what, &lock]).unwrap().text();
    let left_ms = || ask("PTTL").parse::<i64>().unwrap();
    let mut least = wait_for(|| Some(left_ms()).filter(|left| *left > 0));
    let mut renewals = 0;
    // A lease that has more time left than it had has been renewed.
    wait_for(|| {
        let left = left_ms();
        renewals += i32::from(left > least);
        least = left;
        (renewals >= 6).then_some(())
    });
    proxy.mend();
    assert_eq!(asking.join().unwrap().0, reqwest::StatusCode::CREATED);
    wait_for(|| (ask("EXISTS") == "0").then_some(()));
}

#[test]
fn a_connection_cut_between_commit_and_its_answer_costs_nothing() {
    for strategy in ["database", "redis-lock"] {
        let Some(fleet) = Fleet::open() else { return };
        let Some(database) = or_skip(Sql::shared(SqlEngine::MariaDb)) else {
            return;
        };
        let proxy = FaultProxy::to(database.port()).unwrap();
        let url = fleet.database.url_by_port(proxy.port());
        let servers = vec![fleet.serve_at(&url, fleet.redis.port(), &[]), fleet.serve(&[])];
        let sale = Sale::open(fleet, servers, Vec::new(), &under(strategy));
        for more in 0..3 {
            for loss in [Lost::Answer, Lost::Request] {
                sale.until_won(BEFORE + 10 * more);
                proxy.cut_at(b"COMMIT", loss, 1);
            }
        }
        sale.finish(Loss::Nothing);
    }
}

/// Puts the entries of a stream into another order, and as if they were new to every group.
const SHUFFLE: &str = "\
    local entries = redis.call('XRANGE', KEYS[1], '-', '+') \
    math.randomseed(tonumber(ARGV[1])) \
    for i = #entries, 2, -1 do \
      local j = math.random(i) \
      entries[i], entries[j] = entries[j], entries[i] \
    end \
    redis.call('DEL', KEYS[2]) \
    for _, entry in ipairs(entries) do redis.call('XADD', KEYS[2], '*', unpack(entry[2])) end \
    return #entries";

#[test]
fn what_comes_again_and_again_in_any_order_is_there_once() {
    let Some(fleet) = Fleet::open() else { return };
    let servers = vec![fleet.serve(&[]), fleet.serve(&[])];
    // Nobody takes anything from the stream until it is all there.
    let mut sale = Sale::open(fleet, servers, Vec::new(), &script("ledger"));
    sale.until_told();
    let stream = format!("firstcome:{{{}}}:stream", sale.id());
    let kept = format!("firstcome:{{{}}}:kept", sale.id());
    let redis = |words: &[&str]| sale.fleet.redis.command(words).unwrap();
    redis(&["COPY", &stream, &kept]);
    let whole = redis(&["XLEN", &kept]).text();
    redis(&["EVAL", SHUFFLE, "2", &kept, &stream, "0"]);
    sale.workers = vec![Some(sale.fleet.work()), Some(sale.fleet.work())];
    for seed in ["1", "2", "3", "4"] {
        let empty = || sale.fleet.redis.command(&["XLEN", &stream]).unwrap().text() == "0";
        wait_for(|| empty().then_some(()));
        let again = sale
            .fleet
            .redis
            .command(&["EVAL", SHUFFLE, "2", &kept, &stream, seed]);
        assert_eq!(again.unwrap().text(), whole);
    }
    sale.finish(Loss::Nothing);
}

#[test]
fn a_worker_killed_between_its_commit_and_its_word_to_redis_is_made_up_for() {
    let Some(fleet) = Fleet::open() else { return };
    let done = include_str!("../../../ledger-redis/src/scripts/done.lua");
    let hash = fleet.redis.command(&["SCRIPT", "LOAD", done]).unwrap().text();
    let proxy = FaultProxy::to(fleet.redis.port()).unwrap();
    let servers = vec![fleet.serve(&[]), fleet.serve(&[])];
    let database = fleet.database.url().to_owned();
    let working = fleet.command_at(&database, proxy.port(), &["work", "--listen", "127.0.0.1:0"]);
    let doomed = crate::harness::Server::start(working);
    // It commits, and never gets to say so.
    proxy.cut_at(hash.as_bytes(), Lost::Request, 1_000);
    let mut sale = Sale::open(fleet, servers, vec![doomed], &script("ledger"));
    sale.fleet.await_stored(&sale.coupon, 1);
    assert!(proxy.wait_until(crate::harness::PATIENCE, |counts| counts.matched > 0));
    sale.kill_worker(0);
    sale.start_worker(0);
    sale.finish(Loss::Nothing);
}
