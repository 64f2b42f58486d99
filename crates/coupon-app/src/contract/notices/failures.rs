//! What came to nobody: listed, replayed, dismissed.

use super::NoticeHarness;
use super::deliveries::{LONG, settle};
use super::exam::{NoticeExam, after_start};
use crate::contract::dead_letter::letters_are_looked_after_from_the_front;
use crate::memory::ManualClock;
use crate::{DeliveryState, FailedDelivery, NotificationLetters, Remedy, Taken, Verdict};
use std::collections::BTreeSet;
use std::sync::Arc;

/// So many issues, told to these recipients each; every delivery is taken.
async fn told(exam: &NoticeExam<'_>, issued: u32, to: &[(&str, &str)]) -> Vec<Taken> {
    exam.open_sale(0).await;
    exam.issue(1..=issued, 0, LONG).await;
    exam.announce(100).await;
    for one in exam.take_new(1, 100).await {
        exam.plan(1, &one.id().to_string(), to).await;
    }
    let mut taken = exam.take_due(2).await;
    taken.sort_by(|one, other| one.delivery.cmp(&other.delivery));
    taken
}

/// The same by mail, given up.
async fn dead(exam: &NoticeExam<'_>, issued: u32) -> Vec<Taken> {
    let taken = told(exam, issued, &[("mail", "holder")]).await;
    for one in &taken {
        settle(exam, 3, one, Verdict::Dead, "gone").await;
    }
    taken
}

async fn failed(exam: &NoticeExam<'_>, channel: &str) -> Vec<FailedDelivery> {
    exam.office().failed.failed(channel, 0, 100).await.unwrap()
}

async fn look_after(exam: &NoticeExam<'_>, through: u64, remedy: Remedy, micros: i64) -> u64 {
    let office = exam.office();
    let done = office
        .failed
        .look_after("mail", through, remedy, after_start(micros));
    done.await.unwrap()
}

async fn states(exam: &NoticeExam<'_>) -> Vec<DeliveryState> {
    let all = exam.office().outbox.deliveries(None, 0, 100).await.unwrap();
    all.iter().map(|one| one.state).collect()
}

pub fn what_failed_is_listed_by_channel_and_counted(harness: &mut dyn NoticeHarness) {
    NoticeExam::sit(harness, async |exam| {
        let taken = told(exam, 2, &[("mail", "holder"), ("webhook", "7")]).await;
        let [mail_1, webhook_1, mail_2, webhook_2] = taken.try_into().unwrap();
        settle(exam, 3, &mail_1, Verdict::Undeliverable, "no address").await;
        settle(exam, 3, &webhook_1, Verdict::Dead, "gone").await;
        settle(exam, 3, &mail_2, Verdict::Delivered, "thanks").await;
        settle(exam, 3, &webhook_2, Verdict::Again(after_start(9)), "busy").await;
        use DeliveryState::{Dead, Undeliverable};
        for (channel, expected) in [
            ("mail", vec![(mail_1.delivery, Undeliverable, "no address")]),
            ("webhook", vec![(webhook_1.delivery, Dead, "gone")]),
            ("kafka", vec![]),
        ] {
            let listed = failed(exam, channel).await;
            let told: Vec<_> = listed
                .iter()
                .map(|one| {
                    (
                        one.record.delivery.clone(),
                        one.record.state,
                        &*one.record.report.text,
                    )
                })
                .collect();
            assert_eq!(told, expected, "{channel}");
        }
        let tally = exam.tally().await;
        assert_eq!((tally.dead, tally.undeliverable), (1, 1), "the same are counted");
    });
}

pub fn a_number_stays_until_the_delivery_leaves_the_list(harness: &mut dyn NoticeHarness) {
    NoticeExam::sit(harness, async |exam| {
        dead(exam, 5).await;
        let office = exam.office();
        let first = office.failed.failed("mail", 0, 2).await.unwrap();
        let rest = office.failed.failed("mail", first[1].letter, 9).await.unwrap();
        assert_eq!((first.len(), rest.len()), (2, 3));
        let all = [first, rest].concat();
        assert!(
            all.is_sorted_by(|one, other| one.letter < other.letter),
            "{all:?}"
        );
        exam.crash().await;
        assert_eq!(failed(exam, "mail").await, all);
        let last = all[4].letter;
        let office = exam.office();
        for after in [last, last + 1, u64::MAX] {
            assert_eq!(office.failed.failed("mail", after, 9).await.unwrap(), []);
        }
        assert_eq!(look_after(exam, all[0].letter, Remedy::Dismiss, 10).await, 1);
        assert_eq!(failed(exam, "mail").await, all[1..]);
        assert_eq!(exam.tally().await.dead, 4);
    });
}

