//! What goes wrong between a ledger and its database: lost answers, deadlocks, locks that last too long, kills.

use super::outside::{Outside, now, until_somebody_waits};
use super::rig::{self, RUNTIME, batch, create, had, issue, ledger, on_both, rows, run};
use coupon_app::contract::ledger::{ask, order};
use coupon_app::contract::user;
use coupon_app::{Answer, CommandOutcome, LedgerError, Reply, Request};
use coupon_core::{Command, CouponId, Outcome};
use coupon_testkit::{FaultProxy, Loss, Sql, SqlDatabase, SqlEngine, SqlOptions, wait_until};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use store_mysql::{DatabaseLedger, LedgerOptions};

/// A ledger with one session that speaks to its database through a proxy, in the clear so that the proxy can read.
async fn behind_a_proxy(database: &SqlDatabase, engine: SqlEngine) -> (FaultProxy, DatabaseLedger) {
    let server = Sql::shared(engine).unwrap();
    let proxy = FaultProxy::to(server.port()).unwrap();
    let url = format!("{}?ssl-mode=disabled", database.url_by_port(proxy.port()));
    let options = LedgerOptions {
        connections: 1,
        find_out_within: Duration::from_millis(300),
        lock_wait: Duration::from_secs(1),
        // Nothing else is to speak meanwhile.
        check_every: Duration::from_secs(3_600),
        ..LedgerOptions::default()
    };
    let ledger = ledger(&url, options).await;
    (proxy, ledger)
}

fn positions(answers: &[Answer]) -> Vec<Option<u32>> {
    let position = |answer: &Answer| match answer {
        Ok(Reply::Issue(Outcome::Issued(grant))) => Some(grant.position.get()),
        _ => None,
    };
    answers.iter().map(position).collect()
}

fn a_commit_whose_answer_was_lost_is_found_out(engine: SqlEngine) {
    let database = had!(rig::database(engine));
    run(async {
        let (proxy, ledger) = behind_a_proxy(&database, engine).await;
        let coupon = create(&ledger, 100).await;
        for round in 0..3_usize {
            proxy.cut_at(b"COMMIT", Loss::Answer, 1);
            let users = (round * 3..round * 3 + 3).map(|n| ask(coupon, &user(n), None));
            let answers = batch(&ledger, users.collect()).await;
            let first = u32::try_from(round * 3).unwrap();
            let expected: Vec<Option<u32>> = (first + 1..=first + 3).map(Some).collect();
            assert_eq!(positions(&answers), expected, "{answers:?}");
            assert_eq!(rows(&database, coupon).len(), round * 3 + 3);
        }
        assert_eq!(
            proxy.counts().matched,
            3,
            "each COMMIT was cut off from its answer"
        );
    });
}

fn a_command_whose_answer_was_lost_is_found_out(engine: SqlEngine) {
    let database = had!(rig::database(engine));
    run(async {
        let (proxy, ledger) = behind_a_proxy(&database, engine).await;
        let coupon = create(&ledger, 100).await;
        for loss in [Loss::Answer, Loss::Request] {
            for command in [Command::Pause, Command::Resume] {
                proxy.cut_at(b"COMMIT", loss, 1);
                let request = Request::Command(Box::new(order(Some(coupon), command)));
                let answers = batch(&ledger, vec![request]).await;
                let Ok(Reply::Command(outcome)) = &answers[0] else {
                    panic!("{answers:?}")
                };
                assert!(matches!(**outcome, CommandOutcome::Done { .. }), "{outcome:?}");
            }
        }
        let revisions = database.query("SELECT COUNT(*) FROM coupon_revisions").unwrap();
        assert_eq!(rig::text(&revisions)[0][0], "5", "each command once");
    });
}

