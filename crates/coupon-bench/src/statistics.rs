//! What is said of a row of numbers: the middle one, and how far they lie apart.

/// Median, least and greatest of some numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) greatest: f64,
}

impl Spread {
    /// `None` of nothing, or when one of them is no number.
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        if values.iter().any(|value| !value.is_finite()) {
            return None;
        }
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (least, greatest) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = if sorted.len().is_multiple_of(2) {
            f64::midpoint(sorted[middle - 1], sorted[middle])
        } else {
            sorted[middle]
        };
        Some(Self {
            median,
            least,
            greatest,
        })
    }
}

/// The median; zero of nothing.
pub(crate) fn median(values: &[f64]) -> f64 {
    Spread::of(values).map_or(0.0, |spread| spread.median)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_number_or_lies_between_the_two_in_the_middle() {
        for (values, median, least, greatest) in [
            (vec![3.0], 3.0, 3.0, 3.0),
            (vec![9.0, 1.0, 5.0], 5.0, 1.0, 9.0),
            (vec![4.0, 1.0, 2.0, 8.0], 3.0, 1.0, 8.0),
        ] {
            let spread = Spread {
                median,
                least,
                greatest,
            };
            assert_eq!(Spread::of(&values), Some(spread), "{values:?}");
        }
    }

    #[test]
    fn nothing_has_no_spread_and_neither_has_what_is_no_number() {
        assert_eq!(Spread::of(&[]), None);
        assert_eq!(Spread::of(&[1.0, f64::NAN]), None);
        assert_eq!(Spread::of(&[f64::INFINITY]), None);
    }
}
