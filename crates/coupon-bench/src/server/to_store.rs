//! How long issues took to the store, as the workers themselves count it.

/// How many issues came to the store within how many seconds, by the upper ends of buckets; the last is the count of
/// all.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ToStore(Vec<(f64, f64)>);

/// What a worker counts it in.
const NAME: &str = "firstcome_worker_time_to_store_seconds";

impl ToStore {
    /// From a worker's metrics.
    pub(super) fn read(text: &str) -> Self {
        let bucket = |line: &str| {
            let rest = line.strip_prefix(NAME)?.strip_prefix("_bucket{le=\"")?;
            let (end, count) = rest.split_once("\"} ")?;
            let end = if end == "+Inf" {
                f64::INFINITY
            } else {
                end.parse().ok()?
            };
            Some((end, count.trim().parse().ok()?))
        };
        Self(text.lines().filter_map(bucket).collect())
    }

    /// What this worker and another one counted.
    pub(super) fn with(mut self, other: &Self) -> Self {
        if self.0.is_empty() {
            return other.clone();
        }
        for ((_, count), (_, more)) in self.0.iter_mut().zip(&other.0) {
            *count += more;
        }
        self
    }

    /// What came since `before`.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let earlier = |place: usize| before.0.get(place).map_or(0.0, |(_, count)| *count);
        let since = self.0.iter().enumerate();
        Self(
            since
                .map(|(place, (end, count))| (*end, count - earlier(place)))
                .collect(),
        )
    }

    /// How many came.
    pub(crate) fn count(&self) -> f64 {
        self.0.last().map_or(0.0, |(_, count)| *count)
    }

    /// Between which ends of a bucket a quantile lies, in seconds.
    pub(crate) fn quantile(&self, quantile: f64) -> (f64, f64) {
        let due = self.count() * quantile;
        let mut begin = 0.0;
        for (end, count) in &self.0 {
            if *count >= due {
                return (begin, *end);
            }
            begin = *end;
        }
        (begin, f64::INFINITY)
    }
}

#[cfg(test)]
mod tests {
    use super::ToStore;

    const TEXT: &str = "\
firstcome_worker_time_to_store_seconds_sum 1.0\n\
firstcome_worker_time_to_store_seconds_bucket{le=\"0.005\"} 10\n\
firstcome_worker_time_to_store_seconds_bucket{le=\"0.01\"} 110\n\
firstcome_worker_confirm_time_to_store_seconds_bucket{le=\"0.01\"} 7\n\
firstcome_worker_time_to_store_seconds_bucket{le=\"+Inf\"} 111\n";

    #[test]
    fn a_quantile_lies_in_the_bucket_that_reaches_it() {
        let all = ToStore::read(TEXT);
        assert_eq!(
            all,
            ToStore(vec![(0.005, 10.0), (0.01, 110.0), (f64::INFINITY, 111.0)])
        );
        let both = all.clone().with(&all);
        assert_eq!(both.since(&all), all);
        for (quantile, ends) in [
            (0.05, (0.0, 0.005)),
            (0.5, (0.005, 0.01)),
            (0.999, (0.01, f64::INFINITY)),
        ] {
            assert_eq!(all.quantile(quantile), ends);
        }
        assert!((all.count() - 111.0).abs() < 1e-9);
    }
}
