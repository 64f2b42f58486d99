//! `firstcome work`: brings what Redis has decided to the database.

use crate::cli::Shared;
use crate::client::converse;
use crate::clock::SystemClock;
use crate::config::{SettingFlag, Settings, unknown_variables};
use crate::lifecycle::{self, Ear, Farewell};
use crate::wiring::{Engines, redis_options};
use crate::{banner, environment, telemetry};
use anyhow::{Context as _, ensure};
use clap::Args;
use coupon_app::{CouponStore as _, DeliverySource};
use coupon_http::{BackDoor, Vitals};
use coupon_worker::{BACKLOG_EVERY, Books, persist, stop};
use ledger_redis::{RedisDeliveries, WorkerOptions};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The consumer group of the workers that write to the store.
const GROUP: &str = "store";

#[derive(Debug, Args)]
#[command(after_help = "\
Any number of workers share the work. Each says on /readyz whether database and stream answer, and on /metrics how far
behind they are. Stop with Ctrl+C or SIGTERM: what is in hand is finished first.

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

/// What a worker says of itself.
struct Worker {
    books: Books,
    stopping: AtomicBool,
}

impl Vitals for Worker {
    fn checks(&self) -> Vec<(&'static str, Option<String>)> {
        let stopping = self.stopping.load(Ordering::Relaxed);
        let worker = stopping.then(|| "the worker is stopping".to_owned());
        self.books
            .reasons()
            .into_iter()
            .chain([("worker", worker)])
            .collect()
    }

    fn metrics(&self) -> Result<String, std::fmt::Error> {
        self.books.text()
    }
}

async fn work(settings: &Settings) -> anyhow::Result<ExitCode> {
    ensure!(
        settings.redis.is_set(),
        "there is nothing to carry: only Redis hands issues on (FIRSTCOME_REDIS_ADDRESSES); what the database decides \
         is there already"
    );
    let engines = Engines::open(settings).await?;
    engines
        .store
        .health()
        .await
        .context("the database (database.url)")?;
    let source = Arc::new(RedisDeliveries::new(
        redis_options(&settings.redis)?,
        WorkerOptions {
            group: GROUP.to_owned(),
            groups: vec![GROUP.to_owned()],
            consumer: consumer()?,
            claim_after: settings.work.claim_after(),
        },
        engines.handle().clone(),
    ));
    let worker = Arc::new(Worker {
        books: Books::new(),
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
    let (bell, told) = stop();
    let working = {
        let (source, store, worker) = (
            Arc::clone(&source),
            Arc::clone(&engines.store),
            Arc::clone(&worker),
        );
        let batch = usize::try_from(settings.work.batch_records).unwrap_or(usize::MAX);
        let alarm = ear.teller();
        engines.handle().spawn(async move {
            persist(
                source.as_ref(),
                store.as_ref(),
                batch,
                &SystemClock,
                &worker.books,
                &told,
            )
            .await;
            // Nobody listens any more when it was told to stop.
            let _heard = alarm.send(Farewell::Broken("deliveries are not brought any more"));
        })
    };
    let watched = Arc::clone(&worker);
    engines.handle().spawn(async move {
        loop {
            match source.backlog().await {
                Ok(backlog) => watched.books.backlog(backlog),
                Err(error) => tracing::debug!(%error, "the backlog was not told"),
            }
            tokio::time::sleep(BACKLOG_EVERY).await;
        }
    });
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
    let finished = working.await;
    finished.context("bringing deliveries ended badly")?;
    tracing::info!("stopped: what was in hand is finished");
    Ok(code)
}

/// A name that no other living worker has.
fn consumer() -> anyhow::Result<String> {
    let mut bytes = [0u8; 8];
    getrandom::fill(&mut bytes).context("the system gives no random numbers")?;
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{}-{digits}", std::process::id()))
}
