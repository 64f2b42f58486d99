//! A tiny server that speaks the interface, honestly or not.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// What the server does wrong, or what it has to bear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nature {
    /// Keeps every promise.
    Honest,
    /// Keeps every promise, and breaks, sheds or limits every seventh request or so, before or after its decision.
    Flaky,
    /// Issues two more than there are.
    OverIssues,
    /// Forgets every tenth issue that it has answered.
    LosesAcknowledgements,
    /// Gives a second coupon to whoever asks again.
    AnswersTwice,
    /// Says sold-out to every tenth new user while there is stock.
    RefusesUntruly,
    /// Breaks the connection of one user's requests, always.
    NeverAnswersOne,
    /// Hands out positions from the far end.
    IssuesBackwards,
    /// Reads issue requests after the first ten and never answers them.
    FallsSilent,
}

struct Sale {
    nature: Nature,
    quantity: Option<u64>,
    opens_at: Timestamp,
    closes_at: Timestamp,
    holders: HashMap<String, u64>,
    issued: Vec<Value>,
    requests: u64,
    told: u64,
}

/// The answer to give, or none to break the connection.
type Answer = Option<(u16, Value)>;

/// A server that is listening.
pub(crate) struct TestServer {
    pub(crate) base_url: String,
    /// The wall time at which it started; its clock runs from there.
    pub(crate) now: Timestamp,
}

pub(crate) const KEY: &str = "test-admin-key";

impl TestServer {
    /// Starts one on a port of its own; it ends with the runtime.
    pub(crate) async fn start(nature: Nature) -> Self {
        let now: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let began = Instant::now();
        let sale = Arc::new(Mutex::new(Sale {
            nature,
            quantity: None,
            opens_at: now,
            closes_at: now,
            holders: HashMap::new(),
            issued: Vec::new(),
            requests: 0,
            told: 0,
        }));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let sale = Arc::clone(&sale);
                let service = hyper::service::service_fn(move |request| {
                    let clock = now + SignedDuration::try_from(began.elapsed()).unwrap();
                    answer(Arc::clone(&sale), request, clock)
                });
                tokio::spawn(async move {
                    let serving = hyper::server::conn::http1::Builder::new();
                    let _broken = serving.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { base_url, now }
    }
}

#[derive(Debug)]
struct Hangup;

impl std::fmt::Display for Hangup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("hung up")
    }
}

impl std::error::Error for Hangup {}

impl From<Infallible> for Hangup {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

async fn answer(
    sale: Arc<Mutex<Sale>>,
    request: Request<Incoming>,
    clock: Timestamp,
) -> Result<Response<Full<Bytes>>, Hangup> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_broken| Hangup)?.to_bytes();
    let own_user = head.headers.get("authorization").and_then(|value| {
        value
            .to_str()
            .ok()?
            .strip_prefix(&format!("Bearer {KEY}/"))
            .map(str::to_owned)
    });
    let authorized = own_user.is_some()
        || head
            .headers
            .get("authorization")
            .is_some_and(|value| value == &format!("Bearer {KEY}"));
    let mut body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    if let Some(user) = own_user {
        assert_eq!(body, json!({}));
        body["userId"] = Value::String(user);
    }
    if head.method == Method::POST && sale.lock().unwrap().falls_silent() {
        std::future::pending::<()>().await;
    }
    let mut sale = sale.lock().unwrap();
    let answer = match (&head.method, head.uri.path()) {
        _ if !authorized => Some((401, json!({"code": "unauthenticated"}))),
        (&Method::POST, "/v1/admin/coupons") => Some(sale.create(&body)),
        (&Method::POST, "/v1/coupons/1/issues") => sale.ask(&body, clock),
        (&Method::GET, "/v1/admin/coupons/1") => Some((200, sale.coupon())),
        (&Method::GET, "/v1/admin/coupons/1/stats") => Some((200, json!({"issued": sale.issued.len()}))),
        (&Method::GET, "/v1/admin/coupons/1/issued-coupons") => Some((200, sale.page(head.uri.query()))),
        _ => Some((404, json!({"code": "not-found"}))),
    };
    let (status, body) = answer.ok_or(Hangup)?;
    Ok(Response::builder()
        .status(status)
        .body(Full::new(Bytes::from(body.to_string())))
        .unwrap())
}

