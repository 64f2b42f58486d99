//! The port of what the clock makes due: expiry, reminders, and the announcement of issues.

use crate::StoreError;
use async_trait::async_trait;
use coupon_core::{Reminder, Timestamp};
use jiff::ToSpan as _;
use jiff::tz::TimeZone;
use std::time::Duration;

/// Writes down what the clock says of issued coupons, a batch at a time, behind everything else.
///
/// Every implementation MUST keep these, and `contract::notices` examines each:
///
/// 1. **What the clock says stays true.** Whether an issued coupon is expired is judged by the clock, wherever it is
///    asked; these methods only write down that it is so, once, with the notification of it.
/// 2. **Complete.** When a method has been called until [`Passed::more`] is false, everything that was due at `now` is
///    written, whatever was applied, redeemed, given back or missed in between, and after any downtime.
/// 3. **Once.** The expiry of an issued coupon, each of its reminders and its announcement are written at most once,
///    whoever calls, at once or again, and whatever `now` is passed.
/// 4. **Only what is unused.** An issued coupon that is redeemed or revoked neither expires nor is anybody reminded of
///    it. One whose use is given back after the end expires then.
/// 5. **Reminders by the law**: `coupon_core::decide_reminder`, with the instants that [`Reminders`] gives for the time
///    zone of the coupon as it is.
/// 6. **In bounds.** One call writes about `limit` rows in one transaction, and holds up neither an issue nor a
///    redemption for longer than that takes. What it looks at without need is bounded too: passing over what was passed
///    over before costs next to nothing.
/// 7. **Durable** when the method returns; when it fails, nothing of the call or everything is, and calling again is
///    always right.
#[async_trait]
pub trait Calendar: Send + Sync + 'static {
    /// Writes down which issued coupons have expired unused by `now`.
    async fn expire(&self, now: Timestamp, limit: usize) -> Result<Passed, StoreError>;

    /// Writes the reminders that are due at `now`.
    async fn remind(&self, reminders: &Reminders, now: Timestamp, limit: usize)
    -> Result<Passed, StoreError>;

    /// Writes the notifications of issues that have arrived.
    async fn announce(&self, limit: usize) -> Result<Passed, StoreError>;
}

/// What one call has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Expiries, reminders or announcements written.
    pub written: u64,
    /// Whether there is more to do at once.
    pub more: bool,
    /// For how long others may have had to wait for the call. What it waited for others itself is not in it, where the
    /// store can tell.
    pub held: Duration,
}

/// How many days before their end holders are reminded: 1 to 366 days, at most [`Reminders::MOST`] of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reminders(Vec<u16>);

/// The list cannot be one of reminders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "reminders are at most {} different numbers of days, each from 1 to 366",
    Reminders::MOST
)]
pub struct RemindersError;

impl Reminders {
    /// Most reminders of one issued coupon.
    pub const MOST: usize = 16;

    /// A list of days; none: nobody is reminded.
    pub fn new(days: impl IntoIterator<Item = u16>) -> Result<Self, RemindersError> {
        let mut days: Vec<u16> = days.into_iter().collect();
        days.sort_unstable_by(|one, other| other.cmp(one));
        let different = days.windows(2).all(|pair| pair[0] != pair[1]);
        if different && days.len() <= Self::MOST && days.iter().all(|days| (1..=366).contains(days)) {
            Ok(Self(days))
        } else {
            Err(RemindersError)
        }
    }

    /// The days, most first.
    pub fn days(&self) -> &[u16] {
        &self.0
    }

    /// One written form for each list, for a store that must notice a change.
    pub fn name(&self) -> String {
        let days: Vec<String> = self.0.iter().map(u16::to_string).collect();
        days.join(",")
    }

    /// The list that has this name.
    pub fn named(name: &str) -> Result<Self, RemindersError> {
        let days = name.split(',').filter(|_| !name.is_empty());
        let days: Result<Vec<u16>, _> = days.map(str::parse).collect();
        Self::new(days.map_err(|_no_number| RemindersError)?)
    }

    /// Before this nobody is reminded of what ends at `expires_at` or later, in whatever time zone; `None`: never.
    pub fn none_before(&self, expires_at: Timestamp) -> Option<Timestamp> {
        // The dates of a zone that changes sides of the date line are a day longer or shorter, and clocks change.
        const SLACK_DAYS: i64 = 2;
        let most = self.0.first()?;
        let ahead = (i64::from(*most) + SLACK_DAYS) * 86_400_000_000;
        Some(Timestamp::saturating_from_micros(
            expires_at.as_micros().saturating_sub(ahead),
        ))
    }

    /// The calendar of a time zone. A name that the database of time zones does not have counts as UTC: it was checked
    /// when the coupon was made, and a reminder some hours off is better than none.
    pub fn in_zone(&self, name: &str) -> ZonedReminders<'_> {
        ZonedReminders {
            days: &self.0,
            zone: TimeZone::get(name).unwrap_or(TimeZone::UTC),
            last: None,
            reminders: Vec::with_capacity(self.0.len()),
        }
    }
}

