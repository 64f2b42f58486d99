//! Applying entries: atomic, in order, idempotent, complete.

use crate::scene::{
    EXPIRY, START, Scene, assert_sound, at, coupon, coupon_id, entry, id, issue, issues, load, revised,
    revision, token, user, wait, with_token,
};
use coupon_app::limits::COMMAND_TOKEN_LIFE_US;
use coupon_app::{Applied, CouponStore, Entry, Record, RecordStore, WalletFilter};
use coupon_core::Quantity;
use std::num::NonZeroU32;

fn sale(coupon_number: u32, quantity: u32, count: u32, batch: u32) -> Vec<Entry> {
    let mut entries = vec![entry(1, vec![revision(coupon(coupon_number, Some(quantity)), 0)])];
    for (seq, from) in (2..).zip((1..=count).step_by(usize::try_from(batch).unwrap())) {
        entries.push(entry(
            seq,
            issues(coupon_number, from, (from + batch - 1).min(count)),
        ));
    }
    entries
}

#[test]
fn what_was_applied_is_loaded_again_after_a_restart() {
    let scene = Scene::new();
    let entries = sale(1, 100, 100, 9);
    let store = scene.open();
    assert_eq!(wait(store.applied()).unwrap(), 0);
    let applied = wait(store.apply(&entries)).unwrap();
    assert_eq!(
        applied,
        Applied {
            seq: 13,
            written: 100,
            redelivered: 0,
            quarantined: 0
        }
    );
    let before = load(&store);
    drop(store);
    let after = load(&scene.open());
    assert_eq!(before, after);
    assert_eq!(after.seq, 13);
    assert_eq!(after.coupons, [coupon(1, Some(100))]);
    let expected: Vec<Record> = issues(1, 1, 100);
    assert_eq!(
        after.issued.into_iter().map(Record::Issued).collect::<Vec<_>>(),
        expected
    );
    assert_eq!(assert_sound(&scene).issued, 100);
}

#[test]
fn entries_that_were_applied_are_skipped_and_a_gap_writes_nothing() {
    let scene = Scene::new();
    let store = scene.open();
    let entries = sale(1, 100, 40, 10);
    wait(store.apply(&entries[..2])).unwrap();
    let again = wait(store.apply(&entries[..3])).unwrap();
    assert_eq!((again.seq, again.written, again.redelivered), (3, 10, 0));
    let nothing = wait(store.apply(&entries[..3])).unwrap();
    assert_eq!(
        nothing,
        Applied {
            seq: 3,
            ..Applied::default()
        }
    );
    let before = load(&store);
    let gap = wait(store.apply(&entries[4..])).unwrap_err();
    assert!(!gap.retriable);
    assert!(
        gap.to_string().contains("entry 4 is due, and entry 5 came"),
        "{gap}"
    );
    let inner_gap = wait(store.apply(&[entries[3].clone(), entry(6, issues(1, 31, 31))]));
    assert!(inner_gap.is_err());
    assert_eq!(load(&store), before);
    wait(store.apply(&entries)).unwrap();
    assert_eq!(load(&store).issued.len(), 40);
    assert_sound(&scene);
}

#[test]
fn the_same_user_with_the_same_position_is_a_redelivery() {
    let scene = Scene::new();
    let store = scene.open();
    wait(store.apply(&sale(1, 100, 20, 20))).unwrap();
    let before = load(&store);
    let again = wait(store.apply(&[entry(3, issues(1, 11, 30))])).unwrap();
    assert_eq!((again.written, again.redelivered, again.quarantined), (10, 10, 0));
    let after = load(&store);
    assert_eq!(after.issued[..20], before.issued[..]);
    assert_eq!(after.issued.len(), 30);
    assert_eq!(wait(store.tally(coupon_id(1), at(START))).unwrap().issued, 30);
    assert_sound(&scene);
}

#[test]
fn a_revision_in_the_middle_of_a_batch_raises_the_quantity_for_what_follows() {
    let scene = Scene::new();
    let store = scene.open();
    let first = coupon(1, Some(5));
    let second = revised(first.clone(), |coupon| {
        coupon.terms.quantity = Quantity::limited(NonZeroU32::new(8).unwrap());
    });
    let mut records = vec![revision(first, 0)];
    records.extend(issues(1, 1, 5));
    records.push(revision(second.clone(), 5));
    records.extend(issues(1, 6, 8));
    let applied = wait(store.apply(&[entry(1, records)])).unwrap();
    assert_eq!((applied.written, applied.quarantined), (8, 0));
    assert_eq!(load(&store).coupons, [second]);
    let revisions: Vec<(u32, u32)> = scene
        .connection()
        .prepare("SELECT position, coupon_revision FROM issued_coupons ORDER BY id")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(
        revisions[4..6],
        [(5, 1), (6, 2)],
        "each issue knows the revision that it was made under"
    );
    assert_sound(&scene);
}