fn a_commit_that_never_arrived_is_decided_again(engine: SqlEngine) {
    let database = had!(rig::database(engine));
    run(async {
        let (proxy, ledger) = behind_a_proxy(&database, engine).await;
        let coupon = create(&ledger, 100).await;
        proxy.cut_at(b"COMMIT", Loss::Request, 1);
        let answers = batch(&ledger, (0..4).map(|n| ask(coupon, &user(n), None)).collect()).await;
        assert_eq!(
            positions(&answers),
            [Some(1), Some(2), Some(3), Some(4)],
            "{answers:?}"
        );
        assert_eq!(rows(&database, coupon).len(), 4);
        assert_eq!(proxy.counts().matched, 1);
    });
}

fn an_end_that_cannot_be_found_out_is_indeterminate_until_asked_again(engine: SqlEngine) {
    let database = had!(rig::database(engine));
    run(async {
        let (proxy, ledger) = behind_a_proxy(&database, engine).await;
        let coupon = create(&ledger, 100).await;
        for (loss, who) in [(Loss::Answer, 1), (Loss::Request, 2)] {
            // The open connection stays, and there is no other.
            proxy.refuse();
            proxy.cut_at(b"COMMIT", loss, 1);
            let told = issue(&ledger, coupon, &user(who)).await;
            assert!(matches!(told, Err(LedgerError::Indeterminate(_))), "{told:?}");
            let meanwhile = issue(&ledger, coupon, &user(3)).await;
            assert!(
                matches!(meanwhile, Err(LedgerError::Unavailable(_))),
                "{meanwhile:?}"
            );
            proxy.mend();
            let again = issue(&ledger, coupon, &user(who)).await.unwrap();
            match loss {
                Loss::Answer => assert!(matches!(again, Outcome::AlreadyIssued { .. }), "{again:?}"),
                Loss::Request => assert!(matches!(again, Outcome::Issued(_)), "{again:?}"),
            }
        }
        assert_eq!(rows(&database, coupon).len(), 2);
    });
}

fn a_connection_lost_before_commit_means_that_nothing_happened(engine: SqlEngine) {
    let database = had!(rig::database(engine));
    run(async {
        let (proxy, ledger) = behind_a_proxy(&database, engine).await;
        let coupon = create(&ledger, 100).await;
        for (pattern, loss) in [
            (&b"FOR UPDATE"[..], Loss::Request),
            (&b"FOR UPDATE"[..], Loss::Answer),
            (&b"INSERT INTO issued_coupons"[..], Loss::Request),
            (&b"INSERT INTO issued_coupons"[..], Loss::Answer),
        ] {
            proxy.refuse();
            proxy.cut_at(pattern, loss, 1);
            let told = issue(&ledger, coupon, &user(1)).await;
            assert!(matches!(told, Err(LedgerError::Unavailable(_))), "{told:?}");
            assert_eq!(rows(&database, coupon), []);
            proxy.mend();
            // With a way to connect again nobody notices.
            reopened(&ledger, coupon).await;
        }
        proxy.cut_at(b"INSERT INTO issued_coupons", Loss::Answer, 1);
        let told = issue(&ledger, coupon, &user(1)).await.unwrap();
        assert!(
            matches!(told, Outcome::Issued(grant) if grant.position.get() == 1),
            "{told:?}"
        );
        assert_eq!(rows(&database, coupon).len(), 1);
    });
}

/// The ledger has a connection again.
async fn reopened(ledger: &DatabaseLedger, coupon: CouponId) {
    let look = Request::Look(Box::new(coupon_app::Look::Coupon(coupon)));
    assert!(batch(ledger, vec![look]).await[0].is_ok());
}

