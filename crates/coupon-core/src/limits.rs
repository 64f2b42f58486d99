//! Every limit of the domain, in one place.

/// Largest coupon id: codes give 28 of their 60 bits to it (see `coupon_app::CodeKey`).
pub const MAX_COUPON_ID: u32 = (1 << 28) - 1;
/// Largest position and largest quantity of a coupon, 2^32-1. An unlimited coupon ends here too.
pub const MAX_POSITION: u32 = u32::MAX;
/// Longest user id in bytes of UTF-8.
pub const MAX_USER_ID_BYTES: usize = 128;
/// Longest order id in bytes of UTF-8.
pub const MAX_ORDER_ID_BYTES: usize = 128;
/// An issued coupon with so many steps in its history is not redeemed again. Nobody returns five thousand orders; a
/// program that has run wild does.
pub const MAX_STEPS: u32 = 10_000;
/// Longest coupon name in characters.
pub const MAX_NAME_CHARS: usize = 200;
/// Largest amount of money in minor units: what a double, and so JavaScript, holds exactly.
pub const MAX_AMOUNT: u64 = (1 << 53) - 1;
/// Most labels on one coupon.
pub const MAX_LABELS: usize = 16;
/// Longest label key in characters.
pub const MAX_LABEL_KEY_CHARS: usize = 63;
/// Longest label value in characters.
pub const MAX_LABEL_VALUE_CHARS: usize = 200;
/// Longest time zone name in characters; the longest in the IANA database has 32.
pub const MAX_TIME_ZONE_CHARS: usize = 64;
/// Longest `validFor`: a hundred years of 365.25 days, in microseconds.
pub const MAX_VALID_FOR_US: i64 = 36_525 * 86_400 * 1_000_000;
/// Most bytes of an address for mail (RFC 5321).
pub const MAX_EMAIL_BYTES: usize = 254;
/// Most bytes of what a person is called in a mail.
pub const MAX_PERSON_NAME_BYTES: usize = 200;
