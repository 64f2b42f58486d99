//! What an administrator asks the server for: a coupon to rehearse with, and the final state to judge.

use std::io;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::connection::Connection;
use crate::history::{CouponFacts, History};
use crate::plan::{CouponChoice, Credential};
use crate::target::Target;
use crate::verify::{FinalState, IssuedCoupon};

const ANSWER_WITHIN: Duration = Duration::from_secs(60);
const PAGE_LIMIT: u32 = 1_000;
/// Coupons that are compared for one answer: each costs a reading of all of its issues.
const COMPARED_LIMIT: u32 = 10;
const TRIES: u32 = 20;

/// Why the administrator got no answer.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The server cannot be reached, or broke the connection.
    #[error("{what}: {source}")]
    Io {
        /// What was asked.
        what: String,
        /// What went wrong.
        source: io::Error,
    },
    /// The server answered something else.
    #[error("{what}: the server answered {status}: {body}")]
    Refused {
        /// What was asked.
        what: String,
        /// The status.
        status: u16,
        /// The beginning of the body.
        body: String,
    },
    /// The answer has the right status and the wrong body.
    #[error("{what}: the answer cannot be read: {why}")]
    Unreadable {
        /// What was asked.
        what: String,
        /// What is wrong with it.
        why: String,
    },
}

