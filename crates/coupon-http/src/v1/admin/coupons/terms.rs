//! Between the wire and the domain: terms of a coupon, in both directions.

use crate::error::{Problem, Wrong, WrongRule};
use crate::hall::Hall;
use coupon_api::{
    AdminCoupon, AnyDuration, AnyTime, ChangeCouponBody, CloneCouponBody, CreateCouponBody, Discount,
    DiscountBody, DiscountType, Duration, Labels, Time, Whole,
};
use coupon_core::limits::{MAX_AMOUNT, MAX_POSITION};
use coupon_core::{
    AckLevel, Coupon, Field, Quantity, Rule, Span, Terms, TermsChange, TermsDraft, Timestamp, Validity,
    Violation,
};
use std::borrow::Cow;
use std::num::NonZeroU32;

/// Collects what is wrong while values are read; each reader gives a value that may be in place of one that may not.
#[derive(Default)]
struct Reader {
    wrong: Vec<Wrong>,
}

impl Reader {
    fn out_of_range(&mut self, field: Field, min: u64, max: u64) {
        self.wrong
            .push(Violation::new(field, Rule::Range { min, max }).into());
    }

    fn not_offered(&mut self, field: &'static str) {
        self.wrong.push(Wrong {
            field: Cow::Borrowed(field),
            rule: WrongRule::NotOffered,
        });
    }

    fn quantity(&mut self, quantity: Option<Whole>) -> Quantity {
        let Some(number) = quantity else {
            return Quantity::UNLIMITED;
        };
        let count = number
            .get()
            .and_then(|number| u32::try_from(number).ok())
            .and_then(NonZeroU32::new);
        if count.is_none() {
            self.out_of_range(Field::Quantity, 1, u64::from(MAX_POSITION));
        }
        count.map_or(Quantity::UNLIMITED, Quantity::limited)
    }

    /// An instant; `None` if it cannot be.
    fn time(&mut self, field: Field, time: AnyTime) -> Option<Timestamp> {
        if time.get().is_none() {
            self.wrong.push(Wrong {
                field: Cow::Borrowed(field.name()),
                rule: WrongRule::TimeRange,
            });
        }
        time.get()
    }

    /// The window. In place of an end that cannot be, one that breaks no rule and makes no other field break one.
    fn window(&mut self, opens_at: AnyTime, closes_at: AnyTime, now: Timestamp) -> (Timestamp, Timestamp) {
        let opens_at = self.time(Field::OpensAt, opens_at).unwrap_or(Timestamp::MIN);
        let closes_at = self.time(Field::ClosesAt, closes_at);
        (
            opens_at,
            closes_at.unwrap_or_else(|| opens_at.max(now).saturating_add(Span::TICK)),
        )
    }

    fn expires_at(&mut self, time: AnyTime) -> Timestamp {
        self.time(Field::ExpiresAt, time).unwrap_or(Timestamp::MAX)
    }

    fn valid_for(&mut self, duration: AnyDuration) -> Span {
        duration.get().unwrap_or_else(|| {
            self.wrong.push(Wrong {
                field: Cow::Borrowed(Field::ValidFor.name()),
                rule: WrongRule::DurationRange,
            });
            Span::TICK
        })
    }

    fn min_order_amount(&mut self, amount: Whole) -> u64 {
        amount.get().unwrap_or_else(|| {
            self.out_of_range(Field::MinOrderAmount, 0, MAX_AMOUNT);
            0
        })
    }

    fn discount(&mut self, discount: DiscountBody) -> Result<coupon_core::Discount, Problem> {
        match discount.kind {
            DiscountType::Amount => {
                if discount.max_amount.is_some() {
                    return Err(Problem::UnknownField {
                        field: Field::DiscountMaxAmount.name().to_owned(),
                    });
                }
                let value = discount.value.get().unwrap_or_else(|| {
                    self.out_of_range(Field::DiscountValue, 1, MAX_AMOUNT);
                    1
                });
                Ok(coupon_core::Discount::Amount { value })
            }
            DiscountType::Percent => {
                let percentage = discount.value.get().and_then(|value| u8::try_from(value).ok());
                let value = percentage.unwrap_or_else(|| {
                    self.out_of_range(Field::DiscountValue, 1, 100);
                    1
                });
                let max_amount = discount.max_amount.map(|cap| {
                    cap.get().unwrap_or_else(|| {
                        self.out_of_range(Field::DiscountMaxAmount, 1, MAX_AMOUNT);
                        1
                    })
                });
                Ok(coupon_core::Discount::Percent { value, max_amount })
            }
        }
    }

