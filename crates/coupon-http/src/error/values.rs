//! Fields with values that may not be, and the rules they break.

use crate::language::Language;
use crate::messages::{self, RuleMessage};
use coupon_api::FieldError;
use coupon_app::{WebhookUrl, WebhookUrlError};
use coupon_core::limits::{MAX_ORDER_ID_BYTES, MAX_USER_ID_BYTES};
use coupon_core::{Field, OrderIdError, Rule, UserIdError, Violation};
use std::borrow::Cow;

/// One field that breaks one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) field: Cow<'static, str>,
    pub(crate) rule: WrongRule,
}

/// The rules of the domain, and those that only the edge knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WrongRule {
    Domain(Rule),
    /// A text must have so many bytes.
    Bytes {
        min: usize,
        max: usize,
    },
    /// An instant that cannot be.
    TimeRange,
    /// A length of time that cannot be.
    DurationRange,
    /// This server has no such strategy or level.
    NotOffered,
    /// Not the code of an issued coupon.
    NotACode,
    /// No URL of a webhook, or one that this server does not send to.
    WebhookUrl(WebhookUrlError),
    /// Not an address for mail.
    NotAnAddress,
    /// Not what a person can be called in a mail; so many bytes.
    PersonName {
        min: usize,
        max: usize,
    },
    /// At least one entry.
    Empty,
    /// The same entry twice.
    Repeated,
}

impl From<Violation> for Wrong {
    fn from(violation: Violation) -> Self {
        Self {
            field: Cow::Borrowed(violation.field.name()),
            rule: match (violation.field, violation.rule) {
                // It is written as a duration, so a range of numbers would say nothing.
                (Field::ValidFor, Rule::Range { .. }) => WrongRule::DurationRange,
                (_, rule) => WrongRule::Domain(rule),
            },
        }
    }
}

impl From<UserIdError> for WrongRule {
    fn from(error: UserIdError) -> Self {
        match error {
            UserIdError::Empty | UserIdError::TooLong => Self::Bytes {
                min: 1,
                max: MAX_USER_ID_BYTES,
            },
            UserIdError::ForbiddenCharacter => Self::Domain(Rule::ForbiddenCharacter),
        }
    }
}

impl From<OrderIdError> for WrongRule {
    fn from(error: OrderIdError) -> Self {
        match error {
            OrderIdError::Length => Self::Bytes {
                min: 1,
                max: MAX_ORDER_ID_BYTES,
            },
            OrderIdError::ForbiddenCharacter => Self::Domain(Rule::ForbiddenCharacter),
        }
    }
}

impl Wrong {
    pub(crate) fn in_words(&self, language: Language) -> FieldError {
        let (message, bounds) = self.rule.message();
        let mut detail = message.detail(language).to_owned();
        if let Some((min, max)) = bounds {
            detail = detail
                .replace("{min}", &min.to_string())
                .replace("{max}", &max.to_string());
        }
        FieldError {
            field: self.field.clone().into_owned(),
            code: message.name.to_owned(),
            detail,
        }
    }
}

impl WrongRule {
    fn message(self) -> (RuleMessage, Option<(u64, u64)>) {
        let wide = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        match self {
            Self::Domain(Rule::Length { min, max }) => (messages::LENGTH, Some((wide(min), wide(max)))),
            Self::Domain(Rule::Range { min, max }) => (messages::RANGE, Some((min, max))),
            Self::Domain(Rule::ForbiddenCharacter) => (messages::FORBIDDEN_CHARACTER, None),
            Self::Domain(Rule::NotAfterOpening) => (messages::NOT_AFTER_OPENING, None),
            Self::Domain(Rule::InThePast) => (messages::IN_THE_PAST, None),
            Self::Domain(Rule::BeforeClosing) => (messages::BEFORE_CLOSING, None),
            Self::Domain(Rule::ExactlyOneValidity) => (messages::EXACTLY_ONE_VALIDITY, None),
            Self::Domain(Rule::NotACurrency) => (messages::NOT_A_CURRENCY, None),
            Self::Domain(Rule::NotATimeZone) => (messages::NOT_A_TIME_ZONE, None),
            Self::Domain(Rule::TooMany { max }) => (messages::TOO_MANY, Some((0, wide(max)))),
            Self::Bytes { min, max } => (messages::BYTES, Some((wide(min), wide(max)))),
            Self::TimeRange => (messages::TIME_RANGE, None),
            Self::DurationRange => (messages::DURATION_RANGE, None),
            Self::NotOffered => (messages::NOT_OFFERED, None),
            Self::NotACode => (messages::NOT_A_CODE, None),
            Self::WebhookUrl(WebhookUrlError::NotAUrl | WebhookUrlError::TooLong) => (
                messages::NOT_A_WEBHOOK_URL,
                Some((1, wide(WebhookUrl::MAX_BYTES))),
            ),
            Self::WebhookUrl(WebhookUrlError::NotEncrypted) => (messages::NOT_ENCRYPTED, None),
            Self::WebhookUrl(WebhookUrlError::PrivateAddress) => (messages::PRIVATE_ADDRESS, None),
            Self::NotAnAddress => (messages::NOT_AN_ADDRESS, None),
            Self::PersonName { min, max } => (messages::NOT_A_NAME, Some((wide(min), wide(max)))),
            Self::Empty => (messages::EMPTY, None),
            Self::Repeated => (messages::REPEATED, None),
        }
    }
}