/// Speaks to one server with an administrator's key.
#[derive(Debug)]
pub struct AdminClient {
    target: Target,
    credential: Credential,
    connection: Option<Connection>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CouponBody {
    id: u64,
    quantity: Option<u64>,
    opens_at: Timestamp,
    closes_at: Timestamp,
    #[serde(default)]
    issued: u64,
    #[serde(default)]
    remaining: Option<u64>,
    #[serde(default)]
    revision: Option<u64>,
    #[serde(default)]
    ack: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ComparedBody {
    coupon_id: u64,
    #[serde(default)]
    lost_positions: Vec<RangeBody>,
}

#[derive(Deserialize)]
struct RangeBody {
    first: u64,
    last: u64,
}

#[derive(Deserialize)]
struct StatsBody {
    issued: Option<u64>,
    #[serde(default)]
    remaining: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IssuedBody {
    id: String,
    user_id: String,
    position: u64,
    code: String,
    issued_at: Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page<T> {
    data: Vec<T>,
    next_cursor: Option<String>,
}

impl AdminClient {
    /// A client that has not connected yet.
    pub fn new(target: Target, credential: Credential) -> Self {
        Self {
            target,
            credential,
            connection: None,
        }
    }

    /// Whether the server says that it is ready.
    pub async fn is_ready(&mut self) -> bool {
        let request = self.request("GET", "/readyz", None);
        matches!(self.exchange("readiness", &request).await, Ok((200, _)))
    }

    /// Creates the coupon of the choice, decided by `strategy` if one is named, or reads the existing one. `now` is the caller's wall time.
    pub async fn coupon(
        &mut self,
        choice: &CouponChoice,
        strategy: Option<&str>,
        now: Timestamp,
    ) -> Result<CouponFacts, AdminError> {
        let body: CouponBody = match choice {
            CouponChoice::Existing(id) => self.get(&format!("/v1/admin/coupons/{id}")).await?,
            CouponChoice::Create {
                name,
                quantity,
                opens_after,
                closes_after,
            } => {
                let closes_after = closes_after.unwrap_or(Duration::from_secs(86_400));
                let mut wanted = serde_json::json!({
                    "name": name,
                    "quantity": quantity,
                    "opensAt": later(now, *opens_after),
                    "closesAt": later(now, closes_after),
                    "validFor": "P30D",
                });
                if let Some(strategy) = strategy {
                    wanted["strategy"] = strategy.into();
                }
                self.post("/v1/admin/coupons", &wanted).await?
            }
        };
        Ok(CouponFacts {
            id: body.id,
            quantity: body.quantity,
            opens_at: body.opens_at,
            closes_at: body.closes_at,
            revision: body.revision,
            issued: body.issued,
        })
    }

    /// Reads what the server holds in the end: the coupon, its counts, and everybody who got one. Where a position that
    /// somebody was told, or holds, lies beyond the number that exist, also which ones the server counts as lost.
    pub async fn final_state(&mut self, history: &History) -> Result<FinalState, AdminError> {
        let header = &history.header;
        let path = format!("/v1/admin/coupons/{}", header.coupon.id);
        let mut state = FinalState::new(header);
        let told = history.attempts.iter().filter_map(|attempt| attempt.position);
        let mut highest = told.max().unwrap_or(0);
        let mut cursor: Option<String> = None;
        loop {
            let after = after(cursor);
            let page: Page<IssuedBody> = self
                .get(&format!("{path}/issued-coupons?limit={PAGE_LIMIT}{after}"))
                .await?;
            let came = page.data.len();
            for issued in page.data {
                highest = highest.max(issued.position);
                state.add(IssuedCoupon {
                    id: Some(issued.id),
                    user_id: issued.user_id,
                    position: issued.position,
                    code: issued.code,
                    issued_at: issued.issued_at,
                });
            }
            cursor = page.next_cursor;
            if cursor.is_none() || came == 0 {
                break;
            }
        }
        let coupon: CouponBody = self.get(&path).await?;
        state.revision(coupon.revision);
        state.claim("the coupon", Some(coupon.issued), coupon.remaining);
        let stats: StatsBody = self.get(&format!("{path}/stats")).await?;
        state.claim("its statistics", stats.issued, stats.remaining);
        if coupon.ack.as_deref() == Some("store") {
            state.waits_for_the_store();
        }
        if highest > state.issued() {
            state.lost(self.lost_positions(header.coupon.id).await?);
        }
        Ok(state)
    }

    /// Which positions of a coupon the server counts as lost. It compares every coupon up to this one, which takes its
    /// time: asked for only where something is missing.
    async fn lost_positions(&mut self, coupon: u64) -> Result<Vec<(u64, u64)>, AdminError> {
        let mut cursor: Option<String> = None;
        loop {
            let after = after(cursor);
            let path = format!("/v1/admin/reconciliation?limit={COMPARED_LIMIT}{after}");
            let page: Page<ComparedBody> = match self.get(&path).await {
                // It does not compare, and so counts nothing as lost.
                Err(AdminError::Refused { status: 404, .. }) => return Ok(Vec::new()),
                page => page?,
            };
            if let Some(found) = page.data.into_iter().find(|one| one.coupon_id == coupon) {
                let range = |range: RangeBody| (range.first, range.last);
                return Ok(found.lost_positions.into_iter().map(range).collect());
            }
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(Vec::new());
            }
        }
    }

    async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, AdminError> {
        let what = format!("GET {path}");
        let request = self.request("GET", path, None);
        let mut tries = 0;
        loop {
            tries += 1;
            match self.exchange(&what, &request).await {
                Ok((200, body)) => return read(&what, &body),
                Ok((503 | 429, _)) if tries < TRIES => tokio::time::sleep(Duration::from_millis(100)).await,
                Ok((status, body)) => return Err(refused(what, status, &body)),
                Err(_broken) if tries < TRIES => tokio::time::sleep(Duration::from_millis(100)).await,
                Err(error) => return Err(error),
            }
        }
    }

    /// Not repeated: a second try could create a second coupon.
    async fn post<T: DeserializeOwned>(
        &mut self,
        path: &str,
        body: &serde_json::Value,
    ) -> Result<T, AdminError> {
        let what = format!("POST {path}");
        let request = self.request("POST", path, Some(&body.to_string()));
        match self.exchange(&what, &request).await? {
            (200 | 201, body) => read(&what, &body),
            (status, body) => Err(refused(what, status, &body)),
        }
    }

    fn request(&self, method: &str, path: &str, body: Option<&str>) -> Vec<u8> {
        let mut request = self.target.head(method, path);
        request.push_str(&self.credential.line());
        request.push_str("accept: application/json\r\n");
        if let Some(body) = body {
            request.push_str(&format!(
                "content-type: application/json\r\ncontent-length: {}\r\n",
                body.len()
            ));
        }
        request.push_str("\r\n");
        request.push_str(body.unwrap_or_default());
        request.into_bytes()
    }

    async fn exchange(&mut self, what: &str, request: &[u8]) -> Result<(u16, Vec<u8>), AdminError> {
        let failed = |source| AdminError::Io {
            what: what.to_owned(),
            source,
        };
        let mut connection = match self.connection.take().filter(|connection| !connection.is_stale()) {
            Some(connection) => connection,
            None => Connection::open(&self.target, ANSWER_WITHIN)
                .await
                .map_err(failed)?,
        };
        let reply = connection
            .exchange(request, ANSWER_WITHIN)
            .await
            .map_err(failed)?;
        let body = connection.body(&reply).to_vec();
        if reply.keep_alive {
            self.connection = Some(connection);
        }
        Ok((reply.status, body))
    }
}

fn read<T: DeserializeOwned>(what: &str, body: &[u8]) -> Result<T, AdminError> {
    serde_json::from_slice(body).map_err(|error| AdminError::Unreadable {
        what: what.to_owned(),
        why: error.to_string(),
    })
}

fn refused(what: String, status: u16, body: &[u8]) -> AdminError {
    let body = String::from_utf8_lossy(body).chars().take(500).collect();
    AdminError::Refused { what, status, body }
}

/// In whole microseconds, which is as finely as the interface tells time.
fn later(now: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    let later = now.saturating_add(by).unwrap_or(Timestamp::MAX);
    Timestamp::from_microsecond(later.as_microsecond()).unwrap_or(later)
}

/// The part of a query that asks for the next page.
fn after(cursor: Option<String>) -> String {
    cursor
        .map(|cursor| format!("&cursor={}", percent_encoded(&cursor)))
        .unwrap_or_default()
}

/// A cursor is opaque, so every byte that could mean something in a query is escaped.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