fn a_deadlock_is_tried_again(engine: SqlEngine) {
    let database = had!(rig::database(engine));
    run(async {
        let ledger = Arc::new(
            ledger(
                database.url(),
                LedgerOptions {
                    connections: 1,
                    ..LedgerOptions::default()
                },
            )
            .await,
        );
        let coupon = create(&ledger, 100).await;
        issue(&ledger, coupon, &user(0)).await.unwrap();
        let mut stranger = Outside::of(&database).await;
        // It has changed more rows than the ledger, so that it is not the one that the server gives up.
        let many: Vec<String> = (0..200).map(|n| format!("({n}, 0, 0, 0)")).collect();
        stranger.does("START TRANSACTION").await;
        stranger
            .does(&format!(
                "INSERT INTO coupon_uses (coupon_id, redeemed, revoked, cancelled) VALUES {} \
                 ON DUPLICATE KEY UPDATE redeemed = 0",
                many.join(", ")
            ))
            .await;
        stranger
            .does("SELECT committed FROM ledger_sessions FOR UPDATE")
            .await;
        let asking = Arc::clone(&ledger);
        let told = RUNTIME.spawn(async move { issue(&asking, coupon, &user(1)).await });
        until_somebody_waits(&database).await;
        // The ledger has the coupon and waits for its session; now the other way round.
        stranger
            .does(&format!("SELECT id FROM coupons WHERE id = {coupon} FOR UPDATE"))
            .await;
        stranger.does("ROLLBACK").await;
        let told = told.await.unwrap().unwrap();
        assert!(
            matches!(told, Outcome::Issued(grant) if grant.position.get() == 2),
            "{told:?}"
        );
        assert_eq!(rows(&database, coupon).len(), 2);
    });
}

fn a_lock_that_lasts_too_long_is_unavailable_and_nothing_happened(engine: SqlEngine) {
    let database = had!(rig::database(engine));
    run(async {
        let options = LedgerOptions {
            lock_wait: Duration::from_secs(1),
            decide_within: Duration::from_millis(500),
            ..LedgerOptions::default()
        };
        let ledger = ledger(database.url(), options).await;
        let coupon = create(&ledger, 100).await;
        let mut stranger = Outside::of(&database).await;
        stranger.does("START TRANSACTION").await;
        stranger
            .does(&format!("SELECT id FROM coupons WHERE id = {coupon} FOR UPDATE"))
            .await;
        let told = issue(&ledger, coupon, &user(1)).await;
        assert!(
            matches!(&told, Err(LedgerError::Unavailable(reason)) if reason.to_string().contains("1205")),
            "{told:?}"
        );
        stranger.does("ROLLBACK").await;
        assert_eq!(rows(&database, coupon), []);
        let told = issue(&ledger, coupon, &user(1)).await.unwrap();
        assert!(matches!(told, Outcome::Issued(_)), "{told:?}");
    });
}

fn a_lock_that_is_released_in_time_is_waited_for(engine: SqlEngine) {
    let database = had!(rig::database(engine));
    run(async {
        let options = LedgerOptions {
            lock_wait: Duration::from_secs(1),
            decide_within: Duration::from_secs(20),
            ..LedgerOptions::default()
        };
        let ledger = Arc::new(ledger(database.url(), options).await);
        let coupon = create(&ledger, 100).await;
        let mut stranger = Outside::of(&database).await;
        stranger.does("START TRANSACTION").await;
        stranger
            .does(&format!("SELECT id FROM coupons WHERE id = {coupon} FOR UPDATE"))
            .await;
        let asking = Arc::clone(&ledger);
        let told = RUNTIME.spawn(async move { issue(&asking, coupon, &user(1)).await });
        until_somebody_waits(&database).await;
        // Longer than one statement waits: the first attempt has ended by then.
        stranger.does("DO SLEEP(1.5)").await;
        until_somebody_waits(&database).await;
        stranger.does("ROLLBACK").await;
        let told = told.await.unwrap().unwrap();
        assert!(matches!(told, Outcome::Issued(_)), "{told:?}");
    });
}

