//! Jobs and reminders: what is due when.

use coupon_core::{
    Reminder, Reminding, Span, Timestamp, decide_reminder, job_due_in, job_is_due, lease_is_free,
};
use proptest::prelude::*;

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).unwrap()
}

fn reminder(days: u16, micros: i64) -> Reminder {
    Reminder { days, at: at(micros) }
}

/// Issued at 100, expires at 1,000; due seven days before at 300, three before at 700, one before at 900.
fn decided(reminded: Option<u16>, now: i64) -> Reminding {
    let reminders = [reminder(7, 300), reminder(3, 700), reminder(1, 900)];
    decide_reminder(at(100), at(1_000), reminded, reminders, at(now))
}

#[test]
fn of_what_is_due_only_the_reminder_nearest_to_the_end_is_told() {
    for (reminded, now, due, next) in [
        (None, 100, None, Some(300)),
        (None, 299, None, Some(300)),
        (None, 300, Some(7), Some(700)),
        (Some(7), 300, None, Some(700)),
        (None, 700, Some(3), Some(900)),
        (Some(7), 700, Some(3), Some(900)),
        (Some(3), 700, None, Some(900)),
        (Some(3), 699, None, Some(900)),
        (None, 999, Some(1), None),
        (Some(7), 999, Some(1), None),
        (Some(1), 999, None, None),
        (None, 1_000, None, None),
        (None, 2_000, None, None),
    ] {
        let told = decided(reminded, now);
        assert_eq!(
            (told.due.map(|due| due.days), told.next.map(Timestamp::as_micros)),
            (due, next),
            "reminded {reminded:?} at {now}"
        );
    }
}

#[test]
fn what_was_due_before_the_issue_is_no_reminder() {
    let reminders = [reminder(7, 100), reminder(3, 101)];
    let told = decide_reminder(at(100), at(1_000), None, reminders, at(100));
    assert_eq!((told.due, told.next), (None, Some(at(101))));
    let told = decide_reminder(at(100), at(1_000), None, reminders, at(500));
    assert_eq!((told.due, told.next), (Some(reminder(3, 101)), None));
}

proptest! {
    #[test]
    fn whenever_the_job_runs_nobody_is_reminded_twice_of_one_thing_or_in_the_wrong_order(
        mut looks in prop::collection::vec(0..1_200_i64, 1..20),
    ) {
        looks.sort_unstable();
        let mut reminded = None;
        for now in looks {
            let told = decided(reminded, now);
            if let Some(due) = told.due {
                prop_assert!(due.at <= at(now) && now < 1_000);
                prop_assert!(reminded.is_none_or(|last| due.days < last));
                reminded = Some(due.days);
                prop_assert_eq!(decided(reminded, now).due, None);
            }
            prop_assert!(told.next.is_none_or(|next| next > at(now)));
        }
    }
}

#[test]
fn a_job_is_due_once_in_its_time_and_at_once_when_the_clock_was_set_back() {
    let every = Span::from_micros(60).unwrap();
    for (last, now, due_in) in [
        (None, 0, 0),
        (Some(0), 0, 60),
        (Some(0), 59, 1),
        (Some(0), 60, 0),
        (Some(0), 6_000, 0),
        (Some(100), 99, 0),
    ] {
        let last = last.map(at);
        assert_eq!(job_is_due(last, every, at(now)), due_in == 0, "{last:?} {now}");
        assert_eq!(job_due_in(last, every, at(now)).as_micros(), due_in);
    }
}

#[test]
fn a_lease_has_one_owner_until_its_end() {
    assert!(lease_is_free(None, "a", at(5)));
    for (asks, now, free) in [("a", 5, true), ("b", 5, false), ("b", 9, false), ("b", 10, true)] {
        assert_eq!(
            lease_is_free(Some(("a", at(10))), asks, at(now)),
            free,
            "{asks} at {now}"
        );
    }
}
