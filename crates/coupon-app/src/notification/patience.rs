//! How long a channel waits between attempts.

use coupon_core::Span;

/// A table of waits: the first after the first attempt, and so on. After the attempt that has no wait left the delivery
/// is given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patience {
    waits: Vec<Span>,
    longest: Span,
}

impl Patience {
    /// The example of the Standard Webhooks specification: at once, then 5 seconds, 5 and 30 minutes, 2, 5, 10, 14, 20
    /// and 24 hours after one another. Ten attempts in a little over three days.
    pub fn standard() -> Self {
        Self::new(
            [
                5,
                5 * 60,
                30 * 60,
                2 * 3_600,
                5 * 3_600,
                10 * 3_600,
                14 * 3_600,
                20 * 3_600,
                24 * 3_600,
            ]
            .map(Span::from_secs)
            .to_vec(),
        )
    }

    /// With these waits. None: one attempt and no more.
    pub fn new(waits: Vec<Span>) -> Self {
        let longest = waits.iter().copied().max().unwrap_or(Span::ZERO);
        Self { waits, longest }
    }

    /// How many attempts there are in all.
    pub fn attempts(&self) -> usize {
        self.waits.len() + 1
    }

    /// How long to wait after failed attempt number `attempt` (counted from 1); `None` when that was the last.
    ///
    /// `asked` is what the other side asked for: it is kept to, but never beyond the longest wait of the table, so that
    /// nobody can put a delivery off for ever. `random` spreads the wait evenly over the fifth that follows it, so that
    /// what failed together does not come back together.
    pub fn wait(&self, attempt: u32, asked: Option<Span>, random: u64) -> Option<Span> {
        let index = usize::try_from(attempt.checked_sub(1)?).ok()?;
        let planned = *self.waits.get(index)?;
        let wait = match asked {
            Some(asked) => planned.max(asked.min(self.longest)),
            None => planned,
        };
        let fifth = wait.as_micros() / 5;
        // The remainder of a division by at most i64::MAX / 5 + 1 fits.
        let spread = i64::try_from(random % (fifth.unsigned_abs() + 1)).unwrap_or(fifth);
        Span::from_micros(wait.as_micros().saturating_add(spread))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_follow_the_table_and_what_was_asked_for_within_bounds() {
        let secs = Span::from_secs;
        let patience = Patience::new(vec![secs(10), secs(100)]);
        assert_eq!(patience.attempts(), 3);
        for (attempt, asked, random, expected) in [
            (1, None, 0, Some(secs(10))),
            (1, None, 2_000_000, Some(secs(12))),
            (1, None, 2_000_001, Some(secs(10))),
            (2, None, 0, Some(secs(100))),
            (3, None, 0, None),
            (u32::MAX, None, 0, None),
            (0, None, 0, None),
            (1, Some(secs(50)), 0, Some(secs(50))),
            (1, Some(secs(1)), 0, Some(secs(10))),
            (1, Some(secs(1_000_000)), 0, Some(secs(100))),
            (3, Some(secs(50)), 0, None),
        ] {
            assert_eq!(
                patience.wait(attempt, asked, random),
                expected,
                "attempt {attempt}, asked {asked:?}, random {random}"
            );
        }
        assert_eq!(Patience::new(vec![]).wait(1, None, 7), None);
        assert_eq!(Patience::standard().attempts(), 10);
    }
}
