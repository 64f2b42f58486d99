//! `firstcome jobs`: runs a job by hand, and shows what they have done.

use crate::cli::Shared;
use crate::client::converse;
use crate::clock;
use crate::commands::cells::to_the_second;
use crate::config::Settings;
use crate::data_dir::DataDir;
use crate::table::Table;
use crate::times::Moment;
use crate::wiring::{Channels, Engines, codes_of, jobs, store_options};
use crate::{telemetry, terminal};
use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use coupon_app::{JobBook, JobRecord, NotificationOutbox, OutboxTally};
use coupon_core::Timestamp;
use coupon_worker::{Job, Jobs, stop};
use serde_json::json;
use std::process::ExitCode;
use std::sync::Arc;
use store_sqlite::SqliteStore;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs one job to the end of what is due
    Run(Run),
    /// Lists the jobs with their last runs, and what is to be told
    List(List),
}

#[derive(Debug, Args)]
#[command(after_help = "\
expire writes down which issued coupons have expired; remind writes reminders; deliver brings notifications. A server
that works alone runs them itself, and on a shared database `firstcome work` does; running one beside it is harmless,
and refused while somebody runs the same.

With --at the job takes it to be another time. A time in the future is for trying things out: with expire, users and
webhooks are really told that coupons have expired which can still be used, and with remind that they soon will. What
is written stays written: nobody is told again when the time really comes. So it asks first, and wants --yes where
nobody can answer.

Examples:
  firstcome jobs run expire
  firstcome jobs run remind --at +25d --yes
  firstcome jobs run remind --at 2026-12-24T09:00:00+09:00 --data-dir /var/lib/firstcome")]
pub(crate) struct Run {
    /// Which: expire, remind or deliver
    #[arg(value_parser = job)]
    job: Job,

    /// The time that the job takes it to be: +25d, or 2026-12-24T18:00:00+09:00
    #[arg(long, value_name = "TIME")]
    at: Option<Moment>,

