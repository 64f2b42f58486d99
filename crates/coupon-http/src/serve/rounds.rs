//! The rounds of one loop: they look at every connection and end what takes too long.

use super::watch::{Phase, Watch};
use crate::limits::{LISTENER_PATIENCE, Limits, ROUND};
use crate::station::Station;
use slab::Slab;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior};

/// See above.
pub(super) struct Rounds {
    station: Arc<Station>,
    round: Arc<AtomicU32>,
    connections: Mutex<Slab<Arc<Watch>>>,
    one_left: Notify,
    patience: Patience,
}

/// The limits in rounds.
pub(super) struct Patience {
    head: u32,
    body: u32,
    work: u32,
    quiet: u32,
    attending: u32,
}

impl Patience {
    pub(super) fn new(limits: &Limits) -> Self {
        let rounds = |time: Duration| {
            let count = time.as_millis().div_ceil(ROUND.as_millis()).max(1);
            // One more, because a phase begins somewhere within its first round.
            u32::try_from(count).unwrap_or(u32::MAX - 1) + 1
        };
        Self {
            head: rounds(limits.head_time),
            body: rounds(limits.body_time),
            work: rounds(limits.request_time),
            quiet: rounds(limits.idle_time),
            attending: rounds(limits.idle_time.max(LISTENER_PATIENCE)),
        }
    }

    /// Ends what takes too long. `quiet` is the patience with those who do nothing.
    pub(super) fn look_at(&self, watch: &Watch, now: u32, quiet: u32) {
        let waited = watch.rounds_in_phase(now);
        match watch.phase() {
            Phase::Quiet if waited > quiet => watch.close(),
            Phase::Head if waited > self.head => watch.close(),
            Phase::Body if waited > self.body => watch.declare_overdue(),
            Phase::Work if waited > self.work => watch.declare_overdue(),
            Phase::Attending if waited > self.attending => watch.close(),
            Phase::Quiet | Phase::Head | Phase::Body | Phase::Work | Phase::Attending => {}
        }
    }
}

/// A connection's place in the rounds, given up when dropped.
pub(super) struct Place {
    rounds: Arc<Rounds>,
    key: usize,
    pub(super) watch: Arc<Watch>,
}

impl Rounds {
    pub(super) fn new(station: Arc<Station>) -> Arc<Self> {
        Arc::new(Self {
            patience: Patience::new(&station.hall.limits),
            station,
            round: Arc::default(),
            connections: Mutex::default(),
            one_left: Notify::new(),
        })
    }

    /// Takes a connection in; `None` when there are as many as may be.
    pub(super) fn take_in(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let hall = &self.station.hall;
        if hall.connections.fetch_add(1, Ordering::Relaxed) >= hall.limits.connections {
            hall.connections.fetch_sub(1, Ordering::Relaxed);
            self.station.meter.connection_turned_away();
            return None;
        }
        self.station.meter.connection_opened();
        let watch = Arc::new(Watch::new(peer, Arc::clone(&self.round)));
        let key = self.connections().insert(Arc::clone(&watch));
        Some(Place {
            rounds: Arc::clone(self),
            key,
            watch,
        })
    }

    /// Makes rounds for ever.
    pub(super) async fn walk(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(ROUND);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let now = self.round.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
            let quiet = self.quiet_patience();
            for (_, watch) in self.connections().iter() {
                self.patience.look_at(watch, now, quiet);
            }
        }
    }

    /// Quiet connections must make room when it grows short.
    fn quiet_patience(&self) -> u32 {
        let hall = &self.station.hall;
        // Listeners have their own limit, and are not sent away for the sake of others.
        let listeners = hall.live.listeners();
        let others = hall.connections.load(Ordering::Relaxed).saturating_sub(listeners);
        let crowded = others > hall.limits.connections.saturating_sub(listeners) / 4 * 3;
        if crowded {
            self.patience.quiet / 10
        } else {
            self.patience.quiet
        }
    }

    /// Asks every connection to end after its request.
    pub(super) fn say_goodbye(&self) {
        for (_, watch) in self.connections().iter() {
            watch.say_goodbye();
        }
    }

    /// Waits until no connection is left, but not beyond `deadline`; how many were left then.
    pub(super) async fn wait_until_empty(&self, deadline: Instant) -> usize {
        loop {
            let left = self.connections().len();
            if left == 0
                || tokio::time::timeout_at(deadline, self.one_left.notified())
                    .await
                    .is_err()
            {
                return left;
            }
        }
    }

    fn connections(&self) -> MutexGuard<'_, Slab<Arc<Watch>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.rounds.connections().remove(self.key);
        self.rounds
            .station
            .hall
            .connections
            .fetch_sub(1, Ordering::Relaxed);
        self.rounds.station.meter.connection_closed();
        self.rounds.one_left.notify_one();
    }
}
