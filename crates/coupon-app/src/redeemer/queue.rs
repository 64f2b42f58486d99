//! The requests that wait for the store, in order of arrival.

use crate::redemption::{RedemptionOutcome, RedemptionRequest};
use crate::{LedgerError, Reason, limits};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

type Answer = oneshot::Sender<Result<RedemptionOutcome, LedgerError>>;

/// A request, and where its answer goes.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) request: RedemptionRequest,
    pub(super) answer: Answer,
}

/// A bounded queue with one taker.
#[derive(Debug, Default)]
pub(super) struct Queue {
    inbox: Mutex<Inbox>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct Inbox {
    requests: Vec<RedemptionRequest>,
    answers: Vec<Answer>,
    /// Requests that were taken and are not answered yet.
    deciding: usize,
    /// The taker waits to be woken.
    asleep: bool,
    closing: bool,
}

impl Queue {
    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a request at the end, or says why it cannot.
    pub(super) fn submit(&self, job: Job) -> Result<(), LedgerError> {
        let mut inbox = self.inbox();
        if inbox.closing {
            return Err(LedgerError::Unavailable(Reason::Closing));
        }
        if inbox.requests.len() + inbox.deciding >= limits::MAX_REDEMPTIONS_WAITING {
            return Err(LedgerError::Unavailable(Reason::QueueFull));
        }
        inbox.requests.push(job.request);
        inbox.answers.push(job.answer);
        let wake = std::mem::take(&mut inbox.asleep);
        drop(inbox);
        if wake {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// Takes what waits, at most a batch, into the two empty lists. Waits while there is nothing; false when there is
    /// nothing left and the queue is closed.
    pub(super) fn gather(&self, requests: &mut Vec<RedemptionRequest>, answers: &mut Vec<Answer>) -> bool {
        let mut inbox = self.inbox();
        inbox.deciding = 0;
        while inbox.requests.is_empty() {
            if inbox.closing {
                return false;
            }
            inbox.asleep = true;
            inbox = self.arrived.wait(inbox).unwrap_or_else(PoisonError::into_inner);
        }
        inbox.asleep = false;
        let count = inbox.requests.len().min(limits::MAX_REDEMPTIONS);
        requests.extend(inbox.requests.drain(..count));
        answers.extend(inbox.answers.drain(..count));
        inbox.deciding = count;
        true
    }

    /// How many wait or are being decided.
    pub(super) fn waiting(&self) -> usize {
        let inbox = self.inbox();
        inbox.requests.len() + inbox.deciding
    }

    /// Whether anybody may come in.
    pub(super) fn is_open(&self) -> bool {
        !self.inbox().closing
    }

    /// Nobody may come in any more.
    pub(super) fn close(&self) {
        self.inbox().closing = true;
        self.arrived.notify_one();
    }

    /// The taker is gone: nobody may come in any more, and whoever waits hears that nothing happened.
    pub(super) fn abandon(&self) {
        let mut inbox = self.inbox();
        inbox.closing = true;
        inbox.deciding = 0;
        inbox.requests.clear();
        let waiting = std::mem::take(&mut inbox.answers);
        drop(inbox);
        for answer in waiting {
            // Whoever does not wait any more need not hear it.
            let _heard = answer.send(Err(LedgerError::Unavailable(Reason::Closing)));
        }
    }
}
