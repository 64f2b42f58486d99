//! Until when a decision about a command holds.
//!
//! A command is decided here, against facts that were read, and applied by a script a moment later. In between other
//! servers may have issued. If every issue in between made the decision void, nobody could pause a busy sale. So the
//! script is told under which conditions the decision would be the same, and applies it only then.

use coupon_core::{Command, Coupon, Timestamp};

/// The decision is the same as long as these hold, and the revision is the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// At most so many are issued.
    pub(crate) most_issued: Option<u32>,
    /// It is earlier than this.
    pub(crate) before: Option<Timestamp>,
}

impl Bounds {
    /// The bounds of a command that makes `next` of `old`.
    pub(crate) fn of(command: &Command, old: &Coupon, next: &Coupon) -> Self {
        match command {
            Command::Delete => Self {
                most_issued: Some(0),
                before: None,
            },
            Command::Create(_) | Command::Change(_) => {
                let (was, will) = (&old.terms.window, &next.terms.window);
                // The opening can be moved only before it, the end only to what has not passed.
                let opening = (was.opens_at() != will.opens_at()).then(|| was.opens_at());
                let end = (was.closes_at() != will.closes_at()).then(|| will.closes_at());
                Self {
                    most_issued: next.terms.quantity.limit().map(std::num::NonZeroU32::get),
                    before: opening.into_iter().chain(end).min(),
                }
            }
            Command::Pause | Command::Resume | Command::Close => Self::default(),
        }
    }

    /// The bounds of a new coupon.
    pub(crate) fn of_creation(coupon: &Coupon) -> Self {
        Self {
            most_issued: None,
            before: Some(coupon.terms.window.closes_at()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coupon_app::contract::{at, coupon_id, quantity, terms};
    use coupon_core::{Effect, Span, Standing, TermsChange, Validity, Window, decide_command};
    use proptest::prelude::*;

    fn changes() -> impl Strategy<Value = Command> {
        let number = 0..12_u32;
        let instant = prop::option::of(-20..20_i64);
        let change = (prop::option::of(number), instant.clone(), instant, any::<bool>()).prop_map(
            |(count, opens, closes, validity)| {
                Command::Change(Box::new(TermsChange {
                    quantity: count.map(quantity),
                    opens_at: opens.map(at),
                    closes_at: closes.map(at),
                    validity: validity.then(|| Validity::For(Span::from_secs(1))),
                    ..TermsChange::default()
                }))
            },
        );
        prop_oneof![
            6 => change,
            1 => Just(Command::Pause),
            1 => Just(Command::Resume),
            1 => Just(Command::Close),
            1 => Just(Command::Delete),
        ]
    }

    fn coupons() -> impl Strategy<Value = Coupon> {
        let flags = (any::<bool>(), prop::option::of(0..3_i64));
        (0..9_u32, -15..5_i64, 1..20_i64, flags).prop_map(|(count, opens, long, (paused, closed))| {
            let mut wanted = terms(count);
            wanted.window = Window::new(at(opens), at(opens + long)).unwrap();
            let mut coupon = Coupon::create(coupon_id(1), wanted, at(-100)).unwrap();
            coupon.paused = paused;
            coupon.closed_at = closed.map(at);
            coupon
        })
    }

    /// The effect with the times that the script puts in.
    fn dated(effect: Effect, close: bool, now: Timestamp) -> Effect {
        match effect {
            Effect::Unchanged => Effect::Unchanged,
            Effect::Revised(mut coupon) => {
                coupon.revised_at = now;
                if close {
                    coupon.closed_at = Some(now);
                }
                Effect::Revised(coupon)
            }
        }
    }

    proptest! {
        /// A rule in the core that depends on time or issues in a new way makes this fail.
        #[test]
        fn within_its_bounds_a_decision_would_be_made_again(
            old in coupons(),
            command in changes(),
            issued in 0..9_u32,
            more in 0..4_u32,
            clock in -20..20_i64,
            later in 0..9_i64,
        ) {
            let standing = |issued, last| Standing { issued, last_issued_at: last };
            let before = standing(issued, at(-30));
            let decided = decide_command(Some(&old), before, &command, None, at(clock));
            let Ok(Effect::Revised(next)) = decided else { return Ok(()) };
            let bounds = Bounds::of(&command, &old, &next);
            // Others have issued in between, the last of them at the later instant.
            let now = at(clock + later);
            let holds = bounds.most_issued.is_none_or(|most| issued + more <= most)
                && bounds.before.is_none_or(|before| now < before);
            let again = decide_command(Some(&old), standing(issued + more, now), &command, None, now);
            if holds {
                let expected = dated(Effect::Revised(next), matches!(command, Command::Close), now);
                prop_assert_eq!(again, Ok(expected));
            }
        }
    }
}
