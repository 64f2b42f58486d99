//! `decide_command` and `Coupon::create`: each command in each state.

use crate::{OPEN_US, at, coupon, issued, quantity, terms};
use coupon_core::{
    Command, CommandRefusal, Coupon, CouponId, Discount, Effect, Field, Quantity, Rule, Span, Standing,
    Terms, TermsChange, Timestamp, Validity, Violation, Window, decide_command,
};
use std::collections::BTreeMap;

fn change(set: impl FnOnce(&mut TermsChange)) -> Command {
    let mut change = TermsChange::default();
    set(&mut change);
    Command::Change(Box::new(change))
}

fn decided(
    coupon: &Coupon,
    standing: Standing,
    command: &Command,
    clock: Timestamp,
) -> Result<Effect, CommandRefusal> {
    decide_command(Some(coupon), standing, command, None, clock)
}

/// What the command makes of the coupon, which it must change.
fn revised(coupon: &Coupon, standing: Standing, command: &Command, clock: Timestamp) -> Coupon {
    let Ok(Effect::Revised(next)) = decided(coupon, standing, command, clock) else {
        panic!("{command:?} changes the coupon")
    };
    assert_eq!(next.revision, coupon.revision + 1);
    assert!(next.revised_at >= coupon.revised_at);
    assert_eq!((next.id, next.created_at), (coupon.id, coupon.created_at));
    *next
}

fn invalid(field: Field, rule: Rule) -> Result<Effect, CommandRefusal> {
    Err(CommandRefusal::Invalid(vec![Violation::new(field, rule)]))
}

fn every_command() -> Vec<Command> {
    vec![
        Command::Pause,
        Command::Resume,
        Command::Close,
        Command::Delete,
        change(|it| it.name = Some("new".to_owned())),
    ]
}

#[test]
fn each_command_in_each_state() {
    let open = coupon(5);
    let paused = Coupon {
        paused: true,
        ..open.clone()
    };
    let closed = Coupon {
        closed_at: Some(at(1)),
        ..open.clone()
    };
    let both = Coupon {
        paused: true,
        ..closed.clone()
    };
    let renamed = |one: &Coupon| {
        let mut next = one.clone();
        next.terms.name = "new".into();
        Ok(next)
    };
    let refused = Err(CommandRefusal::Closed);
    let same = |one: &Coupon| Ok(one.clone());
    let deleted = |one: &Coupon| {
        Ok(Coupon {
            deleted: true,
            ..one.clone()
        })
    };
    let closed_now = |one: &Coupon| {
        Ok(Coupon {
            closed_at: Some(at(9)),
            ..one.clone()
        })
    };
    // In the order of `every_command`: pause, resume, close, delete, change.
    let table = [
        (
            &open,
            [
                same(&paused),
                same(&open),
                closed_now(&open),
                deleted(&open),
                renamed(&open),
            ],
        ),
        (
            &paused,
            [
                same(&paused),
                same(&open),
                closed_now(&paused),
                deleted(&paused),
                renamed(&paused),
            ],
        ),
        (
            &closed,
            [
                refused.clone(),
                refused.clone(),
                same(&closed),
                deleted(&closed),
                renamed(&closed),
            ],
        ),
        (
            &both,
            [
                refused.clone(),
                refused,
                same(&both),
                deleted(&both),
                renamed(&both),
            ],
        ),
    ];
    for (before, row) in table {
        for (command, expected) in every_command().iter().zip(row) {
            let effect = decided(before, Standing::NONE, command, at(9));
            let expected = expected.map(|mut after| {
                if after == *before {
                    return Effect::Unchanged;
                }
                after.revision = 2;
                after.revised_at = at(9);
                Effect::Revised(Box::new(after))
            });
            assert_eq!(effect, expected, "{command:?} on {before:?}");
        }
    }
}

