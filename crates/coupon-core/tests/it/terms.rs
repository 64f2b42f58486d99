//! Terms: every rule, at its edges.

use crate::{OPEN_US, at, quantity, terms};
use coupon_core::limits::{MAX_AMOUNT, MAX_VALID_FOR_US};
use coupon_core::{
    AckLevel, Discount, Field, Rule, Span, Strategy, Terms, TermsDraft, Timestamp, Validity, Violation,
    Window,
};
use std::collections::BTreeMap;

/// Sets something of terms that were right.
type Set = Box<dyn FnOnce(&mut Terms)>;

/// The terms of a draft are these of [`terms`].
fn draft() -> TermsDraft {
    TermsDraft {
        name: "봄맞이 쿠폰".to_owned(),
        opens_at: at(0),
        closes_at: at(OPEN_US),
        quantity: quantity(5),
        expires_at: None,
        valid_for: Some(Span::from_secs(86_400)),
        discount: Some(Discount::Percent {
            value: 10,
            max_amount: Some(5_000),
        }),
        min_order_amount: 20_000,
        currency: "KRW".to_owned(),
        time_zone: "Asia/Seoul".to_owned(),
        strategy: Strategy::Journal,
        ack: AckLevel::Ledger,
        show_remaining: true,
        labels: BTreeMap::from([("team".to_owned(), "growth".to_owned())]),
    }
}

fn changed(set: impl FnOnce(&mut Terms)) -> Vec<Violation> {
    let mut changed = terms(5);
    set(&mut changed);
    changed.violations()
}

fn labels(count: usize, key: &str, value: &str) -> BTreeMap<Box<str>, Box<str>> {
    (0..count)
        .map(|n| (format!("{key}{n}").into(), value.into()))
        .collect()
}

#[test]
fn what_is_within_every_limit_is_without_violation() {
    let fine: Vec<Set> = vec![
        Box::new(|_| {}),
        Box::new(|it| it.name = "x".into()),
        Box::new(|it| it.name = "한".repeat(200).into()),
        Box::new(|it| it.validity = Validity::Until(at(OPEN_US))),
        Box::new(|it| it.validity = Validity::For(Span::from_micros(1).unwrap())),
        Box::new(|it| it.validity = Validity::For(Span::from_micros(MAX_VALID_FOR_US).unwrap())),
        Box::new(|it| it.discount = None),
        Box::new(|it| it.discount = Some(Discount::Amount { value: 1 })),
        Box::new(|it| it.discount = Some(Discount::Amount { value: MAX_AMOUNT })),
        Box::new(|it| {
            it.discount = Some(Discount::Percent {
                value: 100,
                max_amount: Some(MAX_AMOUNT),
            })
        }),
        Box::new(|it| {
            it.discount = Some(Discount::Percent {
                value: 1,
                max_amount: Some(1),
            })
        }),
        Box::new(|it| it.min_order_amount = 0),
        Box::new(|it| it.min_order_amount = MAX_AMOUNT),
        Box::new(|it| it.time_zone = "America/Argentina/ComodRivadavia".into()),
        Box::new(|it| it.time_zone = "Etc/GMT+9".into()),
        Box::new(|it| it.labels = labels(16, &"k".repeat(61), &"값".repeat(200))),
        Box::new(|it| it.labels = labels(1, "k", "")),
    ];
    for set in fine {
        assert_eq!(changed(set), []);
    }
}

