//! `firstcome rehearse`: plays a sale, audits what was answered, and gives a verdict.

mod progress_line;
mod stage;

use crate::cli::Shared;
use crate::client::{AdminOptions, converse};
use crate::times::Length;
use crate::user_tokens::TokenMint;
use crate::{clock, complaint, keys, open_files, terminal};
use anyhow::{Context as _, bail, ensure};
use clap::{Args, ValueEnum};
use coupon_rehearsal::{
    Callers, CouponChoice, Credential, Rehearsal, RehearsalPlan, Retries, Shape, json_result,
    terminal_summary, write_report,
};
use progress_line::ProgressLine;
use secrecy::ExposeSecret as _;
use stage::Stage;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// The exit code of a rehearsal that could not be carried out, and so has no verdict.
const NO_VERDICT: u8 = 2;
/// Longer than any rehearsal lasts.
const TOKEN_TTL_S: i64 = 2 * 86_400;

#[derive(Debug, Args)]
#[command(after_help = "\
Users arrive on their own schedule and never wait for each other's answers (an open model), so that a slow server
is not spared. Afterwards every answer is held against what the server has: exactly as many issued as there are,
one per user, no gap, no inversion of the order, nothing lost, nothing that nobody asked for.

Exits with 0 when the verdict is a pass, with 1 when it is a fail, and with 2 when there is none.

Examples:
  firstcome rehearse --self
  firstcome rehearse --self --quantity 1000000 --users 1100000 --duration 60s --connections 256
  firstcome rehearse --self --kill-at 300ms
  firstcome rehearse --self --quantity 100000 --users 110000 --duration 6s --kill-at 2s --kill-at 4s
  firstcome rehearse --self --data-dir ./kept && firstcome verify --data-dir ./kept --history rehearsal/history.jsonl
  firstcome rehearse --server http://127.0.0.1:8080 --users 5000 --shape rush --report ./friday
  firstcome rehearse --target http://10.0.0.5:8080 --target http://10.0.0.6:8080 --strategy redis-script
  firstcome rehearse --coupon 7 --users 500")]
pub(crate) struct Options {
    /// Starts a server of its own, as a child process, and ends it afterwards
    ///
    /// Whatever --server or FIRSTCOME_SERVER says is not touched.
    /// Its data goes to a scratch directory beside the report, and away after a pass; to a new directory, to be kept,
    /// with --data-dir.
    #[arg(long = "self", conflicts_with_all = ["key", "coupon"])]
    own: bool,

    /// Kills that server with SIGKILL so long after the start of the load and starts it again; may be repeated
    #[arg(long, value_name = "LENGTH", requires = "own")]
    kill_at: Vec<Length>,

    /// Rehearses with this coupon, of which nobody else may ask meanwhile, instead of a new one
    #[arg(long, value_name = "ID")]
    coupon: Option<u64>,

    /// How many there are of the new coupon, or unlimited
    #[arg(long, value_name = "N", default_value = "1000", conflicts_with = "coupon")]
    quantity: String,

    /// Opens the new coupon only so long after its creation; early users are told to come back
    #[arg(long, value_name = "LENGTH", conflicts_with = "coupon")]
    opens_after: Option<Length>,

    /// Closes the new coupon so long after its creation [default: a day]
    #[arg(long, value_name = "LENGTH", conflicts_with = "coupon")]
    closes_after: Option<Length>,

    /// Distinct users; each asks at least once
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    users: u32,

    /// Users per second; sets the number of users from --duration
    #[arg(long, value_name = "N", conflicts_with = "users")]
    rate: Option<f64>,

    /// The time over which they arrive
    #[arg(long, value_name = "LENGTH", default_value = "5s")]
    duration: Length,

    /// How arrivals are spread over that time
    #[arg(long, value_enum, default_value_t = Arrivals::Poisson)]
    shape: Arrivals,

    /// The share of users who ask more than once, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    duplicates: f64,

    /// The most times that such a user asks
    #[arg(long, value_name = "N", default_value_t = 3)]
    most_asks: u32,

    /// Users come with tokens of their own instead of through the shop's back end
    #[arg(long)]
    as_users: bool,

    /// Keep-alive connections
    #[arg(long, value_name = "N", default_value_t = 64)]
    connections: usize,

    /// How long to wait for one answer before its outcome is unknown
    #[arg(long, value_name = "LENGTH", default_value = "10s")]
    timeout: Length,

    /// How often one ask is repeated after 429, 503 and not-yet-open before the user gives up
    #[arg(long, value_name = "N", default_value_t = 100)]
    retries: u32,

    /// How often one ask is repeated while its outcome is unknown
    #[arg(long, value_name = "N", default_value_t = 200)]
    retries_while_unknown: u32,

    /// How long to go on without a single answer
    #[arg(long, value_name = "LENGTH", default_value = "60s")]
    patience: Length,

    /// Draws the same arrivals and users again
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// The directory for the report: history.jsonl, result.json, report.html
    #[arg(long, value_name = "DIR", default_value = "rehearsal")]
    report: PathBuf,

    /// Writes the history to this file instead
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,

    /// One server of several, such as http://10.0.0.5:8080; give it once for each. Requests are spread over them
    #[arg(long, value_name = "URL", conflicts_with = "own")]
    target: Vec<String>,

    /// Who decides the new coupon: journal, database, redis-lock or redis-script [default: the server's]
    #[arg(long, value_name = "STRATEGY", conflicts_with = "coupon")]
    strategy: Option<String>,

    #[command(flatten)]
    admin: AdminOptions,
}

/// How arrivals are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Arrivals {
    /// The same gap between any two
    Even,
    /// Independent arrivals at a constant rate
    Poisson,
    /// Half of them in the first tenth of the time
    Rush,
}

