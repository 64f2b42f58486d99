//! An order of the shop: its id and how much it comes to.

use crate::limits::{MAX_AMOUNT, MAX_ORDER_ID_BYTES};
use crate::text::{TextError, check_text};
use std::fmt;

/// An amount of money in the minor unit of the coupon's currency, 0 to 2^53-1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(u64);

/// The number is no amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an amount is a whole number of minor units from 0 to {MAX_AMOUNT}")]
pub struct AmountError;

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// 2^53-1, the largest.
    pub const MAX: Self = Self(MAX_AMOUNT);

    /// The amount of so many minor units.
    pub const fn new(units: u64) -> Result<Self, AmountError> {
        if units <= MAX_AMOUNT {
            Ok(Self(units))
        } else {
            Err(AmountError)
        }
    }

    /// Minor units.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// This amount less another, at least nothing.
    #[must_use]
    pub const fn less(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The smaller of this amount and so many units.
    pub(crate) const fn at_most(self, units: u64) -> Self {
        if units < self.0 { Self(units) } else { self }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The shop's id of an order: 1 to 128 bytes of UTF-8 without control or bidirectional-control characters. Two ids are
/// the same order exactly when their bytes are equal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderId(Box<str>);

/// Why a text is not an order id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderIdError {
    /// Nothing in it, or more than 128 bytes.
    #[error("an order id has 1 to {MAX_ORDER_ID_BYTES} bytes of UTF-8")]
    Length,
    /// A control character (including NUL) or a bidirectional control, which would let one id pass for another.
    #[error("an order id must not contain control or bidirectional-control characters")]
    ForbiddenCharacter,
}

impl OrderId {
    /// Checks a text and makes it an order id.
    pub fn parse(text: impl Into<Box<str>>) -> Result<Self, OrderIdError> {
        let text = text.into();
        match check_text(&text, MAX_ORDER_ID_BYTES) {
            Ok(()) => Ok(Self(text)),
            Err(TextError::Empty | TextError::TooLong) => Err(OrderIdError::Length),
            Err(TextError::ForbiddenCharacter) => Err(OrderIdError::ForbiddenCharacter),
        }
    }

    /// The text as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An order that an issued coupon is redeemed on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Order {
    /// Which.
    pub id: OrderId,
    /// How much it comes to before the discount.
    pub amount: Amount,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_id_is_kept_byte_for_byte_or_refused_with_the_reason() {
        let longest = "o".repeat(128);
        for accepted in ["1", "order 7", "주문-1", "é", "e\u{301}", longest.as_str()] {
            assert_eq!(OrderId::parse(accepted).unwrap().as_str(), accepted);
        }
        let (too_long, enormous) = ("o".repeat(129), "o".repeat(10_000));
        for (refused, reason) in [
            ("", OrderIdError::Length),
            (too_long.as_str(), OrderIdError::Length),
            (enormous.as_str(), OrderIdError::Length),
            ("a\0", OrderIdError::ForbiddenCharacter),
            ("a\r\nb", OrderIdError::ForbiddenCharacter),
            ("a\u{202e}b", OrderIdError::ForbiddenCharacter),
        ] {
            assert_eq!(OrderId::parse(refused), Err(reason), "{refused:?}");
        }
    }

    #[test]
    fn an_amount_ends_where_a_double_stops_being_exact() {
        assert_eq!(Amount::new((1 << 53) - 1), Ok(Amount::MAX));
        assert_eq!(Amount::new(1 << 53), Err(AmountError));
        assert_eq!(Amount::new(u64::MAX), Err(AmountError));
        assert_eq!(Amount::ZERO.less(Amount::MAX), Amount::ZERO);
    }
}
