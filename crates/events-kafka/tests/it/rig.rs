//! What the tests stand on: topics of a test's own, deliveries to send, and a store that takes them in.

use coupon_app::contract::{START, coupon_id, key, terms, token, user};
use coupon_app::memory::{ManualClock, MemoryDeliveries};
use coupon_app::{
    Delivery, DeliverySource, DeliveryStore, IssuedRecord, LedgerMarks as _, Record, RevisedRecord, Ticket,
};
use coupon_core::{Coupon, CouponId, Grant, Position, Span};
use coupon_testkit::{Kafka, ServerError, or_skip};
use events_kafka::{KafkaDeliveries, KafkaOptions, Setting, TopicPlan, WorkerOptions};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Longest that anything may take here; a test that waits longer waits for something that will not come.
const LONGEST: Duration = Duration::from_secs(240);
/// How long leaving a group may take while its broker answers.
pub(crate) const LEAVING: Duration = Duration::from_secs(30);

/// Topics and groups that no other test has.
fn name(what: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{what}.{}.{count}", std::process::id())
}

/// Everything that a lone broker cannot be.
pub(crate) const LONE: [Setting; 2] = [Setting::MinInsyncReplicas, Setting::ReplicationFactor];

/// Options for topics of a test's own.
pub(crate) fn options(bootstrap: &str) -> KafkaOptions {
    KafkaOptions {
        topic: name("firstcome.issued"),
        dead_letters: name("firstcome.issued.dlq"),
        notifications: name("firstcome.notifications"),
        declared: LONE.to_vec(),
        ..KafkaOptions::at(bootstrap.split(',').map(str::to_owned).collect())
    }
}

/// The same for a test that takes its broker away and does not want to wait long for those who ask it.
pub(crate) fn impatient(bootstrap: &str) -> KafkaOptions {
    KafkaOptions {
        publish_timeout: Duration::from_secs(3),
        request_timeout: Duration::from_secs(2),
        ..options(bootstrap)
    }
}

/// Topics on one broker.
pub(crate) fn plan(partitions: u16) -> TopicPlan {
    TopicPlan {
        partitions,
        replicas: 1,
        min_insync: 1,
        ..TopicPlan::default()
    }
}

/// The broker that tests share, with topics of this test's own.
pub(crate) async fn shared(partitions: u16) -> Option<KafkaOptions> {
    let options = options(&start(Kafka::shared_bootstrap())?);
    events_kafka::create_topics(&options, &plan(partitions))
        .await
        .unwrap();
    Some(options)
}

/// What was started, or nothing when the test is skipped.
pub(crate) fn start<T>(started: Result<T, ServerError>) -> Option<T> {
    or_skip(started)
}

/// A group that notices soon when one of its members has gone.
pub(crate) fn worker() -> WorkerOptions {
    WorkerOptions {
        session_timeout: Duration::from_secs(6),
        ..WorkerOptions::of(name("workers"))
    }
}

/// Joins the group.
pub(crate) fn join(options: &KafkaOptions, worker: &WorkerOptions) -> KafkaDeliveries {
    let clock = Arc::new(ManualClock::at(START));
    KafkaDeliveries::join(options.clone(), worker.clone(), clock).unwrap()
}

/// Runs a test.
pub(crate) fn block_on(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        tokio::time::timeout(LONGEST, test)
            .await
            .expect("a test that does not end waits for something that will not come");
    });
}

/// The creation of a coupon.
pub(crate) fn creation(coupon: CouponId, count: u32) -> Delivery {
    Delivery {
        coupon,
        epoch: 1,
        records: vec![Record::Revised(Box::new(RevisedRecord {
            coupon: Coupon {
                id: coupon,
                revision: 1,
                terms: terms(count),
                paused: false,
                closed_at: None,
                deleted: false,
                created_at: START,
                revised_at: START,
            },
            issued: 0,
            lost: 0,
            actor: "key-1".into(),
            token: token(1, 2),
        }))],
    }
}