pub fn what_fails_after_the_list_was_shown_stands_behind_it(harness: &mut dyn NoticeHarness) {
    NoticeExam::sit(harness, async |exam| {
        let taken = told(exam, 3, &[("mail", "holder")]).await;
        settle(exam, 3, &taken[1], Verdict::Dead, "gone").await;
        let shown = failed(exam, "mail").await;
        assert_eq!(shown.len(), 1);
        // Planned before the one that was shown, and behind it; nobody has seen either.
        settle(exam, 4, &taken[0], Verdict::Dead, "gone").await;
        settle(exam, 4, &taken[2], Verdict::Undeliverable, "no address").await;
        assert_eq!(look_after(exam, shown[0].letter, Remedy::Dismiss, 5).await, 1);
        use DeliveryState::{Dead, Dismissed, Undeliverable};
        assert_eq!(states(exam).await, [Dead, Dismissed, Undeliverable]);
        assert_eq!(look_after(exam, u64::MAX, Remedy::Dismiss, 5).await, 0);
        let later = failed(exam, "mail").await;
        assert_eq!(later.len(), 2);
        assert!(later.iter().all(|one| one.letter > shown[0].letter), "{later:?}");
    });
}

pub fn what_is_replayed_is_brought_under_its_own_id_and_fails_under_a_new_number(
    harness: &mut dyn NoticeHarness,
) {
    NoticeExam::sit(harness, async |exam| {
        let taken = dead(exam, 1).await.remove(0);
        let shown = failed(exam, "mail").await.remove(0);
        assert_eq!(look_after(exam, shown.letter, Remedy::Replay, 10).await, 1);
        assert_eq!(failed(exam, "mail").await, []);
        assert_eq!(exam.tally().await.dead, 0);
        assert_eq!(exam.take_due(9).await, []);
        let again = exam.take_due(10).await.remove(0);
        assert_eq!(
            (&again.delivery, &again.notification, again.attempt),
            (&taken.delivery, &taken.notification, 1)
        );
        settle(exam, 11, &again, Verdict::Undeliverable, "no address").await;
        let later = failed(exam, "mail").await.remove(0);
        assert!(later.letter > shown.letter);
        assert_eq!(
            look_after(exam, shown.letter, Remedy::Replay, 12).await,
            0,
            "the old number is nobody's"
        );
    });
}

pub fn what_was_delivered_meanwhile_is_not_brought_again(harness: &mut dyn NoticeHarness) {
    NoticeExam::sit(harness, async |exam| {
        dead(exam, 2).await;
        let shown = failed(exam, "mail").await;
        let last = shown[1].letter;
        assert_eq!(look_after(exam, last, Remedy::Replay, 10).await, 2);
        let again = exam.take_due(10).await;
        settle(exam, 11, &again[0], Verdict::Delivered, "thanks").await;
        // The one is delivered and the other on its way: nothing is done twice.
        for remedy in [Remedy::Replay, Remedy::Dismiss] {
            assert_eq!(look_after(exam, last, remedy, 12).await, 0, "{remedy:?}");
        }
        let mut stand = states(exam).await;
        stand.sort();
        assert_eq!(stand, [DeliveryState::Waiting, DeliveryState::Delivered]);
        settle(exam, 13, &again[1], Verdict::Delivered, "thanks").await;
        assert_eq!(look_after(exam, last, Remedy::Replay, 14).await, 0);
        assert_eq!(exam.take_due(LONG).await, []);
    });
}

pub fn what_is_dismissed_is_final_until_somebody_names_it(harness: &mut dyn NoticeHarness) {
    NoticeExam::sit(harness, async |exam| {
        let taken = dead(exam, 2).await;
        let shown = failed(exam, "mail").await;
        assert_eq!(look_after(exam, shown[0].letter, Remedy::Dismiss, 10).await, 1);
        let again = look_after(exam, shown[1].letter, Remedy::Replay, 11).await;
        assert_eq!(again, 1, "what is dismissed is not brought with those behind it");
        assert_eq!(exam.take_due(LONG).await.len(), 1);
        let dismissed = DeliveryState::Dismissed;
        assert_eq!(states(exam).await, [dismissed, DeliveryState::Waiting]);
        let outbox = Arc::clone(&exam.office().outbox);
        let listed = outbox.deliveries(Some(dismissed), 0, 9).await.unwrap();
        assert_eq!((listed.len(), &*listed[0].report.text), (1, "gone"));
        assert_eq!(exam.tally().await.dead, 0);
        settle(exam, 12, &taken[0], Verdict::Dead, "late").await;
        assert_eq!(failed(exam, "mail").await, []);
        let who = "key-1".into();
        let second_thoughts = outbox.replay(&taken[0].delivery, after_start(LONG + 1), &who);
        assert!(second_thoughts.await.unwrap());
        assert_eq!(exam.take_due(LONG + 1).await.len(), 1);
    });
}

