//! Issues arrive from the ledger while others are used.

use super::exam::{Told, VALID_US, all_told, cancel, id, redeem, told};
use super::{RedemptionExam, RedemptionHarness};
use crate::contract::ledger::{ask as issue_request, order};
use crate::contract::store::{coupon, issue_for};
use crate::contract::{START, coupon_id, terms, user};
use crate::memory::{ManualClock, Medium, MemoryLedger};
use crate::{
    Applied, Board, Followed, IssueLedger, Record, Redeemer, RedemptionOutcome, Request, StoreError, follow,
};
use coupon_core::{Command, Coupon, RedemptionRefusal};
use std::sync::Arc;
use std::time::Duration;

pub fn what_has_not_arrived_is_unknown(harness: &mut dyn RedemptionHarness) {
    RedemptionExam::sit(harness, 1, async |exam| {
        let mut of_another = redeem(1, "a", 20_000);
        of_another.id.coupon = coupon_id(2);
        let requests = vec![redeem(2, "a", 20_000), cancel(u32::MAX, "a"), of_another];
        assert_eq!(all_told(&exam.ask(1, requests).await), [Told::Unknown; 3]);
        assert_eq!(exam.till().redemptions.redeemable(id(2)).await.unwrap(), None);
        exam.issue(1, 2..=2).await;
        assert_eq!(told(&exam.one(2, redeem(2, "a", 20_000)).await), Told::New);
    });
}

pub fn taking_in_issues_neither_undoes_nor_forgets_a_use(harness: &mut dyn RedemptionHarness) {
    RedemptionExam::sit(harness, 3, async |exam| {
        exam.ask(
            1,
            vec![redeem(1, "a", 20_000), redeem(2, "a", 20_000), cancel(2, "a")],
        )
        .await;
        let before = exam.everything().await;
        let again = |position: u32| {
            let who = user(usize::try_from(position).unwrap());
            Record::Issued(issue_for(coupon_id(1), &who, position, START, VALID_US))
        };
        exam.apply((1..=3).map(again).collect()).await;
        let paused = Coupon {
            revision: 2,
            paused: true,
            ..coupon(coupon_id(1), terms(0))
        };
        exam.publish(paused).await;
        assert_eq!(exam.everything().await, before);
        exam.issue(1, 4..=300).await;
        assert_eq!(exam.everything().await[..3], before);
        let told = all_told(
            &exam
                .ask(2, vec![redeem(1, "b", 20_000), redeem(300, "a", 20_000)])
                .await,
        );
        assert_eq!(
            told,
            [Told::AlreadyRedeemed, Told::New],
            "a paused coupon can be redeemed"
        );
        assert_eq!(exam.tally(3).await.redeemed, 2);
    });
}

struct Silent;

impl Followed for Silent {
    fn applied(&self, _: Applied) {}

    fn failed(&self, error: &StoreError, _: Duration) {
        panic!("a healthy store does not fail: {error}");
    }
}

pub fn an_issue_on_its_way_is_brought_before_it_is_redeemed(harness: &mut dyn RedemptionHarness) {
    super::super::run(async {
        let till = harness.open().await;
        let clock = Arc::new(ManualClock::at(START));
        let board = Arc::new(Board::new());
        let records = till.books.records.as_ref();
        let opened = MemoryLedger::open(
            Arc::new(Medium::default()),
            records,
            Arc::clone(&board),
            Arc::clone(&clock) as _,
        );
        let ledger = opened.await.unwrap();
        let store = Arc::clone(&till.redemptions);
        let redeemer = Redeemer::start("examined", store, Arc::clone(&board), clock)
            .await
            .unwrap();
        let create = order(None, Command::Create(Box::new(terms(0))));
        let mut requests = vec![Request::Command(Box::new(create))];
        requests.extend((1..=40).map(|n| issue_request(coupon_id(1), &user(n), None)));
        ledger.commit(&mut requests, &mut Vec::new()).await;
        assert!(board.is_pending(coupon_id(1), 40) && !board.is_pending(coupon_id(1), 41));
        let shopping = async {
            for position in (1..=40).rev() {
                let outcome = redeemer.ask(redeem(position, "a", 20_000)).await.unwrap();
                assert_eq!(told(&outcome), Told::New, "{position}");
            }
            let unknown = redeemer.ask(redeem(41, "a", 20_000)).await.unwrap();
            assert_eq!(
                unknown,
                RedemptionOutcome::Refused(RedemptionRefusal::UnknownIssuedCoupon)
            );
            let mut more = vec![issue_request(coupon_id(1), &user(41), None)];
            ledger.commit(&mut more, &mut Vec::new()).await;
            let amount = coupon_core::Amount::new(20_000).unwrap();
            let quote = redeemer
                .quote(id(41), Some(&user(41)), amount)
                .await
                .unwrap()
                .unwrap();
            assert_eq!(quote.discount.map(coupon_core::Amount::get), Some(2_000));
            ledger.close().await.unwrap();
        };
        let following = follow(&ledger, records, &board, &Silent);
        let (followed, ()) = tokio::join!(following, shopping);
        followed.unwrap();
        let tally = till.books.coupons.tally(coupon_id(1), START).await.unwrap();
        assert_eq!((tally.issued, tally.redeemed), (41, 40));
    });
}

pub fn whoever_is_told_of_a_step_finds_its_mark(harness: &mut dyn RedemptionHarness) {
    RedemptionExam::sit(harness, 3, async |exam| {
        exam.one(1, redeem(1, "a", 20_000)).await;
        let store = Arc::clone(&exam.till().redemptions);
        let clock = Arc::new(ManualClock::at(START));
        let redeemer = Redeemer::start("examined", store, Arc::new(Board::new()), clock)
            .await
            .unwrap();
        let marked = |positions: [u32; 3]| positions.map(|position| redeemer.has_history(id(position)));
        assert_eq!(
            marked([1, 2, 3]),
            [true, false, false],
            "what was there before it started"
        );
        assert_eq!(redeemer.history(id(2), 0, 9).await.unwrap(), []);
        redeemer.ask(redeem(2, "a", 20_000)).await.unwrap();
        redeemer.ask(redeem(3, "a", 1)).await.unwrap();
        assert_eq!(marked([1, 2, 3]), [true, true, false]);
        assert_eq!(redeemer.history(id(2), 0, 9).await.unwrap().len(), 1);
    });
}
