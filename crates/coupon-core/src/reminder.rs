//! Reminders: which one an issued coupon is due, and when to look again.

use crate::Timestamp;

/// One reminder of one issued coupon: how many days before its end, and the instant that this is in its time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reminder {
    /// The setting: so many days.
    pub days: u16,
    /// From when it is due.
    pub at: Timestamp,
}

/// What is to be done about the reminders of an issued coupon that can still be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reminding {
    /// The one to be written now.
    pub due: Option<Reminder>,
    /// When to look again; `None`: nothing will come any more.
    pub next: Option<Timestamp>,
}

/// Decides on the reminders of an issued coupon at `now`. `reminded` is the setting of the last one that was written.
///
/// 1. Nothing is told once the validity has ended.
/// 2. A reminder that would have been due at the issue or before it is none: whoever gets a coupon that is valid for
///    three days knows that it ends within seven.
/// 3. Of several that are due at once, after a downtime, only the nearest to the end is told. The others would say what
///    is not true any more, so none of them follows later either.
pub fn decide_reminder(
    issued_at: Timestamp,
    expires_at: Timestamp,
    reminded: Option<u16>,
    reminders: impl IntoIterator<Item = Reminder>,
    now: Timestamp,
) -> Reminding {
    let mut decided = Reminding::default();
    if now >= expires_at {
        return decided;
    }
    for one in reminders {
        if one.at <= issued_at || reminded.is_some_and(|last| one.days >= last) {
            continue;
        }
        if one.at > now {
            decided.next = Some(decided.next.map_or(one.at, |next| next.min(one.at)));
        } else if decided.due.is_none_or(|due| one.days < due.days) {
            decided.due = Some(one);
        }
    }
    decided
}
