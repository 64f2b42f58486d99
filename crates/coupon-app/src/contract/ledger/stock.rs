//! Exactness: as many as there are, one for each user, in positions without gap.

use super::{Exam, LedgerHarness, ask};
use crate::contract::{START, key, terms, user};
use crate::{Answer, Request};
use coupon_core::{Outcome, Terms, UserId};

pub fn the_last_coupon_goes_to_exactly_one_user(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        let coupon = exam.create(terms(3)).await;
        exam.wins(coupon, &user(1)).await;
        exam.wins(coupon, &user(2)).await;
        exam.crash(stage).await;
        let race: Vec<Request> = (3..=6).map(|n| ask(coupon, &user(n), None)).collect();
        let outcomes = exam.issues(race).await;
        assert!(matches!(outcomes[0], Outcome::Issued(grant) if grant.position.get() == 3));
        assert_eq!(outcomes[1..], [Outcome::SoldOut; 3]);
        exam.crash(stage).await;
        assert_eq!(exam.issue(coupon, &user(7)).await, Outcome::SoldOut);
    });
}

pub fn a_quantity_of_one_is_issued_once(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        let coupon = exam.create(terms(1)).await;
        let grant = exam.wins(coupon, &user(1)).await;
        assert_eq!(grant.position.get(), 1);
        assert_eq!(grant.issued_at, START);
        exam.crash(stage).await;
        assert_eq!(exam.issue(coupon, &user(2)).await, Outcome::SoldOut);
    });
}

pub fn issued_equals_the_quantity_once_demand_reaches_it(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        let coupon = exam.create(terms(100)).await;
        let mut issued = 0;
        let mut first = 0;
        for size in [1, 7, 30, 2, 61, 40] {
            // Half of each batch asks again for what the batch before asked for.
            let crowd = (first..first + size).map(|n| ask(coupon, &user(n), None));
            let outcomes = exam.issues(crowd.collect()).await;
            issued += outcomes
                .iter()
                .filter(|one| matches!(one, Outcome::Issued(_)))
                .count();
            first += size / 2 + 1;
            exam.crash(stage).await;
        }
        assert!(issued < 100, "demand has not reached the quantity yet");
        let crowd = (1_000..1_100).map(|n| ask(coupon, &user(n), None));
        let outcomes = exam.issues(crowd.collect()).await;
        let winners = outcomes
            .iter()
            .take_while(|one| matches!(one, Outcome::Issued(_)))
            .count();
        assert_eq!(issued + winners, 100);
        assert!(outcomes[winners..].iter().all(|one| *one == Outcome::SoldOut));
        assert_eq!(exam.sees(coupon).await.unwrap().1, 100);
    });
}

pub fn an_unlimited_coupon_does_not_sell_out(harness: &mut dyn LedgerHarness) {
    Exam::sit(harness, async |exam| {
        let coupon = exam.create(terms(0)).await;
        let crowd = (0..5_000).map(|n| ask(coupon, &user(n), None));
        let outcomes = exam.issues(crowd.collect()).await;
        for (outcome, position) in outcomes.into_iter().zip(1..) {
            assert!(matches!(outcome, Outcome::Issued(grant) if grant.position.get() == position));
        }
    });
}

pub fn a_user_twice_in_one_batch_is_issued_once_and_then_already_issued(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        let coupon = exam.create(terms(5)).await;
        let (kim, lee) = (user(1), user(2));
        let batch = vec![
            ask(coupon, &kim, key(9)),
            ask(coupon, &kim, key(9)),
            ask(coupon, &lee, None),
            ask(coupon, &kim, key(8)),
            ask(coupon, &lee, None),
        ];
        let outcomes = exam.issues(batch.clone()).await;
        let (Outcome::Issued(kims), Outcome::Issued(lees)) = (outcomes[0], outcomes[2]) else {
            panic!("both are issued: {outcomes:?}")
        };
        assert_eq!((kims.position.get(), lees.position.get()), (1, 2));
        let already = |grant, same_key| Outcome::AlreadyIssued { grant, same_key };
        assert_eq!(outcomes[1], already(kims, true));
        assert_eq!(outcomes[3], already(kims, false));
        assert_eq!(outcomes[4], already(lees, false), "no key is not the same key");
        exam.crash(stage).await;
        let again = exam.issues(batch).await;
        let expected = [
            already(kims, true),
            already(kims, true),
            already(lees, false),
            already(kims, false),
            already(lees, false),
        ];
        assert_eq!(again, expected);
    });
}

pub fn the_last_coupon_asked_for_twice_in_one_batch_is_already_issued_not_sold_out(
    harness: &mut dyn LedgerHarness,
) {
    Exam::sit(harness, async |exam| {
        let coupon = exam.create(terms(1)).await;
        let twice = vec![
            ask(coupon, &user(1), None),
            ask(coupon, &user(2), None),
            ask(coupon, &user(1), None),
        ];
        let outcomes = exam.issues(twice).await;
        assert!(matches!(outcomes[0], Outcome::Issued(_)));
        assert_eq!(outcomes[1], Outcome::SoldOut);
        assert!(matches!(outcomes[2], Outcome::AlreadyIssued { .. }));
    });
}