impl Arrivals {
    fn shape(self) -> Shape {
        match self {
            Self::Even => Shape::Even,
            Self::Poisson => Shape::Poisson,
            Self::Rush => Shape::Rush,
        }
    }
}

pub(crate) fn run(shared: &Shared, options: &Options) -> anyhow::Result<ExitCode> {
    match converse(play(shared, options)) {
        Ok(true) => Ok(ExitCode::SUCCESS),
        Ok(false) => Ok(ExitCode::FAILURE),
        Err(error) => {
            complaint::tell(&error.context("no verdict"), shared.json);
            Ok(ExitCode::from(NO_VERDICT))
        }
    }
}

/// Plays and reports. Whether it passed.
async fn play(shared: &Shared, options: &Options) -> anyhow::Result<bool> {
    let kill_times = kill_times(options)?;
    // Before a server is started for it.
    let mut plan = options.plan()?;
    plan.check()?;
    std::fs::create_dir_all(&options.report)
        .with_context(|| format!("cannot make the report directory {}", options.report.display()))?;
    open_files::allow_connections(u64::try_from(options.connections).unwrap_or(u64::MAX));
    let stage = if options.own {
        Stage::own(shared, &options.report).await?
    } else {
        let mut admin = options.admin.clone();
        if let Some(first) = options.target.first() {
            admin.server.server = Some(first.clone());
        }
        Stage::of(shared, &admin)?
    };
    plan.base_url.clone_from(&stage.base_url);
    plan.admin = Credential::bearer(stage.admin_key.expose_secret());
    plan.callers = if options.as_users {
        callers(TokenMint::of(&stage.settings)?)
    } else {
        Callers::Service(plan.admin.clone())
    };
    let faults = stage.kills(&kill_times);
    let mut line = ProgressLine::new();
    let played = coupon_rehearsal::run(&plan, faults, &mut line).await;
    line.finish();
    let passed = match &played {
        Ok(rehearsal) => rehearsal.verdict.passed(),
        Err(_no_verdict) => false,
    };
    stage.clear(passed).await?;
    report(shared, options, &played?)?;
    Ok(passed)
}

fn report(shared: &Shared, options: &Options, rehearsal: &Rehearsal) -> anyhow::Result<()> {
    let files = write_report(rehearsal, &options.report).context("cannot write the report")?;
    if shared.json {
        terminal::say(&format!("{}\n", json_result(rehearsal).trim_end()))?;
        return Ok(());
    }
    terminal::say(&terminal_summary(rehearsal))?;
    terminal::say_line(format!("report:  {}", files.html.display()))?;
    terminal::say_line(format!("history: {}", rehearsal.history_path.display()))?;
    Ok(())
}

fn kill_times(options: &Options) -> anyhow::Result<Vec<Duration>> {
    let times = options.kill_at.iter().map(|at| at.duration());
    times.collect::<Result<_, _>>().context("--kill-at")
}

impl Options {
    /// What is to be rehearsed, at a place that is not known yet.
    fn plan(&self) -> anyhow::Result<RehearsalPlan> {
        let nobody = Credential::bearer("nobody");
        let mut plan = RehearsalPlan::new("", nobody, self.report.clone(), clock::now());
        plan.coupon = self.choice()?;
        plan.more_urls = self.target.iter().skip(1).cloned().collect();
        plan.strategy.clone_from(&self.strategy);
        plan.users = self.users;
        plan.duration = self.duration.duration().context("--duration")?;
        plan.shape = self.shape.shape();
        plan.duplicate_share = self.duplicates;
        plan.most_asks = self.most_asks;
        plan.connections = self.connections;
        plan.request_timeout = self.timeout.duration().context("--timeout")?;
        plan.retries = Retries {
            after_refusal_to_serve: self.retries,
            while_unknown: self.retries_while_unknown,
            patience: self.patience.duration().context("--patience")?,
            ..Retries::default()
        };
        plan.seed = self.seed;
        plan.history.clone_from(&self.history);
        match self.rate {
            None => Ok(plan),
            Some(rate) => {
                ensure!(rate > 0.0, "--rate must be more than nothing");
                Ok(plan.at_rate(rate))
            }
        }
    }

    fn choice(&self) -> anyhow::Result<CouponChoice> {
        if let Some(id) = self.coupon {
            return Ok(CouponChoice::Existing(id));
        }
        let quantity = match self.quantity.as_str() {
            "unlimited" => None,
            text => match text.parse() {
                Ok(0) | Err(_) => {
                    bail!("--quantity must be a whole number from 1 to 4294967295, or unlimited")
                }
                Ok(count) => Some(count),
            },
        };
        let length = |length: Option<Length>| length.map(Length::duration).transpose();
        Ok(CouponChoice::Create {
            name: "Rehearsal".to_owned(),
            quantity,
            opens_after: length(self.opens_after)
                .context("--opens-after")?
                .unwrap_or_default(),
            closes_after: length(self.closes_after).context("--closes-after")?,
        })
    }
}

/// Users with tokens of their own. A token that cannot be signed is empty, and the server's 401 tells.
fn callers(mint: TokenMint) -> Callers {
    Callers::Users(Arc::new(move |user| {
        mint.token(user, TOKEN_TTL_S).unwrap_or_default()
    }))
}

/// The key for a server that somebody else runs.
fn key_of(
    shared: &Shared,
    admin: &AdminOptions,
) -> anyhow::Result<(secrecy::SecretString, crate::config::Settings)> {
    let settings = shared.settle(Vec::new())?.settings;
    Ok((keys::admin_key(admin.key.as_deref(), &settings)?, settings))
}