    /// The terms that a draft comes to, if this server offers what it asks for.
    fn draft(mut self, draft: TermsDraft, hall: &Hall, now: Timestamp) -> Result<Terms, Problem> {
        if !hall.strategies.contains(&draft.strategy) {
            self.not_offered("strategy");
        }
        if !hall.acks.contains(&draft.ack) {
            self.not_offered("ack");
        }
        // The domain knows how a zone's name looks; which ones there are is in the database of zones.
        if !is_time_zone(&draft.time_zone) {
            self.wrong
                .push(Violation::new(Field::TimeZone, Rule::NotATimeZone).into());
        }
        let checked = draft.check(now);
        self.finish(checked)
    }

    /// The result, unless something is wrong. `more` is what the domain found.
    fn finish<T>(mut self, result: Result<T, Vec<Violation>>) -> Result<T, Problem> {
        match result {
            Ok(value) if self.wrong.is_empty() => Ok(value),
            Ok(_) => Err(Problem::InvalidValues(self.wrong)),
            Err(more) => {
                self.add(more);
                Err(Problem::InvalidValues(self.wrong))
            }
        }
    }

    /// Adds what the domain found. Of a field that was wrong before, it saw something else.
    fn add(&mut self, more: Vec<Violation>) {
        for violation in more.into_iter().map(Wrong::from) {
            if self.wrong.iter().all(|known| known.field != violation.field) {
                self.wrong.push(violation);
            }
        }
    }
}

/// The terms of a new coupon, or every field that is wrong.
pub(super) fn check(body: CreateCouponBody, hall: &Hall, now: Timestamp) -> Result<Terms, Problem> {
    let mut reader = Reader::default();
    let quantity = reader.quantity(body.quantity);
    let discount = body
        .discount
        .map(|discount| reader.discount(discount))
        .transpose()?;
    let min_order_amount = body
        .min_order_amount
        .map_or(0, |amount| reader.min_order_amount(amount));
    let offered = hall
        .strategies
        .first()
        .copied()
        .unwrap_or(coupon_core::Strategy::Journal);
    let strategy = body.strategy.map_or(offered, Into::into);
    let ack = body.ack.map_or(AckLevel::Ledger, Into::into);
    let (opens_at, closes_at) = reader.window(body.opens_at, body.closes_at, now);
    let draft = TermsDraft {
        name: body.name,
        opens_at,
        closes_at,
        quantity,
        expires_at: body.expires_at.map(|time| reader.expires_at(time)),
        valid_for: body.valid_for.map(|duration| reader.valid_for(duration)),
        discount,
        min_order_amount,
        currency: body.currency.unwrap_or_else(|| "KRW".to_owned()),
        time_zone: body.time_zone.unwrap_or_else(|| "Asia/Seoul".to_owned()),
        strategy,
        ack,
        show_remaining: body.show_remaining.unwrap_or(true),
        labels: body.labels.unwrap_or_default().0,
    };
    reader.draft(draft, hall, now)
}

/// The terms of a coupon that is to be as another one, but for what the body says.
pub(super) fn clone(
    body: CloneCouponBody,
    other: &Terms,
    hall: &Hall,
    now: Timestamp,
) -> Result<Terms, Problem> {
    let mut reader = Reader::default();
    let (expires_at, valid_for) = match (body.expires_at, body.valid_for) {
        (None, None) => match other.validity {
            Validity::Until(instant) => (Some(instant), None),
            Validity::For(span) => (None, Some(span)),
        },
        (expires_at, valid_for) => (
            expires_at.map(|time| reader.expires_at(time)),
            valid_for.map(|duration| reader.valid_for(duration)),
        ),
    };
    let (opens_at, closes_at) = reader.window(
        body.opens_at.unwrap_or(other.window.opens_at().into()),
        body.closes_at.unwrap_or(other.window.closes_at().into()),
        now,
    );
    let quantity = match body.quantity {
        None => other.quantity,
        Some(given) => reader.quantity(given),
    };
    let discount = match body.discount {
        None => other.discount,
        Some(given) => given.map(|discount| reader.discount(discount)).transpose()?,
    };
    let min_order_amount = body
        .min_order_amount
        .map_or(other.min_order_amount, |amount| reader.min_order_amount(amount));
    let labels = body.labels.map_or_else(
        || {
            let own = other.labels.iter();
            own.map(|(key, value)| (key.to_string(), value.to_string()))
                .collect()
        },
        |labels| labels.0,
    );
    let draft = TermsDraft {
        name: body.name.unwrap_or_else(|| other.name.to_string()),
        opens_at,
        closes_at,
        quantity,
        expires_at,
        valid_for,
        discount,
        min_order_amount,
        currency: body.currency.unwrap_or_else(|| other.currency.to_string()),
        time_zone: body.time_zone.unwrap_or_else(|| other.time_zone.to_string()),
        strategy: body.strategy.map_or(other.strategy, Into::into),
        ack: body.ack.map_or(other.ack, Into::into),
        show_remaining: body.show_remaining.unwrap_or(other.show_remaining),
        labels,
    };
    reader.draft(draft, hall, now)
}

