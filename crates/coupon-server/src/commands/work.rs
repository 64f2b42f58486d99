//! `firstcome work`: brings what Redis has decided to the database, directly or by Kafka, and runs the jobs there.

use crate::cli::Shared;
use crate::client::converse;
use crate::clock::SystemClock;
use crate::config::{SettingFlag, Settings, unknown_variables};
use crate::lifecycle::{self, Ear, Farewell};
use crate::wiring::{Carrier, Carriers, Engines, JobThread, KafkaLegs, jobs};
use crate::{banner, environment, telemetry};
use anyhow::{Context as _, ensure};
use clap::Args;
use coupon_app::{CouponStore as _, StoreError};
use coupon_http::{BackDoor, Vitals};
use coupon_worker::{Books, Jobs, persist, stop};
use events_kafka::KafkaChannel;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

#[derive(Debug, Args)]
#[command(after_help = "\
Any number of workers share the work. They run the jobs (expire, remind, deliver), each of them one at a time, unless
jobs.run is false. With kafka.brokers set, what Redis has decided travels by Kafka: workers publish it, and others, or
the same, take it from the topic. Each says on /readyz whether database, stream and Kafka answer and are as strong as
promised, and on /metrics how far behind they are. Stop with Ctrl+C or SIGTERM: what is in hand is finished first.

Example:
  FIRSTCOME_DATABASE_URL=mysql://shop:secret@db/shop FIRSTCOME_REDIS_ADDRESSES=redis:6379 firstcome work")]
pub(crate) struct Options {
    /// Where /livez, /readyz and /metrics are; port 0 takes a free one [env: FIRSTCOME_WORK_LISTEN]
    /// [default: 127.0.0.1:8081]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
}

pub(crate) fn run(shared: &Shared, options: &Options) -> anyhow::Result<ExitCode> {
    let listen = options.listen.as_ref().map(|address| SettingFlag {
        flag: "--listen",
        key: "work.listen".to_owned(),
        value: address.clone(),
    });
    let settings = shared.settle(listen.into_iter().collect())?.settings;
    telemetry::start(&settings.log)?;
    for name in unknown_variables(environment::names_with("FIRSTCOME_")) {
        tracing::warn!(
            name,
            "this variable sets nothing; `firstcome config show` lists what can be set"
        );
    }
    converse(work(&settings))
}

/// How often a worker looks at the settings of Kafka's topics.
const LOOK_AT_KAFKA_EVERY: Duration = Duration::from_secs(10);

/// The last line of a text in the OpenMetrics format.
const END: &str = "# EOF\n";

/// What a worker says of itself.
struct Worker {
    carriers: Carriers,
    /// Unless somebody else runs them.
    jobs: Option<Arc<Jobs>>,
    /// Whether notifications go to a topic.
    tells_by_kafka: bool,
    /// What is wrong with Kafka, its settings among it.
    kafka: Mutex<Option<String>>,
    stopping: AtomicBool,
}

impl Worker {
    fn remark_on_kafka(&self, reason: Option<String>) {
        *self.kafka.lock().unwrap_or_else(PoisonError::into_inner) = reason;
    }
}

impl Vitals for Worker {
    /// A part that several carriers touch is named once, with the first reason that one of them has.
    fn checks(&self) -> Vec<(&'static str, Option<String>)> {
        let stopping = self.stopping.load(Ordering::Relaxed);
        let mut checks = vec![("worker", stopping.then(|| "the worker is stopping".to_owned()))];
        let mut add = |part, reason: Option<String>| match checks.iter_mut().find(|(it, _)| *it == part) {
            Some((_, known)) => *known = known.take().or(reason),
            None => checks.push((part, reason)),
        };
        if self.carriers.kafka.is_some() || self.tells_by_kafka {
            let kafka = self.kafka.lock().unwrap_or_else(PoisonError::into_inner);
            add("kafka", kafka.clone());
        }
        for carrier in &self.carriers.all {
            for (part, reason) in carrier.books.reasons() {
                add(part, reason);
            }
        }
        checks
    }

    fn metrics(&self) -> Result<String, std::fmt::Error> {
        let books: Vec<&Books> = self.carriers.all.iter().map(|carrier| &carrier.books).collect();
        let text = Books::text_of(&books)?;
        let Some(jobs) = &self.jobs else { return Ok(text) };
        // One text has one end.
        let beginning = text.strip_suffix(END).unwrap_or(&text);
        Ok(format!("{beginning}{}", jobs.books().text()?))
    }
}

