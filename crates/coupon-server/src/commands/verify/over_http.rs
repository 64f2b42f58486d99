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
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

const COUPONS: &str = "/v1/admin/coupons";
const RECONCILIATION: &str = "/v1/admin/reconciliation";

pub(super) fn look(
    shared: &Shared,
    admin: &AdminOptions,
    history: Option<&Path>,
    repair: bool,
) -> anyhow::Result<Findings> {
    let history = read_history(history)?;
    let settings = shared.settle(Vec::new())?.settings;
    let key = keys::admin_key(admin.key.as_deref(), &settings)?;
    let base_url = admin.server.base_url(&settings)?;
    let client = Client::new(base_url.clone(), Some(key.clone()))?;
    converse(async {
        let mut findings = Findings::default();
        if repair {
            let mended = client
                .must(
                    Method::POST,
                    &format!("{RECONCILIATION}/repair"),
                    Some(&json!({})),
                )
                .await?;
            let mended = mended.get("data").and_then(Value::as_array).map_or(0, Vec::len);
            findings.add(true, format!("{mended} coupons were looked after"));
        }
        let mut reconciled: BTreeMap<u64, Value> = BTreeMap::new();
        for one in client.all(RECONCILIATION, None).await? {
            reconciled.insert(number(&one, "couponId")?, one);
        }
        for coupon in client.all(COUPONS, None).await? {
            let compared = reconciled.get(&number(&coupon, "id")?);
            look_at(&client, &coupon, compared, &mut findings).await?;
        }
        if let Some((path, history)) = history {
            let target = Target::resolve(&base_url).await?;
            let mut admin = AdminClient::new(target, Credential::bearer(key.expose_secret()));
            let state = admin.final_state(&history).await?;
            findings.judge(path, history, &state);
        }
        Ok(findings)
    })
}

async fn look_at(
    client: &Client,
    coupon: &Value,
    compared: Option<&Value>,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let id = number(coupon, "id")?;
    let name = format!("coupon {id}");
    if let Some(compared) = compared {
        report(&name, compared, findings)?;
        if is_closed(compared) {
            // Nobody can be told who holds what until the state has been taken anew.
            return Ok(());
        }
    }
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
    let listed = holders.count();
    let lost = compared.map(lost_positions).transpose()?.unwrap_or_default();
    holders.without(&lost).check(&name, quantity(limit)?, findings);
    if !(before..=after).contains(&listed) {
        findings.add(
            false,
            format!("{name}: {listed} are listed, but {before} to {after} are counted as issued"),
        );
    }
    Ok(())
}

/// The first and the last of each range of positions that were lost.
fn lost_positions(compared: &Value) -> anyhow::Result<Vec<(u64, u64)>> {
    let ranges = compared.get("lostPositions").and_then(Value::as_array);
    let range = |one: &Value| Ok((number(one, "first")?, number(one, "last")?));
    ranges.into_iter().flatten().map(range).collect()
}

/// Whether the ledger's state may not be used.
fn is_closed(compared: &Value) -> bool {
    let differences = compared.get("differences").and_then(Value::as_array);
    let mut differences = differences.into_iter().flatten();
    differences.any(|one| one.get("kind").and_then(Value::as_str) == Some("state"))
}

/// Adds what ledger and store say of each other.
fn report(name: &str, compared: &Value, findings: &mut Findings) -> anyhow::Result<()> {
    let side = |side: &str| -> anyhow::Result<String> {
        let sum = compared.get(side).context("a comparison without a side")?;
        let hash = sum.get("hash").and_then(Value::as_str).unwrap_or("?");
        Ok(format!("{side} {} ({hash})", number(sum, "count")?))
    };
    let sides = format!("{}, {}, {}", side("ledger")?, side("pending")?, side("store")?);
    let sound = compared.get("sound").and_then(Value::as_bool).unwrap_or(false);
    findings.add(sound, format!("{name}: {sides}"));
    let text = |one: &Value, name: &str| one.get(name).and_then(Value::as_str).map(str::to_owned);
    for one in compared
        .get("differences")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let parts = ["kind", "id", "userId", "detail"].map(|part| text(one, part));
        let said: Vec<String> = parts.into_iter().flatten().collect();
        findings.add(false, format!("{name}: {}", said.join(" ")));
    }
    let lost = lost_positions(compared)?;
    if !lost.is_empty() {
        let range = |(first, last): &(u64, u64)| {
            if first == last {
                first.to_string()
            } else {
                format!("{first}-{last}")
            }
        };
        let ranges: Vec<String> = lost.iter().map(range).collect();
        let lost = number(compared, "lost")?;
        findings.add(
            true,
            format!(
                "{name}: {lost} positions were lost with the ledger's state: {}",
                ranges.join(", ")
            ),
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
