//! `firstcome coupon create`.

use super::{PATH, say_coupon};
use crate::cli::Shared;
use crate::client::{AdminOptions, converse, refused};
use crate::times::{Length, Moment};
use crate::{clock, terminal};
use anyhow::Context as _;
use clap::Args;
use reqwest::Method;
use serde_json::{Map, Value, json};

/// Publishes a coupon
#[derive(Debug, Args)]
#[command(after_help = "\
Times are now, +10m, 'in 2h', or RFC 3339 with a zone (2026-12-24T18:00:00+09:00). Lengths are 90s, 10m, 1h30m,
30d or ISO 8601 (P30D); a day has 24 hours.

Examples:
  firstcome coupon create --name 'Grand opening' --quantity 100 --opens now --closes +1h --valid-for 30d
  firstcome coupon create --name '봄맞이 쿠폰' --quantity 1000 --opens 2027-03-01T10:00:00+09:00 \\
      --closes 2027-03-02T00:00:00+09:00 --expires 2027-04-01T00:00:00+09:00 --discount-amount 5000
  firstcome coupon create --name 'Welcome' --quantity unlimited --closes +365d --valid-for 14d \\
      --discount-percent 10 --discount-max 5000 --min-order 20000
  firstcome coupon create --name 'Flash sale' --quantity 1000 --closes +1h --valid-for 7d \\
      --strategy redis-script --ack store")]
pub(crate) struct Options {
    /// What it is called, 1 to 200 characters
    #[arg(long)]
    name: String,

    /// How many there are: 1 to 4294967295, or unlimited
    #[arg(long, value_name = "N", value_parser = quantity)]
    quantity: Stock,

    /// When issuing begins
    #[arg(long, value_name = "TIME", default_value = "now")]
    opens: Moment,

    /// When issuing ends; the first instant at which nothing is issued any more
    #[arg(long, value_name = "TIME")]
    closes: Moment,

    /// How long an issued coupon can be redeemed, counted from its issue
    #[arg(
        long,
        value_name = "LENGTH",
        required_unless_present = "expires",
        conflicts_with = "expires"
    )]
    valid_for: Option<Length>,

    /// When all issued coupons expire together, instead of --valid-for
    #[arg(long, value_name = "TIME")]
    expires: Option<Moment>,

    /// Takes this amount off an order, in the currency's minor unit
    #[arg(long, value_name = "AMOUNT", conflicts_with = "discount_percent")]
    discount_amount: Option<u64>,

    /// Takes this share off an order, 1 to 100 percent
    #[arg(long, value_name = "PERCENT")]
    discount_percent: Option<u64>,

    /// At most this amount, with --discount-percent
    #[arg(long, value_name = "AMOUNT", requires = "discount_percent")]
    discount_max: Option<u64>,

    /// The smallest order it can be redeemed on
    #[arg(long, value_name = "AMOUNT")]
    min_order: Option<u64>,

    /// The currency of amounts, ISO 4217 [default: KRW]
    #[arg(long, value_name = "CODE")]
    currency: Option<String>,

    /// Whose midnight counts for days and reminders, IANA name [default: Asia/Seoul]
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,

    /// Who decides it: journal, database, redis-lock or redis-script, as the server offers [default: the server's]
    #[arg(long, value_name = "STRATEGY")]
    strategy: Option<String>,

    /// When an issue is answered: when the ledger has it, or only when the store has it too [default: ledger]
    #[arg(long, value_name = "LEVEL", value_parser = ["ledger", "store"])]
    ack: Option<String>,

    /// Does not tell the public how many there are and how many are left
    #[arg(long)]
    hide_remaining: bool,

    /// A mark of the shop's own; may be repeated
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,

    /// Makes repeating the command safe: the same key creates one coupon
    #[arg(long, value_name = "TEXT")]
    idempotency_key: Option<String>,

    #[command(flatten)]
    admin: AdminOptions,
}

/// How many there are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stock {
    Limited(u32),
    Unlimited,
}

impl Stock {
    /// As it travels.
    pub(super) fn wanted(self) -> Value {
        match self {
            Self::Limited(count) => json!(count),
            Self::Unlimited => Value::Null,
        }
    }
}

pub(super) fn quantity(text: &str) -> Result<Stock, String> {
    if text == "unlimited" {
        return Ok(Stock::Unlimited);
    }
    match text.parse() {
        Ok(0) | Err(_) => Err("must be a whole number from 1 to 4294967295, or unlimited".to_owned()),
        Ok(count) => Ok(Stock::Limited(count)),
    }
}

pub(super) fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("a label is written KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

pub(super) fn run(shared: &Shared, options: &Options) -> anyhow::Result<()> {
    let wanted = options.wanted(clock::now())?;
    publish(
        shared,
        &options.admin,
        PATH,
        &wanted,
        options.idempotency_key.as_deref(),
    )
}

/// Asks for a new coupon and says what came of it.
pub(super) fn publish(
    shared: &Shared,
    admin: &AdminOptions,
    path: &str,
    wanted: &Value,
    idempotency_key: Option<&str>,
) -> anyhow::Result<()> {
    let client = admin.client(shared)?;
    let headers: Vec<(&'static str, &str)> = idempotency_key
        .map(|key| ("idempotency-key", key))
        .into_iter()
        .collect();
    let answered = converse(client.ask_as(Method::POST, path, Some(wanted), &headers))?;
    if !answered.status.is_success() {
        return Err(refused(&answered));
    }
    if shared.json {
        return Ok(terminal::say_json(&answered.body)?);
    }
    say_coupon(&answered.body)
}

/// The labels of `--label`, as they travel.
pub(super) fn labels(given: &[(String, String)]) -> Value {
    given
        .iter()
        .map(|(key, value)| (key.clone(), json!(value)))
        .collect::<Map<_, _>>()
        .into()
}

impl Options {
    /// The request's body. What is not given is left to the server.
    fn wanted(&self, now: jiff::Timestamp) -> anyhow::Result<Value> {
        let mut body = Map::new();
        let mut put = |name: &str, value: Value| {
            body.insert(name.to_owned(), value);
        };
        put("name", json!(self.name));
        put("quantity", self.quantity.wanted());
        put("opensAt", json!(self.opens.from(now).context("--opens")?));
        put("closesAt", json!(self.closes.from(now).context("--closes")?));
        if let Some(expires) = &self.expires {
            put("expiresAt", json!(expires.from(now).context("--expires")?));
        }
        if let Some(length) = self.valid_for {
            put("validFor", json!(length.iso()));
        }
        if let Some(value) = self.discount_amount {
            put("discount", json!({ "type": "amount", "value": value }));
        }
        if let Some(value) = self.discount_percent {
            let mut discount = json!({ "type": "percent", "value": value });
            if let (Some(max), Some(members)) = (self.discount_max, discount.as_object_mut()) {
                members.insert("maxAmount".to_owned(), json!(max));
            }
            put("discount", discount);
        }
        if let Some(amount) = self.min_order {
            put("minOrderAmount", json!(amount));
        }
        if let Some(currency) = &self.currency {
            put("currency", json!(currency));
        }
        for (field, given) in [
            ("timeZone", &self.time_zone),
            ("strategy", &self.strategy),
            ("ack", &self.ack),
        ] {
            if let Some(given) = given {
                put(field, json!(given));
            }
        }
        if self.hide_remaining {
            put("showRemaining", json!(false));
        }
        if !self.labels.is_empty() {
            put("labels", labels(&self.labels));
        }
        Ok(Value::Object(body))
    }
}