async fn work(settings: &Settings) -> anyhow::Result<ExitCode> {
    ensure!(
        settings.redis.is_set() || settings.jobs.run,
        "there is nothing to do: jobs.run is false, and only Redis hands issues on (FIRSTCOME_REDIS_ADDRESSES); what \
         the database decides is there already"
    );
    let engines = Engines::open(settings).await?;
    engines
        .store
        .health()
        .await
        .context("the database (database.url)")?;
    let mut told_by_kafka = None;
    let jobs = if settings.jobs.run {
        let channels = engines.channels(settings).await?;
        told_by_kafka.clone_from(&channels.kafka);
        Some(Arc::new(jobs(settings, &engines.store, &channels)?))
    } else {
        None
    };
    let (bell, told) = stop();
    let carriers = {
        let _engines = engines.handle().enter();
        Carriers::open(settings, &engines, &consumer()?, &told)?
    };
    let worker = Arc::new(Worker {
        carriers,
        jobs: jobs.clone(),
        tells_by_kafka: told_by_kafka.is_some(),
        kafka: Mutex::default(),
        stopping: AtomicBool::new(false),
    });
    let door = BackDoor::open(settings.work.listen).await.with_context(|| {
        format!(
            "cannot listen on {}; name another address with --listen",
            settings.work.listen
        )
    })?;
    let url = format!("http://{}", door.address()?);
    let ear = Ear::open()?;
    let batch = usize::try_from(settings.work.batch_records).unwrap_or(usize::MAX);
    let job_thread = jobs
        .map(|jobs| JobThread::start(jobs, ear.teller()))
        .transpose()?;
    let mut working = Vec::new();
    for carrier in &worker.carriers.all {
        let (carrier, told, alarm) = (Arc::clone(carrier), told.clone(), ear.teller());
        let watched = Arc::clone(&carrier);
        working.push(engines.handle().spawn(async move {
            let (source, target) = (carrier.source.as_ref(), carrier.target.as_ref());
            persist(source, target, batch, &SystemClock, &carrier.books, &told).await;
            // Nobody listens any more when it was told to stop.
            let _heard = alarm.send(Farewell::Broken("deliveries are not brought any more"));
        }));
        engines
            .handle()
            .spawn(async move { watch_backlog(&watched).await });
    }
    if worker.carriers.kafka.is_some() || told_by_kafka.is_some() {
        let watching = Arc::clone(&worker);
        engines.handle().spawn(async move {
            loop {
                let reason =
                    look_at_kafka(watching.carriers.kafka.as_deref(), told_by_kafka.as_deref()).await;
                watching.remark_on_kafka(reason.unwrap_or_else(|error| Some(error.to_string())));
                tokio::time::sleep(LOOK_AT_KAFKA_EVERY).await;
            }
        });
    }
    let vitals: Arc<dyn Vitals> = Arc::clone(&worker) as _;
    // A listener belongs to the event loop that opened it; this one is about to wait for signals.
    let listener = door.into_std()?;
    engines.handle().spawn(async move {
        let served = match BackDoor::from_std(listener) {
            Ok(door) => door.serve(vitals).await,
            Err(error) => Err(error),
        };
        if let Err(error) = served {
            tracing::error!(%error, "the worker does not say any more how it is");
        }
    });
    tracing::info!(url, "working");
    banner::say_listening(&url)?;
    let farewell = ear.hear();
    let code = lifecycle::taken_leave(&farewell);
    worker.stopping.store(true, Ordering::Relaxed);
    // It has ended by itself if it does not hear.
    let _heard = bell.send(true);
    if let Some(jobs) = job_thread {
        jobs.finish();
    }
    for one in working {
        one.await.context("bringing deliveries ended badly")?;
    }
    if let Some(kafka) = worker.carriers.kafka.clone() {
        engines.handle().spawn(async move { kafka.leave().await }).await?;
    }
    tracing::info!("stopped: what was in hand is finished");
    Ok(code)
}

/// What is weak about the topics that this worker writes to.
async fn look_at_kafka(
    legs: Option<&KafkaLegs>,
    channel: Option<&KafkaChannel>,
) -> Result<Option<String>, StoreError> {
    let mut weak = Vec::new();
    if let Some(legs) = legs {
        weak.extend(legs.feed.weaknesses().await?);
    }
    if let Some(channel) = channel {
        weak.extend(channel.weaknesses().await?);
    }
    Ok((!weak.is_empty()).then(|| weak.join("; ")))
}

/// Keeps a carrier's books about how far it is behind.
async fn watch_backlog(carrier: &Carrier) {
    loop {
        match carrier.source.backlog().await {
            Ok(backlog) => carrier.books.backlog(backlog),
            Err(error) => tracing::debug!(%error, "the backlog was not told"),
        }
        tokio::time::sleep(carrier.look_every).await;
    }
}

/// A name that no other living worker has.
fn consumer() -> anyhow::Result<String> {
    let mut bytes = [0u8; 8];
    getrandom::fill(&mut bytes).context("the system gives no random numbers")?;
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{}-{digits}", std::process::id()))
}
