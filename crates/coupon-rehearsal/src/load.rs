//! The load: arrivals on time, a bounded pool of connections that answers them, faults, and asking again.

mod caller;
mod queue;
mod recorder;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::alarm::Alarm;
use crate::clock::{Stopwatch, whole_ns};
use crate::history::{End, FaultMark, HistoryError, HistoryWriter};
use crate::plan::RehearsalPlan;
use crate::progress::ProgressSink;
use crate::target::Target;
use crate::users::UserIds;
use crate::workloads::Arrivals;

use caller::Caller;
use queue::Queue;
use recorder::Recorder;

/// Arrivals closer together than this are released together: more wake-ups would cost more than they tell.
const SHORTEST_SLEEP: Duration = Duration::from_micros(50);
const LONGEST_SLEEP: Duration = Duration::from_millis(20);

/// A fault could not be done, or the server did not come back from it.
#[derive(Debug, thiserror::Error)]
#[error("the fault {fault:?} went wrong: {why}")]
pub struct FaultError {
    /// What was to be done.
    pub fault: String,
    /// What went wrong.
    pub why: String,
}

type Strike = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// Something done to the server on purpose while the load runs; the base URL must stay the same.
pub struct Fault {
    name: String,
    at: Duration,
    strike: Strike,
}

impl Fault {
    /// A fault that begins at this time of the load and is over when the future is. The future is not started before.
    pub fn at<F>(at: Duration, name: &str, strike: F) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        Self {
            name: name.to_owned(),
            at,
            strike: Box::pin(strike),
        }
    }
}

impl std::fmt::Debug for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fault")
            .field("name", &self.name)
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

/// What the load needs besides the plan.
pub(crate) struct Scene<'a> {
    pub(crate) plan: &'a RehearsalPlan,
    /// Every server, at least one.
    pub(crate) targets: &'a [Target],
    pub(crate) users: &'a UserIds,
    pub(crate) coupon: u64,
    pub(crate) arrivals: Arrivals,
}

/// What went wrong with the load itself; a server that misbehaves is not among it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error(transparent)]
    History(#[from] HistoryError),
    #[error(transparent)]
    Fault(#[from] FaultError),
    #[error("the clock of the load: {0}")]
    Clock(#[from] std::io::Error),
}

/// Runs the load until every ask has its outcome or the server has stayed silent too long.
pub(crate) async fn play(
    scene: Scene<'_>,
    faults: Vec<Fault>,
    writer: HistoryWriter,
    sink: &mut dyn ProgressSink,
) -> Result<End, LoadError> {
    let plan = scene.plan;
    let clock = Stopwatch::start();
    let queue = Arc::new(Queue::new(scene.arrivals, clock, plan.retries.clone()));
    let recorder = Arc::new(Recorder::new(writer));
    let mut callers = JoinSet::new();
    let targets = scene.targets.iter().cycle();
    for (_, target) in (0..plan.connections).zip(targets) {
        let caller = Caller {
            queue: Arc::clone(&queue),
            recorder: Arc::clone(&recorder),
            clock,
            target: target.clone(),
            users: scene.users.clone(),
            coupon: scene.coupon,
            callers: plan.callers.clone(),
            timeout: plan.request_timeout,
        };
        callers.spawn(caller.work());
    }
    let mut striking = JoinSet::new();
    for fault in faults {
        striking.spawn(strike(fault, clock));
    }
    pace(&queue, &recorder, &mut striking, plan, clock, sink).await?;
    while callers.join_next().await.is_some() {}
    let end = End {
        sent: recorder.sent(),
        never_sent: queue.never_sent(),
        ended_ns: clock.ns(),
    };
    sink.progress(&recorder.progress(&queue, clock.ns()));
    recorder.finish(&end)?;
    Ok(end)
}

async fn strike(fault: Fault, clock: Stopwatch) -> Result<FaultMark, FaultError> {
    tokio::time::sleep(fault.at.saturating_sub(Duration::from_nanos(clock.ns()))).await;
    let struck_ns = clock.ns();
    match fault.strike.await {
        Ok(()) => Ok(FaultMark {
            fault: fault.name,
            struck_ns,
            over_ns: clock.ns(),
        }),
        Err(why) => Err(FaultError {
            fault: fault.name,
            why,
        }),
    }
}

/// Wakes callers when asks are due, tells the sink how it goes, and closes the queue when all is done.
async fn pace(
    queue: &Queue,
    recorder: &Recorder,
    striking: &mut JoinSet<Result<FaultMark, FaultError>>,
    plan: &RehearsalPlan,
    clock: Stopwatch,
    sink: &mut dyn ProgressSink,
) -> Result<(), LoadError> {
    let alarm = Alarm::new()?;
    let (mut next_progress_ns, mut waiting_since_ns) = (0, 0);
    loop {
        let now_ns = clock.ns();
        if now_ns >= next_progress_ns {
            sink.progress(&recorder.progress(queue, now_ns));
            next_progress_ns = now_ns + whole_ns(plan.progress_every);
        }
        while let Some(struck) = striking.try_join_next() {
            recorder.fault(&struck_mark(struck)?);
        }
        let next_due_ns = queue.release();
        if !queue.is_waiting_for_the_server() {
            waiting_since_ns = now_ns;
        }
        // A fault of our own making is no reason to lose patience with the server.
        let silent_ns = now_ns.saturating_sub(recorder.last_answer_ns().max(waiting_since_ns));
        let lost_patience = striking.is_empty() && silent_ns > whole_ns(plan.retries.patience);
        if (queue.is_done() && striking.is_empty()) || lost_patience {
            queue.close();
            return Ok(());
        }
        let sleep = Duration::from_nanos(next_due_ns.saturating_sub(clock.ns()));
        tokio::select! {
            rung = alarm.sleep(sleep.clamp(SHORTEST_SLEEP, LONGEST_SLEEP)) => rung?,
            () = queue.changed() => {}
        }
    }
}

fn struck_mark(
    joined: Result<Result<FaultMark, FaultError>, tokio::task::JoinError>,
) -> Result<FaultMark, FaultError> {
    joined.unwrap_or_else(|error| {
        Err(FaultError {
            fault: "fault".to_owned(),
            why: error.to_string(),
        })
    })
}