#[test]
fn what_is_beyond_a_limit_names_the_field_and_the_rule() {
    let amount = Rule::Range {
        min: 1,
        max: MAX_AMOUNT,
    };
    let percent = Rule::Range { min: 1, max: 100 };
    let name = Rule::Length { min: 1, max: 200 };
    let valid_for = Rule::Range {
        min: 1,
        max: 36_525 * 86_400,
    };
    let wrong: Vec<(Set, Field, Rule)> = vec![
        (Box::new(|it| it.name = "".into()), Field::Name, name),
        (Box::new(|it| it.name = " \u{3000}".into()), Field::Name, name),
        (
            Box::new(|it| it.name = "한".repeat(201).into()),
            Field::Name,
            name,
        ),
        (
            Box::new(|it| it.name = "a\u{7}b".into()),
            Field::Name,
            Rule::ForbiddenCharacter,
        ),
        (
            Box::new(|it| it.validity = Validity::Until(at(OPEN_US - 1))),
            Field::ExpiresAt,
            Rule::BeforeClosing,
        ),
        (
            Box::new(|it| it.validity = Validity::For(Span::ZERO)),
            Field::ValidFor,
            valid_for,
        ),
        (
            Box::new(|it| it.validity = Validity::For(Span::from_micros(MAX_VALID_FOR_US + 1).unwrap())),
            Field::ValidFor,
            valid_for,
        ),
        (
            Box::new(|it| it.discount = Some(Discount::Amount { value: 0 })),
            Field::DiscountValue,
            amount,
        ),
        (
            Box::new(|it| {
                it.discount = Some(Discount::Amount {
                    value: MAX_AMOUNT + 1,
                })
            }),
            Field::DiscountValue,
            amount,
        ),
        (
            Box::new(|it| {
                it.discount = Some(Discount::Percent {
                    value: 0,
                    max_amount: None,
                })
            }),
            Field::DiscountValue,
            percent,
        ),
        (
            Box::new(|it| {
                it.discount = Some(Discount::Percent {
                    value: 101,
                    max_amount: None,
                })
            }),
            Field::DiscountValue,
            percent,
        ),
        (
            Box::new(|it| {
                it.discount = Some(Discount::Percent {
                    value: 5,
                    max_amount: Some(0),
                })
            }),
            Field::DiscountMaxAmount,
            amount,
        ),
        (
            Box::new(|it| {
                it.discount = Some(Discount::Percent {
                    value: 5,
                    max_amount: Some(MAX_AMOUNT + 1),
                })
            }),
            Field::DiscountMaxAmount,
            amount,
        ),
        (
            Box::new(|it| it.min_order_amount = MAX_AMOUNT + 1),
            Field::MinOrderAmount,
            Rule::Range {
                min: 0,
                max: MAX_AMOUNT,
            },
        ),
        (
            Box::new(|it| it.currency = "krw".into()),
            Field::Currency,
            Rule::NotACurrency,
        ),
        (
            Box::new(|it| it.currency = "KR".into()),
            Field::Currency,
            Rule::NotACurrency,
        ),
        (
            Box::new(|it| it.currency = "원".into()),
            Field::Currency,
            Rule::NotACurrency,
        ),
        (
            Box::new(|it| it.time_zone = "".into()),
            Field::TimeZone,
            Rule::NotATimeZone,
        ),
        (
            Box::new(|it| it.time_zone = "Asia/Seoul ".into()),
            Field::TimeZone,
            Rule::NotATimeZone,
        ),
        (
            Box::new(|it| it.time_zone = "x".repeat(65).into()),
            Field::TimeZone,
            Rule::NotATimeZone,
        ),
        (
            Box::new(|it| it.labels = labels(17, "k", "v")),
            Field::Labels,
            Rule::TooMany { max: 16 },
        ),
        (
            Box::new(|it| it.labels = labels(1, &"k".repeat(63), "v")),
            Field::Labels,
            Rule::Length { min: 1, max: 63 },
        ),
        (
            Box::new(|it| it.labels = BTreeMap::from([("".into(), "v".into())])),
            Field::Labels,
            Rule::Length { min: 1, max: 63 },
        ),
        (
            Box::new(|it| it.labels = labels(1, "k", &"값".repeat(201))),
            Field::Labels,
            Rule::Length { min: 0, max: 200 },
        ),
        (
            Box::new(|it| it.labels = labels(1, "k\t", "v")),
            Field::Labels,
            Rule::ForbiddenCharacter,
        ),
        (
            Box::new(|it| it.labels = labels(1, "k", "v\n")),
            Field::Labels,
            Rule::ForbiddenCharacter,
        ),
    ];
    for (set, field, rule) in wrong {
        assert_eq!(changed(set), [Violation::new(field, rule)]);
    }
}

