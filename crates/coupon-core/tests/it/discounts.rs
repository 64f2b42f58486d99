//! What an order gets: amounts, caps and rounding.

use coupon_core::limits::MAX_AMOUNT;
use coupon_core::{Amount, Discount};
use proptest::prelude::*;

fn amount(units: u64) -> Amount {
    Amount::new(units).unwrap()
}

fn percent(value: u8, max_amount: Option<u64>) -> Discount {
    Discount::Percent { value, max_amount }
}

#[test]
fn a_discount_is_never_more_than_the_order_and_rounds_in_the_customers_favour() {
    let fixed = |value| Discount::Amount { value };
    for (discount, order, expected) in [
        (fixed(10_000), 50_000, 10_000),
        (fixed(10_000), 10_000, 10_000),
        (fixed(10_000), 9_999, 9_999),
        (fixed(10_000), 0, 0),
        (fixed(1), MAX_AMOUNT, 1),
        (fixed(MAX_AMOUNT), MAX_AMOUNT, MAX_AMOUNT),
        (fixed(MAX_AMOUNT), 7, 7),
        (percent(10, None), 50_000, 5_000),
        (percent(10, None), 49_999, 5_000),
        (percent(10, None), 49_991, 5_000),
        (percent(10, None), 49_990, 4_999),
        (percent(33, None), 100, 33),
        (percent(33, None), 101, 34),
        (percent(1, None), 1, 1),
        (percent(1, None), 0, 0),
        (percent(100, None), 49_999, 49_999),
        (percent(100, None), MAX_AMOUNT, MAX_AMOUNT),
        (percent(99, None), MAX_AMOUNT, 8_917_127_262_193_582),
        (percent(10, Some(5_000)), 50_000, 5_000),
        (percent(10, Some(5_000)), 50_001, 5_000),
        (percent(10, Some(5_000)), 49_989, 4_999),
        (percent(100, Some(1)), MAX_AMOUNT, 1),
        (percent(50, Some(MAX_AMOUNT)), 3, 2),
    ] {
        assert_eq!(
            discount.on(amount(order)).get(),
            expected,
            "{discount:?} on {order}"
        );
    }
}

proptest! {
    #[test]
    fn a_share_is_the_exact_one_or_less_than_one_unit_more(order in 0..=MAX_AMOUNT, value in 1..=100_u8) {
        let got = u128::from(percent(value, None).on(amount(order)).get());
        let exact_hundredths = u128::from(order) * u128::from(value);
        prop_assert!(got * 100 >= exact_hundredths);
        prop_assert!(got * 100 < exact_hundredths + 100);
        prop_assert!(got <= u128::from(order));
    }

    #[test]
    fn a_larger_order_never_gets_less(
        one in 0..=MAX_AMOUNT, other in 0..=MAX_AMOUNT, value in 1..=100_u8, cap in 1..=MAX_AMOUNT, fixed in any::<bool>(),
    ) {
        let discount = if fixed { Discount::Amount { value: cap } } else { percent(value, Some(cap)) };
        let (small, large) = (one.min(other), one.max(other));
        prop_assert!(discount.on(amount(small)) <= discount.on(amount(large)));
        prop_assert!(discount.on(amount(large)).get() <= cap.min(large));
    }
}
