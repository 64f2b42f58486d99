//! What one event loop counts. Only its own loop writes, so counting costs no locked instruction; a scrape adds up.

use http::StatusCode;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// How an issue request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IssueEnd {
    Issued,
    Replayed,
    AlreadyIssued,
    SoldOut,
    NotYetOpen,
    Closed,
    Paused,
    UnknownCoupon,
    RateLimited,
    /// The request itself was wrong: credential, headers or body.
    Rejected,
    Unavailable,
    Indeterminate,
}

impl IssueEnd {
    pub(crate) const ALL: [Self; 12] = [
        Self::Issued,
        Self::Replayed,
        Self::AlreadyIssued,
        Self::SoldOut,
        Self::NotYetOpen,
        Self::Closed,
        Self::Paused,
        Self::UnknownCoupon,
        Self::RateLimited,
        Self::Rejected,
        Self::Unavailable,
        Self::Indeterminate,
    ];

    /// Its name in metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::Replayed => "replayed",
            Self::AlreadyIssued => "already_issued",
            Self::SoldOut => "sold_out",
            Self::NotYetOpen => "not_yet_open",
            Self::Closed => "closed",
            Self::Paused => "paused",
            Self::UnknownCoupon => "unknown_coupon",
            Self::RateLimited => "rate_limited",
            Self::Rejected => "rejected",
            Self::Unavailable => "unavailable",
            Self::Indeterminate => "indeterminate",
        }
    }

    const fn index(self) -> usize {
        self as usize
    }
}

/// Upper ends of the latency histogram's buckets, in microseconds.
pub(crate) const LATENCY_BUCKETS_US: [u64; 16] = [
    100, 250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 125_000, 250_000, 500_000, 1_000_000,
    5_000_000, 30_000_000,
];

/// Classes of status codes, 1xx to 5xx.
pub(crate) const STATUS_CLASSES: usize = 5;

/// The counts of one event loop.
#[derive(Debug)]
pub(crate) struct Meter {
    issues: [AtomicU64; IssueEnd::ALL.len()],
    /// By bucket; the last is everything beyond.
    latencies: [AtomicU64; LATENCY_BUCKETS_US.len() + 1],
    latency_sum_us: AtomicU64,
    /// By route, the last one for what matched none, and by status class.
    requests: Vec<[AtomicU64; STATUS_CLASSES]>,
    in_flight: AtomicI64,
    connections: AtomicI64,
    turned_away: AtomicU64,
    rate_limited: AtomicU64,
    shed: AtomicU64,
}

/// Adds one; the loop is the only writer.
fn bump(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

fn shift(gauge: &AtomicI64, by: i64) -> i64 {
    let value = gauge.load(Ordering::Relaxed) + by;
    gauge.store(value, Ordering::Relaxed);
    value
}

/// The sum of a figure over loops.
pub(crate) struct Sum<'m>(pub(crate) &'m [std::sync::Arc<Meter>]);

impl Meter {
    pub(crate) fn new(routes: usize) -> Self {
        Self {
            issues: Default::default(),
            latencies: Default::default(),
            latency_sum_us: AtomicU64::new(0),
            requests: (0..=routes).map(|_| Default::default()).collect(),
            in_flight: AtomicI64::new(0),
            connections: AtomicI64::new(0),
            turned_away: AtomicU64::new(0),
            rate_limited: AtomicU64::new(0),
            shed: AtomicU64::new(0),
        }
    }

    /// An issue request ended so, after so long.
    pub(crate) fn issue_ended(&self, end: IssueEnd, took: Duration) {
        bump(&self.issues[end.index()]);
        if end == IssueEnd::Unavailable {
            bump(&self.shed);
        }
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = LATENCY_BUCKETS_US.partition_point(|&end| end < micros);
        bump(&self.latencies[bucket]);
        let sum = self.latency_sum_us.load(Ordering::Relaxed).wrapping_add(micros);
        self.latency_sum_us.store(sum, Ordering::Relaxed);
    }

    /// A request was answered.
    pub(crate) fn answered(&self, route: usize, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).clamp(1, STATUS_CLASSES) - 1;
        if let Some(classes) = self.requests.get(route) {
            bump(&classes[class]);
        }
        if status == StatusCode::TOO_MANY_REQUESTS {
            bump(&self.rate_limited);
        }
    }

    /// A request came in; it is in flight until the guard is dropped.
    pub(crate) fn request_came(&self) -> InFlight<'_> {
        shift(&self.in_flight, 1);
        InFlight(self)
    }

    pub(crate) fn connection_opened(&self) {
        shift(&self.connections, 1);
    }

    pub(crate) fn connection_closed(&self) {
        shift(&self.connections, -1);
    }

    /// A connection was closed as it came, because there were too many.
    pub(crate) fn connection_turned_away(&self) {
        bump(&self.turned_away);
    }
}

/// A request in flight.
#[derive(Debug)]
pub(crate) struct InFlight<'m>(&'m Meter);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        shift(&self.0.in_flight, -1);
    }
}

impl Sum<'_> {
    fn of(&self, read: impl Fn(&Meter) -> u64) -> u64 {
        self.0.iter().map(|meter| read(meter)).sum()
    }

    fn gauge(&self, read: impl Fn(&Meter) -> &AtomicI64) -> i64 {
        self.0
            .iter()
            .map(|meter| read(meter).load(Ordering::Relaxed))
            .sum()
    }

    pub(crate) fn issues(&self, end: IssueEnd) -> u64 {
        self.of(|meter| meter.issues[end.index()].load(Ordering::Relaxed))
    }

    /// Counts by bucket, and the sum in seconds.
    pub(crate) fn latencies(&self) -> (Vec<u64>, f64) {
        let counts = (0..=LATENCY_BUCKETS_US.len())
            .map(|bucket| self.of(|meter| meter.latencies[bucket].load(Ordering::Relaxed)))
            .collect();
        let micros = self.of(|meter| meter.latency_sum_us.load(Ordering::Relaxed));
        (counts, Duration::from_micros(micros).as_secs_f64())
    }

    pub(crate) fn requests(&self, route: usize, class: usize) -> u64 {
        self.of(|meter| meter.requests[route][class].load(Ordering::Relaxed))
    }

    pub(crate) fn in_flight(&self) -> i64 {
        self.gauge(|meter| &meter.in_flight)
    }

    pub(crate) fn connections(&self) -> i64 {
        self.gauge(|meter| &meter.connections)
    }

    pub(crate) fn turned_away(&self) -> u64 {
        self.of(|meter| meter.turned_away.load(Ordering::Relaxed))
    }

    pub(crate) fn rate_limited(&self) -> u64 {
        self.of(|meter| meter.rate_limited.load(Ordering::Relaxed))
    }

    pub(crate) fn shed(&self) -> u64 {
        self.of(|meter| meter.shed.load(Ordering::Relaxed))
    }
}