#[test]
fn every_field_that_is_wrong_is_named() {
    let found = changed(|it| {
        it.name = "".into();
        it.currency = "".into();
        it.time_zone = "".into();
        it.validity = Validity::For(Span::ZERO);
        it.discount = Some(Discount::Percent {
            value: 0,
            max_amount: Some(0),
        });
        it.min_order_amount = u64::MAX;
        it.labels = labels(99, "k", "v");
    });
    let fields: Vec<Field> = found.iter().map(|one| one.field).collect();
    let expected = [
        Field::Name,
        Field::Currency,
        Field::TimeZone,
        Field::ValidFor,
        Field::DiscountValue,
        Field::DiscountMaxAmount,
        Field::MinOrderAmount,
        Field::Labels,
    ];
    assert_eq!(fields, expected);
}

#[test]
fn a_draft_that_is_right_becomes_the_terms_it_describes() {
    assert_eq!(draft().check(at(OPEN_US - 1)), Ok(terms(5)));
    let until = TermsDraft {
        expires_at: Some(at(OPEN_US)),
        valid_for: None,
        ..draft()
    };
    let expected = Terms {
        validity: Validity::Until(at(OPEN_US)),
        ..terms(5)
    };
    assert_eq!(until.check(Timestamp::MIN), Ok(expected));
}

#[test]
fn a_draft_that_is_wrong_names_what_is_wrong() {
    let past = Violation::new(Field::ClosesAt, Rule::InThePast);
    let reversed = Violation::new(Field::ClosesAt, Rule::NotAfterOpening);
    let one_of_two = Violation::new(Field::ExpiresAt, Rule::ExactlyOneValidity);
    assert_eq!(draft().check(at(OPEN_US)), Err(vec![past]));
    for opens_at in [at(OPEN_US), at(OPEN_US + 1)] {
        let window = TermsDraft { opens_at, ..draft() };
        assert_eq!(window.check(at(0)), Err(vec![reversed]));
    }
    let ended_and_reversed = TermsDraft {
        opens_at: at(OPEN_US),
        ..draft()
    };
    assert_eq!(
        ended_and_reversed.check(at(OPEN_US)),
        Err(vec![past]),
        "one entry for one field"
    );
    for (expires_at, valid_for) in [(None, None), (Some(at(OPEN_US)), Some(Span::from_secs(1)))] {
        let validity = TermsDraft {
            expires_at,
            valid_for,
            ..draft()
        };
        assert_eq!(validity.check(at(0)), Err(vec![one_of_two]));
    }
}

#[test]
fn a_draft_with_a_wrong_window_or_validity_names_its_other_faults_too() {
    let wrong = TermsDraft {
        opens_at: at(OPEN_US),
        valid_for: None,
        name: String::new(),
        discount: Some(Discount::Amount { value: 0 }),
        min_order_amount: u64::MAX,
        labels: BTreeMap::from([(String::new(), String::new())]),
        ..draft()
    };
    let found = wrong.check(at(0)).unwrap_err();
    let fields: Vec<Field> = found.iter().map(|one| one.field).collect();
    for field in [
        Field::ClosesAt,
        Field::ExpiresAt,
        Field::Name,
        Field::DiscountValue,
        Field::MinOrderAmount,
        Field::Labels,
    ] {
        assert!(fields.contains(&field), "{field:?} is missing from {fields:?}");
    }
}

#[test]
fn a_window_closes_after_it_opens() {
    assert!(Window::new(at(0), at(0)).is_none());
    assert!(Window::new(at(1), at(0)).is_none());
    let shortest = Window::new(at(0), at(1)).unwrap();
    assert!(!shortest.has_opened(at(-1)) && shortest.has_opened(at(0)));
    assert!(!shortest.has_closed(at(0)) && shortest.has_closed(at(1)));
}
