//! The jobs: what they work with, and a thread of their own for them.

use super::Channels;
use crate::clock::SystemClock;
use crate::config::Settings;
use crate::lifecycle::Farewell;
use crate::priority::step_back;
use anyhow::Context as _;
use coupon_app::{Calendar, JobBook, NotificationOutbox};
use coupon_core::Span;
use coupon_worker::{JobParts, JobSettings, Jobs, run_jobs, stop};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use tokio::sync::watch;

/// The jobs over a store.
pub(crate) fn jobs<S>(settings: &Settings, store: &Arc<S>, channels: &Channels) -> anyhow::Result<Jobs>
where
    S: Calendar + NotificationOutbox + JobBook,
{
    let every = |seconds: u64| Span::from_secs(u32::try_from(seconds).unwrap_or(u32::MAX));
    Ok(Jobs::new(JobParts {
        calendar: Arc::clone(store) as _,
        outbox: Arc::clone(store) as _,
        book: Arc::clone(store) as _,
        channels: channels.all(),
        clock: Arc::new(SystemClock),
        owner: owner()?,
        settings: JobSettings {
            expire_every: every(settings.jobs.expire_every_s),
            remind_every: every(settings.jobs.remind_every_s),
            deliver_every: every(settings.jobs.deliver_every_s),
            reminders: settings.reminders.reminders().context("reminders.days")?,
            batch: usize::try_from(settings.jobs.batch_rows).unwrap_or(usize::MAX),
            keep: settings.notifications.forget_after(),
        },
    }))
}

/// A name that no other living worker has.
fn owner() -> anyhow::Result<String> {
    let mut bytes = [0u8; 8];
    getrandom::fill(&mut bytes).context("the system gives no random numbers")?;
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{}-{digits}", std::process::id()))
}

/// The thread of a server that runs its jobs itself.
#[derive(Debug)]
pub(crate) struct JobThread {
    bell: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl JobThread {
    /// Starts them. If they end before they are told to, which only a defect can bring about, `teller` hears of it.
    pub(crate) fn start(jobs: Arc<Jobs>, teller: Sender<Farewell>) -> anyhow::Result<Self> {
        // Its threads do what the jobs have the store do.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .thread_name("jobs-store")
            .on_thread_start(|| step_back("jobs"))
            .build()
            .context("cannot start the runtime of the jobs")?;
        let (bell, told) = stop();
        let heard = told.clone();
        let run = move || {
            let _alarm = Alarm { teller, heard };
            runtime.block_on(run_jobs(&jobs, &told));
        };
        let thread = std::thread::Builder::new()
            .name("jobs".to_owned())
            .spawn(run)
            .context("cannot start the thread of the jobs")?;
        Ok(Self {
            bell,
            thread: Some(thread),
        })
    }

    /// Tells them to stop, and waits for the batch in hand.
    pub(crate) fn finish(mut self) {
        // Nobody hears it when they have ended by themselves.
        let _heard = self.bell.send(true);
        if self
            .thread
            .take()
            .map(JoinHandle::join)
            .is_some_and(|ended| ended.is_err())
        {
            tracing::error!("the jobs did not end cleanly; the next run goes on from there");
        }
    }
}

/// Tells when the thread ends without having been told to, by a panic too.
struct Alarm {
    teller: Sender<Farewell>,
    heard: watch::Receiver<bool>,
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if !*self.heard.borrow() {
            // Where nobody listens any more, the server is ending anyway.
            let _heard = self.teller.send(Farewell::Broken("no job is run any more"));
        }
    }
}
