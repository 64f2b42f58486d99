//! Taking in: atomic, in order, idempotent, complete.

use super::exam::{coupon, entry, issue, issue_for, revised, revised_under};
use super::{Loaded, StoreExam, StoreHarness};
use crate::contract::{START, at, coupon_id, key, terms, token, user};
use crate::limits::COMMAND_TOKEN_LIFE_US;
use crate::{Applied, Origin, Record, RevisedRecord};
use coupon_core::{AckLevel, Coupon, Discount, Strategy, Terms, Timestamp, UserId, Validity, Window};
use std::collections::BTreeMap;

pub fn a_fresh_store_is_empty(harness: &mut dyn StoreHarness) {
    StoreExam::sit(harness, async |exam| {
        assert_eq!(exam.loaded().await, Loaded::default());
        exam.books().coupons.health().await.unwrap();
        exam.reopen().await;
        assert_eq!(exam.loaded().await, Loaded::default());
    });
}

/// Coupons with every field at one of its ends.
fn far_fetched_coupons() -> Vec<Coupon> {
    let sparse = Terms {
        name: "x".into(),
        window: Window::new(Timestamp::MIN, Timestamp::MAX).unwrap(),
        validity: Validity::Until(Timestamp::MAX),
        discount: None,
        min_order_amount: 0,
        strategy: Strategy::RedisScript,
        ack: AckLevel::Store,
        show_remaining: false,
        labels: BTreeMap::new(),
        ..terms(0)
    };
    let rich = Terms {
        name: "쿠폰 🎟️ ' \" \\ %".into(),
        discount: Some(Discount::Amount { value: (1 << 53) - 1 }),
        min_order_amount: (1 << 53) - 1,
        labels: (0..16)
            .map(|n| (format!("key {n}").into(), "값".repeat(n).into()))
            .collect(),
        ..terms(u32::MAX)
    };
    let uncapped = Terms {
        discount: Some(Discount::Percent {
            value: 100,
            max_amount: None,
        }),
        ..terms(1)
    };
    vec![
        coupon(coupon_id(1), sparse),
        Coupon {
            revision: u32::MAX,
            paused: true,
            closed_at: Some(at(-1)),
            created_at: Timestamp::MIN,
            revised_at: Timestamp::MAX,
            ..coupon(coupon_id(2), rich)
        },
        Coupon {
            deleted: true,
            revision: 2,
            ..coupon(coupon_id(3), uncapped)
        },
        coupon(coupon_id((1 << 28) - 1), terms(3)),
    ]
}

pub fn load_gives_back_exactly_what_was_applied(harness: &mut dyn StoreHarness) {
    StoreExam::sit(harness, async |exam| {
        let coupons = far_fetched_coupons();
        let longest = UserId::parse("한".repeat(42)).unwrap();
        let mut issued = vec![
            issue_for(coupon_id(1), &user(1), 1, Timestamp::MIN, 0),
            issue_for(coupon_id(1), &longest, 2, START, 1),
            issue_for(coupon_id(1), &user(3), u32::MAX, Timestamp::MAX, 9),
            issue_for(coupon_id(2), &user(1), 1, START, 1),
        ];
        for (record, number) in issued.iter_mut().zip([1, u64::MAX, 1 << 63]) {
            record.key = key(number);
        }
        // Out of the order in which they are to be loaded.
        let mut records: Vec<Record> = coupons.iter().rev().cloned().map(revised).collect();
        records.extend([3, 0, 1, 2].map(|n: usize| Record::Issued(issued[n].clone())));
        let applied = exam.apply(records).await;
        let expected = Applied {
            seq: 8,
            written: 4,
            ..Applied::default()
        };
        assert_eq!(applied, expected);
        let expected = Loaded {
            coupons,
            issued,
            tokens: vec![],
            applied: 8,
        };
        assert_eq!(exam.loaded().await, expected);
        exam.reopen().await;
        assert_eq!(exam.loaded().await, expected);
    });
}

pub fn the_last_revision_counts(harness: &mut dyn StoreHarness) {
    StoreExam::sit(harness, async |exam| {
        let first = coupon(coupon_id(1), terms(5));
        let second = Coupon {
            revision: 2,
            paused: true,
            ..first.clone()
        };
        let third = Coupon {
            revision: 3,
            deleted: true,
            ..second.clone()
        };
        exam.apply(vec![revised(first), revised(second.clone())]).await;
        assert_eq!(exam.loaded().await.coupons, [second]);
        exam.apply(vec![revised(third.clone())]).await;
        assert_eq!(exam.loaded().await.coupons, [third]);
    });
}

