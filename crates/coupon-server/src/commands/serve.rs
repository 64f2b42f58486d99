//! `firstcome serve`: the whole service in one process, or one of many servers.

use crate::cli::Shared;
use crate::client::converse;
use crate::config::{LogFormat, SettingFlag, Settings, unknown_variables};
use crate::lifecycle::{self, Ear};
use crate::store_watch::StoreWatch;
use crate::wiring::{Embedded, JobThread, Together, watch_kafka};
use crate::{banner, environment, open_files, telemetry};
use anyhow::Context as _;
use clap::Args;
use coupon_http::Hall;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// How often a server looks whether another one has made or revoked an API key.
const KEYS_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
#[command(after_help = "\
The first start makes the data directory, an administrator's key (shown once) and a secret for users' tokens. Stop
with Ctrl+C or SIGTERM: what was accepted is answered first. A second signal ends it at once.

With database.url (FIRSTCOME_DATABASE_URL) it is one of any number of servers: nothing is kept here, the database is
made ready by `firstcome migrate`, and with Redis beside it `firstcome work` brings issues to the database.

It speaks plain HTTP. Where others can reach it, put a proxy with TLS in front and name that in http.trusted_proxies.

Examples:
  firstcome serve
  firstcome serve --listen 0.0.0.0:8080 --data-dir /var/lib/firstcome --log-format json
  FIRSTCOME_ADMIN_KEY=$(openssl rand -hex 32) firstcome serve --config firstcome.toml
  FIRSTCOME_DATABASE_URL=mysql://shop:secret@db/shop FIRSTCOME_REDIS_ADDRESSES=redis:6379 firstcome serve
  firstcome serve --listen 127.0.0.1:0 --set limits.issues_per_second_and_user=2")]
pub(crate) struct Options {
    /// The address and port; port 0 takes a free one [env: FIRSTCOME_LISTEN] [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,

    /// How log lines look [env: FIRSTCOME_LOG_FORMAT] [default: auto]
    #[arg(long, value_enum, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
}

impl Options {
    fn flags(&self) -> Vec<SettingFlag> {
        let listen = self.listen.as_ref().map(|address| SettingFlag {
            flag: "--listen",
            key: "listen".to_owned(),
            value: address.clone(),
        });
        let log_format = self.log_format.map(|format| SettingFlag {
            flag: "--log-format",
            key: "log.format".to_owned(),
            value: format.name().to_owned(),
        });
        listen.into_iter().chain(log_format).collect()
    }
}

pub(crate) fn run(shared: &Shared, options: &Options) -> anyhow::Result<ExitCode> {
    let settings = shared.settle(options.flags())?.settings;
    telemetry::start(&settings.log)?;
    for name in unknown_variables(environment::names_with("FIRSTCOME_")) {
        tracing::warn!(
            name,
            "this variable sets nothing; `firstcome config show` lists what can be set"
        );
    }
    open_files::allow_connections(settings.http.max_connections);
    if settings.database.is_set() {
        converse(serve_together(&settings))
    } else {
        converse(serve_alone(&settings))
    }
}

/// One of many servers: nothing is kept here, and workers carry what Redis decides.
async fn serve_together(settings: &Settings) -> anyhow::Result<ExitCode> {
    let Together {
        engines,
        house,
        reopening,
    } = Together::open(settings).await?;
    let hall = Hall::new(house.hall_parts(settings, &house.channels(settings)?)?).await?;
    watch_kafka(settings, &engines, hall.remarks())?;
    let ear = Ear::open()?;
    let refreshing = Arc::clone(&hall);
    engines.handle().spawn(async move {
        loop {
            tokio::time::sleep(KEYS_EVERY).await;
            if let Err(error) = refreshing.refresh_keys().await {
                tracing::debug!(%error, "the API keys were not read again");
            }
        }
    });
    let loops = settings.http.loops().get();
    let running = hall
        .serve(settings.listen, loops, || house.desk())
        .with_context(|| cannot_listen(settings.listen))?;
    let url = format!("http://{}", running.address());
    let strategies: Vec<&str> = house.strategies.iter().map(|one| one.name()).collect();
    tracing::info!(url, loops, strategies = strategies.join(", "), "listening");
    banner::say_listening(&url)?;
    let farewell = ear.hear();
    let code = lifecycle::end(farewell, &settings.shutdown, running, &house).await;
    if let Some(reopening) = reopening {
        reopening.end().await;
    }
    tracing::info!("stopped");
    Ok(code)
}

async fn serve_alone(settings: &Settings) -> anyhow::Result<ExitCode> {
    let (embedded, recovery) = Embedded::open(settings).await?;
    let house = &embedded.house;
    tracing::info!(%recovery, "recovered");
    let channels = house.channels(settings)?;
    let hall = Hall::new(house.hall_parts(settings, &channels)?).await?;
    let ear = Ear::open()?;
    let watch = StoreWatch::new(hall.store_lag(), Arc::clone(&embedded.outbox), recovery.applied);
    let follower = embedded.follow(Arc::new(watch), ear.teller())?;
    let jobs = Arc::new(embedded.jobs(settings, &channels)?);
    let counted = Arc::clone(&jobs);
    hall.also_tell(Box::new(move || counted.books().text()));
    let job_thread = settings
        .jobs
        .run
        .then(|| JobThread::start(jobs, ear.teller()))
        .transpose()?;
    let loops = settings.http.loops().get();
    let running = hall
        .serve(settings.listen, loops, || house.desk())
        .with_context(|| cannot_listen(settings.listen))?;
    let url = format!("http://{}", running.address());
    tracing::info!(url, loops, "listening");
    house.keys.keep_admin(settings)?;
    banner::say_new_key(&house.keys, &settings.data_dir)?;
    banner::say_ready(&url, &settings.data_dir, &recovery)?;
    // Nothing else runs on this runtime: the hall, the ledger and the follower have threads of their own.
    let farewell = ear.hear();
    if let Some(jobs) = job_thread {
        jobs.finish();
    }
    let code = lifecycle::end(farewell, &settings.shutdown, running, house).await;
    lifecycle::end_following(&follower, &settings.shutdown);
    Ok(code)
}

fn cannot_listen(listen: SocketAddr) -> String {
    format!("cannot listen on {listen}; stop whatever listens there, or name another address with --listen")
}