#[test]
fn many_coupons_in_one_batch_keep_their_own_counts() {
    let scene = Scene::new();
    let store = scene.open();
    let mut records: Vec<Record> = (1..=20).map(|number| revision(coupon(number, None), 0)).collect();
    for position in 1..=9 {
        for number in (1..=20).rev() {
            records.push(Record::Issued(issue(
                number,
                position,
                &format!("user-{position}"),
            )));
        }
    }
    let applied = wait(store.apply(&[entry(1, records)])).unwrap();
    assert_eq!(applied.written, 180);
    let filter = WalletFilter {
        state: None,
        now: at(START),
        after: None,
        limit: 100,
    };
    let wallet = wait(store.wallet(&user("user-4"), filter)).unwrap();
    assert_eq!(wallet.len(), 20);
    let loaded = load(&store).issued;
    assert!(loaded.is_sorted_by_key(|one| (one.coupon, one.grant.position)));
    assert_sound(&scene);
}

#[test]
fn tokens_live_for_a_day_after_the_newest() {
    let scene = Scene::new();
    let store = scene.open();
    let mut last = coupon(1, None);
    wait(store.apply(&[entry(1, vec![with_token(last.clone(), 0, Some(token(1, 1)))])])).unwrap();
    last = revised(last, |coupon| coupon.paused = true);
    let paused = last.clone();
    wait(store.apply(&[entry(2, vec![with_token(last.clone(), 3, Some(token(2, 2)))])])).unwrap();
    assert_eq!(load(&store).tokens.len(), 2);
    last = revised(last, |coupon| {
        coupon.paused = false;
        coupon.revised_at = at(START + COMMAND_TOKEN_LIFE_US + 1_000_000);
    });
    wait(store.apply(&[entry(3, vec![with_token(last.clone(), 3, Some(token(3, 3)))])])).unwrap();
    let tokens = load(&store).tokens;
    let kept: Vec<_> = tokens
        .iter()
        .map(|(record, token)| (record.coupon.clone(), record.issued, token.scope[0]))
        .collect();
    assert_eq!(
        kept,
        [(paused, 3, 2), (last, 3, 3)],
        "the first is a day and a second old, the second a day"
    );
    assert_sound(&scene);
}

#[test]
fn what_has_gathered_is_folded_in_a_quiet_moment_if_it_is_worth_it() {
    let scene = Scene::new();
    let store = scene.open_folding(80);
    let folded = || -> u32 {
        let connection = scene.connection();
        let count = connection.query_row("SELECT count(*) FROM holders", [], |row| row.get(0));
        count.unwrap()
    };
    let of_users = |from, to| (from..=to).map(|n| Record::Issued(issue(1, n, &format!("user-{n}"))));
    let mut records = vec![revision(coupon(1, None), 0)];
    records.extend(of_users(1, 9));
    wait(store.apply(&[entry(1, records)])).unwrap();
    wait(store.settle()).unwrap();
    assert_eq!(folded(), 0, "nine are not an eighth of eighty");
    wait(store.apply(&[entry(2, of_users(10, 12).collect())])).unwrap();
    assert_eq!(
        folded(),
        0,
        "and while entries come nothing is folded before eighty"
    );
    wait(store.settle()).unwrap();
    assert_eq!(folded(), 12);
    wait(store.settle()).unwrap();
    wait(store.apply(&[entry(3, of_users(13, 13).collect())])).unwrap();
    let filter = WalletFilter {
        state: None,
        now: at(0),
        after: None,
        limit: 10,
    };
    for n in 1..=13 {
        let wallet = wait(store.wallet(&user(&format!("user-{n}")), filter)).unwrap();
        assert_eq!(wallet.len(), 1, "user-{n}");
    }
    assert_sound(&scene);
}

#[test]
fn one_wallet_page_follows_the_other_newest_first() {
    let scene = Scene::new();
    let store = scene.open_folding(1_000);
    let mut records: Vec<Record> = (1..=9).map(|number| revision(coupon(number, None), 0)).collect();
    records.extend((1..=9).map(|number| Record::Issued(issue(number, 1, "kim"))));
    wait(store.apply(&[entry(1, records)])).unwrap();
    let mut filter = WalletFilter {
        state: None,
        now: at(EXPIRY - 1),
        after: None,
        limit: 4,
    };
    let mut seen = Vec::new();
    loop {
        let page = wait(store.wallet(&user("kim"), filter)).unwrap();
        let Some(last) = page.last() else { break };
        filter.after = Some(coupon_app::WalletCursor {
            issued_at: last.grant.issued_at,
            coupon: last.coupon,
        });
        seen.extend(page.iter().map(|one| one.coupon.get()));
    }
    assert_eq!(seen, [9, 8, 7, 6, 5, 4, 3, 2, 1]);
    assert_eq!(wait(store.wallet(&user("Kim"), filter)).unwrap(), []);
    let one = wait(store.issued_coupon(id(3, 1))).unwrap().unwrap();
    assert_eq!(one.user, user("kim"));
    assert_eq!(wait(store.issued_coupon(id(3, 2))).unwrap(), None);
}