pub fn entries_that_were_applied_are_skipped(harness: &mut dyn StoreHarness) {
    StoreExam::sit(harness, async |exam| {
        let one = coupon(coupon_id(1), terms(0));
        let paused = Coupon {
            revision: 2,
            paused: true,
            ..one.clone()
        };
        let entries = [
            entry(1, vec![revised(one), issue(coupon_id(1), &user(1), 1)]),
            entry(2, vec![issue(coupon_id(1), &user(2), 2), revised(paused)]),
            entry(3, vec![issue(coupon_id(1), &user(3), 3)]),
        ];
        exam.apply_entries(&entries[..2]).await;
        let before = exam.loaded().await;
        for again in [&entries[..2], &entries[..1], &entries[1..2], &[]] {
            let applied = exam.apply_entries(again).await;
            assert_eq!((applied.seq, applied.written, applied.quarantined), (2, 0, 0));
            assert_eq!(exam.loaded().await, before);
        }
        exam.reopen().await;
        let applied = exam.apply_entries(&entries).await;
        assert_eq!((applied.seq, applied.written, applied.quarantined), (3, 1, 0));
        let loaded = exam.loaded().await;
        assert_eq!(loaded.issued.len(), 3);
        assert!(loaded.coupons[0].paused, "an old revision does not come back");
    });
}

pub fn a_gap_is_refused_and_nothing_is_written(harness: &mut dyn StoreHarness) {
    StoreExam::sit(harness, async |exam| {
        let one = |seq| {
            entry(
                seq,
                vec![revised(coupon(coupon_id(u32::try_from(seq).unwrap()), terms(1)))],
            )
        };
        let records = std::sync::Arc::clone(&exam.books().records);
        assert!(
            records.apply(&[one(2)]).await.is_err(),
            "the first entry is number 1"
        );
        exam.apply_entries(&[one(1), one(2)]).await;
        let before = exam.loaded().await;
        for gap in [
            vec![one(4)],
            vec![one(3), one(5)],
            vec![one(1), one(2), one(4)],
            vec![one(3), one(4), one(6), one(7)],
            vec![one(4), one(3)],
            vec![one(3), one(3)],
        ] {
            assert!(records.apply(&gap).await.is_err(), "{gap:?}");
            assert_eq!(exam.loaded().await, before, "{gap:?}");
        }
        drop(records);
        exam.apply_entries(&[one(3)]).await;
        assert_eq!(exam.loaded().await.coupons.len(), 3);
    });
}

pub fn the_same_user_with_the_same_position_is_a_redelivery(harness: &mut dyn StoreHarness) {
    StoreExam::sit(harness, async |exam| {
        let id = coupon_id(1);
        exam.apply(vec![
            revised(coupon(id, terms(2))),
            issue(id, &user(1), 1),
            issue(id, &user(2), 2),
        ])
        .await;
        let before = exam.loaded().await.issued;
        let applied = exam
            .apply(vec![issue(id, &user(2), 2), issue(id, &user(1), 1)])
            .await;
        let expected = Applied {
            seq: 5,
            redelivered: 2,
            ..Applied::default()
        };
        assert_eq!(applied, expected, "though the quantity is used up");
        assert_eq!(exam.loaded().await.issued, before);
    });
}

pub fn a_ledgers_decision_is_not_judged_again(harness: &mut dyn StoreHarness) {
    StoreExam::sit(harness, async |exam| {
        let id = coupon_id(1);
        let over = Coupon {
            paused: true,
            closed_at: Some(at(0)),
            ..coupon(id, terms(0))
        };
        let mut records = vec![revised(over)];
        // Before, in and after the window, and long expired.
        for (n, issued_at) in [Timestamp::MIN, START, Timestamp::MAX].into_iter().enumerate() {
            let position = u32::try_from(n).unwrap() + 1;
            records.push(Record::Issued(issue_for(id, &user(n), position, issued_at, 0)));
        }
        let applied = exam.apply(records).await;
        assert_eq!((applied.written, applied.quarantined), (3, 0));
    });
}