#[test]
fn a_deleted_or_missing_coupon_is_unknown_to_every_command() {
    let deleted = Coupon {
        deleted: true,
        ..coupon(5)
    };
    for command in every_command() {
        for one in [None, Some(&deleted)] {
            for if_match in [None, Some(7)] {
                let effect = decide_command(one, Standing::NONE, &command, if_match, at(9));
                assert_eq!(effect, Err(CommandRefusal::UnknownCoupon));
            }
        }
    }
    let create = Command::Create(Box::new(terms(1)));
    let effect = decided(&coupon(5), Standing::NONE, &create, at(9));
    assert_eq!(
        effect,
        Err(CommandRefusal::UnknownCoupon),
        "create needs no coupon"
    );
}

#[test]
fn a_stale_revision_is_refused_before_anything_else() {
    let closed = Coupon {
        revision: 4,
        closed_at: Some(at(1)),
        ..coupon(5)
    };
    for command in every_command() {
        for known in [0, 3, 5] {
            let effect = decide_command(Some(&closed), issued(1, at(1)), &command, Some(known), at(9));
            assert_eq!(effect, Err(CommandRefusal::Stale { revision: 4 }));
        }
        let effect = decide_command(Some(&closed), issued(1, at(1)), &command, Some(4), at(9));
        assert!(!matches!(effect, Err(CommandRefusal::Stale { .. })));
    }
}

#[test]
fn revisions_are_dated_by_the_latest_of_clock_last_issue_and_last_revision() {
    let one = Coupon {
        revised_at: at(50),
        ..coupon(5)
    };
    for (clock, last, expected) in [(60, 40, 60), (30, 40, 50), (30, 70, 70)] {
        let next = revised(&one, issued(1, at(last)), &Command::Close, at(clock));
        assert_eq!(
            (next.revised_at, next.closed_at),
            (at(expected), Some(at(expected)))
        );
    }
}

#[test]
fn a_coupon_is_deleted_only_while_nothing_is_issued() {
    let one = coupon(5);
    assert!(revised(&one, Standing::NONE, &Command::Delete, at(0)).deleted);
    for count in [1, u32::MAX] {
        let effect = decided(&one, issued(count, at(0)), &Command::Delete, at(0));
        assert_eq!(effect, Err(CommandRefusal::HasIssues { issued: count }));
    }
}

#[test]
fn a_quantity_goes_down_to_what_is_issued_and_up_to_unlimited() {
    let of = |count| change(|it| it.quantity = Some(quantity(count)));
    let standing = issued(5, at(1));
    for (from, to, permitted) in [
        (10, 5, true),
        (10, 4, false),
        (10, 11, true),
        (10, 0, true),
        (0, 5, true),
        (0, 4, false),
        (0, u32::MAX, true),
        (5, 4, false),
    ] {
        let effect = decided(&coupon(from), standing, &of(to), at(2));
        if permitted {
            let next = revised(&coupon(from), standing, &of(to), at(2));
            assert_eq!(next.terms.quantity, quantity(to));
        } else {
            assert_eq!(
                effect,
                Err(CommandRefusal::BelowIssued { issued: 5 }),
                "{from} to {to}"
            );
        }
    }
}

#[test]
fn the_opening_moves_only_before_it() {
    let one = coupon(5);
    let open_at = |micros| change(|it| it.opens_at = Some(at(micros)));
    let next = revised(&one, Standing::NONE, &open_at(-500), at(-1));
    assert_eq!(next.terms.window, Window::new(at(-500), at(OPEN_US)).unwrap());
    for clock in [0, 1, OPEN_US + 9] {
        let effect = decided(&one, Standing::NONE, &open_at(5), at(clock));
        assert_eq!(effect, Err(CommandRefusal::AlreadyOpened), "at {clock}");
        let same = decided(&one, Standing::NONE, &open_at(0), at(clock));
        assert_eq!(same, Ok(Effect::Unchanged), "the same opening is no move");
    }
    // The clock has run back since the last issue: the window had opened.
    let effect = decided(&one, issued(1, at(3)), &open_at(5), at(-9));
    assert_eq!(effect, Err(CommandRefusal::AlreadyOpened));
    let effect = decided(&one, Standing::NONE, &open_at(OPEN_US), at(-1));
    assert_eq!(effect, invalid(Field::ClosesAt, Rule::NotAfterOpening));
}

