//! Makes the next segment ready while the present one is written, so that rolling costs no writing of zeros.

use crate::disk::{Disk, DiskFile};
use crate::segment::PREPARED;
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long the thread rests between two pieces: a segment of 64 MiB takes a second then.
const REST: Duration = Duration::from_millis(4);

/// Whether the thread may rest between two pieces of a segment: not when somebody waits for it.
#[derive(Default)]
pub(crate) struct Rest {
    forbidden: Mutex<bool>,
    changed: Condvar,
}

impl Rest {
    fn take(&self) {
        let forbidden = self.forbidden.lock().unwrap_or_else(PoisonError::into_inner);
        let rested = self
            .changed
            .wait_timeout_while(forbidden, REST, |forbidden| !*forbidden);
        drop(rested);
    }

    fn forbid(&self, forbidden: bool) {
        *self.forbidden.lock().unwrap_or_else(PoisonError::into_inner) = forbidden;
        self.changed.notify_all();
    }
}

type Prepared = io::Result<Arc<dyn DiskFile>>;

/// Where prepared files come from.
pub(crate) enum Preparer {
    /// A thread that is always one file ahead.
    Ahead {
        /// `None` once it is being dropped.
        orders: Option<SyncSender<()>>,
        ready: Receiver<Prepared>,
        rest: Arc<Rest>,
        ordered: bool,
        thread: Option<JoinHandle<()>>,
    },
    /// The caller, when he needs it: for tests, where the order of events must be the same every time.
    OnDemand { disk: Arc<dyn Disk>, bytes: u64 },
}

/// Makes one file ready: zeros, durable, under a name of its own.
fn prepare(disk: &dyn Disk, bytes: u64, rest: &dyn Fn()) -> Prepared {
    let file = disk.create(PREPARED, bytes, rest)?;
    file.sync()?;
    Ok(file)
}

impl Preparer {
    /// Starts the thread, which begins with the first file at once.
    pub(crate) fn ahead(disk: Arc<dyn Disk>, bytes: u64) -> io::Result<Self> {
        let (orders, ordered) = sync_channel(1);
        let (done, ready) = sync_channel(1);
        let rest = Arc::new(Rest::default());
        let resting = Arc::clone(&rest);
        let thread = std::thread::Builder::new()
            .name("journal-prepare".to_owned())
            .spawn(move || {
                while let Ok(()) = ordered.recv() {
                    if done
                        .send(prepare(disk.as_ref(), bytes, &|| resting.take()))
                        .is_err()
                    {
                        return;
                    }
                }
            })?;
        let mut preparer = Self::Ahead {
            orders: Some(orders),
            ready,
            rest,
            ordered: false,
            thread: Some(thread),
        };
        preparer.order();
        Ok(preparer)
    }

    /// Prepares when asked.
    pub(crate) fn on_demand(disk: Arc<dyn Disk>, bytes: u64) -> Self {
        Self::OnDemand { disk, bytes }
    }

    /// Has the next file made. To be called once the last one has its final name.
    pub(crate) fn order(&mut self) {
        if let Self::Ahead {
            orders: Some(orders),
            ordered,
            ..
        } = self
            && !*ordered
        {
            *ordered = orders.try_send(()).is_ok();
        }
    }

    /// The prepared file, waiting for it if need be. After an error the next call tries again.
    pub(crate) fn take(&mut self) -> Prepared {
        self.order();
        match self {
            Self::OnDemand { disk, bytes } => prepare(disk.as_ref(), *bytes, &|| ()),
            Self::Ahead {
                ready, ordered, rest, ..
            } => {
                let gone = || io::Error::other("the thread that prepares segments has ended");
                rest.forbid(true);
                let prepared = ready.recv().map_err(|_ended| gone());
                rest.forbid(false);
                let prepared = prepared?;
                *ordered = false;
                prepared
            }
        }
    }
}

impl Drop for Preparer {
    fn drop(&mut self) {
        if let Self::Ahead {
            orders, thread, rest, ..
        } = self
        {
            orders.take();
            rest.forbid(true);
            if let Some(thread) = thread.take()
                && thread.join().is_err()
            {
                tracing::error!("the thread that prepares segments panicked");
            }
        }
    }
}

impl std::fmt::Debug for Preparer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Preparer")
    }
}
