//! Numbers as people read them.

use crate::results::Unit;

/// One number with its unit.
pub(crate) fn shown(value: f64, unit: Unit) -> String {
    let number = bare(value, unit);
    match short(unit) {
        "" => number,
        "/s" => format!("{number}/s"),
        unit => format!("{number} {unit}"),
    }
}

/// The number without its unit, where that stands at the head of a column.
pub(crate) fn bare(value: f64, unit: Unit) -> String {
    match unit {
        Unit::PerSecond | Unit::Count => grouped(value),
        Unit::Ratio | Unit::Millis | Unit::Seconds => format!("{value:.2}"),
        Unit::Times | Unit::Micros | Unit::Bytes | Unit::Percent => format!("{value:.1}"),
    }
}

/// The unit as it is written; nothing where a number needs none.
pub(crate) fn short(unit: Unit) -> &'static str {
    match unit {
        Unit::Ratio | Unit::Count => "",
        Unit::Times => "x",
        Unit::PerSecond => "/s",
        Unit::Micros => "us",
        Unit::Millis => "ms",
        Unit::Seconds => "s",
        Unit::Bytes => "B",
        Unit::Percent => "%",
    }
}

/// A whole number with its digits in groups of three.
fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    if value <= -0.5 {
        text.push('-');
    }
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_carry_their_unit_and_no_more_digits_than_they_are_worth() {
        for (value, unit, text) in [
            (0.847_1, Unit::Ratio, "0.85"),
            (31.26, Unit::Times, "31.3 x"),
            (1_234_567.8, Unit::PerSecond, "1,234,568/s"),
            (999.0, Unit::Count, "999"),
            (-1_000.0, Unit::Count, "-1,000"),
            (8.44, Unit::Micros, "8.4 us"),
            (0.304, Unit::Millis, "0.30 ms"),
            (38.25, Unit::Bytes, "38.2 B"),
            (2.96, Unit::Percent, "3.0 %"),
        ] {
            assert_eq!(shown(value, unit), text);
        }
    }
}