#[test]
fn the_closing_moves_into_the_future_only_and_not_once_closed_by_hand() {
    let one = coupon(5);
    let close_at = |micros| change(|it| it.closes_at = Some(at(micros)));
    assert_eq!(
        decided(&one, Standing::NONE, &close_at(10), at(10)),
        invalid(Field::ClosesAt, Rule::InThePast)
    );
    let next = revised(&one, Standing::NONE, &close_at(11), at(10));
    assert_eq!(next.terms.window.closes_at(), at(11));
    assert_eq!(
        decided(&one, issued(1, at(20)), &close_at(15), at(10)),
        invalid(Field::ClosesAt, Rule::InThePast),
        "judged by the last issue too"
    );
    let next = revised(&one, Standing::NONE, &close_at(3 * OPEN_US), at(2 * OPEN_US));
    assert_eq!(
        next.terms.window.closes_at(),
        at(3 * OPEN_US),
        "an ended window can be opened again"
    );
    assert_eq!(
        decided(&one, Standing::NONE, &close_at(OPEN_US), at(2 * OPEN_US)),
        Ok(Effect::Unchanged),
        "the same end is no move, though it is past"
    );
    let closed = Coupon {
        closed_at: Some(at(5)),
        ..one
    };
    assert_eq!(
        decided(&closed, Standing::NONE, &close_at(11), at(10)),
        Err(CommandRefusal::Closed)
    );
}

#[test]
fn a_validity_must_reach_the_end_of_the_window_also_when_the_window_moves() {
    let until = |micros| Validity::Until(at(micros));
    let shorter = change(|it| it.validity = Some(until(OPEN_US - 1)));
    assert_eq!(
        decided(&coupon(5), Standing::NONE, &shorter, at(0)),
        invalid(Field::ExpiresAt, Rule::BeforeClosing)
    );
    let mut one = coupon(5);
    one.terms.validity = until(OPEN_US);
    let longer = change(|it| it.closes_at = Some(at(OPEN_US + 1)));
    assert_eq!(
        decided(&one, Standing::NONE, &longer, at(0)),
        invalid(Field::ExpiresAt, Rule::BeforeClosing)
    );
    let both = change(|it| {
        it.closes_at = Some(at(OPEN_US + 1));
        it.validity = Some(until(OPEN_US + 1));
    });
    revised(&one, Standing::NONE, &both, at(0));
}

#[test]
fn what_a_change_leaves_out_stays_and_what_it_names_is_set() {
    let one = coupon(5);
    let all = TermsChange {
        name: Some("name".to_owned()),
        opens_at: Some(at(-50)),
        closes_at: Some(at(70)),
        quantity: Some(Quantity::UNLIMITED),
        validity: Some(Validity::Until(at(80))),
        discount: Some(None),
        min_order_amount: Some(1),
        show_remaining: Some(false),
        labels: Some(BTreeMap::from([("a".to_owned(), "b".to_owned())])),
    };
    let next = revised(&one, Standing::NONE, &Command::Change(Box::new(all)), at(-100));
    let expected = Terms {
        name: "name".into(),
        window: Window::new(at(-50), at(70)).unwrap(),
        quantity: Quantity::UNLIMITED,
        validity: Validity::Until(at(80)),
        discount: None,
        min_order_amount: 1,
        show_remaining: false,
        labels: BTreeMap::from([("a".into(), "b".into())]),
        ..terms(5)
    };
    assert_eq!(next.terms, expected);
    let discount = Some(Some(Discount::Amount { value: 3 }));
    let next = revised(&one, Standing::NONE, &change(|it| it.discount = discount), at(0));
    assert_eq!(
        next.terms,
        Terms {
            discount: Some(Discount::Amount { value: 3 }),
            ..terms(5)
        }
    );
    assert_eq!(
        decided(&one, Standing::NONE, &change(|_| {}), at(0)),
        Ok(Effect::Unchanged)
    );
}

