//! The rota: has every job run in its time, until it is told to stop.

use crate::job::{Job, Jobs, duration};
use crate::limits::{FIRST_PAUSE, LONGEST_PAUSE};
use crate::persist::Stop;
use coupon_app::StoreError;
use coupon_core::{Span, Timestamp, job_due_in, job_is_due};
use std::time::Duration;

/// Runs every job in its time, until it is told to stop. Any number of processes may do so at once: each run is on one of
/// them. A run that fails is tried again, with pauses that grow to some seconds; what it had done stays done. Told to
/// stop, it finishes the batch in hand.
pub async fn run_jobs(jobs: &Jobs, stop: &Stop) {
    let each = Job::ALL.map(|job| keep_running(jobs, job, stop));
    futures_util::future::join_all(each).await;
}

async fn keep_running(jobs: &Jobs, job: Job, stop: &Stop) {
    if job == Job::Deliver && jobs.parts.channels.is_empty() {
        return;
    }
    let every = jobs.parts.settings.every(job);
    let mut last: Option<Timestamp> = None;
    let mut pause = FIRST_PAUSE;
    while !*stop.borrow() {
        let now = jobs.parts.clock.now();
        if !job_is_due(last, every, now) {
            rest(duration(job_due_in(last, every, now)), stop).await;
            continue;
        }
        match one_turn(jobs, job, every, stop).await {
            Ok(began) => {
                last = Some(began);
                pause = FIRST_PAUSE;
            }
            Err(error) => {
                tracing::warn!(job = job.name(), %error, pause_ms = pause.as_millis(), "a job failed; trying again");
                rest(pause, stop).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

/// Runs the job, unless another worker has done so in this time; returns when it began last, wherever.
async fn one_turn(jobs: &Jobs, job: Job, every: Span, stop: &Stop) -> Result<Timestamp, StoreError> {
    let now = jobs.parts.clock.now();
    let known = jobs.parts.book.jobs().await?;
    let elsewhere = known
        .into_iter()
        .find(|record| *record.name == *job.name())
        .and_then(|record| record.last)
        .filter(|run| run.error.is_none())
        .map(|run| run.began_at);
    if let Some(last) = elsewhere.filter(|_| !job_is_due(elsewhere, every, now)) {
        return Ok(last);
    }
    if let Some(run) = jobs.run(job, None, stop).await?
        && run.done > 0
    {
        tracing::info!(job = job.name(), done = run.done, "a job has run");
    }
    Ok(now)
}

/// Waits, but not on when told to stop.
async fn rest(pause: Duration, stop: &Stop) {
    let mut stop = stop.clone();
    let told = async {
        if stop.wait_for(|told| *told).await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let _elapsed = tokio::time::timeout(pause, told).await;
}
