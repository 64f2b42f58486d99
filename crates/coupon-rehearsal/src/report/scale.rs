//! Axes: from values to places, and the values worth a tick.

/// One axis. Places are fractions from 0 (low end) to 1 (high end).
#[derive(Debug, Clone)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    logarithmic: bool,
    /// The values that get a tick.
    pub(super) ticks: Vec<f64>,
}

impl Scale {
    /// From 0 to `high`, with about `wanted` ticks; ends at the last tick at or above `high`.
    pub(super) fn rounded(high: f64, wanted: u32) -> Self {
        let step = nice_step(high.max(f64::MIN_POSITIVE) / f64::from(wanted));
        let count = (high / step).ceil().max(1.0);
        let ticks = multiples(step, count);
        Self {
            low: 0.0,
            high: step * count,
            logarithmic: false,
            ticks,
        }
    }

    /// From 0 to `high` exactly, with about `wanted` ticks.
    pub(super) fn exact(high: f64, wanted: u32) -> Self {
        let step = nice_step(high.max(f64::MIN_POSITIVE) / f64::from(wanted));
        Self {
            low: 0.0,
            high,
            logarithmic: false,
            ticks: multiples(step, (high / step).floor()),
        }
    }

    /// A logarithmic axis over these values, which are above zero; ends at 1, 2 or 5 times a power of ten.
    pub(super) fn logarithmic(low: f64, high: f64) -> Self {
        let (low, high) = (round_to_tick(low, false), round_to_tick(high.max(low), true));
        let high = if high > low { high } else { low * 10.0 };
        let decades = (high / low).log10();
        let factors: &[f64] = if decades <= 3.4 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let ticks = (-3..12)
            .flat_map(|exponent| factors.iter().map(move |factor| factor * 10_f64.powi(exponent)))
            .filter(|tick| (low * 0.999..=high * 1.001).contains(tick))
            .collect();
        Self {
            low,
            high,
            logarithmic: true,
            ticks,
        }
    }

    /// The place of a value, held inside the axis.
    pub(super) fn place(&self, value: f64) -> f64 {
        let place = if self.logarithmic {
            (value / self.low).log10() / (self.high / self.low).log10()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        place.clamp(0.0, 1.0)
    }

    /// The distance of the ticks of a linear axis.
    pub(super) fn step(&self) -> f64 {
        match self.ticks.as_slice() {
            [first, second, ..] => second - first,
            _ => self.high - self.low,
        }
    }
}

fn multiples(step: f64, count: f64) -> Vec<f64> {
    let mut ticks = vec![0.0];
    let mut tick = 1.0;
    while tick <= count {
        ticks.push(step * tick);
        tick += 1.0;
    }
    ticks
}

/// The next 1, 2 or 5 times a power of ten at or above.
fn nice_step(at_least: f64) -> f64 {
    round_to_tick(at_least, true)
}

fn round_to_tick(value: f64, up: bool) -> f64 {
    let decade = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0];
    let fits = |step: &f64| {
        if up {
            step * decade >= value * 0.999_999
        } else {
            step * decade <= value * 1.000_001
        }
    };
    let found = if up {
        steps.iter().find(|step| fits(step))
    } else {
        steps.iter().rev().find(|step| fits(step))
    };
    decade * found.copied().unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::Scale;

    #[test]
    fn a_linear_axis_has_round_ticks() {
        let scale = Scale::rounded(8_734.0, 5);
        assert_eq!(scale.ticks, [0.0, 2_000.0, 4_000.0, 6_000.0, 8_000.0, 10_000.0]);
        assert!((scale.place(5_000.0) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn a_logarithmic_axis_ends_at_ticks() {
        let scale = Scale::logarithmic(130.0, 4_100.0);
        assert_eq!(scale.ticks, [100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0]);
        assert!(scale.place(100.0) < 1e-9 && scale.place(5_000.0) > 1.0 - 1e-9);
    }

    #[test]
    fn an_axis_over_one_value_or_none_is_still_an_axis() {
        for scale in [
            Scale::rounded(0.0, 5),
            Scale::exact(1e-9, 5),
            Scale::logarithmic(1.0, 1.0),
        ] {
            assert!(scale.place(1.0).is_finite());
            assert!(!scale.ticks.is_empty());
        }
    }
}
