//! The numbers of a history: how many of each, how long they took, how it went over time, when it sold out.

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::history::{Attempt, History};
use crate::outcome::Outcome;

/// Latencies beyond an hour count as an hour.
const LONGEST_US: u64 = 3_600_000_000;
const INTERVALS_AIM: u64 = 90;

/// Latencies of one kind of answer, from the intended send time, in microseconds.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Percentiles {
    /// How many answers.
    pub count: u64,
    /// Half took at most this long.
    pub p50_us: u64,
    /// 90 percent did.
    pub p90_us: u64,
    /// 99 percent did.
    pub p99_us: u64,
    /// 99.9 percent did.
    pub p999_us: u64,
    /// All did.
    pub max_us: u64,
    /// Points of the distribution: a quantile between 0 and 1, and its latency in microseconds.
    #[serde(skip)]
    pub curve: Vec<(f64, u64)>,
}

/// One interval of the load.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Interval {
    /// Issues answered in it.
    pub issued: u64,
    /// Refusals answered in it.
    pub refused: u64,
    /// Failures (429, 503, unknown, unexpected) in it.
    pub failed: u64,
    /// The median latency of the attempts that should have been sent in it, in microseconds; none if there were none.
    pub p50_us: Option<u64>,
    /// Their 99th percentile.
    pub p99_us: Option<u64>,
    /// Their longest.
    pub max_us: Option<u64>,
}

/// All numbers of a history.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Requests with a recorded outcome.
    pub attempts: u64,
    /// Users who asked at least once.
    pub users: u64,
    /// Users who gave up with nothing but 429, 503 or not-yet-open.
    pub unserved_users: u64,
    /// Attempts by outcome, in the order of [`Outcome::ALL`].
    #[serde(skip)]
    pub answers: [u64; Outcome::ALL.len()],
    /// How long it took from the start to the last answer, in nanoseconds.
    pub elapsed_ns: u64,
    /// Answers per second, over the time from the first to the last answer.
    pub answers_per_second: f64,
    /// When the last of the stock was answered, in nanoseconds since the start; none if it did not sell out.
    pub sold_out_ns: Option<u64>,
    /// Latencies of issues.
    pub issued: Percentiles,
    /// Latencies of refusals.
    pub refused: Percentiles,
    /// Latencies of everything else.
    pub failed: Percentiles,
    /// The length of an interval in nanoseconds.
    pub interval_ns: u64,
    /// The intervals from the start on.
    pub intervals: Vec<Interval>,
}

impl Summary {
    /// Counts and sorts a history.
    pub fn of(history: &History) -> Self {
        let attempts = &history.attempts;
        let mut answers = [0; Outcome::ALL.len()];
        for attempt in attempts {
            answers[attempt.outcome.index()] += 1;
        }
        let first_ns = attempts
            .iter()
            .map(|attempt| attempt.answered_ns)
            .min()
            .unwrap_or(0);
        let elapsed_ns = attempts
            .iter()
            .map(|attempt| attempt.answered_ns)
            .max()
            .unwrap_or(0);
        let interval_ns = interval_for(elapsed_ns);
        let (users, unserved_users) = count_users(history);
        Self {
            attempts: count(attempts.len()),
            users,
            unserved_users,
            answers,
            elapsed_ns,
            answers_per_second: per_second(count(attempts.len()), elapsed_ns - first_ns),
            sold_out_ns: sold_out_ns(history),
            issued: percentiles(attempts, |outcome| outcome == Outcome::Issued),
            refused: percentiles(attempts, Outcome::is_refusal),
            failed: percentiles(attempts, Outcome::is_failure),
            interval_ns,
            intervals: intervals(attempts, interval_ns, elapsed_ns),
        }
    }

    /// Attempts of one outcome.
    pub fn count(&self, outcome: Outcome) -> u64 {
        self.answers[outcome.index()]
    }

    /// Refusals of every kind together.
    pub fn refusals(&self) -> u64 {
        self.refused.count
    }

    /// Failures of every kind together.
    pub fn failures(&self) -> u64 {
        self.failed.count
    }
}

/// Answers per second over a time in nanoseconds.
#[expect(clippy::cast_precision_loss, reason = "counts and times far below 2^53")]
fn per_second(answers: u64, over_ns: u64) -> f64 {
    if over_ns == 0 {
        0.0
    } else {
        answers as f64 * 1e9 / over_ns as f64
    }
}

