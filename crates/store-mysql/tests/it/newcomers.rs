//! Where only newcomers have asked lately, nobody is looked for beforehand: whoever has one is told so all the same.

use super::rig::{self, batch, create, had, ledger, on_both, rows, run};
use coupon_app::contract::ledger::ask;
use coupon_app::contract::user;
use coupon_app::{Answer, Reply};
use coupon_core::Outcome;
use coupon_testkit::SqlEngine;
use store_mysql::LedgerOptions;

/// An outcome in a word, with its position.
fn word(answer: Answer) -> String {
    match answer {
        Ok(Reply::Issue(Outcome::Issued(grant))) => format!("issued {}", grant.position),
        Ok(Reply::Issue(Outcome::AlreadyIssued { grant, .. })) => format!("has {}", grant.position),
        Ok(Reply::Issue(Outcome::SoldOut)) => "sold out".to_owned(),
        other => format!("{other:?}"),
    }
}

fn whoever_has_one_is_told_so_among_newcomers(engine: SqlEngine) {
    let database = had!(rig::database(engine));
    run(async {
        let here = ledger(database.url(), LedgerOptions::default()).await;
        let elsewhere = ledger(database.url(), LedgerOptions::default()).await;
        let coupon = create(&here, 6).await;
        // Who asks where, and what each is told.
        let batches: [(_, &[(usize, &str)]); 7] = [
            (&here, &[(1, "issued 1"), (2, "issued 2")]),
            (&elsewhere, &[(3, "issued 3")]),
            // The first server has seen newcomers only, and does not know of the third user.
            (&here, &[(4, "issued 4"), (3, "has 3"), (4, "has 4")]),
            (&here, &[(2, "has 2")]),
            (&here, &[(5, "issued 5")]),
            // There is one left: the last two are to be told apart.
            (&here, &[(6, "issued 6"), (7, "sold out"), (1, "has 1")]),
            (&here, &[(8, "sold out"), (6, "has 6")]),
        ];
        for (number, (server, asked)) in batches.into_iter().enumerate() {
            let requests = asked.iter().map(|(n, _)| ask(coupon, &user(*n), None)).collect();
            let told: Vec<String> = batch(server, requests).await.into_iter().map(word).collect();
            let expected: Vec<&str> = asked.iter().map(|(_, told)| *told).collect();
            assert_eq!(told, expected, "batch {number}");
        }
        assert_eq!(rows(&database, coupon).len(), 6);
    });
}

on_both! {
    whoever_has_one_is_told_so_among_newcomers
}
