//! The outbox: every record exactly once, in order, and kept until it is released.

use super::{Carried, Exam, LedgerHarness, ask, order};
use crate::contract::{coupon_id, key, terms, token, user};
use crate::{AuditAction, CommandRequest, Entry, IssuedRecord, Origin, Record, Request, RevisedRecord};
use coupon_core::{Command, Outcome};

/// Everything that an origin can say. A ledger hands it on as it came.
fn night_shift() -> Origin {
    Origin {
        key: "the night shift".into(),
        request: Some("r-1".into()),
        action: Some(AuditAction::CouponPaused),
        cloned_from: Some(coupon_id(9)),
    }
}

pub fn every_record_is_handed_out_once_in_the_order_of_decision(harness: &mut dyn LedgerHarness) {
    Exam::sit(harness, async |exam| {
        let coupon = exam.create(terms(0)).await;
        let command = CommandRequest {
            actor: night_shift(),
            token: token(7, 8),
            ..order(Some(coupon), Command::Pause)
        };
        let batch = vec![
            ask(coupon, &user(1), key(u64::MAX)),
            ask(coupon, &user(1), None),
            ask(coupon, &user(2), None),
            Request::Command(Box::new(command)),
            ask(coupon, &user(3), None),
        ];
        exam.batch(batch).await;
        let holders = exam.holders(coupon).await;
        let issued = |n: usize, key| {
            Record::Issued(IssuedRecord {
                coupon,
                user: holders[n].0.clone(),
                grant: holders[n].1,
                key,
            })
        };
        let (paused, count) = exam.sees(coupon).await.unwrap();
        let revised = Record::Revised(Box::new(RevisedRecord {
            coupon: paused.as_ref().clone(),
            issued: count,
            lost: 0,
            actor: night_shift(),
            token: token(7, 8),
        }));
        let second = Entry {
            seq: 2,
            records: vec![issued(0, key(u64::MAX)), issued(1, None), revised],
        };
        let entries = exam.entries_after(0).await;
        assert_eq!(
            entries.len(),
            2,
            "one entry for each batch that changed something"
        );
        assert_eq!(entries[1], second);
        exam.crash(Carried::Nothing).await;
        assert_eq!(exam.entries_after(0).await, entries, "a crash changes no entry");
        assert_eq!(exam.entries_after(1).await, [second]);
    });
}

pub fn entries_are_handed_out_whole_and_about_as_many_as_asked_for(harness: &mut dyn LedgerHarness) {
    Exam::sit(harness, async |exam| {
        let coupon = exam.create(terms(0)).await;
        let big = (0..50).map(|n| ask(coupon, &user(n), None)).collect();
        exam.issues(big).await;
        for n in 50..60 {
            exam.wins(coupon, &user(n)).await;
        }
        let first = exam.outbox().next(1, 1).await.unwrap();
        assert_eq!(first[0].records.len(), 50, "an entry is not cut, however large");
        let few = exam.outbox().next(2, 3).await.unwrap();
        let records: usize = few.iter().map(|entry| entry.records.len()).sum();
        assert!(
            (1..=6).contains(&records),
            "{records} records where about 3 were asked for"
        );
        assert_eq!(few[0].seq, 3);
    });
}

pub fn the_outbox_waits_for_news_and_then_hands_it_out(harness: &mut dyn LedgerHarness) {
    Exam::sit(harness, async |exam| {
        let coupon = exam.create(terms(0)).await;
        let outbox = std::sync::Arc::clone(exam.outbox());
        let mut waiting = Box::pin(outbox.next(1, 100));
        assert!(
            futures_util::future::poll_immediate(&mut waiting).await.is_none(),
            "there is nothing to hand out yet"
        );
        assert_eq!(exam.issues(vec![ask(coupon, &user(1), None)]).await.len(), 1);
        let entries = waiting.await.unwrap();
        assert_eq!((entries.len(), entries[0].seq), (1, 2));
    });
}

