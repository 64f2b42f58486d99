//! An administrator's commands, ordered with the issues.

use super::{Exam, LedgerHarness, ask, change, order};
use crate::contract::scene::CLOSING_US;
use crate::contract::{START, at, coupon_id, quantity, terms, user};
use crate::{CommandOutcome, CommandRequest, Reply, Request};
use coupon_core::{
    Command, CommandRefusal, Discount, Field, Outcome, Rule, Span, Terms, Validity, Violation, Window,
};

fn refused(refusal: CommandRefusal) -> CommandOutcome {
    CommandOutcome::Refused(refusal)
}

pub fn coupon_ids_are_counted_and_never_used_again(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        assert_eq!(exam.create(terms(1)).await, coupon_id(1));
        assert_eq!(exam.create(terms(1)).await, coupon_id(2));
        exam.orders(coupon_id(2), Command::Delete).await;
        exam.crash(stage).await;
        assert_eq!(
            exam.create(terms(1)).await,
            coupon_id(3),
            "a deleted id stays taken"
        );
        exam.orders(coupon_id(1), Command::Delete).await;
        exam.orders(coupon_id(3), Command::Delete).await;
        exam.crash(stage).await;
        assert_eq!(exam.create(terms(1)).await, coupon_id(4));
    });
}

pub fn a_created_coupon_is_as_it_was_ordered(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        let plain = Terms {
            name: "x".into(),
            discount: None,
            min_order_amount: (1 << 53) - 1,
            validity: Validity::Until(at(CLOSING_US)),
            labels: std::collections::BTreeMap::new(),
            show_remaining: false,
            ..terms(u32::MAX)
        };
        let amount = Terms {
            discount: Some(Discount::Amount { value: 1 }),
            ..terms(0)
        };
        let all = [plain, amount, terms(7)];
        for (wanted, number) in all.iter().zip(1..) {
            assert_eq!(exam.create(wanted.clone()).await, coupon_id(number));
        }
        exam.crash(stage).await;
        for (wanted, number) in all.iter().zip(1..) {
            let (coupon, issued) = exam.sees(coupon_id(number)).await.unwrap();
            assert_eq!(coupon.terms, *wanted);
            assert_eq!((coupon.revision, issued), (1, 0));
            assert_eq!((coupon.created_at, coupon.revised_at), (START, START));
            assert!(!coupon.paused && !coupon.deleted && coupon.closed_at.is_none());
        }
    });
}

pub fn a_coupon_that_may_not_be_is_not_created_and_takes_no_id(harness: &mut dyn LedgerHarness) {
    Exam::sit(harness, async |exam| {
        let nameless = Terms {
            name: " ".into(),
            ..terms(1)
        };
        let past = Terms {
            window: Window::new(at(-2), at(1_000_000)).unwrap(),
            ..terms(1)
        };
        let wrong = |field, rule| refused(CommandRefusal::Invalid(vec![Violation::new(field, rule)]));
        let length = Rule::Length { min: 1, max: 200 };
        let cases = [
            (nameless, wrong(Field::Name, length)),
            (past, wrong(Field::ClosesAt, Rule::InThePast)),
        ];
        for (wanted, expected) in cases {
            let create = order(None, Command::Create(Box::new(wanted)));
            assert_eq!(exam.ask_command(create).await, expected);
        }
        exam.made_entries(0);
        assert_eq!(exam.create(terms(1)).await, coupon_id(1));
    });
}

pub fn pause_refuses_until_resume(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        let coupon = exam.create(terms(3)).await;
        exam.wins(coupon, &user(1)).await;
        assert!(exam.orders(coupon, Command::Pause).await.paused);
        exam.crash(stage).await;
        assert_eq!(exam.issue(coupon, &user(2)).await, Outcome::Paused);
        let resumed = exam.orders(coupon, Command::Resume).await;
        assert_eq!((resumed.paused, resumed.revision), (false, 3));
        exam.crash(stage).await;
        assert_eq!(exam.wins(coupon, &user(2)).await.position.get(), 2);
    });
}

pub fn a_command_takes_effect_between_its_neighbours_in_the_batch(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        let coupon = exam.create(terms(2)).await;
        let command = |command| Request::Command(Box::new(order(Some(coupon), command)));
        let batch = vec![
            ask(coupon, &user(1), None),
            command(Command::Pause),
            ask(coupon, &user(2), None),
            command(Command::Resume),
            ask(coupon, &user(3), None),
            ask(coupon, &user(4), None),
            command(change(|it| it.quantity = Some(quantity(3)))),
            ask(coupon, &user(4), None),
            command(Command::Close),
            ask(coupon, &user(5), None),
        ];
        let replies = exam.batch(batch).await;
        let position = |index: usize| match replies[index] {
            Reply::Issue(Outcome::Issued(grant)) => grant.position.get(),
            Reply::Issue(_) | Reply::Command(_) | Reply::Look(_) => 0,
        };
        assert_eq!([position(0), position(4), position(7)], [1, 2, 3]);
        assert_eq!(replies[2], Reply::Issue(Outcome::Paused));
        assert_eq!(replies[5], Reply::Issue(Outcome::SoldOut));
        assert_eq!(replies[9], Reply::Issue(Outcome::Closed { closed_at: START }));
        let counts: Vec<u32> = replies
            .iter()
            .filter_map(|reply| match reply {
                Reply::Command(outcome) => match outcome.as_ref() {
                    CommandOutcome::Done { issued, .. } => Some(*issued),
                    CommandOutcome::Refused(_) | CommandOutcome::TokenReused => None,
                },
                Reply::Issue(_) | Reply::Look(_) => None,
            })
            .collect();
        assert_eq!(
            counts,
            [1, 1, 2, 3],
            "each command tells how many were issued before it"
        );
        exam.crash(stage).await;
        assert_eq!(exam.sees(coupon).await.unwrap().0.revision, 5);
    });
}

