//! `firstcome coupon clone`.

use super::PATH;
use super::create::{Stock, label, labels, publish, quantity};
use crate::cli::Shared;
use crate::client::AdminOptions;
use crate::clock;
use crate::times::{Length, Moment};
use anyhow::Context as _;
use clap::Args;
use coupon_core::CouponId;
use serde_json::{Map, Value, json};

/// Publishes a coupon with the terms of another
#[derive(Debug, Args)]
#[command(after_help = "\
What is not given is as in the other coupon. Its window must not be over: give --closes for one that is.

Examples:
  firstcome coupon clone 1 --name 'Grand opening, again' --opens now --closes +1h
  firstcome coupon clone 1 --opens 2027-03-08T10:00:00+09:00 --closes 2027-03-09T00:00:00+09:00 --quantity 500")]
pub(crate) struct Options {
    /// The id of the coupon to copy, as `coupon list` shows it
    id: CouponId,

    /// What it is called, 1 to 200 characters
    #[arg(long)]
    name: Option<String>,

    /// How many there are: 1 to 4294967295, or unlimited
    #[arg(long, value_name = "N", value_parser = quantity)]
    quantity: Option<Stock>,

    /// When issuing begins
    #[arg(long, value_name = "TIME")]
    opens: Option<Moment>,

    /// When issuing ends; the first instant at which nothing is issued any more
    #[arg(long, value_name = "TIME")]
    closes: Option<Moment>,

    /// How long an issued coupon can be redeemed, counted from its issue
    #[arg(long, value_name = "LENGTH", conflicts_with = "expires")]
    valid_for: Option<Length>,

    /// When all issued coupons expire together
    #[arg(long, value_name = "TIME")]
    expires: Option<Moment>,

    /// A mark of the shop's own, in place of all of the other coupon's; may be repeated
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,

    /// Makes repeating the command safe: the same key creates one coupon
    #[arg(long, value_name = "TEXT")]
    idempotency_key: Option<String>,

    #[command(flatten)]
    admin: AdminOptions,
}

pub(super) fn run(shared: &Shared, options: &Options) -> anyhow::Result<()> {
    let wanted = options.wanted(clock::now())?;
    let path = format!("{PATH}/{}/clone", options.id);
    publish(
        shared,
        &options.admin,
        &path,
        &wanted,
        options.idempotency_key.as_deref(),
    )
}

impl Options {
    /// The request's body. What is not given is left as it is.
    fn wanted(&self, now: jiff::Timestamp) -> anyhow::Result<Value> {
        let mut body = Map::new();
        let mut put = |name: &str, value: Value| {
            body.insert(name.to_owned(), value);
        };
        if let Some(name) = &self.name {
            put("name", json!(name));
        }
        if let Some(quantity) = self.quantity {
            put("quantity", quantity.wanted());
        }
        for (field, flag, moment) in [
            ("opensAt", "--opens", &self.opens),
            ("closesAt", "--closes", &self.closes),
            ("expiresAt", "--expires", &self.expires),
        ] {
            if let Some(moment) = moment {
                put(field, json!(moment.from(now).context(flag)?));
            }
        }
        if let Some(length) = self.valid_for {
            put("validFor", json!(length.iso()));
        }
        if !self.labels.is_empty() {
            put("labels", labels(&self.labels));
        }
        Ok(Value::Object(body))
    }
}