/// Issues of these positions, as one entry of a stream.
pub(crate) fn issues(coupon: CouponId, positions: impl IntoIterator<Item = u32>) -> Delivery {
    let issue = |position: u32| {
        let issued_at = START.saturating_add(Span::from_micros(position.into()).unwrap());
        Record::Issued(IssuedRecord {
            coupon,
            user: user(usize::try_from(position).unwrap()),
            grant: Grant {
                position: Position::new(position).unwrap(),
                issued_at,
                expires_at: issued_at.saturating_add(Span::from_secs(60)),
            },
            key: key(u64::from(position)),
        })
    };
    Delivery {
        coupon,
        epoch: 1,
        records: positions.into_iter().map(issue).collect(),
    }
}

/// A whole sale: coupons 1 to `coupons`, of each `count`, in entries of twenty.
pub(crate) fn sale(coupons: u32, count: u32) -> Vec<Delivery> {
    let mut deliveries = Vec::new();
    for coupon in (1..=coupons).map(coupon_id) {
        deliveries.push(creation(coupon, count));
        let starts = (1..=count).step_by(20);
        deliveries.extend(starts.map(|first| issues(coupon, first..(first + 20).min(count + 1))));
    }
    deliveries
}

/// A worker as the house has it: takes, writes the store, says that it is done.
pub(crate) struct Carrier {
    pub(crate) store: MemoryDeliveries,
    /// How often each record was handed out, by its place.
    pub(crate) seen: BTreeMap<(CouponId, u32), u32>,
}

impl Carrier {
    pub(crate) fn new() -> Self {
        Self {
            store: MemoryDeliveries::new(),
            seen: BTreeMap::new(),
        }
    }

    /// Writes what was taken.
    pub(crate) async fn write(&mut self, taken: &[(Ticket, Delivery)]) {
        for (_, delivery) in taken {
            let [record] = &*delivery.records else {
                panic!("a record of the topic is one record: {delivery:?}")
            };
            let place = match record {
                Record::Issued(issued) => issued.grant.position.get(),
                Record::Revised(_) => 0,
            };
            *self.seen.entry((delivery.coupon, place)).or_insert(0) += 1;
        }
        let deliveries: Vec<Delivery> = taken.iter().map(|(_, delivery)| delivery.clone()).collect();
        self.store.deliver(&deliveries).await.unwrap();
    }

    /// One turn.
    pub(crate) async fn turn(&mut self, source: &dyn DeliverySource) -> usize {
        // Brokers come and go in these tests; whoever waits for something gives up by the test's own limit.
        let Ok(taken) = source.next(500).await else {
            return 0;
        };
        self.write(&taken).await;
        let tickets: Vec<Ticket> = taken.into_iter().map(|(ticket, _)| ticket).collect();
        let _again_later = source.done(&tickets).await;
        tickets.len()
    }

    /// Carries until the store has a whole sale.
    pub(crate) async fn carry(&mut self, source: &dyn DeliverySource, coupons: u32, count: u32) {
        while self.stored(coupons).await < coupons * count {
            self.turn(source).await;
        }
        self.check(coupons, count).await;
    }

    /// How many issued coupons there are.
    pub(crate) async fn stored(&self, coupons: u32) -> u32 {
        let mut sum = 0;
        for coupon in (1..=coupons).map(coupon_id) {
            sum += self
                .store
                .mark(coupon)
                .await
                .unwrap()
                .map_or(0, |mark| mark.issued);
        }
        sum
    }

    /// The store has exactly what was decided.
    pub(crate) async fn check(&self, coupons: u32, count: u32) {
        for coupon in (1..=coupons).map(coupon_id) {
            let expected = issues(coupon, 1..=count).records;
            let records = self.store.records(coupon, 0, usize::MAX).await.unwrap();
            let records: Vec<Record> = records.into_iter().map(Record::Issued).collect();
            assert_eq!(records, expected, "the store has what was decided");
        }
        assert_eq!(self.store.quarantine(0, 10).await.unwrap(), []);
    }
}

/// Waits until this is so.
pub(crate) async fn wait_for(mut condition: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !condition().await {
        assert!(
            began.elapsed() < LONGEST,
            "waited for something that did not come"
        );
        tokio::task::yield_now().await;
    }
}
