//! What administrators may do to a coupon, decided where issues are decided.

use crate::{Coupon, CouponId, Field, Revision, Rule, Standing, Terms, TermsChange, Timestamp, Violation};

/// A command to the ledger, ordered with the issues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Publish a new coupon.
    Create(Box<Terms>),
    /// Change terms.
    Change(Box<TermsChange>),
    /// Refuse issues until resumed.
    Pause,
    /// Issue again.
    Resume,
    /// End issuing for good.
    Close,
    /// Take it back as if it had never been, while nothing is issued.
    Delete,
}

/// What a permitted command makes of the coupon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A new revision, to be made durable.
    Revised(Box<Coupon>),
    /// It was so already; nothing changes.
    Unchanged,
}

/// Why a command changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandRefusal {
    /// There is no such coupon.
    UnknownCoupon,
    /// The caller knew another revision than the present one.
    Stale {
        /// The present one.
        revision: Revision,
    },
    /// The quantity cannot go below what is issued.
    BelowIssued {
        /// How many are issued.
        issued: u32,
    },
    /// `opensAt` changes only before the opening.
    AlreadyOpened,
    /// The coupon has been closed for good.
    Closed,
    /// Only a coupon of which nothing is issued can be deleted.
    HasIssues {
        /// How many are issued.
        issued: u32,
    },
    /// Values that may not be.
    Invalid(Vec<Violation>),
    /// No coupon id is left.
    IdsExhausted,
}

/// Decides a command other than [`Command::Create`], which needs no coupon: see [`Coupon::create`].
///
/// `if_match` is the revision that the caller believes to be the present one.
pub fn decide_command(
    coupon: Option<&Coupon>,
    standing: Standing,
    command: &Command,
    if_match: Option<Revision>,
    clock: Timestamp,
) -> Result<Effect, CommandRefusal> {
    let coupon = coupon
        .filter(|coupon| !coupon.deleted)
        .ok_or(CommandRefusal::UnknownCoupon)?;
    if if_match.is_some_and(|revision| revision != coupon.revision) {
        return Err(CommandRefusal::Stale {
            revision: coupon.revision,
        });
    }
    let now = standing.judged_time(clock).max(coupon.revised_at);
    let closed = coupon.closed_at.is_some();
    let mut next = coupon.clone();
    match command {
        Command::Create(_) => return Err(CommandRefusal::UnknownCoupon),
        Command::Change(change) => next.terms = change_terms(coupon, standing, change, now)?,
        Command::Pause | Command::Resume if closed => return Err(CommandRefusal::Closed),
        Command::Pause => next.paused = true,
        Command::Resume => next.paused = false,
        Command::Close if closed => {}
        Command::Close => next.closed_at = Some(now),
        Command::Delete if standing.issued > 0 => {
            return Err(CommandRefusal::HasIssues {
                issued: standing.issued,
            });
        }
        Command::Delete => next.deleted = true,
    }
    if next == *coupon {
        return Ok(Effect::Unchanged);
    }
    next.revision += 1;
    next.revised_at = now;
    Ok(Effect::Revised(Box::new(next)))
}

fn change_terms(
    coupon: &Coupon,
    standing: Standing,
    change: &TermsChange,
    now: Timestamp,
) -> Result<Terms, CommandRefusal> {
    let terms = &coupon.terms;
    if moves(change.opens_at, terms.window.opens_at()) && terms.window.has_opened(now) {
        return Err(CommandRefusal::AlreadyOpened);
    }
    if moves(change.closes_at, terms.window.closes_at()) && coupon.closed_at.is_some() {
        return Err(CommandRefusal::Closed);
    }
    let next = terms.changed_at(change, now).map_err(CommandRefusal::Invalid)?;
    if next
        .quantity
        .limit()
        .is_some_and(|limit| limit.get() < standing.issued)
    {
        return Err(CommandRefusal::BelowIssued {
            issued: standing.issued,
        });
    }
    Ok(next)
}

fn moves(new: Option<Timestamp>, old: Timestamp) -> bool {
    new.is_some_and(|new| new != old)
}

impl Terms {
    /// These terms after a change at `now`, or every field of it that is wrong.
    pub fn changed_at(&self, change: &TermsChange, now: Timestamp) -> Result<Self, Vec<Violation>> {
        let mut wrong = Vec::new();
        if moves(change.closes_at, self.window.closes_at())
            && change.closes_at.is_some_and(|closes_at| closes_at <= now)
        {
            wrong.push(Violation::new(Field::ClosesAt, Rule::InThePast));
        }
        match self.changed_by(change) {
            Ok(next) => {
                wrong.extend(next.violations());
                if wrong.is_empty() { Ok(next) } else { Err(wrong) }
            }
            Err(violation) => {
                if wrong.is_empty() {
                    wrong.push(violation);
                }
                wrong.extend(violations_beside_the_window(self, change));
                Err(wrong)
            }
        }
    }
}

/// What else is wrong with a change whose window cannot be. A validity that must reach the window's end cannot be
/// judged then.
fn violations_beside_the_window(terms: &Terms, change: &TermsChange) -> Vec<Violation> {
    let the_rest = TermsChange {
        opens_at: None,
        closes_at: None,
        ..change.clone()
    };
    let mut wrong = terms
        .changed_by(&the_rest)
        .map_or_else(|violation| vec![violation], |next| next.violations());
    wrong.retain(|one| one.field != Field::ExpiresAt);
    wrong
}

impl Coupon {
    /// The first revision of a new coupon. Terms are checked again against the ledger's clock, because they may have
    /// waited in a queue.
    pub fn create(id: CouponId, terms: Terms, clock: Timestamp) -> Result<Self, CommandRefusal> {
        let mut wrong = terms.violations();
        if terms.window.has_closed(clock) {
            wrong.push(Violation::new(Field::ClosesAt, Rule::InThePast));
        }
        if !wrong.is_empty() {
            return Err(CommandRefusal::Invalid(wrong));
        }
        Ok(Self {
            id,
            revision: 1,
            terms,
            paused: false,
            closed_at: None,
            deleted: false,
            created_at: clock,
            revised_at: clock,
        })
    }
}