/// Reminders in one time zone. It keeps those of the last end that it was asked for: most issued coupons of a coupon end
/// together.
#[derive(Debug)]
pub struct ZonedReminders<'r> {
    days: &'r [u16],
    zone: TimeZone,
    last: Option<Timestamp>,
    reminders: Vec<Reminder>,
}

impl ZonedReminders<'_> {
    /// The reminders of what ends at `expires_at`: each at the same time of day by the clocks on the wall, so many dates
    /// before. Where clocks skip that time, as much later as they skip; where they show it twice, the first time.
    pub fn of(&mut self, expires_at: Timestamp) -> &[Reminder] {
        if self.last != Some(expires_at) {
            self.reminders.clear();
            let end = jiff::Timestamp::from_microsecond(expires_at.as_micros());
            // Every instant of ours is one of jiff's.
            let end = end.unwrap_or(jiff::Timestamp::MAX).to_zoned(self.zone.clone());
            for &days in self.days {
                let before = end.checked_sub(i64::from(days).days());
                let micros = before.map_or(0, |before| before.timestamp().as_microsecond());
                self.reminders.push(Reminder {
                    days,
                    at: Timestamp::saturating_from_micros(micros),
                });
            }
            self.last = Some(expires_at);
        }
        &self.reminders
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        let instant: jiff::Timestamp = text.parse().unwrap();
        Timestamp::from_micros(instant.as_microsecond()).unwrap()
    }

    #[test]
    fn a_reminder_comes_at_the_same_time_of_day_so_many_dates_before() {
        for (zone, end, days, due) in [
            (
                "Asia/Seoul",
                "2027-01-08T00:00:00+09:00",
                7,
                "2027-01-01T00:00:00+09:00",
            ),
            (
                "Asia/Seoul",
                "2027-03-01T23:59:59.999999+09:00",
                1,
                "2027-02-28T23:59:59.999999+09:00",
            ),
            ("UTC", "2027-01-01T00:00:00Z", 366, "2025-12-31T00:00:00Z"),
            // Clocks went forward on 2027-03-14: the week had 167 hours.
            // The dateline was crossed: there was no 30th of December.
            (
                "Pacific/Apia",
                "2011-12-31T12:00:00+14:00",
                2,
                "2011-12-29T12:00:00-10:00",
            ),
            (
                "America/New_York",
                "2027-03-20T12:00:00-04:00",
                7,
                "2027-03-13T12:00:00-05:00",
            ),
            // Clocks went back on 2027-11-07: the week had 169 hours.
            (
                "America/New_York",
                "2027-11-10T12:00:00-05:00",
                7,
                "2027-11-03T12:00:00-04:00",
            ),
            // 02:30 was skipped on that day.
            (
                "America/New_York",
                "2027-03-15T02:30:00-04:00",
                1,
                "2027-03-14T03:30:00-04:00",
            ),
            // 01:30 came twice on that day.
            (
                "America/New_York",
                "2027-11-08T01:30:00-05:00",
                1,
                "2027-11-07T01:30:00-04:00",
            ),
            ("No/Where", "2027-01-02T00:00:00Z", 1, "2027-01-01T00:00:00Z"),
            ("UTC", "1970-01-01T12:00:00Z", 1, "1970-01-01T00:00:00Z"),
            ("UTC", "9999-12-30T12:00:00Z", 1, "9999-12-29T12:00:00Z"),
        ] {
            let reminders = Reminders::new([days]).unwrap();
            let mut zoned = reminders.in_zone(zone);
            let expected = [Reminder { days, at: at(due) }];
            assert_eq!(zoned.of(at(end)), expected, "{days} before {end} in {zone}");
            assert_eq!(zoned.of(at(end)), expected, "asked again");
            let none_before = reminders.none_before(at(end));
            assert!(
                none_before <= Some(at(due)),
                "{none_before:?} for {end} in {zone}"
            );
        }
    }

    #[test]
    fn the_last_instant_there_is_has_reminders_too() {
        let reminders = Reminders::new([1]).unwrap();
        let due = reminders
            .in_zone("Pacific/Kiritimati")
            .of(Timestamp::MAX)
            .to_vec();
        assert!(due[0].at < Timestamp::MAX, "{due:?}");
    }

    #[test]
    fn a_list_of_reminders_has_different_days_within_a_year() {
        assert_eq!(Reminders::new([1, 30, 7]).unwrap().days(), [30, 7, 1]);
        assert_eq!(Reminders::new([1, 30, 7]).unwrap().name(), "30,7,1");
        assert_eq!(Reminders::new([]).unwrap().days(), [0_u16; 0]);
        for days in [vec![], vec![7], vec![1, 30, 7]] {
            let reminders = Reminders::new(days).unwrap();
            assert_eq!(Reminders::named(&reminders.name()), Ok(reminders));
        }
        for wrong in ["7,7", "0", "week", ","] {
            assert_eq!(Reminders::named(wrong), Err(RemindersError), "{wrong}");
        }
        assert_eq!(Reminders::new([]).unwrap().none_before(Timestamp::MAX), None);
        for wrong in [vec![0], vec![367], vec![7, 7], (1..=17).collect()] {
            assert_eq!(Reminders::new(wrong.clone()), Err(RemindersError), "{wrong:?}");
        }
    }
}
