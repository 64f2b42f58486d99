//! A whole rehearsal: the coupon, the load, the final state, the audit.

use std::path::PathBuf;

use crate::admin::{AdminClient, AdminError};
use crate::clock::whole_ns;
use crate::history::{Header, History, HistoryError, HistoryWriter, PlanFacts};
use crate::load::{self, Fault, FaultError, LoadError, Scene};
use crate::plan::{PlanError, RehearsalPlan};
use crate::progress::ProgressSink;
use crate::summary::Summary;
use crate::target::{Target, TargetError};
use crate::users::UserIds;
use crate::verify::{Verdict, audit};
use crate::workloads::Arrivals;

/// A rehearsal that has been played and judged.
#[derive(Debug)]
pub struct Rehearsal {
    /// Every attempt.
    pub history: History,
    /// The history's file.
    pub history_path: PathBuf,
    /// The numbers.
    pub summary: Summary,
    /// The judgement.
    pub verdict: Verdict,
}

/// Why there is no verdict. A server that breaks its promises is a verdict and not an error.
#[derive(Debug, thiserror::Error)]
pub enum RehearsalError {
    /// The plan cannot be carried out.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The base URL is unusable.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The coupon could not be had, or the final state not be read.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// The history could not be written or read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// A fault could not be done.
    #[error(transparent)]
    Fault(#[from] FaultError),
    /// The system would not give what the load needs.
    #[error("{what}: {source}")]
    System {
        /// What was needed.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

impl From<LoadError> for RehearsalError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::History(error) => Self::History(error),
            LoadError::Fault(error) => Self::Fault(error),
            LoadError::Clock(source) => Self::System {
                what: "a timer",
                source,
            },
        }
    }
}

/// Plays the plan against the server, with these faults, and judges it. Needs a Tokio runtime with I/O and time; one
/// with a single thread is best, since the load shares the machine with the server.
pub async fn run(
    plan: &RehearsalPlan,
    faults: Vec<Fault>,
    sink: &mut dyn ProgressSink,
) -> Result<Rehearsal, RehearsalError> {
    plan.check()?;
    let target = Target::resolve(&plan.base_url).await?;
    let mut targets = vec![target.clone()];
    for url in &plan.more_urls {
        targets.push(Target::resolve(url).await?);
    }
    let system = |what| move |source| RehearsalError::System { what, source };
    std::fs::create_dir_all(&plan.output).map_err(system("the output directory"))?;
    let seed = match plan.seed {
        Some(seed) => seed,
        None => getrandom::u64()
            .map_err(|error| system("random numbers")(std::io::Error::other(error.to_string())))?,
    };
    let mut admin = AdminClient::new(target.clone(), plan.admin.clone());
    let coupon = admin
        .coupon(&plan.coupon, plan.strategy.as_deref(), plan.now)
        .await?;
    let arrivals = Arrivals::draw(
        plan.users,
        plan.duplicate_share,
        plan.most_asks,
        plan.duration,
        plan.shape,
        seed,
    );
    let header = Header {
        history: crate::history::FORMAT,
        started_at: plan.now,
        base_url: target.base_url(),
        more_urls: targets[1..].iter().map(Target::base_url).collect(),
        user_prefix: UserIds::of_run(seed ^ (seed >> 32)),
        coupon,
        plan: facts(plan, &arrivals, seed),
    };
    let path = plan.history_path();
    let writer = HistoryWriter::create(&path, &header)?;
    let scene = Scene {
        plan,
        targets: &targets,
        users: &header.user_prefix,
        coupon: header.coupon.id,
        arrivals,
    };
    load::play(scene, faults, writer, sink).await?;
    // Judged is what the file says, so that `verify --history` later judges the same.
    let history = History::read(&path)?;
    let state = admin.final_state(&history).await?;
    let verdict = audit(&history, &state);
    Ok(Rehearsal {
        summary: Summary::of(&history),
        history,
        history_path: path,
        verdict,
    })
}

fn facts(plan: &RehearsalPlan, arrivals: &Arrivals, seed: u64) -> PlanFacts {
    PlanFacts {
        users: plan.users,
        asks: u64::try_from(arrivals.len()).unwrap_or(u64::MAX),
        duration_ms: whole_ns(plan.duration) / 1_000_000,
        shape: plan.shape,
        duplicate_share: plan.duplicate_share,
        connections: plan.connections,
        seed,
    }
}
