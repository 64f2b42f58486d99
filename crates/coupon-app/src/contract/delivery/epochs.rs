//! Epochs: what a lost state still sends is told apart.

use super::exam::{delivery, in_epoch, issue, revision};
use super::{DeliveryExam, DeliveryHarness};
use crate::contract::{coupon_id, token, user};
use crate::{CommandToken, LedgerIdentity, LedgerMark, Record, Suspicion};
use coupon_core::CouponId;

/// A coupon of which two are issued, in its second epoch.
async fn in_second_epoch(exam: &DeliveryExam<'_>) {
    let id = coupon_id(1);
    let records = vec![
        revision(id, 1, 9, 0),
        issue(id, &user(1), 1),
        issue(id, &user(2), 2),
    ];
    exam.deliver(&[delivery(id, records)]).await;
    let mark = exam.intake().marks.raise_epoch(id, 1, 0).await.unwrap().unwrap();
    assert_eq!(mark.epoch, 2);
}

pub fn an_issue_of_another_epoch_goes_to_quarantine(harness: &mut dyn DeliveryHarness) {
    DeliveryExam::sit(harness, async |exam| {
        in_second_epoch(exam).await;
        let id = coupon_id(1);
        for epoch in [1, 3] {
            let late = in_epoch(epoch, id, vec![issue(id, &user(3), 3)]);
            let delivered = exam.deliver(&[late.clone(), late]).await;
            assert_eq!(
                (delivered.written, delivered.quarantined, delivered.redelivered),
                (0, 1, 1)
            );
        }
        assert_eq!(exam.suspicions().await, [Suspicion::OtherEpoch; 2]);
        let delivered = exam
            .deliver(&[in_epoch(2, id, vec![issue(id, &user(4), 3)])])
            .await;
        assert_eq!(delivered.written, 1);
        assert_eq!(exam.holders(id).await.len(), 3);
        let raise = in_epoch(2, id, vec![revision(id, 2, 99, 3)]);
        assert_eq!(
            exam.deliver(&[raise]).await.released,
            0,
            "no revision makes room for them"
        );
    });
}

pub fn what_was_there_before_the_epoch_rose_is_a_redelivery(harness: &mut dyn DeliveryHarness) {
    DeliveryExam::sit(harness, async |exam| {
        in_second_epoch(exam).await;
        let id = coupon_id(1);
        let records = vec![
            revision(id, 1, 9, 0),
            issue(id, &user(1), 1),
            issue(id, &user(2), 2),
        ];
        let delivered = exam.deliver(&[delivery(id, records)]).await;
        assert_eq!((delivered.redelivered, delivered.quarantined), (3, 0));
    });
}

pub fn a_revision_of_another_epoch_goes_to_quarantine(harness: &mut dyn DeliveryHarness) {
    DeliveryExam::sit(harness, async |exam| {
        in_second_epoch(exam).await;
        let id = coupon_id(1);
        let delivered = exam.deliver(&[delivery(id, vec![revision(id, 2, 50, 2)])]).await;
        assert_eq!(delivered.quarantined, 1);
        assert_eq!(exam.suspicions().await, [Suspicion::OtherEpoch]);
        assert_eq!(exam.whole(id).await.0.unwrap().coupon.revision, 1);
    });
}

pub fn an_epoch_is_raised_once(harness: &mut dyn DeliveryHarness) {
    DeliveryExam::sit(harness, async |exam| {
        in_second_epoch(exam).await;
        let marks = &exam.intake().marks;
        let id = coupon_id(1);
        let raised = futures_util::future::join_all((0..4).map(|_| marks.raise_epoch(id, 2, 5))).await;
        let won = raised
            .into_iter()
            .filter(|one| one.as_ref().unwrap().is_some())
            .count();
        assert_eq!(won, 1);
        assert_eq!(marks.raise_epoch(id, 2, 5).await.unwrap(), None);
        assert_eq!(marks.mark(id).await.unwrap().unwrap().epoch, 3);
        assert_eq!(marks.raise_epoch(coupon_id(2), 1, 0).await.unwrap(), None);
    });
}