fn the_clock_is_read_after_the_lock_is_held(engine: SqlEngine) {
    let database = had!(rig::database(engine));
    run(async {
        let ledger = Arc::new(ledger(database.url(), LedgerOptions::default()).await);
        let coupon = create(&ledger, 100).await;
        let mut stranger = Outside::of(&database).await;
        stranger.does("START TRANSACTION").await;
        stranger
            .does(&format!("SELECT id FROM coupons WHERE id = {coupon} FOR UPDATE"))
            .await;
        let asking = Arc::clone(&ledger);
        let told = RUNTIME.spawn(async move { issue(&asking, coupon, &user(1)).await });
        until_somebody_waits(&database).await;
        let released_at = now(&database);
        stranger.does("ROLLBACK").await;
        let Outcome::Issued(grant) = told.await.unwrap().unwrap() else {
            panic!("it is open")
        };
        assert!(
            grant.issued_at.as_micros() >= released_at,
            "issued {} us before the lock was free",
            released_at - grant.issued_at.as_micros()
        );
    });
}

/// Asks until there is a definite answer.
async fn insist(ledger: &DatabaseLedger, requests: Vec<Request>, asked_again: &AtomicUsize) -> Vec<Outcome> {
    let mut outcomes: BTreeMap<usize, Outcome> = BTreeMap::new();
    while outcomes.len() < requests.len() {
        let open: Vec<usize> = (0..requests.len())
            .filter(|n| !outcomes.contains_key(n))
            .collect();
        let answers = batch(ledger, open.iter().map(|n| requests[*n].clone()).collect()).await;
        for (place, answer) in open.into_iter().zip(answers) {
            match answer {
                Ok(Reply::Issue(outcome)) => drop(outcomes.insert(place, outcome)),
                Ok(other) => panic!("{other:?}"),
                Err(_) => drop(asked_again.fetch_add(1, Ordering::Relaxed)),
            }
        }
        tokio::task::yield_now().await;
    }
    outcomes.into_values().collect()
}

/// What was answered against what is there: every win at its position, and nothing else.
fn hold_against(database: &SqlDatabase, coupon: CouponId, told: &[(String, Outcome)]) {
    let there: BTreeMap<String, u32> = rows(database, coupon)
        .into_iter()
        .map(|(position, user)| (user, position))
        .collect();
    for (user, outcome) in told {
        match outcome {
            Outcome::Issued(grant) | Outcome::AlreadyIssued { grant, .. } => {
                assert_eq!(there.get(user), Some(&grant.position.get()), "I3: {user}");
            }
            Outcome::SoldOut => assert_eq!(there.get(user), None, "I7: {user}"),
            Outcome::NotYetOpen { .. }
            | Outcome::Closed { .. }
            | Outcome::Paused
            | Outcome::UnknownCoupon => {
                panic!("{outcome:?} of a coupon that is open")
            }
        }
    }
    for user in there.keys() {
        assert!(told.iter().any(|(asked, _)| asked == user), "I4: {user}");
    }
}

/// Two servers, several batches each, users who ask at both.
pub(crate) async fn race(
    database: &SqlDatabase,
    options: impl Fn() -> LedgerOptions,
    quantity: u32,
) -> Vec<(String, Outcome)> {
    let mut works = Vec::new();
    let first = ledger(database.url(), options()).await;
    let coupon = create(&first, quantity).await;
    let again = Arc::new(AtomicUsize::new(0));
    for (server, ledger) in [first, ledger(database.url(), options()).await]
        .into_iter()
        .enumerate()
    {
        let again = Arc::clone(&again);
        works.push(RUNTIME.spawn(async move {
            let mut told = Vec::new();
            for round in 0..8_usize {
                let users: Vec<_> = (0..40).map(|n| user(round * 30 + n + server * 7)).collect();
                let requests = users.iter().map(|user| ask(coupon, user, None)).collect();
                let outcomes = insist(&ledger, requests, &again).await;
                told.extend(users.iter().map(|user| user.as_str().to_owned()).zip(outcomes));
            }
            told
        }));
    }
    let mut told = Vec::new();
    for work in works {
        told.extend(work.await.unwrap());
    }
    hold_against(database, coupon, &told);
    let wins: Vec<&(String, Outcome)> = told
        .iter()
        .filter(|(_, outcome)| matches!(outcome, Outcome::Issued(_)))
        .collect();
    assert_eq!(
        wins.len(),
        rows(database, coupon).len(),
        "each is told once that it was issued"
    );
    told
}