pub fn what_failed_is_forgotten_only_after_it_was_dismissed(harness: &mut dyn NoticeHarness) {
    NoticeExam::sit(harness, async |exam| {
        let taken = told(exam, 2, &[("mail", "holder"), ("webhook", "7")]).await;
        let [mail_1, webhook_1, mail_2, webhook_2] = taken.try_into().unwrap();
        settle(exam, 3, &webhook_1, Verdict::Delivered, "thanks").await;
        settle(exam, 3, &mail_1, Verdict::Dead, "gone").await;
        settle(exam, 3, &mail_2, Verdict::Undeliverable, "no address").await;
        settle(exam, 3, &webhook_2, Verdict::Delivered, "thanks").await;
        let outbox = Arc::clone(&exam.office().outbox);
        let forget = async |micros| outbox.forget(after_start(micros), 10).await.unwrap();
        assert_eq!(forget(LONG).await, 0, "nobody has seen them");
        let shown = failed(exam, "mail").await;
        assert_eq!(look_after(exam, shown[0].letter, Remedy::Dismiss, 50).await, 1);
        assert_eq!(
            (forget(50).await, forget(51).await, forget(LONG).await),
            (0, 1, 0)
        );
        assert_eq!(failed(exam, "mail").await, shown[1..]);
        // What is brought after all is forgotten in time as well.
        assert_eq!(look_after(exam, shown[1].letter, Remedy::Replay, 60).await, 1);
        let again = exam.take_due(60).await.remove(0);
        settle(exam, 61, &again, Verdict::Delivered, "thanks").await;
        assert_eq!((forget(61).await, forget(62).await), (0, 1));
    });
}

pub fn whoever_looks_after_the_same_list_at_once_does_it_once(harness: &mut dyn NoticeHarness) {
    NoticeExam::sit(harness, async |exam| {
        dead(exam, 40).await;
        let office = exam.office();
        let lists = (0..4).map(|_| office.failed.failed("mail", 0, 100));
        let lists = futures_util::future::join_all(lists).await;
        let lists: BTreeSet<Vec<(u64, u64)>> = lists
            .into_iter()
            .map(|list| {
                let list = list.unwrap();
                list.iter().map(|one| (one.letter, one.record.number)).collect()
            })
            .collect();
        let [shown] = Vec::from_iter(lists).try_into().unwrap();
        let letters: BTreeSet<u64> = shown.iter().map(|(letter, _)| *letter).collect();
        assert_eq!((shown.len(), letters.len()), (40, 40), "{shown:?}");
        let through = shown[29].0;
        let now = after_start(10);
        let hands = [Remedy::Replay, Remedy::Dismiss, Remedy::Replay, Remedy::Dismiss];
        let done = hands.map(|remedy| office.failed.look_after("mail", through, remedy, now));
        let done = futures_util::future::join_all(done).await;
        let sum: u64 = done.into_iter().map(Result::unwrap).sum();
        assert_eq!(sum, 30);
        assert_eq!(failed(exam, "mail").await.len(), 10);
        let stand = states(exam).await;
        let stood = |state| stand.iter().filter(|one| **one == state).count();
        let looked_after = stood(DeliveryState::Waiting) + stood(DeliveryState::Dismissed);
        assert_eq!((looked_after, stood(DeliveryState::Dead)), (30, 10));
    });
}

pub fn an_office_looks_after_what_one_channel_could_not_bring(harness: &mut dyn NoticeHarness) {
    NoticeExam::sit(harness, async |exam| {
        let taken = told(exam, 6, &[("mail", "holder"), ("webhook", "7")]).await;
        for one in &taken {
            settle(exam, 3, one, Verdict::Dead, "gone").await;
        }
        let deliveries = Arc::clone(&exam.office().failed);
        let clock = Arc::new(ManualClock::at(after_start(10)));
        let office = NotificationLetters::of(deliveries, "mail", clock);
        let sent = letters_are_looked_after_from_the_front(Arc::new(office)).await;
        assert_eq!(sent, 4);
        let due = exam.take_due(10).await;
        let mails: BTreeSet<_> = due.iter().map(|one| &one.delivery).collect();
        assert_eq!(mails.len(), 4);
        assert!(mails.iter().all(|one| &*one.channel == "mail"), "{mails:?}");
        assert_eq!(
            failed(exam, "webhook").await.len(),
            6,
            "another channel's are left alone"
        );
    });
}