impl Sale {
    fn create(&mut self, body: &Value) -> (u16, Value) {
        self.quantity = body["quantity"].as_u64();
        self.opens_at = body["opensAt"].as_str().unwrap().parse().unwrap();
        self.closes_at = body["closesAt"].as_str().unwrap().parse().unwrap();
        (201, self.coupon())
    }

    fn coupon(&self) -> Value {
        let issued = u64::try_from(self.issued.len()).unwrap();
        let remaining = self.quantity.map(|quantity| quantity.saturating_sub(issued));
        json!({
            "id": 1, "quantity": self.quantity, "opensAt": self.opens_at, "closesAt": self.closes_at,
            "issued": issued, "remaining": remaining, "revision": 1, "state": "open",
        })
    }

    fn falls_silent(&self) -> bool {
        self.nature == Nature::FallsSilent && self.requests >= 10
    }

    fn ask(&mut self, body: &Value, clock: Timestamp) -> Answer {
        let user = body["userId"].as_str().unwrap();
        self.requests += 1;
        match (self.nature, self.requests % 28) {
            (Nature::Flaky, 0) => return None,
            (Nature::Flaky, 7) => return Some((503, json!({"code": "unavailable"}))),
            (Nature::Flaky, 14) => return Some((429, json!({"code": "rate-limited"}))),
            (Nature::Flaky, 21) => {
                self.decide(user, clock);
                return None;
            }
            (Nature::Flaky, 22) => {
                self.decide(user, clock);
                return Some((500, json!({"code": "indeterminate"})));
            }
            (Nature::NeverAnswersOne, _) if user.ends_with("-00000003") => return None,
            _ => {}
        }
        Some(self.decide(user, clock))
    }

    fn decide(&mut self, user: &str, clock: Timestamp) -> (u16, Value) {
        let already = self.holders.get(user).copied();
        if let Some(position) = already.filter(|_| self.nature != Nature::AnswersTwice) {
            let issued = self.issued_coupon(user, position, clock);
            let held = self
                .issued
                .iter()
                .find(|issued| issued["userId"] == user)
                .cloned()
                .unwrap_or(issued);
            return (409, json!({"code": "already-issued", "issuedCoupon": held}));
        }
        if clock < self.opens_at {
            return (403, json!({"code": "not-yet-open", "opensAt": self.opens_at}));
        }
        let spare = if self.nature == Nature::OverIssues { 2 } else { 0 };
        if self
            .quantity
            .is_some_and(|quantity| self.told >= quantity + spare)
        {
            return (410, json!({"code": "sold-out"}));
        }
        if self.nature == Nature::RefusesUntruly && self.requests % 10 == 5 {
            return (410, json!({"code": "sold-out"}));
        }
        self.told += 1;
        let position = match (self.nature, self.quantity) {
            (Nature::IssuesBackwards, Some(quantity)) => quantity + 1 - self.told,
            _ => self.told,
        };
        let issued = self.issued_coupon(user, position, clock);
        self.holders.insert(user.to_owned(), position);
        if self.nature != Nature::LosesAcknowledgements || position % 10 != 5 {
            self.issued.push(issued.clone());
        }
        (201, issued)
    }

    fn issued_coupon(&self, user: &str, position: u64, clock: Timestamp) -> Value {
        json!({
            "id": format!("1-{position}"), "couponId": 1, "userId": user, "position": position,
            "code": format!("TEST-{position:06}"), "state": "issued", "issuedAt": clock, "expiresAt": null,
        })
    }

    /// Pages are small here, so that there are several.
    fn page(&self, query: Option<&str>) -> Value {
        let cursor = query
            .into_iter()
            .flat_map(|query| query.split('&'))
            .find_map(|part| part.strip_prefix("cursor="));
        let from: usize = cursor.map_or(0, |cursor| cursor.trim_start_matches("after%3D").parse().unwrap());
        let until = (from + 37).min(self.issued.len());
        let next = (until < self.issued.len()).then(|| format!("after={until}"));
        json!({"data": self.issued[from..until], "nextCursor": next})
    }
}
