//! What to rehearse: whom to ask, how many users, how fast, for how long, and how patiently.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::workloads::Shape;

/// A secret and the header that carries it. Its `Debug` shows nothing.
#[derive(Clone)]
pub struct Credential {
    header: String,
    value: String,
}

impl Credential {
    /// An API key or a JWT, sent as `Authorization: Bearer ...`.
    pub fn bearer(secret: &str) -> Self {
        Self {
            header: "authorization".to_owned(),
            value: format!("Bearer {secret}"),
        }
    }

    /// A secret in a header of its own.
    pub fn header(name: &str, value: &str) -> Self {
        Self {
            header: name.to_owned(),
            value: value.to_owned(),
        }
    }

    /// The header line, with its line end.
    pub(crate) fn line(&self) -> String {
        format!("{}: {}\r\n", self.header, self.value)
    }

    fn is_one_line(&self) -> bool {
        let visible = |text: &str| !text.is_empty() && text.bytes().all(|byte| (b' '..0x7F).contains(&byte));
        visible(&self.header) && visible(&self.value)
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(***)")
    }
}

/// Who asks for the coupons.
#[derive(Clone)]
pub enum Callers {
    /// A service or an administrator names the user in the body.
    Service(Credential),
    /// Every user comes with a token of their own, made by this function from the user id; the body is `{}`.
    Users(Arc<dyn Fn(&str) -> String + Send + Sync>),
}

impl fmt::Debug for Callers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Service(_) => "Service(***)",
            Self::Users(_) => "Users(..)",
        })
    }
}

/// Which coupon the users run for.
#[derive(Debug, Clone)]
pub enum CouponChoice {
    /// A new coupon, created for this rehearsal.
    Create {
        /// Its name, 1 to 200 characters.
        name: String,
        /// How many there are; none means unlimited.
        quantity: Option<u32>,
        /// When it opens, counted from the creation; zero opens at once.
        opens_after: Duration,
        /// When it closes, counted from the creation; none means a day after.
        closes_after: Option<Duration>,
    },
    /// A coupon that exists. Nobody else may ask for it meanwhile: what others get counts as nobody's wish.
    Existing(u64),
}

/// How patiently the users ask again.
#[derive(Debug, Clone)]
pub struct Retries {
    /// How often one ask is repeated after 429, 503 and not-yet-open before the user gives up.
    pub after_refusal_to_serve: u32,
    /// How often one ask is repeated while its outcome is unknown; too low leaves unknowns that fail the verdict.
    pub while_unknown: u32,
    /// The longest wait before asking again, whatever `Retry-After` says.
    pub longest_wait: Duration,
    /// How long to go on without a single answer before the rehearsal gives up on the server.
    pub patience: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            after_refusal_to_serve: 100,
            while_unknown: 200,
            longest_wait: Duration::from_secs(2),
            patience: Duration::from_secs(60),
        }
    }
}

/// Everything that a rehearsal needs to know before it starts.
#[derive(Debug, Clone)]
pub struct RehearsalPlan {
    /// `http://host:port`, without a path unless a proxy adds one.
    pub base_url: String,
    /// More servers of the same service: requests are spread over all of them, connection by connection. The coupon is
    /// made at the first, and the final state read there.
    pub more_urls: Vec<String>,
    /// Who is to decide the new coupon, as the service names it; none leaves it to the server.
    pub strategy: Option<String>,
    /// An administrator's key: creates the coupon and reads the final state.
    pub admin: Credential,
    /// Who asks for coupons; the administrator's key may do so too.
    pub callers: Callers,
    /// The coupon.
    pub coupon: CouponChoice,
    /// Distinct users, at least 1. Each asks at least once.
    pub users: u32,
    /// The time over which they arrive.
    pub duration: Duration,
    /// How the arrivals are spread over that time.
    pub shape: Shape,
    /// The share of users who ask more than once, 0 to 1.
    pub duplicate_share: f64,
    /// The most times that such a user asks, at least 2.
    pub most_asks: u32,
    /// Keep-alive connections. Too few, and asks wait for one (the wait counts in the latency).
    pub connections: usize,
    /// How long to wait for one answer before its outcome is unknown.
    pub request_timeout: Duration,
    /// How patiently to ask again.
    pub retries: Retries,
    /// Draws the arrivals and the run's user ids; none takes a random one, which the history then names.
    pub seed: Option<u64>,
    /// The wall time now, from the caller's clock.
    pub now: Timestamp,
    /// The directory for the history, `result.json` and `report.html`; created if missing.
    pub output: PathBuf,
    /// The history file; none means `history.jsonl` in the output directory.
    pub history: Option<PathBuf>,
    /// How often the progress sink is called.
    pub progress_every: Duration,
}

