//! Audits a running server by asking it.

use super::{Findings, Holders, quantity, read_history};
use crate::cli::Shared;
use crate::client::{AdminOptions, Client, converse};
use crate::keys;
use anyhow::{Context as _, anyhow};
use coupon_core::{Position, Timestamp};
use coupon_rehearsal::{AdminClient, Credential, Target};
use reqwest::Method;
use secrecy::ExposeSecret as _;
use serde_json::Value;
use std::path::Path;

const COUPONS: &str = "/v1/admin/coupons";

pub(super) fn look(
    shared: &Shared,
    admin: &AdminOptions,
    history: Option<&Path>,
) -> anyhow::Result<Findings> {
    let history = read_history(history)?;
    let settings = shared.settle(Vec::new())?.settings;
    let key = keys::admin_key(admin.key.as_deref(), &settings)?;
    let base_url = admin.server.base_url(&settings)?;
    let client = Client::new(base_url.clone(), Some(key.clone()))?;
    converse(async {
        let mut findings = Findings::default();
        for coupon in client.all(COUPONS, None).await? {
            look_at(&client, &coupon, &mut findings).await?;
        }
        if let Some((path, history)) = history {
            let target = Target::resolve(&base_url).await?;
            let mut admin = AdminClient::new(target, Credential::bearer(key.expose_secret()));
            let state = admin.final_state(&history.header).await?;
            findings.judge(path, history, &state);
        }
        Ok(findings)
    })
}

async fn look_at(client: &Client, coupon: &Value, findings: &mut Findings) -> anyhow::Result<()> {
    let id = number(coupon, "id")?;
    let name = format!("coupon {id}");
    // A sale may be going on: what was counted before the list was read is in it, what is in it is counted after.
    let before = counted(client, id).await?;
    let mut holders = Holders::default();
    client
        .each(&format!("{COUPONS}/{id}/issued-coupons"), None, &mut |one| {
            let position = u32::try_from(number(&one, "position")?)
                .ok()
                .and_then(Position::new);
            let user = one
                .get("userId")
                .and_then(Value::as_str)
                .context("an issued coupon without a user")?;
            let issued_at: jiff::Timestamp = one
                .get("issuedAt")
                .and_then(Value::as_str)
                .and_then(|text| text.parse().ok())
                .context("an issued coupon without a time")?;
            let issued_at = Timestamp::saturating_from_micros(issued_at.as_microsecond());
            holders.add(
                user,
                position.context("an issued coupon without a position")?,
                issued_at,
            );
            Ok(())
        })
        .await?;
    let after = counted(client, id).await?;
    let limit = coupon
        .get("quantity")
        .and_then(Value::as_u64)
        .map(u32::try_from)
        .transpose()?;
    holders.check(&name, quantity(limit)?, findings);
    let listed = holders.count();
    if !(before..=after).contains(&listed) {
        findings.add(
            false,
            format!("{name}: {listed} are listed, but {before} to {after} are counted as issued"),
        );
    }
    Ok(())
}

async fn counted(client: &Client, id: u64) -> anyhow::Result<u64> {
    let stats = client
        .must(Method::GET, &format!("{COUPONS}/{id}/stats"), None)
        .await?;
    number(&stats, "issued")
}

fn number(object: &Value, name: &str) -> anyhow::Result<u64> {
    object
        .get(name)
        .and_then(Value::as_u64)
        .ok_or_else(|| anyhow!("the server's answer has no number {name:?}; is it of this version?"))
}