/// Users that a careless comparison would take for one another, and the longest id.
fn look_alikes() -> Vec<UserId> {
    let longest = "x".repeat(128);
    let almost = "x".repeat(127);
    let wide = "한".repeat(42);
    [
        "kim",
        "Kim",
        "KIM",
        "kim ",
        " kim",
        "é",
        "e\u{301}",
        "ß",
        "ss",
        "ı",
        "i",
        "ﬁ",
        "fi",
        "1",
        "01",
        "１",
        "🙂",
        "'; DROP TABLE coupons; --",
        "%",
        "_",
        "\\",
        "\"",
        "a:b",
        "{a}",
        longest.as_str(),
        almost.as_str(),
        wide.as_str(),
    ]
    .into_iter()
    .map(|text| UserId::parse(text).unwrap())
    .collect()
}

pub fn users_are_told_apart_byte_for_byte(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        let coupon = exam.create(terms(0)).await;
        let crowd = look_alikes();
        let mut grants = Vec::new();
        for one in &crowd {
            grants.push(exam.wins(coupon, one).await);
        }
        exam.crash(stage).await;
        for (one, grant) in crowd.iter().zip(grants) {
            let outcome = exam.issue(coupon, one).await;
            let same_key = false;
            assert_eq!(
                outcome,
                Outcome::AlreadyIssued { grant, same_key },
                "{}",
                one.as_str()
            );
        }
    });
}

pub fn many_coupons_in_one_batch_do_not_touch_each_other(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        let mut coupons = Vec::new();
        for quantity in 1..=20 {
            let named = Terms {
                name: format!("coupon of {quantity}").into(),
                ..terms(quantity)
            };
            coupons.push(exam.create(named).await);
        }
        // The same users ask for every coupon, in the order of the users, twenty-one times.
        let crowd = (0..=20).flat_map(|n| coupons.iter().map(move |id| ask(*id, &user(n), None)));
        let outcomes = exam.issues(crowd.collect()).await;
        exam.crash(stage).await;
        for (index, outcome) in outcomes.into_iter().enumerate() {
            let (asked, quantity) = (index / 20 + 1, index % 20 + 1);
            if asked <= quantity {
                let got = matches!(outcome, Outcome::Issued(grant) if u64::from(grant.position.get()) == u64::try_from(asked).unwrap());
                assert!(got, "request {index}: {outcome:?}");
            } else {
                assert_eq!(outcome, Outcome::SoldOut, "request {index}");
            }
        }
        for (id, quantity) in coupons.into_iter().zip(1..) {
            let (coupon, issued) = exam.sees(id).await.unwrap();
            assert_eq!(
                (issued, &*coupon.terms.name),
                (quantity, &*format!("coupon of {quantity}"))
            );
        }
    });
}

pub fn refusals_leave_no_gap_in_the_positions(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        let open = exam.create(terms(0)).await;
        let full = exam.create(terms(1)).await;
        exam.wins(full, &user(0)).await;
        for position in 1..=12 {
            let who = user(usize::try_from(position).unwrap());
            let batch = vec![
                ask(full, &who, None),
                ask(crate::contract::coupon_id(99), &who, None),
                ask(open, &who, None),
                ask(open, &who, None),
            ];
            let outcomes = exam.issues(batch).await;
            assert_eq!(outcomes[..2], [Outcome::SoldOut, Outcome::UnknownCoupon]);
            assert!(matches!(outcomes[2], Outcome::Issued(grant) if grant.position.get() == position));
            assert!(matches!(outcomes[3], Outcome::AlreadyIssued { .. }));
            if position % 4 == 0 {
                exam.crash(stage).await;
            }
        }
    });
}

pub fn a_later_request_gets_a_later_position(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        let coupon = exam.create(terms(0)).await;
        let mut last = 0;
        for n in 0..30 {
            let grant = exam.wins(coupon, &user(n)).await;
            assert!(
                grant.position.get() > last,
                "an answer had left before this request"
            );
            last = grant.position.get();
            if n % 10 == 9 {
                exam.crash(stage).await;
            }
        }
    });
}

pub fn answers_are_appended_in_the_order_of_the_requests(harness: &mut dyn LedgerHarness) {
    Exam::sit(harness, async |exam| {
        let coupon = exam.create(terms(2)).await;
        let mut answers: Vec<Answer> = Vec::new();
        let mut requests = vec![ask(coupon, &user(1), None)];
        exam.ledger().commit(&mut requests, &mut answers).await;
        requests.extend([ask(coupon, &user(2), None), ask(coupon, &user(3), None)]);
        exam.ledger().commit(&mut requests, &mut answers).await;
        assert!(requests.is_empty());
        let told: Vec<String> = answers.iter().map(|answer| format!("{answer:?}")).collect();
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told[0].contains("position: 1"));
        assert!(told[1].contains("position: 2"));
        assert!(told[2].contains("SoldOut"));
        exam.ledger().commit(&mut requests, &mut answers).await;
        assert_eq!(answers.len(), 3, "an empty batch has no answers");
    });
}
