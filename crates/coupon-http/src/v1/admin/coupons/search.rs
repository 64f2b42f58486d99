//! Searching coupons: what is asked for, and whether a coupon is it.

use crate::page::instant;
use coupon_api::CouponState;
use coupon_app::Posted;
use coupon_core::Timestamp;
use coupon_core::limits::{MAX_LABELS, MAX_NAME_CHARS};

/// What the coupons asked for have in common; nothing given is everything.
#[derive(Debug, Default)]
pub(super) struct Search {
    /// In lower case.
    name: Option<String>,
    state: Option<coupon_core::CouponState>,
    labels: Vec<Label>,
    opens: Between,
    closes: Between,
}

/// A label that a coupon must have, with this value if one is given.
#[derive(Debug)]
struct Label {
    key: String,
    value: Option<String>,
}

/// A half-open span of time, open-ended where nothing is given.
#[derive(Debug, Default)]
struct Between {
    from: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl Between {
    fn holds(&self, instant: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= instant) && self.until.is_none_or(|until| instant < until)
    }
}

impl Search {
    /// Takes one parameter of a query; `None` when it is none of these, was given before, or cannot be so.
    pub(super) fn take(&mut self, name: &str, value: &str) -> Option<()> {
        let set = |place: &mut Option<Timestamp>| {
            let given = instant(value)?;
            place.replace(given).is_none().then_some(())
        };
        match name {
            "name" if self.name.is_none() => {
                let fits = !value.is_empty() && value.chars().count() <= MAX_NAME_CHARS;
                self.name = Some(fits.then(|| value.to_lowercase())?);
            }
            "state" if self.state.is_none() => self.state = Some(state(value)?),
            "label" if self.labels.len() < MAX_LABELS => {
                let (key, value) = match value.split_once('=') {
                    Some((key, value)) => (key, Some(value.to_owned())),
                    None => (value, None),
                };
                (!key.is_empty()).then_some(())?;
                let key = key.to_owned();
                self.labels.push(Label { key, value });
            }
            "opensFrom" => set(&mut self.opens.from)?,
            "opensUntil" => set(&mut self.opens.until)?,
            "closesFrom" => set(&mut self.closes.from)?,
            "closesUntil" => set(&mut self.closes.until)?,
            _ => return None,
        }
        Some(())
    }

    /// Whether a coupon is asked for, as it stands at `now`.
    pub(super) fn finds(&self, posted: &Posted, now: Timestamp) -> bool {
        let coupon = &posted.coupon;
        let terms = &coupon.terms;
        let labelled = |label: &Label| {
            let found = terms.labels.get(label.key.as_str());
            found.is_some_and(|found| label.value.as_deref().is_none_or(|value| value == &**found))
        };
        self.opens.holds(terms.window.opens_at())
            && self.closes.holds(terms.window.closes_at())
            && self.labels.iter().all(labelled)
            && self
                .state
                .is_none_or(|state| state == coupon.state(now, posted.issued))
            && self
                .name
                .as_ref()
                .is_none_or(|name| terms.name.to_lowercase().contains(name))
    }
}

/// The state with this written form.
fn state(name: &str) -> Option<coupon_core::CouponState> {
    use coupon_core::CouponState::{Closed, Open, Paused, Scheduled, SoldOut};
    let written = |state: &coupon_core::CouponState| {
        let written = serde_json::to_value(CouponState::from(*state));
        written.is_ok_and(|written| written == name)
    };
    [Closed, Scheduled, Paused, SoldOut, Open]
        .into_iter()
        .find(written)
}
