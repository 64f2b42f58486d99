//! An open load: requests come when they come, whether or not the server has answered the ones before. It finds out
//! how long people wait. Latencies count from the intended time of sending, so that a server which stalls cannot hide
//! its stall from those who would have come meanwhile.

use super::Outcome;
use super::connection::Pool;
use super::request::Salvo;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Sends the whole salvo over so many connections, on average at `rate` a second with random gaps (Poisson); or what is
/// due until somebody ends it.
pub(crate) fn open(
    address: SocketAddr,
    connections: usize,
    rate: f64,
    seed: u64,
    salvo: &Salvo,
) -> anyhow::Result<Outcome> {
    let mut pool = Pool::open(address, connections, salvo)?;
    let mut idle: Vec<usize> = (0..pool.len()).collect();
    let mut due: VecDeque<Instant> = VecDeque::new();
    let mut arrivals = Arrivals::new(rate, seed);
    let began = Instant::now();
    let mut left = salvo.count;
    let mut next = began + arrivals.gap();
    while left > 0 || !due.is_empty() || pool.under_way > 0 {
        let now = Instant::now();
        if salvo.is_over() {
            left = 0;
        }
        while left > 0 && next <= now {
            due.push_back(next);
            next += arrivals.gap();
            left -= 1;
        }
        while let Some(index) = idle.pop() {
            let Some(since) = due.pop_front() else {
                idle.push(index);
                break;
            };
            pool.send(index, since)?;
        }
        if left == 0 && due.is_empty() && pool.under_way == 0 {
            // Ended while nobody waited: there is nothing to wait for.
            break;
        }
        let longest = (left > 0).then(|| next.saturating_duration_since(Instant::now()));
        pool.wait(longest, &mut idle)?;
    }
    Ok(pool.tally.outcome(began.elapsed()))
}

/// Gaps between arrivals, exponentially distributed: nobody knows of anybody else.
struct Arrivals {
    mean_s: f64,
    state: u64,
}

impl Arrivals {
    fn new(rate: f64, seed: u64) -> Self {
        Self {
            mean_s: 1.0 / rate,
            state: seed,
        }
    }

    fn gap(&mut self) -> Duration {
        // xorshift64* (Vigna 2016) is random enough for gaps.
        self.state = self.state.max(1);
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        let bits = self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11;
        // In (0, 1], so that the logarithm is finite.
        let uniform = (bits as f64 + 1.0) / (1u64 << 53) as f64;
        Duration::from_secs_f64(-uniform.ln() * self.mean_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrivals_come_at_the_rate_asked_for_and_not_evenly() {
        let mut arrivals = Arrivals::new(1_000.0, 7);
        let gaps: Vec<f64> = (0..100_000).map(|_| arrivals.gap().as_secs_f64()).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        assert!((0.000_98..0.001_02).contains(&mean), "{mean}");
        // Of exponential gaps a share of 1/e is longer than the mean.
        let longer = gaps.iter().filter(|gap| **gap > 0.001).count();
        assert!((35_000..39_000).contains(&longer), "{longer}");
    }
}
