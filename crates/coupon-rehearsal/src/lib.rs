//! The weigh-house: load with a verdict.
//!
//! A rehearsal sends an open-model load to a running server, writes down every attempt with the client's own
//! clock, reads the server's final state over HTTP and holds the two against each other. It speaks the HTTP
//! interface with types of its own: a witness shares no code with what it judges.
//!
//! - [`run`] does all of it for a [`RehearsalPlan`] and returns a [`Rehearsal`];
//! - [`ServerProcess`] starts, kills and restarts a server of its own, [`Fault`] says when;
//! - [`History::read`], [`FinalState`] and [`audit`] judge a history again later;
//! - [`write_report`] leaves `result.json` and `report.html`, [`terminal_summary`] is for the terminal.

mod admin;
mod alarm;
mod answer;
mod clock;
mod connection;
mod history;
mod load;
mod numbers;
mod outcome;
mod plan;
mod progress;
mod random;
mod report;
mod run;
mod server_process;
mod summary;
mod target;
mod users;
mod verify;
mod workloads;

pub use admin::{AdminClient, AdminError};
pub use history::{
    Attempt, Code, CouponFacts, End, FaultMark, Header, History, HistoryError, HistoryWriter, PlanFacts,
};
pub use load::{Fault, FaultError};
pub use outcome::Outcome;
pub use plan::{Callers, CouponChoice, Credential, PlanError, RehearsalPlan, Retries};
pub use progress::{Progress, ProgressSink};
pub use report::{ReportFiles, html_report, json_result, terminal_summary, write_report};
pub use run::{Rehearsal, RehearsalError, run};
pub use server_process::{ServerProcess, ServerProcessError, ServerProcessPlan, free_port};
pub use summary::{Interval, Percentiles, Summary};
pub use target::{Target, TargetError};
pub use users::UserIds;
pub use verify::{Check, FinalState, Finding, FindingKind, Invariant, IssuedCoupon, Verdict, audit};
pub use workloads::Shape;