fn count_users(history: &History) -> (u64, u64) {
    let mut asked = vec![(false, false); history.header.plan.users as usize];
    for attempt in &history.attempts {
        let (has_asked, was_served) = &mut asked[attempt.user as usize];
        *has_asked = true;
        *was_served |= !matches!(
            attempt.outcome,
            Outcome::RateLimited | Outcome::Unavailable | Outcome::NotYetOpen | Outcome::Unknown
        );
    }
    let users = asked.iter().filter(|(has_asked, _)| *has_asked).count();
    let unserved = asked
        .iter()
        .filter(|(has_asked, was_served)| *has_asked && !was_served)
        .count();
    (count(users), count(unserved))
}

/// The answer with the highest position, if that is the whole stock; else the first refusal for want of stock.
fn sold_out_ns(history: &History) -> Option<u64> {
    let quantity = history.header.coupon.quantity?;
    let last = history
        .attempts
        .iter()
        .filter(|attempt| attempt.position == Some(quantity));
    let first_refused = history
        .attempts
        .iter()
        .filter(|attempt| attempt.outcome == Outcome::SoldOut);
    let earliest = |attempts: &mut dyn Iterator<Item = &Attempt>| attempts.map(|one| one.answered_ns).min();
    let sold_out = earliest(&mut last.into_iter());
    sold_out.or_else(|| earliest(&mut first_refused.into_iter()))
}

fn percentiles(attempts: &[Attempt], of: impl Fn(Outcome) -> bool) -> Percentiles {
    let mut histogram = new_histogram();
    for attempt in attempts.iter().filter(|attempt| of(attempt.outcome)) {
        histogram.saturating_record(attempt.latency_us().max(1));
    }
    if histogram.is_empty() {
        return Percentiles::default();
    }
    Percentiles {
        count: histogram.len(),
        p50_us: histogram.value_at_quantile(0.5),
        p90_us: histogram.value_at_quantile(0.9),
        p99_us: histogram.value_at_quantile(0.99),
        p999_us: histogram.value_at_quantile(0.999),
        max_us: histogram.max(),
        curve: curve(&histogram),
    }
}

/// Points at even steps of the nines, as far as the number of answers carries them.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn curve(histogram: &Histogram<u64>) -> Vec<(f64, u64)> {
    let nines = (histogram.len() as f64).log10();
    let steps = 120;
    (0..=steps)
        .map(|step| 1.0 - 10_f64.powf(-nines * f64::from(step) / f64::from(steps)))
        .map(|quantile| (quantile, histogram.value_at_quantile(quantile)))
        .collect()
}

/// A length that people count in, so that there are about [`INTERVALS_AIM`] of them.
fn interval_for(elapsed_ns: u64) -> u64 {
    let wanted = (elapsed_ns / INTERVALS_AIM).max(1);
    let mut decade = 1_000_000;
    loop {
        for step in [1, 2, 5] {
            if decade * step >= wanted {
                return decade * step;
            }
        }
        decade *= 10;
    }
}

fn intervals(attempts: &[Attempt], interval_ns: u64, elapsed_ns: u64) -> Vec<Interval> {
    let index = |at_ns: u64| usize::try_from(at_ns / interval_ns).unwrap_or(usize::MAX);
    let mut intervals = vec![Interval::default(); index(elapsed_ns) + 1];
    for attempt in attempts {
        let interval = &mut intervals[index(attempt.answered_ns)];
        if attempt.outcome == Outcome::Issued {
            interval.issued += 1;
        } else if attempt.outcome.is_refusal() {
            interval.refused += 1;
        } else {
            interval.failed += 1;
        }
    }
    let mut by_intention: Vec<&Attempt> = attempts.iter().collect();
    by_intention.sort_unstable_by_key(|attempt| attempt.intended_ns);
    let mut histogram = new_histogram();
    for together in by_intention.chunk_by(|a, b| index(a.intended_ns) == index(b.intended_ns)) {
        histogram.reset();
        for attempt in together {
            histogram.saturating_record(attempt.latency_us().max(1));
        }
        if let Some(interval) = intervals.get_mut(index(together[0].intended_ns)) {
            interval.p50_us = Some(histogram.value_at_quantile(0.5));
            interval.p99_us = Some(histogram.value_at_quantile(0.99));
            interval.max_us = Some(histogram.max());
        }
    }
    intervals
}

fn new_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_US, 3).expect("these bounds are valid")
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::interval_for;

    #[test]
    fn intervals_have_lengths_that_people_count_in() {
        assert_eq!(interval_for(0), 1_000_000);
        assert_eq!(interval_for(5_000_000_000), 100_000_000);
        assert_eq!(interval_for(60_000_000_000), 1_000_000_000);
    }
}
