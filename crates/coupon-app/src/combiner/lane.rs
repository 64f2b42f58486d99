//! A lane: where the waiters of one event loop stand.

use super::{Shared, Ticket};
use crate::{Answer, LedgerError, Look, Reason, Reply, Request, Seen};
use slab::Slab;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// One event loop's way into the combiner. Cheap to clone; clones share the lane.
///
/// A [`Pending`] of a lane must be polled when it is woken, or dropped: one that is woken and then held unpolled keeps its
/// neighbours waiting until the lane's next answers come.
#[derive(Clone, Debug)]
pub struct Lane {
    shared: Arc<Shared>,
    lane: Arc<LaneShared>,
    index: usize,
}

#[derive(Debug, Default)]
pub(super) struct LaneShared {
    state: Mutex<LaneState>,
}

#[derive(Debug, Default)]
struct LaneState {
    slots: Slab<Slot>,
    /// Waiters whose answers lie in their slots and who have not been told. Whoever of this lane runs next, finished
    /// or given up, tells them: the owner only wakes one.
    untold: Vec<Waker>,
}

#[derive(Debug)]
enum Slot {
    Waiting(Waker),
    Answered(Answer),
    /// The waiter has gone; the owner frees the slot.
    Abandoned,
}

impl Lane {
    pub(super) fn new(shared: Arc<Shared>, lane: Arc<LaneShared>, index: usize) -> Self {
        Self { shared, lane, index }
    }

    /// Asks the ledger. Nothing happens before the future is first polled; from then on it happens even if the
    /// future is dropped.
    pub fn ask(&self, request: Request) -> Pending {
        Pending {
            lane: self.clone(),
            stage: Stage::Unsent(request),
        }
    }

    /// How many places are taken on this lane, so that the examination can tell that none is left over.
    #[cfg(feature = "contract")]
    pub(crate) fn taken(&self) -> usize {
        self.lane.state().slots.len()
    }

    /// Reads what has been decided.
    pub async fn look(&self, look: Look) -> Result<Seen, LedgerError> {
        match self.ask(Request::Look(Box::new(look))).await? {
            Reply::Look(seen) => Ok(*seen),
            Reply::Issue(_) | Reply::Command(_) => Err(LedgerError::Indeterminate(Reason::Poisoned)),
        }
    }
}

impl LaneShared {
    fn state(&self) -> MutexGuard<'_, LaneState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lays answers into their slots, emptying `mailbag`, and wakes one of the waiters.
    pub(super) fn deliver(&self, mailbag: &mut Vec<(usize, Answer)>) {
        if mailbag.is_empty() {
            return;
        }
        let mut state = self.state();
        for (slot, answer) in mailbag.drain(..) {
            match std::mem::replace(&mut state.slots[slot], Slot::Answered(answer)) {
                // Who waits for several answers in one task is woken once.
                Slot::Waiting(waker) => {
                    if state.untold.last().is_none_or(|last| !last.will_wake(&waker)) {
                        state.untold.push(waker);
                    }
                }
                Slot::Abandoned | Slot::Answered(_) => {
                    state.slots.remove(slot);
                }
            }
        }
        let first = state.untold.pop();
        drop(state);
        if let Some(first) = first {
            first.wake();
        }
    }
}

/// An answer to come.
#[derive(Debug)]
#[must_use = "nothing is asked before the future is polled"]
pub struct Pending {
    lane: Lane,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Unsent(Request),
    Sent(usize),
    Over,
}

impl Future for Pending {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answer> {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Unsent(request) => {
                let slot = self
                    .lane
                    .lane
                    .state()
                    .slots
                    .insert(Slot::Waiting(context.waker().clone()));
                let ticket = Ticket {
                    lane: self.lane.index,
                    slot,
                };
                if let Err(error) = self.lane.shared.submit(request, ticket) {
                    self.lane.lane.state().slots.remove(slot);
                    return Poll::Ready(Err(error));
                }
                self.stage = Stage::Sent(slot);
                Poll::Pending
            }
            Stage::Sent(slot) => {
                let mut state = self.lane.lane.state();
                let untold = std::mem::take(&mut state.untold);
                let answer = match &mut state.slots[slot] {
                    Slot::Waiting(waker) => {
                        waker.clone_from(context.waker());
                        None
                    }
                    Slot::Answered(_) | Slot::Abandoned => match state.slots.remove(slot) {
                        Slot::Answered(answer) => Some(answer),
                        Slot::Waiting(_) | Slot::Abandoned => None,
                    },
                };
                drop(state);
                untold.into_iter().for_each(Waker::wake);
                match answer {
                    Some(answer) => Poll::Ready(answer),
                    None => {
                        self.stage = Stage::Sent(slot);
                        Poll::Pending
                    }
                }
            }
            Stage::Over => Poll::Pending,
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let Stage::Sent(slot) = self.stage else { return };
        let mut state = self.lane.lane.state();
        let untold = std::mem::take(&mut state.untold);
        match state.slots[slot] {
            Slot::Waiting(_) => state.slots[slot] = Slot::Abandoned,
            Slot::Answered(_) | Slot::Abandoned => {
                state.slots.remove(slot);
            }
        }
        drop(state);
        // This one may have been woken to tell the others.
        untold.into_iter().for_each(Waker::wake);
    }
}
