//! `/metrics`: everything that is counted, in the OpenMetrics text format.
//!
//! Loops count in their own [`Meter`]s; here they are added up when a scrape asks.

use crate::hall::Hall;
use crate::limits::GAUGED_COUPONS;
use crate::meter::{IssueEnd, LATENCY_BUCKETS_US, STATUS_CLASSES, Sum};
use crate::station::Station;
use coupon_app::Posted;
use coupon_core::CouponId;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};

/// The type of the text that a scrape gets.
pub(crate) const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How a text of metrics ends.
const END: &str = "# EOF\n";

/// What this build is.
#[derive(Clone, Debug, Default)]
pub struct BuildInfo {
    /// The version.
    pub version: String,
    /// The commit, if known.
    pub commit: String,
}

/// How far the store is behind the ledger. Clones are one gauge.
#[derive(Clone, Debug, Default)]
pub struct StoreLag(Arc<LagCells>);

#[derive(Debug, Default)]
struct LagCells {
    entries: AtomicU64,
    applied: AtomicU64,
    redelivered: AtomicU64,
    quarantined: AtomicU64,
    failures: AtomicU64,
}

impl StoreLag {
    /// So many entries are durable in the ledger and not yet in the store.
    pub fn set_entries(&self, entries: u64) {
        self.0.entries.store(entries, Ordering::Relaxed);
    }

    /// Entries were applied.
    pub fn applied(&self, written: u64, redelivered: u64, quarantined: u64) {
        self.0.applied.fetch_add(written, Ordering::Relaxed);
        self.0.redelivered.fetch_add(redelivered, Ordering::Relaxed);
        self.0.quarantined.fetch_add(quarantined, Ordering::Relaxed);
    }

    /// The store failed and will be tried again.
    pub fn failed(&self) {
        self.0.failures.fetch_add(1, Ordering::Relaxed);
    }
}

/// The text of a scrape.
pub(crate) fn scrape(station: &Station) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("firstcome");
    registry.register_collector(Box::new(Scrape {
        hall: Arc::clone(&station.hall),
        coupons: newest_coupons(station),
    }));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    let others = station.hall.other_metrics.lock();
    for other in others.unwrap_or_else(PoisonError::into_inner).iter() {
        // One text has one end.
        let end = text.len() - text.strip_suffix(END).map_or(0, |_| END.len());
        text.truncate(end);
        text.push_str(&other()?);
    }
    Ok(text)
}

/// The newest coupons have gauges, so that their number stays bounded.
fn newest_coupons(station: &Station) -> Vec<Posted> {
    let mut newest = std::collections::VecDeque::with_capacity(GAUGED_COUPONS);
    let mut after: Option<CouponId> = None;
    loop {
        let page = station.desk.coupons(after, coupon_app::limits::MAX_PAGE);
        let Some(last) = page.last() else {
            return newest.into();
        };
        after = Some(last.coupon.id);
        for posted in page {
            if newest.len() == GAUGED_COUPONS {
                newest.pop_front();
            }
            newest.push_back(posted);
        }
    }
}

struct Scrape {
    hall: Arc<Hall>,
    coupons: Vec<Posted>,
}

impl fmt::Debug for Scrape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scrape")
    }
}

/// One label or two.
type Labels<'l> = &'l [(&'l str, &'l str)];

/// Writes families one after another.
struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    fn counters<'l>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = (Vec<(&'l str, &'l str)>, u64)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, value) in rows {
            let labels: Labels<'_> = &labels;
            ConstCounter::new(value).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn gauges<'l>(
        &mut self,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = (Vec<(&'l str, &'l str)>, i64)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (labels, value) in rows {
            let labels: Labels<'_> = &labels;
            ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let family = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        ConstCounter::new(value).encode(family)
    }

    fn gauge(&mut self, name: &str, help: &str, value: i64) -> fmt::Result {
        let family = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        ConstGauge::new(value).encode(family)
    }
}

fn signed(value: impl TryInto<i64>) -> i64 {
    value.try_into().unwrap_or(i64::MAX)
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        self.encode_http(&mut page)?;
        self.encode_ledger(&mut page)?;
        self.encode_coupons(&mut page)
    }
}

