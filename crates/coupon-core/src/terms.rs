//! What an administrator publishes: the terms of a coupon, and how they may be wrong.

use crate::limits::{
    MAX_AMOUNT, MAX_LABEL_KEY_CHARS, MAX_LABEL_VALUE_CHARS, MAX_LABELS, MAX_NAME_CHARS, MAX_TIME_ZONE_CHARS,
    MAX_VALID_FOR_US,
};
use crate::{Discount, Field, Quantity, Rule, Span, Timestamp, Validity, Violation, Window};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Which kind of ledger decides a coupon; fixed when the coupon is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Memory of one process and its journal: the embedded default.
    Journal,
    /// A row lock in MySQL or MariaDB.
    Database,
    /// The database under a Redis lock with a fencing token.
    RedisLock,
    /// One Lua script per batch.
    RedisScript,
}

impl Strategy {
    /// Its written form.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Journal => "journal",
            Self::Database => "database",
            Self::RedisLock => "redis-lock",
            Self::RedisScript => "redis-script",
        }
    }
}

/// What must hold before an issue is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AckLevel {
    /// The ledger's own promise of durability.
    Ledger,
    /// The store has it too.
    Store,
}

/// The terms of a coupon, checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Terms {
    /// What the coupon is called, 1 to 200 characters.
    pub name: Box<str>,
    /// When it is issued.
    pub window: Window,
    /// How many.
    pub quantity: Quantity,
    /// How long an issued one can be redeemed.
    pub validity: Validity,
    /// What redeeming gives, if the coupon itself says so.
    pub discount: Option<Discount>,
    /// The smallest order it can be redeemed on, in minor units.
    pub min_order_amount: u64,
    /// ISO 4217 code.
    pub currency: Box<str>,
    /// IANA name: whose midnight counts for days and reminders.
    pub time_zone: Box<str>,
    /// Who decides.
    pub strategy: Strategy,
    /// What must hold before the answer.
    pub ack: AckLevel,
    /// Whether the public face shows quantity and remaining.
    pub show_remaining: bool,
    /// The shop's own marks.
    pub labels: BTreeMap<Box<str>, Box<str>>,
}

/// Terms as they arrive: each field has its type, none has been checked.
#[derive(Clone, Debug)]
#[expect(
    missing_docs,
    reason = "each field is the field of the same name of Terms, unchecked"
)]
pub struct TermsDraft {
    pub name: String,
    pub opens_at: Timestamp,
    pub closes_at: Timestamp,
    pub quantity: Quantity,
    pub expires_at: Option<Timestamp>,
    pub valid_for: Option<Span>,
    pub discount: Option<Discount>,
    pub min_order_amount: u64,
    pub currency: String,
    pub time_zone: String,
    pub strategy: Strategy,
    pub ack: AckLevel,
    pub show_remaining: bool,
    pub labels: BTreeMap<String, String>,
}

impl TermsDraft {
    /// The terms, or every field that is wrong. `now` tells whether the window has already closed.
    pub fn check(self, now: Timestamp) -> Result<Terms, Vec<Violation>> {
        let mut wrong = Vec::new();
        if self.closes_at <= now {
            wrong.push(Violation::new(Field::ClosesAt, Rule::InThePast));
        } else if self.closes_at <= self.opens_at {
            wrong.push(Violation::new(Field::ClosesAt, Rule::NotAfterOpening));
        }
        let validity = match (self.expires_at, self.valid_for) {
            (Some(instant), None) => Some(Validity::Until(instant)),
            (None, Some(span)) => Some(Validity::For(span)),
            (None, None) | (Some(_), Some(_)) => {
                wrong.push(Violation::new(Field::ExpiresAt, Rule::ExactlyOneValidity));
                None
            }
        };
        // In place of what is wrong already, something that breaks no rule: the other fields are to be named too.
        let window = Window::new(self.opens_at, self.closes_at);
        let shortest = Window::new(Timestamp::MIN, Timestamp::MIN.saturating_add(Span::TICK));
        let terms = Terms {
            name: self.name.into(),
            window: window.or(shortest).expect("a microsecond later is later"),
            quantity: self.quantity,
            validity: validity.unwrap_or(Validity::For(Span::TICK)),
            discount: self.discount,
            min_order_amount: self.min_order_amount,
            currency: self.currency.into(),
            time_zone: self.time_zone.into(),
            strategy: self.strategy,
            ack: self.ack,
            show_remaining: self.show_remaining,
            labels: self
                .labels
                .into_iter()
                .map(|(key, value)| (key.into(), value.into()))
                .collect(),
        };
        wrong.extend(terms.violations());
        if wrong.is_empty() { Ok(terms) } else { Err(wrong) }
    }
}