fn is_time_zone(name: &str) -> bool {
    jiff::tz::db()
        .get(name)
        .is_ok_and(|zone| zone.iana_name() == Some(name))
}

/// A change of terms, or every field that is wrong: also those of which only the coupon as it is, `present`, can tell,
/// where there is one.
pub(super) fn change(
    body: ChangeCouponBody,
    present: Option<&Terms>,
    now: Timestamp,
) -> Result<TermsChange, Problem> {
    let mut reader = Reader::default();
    let quantity = body.quantity.map(|quantity| reader.quantity(quantity));
    let discount = match body.discount {
        None => None,
        Some(None) => Some(None),
        Some(Some(discount)) => Some(Some(reader.discount(discount)?)),
    };
    let min_order_amount = body
        .min_order_amount
        .map(|amount| reader.min_order_amount(amount));
    let validity = match (body.expires_at, body.valid_for) {
        (None, None) => None,
        (Some(time), None) => reader.time(Field::ExpiresAt, time).map(Validity::Until),
        (None, Some(duration)) => Some(Validity::For(reader.valid_for(duration))),
        (Some(_), Some(_)) => {
            let both = Violation::new(Field::ExpiresAt, Rule::ExactlyOneValidity);
            reader.wrong.push(both.into());
            None
        }
    };
    let change = TermsChange {
        name: body.name,
        opens_at: body.opens_at.and_then(|time| reader.time(Field::OpensAt, time)),
        closes_at: body.closes_at.and_then(|time| reader.time(Field::ClosesAt, time)),
        quantity,
        validity,
        discount,
        min_order_amount,
        show_remaining: body.show_remaining,
        labels: body.labels.map(|labels| labels.0),
    };
    if reader.wrong.is_empty() {
        // The rest is the ledger's to judge, in its place among the issues.
        return Ok(change);
    }
    if let Some(Err(more)) = present.map(|terms| terms.changed_at(&change, now)) {
        reader.add(more);
    }
    Err(Problem::InvalidValues(reader.wrong))
}

/// A coupon as administrators see it.
pub(crate) fn wire(coupon: &Coupon, issued: u32, now: Timestamp) -> AdminCoupon {
    let terms = &coupon.terms;
    let (expires_at, valid_for) = match terms.validity {
        Validity::Until(instant) => (Some(Time(instant)), None),
        Validity::For(span) => (None, Some(Duration(span))),
    };
    let labels = terms
        .labels
        .iter()
        .map(|(key, value)| (key.to_string(), value.to_string()));
    AdminCoupon {
        id: coupon.id.get(),
        name: terms.name.clone(),
        state: coupon.state(now, issued).into(),
        opens_at: Time(terms.window.opens_at()),
        closes_at: Time(terms.window.closes_at()),
        quantity: terms.quantity.limit().map(NonZeroU32::get),
        issued,
        remaining: terms.quantity.remaining(issued),
        expires_at,
        valid_for,
        discount: terms.discount.map(Discount::from),
        min_order_amount: terms.min_order_amount,
        currency: terms.currency.clone(),
        time_zone: terms.time_zone.clone(),
        strategy: terms.strategy.into(),
        ack: terms.ack.into(),
        show_remaining: terms.show_remaining,
        labels: Labels(labels.collect()),
        paused: coupon.paused,
        closed_at: coupon.closed_at.map(Time),
        created_at: Time(coupon.created_at),
        revised_at: Time(coupon.revised_at),
        revision: coupon.revision,
    }
}
