//! The combiner: turns concurrent requests into batches in front of any ledger.
//!
//! While one batch is being committed the next one gathers. Requests stand in one bounded queue in the order of their
//! arrival; one owner thread takes them, has the ledger commit them, and lays the answers into the lanes they came
//! from. A lane belongs to one event loop: the owner wakes one waiter of each lane, and that one wakes its neighbours
//! on its own loop, which costs no system call. A request that finds nobody else waiting is committed at once.

mod lane;
mod pacer;

pub use lane::{Lane, Pending};

use crate::{Answer, IssueLedger, LedgerError, Reason, Request, limits};
use lane::LaneShared;
use pacer::Pacer;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

/// The combiner in front of one ledger.
#[derive(Debug)]
pub struct Combiner {
    shared: Arc<Shared>,
    owner: Mutex<Option<JoinHandle<Result<(), LedgerError>>>>,
}

/// What the combiner has done since it started, and what it is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CombinerStats {
    /// Requests waiting or being committed now.
    pub waiting: usize,
    /// Batches committed.
    pub batches: u64,
    /// Requests in these batches.
    pub requests: u64,
}

#[derive(Debug)]
struct Shared {
    inbox: Mutex<Inbox>,
    arrived: Condvar,
    batches: AtomicU64,
    requests: AtomicU64,
}

/// Requests in order of arrival; `tickets[i]` says where the answer to `requests[i]` goes.
#[derive(Debug)]
struct Inbox {
    requests: VecDeque<Request>,
    tickets: VecDeque<Ticket>,
    /// Requests that were handed to the owner and are not answered yet.
    committing: usize,
    /// The owner wants to be woken when so many requests wait; `usize::MAX` while it is awake.
    wake_at: usize,
    closing: bool,
    lanes: Vec<Arc<LaneShared>>,
}

#[derive(Clone, Copy, Debug)]
struct Ticket {
    lane: usize,
    slot: usize,
}

impl Shared {
    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a request into the queue, or says why it cannot.
    fn submit(&self, request: Request, ticket: Ticket) -> Result<(), LedgerError> {
        let mut inbox = self.inbox();
        if inbox.closing {
            return Err(LedgerError::Unavailable(Reason::Closing));
        }
        if inbox.requests.len() + inbox.committing >= limits::MAX_WAITING {
            return Err(LedgerError::Unavailable(Reason::QueueFull));
        }
        inbox.requests.push_back(request);
        inbox.tickets.push_back(ticket);
        let wake = inbox.requests.len() >= inbox.wake_at;
        if wake {
            inbox.wake_at = usize::MAX;
        }
        drop(inbox);
        if wake {
            self.arrived.notify_one();
        }
        Ok(())
    }
}

impl Combiner {
    /// Starts the owner thread, named `name`, in front of `ledger`.
    pub fn start(name: &str, ledger: Arc<dyn IssueLedger>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            inbox: Mutex::new(Inbox {
                requests: VecDeque::new(),
                tickets: VecDeque::new(),
                committing: 0,
                wake_at: usize::MAX,
                closing: false,
                lanes: Vec::new(),
            }),
            arrived: Condvar::new(),
            batches: AtomicU64::new(0),
            requests: AtomicU64::new(0),
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let owner = Owner {
            shared: Arc::clone(&shared),
            largest: ledger.largest_batch().clamp(1, limits::MAX_BATCH),
            batch: Batch::default(),
        };
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || owner.run(&runtime, ledger.as_ref()))?;
        Ok(Self {
            shared,
            owner: Mutex::new(Some(thread)),
        })
    }

    /// A new lane: one for each event loop, so that answers arrive with one wake-up per loop.
    pub fn lane(&self) -> Lane {
        let lane = Arc::new(LaneShared::default());
        let mut inbox = self.shared.inbox();
        inbox.lanes.push(Arc::clone(&lane));
        Lane::new(Arc::clone(&self.shared), lane, inbox.lanes.len() - 1)
    }

    /// Present figures.
    pub fn stats(&self) -> CombinerStats {
        let inbox = self.shared.inbox();
        CombinerStats {
            waiting: inbox.requests.len() + inbox.committing,
            batches: self.shared.batches.load(Ordering::Relaxed),
            requests: self.shared.requests.load(Ordering::Relaxed),
        }
    }

    /// Refuses new requests, answers those that wait, closes the ledger and returns what that said. Blocks until
    /// then; a second call returns at once.
    pub fn close(&self) -> Result<(), LedgerError> {
        self.shared.inbox().closing = true;
        self.shared.arrived.notify_one();
        let owner = self.owner.lock().unwrap_or_else(PoisonError::into_inner).take();
        match owner.map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(closed)) => closed,
            Some(Err(_panic)) => Err(LedgerError::Indeterminate(Reason::Poisoned)),
        }
    }
}

