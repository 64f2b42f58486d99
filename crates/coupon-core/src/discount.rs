//! What a coupon is worth on an order.

use crate::limits::MAX_AMOUNT;
use crate::{Amount, Field, Rule, Violation};
use serde::{Deserialize, Serialize};

/// The discount that redeeming gives. Amounts are in the minor unit of the coupon's currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Discount {
    /// A fixed amount, 1 to 2^53-1.
    Amount {
        /// How much.
        value: u64,
    },
    /// A share of the order amount.
    Percent {
        /// 1 to 100.
        value: u8,
        /// At most so much, 1 to 2^53-1; no cap when absent.
        max_amount: Option<u64>,
    },
}

impl Discount {
    /// What an order of this amount gets: never more than the order comes to.
    ///
    /// A share of the order that is no whole number of minor units is rounded up to the next one, so that rounding is
    /// never in the customer's disfavour. The cap counts after the rounding.
    pub fn on(self, order: Amount) -> Amount {
        match self {
            Self::Amount { value } => order.at_most(value),
            Self::Percent { value, max_amount } => {
                let share = (u128::from(order.get()) * u128::from(value)).div_ceil(100);
                // Of at most 100 per cent the share is at most the order, so it fits.
                let share = u64::try_from(share).unwrap_or(u64::MAX);
                order.at_most(share.min(max_amount.unwrap_or(u64::MAX)))
            }
        }
    }

    /// What is wrong with this discount, one entry per field.
    pub fn violations(self) -> Vec<Violation> {
        let mut found = Vec::new();
        let amount = Rule::Range {
            min: 1,
            max: MAX_AMOUNT,
        };
        match self {
            Self::Amount { value } => {
                if !(1..=MAX_AMOUNT).contains(&value) {
                    found.push(Violation::new(Field::DiscountValue, amount));
                }
            }
            Self::Percent { value, max_amount } => {
                if !(1..=100).contains(&value) {
                    found.push(Violation::new(
                        Field::DiscountValue,
                        Rule::Range { min: 1, max: 100 },
                    ));
                }
                if max_amount.is_some_and(|cap| !(1..=MAX_AMOUNT).contains(&cap)) {
                    found.push(Violation::new(Field::DiscountMaxAmount, amount));
                }
            }
        }
        found
    }
}
