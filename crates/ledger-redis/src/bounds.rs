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