pub fn a_coupon_can_be_created_and_issued_in_one_batch(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        let create = order(None, Command::Create(Box::new(terms(1))));
        let batch = vec![
            ask(coupon_id(1), &user(1), None),
            Request::Command(Box::new(create)),
            ask(coupon_id(1), &user(1), None),
        ];
        let replies = exam.batch(batch).await;
        assert_eq!(replies[0], Reply::Issue(Outcome::UnknownCoupon));
        assert!(matches!(replies[2], Reply::Issue(Outcome::Issued(_))));
        exam.crash(stage).await;
        assert_eq!(exam.issue(coupon_id(1), &user(2)).await, Outcome::SoldOut);
    });
}

pub fn close_is_final(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        let coupon = exam.create(terms(3)).await;
        exam.clock().set(at(5_000_000));
        let closed_at = at(5_000_000);
        assert_eq!(
            exam.orders(coupon, Command::Close).await.closed_at,
            Some(closed_at)
        );
        exam.crash(stage).await;
        // Not even a clock that runs back opens it.
        exam.clock().set(at(4_000_000));
        assert_eq!(exam.issue(coupon, &user(1)).await, Outcome::Closed { closed_at });
        for command in [Command::Pause, Command::Resume] {
            assert_eq!(
                exam.command(coupon, command).await,
                refused(CommandRefusal::Closed)
            );
        }
        let longer = change(|it| it.closes_at = Some(at(2 * CLOSING_US)));
        assert_eq!(
            exam.command(coupon, longer).await,
            refused(CommandRefusal::Closed)
        );
        exam.clock().set(at(6_000_000));
        let again = exam.orders(coupon, Command::Close).await;
        assert_eq!(
            (again.closed_at, again.revision),
            (Some(closed_at), 2),
            "closing again changes nothing"
        );
    });
}

pub fn a_command_that_changes_nothing_makes_no_revision_and_no_entry(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        let coupon = exam.create(terms(3)).await;
        exam.wins(coupon, &user(1)).await;
        exam.crash(stage).await;
        let made = exam.entries_made();
        let same = change(|it| {
            it.name = Some(terms(3).name.into());
            it.quantity = Some(quantity(3));
        });
        for command in [Command::Resume, change(|_| {}), same] {
            let outcome = exam.command(coupon, command).await;
            let CommandOutcome::Done { coupon, issued, .. } = outcome else {
                panic!("{outcome:?}")
            };
            assert_eq!((coupon.revision, issued), (1, 1));
        }
        assert_eq!(exam.entries_made(), made);
    });
}

pub fn a_coupon_can_be_deleted_only_while_nothing_is_issued(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        let (used, unused) = (exam.create(terms(3)).await, exam.create(terms(3)).await);
        exam.wins(used, &user(1)).await;
        exam.crash(stage).await;
        assert_eq!(
            exam.command(used, Command::Delete).await,
            refused(CommandRefusal::HasIssues { issued: 1 })
        );
        assert!(exam.orders(unused, Command::Delete).await.deleted);
        exam.crash(stage).await;
        assert_eq!(exam.sees(unused).await, None);
        assert!(exam.board().get(unused).is_none());
        for command in [Command::Delete, Command::Pause, change(|_| {})] {
            assert_eq!(
                exam.command(unused, command).await,
                refused(CommandRefusal::UnknownCoupon)
            );
        }
        exam.wins(used, &user(2)).await;
    });
}

pub fn a_command_to_a_coupon_that_is_not_there_is_refused(harness: &mut dyn LedgerHarness) {
    Exam::sit(harness, async |exam| {
        for command in [Command::Pause, Command::Close, Command::Delete, change(|_| {})] {
            assert_eq!(
                exam.command(coupon_id(9), command).await,
                refused(CommandRefusal::UnknownCoupon)
            );
        }
    });
}

