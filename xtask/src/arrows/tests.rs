//! Graphs with one wrong arrow each: every rule must be able to fail.

use super::*;

const HOUSE: &[&str] = &[
    "coupon-api",
    "coupon-app",
    "coupon-bench",
    "coupon-compat",
    "coupon-core",
    "coupon-http",
    "coupon-rehearsal",
    "coupon-server",
    "coupon-testkit",
    "coupon-worker",
    "events-kafka",
    "ledger-journal",
    "ledger-redis",
    "notify",
    "store-mysql",
    "store-sqlite",
    "xtask",
];

/// `a -> b`, `a -> b [feature]`, or `a ~> b` for a dependency of tests.
fn arrow(text: &str) -> Arrow {
    let (text, features) = match text.split_once(" [") {
        Some((text, feature)) => (text, vec![feature.trim_end_matches(']').to_owned()]),
        None => (text, Vec::new()),
    };
    let for_tests = text.contains(" ~> ");
    let (from, to) = text
        .split_once(if for_tests { " ~> " } else { " -> " })
        .expect("an arrow");
    Arrow {
        from: from.to_owned(),
        to: to.to_owned(),
        for_tests,
        features,
    }
}

fn errors(arrows: &[&str]) -> Vec<String> {
    let graph = Graph {
        ours: HOUSE.iter().map(|&name| name.to_owned()).collect(),
        arrows: arrows.iter().map(|text| arrow(text)).collect(),
    };
    graph.errors()
}

#[test]
fn every_arrow_that_the_house_needs_is_allowed() {
    let needed = [
        "coupon-core -> serde",
        "coupon-core -> thiserror",
        "coupon-core ~> proptest",
        "coupon-app -> coupon-core",
        "coupon-app -> tokio",
        "coupon-app ~> coupon-app [contract]",
        "coupon-api -> coupon-core",
        "ledger-journal -> coupon-app",
        "ledger-journal -> coupon-core",
        "ledger-journal ~> coupon-app [contract]",
        "ledger-journal ~> ledger-journal [sim]",
        "ledger-redis ~> coupon-testkit",
        "store-sqlite -> coupon-app",
        "events-kafka -> coupon-app",
        "notify -> coupon-core",
        "coupon-http -> coupon-api",
        "coupon-http -> coupon-app",
        "coupon-compat -> coupon-api",
        "coupon-worker -> coupon-app",
        "coupon-rehearsal -> coupon-api",
        "coupon-rehearsal -> coupon-core",
        "coupon-server -> ledger-journal",
        "coupon-server -> coupon-rehearsal",
        "coupon-server ~> coupon-testkit",
        "coupon-bench -> coupon-app [contract]",
        "coupon-bench -> ledger-journal [sim]",
        "coupon-bench -> coupon-server",
        "xtask -> clap",
    ];
    assert_eq!(errors(&needed), [""; 0]);
}

#[test]
fn every_arrow_that_the_house_forbids_is_named() {
    let forbidden = [
        "coupon-core -> tokio",
        "coupon-core -> coupon-app",
        "coupon-app -> coupon-http",
        "coupon-app -> store-sqlite",
        "coupon-app ~> store-sqlite",
        "coupon-api -> coupon-app",
        "ledger-journal -> store-sqlite",
        "ledger-journal ~> store-sqlite",
        "ledger-redis -> ledger-journal",
        "store-sqlite -> ledger-journal",
        "store-mysql -> coupon-api",
        "events-kafka -> notify",
        "notify -> coupon-http",
        "coupon-http -> store-sqlite",
        "coupon-http ~> ledger-journal",
        "coupon-compat -> coupon-http",
        "coupon-worker -> store-mysql",
        "coupon-rehearsal -> coupon-app",
        "coupon-rehearsal -> coupon-http",
        "coupon-server -> coupon-bench",
        "coupon-server -> coupon-testkit",
        "ledger-redis -> coupon-testkit",
        "coupon-testkit -> coupon-app",
        "coupon-bench -> xtask",
        "xtask -> coupon-core",
        "xtask ~> coupon-core",
        // What is for tests stays out of the product.
        "coupon-server -> coupon-app [contract]",
        "coupon-server -> ledger-journal [sim]",
        "ledger-journal -> coupon-app [contract]",
    ];
    for text in forbidden {
        let errors = errors(&[text]);
        assert_eq!(errors.len(), 1, "{text}: {errors:?}");
        let Arrow { from, to, .. } = arrow(text);
        assert!(
            errors[0].starts_with(&format!("{from} -> {to}: ")),
            "{text}: {errors:?}"
        );
    }
}

#[test]
fn an_unknown_crate_is_told_where_to_register() {
    let graph = Graph {
        ours: BTreeSet::from(["coupon-lottery".to_owned()]),
        arrows: Vec::new(),
    };
    let errors = graph.errors();
    assert_eq!(errors.len(), 1);
    assert!(errors[0].contains("xtask/src/arrows/rooms.rs"), "{errors:?}");
}