#[test]
fn a_change_to_what_may_not_be_is_refused() {
    let one = coupon(5);
    for (command, field, rule) in [
        (
            change(|it| it.name = Some("\n".to_owned())),
            Field::Name,
            Rule::Length { min: 1, max: 200 },
        ),
        (
            change(|it| it.name = Some("a\0".to_owned())),
            Field::Name,
            Rule::ForbiddenCharacter,
        ),
        (
            change(|it| {
                it.discount = Some(Some(Discount::Percent {
                    value: 101,
                    max_amount: None,
                }))
            }),
            Field::DiscountValue,
            Rule::Range { min: 1, max: 100 },
        ),
        (
            change(|it| it.validity = Some(Validity::For(Span::ZERO))),
            Field::ValidFor,
            Rule::Range {
                min: 1,
                max: 36_525 * 86_400,
            },
        ),
        (
            change(|it| it.min_order_amount = Some(1 << 53)),
            Field::MinOrderAmount,
            Rule::Range {
                min: 0,
                max: (1 << 53) - 1,
            },
        ),
    ] {
        assert_eq!(
            decided(&one, Standing::NONE, &command, at(0)),
            invalid(field, rule),
            "{command:?}"
        );
    }
}

#[test]
fn a_coupon_is_created_as_its_first_revision_if_its_window_has_an_end_to_come() {
    let id = CouponId::new(9).unwrap();
    for clock in [at(-5), at(0), at(OPEN_US - 1)] {
        let created = Coupon::create(id, terms(3), clock).unwrap();
        let expected = Coupon {
            id,
            revision: 1,
            terms: terms(3),
            paused: false,
            closed_at: None,
            deleted: false,
            created_at: clock,
            revised_at: clock,
        };
        assert_eq!(created, expected);
    }
    let wrong = Violation::new(Field::ClosesAt, Rule::InThePast);
    assert_eq!(
        Coupon::create(id, terms(3), at(OPEN_US)),
        Err(CommandRefusal::Invalid(vec![wrong]))
    );
    let nameless = Terms {
        name: "".into(),
        ..terms(3)
    };
    let length = Violation::new(Field::Name, Rule::Length { min: 1, max: 200 });
    assert_eq!(
        Coupon::create(id, nameless, at(OPEN_US)),
        Err(CommandRefusal::Invalid(vec![length, wrong])),
        "everything that is wrong is told"
    );
}

#[test]
fn a_change_that_is_wrong_names_every_field_that_is_wrong() {
    let faults = |closes_at, validity| {
        change(|it| {
            it.closes_at = Some(closes_at);
            it.name = Some(String::new());
            it.min_order_amount = Some(u64::MAX);
            it.validity = validity;
        })
    };
    let fields = |command: &Command, clock| match decided(&coupon(5), Standing::NONE, command, clock) {
        Err(CommandRefusal::Invalid(wrong)) => wrong.iter().map(|one| (one.field, one.rule)).collect(),
        _ => vec![],
    };
    let length = (Field::Name, Rule::Length { min: 1, max: 200 });
    let amount = (
        Field::MinOrderAmount,
        Rule::Range {
            min: 0,
            max: (1 << 53) - 1,
        },
    );
    let past = (Field::ClosesAt, Rule::InThePast);
    let reversed = (Field::ClosesAt, Rule::NotAfterOpening);
    assert_eq!(fields(&faults(at(5), None), at(5)), [past, length, amount]);
    assert_eq!(fields(&faults(at(0), None), at(-5)), [reversed, length, amount]);
    assert_eq!(
        fields(&faults(at(-9), None), at(5)),
        [past, length, amount],
        "one entry for one field"
    );
    let too_short = Some(Validity::Until(at(OPEN_US - 1)));
    assert_eq!(
        fields(&faults(at(0), too_short), at(-5)),
        [reversed, length, amount],
        "no validity is judged by a window that cannot be"
    );
}