pub fn positions_of_a_new_epoch_go_on_above_everything_seen(harness: &mut dyn DeliveryHarness) {
    DeliveryExam::sit(harness, async |exam| {
        in_second_epoch(exam).await;
        let id = coupon_id(1);
        let marks = std::sync::Arc::clone(&exam.intake().marks);
        assert_eq!(
            marks.mark(id).await.unwrap().unwrap().highest,
            2,
            "what the store has"
        );
        assert_eq!(
            marks.raise_epoch(id, 2, 7).await.unwrap().unwrap().highest,
            7,
            "what others have seen"
        );
        assert_eq!(
            marks.raise_epoch(id, 3, 5).await.unwrap().unwrap().highest,
            7,
            "it does not fall"
        );
        drop(marks);
        exam.crash().await;
        exam.deliver(&[in_epoch(4, id, vec![issue(id, &user(8), 8)])])
            .await;
        let mark = exam.whole(id).await.0.unwrap();
        assert_eq!(
            (mark.highest, mark.issued, mark.lost),
            (8, 3, 5),
            "the quantity counts what exists"
        );
    });
}

pub fn an_identity_belongs_to_its_epoch(harness: &mut dyn DeliveryHarness) {
    DeliveryExam::sit(harness, async |exam| {
        in_second_epoch(exam).await;
        let id = coupon_id(1);
        let identity = |run: &str| LedgerIdentity {
            run: run.into(),
            replication: "f".repeat(40).into(),
        };
        let marks = std::sync::Arc::clone(&exam.intake().marks);
        for run in ["one", "two", "two"] {
            assert!(marks.note_identity(id, 2, &identity(run)).await.unwrap());
            assert_eq!(
                marks.mark(id).await.unwrap().unwrap().identity,
                Some(identity(run))
            );
        }
        assert!(!marks.note_identity(id, 1, &identity("old")).await.unwrap());
        assert!(
            !marks
                .note_identity(coupon_id(2), 1, &identity("old"))
                .await
                .unwrap()
        );
        drop(marks);
        exam.crash().await;
        let marks = &exam.intake().marks;
        assert_eq!(
            marks.mark(id).await.unwrap().unwrap().identity,
            Some(identity("two"))
        );
        assert_eq!(marks.raise_epoch(id, 2, 0).await.unwrap().unwrap().identity, None);
    });
}

pub fn what_a_state_is_built_anew_from_is_handed_out(harness: &mut dyn DeliveryHarness) {
    DeliveryExam::sit(harness, async |exam| {
        let commanded = |id, revised: Record, scope: u8| match revised {
            Record::Revised(mut one) => {
                one.token = token(scope, 1);
                delivery(id, vec![Record::Revised(one)])
            }
            Record::Issued(_) => panic!("a revision was made"),
        };
        let [one, two] = [coupon_id(1), coupon_id(2)];
        let tokened = commanded(one, revision(one, 1, 9, 0), 7);
        exam.deliver(&[tokened, delivery(two, vec![revision(two, 1, 9, 0)])])
            .await;
        exam.deliver(&[delivery(one, vec![revision(one, 2, 10, 0)])])
            .await;
        exam.deliver(&[commanded(one, revision(one, 3, 11, 0), 8)]).await;
        let marks = &exam.intake().marks;
        let ids = |page: Vec<LedgerMark>| -> Vec<CouponId> { page.iter().map(|it| it.coupon.id).collect() };
        assert_eq!(ids(marks.marks(None, 9).await.unwrap()), [one, two]);
        assert_eq!(ids(marks.marks(None, 1).await.unwrap()), [one]);
        assert_eq!(ids(marks.marks(Some(one), 9).await.unwrap()), [two]);
        let commands = marks.commands(one).await.unwrap();
        let told: Vec<(u32, Option<CommandToken>)> =
            commands.iter().map(|it| (it.coupon.revision, it.token)).collect();
        assert_eq!(told, [(1, token(7, 1)), (3, token(8, 1))]);
        assert!(marks.commands(two).await.unwrap().is_empty());
    });
}

pub fn an_unknown_coupon_has_no_mark(harness: &mut dyn DeliveryHarness) {
    DeliveryExam::sit(harness, async |exam| {
        assert_eq!(exam.whole(coupon_id(1)).await, (None, vec![]));
    });
}