fn two_servers_that_race_issue_exactly_what_there_is(engine: SqlEngine) {
    let database = had!(rig::database(engine));
    run(async {
        for quantity in [150, 0] {
            let told = race(&database, LedgerOptions::default, quantity).await;
            let wins = told
                .iter()
                .filter(|(_, outcome)| matches!(outcome, Outcome::Issued(_)))
                .count();
            let users: std::collections::BTreeSet<&String> = told.iter().map(|(user, _)| user).collect();
            let demand = users.len();
            assert_eq!(wins, if quantity == 0 { demand } else { demand.min(150) });
        }
    });
}

fn a_server_killed_in_the_middle_keeps_what_was_answered(engine: SqlEngine) {
    let mut server = had!(rig::server(&SqlOptions::on(engine)));
    let database = rig::migrated(server.fresh_database().unwrap());
    run(async {
        let ledger = Arc::new(ledger(database.url(), LedgerOptions::default()).await);
        let coupon = create(&ledger, 900).await;
        let again = Arc::new(AtomicUsize::new(0));
        let done = Arc::new(AtomicUsize::new(0));
        let killed = Arc::new(AtomicUsize::new(0));
        let (asking, counting, rounds) = (Arc::clone(&ledger), Arc::clone(&again), Arc::clone(&done));
        let kills = Arc::clone(&killed);
        let work = RUNTIME.spawn(async move {
            let mut told = Vec::new();
            // Nobody has asked his last before the last kill.
            let mut round = 0_usize;
            while round < 200 || kills.load(Ordering::Relaxed) < 3 {
                let users: Vec<_> = (0..20).map(|n| user(round * 10 + n)).collect();
                let requests = users.iter().map(|user| ask(coupon, user, None)).collect();
                let outcomes = insist(&asking, requests, &counting).await;
                told.extend(users.iter().map(|user| user.as_str().to_owned()).zip(outcomes));
                round += 1;
                rounds.store(round, Ordering::Relaxed);
            }
            told
        });
        // Blocking here is fine: the work is done elsewhere.
        for kill in [10, 40, 80] {
            assert!(wait_until(Duration::from_secs(30), || done
                .load(Ordering::Relaxed)
                >= kill));
            let before = again.load(Ordering::Relaxed);
            server.kill9();
            let hit = || again.load(Ordering::Relaxed) > before;
            assert!(wait_until(Duration::from_secs(30), hit), "nobody was hit");
            killed.fetch_add(1, Ordering::Relaxed);
            server.restart().unwrap();
        }
        let told = work.await.unwrap();
        hold_against(&database, coupon, &told);
        assert_eq!(
            rows(&database, coupon).len(),
            900,
            "demand has reached the quantity"
        );
    });
}

on_both! {
    a_commit_whose_answer_was_lost_is_found_out
    a_command_whose_answer_was_lost_is_found_out
    a_commit_that_never_arrived_is_decided_again
    an_end_that_cannot_be_found_out_is_indeterminate_until_asked_again
    a_connection_lost_before_commit_means_that_nothing_happened
    a_deadlock_is_tried_again
    a_lock_that_lasts_too_long_is_unavailable_and_nothing_happened
    a_lock_that_is_released_in_time_is_waited_for
    the_clock_is_read_after_the_lock_is_held
    two_servers_that_race_issue_exactly_what_there_is
    a_server_killed_in_the_middle_keeps_what_was_answered
}
