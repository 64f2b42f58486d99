//! A house with everything in it: ledger, store, combiner, hall, and a clock that stands still.

use crate::client::{Answer, Client};
use crate::webhooks::Post;
use coupon_app::memory::{ManualClock, Medium, MemoryAddresses, MemoryLedger, MemoryLetters, MemoryStore};
use coupon_app::{
    Board, Clock, CodeKey, CouponStore, DeadLetterOffice, DeadLetters, Desk, Followed, IssueLedger, KeyStore,
    Ledgers, NotificationLetters, Outbox, RecordStore, Redeemer, RedemptionStore, Scope, StoreError, follow,
};
use coupon_core::{AckLevel, Strategy, Timestamp};
use coupon_http::{
    ApiKeySecret, BuildInfo, FixedKey, Hall, HallParts, Limits, Rates, Running, Settings, Stopped, TokenKeys,
    TokenSettings, Webhooks,
};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// 2026-06-01T00:00:00Z.
pub(crate) const NOW_US: i64 = 1_780_272_000_000_000;
pub(crate) const SECRET: &[u8] = b"a secret of at least 32 bytes, for tests";
pub(crate) const FIXED_KEY: &str = "an-administrators-key-from-the-configuration";

pub(crate) struct House {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: MemoryStore,
    pub(crate) hall: Arc<Hall>,
    pub(crate) webhooks: MemoryAddresses,
    pub(crate) post: Arc<Post>,
    pub(crate) letters: MemoryLetters,
    pub(crate) admin: String,
    pub(crate) service: String,
    pub(crate) redeemer: String,
    ledgers: Arc<Ledgers>,
    outbox: Arc<MemoryLedger>,
    board: Arc<Board>,
    runtime: tokio::runtime::Runtime,
    running: Option<Running>,
}

pub(crate) fn settings() -> Settings {
    Settings {
        tokens: TokenSettings {
            keys: TokenKeys::Secret(SECRET.to_vec().into()),
            issuer: None,
            audience: None,
            leeway: Duration::from_secs(30),
        },
        fixed_keys: vec![FixedKey::new("configured", FIXED_KEY, vec![Scope::Admin]).unwrap()],
        rates: Rates {
            issue_per_user: None,
            ..Rates::default()
        },
        limits: Limits::default(),
        trusted_proxies: Vec::new(),
        strategies: vec![Strategy::Journal],
        acks: vec![AckLevel::Ledger],
        build: BuildInfo {
            version: "0.0.0-test".to_owned(),
            commit: "none".to_owned(),
        },
    }
}

