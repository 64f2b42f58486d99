//! When which user asks: the arrivals of an open model, drawn once from a seed.
//!
//! Arrivals never wait for answers. A user who asks more than once does so at independent times, so that two of
//! their asks can be in flight together.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::whole_ns;
use crate::random::Random;

/// How arrivals are spread over the duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// The same gap between any two.
    Even,
    /// Independent arrivals at a constant rate: what many strangers look like.
    Poisson,
    /// Half of the arrivals in the first tenth of the time: what an announced opening looks like.
    Rush,
}

/// All arrivals of a rehearsal, in order of time.
#[derive(Debug)]
pub(crate) struct Arrivals {
    users: Vec<u32>,
    next: usize,
    clock: ArrivalClock,
    due_ns: u64,
}

#[derive(Debug)]
struct ArrivalClock {
    shape: Shape,
    duration_ns: f64,
    total: f64,
    random: Random,
}

impl Arrivals {
    /// Draws who asks when: every user once, and a share of them up to `most_asks` times.
    pub(crate) fn draw(
        users: u32,
        duplicate_share: f64,
        most_asks: u32,
        duration: Duration,
        shape: Shape,
        seed: u64,
    ) -> Self {
        let mut random = Random::seeded(seed);
        let mut order: Vec<u32> = (0..users).collect();
        for user in 0..users {
            if random.unit() < duplicate_share {
                let again = 1 + random.below(most_asks - 1);
                order.extend(std::iter::repeat_n(user, again as usize));
            }
        }
        shuffle(&mut order, &mut random);
        #[expect(
            clippy::cast_precision_loss,
            reason = "arrivals and nanoseconds of a day fit 53 bits"
        )]
        let clock = ArrivalClock {
            shape,
            duration_ns: whole_ns(duration) as f64,
            total: order.len() as f64,
            random,
        };
        let mut arrivals = Self {
            users: order,
            next: 0,
            clock,
            due_ns: 0,
        };
        arrivals.due_ns = arrivals.clock.time_of(0, 0);
        arrivals
    }

    /// How many asks there are, first and repeated ones.
    pub(crate) fn len(&self) -> usize {
        self.users.len()
    }

    /// How many have not arrived yet.
    pub(crate) fn left(&self) -> usize {
        self.users.len() - self.next
    }

    /// Nobody else arrives.
    pub(crate) fn cancel(&mut self) {
        self.next = self.users.len();
    }

    /// When the next one arrives, in nanoseconds since the start; none if all have.
    pub(crate) fn next_due_ns(&self) -> Option<u64> {
        (self.next < self.users.len()).then_some(self.due_ns)
    }

    /// Takes the next arrival if it is due: its user and its intended time.
    pub(crate) fn take_due(&mut self, now_ns: u64) -> Option<(u32, u64)> {
        let user = *self.users.get(self.next)?;
        let due_ns = self.due_ns;
        if due_ns > now_ns {
            return None;
        }
        self.next += 1;
        self.due_ns = self.clock.time_of(self.next, due_ns);
        Some((user, due_ns))
    }
}

impl ArrivalClock {
    /// The time of arrival number `index`, given that of the one before.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "times are between zero and a few days in nanoseconds"
    )]
    fn time_of(&mut self, index: usize, before_ns: u64) -> u64 {
        let share = index as f64 / self.total;
        match self.shape {
            Shape::Even => (share * self.duration_ns) as u64,
            Shape::Poisson => {
                let mean_gap = self.duration_ns / self.total;
                let gap = -(1.0 - self.random.unit()).ln() * mean_gap;
                before_ns + gap as u64
            }
            Shape::Rush if share < 0.5 => (share * 0.2 * self.duration_ns) as u64,
            Shape::Rush => ((0.1 + (share - 0.5) * 1.8) * self.duration_ns) as u64,
        }
    }
}

fn shuffle(order: &mut [u32], random: &mut Random) {
    for last in (1..order.len()).rev() {
        let bound = u32::try_from(last + 1).unwrap_or(u32::MAX);
        order.swap(last, random.below(bound) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::{Arrivals, Shape};
    use std::time::Duration;

    fn all(shape: Shape, duplicate_share: f64) -> Vec<(u32, u64)> {
        let mut arrivals = Arrivals::draw(1_000, duplicate_share, 3, Duration::from_secs(1), shape, 7);
        std::iter::from_fn(|| arrivals.take_due(u64::MAX)).collect()
    }

    #[test]
    fn every_user_arrives_and_the_share_arrives_again() {
        let mut asks = vec![0; 1_000];
        for (user, _) in all(Shape::Even, 0.25) {
            asks[user as usize] += 1;
        }
        let again = asks.iter().filter(|&&count| count > 1).count();
        assert!(asks.iter().all(|count| (1..=3).contains(count)));
        assert!((200..300).contains(&again), "{again}");
    }

    #[test]
    fn arrivals_come_in_order_of_time_and_the_same_seed_draws_the_same() {
        for shape in [Shape::Even, Shape::Poisson, Shape::Rush] {
            let arrivals = all(shape, 0.1);
            assert!(arrivals.is_sorted_by_key(|(_, due_ns)| *due_ns));
            assert_eq!(arrivals, all(shape, 0.1));
            let last_ns = arrivals.last().unwrap().1;
            assert!(
                (800_000_000..1_200_000_000).contains(&last_ns),
                "{shape:?} ends at {last_ns}"
            );
        }
    }

    #[test]
    fn a_rush_brings_half_of_the_arrivals_in_the_first_tenth() {
        let arrivals = all(Shape::Rush, 0.0);
        let early = arrivals
            .iter()
            .filter(|(_, due_ns)| *due_ns < 100_000_000)
            .count();
        assert_eq!(early, 500);
    }

    #[test]
    fn nobody_arrives_early() {
        let mut arrivals = Arrivals::draw(10, 0.0, 2, Duration::from_secs(1), Shape::Even, 1);
        assert!(arrivals.take_due(0).is_some());
        assert!(arrivals.take_due(99_999_999).is_none());
        assert_eq!(arrivals.next_due_ns(), Some(100_000_000));
        assert_eq!(arrivals.left(), 9);
    }
}
