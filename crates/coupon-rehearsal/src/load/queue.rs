//! Who is to be asked next: arrivals that are due, and asks that are to be repeated.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::clock::{Stopwatch, whole_ns};
use crate::outcome::Outcome;
use crate::plan::Retries;
use crate::workloads::Arrivals;

const FIRST_WAIT: Duration = Duration::from_millis(50);

/// One ask of one user, perhaps repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ask {
    /// When it should be sent: its arrival, or the time to ask again.
    pub(crate) intended_ns: u64,
    /// Whose it is.
    pub(crate) user: u32,
    /// How often it has been sent already.
    tries: u32,
    /// Whether an earlier try may have had an effect that nobody knows.
    in_doubt: bool,
}

/// The queue between the arrivals and the connections. All connections share one.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    clock: Stopwatch,
    retries: Retries,
    due: Notify,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    arrivals: Arrivals,
    ready: VecDeque<Ask>,
    later: BinaryHeap<Reverse<Ask>>,
    in_flight: u64,
    never_sent: u64,
    closed: bool,
}

impl Queue {
    pub(crate) fn new(arrivals: Arrivals, clock: Stopwatch, retries: Retries) -> Self {
        let state = State {
            arrivals,
            ready: VecDeque::new(),
            later: BinaryHeap::new(),
            in_flight: 0,
            never_sent: 0,
            closed: false,
        };
        Self {
            state: Mutex::new(state),
            clock,
            retries,
            due: Notify::new(),
            changed: Notify::new(),
        }
    }

    /// The next ask that is due; waits for one. None when there will be no more.
    pub(crate) async fn next(&self) -> Option<Ask> {
        loop {
            let due = self.due.notified();
            {
                let mut state = self.state();
                state.release(self.clock.ns());
                if let Some(ask) = state.ready.pop_front() {
                    state.in_flight += 1;
                    // Whoever takes one wakes the next, so that a burst costs one wake-up per ask and no more.
                    if !state.ready.is_empty() {
                        self.due.notify_one();
                    }
                    return Some(ask);
                }
                if state.closed {
                    return None;
                }
            }
            due.await;
        }
    }

    /// An ask was answered. What is not definite is asked again later, within its bounds.
    pub(crate) fn answered(&self, ask: Ask, outcome: Outcome, retry_after: Option<Duration>) {
        let mut state = self.state();
        state.in_flight -= 1;
        if let Some(again) = self.again(ask, outcome, retry_after) {
            if state.closed {
                state.never_sent += 1;
            } else {
                state.later.push(Reverse(again));
            }
            self.changed.notify_one();
        } else if state.is_done() {
            self.changed.notify_one();
        }
    }

    /// An ask could not be sent because there is no server any more.
    pub(crate) fn not_sent(&self) {
        let mut state = self.state();
        state.in_flight -= 1;
        state.never_sent += 1;
    }

    /// Wakes the connections if asks are due, and says when the next one will be (the end of time if none).
    pub(crate) fn release(&self) -> u64 {
        let mut state = self.state();
        state.release(self.clock.ns());
        if !state.ready.is_empty() {
            self.due.notify_one();
        }
        let later = state
            .later
            .peek()
            .map_or(u64::MAX, |Reverse(ask)| ask.intended_ns);
        state.arrivals.next_due_ns().unwrap_or(u64::MAX).min(later)
    }