impl Scrape {
    fn encode_http(&self, page: &mut Page<'_>) -> fmt::Result {
        let meters = self
            .hall
            .meters
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let sum = Sum(&meters);
        let build = &self.hall.build;
        let labels = vec![
            ("version", build.version.as_str()),
            ("commit", build.commit.as_str()),
        ];
        page.gauges("build", "What this build is; always 1.", [(labels, 1)])?;
        let ends = IssueEnd::ALL.map(|end| (vec![("outcome", end.name())], sum.issues(end)));
        page.counters("issues", "Issue requests by how they ended.", ends)?;
        let (counts, seconds) = sum.latencies();
        let bounds = LATENCY_BUCKETS_US
            .iter()
            .map(|&end| std::time::Duration::from_micros(end).as_secs_f64())
            .chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(counts.iter().copied()).collect();
        page.0
            .encode_descriptor(
                "issue_latency_seconds",
                "From the head of an issue request to its answer.",
                None,
                MetricType::Histogram,
            )?
            .encode_histogram::<NoLabelSet>(seconds, counts.iter().sum(), &buckets, None)?;
        let names = self.hall.routes.names.iter().map(String::as_str).chain(["none"]);
        let classes = ["1xx", "2xx", "3xx", "4xx", "5xx"];
        let rows = names.enumerate().flat_map(|(route, name)| {
            let sum = &sum;
            (0..STATUS_CLASSES).filter_map(move |class| {
                let count = sum.requests(route, class);
                (count > 0).then(|| (vec![("route", name), ("status", classes[class])], count))
            })
        });
        page.counters(
            "http_requests",
            "Requests by route and status class.",
            rows.collect::<Vec<_>>(),
        )?;
        page.gauge(
            "http_requests_in_flight",
            "Requests being worked on.",
            sum.in_flight(),
        )?;
        page.gauge("http_connections", "Open connections.", sum.connections())?;
        page.counter(
            "http_connections_turned_away",
            "Connections closed as they came, because there were too many.",
            sum.turned_away(),
        )?;
        page.counter(
            "http_rate_limited",
            "Requests over their client's rate.",
            sum.rate_limited(),
        )?;
        page.counter("issues_shed", "Issue requests answered 503.", sum.shed())
    }

    fn encode_ledger(&self, page: &mut Page<'_>) -> fmt::Result {
        let stats = self.hall.ledgers.stats();
        page.gauge(
            "combiner_waiting",
            "Requests waiting or being committed.",
            signed(stats.waiting),
        )?;
        page.counter("combiner_batches", "Batches committed.", stats.batches)?;
        page.counter("combiner_requests", "Requests in these batches.", stats.requests)?;
        page.counter(
            "issues_refused_from_memory",
            "Issue requests refused without asking a ledger.",
            self.hall.ledgers.refused_from_memory(),
        )?;
        let lag = &self.hall.store_lag.0;
        let read = |cell: &AtomicU64| cell.load(Ordering::Relaxed);
        page.gauge(
            "store_lag_entries",
            "Entries not yet in the store.",
            signed(read(&lag.entries)),
        )?;
        page.counter(
            "store_written",
            "Issued coupons written to the store.",
            read(&lag.applied),
        )?;
        page.counter(
            "store_redelivered",
            "Issued coupons the store had already.",
            read(&lag.redelivered),
        )?;
        page.counter(
            "store_quarantined",
            "Records that went to quarantine.",
            read(&lag.quarantined),
        )?;
        page.counter(
            "store_failures",
            "Failed attempts to write to the store.",
            read(&lag.failures),
        )?;
        let figures = self.hall.reconciliation.figures();
        page.gauge(
            "reconciliation_differences",
            "Differences between ledger and store, by the last comparison of each coupon.",
            signed(figures.differences),
        )?;
        page.counter(
            "ledger_reopened_coupons",
            "Coupons whose state was taken anew from the store.",
            figures.reopened,
        )?;
        page.counter(
            "ledger_lost_positions",
            "Positions that were lost with the states of these.",
            figures.lost,
        )?;
        page.counter(
            "ledger_reopening_failures",
            "Failed attempts to take a coupon's state anew.",
            figures.failed,
        )
    }

    fn encode_coupons(&self, page: &mut Page<'_>) -> fmt::Result {
        let ids: Vec<String> = self
            .coupons
            .iter()
            .map(|posted| posted.coupon.id.to_string())
            .collect();
        let rows = |value: fn(&Posted) -> Option<i64>| -> Vec<(Vec<(&str, &str)>, i64)> {
            let each = ids.iter().zip(&self.coupons);
            each.filter_map(|(id, posted)| Some((vec![("coupon", id.as_str())], value(posted)?)))
                .collect()
        };
        page.gauges(
            "coupon_issued",
            "Issued, of the newest coupons.",
            rows(|posted| Some(i64::from(posted.existing()))),
        )?;
        page.gauges(
            "coupon_remaining",
            "Left, of the newest coupons with a quantity.",
            rows(|posted| {
                posted
                    .coupon
                    .terms
                    .quantity
                    .remaining(posted.existing())
                    .map(i64::from)
            }),
        )?;
        page.gauges(
            "coupon_pending",
            "Issued and not yet in the store, of the newest coupons.",
            rows(|posted| Some(i64::from(posted.issued.saturating_sub(posted.stored)))),
        )?;
        page.gauges(
            "coupon_lost_positions",
            "Positions that were lost with the ledger's state and belong to nobody, of the newest coupons.",
            rows(|posted| Some(i64::from(posted.lost))),
        )
    }
}