impl House {
    pub(crate) fn open() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::build(change, |ledger| ledger)
    }

    /// A house whose store redeems through another.
    pub(crate) fn redeeming(wrap: impl FnOnce(Arc<dyn RedemptionStore>) -> Arc<dyn RedemptionStore>) -> Self {
        Self::put_together(|_| {}, |ledger| ledger, wrap)
    }

    /// A house whose ledger is wrapped in another.
    pub(crate) fn build(
        change: impl FnOnce(&mut Settings),
        wrap: impl FnOnce(Arc<dyn IssueLedger>) -> Arc<dyn IssueLedger>,
    ) -> Self {
        Self::put_together(change, wrap, |store| store)
    }

    fn put_together(
        change: impl FnOnce(&mut Settings),
        wrap: impl FnOnce(Arc<dyn IssueLedger>) -> Arc<dyn IssueLedger>,
        redemptions: impl FnOnce(Arc<dyn RedemptionStore>) -> Arc<dyn RedemptionStore>,
    ) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let clock = Arc::new(ManualClock::at(Timestamp::from_micros(NOW_US).unwrap()));
        let store = MemoryStore::new();
        let board = Arc::new(Board::new());
        let opened = MemoryLedger::open(
            Arc::new(Medium::default()),
            &store,
            Arc::clone(&board),
            Arc::clone(&clock) as Arc<dyn Clock>,
        );
        let outbox = Arc::new(runtime.block_on(opened).unwrap());
        let ledger = wrap(Arc::clone(&outbox) as Arc<dyn IssueLedger>);
        let ledgers = Arc::new(Ledgers::one("combiner", ledger).unwrap());
        let mut texts = Vec::new();
        for (name, scope) in [
            ("admin", Scope::Admin),
            ("shop", Scope::Issue),
            ("till", Scope::Redeem),
        ] {
            let key = ApiKeySecret::generate().unwrap();
            let record = key.record(name, vec![scope], clock.now(), None);
            runtime.block_on(store.add_key(&record, &"house".into())).unwrap();
            texts.push(key.expose());
        }
        let mut settings = settings();
        change(&mut settings);
        let redeemer = Redeemer::start(
            "redeemer",
            redemptions(Arc::new(store.clone())),
            Arc::clone(&board),
            Arc::clone(&clock) as Arc<dyn Clock>,
        );
        let redeemer = Arc::new(runtime.block_on(redeemer).unwrap());
        let webhooks = MemoryAddresses::new();
        let post = Arc::new(Post::default());
        let letters = MemoryLetters::new();
        let office = |channel| {
            let clock = Arc::clone(&clock) as Arc<dyn Clock>;
            Arc::new(NotificationLetters::of(Arc::new(store.clone()), channel, clock))
                as Arc<dyn DeadLetterOffice>
        };
        let parts = HallParts {
            webhooks: Webhooks {
                store: Arc::new(webhooks.clone()),
                post: Arc::clone(&post) as _,
                deliveries: Some(Arc::new(store.clone())),
            },
            redeemer,
            contacts: Arc::new(webhooks.clone()),
            reconciliation: Arc::new(coupon_app::LookReconciliation::new(
                ledgers.lanes(),
                Arc::clone(&board),
                Arc::new(store.clone()),
            )),
            dead_letters: DeadLetters::of(vec![
                ("memory", Arc::new(letters.clone())),
                ("notification.webhook", office("webhook")),
                ("notification.mail", office("mail")),
            ]),
            keys: Arc::new(store.clone()),
            audit: Arc::new(store.clone()),
            ledgers: Arc::clone(&ledgers),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            key_seed: secrecy::SecretBox::new(Box::new([7; 32])),
            settings,
        };
        let hall = runtime.block_on(Hall::new(parts)).unwrap();
        let make_desk = || {
            Desk::new(
                ledgers.lanes(),
                Arc::clone(&board),
                Arc::new(store.clone()) as Arc<dyn CouponStore>,
                Arc::clone(&clock) as Arc<dyn Clock>,
                CodeKey::new([9; 16]),
            )
        };
        let running = hall.serve("127.0.0.1:0".parse().unwrap(), 2, make_desk).unwrap();
        let [admin, service, redeemer] = texts.try_into().unwrap();
        Self {
            clock,
            store,
            hall,
            webhooks,
            post,
            letters,
            admin,
            service,
            redeemer,
            ledgers,
            outbox,
            board,
            runtime,
            running: Some(running),
        }
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(self.running.as_ref().unwrap().address())
    }

    /// One request on a connection of its own.
    pub(crate) fn ask(&self, method: &str, path: &str, credential: &str, body: Value) -> Answer {
        self.ask_with(method, path, credential, &[], body)
    }

    pub(crate) fn ask_with(
        &self,
        method: &str,
        path: &str,
        credential: &str,
        headers: &[(&str, &str)],
        body: Value,
    ) -> Answer {
        let bearer = format!("Bearer {credential}");
        let mut all = headers.to_vec();
        if !credential.is_empty() {
            all.push(("authorization", &bearer));
        }
        let body = if body.is_null() {
            Vec::new()
        } else {
            body.to_string().into_bytes()
        };
        if !body.is_empty() {
            all.push(("content-type", "application/json"));
        }
        self.client().send(method, path, &all, &body)
    }

    pub(crate) fn get(&self, path: &str, credential: &str) -> Answer {
        self.ask("GET", path, credential, Value::Null)
    }

    /// Publishes a coupon of so many that opened an hour ago and closes in an hour; its id.
    pub(crate) fn publish(&self, quantity: Value) -> u64 {
        let answer = self.ask("POST", "/v1/admin/coupons", &self.admin, coupon(quantity));
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["id"].as_u64().unwrap()
    }

    pub(crate) fn issue(&self, coupon: u64, user: &str) -> Answer {
        let path = format!("/v1/coupons/{coupon}/issues");
        self.ask("POST", &path, &self.service, json!({ "userId": user }))
    }

    /// Brings everything that is durable to the store.
    pub(crate) fn catch_up(&self) {
        struct Silent;
        impl Followed for Silent {
            fn applied(&self, _: coupon_app::Applied) {}
            fn failed(&self, error: &StoreError, _: Duration) {
                panic!("{error}");
            }
        }
        let done = async {
            while self.store.applied().await.unwrap() < self.outbox.durable() {
                tokio::task::yield_now().await;
            }
        };
        let following = follow(self.outbox.as_ref(), &self.store, &self.board, &Silent);
        self.runtime.block_on(async {
            tokio::select! {
                ended = following => ended.unwrap(),
                () = done => {}
            }
        });
    }

    /// Begins to stop; the answer comes from [`Stopping::wait`].
    pub(crate) fn begin_stop(&mut self, grace: Duration) -> Stopping {
        let running = self.running.take().unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            sender.send(runtime.block_on(running.stop(grace))).unwrap();
        });
        Stopping(receiver)
    }
}

pub(crate) struct Stopping(std::sync::mpsc::Receiver<Stopped>);

impl Stopping {
    pub(crate) fn wait(self) -> Stopped {
        self.0.recv_timeout(Duration::from_secs(30)).unwrap()
    }

    pub(crate) fn is_over(&self) -> Option<Stopped> {
        self.0.try_recv().ok()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            self.runtime.block_on(running.stop(Duration::ZERO));
        }
        self.ledgers.close().unwrap();
    }
}

/// The body that creates a coupon of so many.
pub(crate) fn coupon(quantity: Value) -> Value {
    json!({
        "name": "Opening day",
        "opensAt": "2026-05-31T23:00:00Z",
        "closesAt": "2026-06-01T01:00:00Z",
        "quantity": quantity,
        "validFor": "P30D",
    })
}

/// A user's token with these claims.
pub(crate) fn token_of(claims: &Value) -> String {
    jsonwebtoken::encode(
        &Header::new(Algorithm::HS256),
        claims,
        &EncodingKey::from_secret(SECRET),
    )
    .unwrap()
}

/// A good token of a user.
pub(crate) fn token(user: &str) -> String {
    token_of(&json!({ "sub": user, "exp": NOW_US / 1_000_000 + 3_600 }))
}