pub fn what_was_released_is_not_needed_again(harness: &mut dyn LedgerHarness) {
    Exam::sit(harness, async |exam| {
        let coupon = exam.create(terms(0)).await;
        let mut carried = 0;
        for round in 0..6 {
            for n in 0..5 {
                exam.wins(coupon, &user(round * 5 + n)).await;
            }
            exam.crash(if round % 2 == 0 {
                Carried::All
            } else {
                Carried::Half
            })
            .await;
            let applied = exam.store().applied().await.unwrap();
            assert!(applied > carried);
            carried = applied;
        }
        let outcome = exam.issue(coupon, &user(0)).await;
        assert!(matches!(outcome, Outcome::AlreadyIssued { .. }));
    });
}

pub fn numbers_go_on_after_everything_was_released(harness: &mut dyn LedgerHarness) {
    Exam::sit(harness, async |exam| {
        let coupon = exam.create(terms(0)).await;
        exam.wins(coupon, &user(1)).await;
        exam.crash(Carried::All).await;
        exam.crash(Carried::All).await;
        assert_eq!(exam.outbox().durable(), 2);
        exam.wins(coupon, &user(2)).await;
        let entries = exam.entries_after(2).await;
        assert_eq!((entries.len(), entries[0].seq), (1, 3));
        exam.carry(Carried::All).await;
        assert_eq!(exam.store().applied().await.unwrap(), 3);
    });
}

pub fn releasing_again_or_less_changes_nothing(harness: &mut dyn LedgerHarness) {
    Exam::sit(harness, async |exam| {
        let coupon = exam.create(terms(0)).await;
        exam.wins(coupon, &user(1)).await;
        exam.carry(Carried::All).await;
        exam.wins(coupon, &user(2)).await;
        for through in [2, 1, 0] {
            exam.outbox().release(through).await.unwrap();
        }
        assert_eq!(exam.entries_after(2).await.len(), 1);
        exam.crash(Carried::Nothing).await;
        assert_eq!(exam.entries_after(2).await.len(), 1);
    });
}

pub fn what_the_store_has_is_not_pending_after_a_crash(harness: &mut dyn LedgerHarness) {
    Exam::sit(harness, async |exam| {
        let (behind, stored) = (exam.create(terms(0)).await, exam.create(terms(0)).await);
        exam.wins(stored, &user(1)).await;
        exam.wins(behind, &user(1)).await;
        exam.carry(Carried::All).await;
        exam.wins(behind, &user(2)).await;
        exam.crash(Carried::Nothing).await;
        assert_eq!(exam.board().pending(), [behind]);
        let posted = exam.board().get(behind).unwrap();
        assert_eq!((posted.issued, posted.stored), (2, 1));
        exam.crash(Carried::AllUnreleased).await;
        assert_eq!(exam.board().pending(), []);
    });
}

pub fn a_closed_outbox_hands_out_what_is_left_and_then_ends(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        let coupon = exam.create(terms(2)).await;
        exam.wins(coupon, &user(1)).await;
        exam.carry(stage).await;
        let mut last = exam.store().applied().await.unwrap();
        exam.ledger().close().await.unwrap();
        loop {
            let entries = exam.outbox().next(last, 1).await.unwrap();
            let Some(entry) = entries.last() else { break };
            assert_eq!(entry.seq, last + u64::try_from(entries.len()).unwrap());
            last = entry.seq;
        }
        assert_eq!(
            last, 2,
            "a closed outbox hands out what is left, then says that it is empty"
        );
        exam.power_cut().await;
    });
}

pub fn a_closed_outbox_ends_whoever_waits_at_it(harness: &mut dyn LedgerHarness) {
    Exam::sit(harness, async |exam| {
        exam.create(terms(2)).await;
        let outbox = std::sync::Arc::clone(exam.outbox());
        let mut waiting = Box::pin(outbox.next(1, 100));
        assert!(futures_util::future::poll_immediate(&mut waiting).await.is_none());
        exam.ledger().close().await.unwrap();
        assert_eq!(waiting.await.unwrap(), []);
        drop(outbox);
        exam.power_cut().await;
    });
}
