//! Settings of jobs, of reminders and of what is kept to be told.

use super::Findings;
use coupon_app::{NotificationKinds, Reminders};
use coupon_core::Span;
use serde::{Deserialize, Serialize};

/// How often jobs run, and how much they do at once.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct JobsSettings {
    /// Whether a server that works alone, or a worker on a shared database, runs them itself. If not, somebody must:
    /// `firstcome jobs run`.
    pub(crate) run: bool,
    /// How often expiry is written down. Rarely makes its notifications late; whether something is expired is judged by
    /// the clock all the same.
    pub(crate) expire_every_s: u64,
    /// How often reminders are looked for. Rarely makes them late.
    pub(crate) remind_every_s: u64,
    /// How often notifications are brought. Often costs a write each time.
    pub(crate) deliver_every_s: u64,
    /// Rows that are written in one transaction, about. Too many, and issues and redemptions wait for it; too few take
    /// longer.
    pub(crate) batch_rows: u64,
}

impl Default for JobsSettings {
    fn default() -> Self {
        Self {
            run: true,
            expire_every_s: 60,
            remind_every_s: 60,
            deliver_every_s: 2,
            batch_rows: 1_000,
        }
    }
}

impl JobsSettings {
    pub(super) fn check(&self, findings: &mut Findings) {
        let day = (1, 86_400);
        findings.expect_range(self.expire_every_s, day, "jobs.expire_every_s");
        findings.expect_range(self.remind_every_s, day, "jobs.remind_every_s");
        findings.expect_range(self.deliver_every_s, day, "jobs.deliver_every_s");
        findings.expect_range(self.batch_rows, (1, 100_000), "jobs.batch_rows");
    }
}

/// When holders are reminded.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ReminderSettings {
    /// So many days before the end, in the coupon's time zone; any list, none for no reminders.
    pub(crate) days: Vec<u16>,
}

impl Default for ReminderSettings {
    fn default() -> Self {
        Self { days: vec![7] }
    }
}

impl ReminderSettings {
    /// As the job takes them; `None` when the list cannot be one.
    pub(crate) fn reminders(&self) -> Option<Reminders> {
        Reminders::new(self.days.iter().copied()).ok()
    }

    pub(super) fn check(&self, findings: &mut Findings) {
        findings.expect(
            self.reminders().is_some(),
            "reminders.days",
            format!(
                "must be at most {} different numbers from 1 to 366",
                Reminders::MOST
            ),
        );
    }
}

/// What is kept to be told.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct NotificationSettings {
    /// Whether notifications are written.
    pub(crate) keep: Keep,
    /// How long those stay that were delivered or dismissed.
    pub(crate) forget_after_days: u32,
}

/// Whether notifications are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Keep {
    /// When there is anybody to tell: a mail server, or a webhook.
    #[default]
    Auto,
    /// Always. Without anybody to tell, each is final as soon as the job that delivers has seen it.
    Always,
    /// Never.
    Never,
}

impl Default for NotificationSettings {
    fn default() -> Self {
        Self {
            keep: Keep::Auto,
            forget_after_days: 30,
        }
    }
}

impl NotificationSettings {
    /// Which kinds the store writes, where there is anybody to tell or not.
    pub(crate) fn kinds(&self, anybody: bool) -> NotificationKinds {
        match self.keep {
            Keep::Auto if anybody => NotificationKinds::ALL,
            Keep::Always => NotificationKinds::ALL,
            Keep::Auto | Keep::Never => NotificationKinds::NONE,
        }
    }

    /// How long those stay of which everything is delivered or dismissed.
    pub(crate) fn forget_after(&self) -> Span {
        Span::from_secs(self.forget_after_days.saturating_mul(86_400))
    }

    pub(super) fn check(&self, findings: &mut Findings) {
        findings.expect_range(
            u64::from(self.forget_after_days),
            (1, 3_650),
            "notifications.forget_after_days",
        );
    }
}