pub fn a_raised_quantity_is_issued_on_from_the_last_position(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        let coupon = exam.create(terms(2)).await;
        exam.wins(coupon, &user(1)).await;
        exam.wins(coupon, &user(2)).await;
        assert_eq!(exam.issue(coupon, &user(3)).await, Outcome::SoldOut);
        exam.orders(coupon, change(|it| it.quantity = Some(quantity(3))))
            .await;
        exam.crash(stage).await;
        assert_eq!(exam.wins(coupon, &user(3)).await.position.get(), 3);
        assert_eq!(exam.issue(coupon, &user(4)).await, Outcome::SoldOut);
        exam.orders(coupon, change(|it| it.quantity = Some(quantity(0))))
            .await;
        exam.crash(stage).await;
        assert_eq!(exam.wins(coupon, &user(4)).await.position.get(), 4);
    });
}

pub fn a_quantity_goes_down_to_what_is_issued_and_no_further(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        let coupon = exam.create(terms(0)).await;
        for n in 0..4 {
            exam.wins(coupon, &user(n)).await;
        }
        exam.crash(stage).await;
        let below = change(|it| it.quantity = Some(quantity(3)));
        assert_eq!(
            exam.command(coupon, below.clone()).await,
            refused(CommandRefusal::BelowIssued { issued: 4 })
        );
        exam.orders(coupon, change(|it| it.quantity = Some(quantity(4))))
            .await;
        assert_eq!(
            exam.command(coupon, below).await,
            refused(CommandRefusal::BelowIssued { issued: 4 })
        );
        exam.crash(stage).await;
        assert_eq!(exam.issue(coupon, &user(9)).await, Outcome::SoldOut);
    });
}

pub fn a_change_of_validity_affects_later_issues_only(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        let coupon = exam.create(terms(0)).await;
        let before = exam.wins(coupon, &user(1)).await;
        let shorter = Validity::For(Span::from_micros(5).unwrap());
        exam.orders(coupon, change(|it| it.validity = Some(shorter)))
            .await;
        exam.crash(stage).await;
        let after = exam.wins(coupon, &user(2)).await;
        assert_eq!(after.expires_at, shorter.expires_at(after.issued_at));
        assert_eq!(before.expires_at, terms(0).validity.expires_at(before.issued_at));
        let holders = exam.holders(coupon).await;
        assert_eq!(holders, [(user(1), before), (user(2), after)]);
    });
}

pub fn a_changed_window_judges_the_next_request(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        let coupon = exam.create(terms(0)).await;
        exam.orders(coupon, change(|it| it.closes_at = Some(at(1_500_000))))
            .await;
        exam.crash(stage).await;
        exam.clock().set(at(1_500_000));
        let closed_at = at(1_500_000);
        assert_eq!(exam.issue(coupon, &user(1)).await, Outcome::Closed { closed_at });
        exam.orders(coupon, change(|it| it.closes_at = Some(at(1_500_001))))
            .await;
        exam.crash(stage).await;
        exam.wins(coupon, &user(1)).await;
        let past = change(|it| it.closes_at = Some(at(1_500_000)));
        let violation = Violation::new(Field::ClosesAt, Rule::InThePast);
        assert_eq!(
            exam.command(coupon, past).await,
            refused(CommandRefusal::Invalid(vec![violation]))
        );
        let reopen = change(|it| it.opens_at = Some(at(1_600_000)));
        assert_eq!(
            exam.command(coupon, reopen).await,
            refused(CommandRefusal::AlreadyOpened)
        );
    });
}

pub fn a_stale_revision_is_refused_and_told_the_present_one(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        let coupon = exam.create(terms(5)).await;
        exam.orders(coupon, Command::Pause).await;
        exam.crash(stage).await;
        let commands = [
            Command::Pause,
            Command::Resume,
            Command::Close,
            Command::Delete,
            change(|_| {}),
        ];
        for known in [1, 3] {
            for command in commands.clone() {
                let if_match = Some(known);
                let request = CommandRequest {
                    if_match,
                    ..order(Some(coupon), command)
                };
                assert_eq!(
                    exam.ask_command(request).await,
                    refused(CommandRefusal::Stale { revision: 2 })
                );
            }
        }
        let request = CommandRequest {
            if_match: Some(2),
            ..order(Some(coupon), Command::Resume)
        };
        let outcome = exam.ask_command(request).await;
        assert!(matches!(outcome, CommandOutcome::Done { coupon, .. } if coupon.revision == 3));
    });
}

pub fn revisions_are_dated_in_order_whatever_the_clock_does(harness: &mut dyn LedgerHarness) {
    Exam::sit_at_every_stage(harness, async |exam, stage| {
        let coupon = exam.create(terms(0)).await;
        exam.clock().set(at(9_000_000));
        exam.wins(coupon, &user(1)).await;
        exam.clock().set(at(2_000_000));
        assert_eq!(
            exam.orders(coupon, Command::Pause).await.revised_at,
            at(9_000_000)
        );
        exam.clock().set(at(10_000_000));
        assert_eq!(
            exam.orders(coupon, Command::Resume).await.revised_at,
            at(10_000_000)
        );
        exam.crash(stage).await;
        exam.clock().set(at(3_000_000));
        let paused = exam.orders(coupon, Command::Pause).await;
        assert_eq!((paused.revised_at, paused.created_at), (at(10_000_000), START));
    });
}