    /// Ends it: what has not been sent by now never will be.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        let left = state.arrivals.left() + state.ready.len() + state.later.len();
        state.never_sent += u64::try_from(left).unwrap_or(u64::MAX);
        state.ready.clear();
        state.later.clear();
        state.arrivals.cancel();
        state.closed = true;
        drop(state);
        self.due.notify_waiters();
    }

    /// Whether nothing is due, in flight or to come.
    pub(crate) fn is_done(&self) -> bool {
        self.state().is_done()
    }

    /// Whether somebody is waiting for an answer or for a connection right now.
    pub(crate) fn is_waiting_for_the_server(&self) -> bool {
        let state = self.state();
        state.in_flight > 0 || !state.ready.is_empty()
    }

    /// Whether it was closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.state().closed
    }

    /// Waits until something was answered that the pacing should know of.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Asks that were given up unsent.
    pub(crate) fn never_sent(&self) -> u64 {
        self.state().never_sent
    }

    /// How many are in flight, waiting for a connection or a repeat, and to come.
    pub(crate) fn counts(&self) -> (u64, u64, u64) {
        let state = self.state();
        let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
        (
            state.in_flight,
            count(state.ready.len() + state.later.len()),
            count(state.arrivals.left()),
        )
    }

    fn again(&self, ask: Ask, outcome: Outcome, retry_after: Option<Duration>) -> Option<Ask> {
        let in_doubt = match outcome {
            Outcome::Unknown => true,
            Outcome::RateLimited | Outcome::Unavailable | Outcome::NotYetOpen => ask.in_doubt,
            Outcome::Issued
            | Outcome::AlreadyIssued
            | Outcome::SoldOut
            | Outcome::Closed
            | Outcome::Paused
            | Outcome::UnknownCoupon
            | Outcome::Unexpected => return None,
        };
        let most = if in_doubt {
            self.retries.while_unknown
        } else {
            self.retries.after_refusal_to_serve
        };
        if ask.tries >= most {
            return None;
        }
        let doubled = FIRST_WAIT * (1 << ask.tries.min(6));
        let wait = retry_after
            .unwrap_or(doubled)
            .clamp(FIRST_WAIT, self.retries.longest_wait.max(FIRST_WAIT));
        let intended_ns = self.clock.ns() + whole_ns(wait);
        Some(Ask {
            intended_ns,
            tries: ask.tries + 1,
            in_doubt,
            ..ask
        })
    }

    /// A panic elsewhere does not make the queue wrong.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Moves what is due into the queue, in order of intended time as far as it comes at once.
    fn release(&mut self, now_ns: u64) {
        while let Some((user, intended_ns)) = self.arrivals.take_due(now_ns) {
            self.ready.push_back(Ask {
                intended_ns,
                user,
                tries: 0,
                in_doubt: false,
            });
        }
        while self
            .later
            .peek()
            .is_some_and(|Reverse(ask)| ask.intended_ns <= now_ns)
        {
            if let Some(Reverse(ask)) = self.later.pop() {
                self.ready.push_back(ask);
            }
        }
    }

    fn is_done(&self) -> bool {
        self.in_flight == 0 && self.ready.is_empty() && self.later.is_empty() && self.arrivals.left() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::Queue;
    use crate::clock::Stopwatch;
    use crate::outcome::Outcome;
    use crate::plan::Retries;
    use crate::workloads::{Arrivals, Shape};
    use std::time::Duration;

    fn queue(users: u32, retries: Retries) -> Queue {
        let arrivals = Arrivals::draw(users, 0.0, 2, Duration::ZERO, Shape::Even, 1);
        Queue::new(arrivals, Stopwatch::start(), retries)
    }

    #[tokio::test]
    async fn an_ask_is_over_when_its_answer_is_definite() {
        let queue = queue(1, Retries::default());
        let ask = queue.next().await.unwrap();
        assert!(!queue.is_done());
        queue.answered(ask, Outcome::SoldOut, None);
        assert!(queue.is_done());
    }

    #[tokio::test]
    async fn an_ask_in_doubt_is_repeated_through_refusals_to_serve() {
        let retries = Retries {
            after_refusal_to_serve: 0,
            while_unknown: 3,
            ..Retries::default()
        };
        let queue = queue(1, retries);
        let mut outcomes = [Outcome::Unknown, Outcome::Unavailable, Outcome::RateLimited].into_iter();
        let mut sent = 0;
        while !queue.is_done() {
            queue.release();
            if let Some(ask) = next_now(&queue) {
                sent += 1;
                queue.answered(ask, outcomes.next().unwrap_or(Outcome::Unknown), None);
            }
        }
        assert_eq!(sent, 4);
    }

    #[tokio::test]
    async fn closing_counts_what_was_never_sent_and_lets_everybody_go() {
        let queue = queue(3, Retries::default());
        let ask = queue.next().await.unwrap();
        queue.close();
        queue.answered(ask, Outcome::Unknown, None);
        assert_eq!(queue.never_sent(), 3);
        assert_eq!(queue.next().await, None);
    }

    fn next_now(queue: &Queue) -> Option<super::Ask> {
        let mut state = queue.state();
        let ask = state.ready.pop_front()?;
        state.in_flight += 1;
        Some(ask)
    }
}
