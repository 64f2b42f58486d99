//! What the bench asks of the product as an administrator: one connection for each question.

use crate::load::parse;
use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const ANSWER_WITHIN: Duration = Duration::from_secs(120);

/// An administrator of one server.
#[derive(Clone, Debug)]
pub(crate) struct Admin {
    address: SocketAddr,
    key: String,
}

/// Counts of one coupon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Issued, by ledger and store.
    pub(crate) issued: u64,
    /// Of these not in the store yet.
    pub(crate) pending: u64,
    /// Redeemed.
    pub(crate) redeemed: u64,
}

impl Admin {
    pub(super) fn new(address: SocketAddr, key: &str) -> Self {
        Self {
            address,
            key: key.to_owned(),
        }
    }

    /// Whether the server says that it is ready.
    pub(super) fn is_ready(&self) -> bool {
        let request = format!(
            "GET /readyz HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
            self.address
        );
        exchange(self.address, request.as_bytes()).is_ok_and(|(status, _)| status == 200)
    }

    /// A key that may issue and redeem.
    pub(crate) fn service_key(&self) -> anyhow::Result<String> {
        let made = self.post(
            "/v1/admin/keys",
            &json!({"name": "bench", "scopes": ["issue", "redeem"]}),
        )?;
        let key = made["key"].as_str().context("the new key has no text")?;
        Ok(key.to_owned())
    }

    /// A coupon that is open now; `None` is unlimited.
    pub(crate) fn create(&self, quantity: Option<u64>) -> anyhow::Result<u64> {
        self.create_of(None, quantity)
    }

    /// The same, bound to a strategy instead of the one that the server takes by itself.
    pub(crate) fn create_of(&self, strategy: Option<&str>, quantity: Option<u64>) -> anyhow::Result<u64> {
        let mut coupon = json!({
            "name": "measured",
            "quantity": quantity,
            "opensAt": "2020-01-01T00:00:00Z",
            "closesAt": "2120-01-01T00:00:00Z",
            "validFor": "P30D",
        });
        if let Some(strategy) = strategy {
            coupon["strategy"] = strategy.into();
        }
        let made = self.post("/v1/admin/coupons", &coupon)?;
        made["id"].as_u64().context("the new coupon has no id")
    }

    /// How far a coupon is issued.
    pub(crate) fn counts(&self, coupon: u64) -> anyhow::Result<Counts> {
        let stats = self.get(&format!("/v1/admin/coupons/{coupon}/stats"))?;
        let number = |name: &str| {
            stats[name]
                .as_u64()
                .with_context(|| format!("statistics without {name}"))
        };
        Ok(Counts {
            issued: number("issued")?,
            pending: number("pending")?,
            redeemed: number("redeemed")?,
        })
    }

    /// Hands every issued coupon to `take`: position and user, in order.
    pub(crate) fn each_issued(
        &self,
        coupon: u64,
        mut take: impl FnMut(u64, &str) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut path = format!("/v1/admin/coupons/{coupon}/issued-coupons?limit=1000");
        loop {
            let page = self.get(&path)?;
            for issued in page["data"].as_array().context("a page without data")? {
                let position = issued["position"].as_u64().context("no position")?;
                take(position, issued["userId"].as_str().context("no user")?)?;
            }
            let Some(cursor) = page["nextCursor"].as_str() else {
                return Ok(());
            };
            // A cursor is opaque: whatever could mean something in a query is escaped.
            let escaped: String = cursor.bytes().map(|byte| format!("%{byte:02X}")).collect();
            path = format!("/v1/admin/coupons/{coupon}/issued-coupons?limit=1000&cursor={escaped}");
        }
    }

    /// What a user holds: coupon and position of each, in the order of the answer.
    pub(crate) fn wallet(&self, user: &str) -> anyhow::Result<Vec<(u64, u64)>> {
        let page = self.get(&format!("/v1/users/{user}/coupons"))?;
        ensure!(page["nextCursor"].is_null(), "a wallet of more than one page");
        let held = page["data"].as_array().context("a wallet without data")?;
        let number = |one: &Value, name: &str| one[name].as_u64().with_context(|| format!("no {name}"));
        held.iter()
            .map(|one| {
                ensure!(one["userId"] == user, "{one} is not {user}'s");
                Ok((number(one, "couponId")?, number(one, "position")?))
            })
            .collect()
    }

    /// How many runs of a job have ended, and what they did in all.
    pub(crate) fn runs(&self, job: &str) -> anyhow::Result<(u64, u64)> {
        let request = format!(
            "GET /metrics HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\nconnection: close\r\n\r\n",
            self.address, self.key
        );
        let (status, text) = exchange(self.address, request.as_bytes())?;
        ensure!(status == 200, "/metrics: {status}");
        let text = String::from_utf8(text)?;
        let of = |name: &str| {
            let line = format!("firstcome_job_{name}_total{{job=\"{job}\"}} ");
            let value = text.lines().find_map(|found| found.strip_prefix(&line));
            value.map_or(Ok(0), str::parse)
        };
        Ok((of("runs")?, of("done")?))
    }

    fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.ask("GET", path, "")
    }

    fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.ask("POST", path, &body.to_string())
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> anyhow::Result<Value> {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            self.key,
            body.len()
        );
        let (status, body) =
            exchange(self.address, request.as_bytes()).with_context(|| format!("{method} {path}"))?;
        if !matches!(status, 200 | 201) {
            bail!("{method} {path}: {status} {}", String::from_utf8_lossy(&body));
        }
        serde_json::from_slice(&body).with_context(|| format!("the answer to {method} {path}"))
    }
}

/// Sends a request that closes its connection, and gives status and body.
pub(super) fn exchange(address: SocketAddr, request: &[u8]) -> anyhow::Result<(u16, Vec<u8>)> {
    let (head, mut answer) = exchange_whole(address, request)?;
    let body = answer.split_off(head);
    Ok((status(&answer)?, body))
}

/// The same, with head and body in one piece and the length of the head.
pub(super) fn exchange_whole(address: SocketAddr, request: &[u8]) -> anyhow::Result<(usize, Vec<u8>)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    stream.write_all(request)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let head = parse(&answer)?.context("the answer ends early")?;
    if answer.len() != head.bytes() {
        bail!(
            "the answer has {} bytes instead of {}",
            answer.len(),
            head.bytes()
        );
    }
    Ok((head.head_bytes, answer))
}

fn status(head: &[u8]) -> anyhow::Result<u16> {
    Ok(std::str::from_utf8(&head[9..12])?.parse()?)
}