    /// Does not ask whether a time in the future is meant
    #[arg(long, requires = "at")]
    yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct List {}

fn job(name: &str) -> Result<Job, String> {
    Job::parse(name).ok_or_else(|| {
        let names = Job::ALL.map(Job::name);
        format!("there is no job {name:?}; there are {}", names.join(", "))
    })
}

pub(crate) fn run(shared: &Shared, command: &Command) -> anyhow::Result<ExitCode> {
    let effective = shared.settle(Vec::new())?;
    telemetry::start_for_command(&effective)?;
    let settings = effective.settings;
    match command {
        Command::Run(options) => run_one(shared, &settings, options)?,
        Command::List(List {}) => list(shared, &settings)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Where the jobs write.
enum Place {
    /// A data directory, whether a server runs there or not.
    Alone(Arc<SqliteStore>),
    /// The database of many servers.
    Shared(Engines),
}

impl Place {
    fn open(settings: &Settings) -> anyhow::Result<Self> {
        if settings.database.is_set() {
            return Ok(Self::Shared(converse(Engines::open(settings))?));
        }
        let directory = DataDir::open(&settings.data_dir)?;
        let store = SqliteStore::open(&directory.store_file(), store_options(settings))?;
        Ok(Self::Alone(Arc::new(store)))
    }

    fn jobs(&self, settings: &Settings) -> anyhow::Result<Jobs> {
        match self {
            Self::Alone(store) => {
                let codes = converse(codes_of(store.as_ref()))?;
                let channels =
                    Channels::open(settings, Arc::clone(store) as _, Arc::clone(store) as _, &codes)?;
                jobs(settings, store, &channels)
            }
            Self::Shared(engines) => {
                let channels = converse(engines.channels(settings))?;
                jobs(settings, &engines.store, &channels)
            }
        }
    }

    fn book(&self) -> &dyn JobBook {
        match self {
            Self::Alone(store) => store.as_ref(),
            Self::Shared(engines) => engines.store.as_ref(),
        }
    }

    fn outbox(&self) -> &dyn NotificationOutbox {
        match self {
            Self::Alone(store) => store.as_ref(),
            Self::Shared(engines) => engines.store.as_ref(),
        }
    }
}

fn run_one(shared: &Shared, settings: &Settings, options: &Run) -> anyhow::Result<()> {
    let now = clock::now();
    let at = options.at.as_ref().map(|moment| moment.from(now));
    let at = at.transpose().context("--at is beyond the calendar")?;
    if at.is_some_and(|at| at > now) && !options.yes {
        let warning = "--at lies in the future: people and webhooks are really told what has not happened yet, and it \
                       cannot be taken back";
        if !terminal::agreed(&format!("{warning}. Go on?"))? {
            bail!("{warning}; nothing was done. If that is meant, say --yes");
        }
    }
    let at = at.map(|at| Timestamp::saturating_from_micros(at.as_microsecond()));
    let place = Place::open(settings)?;
    let jobs = place.jobs(settings)?;
    // Nobody rings: a signal ends the process, and what was written stays.
    let (_bell, told) = stop();
    let name = options.job.name();
    let Some(run) = converse(async { Ok(jobs.run(options.job, at, &told).await?) })? else {
        bail!(
            "{name} is being run by another process; try again when it is done, or in a minute if that one was killed"
        );
    };
    if shared.json {
        return Ok(terminal::say_json(&json!({ "job": name, "done": run.done }))?);
    }
    Ok(terminal::say_line(format!("{name}: {} done", run.done))?)
}

fn list(shared: &Shared, settings: &Settings) -> anyhow::Result<()> {
    let place = Place::open(settings)?;
    let (records, tally) =
        converse(async { Ok((place.book().jobs().await?, place.outbox().tally().await?)) })?;
    let of = |job: Job| records.iter().find(|record| *record.name == *job.name());
    if shared.json {
        let all: Vec<_> = Job::ALL.iter().map(|job| as_json(*job, of(*job))).collect();
        return Ok(terminal::say_json(
            &json!({ "jobs": all, "notifications": notifications(tally) }),
        )?);
    }
    let mut table = Table::new(&["JOB", "LAST BEGAN", "LAST ENDED", "DONE", "ERROR"], 4);
    for job in Job::ALL {
        let last = of(job).and_then(|record| record.last.as_ref());
        let cell = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        table.row(vec![
            job.name().to_owned(),
            cell(last.and_then(|run| instant(run.began_at)).map(to_the_second)),
            cell(last.and_then(|run| instant(run.ended_at)).map(to_the_second)),
            cell(last.map(|run| run.done.to_string())),
            cell(last.and_then(|run| run.error.as_deref().map(str::to_owned))),
        ]);
    }
    terminal::say(&table.text())?;
    terminal::say_line(format!(
        "\nnotifications: {} new, {} waiting, {} dead, {} undeliverable; the oldest is of {}",
        tally.new,
        tally.waiting,
        tally.dead,
        tally.undeliverable,
        tally
            .oldest
            .and_then(instant)
            .map_or_else(|| "-".to_owned(), to_the_second)
    ))?;
    Ok(())
}

fn as_json(job: Job, record: Option<&JobRecord>) -> serde_json::Value {
    let last = record.and_then(|record| record.last.as_ref());
    json!({
        "name": job.name(),
        "runs": record.is_some_and(|record| record.lease.is_some()),
        "lastBeganAt": last.map(|run| when(run.began_at)),
        "lastEndedAt": last.map(|run| when(run.ended_at)),
        "lastDone": last.map(|run| run.done),
        "lastError": last.and_then(|run| run.error.as_deref()),
    })
}

fn notifications(tally: OutboxTally) -> serde_json::Value {
    json!({
        "new": tally.new,
        "waiting": tally.waiting,
        "dead": tally.dead,
        "undeliverable": tally.undeliverable,
        "oldestAt": tally.oldest.map(when),
    })
}

fn when(at: Timestamp) -> String {
    instant(at).map_or_else(|| "-".to_owned(), |at| at.to_string())
}

/// The same instant, unless it is beyond the calendar.
fn instant(at: Timestamp) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_microsecond(at.as_micros()).ok()
}