impl Terms {
    /// Every rule that holds at any time (a window in the past is judged where it is set).
    pub fn violations(&self) -> Vec<Violation> {
        let mut wrong = Vec::new();
        check_texts(&self.name, &self.currency, &self.time_zone, &mut wrong);
        match self.validity {
            Validity::Until(instant) if instant < self.window.closes_at() => {
                wrong.push(Violation::new(Field::ExpiresAt, Rule::BeforeClosing));
            }
            Validity::For(span) if !(1..=MAX_VALID_FOR_US).contains(&span.as_micros()) => {
                // In seconds, for people: from one microsecond, shown as 1.
                let max = MAX_VALID_FOR_US.unsigned_abs() / 1_000_000;
                wrong.push(Violation::new(Field::ValidFor, Rule::Range { min: 1, max }));
            }
            Validity::Until(_) | Validity::For(_) => {}
        }
        if let Some(discount) = self.discount {
            wrong.extend(discount.violations());
        }
        if self.min_order_amount > MAX_AMOUNT {
            wrong.push(Violation::new(
                Field::MinOrderAmount,
                Rule::Range {
                    min: 0,
                    max: MAX_AMOUNT,
                },
            ));
        }
        wrong.extend(label_violation(&self.labels));
        wrong
    }

    /// The names of the time zone and the currency are looked up by the edge, which has the databases.
    pub fn changed_by(&self, change: &TermsChange) -> Result<Self, Violation> {
        let mut next = self.clone();
        let opens_at = change.opens_at.unwrap_or(self.window.opens_at());
        let closes_at = change.closes_at.unwrap_or(self.window.closes_at());
        next.window =
            Window::new(opens_at, closes_at).ok_or(Violation::new(Field::ClosesAt, Rule::NotAfterOpening))?;
        if let Some(name) = &change.name {
            next.name = name.as_str().into();
        }
        if let Some(validity) = change.validity {
            next.validity = validity;
        }
        if let Some(discount) = change.discount {
            next.discount = discount;
        }
        if let Some(amount) = change.min_order_amount {
            next.min_order_amount = amount;
        }
        if let Some(quantity) = change.quantity {
            next.quantity = quantity;
        }
        if let Some(shown) = change.show_remaining {
            next.show_remaining = shown;
        }
        if let Some(labels) = &change.labels {
            next.labels = labels
                .iter()
                .map(|(key, value)| (key.as_str().into(), value.as_str().into()))
                .collect();
        }
        Ok(next)
    }
}

/// A change of terms: what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is the field of the same name of Terms")]
pub struct TermsChange {
    pub name: Option<String>,
    pub opens_at: Option<Timestamp>,
    pub closes_at: Option<Timestamp>,
    pub quantity: Option<Quantity>,
    pub validity: Option<Validity>,
    /// `Some(None)` takes the discount away.
    pub discount: Option<Option<Discount>>,
    pub min_order_amount: Option<u64>,
    pub show_remaining: Option<bool>,
    pub labels: Option<BTreeMap<String, String>>,
}

fn check_texts(name: &str, currency: &str, time_zone: &str, wrong: &mut Vec<Violation>) {
    if name.trim().is_empty() || name.chars().count() > MAX_NAME_CHARS {
        wrong.push(Violation::new(
            Field::Name,
            Rule::Length {
                min: 1,
                max: MAX_NAME_CHARS,
            },
        ));
    } else if name.chars().any(char::is_control) {
        wrong.push(Violation::new(Field::Name, Rule::ForbiddenCharacter));
    }
    if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
        wrong.push(Violation::new(Field::Currency, Rule::NotACurrency));
    }
    let zone_shaped = |byte: u8| byte.is_ascii_alphanumeric() || b"/_+-".contains(&byte);
    if time_zone.is_empty() || time_zone.len() > MAX_TIME_ZONE_CHARS || !time_zone.bytes().all(zone_shaped) {
        wrong.push(Violation::new(Field::TimeZone, Rule::NotATimeZone));
    }
}

fn label_violation(labels: &BTreeMap<Box<str>, Box<str>>) -> Option<Violation> {
    let broken = |rule| Some(Violation::new(Field::Labels, rule));
    if labels.len() > MAX_LABELS {
        return broken(Rule::TooMany { max: MAX_LABELS });
    }
    for (key, value) in labels {
        if key.is_empty() || key.chars().count() > MAX_LABEL_KEY_CHARS {
            return broken(Rule::Length {
                min: 1,
                max: MAX_LABEL_KEY_CHARS,
            });
        }
        if value.chars().count() > MAX_LABEL_VALUE_CHARS {
            return broken(Rule::Length {
                min: 0,
                max: MAX_LABEL_VALUE_CHARS,
            });
        }
        if key.chars().chain(value.chars()).any(char::is_control) {
            return broken(Rule::ForbiddenCharacter);
        }
    }
    None
}
