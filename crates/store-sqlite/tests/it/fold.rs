//! Folding in steps: at every moment of a fold the store knows who holds what, and the next step follows the last.

use crate::redeem::{redeem, take};
use crate::scene::{Scene, assert_sound, coupon, entry, issue, revision, user, wait};
use coupon_app::{Applied, CouponStore, Record, RecordStore, WalletFilter};
use std::time::Duration;
use store_sqlite::SqliteStore;

/// So many hold the coupon when the fold begins.
const FOLDED: u32 = 200;

/// A position that nobody may have then.
const GAP: u32 = 7;

/// With each application so many are folded, or eight times as many gathered.
const STEP: usize = 4;

/// Who gets a position: by name, users come in another order.
fn name(position: u32) -> String {
    format!("user-{:03}", position * 37 % 499)
}

/// A store whose fold has gone so many steps; and one whose records have not all come.
fn folding(scene: &Scene, steps: u32) -> SqliteStore {
    folding_those(scene, steps, (1..=FOLDED).collect())
}

fn folding_those(scene: &Scene, steps: u32, positions: Vec<u32>) -> SqliteStore {
    let store = scene.open_stepping(positions.len() + 1, STEP);
    let first = [revision(coupon(1, None), 0)].into_iter();
    let issues = positions.into_iter();
    let issues = issues.map(|position| Record::Issued(issue(1, position, &name(position))));
    wait(store.apply(&[entry(1, first.chain(issues).collect())])).unwrap();
    for step in 1..=steps {
        let position = FOLDED + step;
        let applied = apply(&store, position, &name(position));
        assert_eq!(applied.written, 1);
    }
    store
}

fn apply(store: &SqliteStore, position: u32, user: &str) -> Applied {
    let seq = wait(store.applied()).unwrap() + 1;
    let one = Record::Issued(issue(1, position, user));
    wait(store.apply(&[entry(seq, vec![one])])).unwrap()
}

fn in_index(scene: &Scene) -> usize {
    let connection = scene.connection();
    let count = connection.query_row("SELECT count(*) FROM holders", [], |row| row.get::<_, i64>(0));
    usize::try_from(count.unwrap()).unwrap()
}

fn is_under_way(scene: &Scene) -> bool {
    let connection = scene.connection();
    let count = connection.query_row("SELECT count(*) FROM fold", [], |row| row.get::<_, i64>(0));
    count.unwrap() == 1
}

fn assert_everybody_holds_one(scene: &Scene, store: &SqliteStore, last: u32) {
    let filter = WalletFilter {
        state: None,
        now: crate::scene::at(0),
        after: None,
        limit: 9,
    };
    for position in 1..=last {
        let held = wait(store.wallet(&user(&name(position)), filter)).unwrap();
        let held: Vec<u32> = held.iter().map(|one| one.grant.position.get()).collect();
        assert_eq!(held, [position]);
    }
    assert_sound(scene);
}

/// Does in quiet moments what is left of the fold.
fn finish(scene: &Scene, store: &SqliteStore) {
    while wait(store.settle()).unwrap().is_some() {
        assert_sound(scene);
    }
    assert!(!is_under_way(scene));
}

#[test]
fn each_application_takes_the_fold_a_step_further_and_everybody_is_known_after_it() {
    let scene = Scene::new();
    let store = folding(&scene, 0);
    let (mut last, mut before, mut steps) = (FOLDED, 0, 0);
    assert!(!is_under_way(&scene));
    loop {
        last += 1;
        apply(&store, last, &name(last));
        if !is_under_way(&scene) {
            break;
        }
        let now = in_index(&scene);
        assert!(now - before <= STEP, "{before}, then {now}");
        (before, steps) = (now, steps + 1);
        assert_everybody_holds_one(&scene, &store, last);
    }
    // It took what was there when it began, with the first application.
    assert_eq!(in_index(&scene), FOLDED as usize + 1);
    assert!(steps >= FOLDED as usize / STEP, "{steps}");
    assert_everybody_holds_one(&scene, &store, last);
}

#[test]
fn a_quiet_moment_takes_a_fold_further_until_it_is_done() {
    let scene = Scene::new();
    let store = folding(&scene, 9);
    let mut before = in_index(&scene);
    let mut steps = 0;
    while wait(store.settle()).unwrap().is_some() {
        let now = in_index(&scene);
        assert!(now > before, "{before}, then {now}");
        (before, steps) = (now, steps + 1);
        assert_everybody_holds_one(&scene, &store, FOLDED + 9);
    }
    assert!(steps > 1, "{steps}");
    assert_eq!(in_index(&scene), FOLDED as usize + 1);
    assert_everybody_holds_one(&scene, &store, FOLDED + 9);
}

#[test]
fn no_moment_is_quiet_while_coupons_are_redeemed() {
    let scene = Scene::new();
    let store = folding(&scene, 9);
    let before = in_index(&scene);
    take(&store, &[redeem(1, "a")]);
    let pause = wait(store.settle()).unwrap().expect("it is not done");
    assert!(pause > Duration::ZERO);
    assert_eq!(in_index(&scene), before, "who redeems need not wait for it");
    // After such a pause it goes on.
    while let Some(pause) = wait(store.settle()).unwrap() {
        wait(async { tokio::time::sleep(pause).await });
    }
    assert!(!is_under_way(&scene));
    assert_everybody_holds_one(&scene, &store, FOLDED + 9);
}

#[test]
fn a_store_that_is_opened_anew_goes_on_with_the_fold_where_it_was() {
    for steps in (1..60).step_by(4) {
        let scene = Scene::new();
        drop(folding(&scene, steps));
        let before = in_index(&scene);
        let store = scene.open_stepping(FOLDED as usize + 1, STEP);
        assert_everybody_holds_one(&scene, &store, FOLDED + steps);
        let last = FOLDED + steps + 1;
        apply(&store, last, &name(last));
        assert!(in_index(&scene) <= before + STEP, "after {steps} steps");
        finish(&scene, &store);
        assert_everybody_holds_one(&scene, &store, last);
    }
}

#[test]
fn nobody_gets_a_second_one_while_a_fold_is_under_way() {
    for steps in (1..60).step_by(8) {
        let scene = Scene::new();
        let store = folding(&scene, steps);
        let next = FOLDED + steps + 1;
        // Of all whom the fold takes, some are folded and some are not; the last came after it had begun.
        for position in (1..=FOLDED).step_by(9).chain([FOLDED + steps]) {
            let applied = apply(&store, next, &name(position));
            assert_eq!(
                (applied.written, applied.quarantined),
                (0, 1),
                "position {position} after {steps} steps"
            );
        }
        finish(&scene, &store);
        assert_everybody_holds_one(&scene, &store, FOLDED + steps);
    }
}

#[test]
fn a_gap_that_is_filled_while_a_fold_is_under_way_is_in_the_index_when_it_is_done() {
    for steps in 1..60 {
        let scene = Scene::new();
        let others = (1..=FOLDED).filter(|position| *position != GAP);
        let store = folding_those(&scene, steps, others.collect());
        assert_eq!(apply(&store, GAP, &name(GAP)).written, 1, "after {steps} steps");
        assert_everybody_holds_one(&scene, &store, FOLDED + steps);
        let again = apply(&store, FOLDED + steps + 1, &name(GAP));
        assert_eq!(again.quarantined, 1, "after {steps} steps");
        finish(&scene, &store);
        assert_everybody_holds_one(&scene, &store, FOLDED + steps);
    }
}