/// Why a plan cannot be carried out.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub struct PlanError(&'static str);

impl RehearsalPlan {
    /// The classic sale: 1,000 coupons, 10,000 users in five seconds, one in ten asking twice or thrice.
    pub fn new(base_url: &str, admin: Credential, output: PathBuf, now: Timestamp) -> Self {
        Self {
            base_url: base_url.to_owned(),
            more_urls: Vec::new(),
            strategy: None,
            callers: Callers::Service(admin.clone()),
            admin,
            coupon: CouponChoice::Create {
                name: "Rehearsal".to_owned(),
                quantity: Some(1_000),
                opens_after: Duration::ZERO,
                closes_after: None,
            },
            users: 10_000,
            duration: Duration::from_secs(5),
            shape: Shape::Poisson,
            duplicate_share: 0.1,
            most_asks: 3,
            connections: 64,
            request_timeout: Duration::from_secs(10),
            retries: Retries::default(),
            seed: None,
            now,
            output,
            history: None,
            progress_every: Duration::from_millis(250),
        }
    }

    /// Sets the number of users so that they arrive at this rate (users per second) over the duration.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the range before"
    )]
    pub fn at_rate(mut self, users_per_second: f64) -> Self {
        let users = (users_per_second * self.duration.as_secs_f64()).round();
        self.users = users.clamp(1.0, f64::from(u32::MAX)) as u32;
        self
    }

    /// Where the history goes.
    pub fn history_path(&self) -> PathBuf {
        self.history
            .clone()
            .unwrap_or_else(|| self.output.join("history.jsonl"))
    }

    /// Refuses what cannot be rehearsed. A rehearsal does so itself; whoever starts a server for it asks before.
    pub fn check(&self) -> Result<(), PlanError> {
        let service_key = match &self.callers {
            Callers::Service(credential) => credential,
            Callers::Users(_) => &self.admin,
        };
        let wrong = [
            (self.users == 0, "a rehearsal needs at least one user"),
            (
                self.users > 100_000_000,
                "a rehearsal can have at most 100 million users",
            ),
            (self.connections == 0, "a rehearsal needs at least one connection"),
            (
                !(0.0..=1.0).contains(&self.duplicate_share),
                "the duplicate share is between 0 and 1",
            ),
            (
                self.most_asks < 2,
                "a user who asks more than once asks at least twice",
            ),
            (
                self.duration > Duration::from_secs(86_400),
                "a rehearsal lasts at most a day",
            ),
            (
                self.request_timeout.is_zero(),
                "the request timeout must be longer than nothing",
            ),
            (
                self.progress_every.is_zero(),
                "the progress interval must be longer than nothing",
            ),
            (
                !self.admin.is_one_line() || !service_key.is_one_line(),
                "a key must be visible ASCII on one line",
            ),
        ];
        match wrong.into_iter().find(|(is_wrong, _)| *is_wrong) {
            Some((_, why)) => Err(PlanError(why)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Credential, RehearsalPlan};
    use jiff::Timestamp;

    fn plan() -> RehearsalPlan {
        RehearsalPlan::new(
            "http://127.0.0.1:1",
            Credential::bearer("hush"),
            "out".into(),
            Timestamp::UNIX_EPOCH,
        )
    }

    #[test]
    fn a_plan_never_shows_its_keys() {
        assert!(!format!("{:?}", plan()).contains("hush"));
    }

    #[test]
    fn a_rate_sets_the_number_of_users() {
        assert_eq!(plan().at_rate(2_000.0).users, 10_000);
    }

    #[test]
    fn a_plan_that_cannot_be_carried_out_is_refused() {
        assert!(plan().check().is_ok());
        assert!(RehearsalPlan { users: 0, ..plan() }.check().is_err());
        assert!(
            RehearsalPlan {
                duplicate_share: f64::NAN,
                ..plan()
            }
            .check()
            .is_err()
        );
        assert!(
            RehearsalPlan {
                admin: Credential::bearer("two\r\nlines"),
                ..plan()
            }
            .check()
            .is_err()
        );
    }
}
