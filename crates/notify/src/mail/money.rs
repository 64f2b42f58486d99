//! Amounts of money for people: `10,000 KRW`, `12.50 USD`.

/// Currencies without a minor unit (ISO 4217).
const WHOLE: [&str; 16] = [
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF",
    "XPF",
];
/// Currencies of a thousand minor units.
const THOUSANDTHS: [&str; 7] = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];

/// So many minor units of a currency, as people write it.
pub(super) fn money(minor_units: u64, currency: &str) -> String {
    let digits: u32 = if WHOLE.contains(&currency) || currency == "XOF" {
        0
    } else if THOUSANDTHS.contains(&currency) {
        3
    } else {
        2
    };
    let unit = 10_u64.pow(digits);
    let (whole, part) = (minor_units / unit, minor_units % unit);
    let whole = grouped(whole);
    match digits {
        0 => format!("{whole} {currency}"),
        3 => format!("{whole}.{part:03} {currency}"),
        _two => format!("{whole}.{part:02} {currency}"),
    }
}

/// A whole number with a comma before every three digits.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3 + 1);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_written_in_the_unit_that_people_count_in() {
        for (minor_units, currency, expected) in [
            (0, "KRW", "0 KRW"),
            (999, "KRW", "999 KRW"),
            (10_000, "KRW", "10,000 KRW"),
            (9_007_199_254_740_991, "KRW", "9,007,199,254,740,991 KRW"),
            (1_250, "USD", "12.50 USD"),
            (5, "USD", "0.05 USD"),
            (1_234_567, "KWD", "1,234.567 KWD"),
        ] {
            assert_eq!(money(minor_units, currency), expected);
        }
    }
}