pub fn a_great_many_records_are_taken_in_at_once(harness: &mut dyn StoreHarness) {
    StoreExam::sit(harness, async |exam| {
        let id = coupon_id(1);
        let mut entries = vec![entry(1, vec![revised(coupon(id, terms(0)))])];
        let mut position = 0;
        for seq in 2..=60 {
            let batch = (0..100).map(|_| {
                position += 1;
                issue(id, &user(usize::try_from(position).unwrap()), position)
            });
            entries.push(entry(seq, batch.collect()));
        }
        let applied = exam.apply_entries(&entries).await;
        assert_eq!((applied.seq, applied.written), (60, 5_900));
        let loaded = exam.loaded().await;
        let positions: Vec<u32> = loaded.issued.iter().map(|one| one.grant.position.get()).collect();
        assert_eq!(positions, (1..=5_900).collect::<Vec<_>>());
    });
}

pub fn tokens_are_loaded_oldest_first_as_their_command_left_the_coupon(harness: &mut dyn StoreHarness) {
    StoreExam::sit(harness, async |exam| {
        let created = coupon(coupon_id(1), terms(0));
        let paused = Coupon {
            revision: 2,
            paused: true,
            revised_at: at(2_000_000),
            ..created.clone()
        };
        let resumed = Coupon {
            revision: 3,
            revised_at: at(3_000_000),
            ..created.clone()
        };
        // Scopes whose order is not the order of time.
        let commands = [(created, token(9, 1)), (paused, token(1, 2)), (resumed, None)];
        let mut expected = Vec::new();
        let mut records = Vec::new();
        for ((coupon, token), issued) in commands.into_iter().zip([0, 7, 8]) {
            let mut actor = Origin::from(format!("key-{issued}"));
            actor.action = Some(actor.action_on(&coupon));
            let record = RevisedRecord {
                coupon,
                issued,
                lost: 0,
                actor,
                token,
            };
            if let Some(token) = token {
                expected.push((record.clone(), token));
            }
            records.push(Record::Revised(Box::new(record)));
        }
        exam.apply(records).await;
        assert_eq!(exam.loaded().await.tokens, expected);
        exam.reopen().await;
        assert_eq!(exam.loaded().await.tokens, expected);
    });
}

pub fn tokens_live_for_a_day(harness: &mut dyn StoreHarness) {
    StoreExam::sit(harness, async |exam| {
        let at_time = |number: u32, us: i64| Coupon {
            revised_at: at(us),
            ..coupon(coupon_id(number), terms(0))
        };
        exam.apply(vec![
            revised_under(at_time(1, 0), token(1, 1)),
            revised_under(at_time(2, 1_000_000), token(2, 2)),
            revised_under(at_time(3, COMMAND_TOKEN_LIFE_US - 1), token(3, 3)),
        ])
        .await;
        assert_eq!(exam.loaded().await.tokens.len(), 3, "within a day all live");
        let next = at_time(4, COMMAND_TOKEN_LIFE_US + 500_000);
        exam.apply(vec![revised_under(next, token(4, 4))]).await;
        let scopes: Vec<u8> = exam
            .loaded()
            .await
            .tokens
            .iter()
            .map(|(_, token)| token.scope[0])
            .collect();
        assert_eq!(scopes, [2, 3, 4], "the first one's day is over");
        assert_eq!(exam.loaded().await.coupons.len(), 4, "its coupon stays");
    });
}

pub fn a_scope_used_again_after_its_day_is_loaded_once(harness: &mut dyn StoreHarness) {
    StoreExam::sit(harness, async |exam| {
        let first = coupon(coupon_id(1), terms(0));
        let later = Coupon {
            revised_at: at(3 * COMMAND_TOKEN_LIFE_US),
            ..coupon(coupon_id(2), terms(0))
        };
        exam.apply(vec![
            revised_under(first, token(1, 1)),
            revised_under(later.clone(), token(1, 2)),
        ])
        .await;
        let tokens = exam.loaded().await.tokens;
        assert_eq!(tokens.len(), 1);
        assert_eq!((&tokens[0].0.coupon, Some(tokens[0].1)), (&later, token(1, 2)));
    });
}

pub fn the_key_of_the_codes_is_kept_for_ever(harness: &mut dyn StoreHarness) {
    StoreExam::sit(harness, async |exam| {
        let first = std::array::from_fn(|n| if n % 2 == 0 { 0 } else { 0xff });
        assert_eq!(exam.books().records.code_key(first).await.unwrap(), first);
        assert_eq!(exam.books().records.code_key([7; 16]).await.unwrap(), first);
        exam.reopen().await;
        assert_eq!(exam.books().records.code_key([8; 16]).await.unwrap(), first);
    });
}
