//! Numbers as people read them: grouped digits, and times in the unit that fits.

/// `1234567` becomes `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// How many there are, grouped.
pub(crate) fn counted(length: usize) -> String {
    grouped(u64::try_from(length).unwrap_or(u64::MAX))
}

/// Microseconds with three significant digits or so: `85 µs`, `1.52 ms`, `12.4 ms`, `3.05 s`.
#[expect(clippy::cast_precision_loss, reason = "latencies far below 2^53 microseconds")]
pub(crate) fn latency(us: u64) -> String {
    let (value, unit) = match us {
        0..1_000 => return format!("{us} µs"),
        1_000..1_000_000 => (us as f64 / 1e3, "ms"),
        _ => (us as f64 / 1e6, "s"),
    };
    match value {
        ..10.0 => format!("{value:.2} {unit}"),
        ..100.0 => format!("{value:.1} {unit}"),
        _ => format!("{value:.0} {unit}"),
    }
}

/// A latency on an axis, where the values are round: `1 ms`, not `1.00 ms`.
pub(crate) fn latency_tick(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{} ms", us / 1_000),
        _ => format!("{} s", us / 1_000_000),
    }
}

/// Nanoseconds since the start as seconds: `2.345 s`.
#[expect(clippy::cast_precision_loss, reason = "times far below 2^53 nanoseconds")]
pub(crate) fn seconds(ns: u64) -> String {
    format!("{:.3} s", ns as f64 / 1e9)
}

/// A rate as a whole number per second.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rates are small and not negative"
)]
pub(crate) fn rate(per_second: f64) -> String {
    format!("{}/s", grouped(per_second.round() as u64))
}

#[cfg(test)]
mod tests {
    use super::{grouped, latency, latency_tick, rate, seconds};

    #[test]
    fn numbers_are_written_as_people_read_them() {
        assert_eq!(
            [grouped(0), grouped(999), grouped(1_000), grouped(1_234_567)],
            ["0", "999", "1,000", "1,234,567"]
        );
        let times = [85, 1_520, 12_400, 250_000, 3_050_000].map(latency);
        assert_eq!(times, ["85 µs", "1.52 ms", "12.4 ms", "250 ms", "3.05 s"]);
        assert_eq!([50, 2_000, 5_000_000].map(latency_tick), ["50 µs", "2 ms", "5 s"]);
        assert_eq!(seconds(2_345_000_000), "2.345 s");
        assert_eq!(rate(12_345.6), "12,346/s");
    }
}
