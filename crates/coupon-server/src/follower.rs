//! The follower's thread: carries the ledger's records to the store, behind the sale and never in its way.

use crate::lifecycle::Farewell;
use crate::priority::step_back;
use anyhow::Context as _;
use coupon_app::{Board, Followed, Outbox, RecordStore};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// A running follower.
#[derive(Debug)]
pub(crate) struct Follower {
    ended: Receiver<()>,
}

/// How a follower ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FollowerEnd {
    /// The store has everything.
    CaughtUp,
    /// It was not done in time. The journal keeps what the store lacks, and the next start goes on from there.
    Behind,
}

impl Follower {
    /// Starts following until the ledger behind `outbox` is closed and everything has arrived. If it ends before,
    /// which only a defect can bring about, `teller` hears of it: a server whose store stands still must not go on
    /// for days.
    pub(crate) fn start(
        outbox: Arc<dyn Outbox>,
        store: Arc<dyn RecordStore>,
        board: Arc<Board>,
        followed: Arc<dyn Followed>,
        teller: Sender<Farewell>,
    ) -> anyhow::Result<Self> {
        let (end, ended) = channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the follower's runtime")?;
        let follow = move || {
            let mut alarm = Alarm { teller, armed: true };
            step_back("follower");
            let following = coupon_app::follow(outbox.as_ref(), store.as_ref(), &board, followed.as_ref());
            match runtime.block_on(following) {
                Ok(()) => {
                    alarm.armed = false;
                    // Nobody may be waiting any more.
                    let _heard = end.send(());
                }
                Err(error) => tracing::error!(%error, "the store does not follow the ledger any more"),
            }
        };
        std::thread::Builder::new()
            .name("follower".to_owned())
            .spawn(follow)
            .context("cannot start the follower's thread")?;
        Ok(Self { ended })
    }

    /// Waits for the end, which comes after the ledger has been closed.
    pub(crate) fn finish(&self, within: Duration) -> FollowerEnd {
        match self.ended.recv_timeout(within) {
            Ok(()) => FollowerEnd::CaughtUp,
            Err(_not_in_time) => FollowerEnd::Behind,
        }
    }
}

/// Tells when the thread ends in any other way than the one intended, a panic included.
struct Alarm {
    teller: Sender<Farewell>,
    armed: bool,
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if self.armed {
            // Where nobody listens any more, the server is ending anyway.
            let _heard = self
                .teller
                .send(Farewell::Broken("the store does not follow the ledger"));
        }
    }
}
