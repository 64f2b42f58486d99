//! Jobs: when one is due, and who may run it.

use crate::{Span, Timestamp};

/// Whether a job that began last at `last` and is to begin once in `every` is due. A clock that was set back does not
/// put it off: a last time that lies ahead counts as none.
pub fn job_is_due(last: Option<Timestamp>, every: Span, now: Timestamp) -> bool {
    last.is_none_or(|last| last > now || last.saturating_add(every) <= now)
}

/// How long until it is due.
pub fn job_due_in(last: Option<Timestamp>, every: Span, now: Timestamp) -> Span {
    if job_is_due(last, every, now) {
        return Span::ZERO;
    }
    let due = last.map_or(now, |last| last.saturating_add(every));
    Span::from_micros(due.as_micros().saturating_sub(now.as_micros())).unwrap_or(Span::ZERO)
}

/// Whether `asks` may have the lease: nobody has it, the one who has it asks again, or its time is over.
pub fn lease_is_free(held: Option<(&str, Timestamp)>, asks: &str, now: Timestamp) -> bool {
    held.is_none_or(|(owner, until)| owner == asks || until <= now)
}
