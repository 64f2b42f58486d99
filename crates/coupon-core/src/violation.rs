//! What is wrong with a value: the field and the rule it breaks, for the edge to put into words.

/// A field that an administrator sets, by its name on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each variant is the field of the same name, described at Terms"
)]
pub enum Field {
    Name,
    OpensAt,
    ClosesAt,
    Quantity,
    ExpiresAt,
    ValidFor,
    Discount,
    DiscountValue,
    DiscountMaxAmount,
    MinOrderAmount,
    Currency,
    TimeZone,
    Labels,
}

impl Field {
    /// The name on the wire, a dotted path.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::OpensAt => "opensAt",
            Self::ClosesAt => "closesAt",
            Self::Quantity => "quantity",
            Self::ExpiresAt => "expiresAt",
            Self::ValidFor => "validFor",
            Self::Discount => "discount",
            Self::DiscountValue => "discount.value",
            Self::DiscountMaxAmount => "discount.maxAmount",
            Self::MinOrderAmount => "minOrderAmount",
            Self::Currency => "currency",
            Self::TimeZone => "timeZone",
            Self::Labels => "labels",
        }
    }
}

/// The rule that a value breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Must have so many characters.
    Length {
        /// Fewest.
        min: usize,
        /// Most.
        max: usize,
    },
    /// Must lie in this range, both ends included.
    Range {
        /// Least.
        min: u64,
        /// Greatest.
        max: u64,
    },
    /// Must not contain control characters.
    ForbiddenCharacter,
    /// Must be later than `opensAt`.
    NotAfterOpening,
    /// Must be in the future.
    InThePast,
    /// Must be at or after `closesAt`.
    BeforeClosing,
    /// Exactly one of `expiresAt` and `validFor` must be given.
    ExactlyOneValidity,
    /// Must be three capital letters, as in ISO 4217.
    NotACurrency,
    /// Must be a name of the IANA time zone database.
    NotATimeZone,
    /// At most so many entries.
    TooMany {
        /// Most.
        max: usize,
    },
}

/// One field that breaks one rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which field.
    pub field: Field,
    /// Which rule.
    pub rule: Rule,
}

impl Violation {
    /// A violation of `rule` by `field`.
    pub const fn new(field: Field, rule: Rule) -> Self {
        Self { field, rule }
    }
}
