//! What one connection is doing, and since when: so that nobody can hold one for nothing.
//!
//! A timer per request costs more than the rest of the bookkeeping together. Instead a connection notes its phase and
//! the round it began in, and the loop's rounds look at all of them twenty times a second.

use futures_util::task::AtomicWaker;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::task::Waker;

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing, or its answer is on the way to the client.
    Quiet,
    /// The head of a request has begun to arrive.
    Head,
    /// The body of a request is awaited.
    Body,
    /// A request is being worked on.
    Work,
    /// A live view is being sent.
    Attending,
}

impl Phase {
    const fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Head,
            2 => Self::Body,
            3 => Self::Work,
            4 => Self::Attending,
            _ => Self::Quiet,
        }
    }
}

/// One connection's notes. Only its own loop reads and writes them.
#[derive(Debug)]
pub(crate) struct Watch {
    peer: IpAddr,
    /// The number of the present round, shared with the loop.
    round: Arc<AtomicU32>,
    phase: AtomicU8,
    since: AtomicU32,
    /// The request has taken too long and is to be answered so.
    overdue: AtomicBool,
    /// The connection is to be closed without more ado.
    close: AtomicBool,
    /// The server is stopping: finish the request and close.
    goodbye: AtomicBool,
    waker: AtomicWaker,
}

impl Watch {
    pub(super) fn new(peer: IpAddr, round: Arc<AtomicU32>) -> Self {
        let now = round.load(Ordering::Relaxed);
        Self {
            peer,
            round,
            phase: AtomicU8::new(Phase::Quiet as u8),
            since: AtomicU32::new(now),
            overdue: AtomicBool::new(false),
            close: AtomicBool::new(false),
            goodbye: AtomicBool::new(false),
            waker: AtomicWaker::new(),
        }
    }

    /// The other end.
    pub(crate) fn peer(&self) -> IpAddr {
        self.peer
    }

    /// The body of the request has arrived.
    pub(crate) fn body_read(&self) {
        self.enter(Phase::Work);
    }

    /// The phase, if the present request has taken too long.
    pub(super) fn overdue(&self) -> Option<Phase> {
        self.overdue.load(Ordering::Relaxed).then(|| self.phase())
    }

    /// The head of a request has arrived, and whether a body is to follow.
    pub(super) fn request_began(&self, body_follows: bool) {
        self.overdue.store(false, Ordering::Relaxed);
        self.enter(if body_follows { Phase::Body } else { Phase::Work });
    }

    pub(super) fn request_ended(&self) {
        self.enter(Phase::Quiet);
    }

    /// The answer goes on until somebody ends it.
    pub(super) fn attendance_began(&self) {
        self.enter(Phase::Attending);
    }

    /// It has ended.
    pub(crate) fn attendance_ended(&self) {
        self.enter(Phase::Quiet);
    }

    /// Bytes came in.
    pub(super) fn received(&self) {
        if self.phase() == Phase::Quiet {
            self.enter(Phase::Head);
        }
    }

    /// The client took bytes of an answer.
    pub(super) fn sent(&self) {
        if matches!(self.phase(), Phase::Quiet | Phase::Attending) {
            self.since
                .store(self.round.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    pub(super) fn phase(&self) -> Phase {
        Phase::from_number(self.phase.load(Ordering::Relaxed))
    }

    /// Rounds in this phase so far.
    pub(super) fn rounds_in_phase(&self, now: u32) -> u32 {
        now.wrapping_sub(self.since.load(Ordering::Relaxed))
    }

    pub(super) fn waits_with(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    pub(super) fn must_close(&self) -> bool {
        self.close.load(Ordering::Relaxed)
    }

    pub(crate) fn was_told_goodbye(&self) -> bool {
        self.goodbye.load(Ordering::Relaxed)
    }

    pub(super) fn declare_overdue(&self) {
        self.overdue.store(true, Ordering::Relaxed);
        self.waker.wake();
    }

    pub(super) fn close(&self) {
        self.close.store(true, Ordering::Relaxed);
        self.waker.wake();
    }

    pub(super) fn say_goodbye(&self) {
        self.goodbye.store(true, Ordering::Relaxed);
        self.waker.wake();
    }

    fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
        self.since
            .store(self.round.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}
