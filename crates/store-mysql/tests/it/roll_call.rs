//! Servers that share a ledger hold still while one of them leads.

use super::rig::{database, store};
use coupon_app::{LedgerIdentity, LedgerMarks, Roll, RollCall, SeenPosition, ServerId};
use coupon_testkit::SqlEngine;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);
const OVER: Duration = Duration::ZERO;

fn server(number: u8) -> ServerId {
    ServerId([number; 16])
}

fn redis(run: &str) -> LedgerIdentity {
    LedgerIdentity {
        run: run.into(),
        replication: "h".repeat(40).into(),
    }
}

fn on_both_engines(test: impl AsyncFn(coupon_testkit::SqlDatabase)) {
    for engine in [SqlEngine::MariaDb, SqlEngine::MySql] {
        if let Some(database) = database(engine) {
            coupon_app::contract::run(test(database));
        }
    }
}

#[test]
fn one_leads_until_it_has_finished_or_its_lease_has_ended() {
    on_both_engines(async |database| {
        let calls = store(database.url()).await;
        let [one, two] = [server(1), server(2)];
        let nobody = Roll {
            call: 0,
            running: false,
            trusted: None,
            others_open: 0,
        };
        assert_eq!(calls.attend(one, false).await.unwrap(), nobody);
        assert_eq!(calls.lead(one, LONG).await.unwrap(), Some(1));
        assert_eq!(calls.lead(two, LONG).await.unwrap(), None);
        assert_eq!(calls.lead(one, LONG).await.unwrap(), Some(1), "who leads goes on");
        assert!(calls.attend(two, false).await.unwrap().running);
        assert!(
            !calls.finish(two, 1, Some(&redis("x"))).await.unwrap(),
            "it does not lead"
        );
        assert!(calls.finish(one, 1, Some(&redis("a"))).await.unwrap());
        assert!(
            !calls.finish(one, 1, Some(&redis("x"))).await.unwrap(),
            "it has finished"
        );
        let roll = calls.attend(two, false).await.unwrap();
        assert_eq!(
            (roll.call, roll.running, roll.trusted),
            (1, false, Some(redis("a")))
        );
        // A leader that dies.
        assert_eq!(calls.lead(two, OVER).await.unwrap(), Some(2));
        assert_eq!(
            calls.lead(one, LONG).await.unwrap(),
            Some(3),
            "under a number of its own"
        );
        assert!(!calls.finish(two, 2, Some(&redis("x"))).await.unwrap());
        assert!(calls.finish(one, 3, None).await.unwrap());
        let roll = calls.attend(two, false).await.unwrap();
        assert_eq!(roll.trusted, Some(redis("a")), "what was trusted before");
    });
}

#[test]
fn the_living_are_waited_for_and_what_they_have_seen_is_never_used_again() {
    on_both_engines(async |database| {
        let calls = store(database.url()).await;
        let ledger = super::rig::ledger(database.url(), Default::default()).await;
        let coupon = super::rig::create_with(&ledger, super::rig::open_now(9)).await;
        let [one, two] = [server(1), server(2)];
        for server in [one, two] {
            calls.attend(server, true).await.unwrap();
        }
        assert_eq!(calls.attend(one, true).await.unwrap().others_open, 1);
        assert_eq!(calls.lead(one, LONG).await.unwrap(), Some(1));
        assert_eq!(calls.unanswered(1).await.unwrap(), 2);
        let seen = |position| [SeenPosition { coupon, position }];
        calls.answer(two, 1, &seen(7)).await.unwrap();
        calls.answer(one, 1, &seen(5)).await.unwrap();
        calls.answer(one, 1, &seen(5)).await.unwrap();
        assert_eq!(calls.unanswered(1).await.unwrap(), 0);
        assert_eq!(calls.mark(coupon).await.unwrap().unwrap().highest, 7);
        let raised = calls.raise_epoch(coupon, 1, 3).await.unwrap().unwrap();
        assert_eq!((raised.highest, raised.lost), (7, 7));
        assert_eq!(calls.unanswered(2).await.unwrap(), 2, "the next call is another");
        calls.leave(two).await.unwrap();
        assert_eq!(
            calls.unanswered(2).await.unwrap(),
            1,
            "who has left is not waited for"
        );
        database
            .query("UPDATE ledger_servers SET attended_at = attended_at - 10000000")
            .unwrap();
        assert_eq!(
            calls.unanswered(2).await.unwrap(),
            0,
            "nor who is not heard of any more"
        );
    });
}