impl Drop for Combiner {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::error!(%error, "the ledger did not close cleanly");
        }
    }
}

/// One batch in the hands of the owner. The vectors keep their memory from batch to batch.
#[derive(Default)]
struct Batch {
    requests: Vec<Request>,
    tickets: Vec<Ticket>,
    answers: Vec<Answer>,
    mailbags: Vec<Vec<(usize, Answer)>>,
    lanes: Vec<Arc<LaneShared>>,
}

struct Owner {
    shared: Arc<Shared>,
    /// Most requests in a batch.
    largest: usize,
    batch: Batch,
}

impl Owner {
    fn run(mut self, runtime: &tokio::runtime::Runtime, ledger: &dyn IssueLedger) -> Result<(), LedgerError> {
        let mut pacer = Pacer::default();
        while self.gather(&mut pacer) {
            runtime.block_on(ledger.commit(&mut self.batch.requests, &mut self.batch.answers));
            let committed = self.batch.tickets.len();
            self.shared.batches.fetch_add(1, Ordering::Relaxed);
            self.shared
                .requests
                .fetch_add(u64::try_from(committed).unwrap_or(u64::MAX), Ordering::Relaxed);
            pacer.committed(committed);
            self.batch.deliver();
        }
        runtime.block_on(ledger.close())
    }

    /// Waits for requests and takes a batch of them. False when there are none left and the combiner is closing.
    fn gather(&mut self, pacer: &mut Pacer) -> bool {
        let mut inbox = self.shared.inbox();
        inbox.committing = 0;
        while inbox.requests.is_empty() {
            if inbox.closing {
                return false;
            }
            inbox.wake_at = 1;
            inbox = self
                .shared
                .arrived
                .wait(inbox)
                .unwrap_or_else(PoisonError::into_inner);
        }
        let deadline = pacer.pause().map(|pause| Instant::now() + pause);
        while let Some(left) = deadline.and_then(|deadline| deadline.checked_duration_since(Instant::now()))
            && inbox.requests.len() < self.largest
            && !inbox.closing
        {
            let here = inbox.requests.len();
            inbox.wake_at = self.largest;
            let waited = self.shared.arrived.wait_timeout(inbox, left.min(pacer::STEP));
            inbox = waited.unwrap_or_else(PoisonError::into_inner).0;
            if inbox.requests.len() == here {
                break;
            }
        }
        inbox.wake_at = usize::MAX;
        let batch = &mut self.batch;
        let taken = inbox.requests.len().min(self.largest);
        batch.requests.extend(inbox.requests.drain(..taken));
        batch.tickets.extend(inbox.tickets.drain(..taken));
        inbox.committing = batch.tickets.len();
        if batch.lanes.len() < inbox.lanes.len() {
            batch.lanes.clone_from(&inbox.lanes);
            batch.mailbags.resize_with(inbox.lanes.len(), Vec::new);
        }
        true
    }
}

impl Batch {
    /// Lays every answer into its lane and wakes one waiter of each.
    fn deliver(&mut self) {
        // A ledger that answers too few is broken, but its waiters must not wait for ever.
        let missing = || Err(LedgerError::Indeterminate(Reason::Poisoned));
        self.answers.resize_with(self.tickets.len(), missing);
        for (ticket, answer) in self.tickets.drain(..).zip(self.answers.drain(..)) {
            self.mailbags[ticket.lane].push((ticket.slot, answer));
        }
        self.requests.clear();
        for (lane, mailbag) in self.lanes.iter().zip(&mut self.mailbags) {
            lane.deliver(mailbag);
        }
    }
}

impl Drop for Owner {
    /// When the ledger panics, everyone who waits is told that it may have happened, and nobody may come in again.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let mut inbox = self.shared.inbox();
        inbox.closing = true;
        inbox.requests.clear();
        let waiting: Vec<Ticket> = inbox.tickets.drain(..).collect();
        let lanes = inbox.lanes.clone();
        drop(inbox);
        for ticket in self.batch.tickets.drain(..).chain(waiting) {
            let answer = Err(LedgerError::Indeterminate(Reason::Poisoned));
            lanes[ticket.lane].deliver(&mut vec![(ticket.slot, answer)]);
        }
    }
}
