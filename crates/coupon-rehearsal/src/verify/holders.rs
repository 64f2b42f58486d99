//! I2, I3 and I4: who holds a coupon, against who was told so and who asked.

use std::collections::HashSet;

use super::case::{Asked, Case};
use super::findings::{Check, FindingKind, Invariant};
use super::state::{Holder, Holding};
use crate::history::Attempt;
use crate::numbers::{counted, grouped};
use crate::outcome::Outcome;

/// I2.
pub(super) fn one_per_user(case: &Case<'_>) -> Check {
    let holders = case.users.iter().filter(|user| user.holds > 0).count();
    let mut check = Check::of(Invariant::I2).with_evidence(format!(
        "{} issued coupons, {} holders of the rehearsal",
        counted(case.holdings.len()),
        counted(holders)
    ));
    for (user, asked) in case.numbered_users() {
        if asked.holds > 1 {
            check.note_many(FindingKind::DuplicateUser, u64::from(asked.holds - 1), || {
                format!("{} holds {} coupons", case.name(user), asked.holds)
            });
        } else if asked.won > 1 {
            check.note(FindingKind::IssuedTwice, || {
                format!("{} was told \"issued\" {} times", case.name(user), asked.won)
            });
        }
    }
    let mut others = HashSet::new();
    for holding in &case.holdings {
        if let Holder::Other(id) = &holding.holder
            && !others.insert(id)
        {
            check.note(FindingKind::DuplicateUser, || {
                format!("{id:?} holds more than one coupon")
            });
        }
    }
    check
}

/// I3.
pub(super) fn kept(case: &Case<'_>) -> Check {
    let mut check = Check::of(Invariant::I3);
    let mut acknowledged = 0_u64;
    let (mut reported_lost, mut named) = (HashSet::new(), HashSet::new());
    for attempt in &case.history.attempts {
        let Some(position) = attempt.position else {
            continue;
        };
        acknowledged += 1;
        let held = case
            .at(position)
            .find(|holding| holding.holder == Holder::Own(attempt.user));
        if let Some(holding) = held {
            compare(case, &mut check, attempt, holding);
        } else if case.is_lost(attempt) {
            if named.insert((attempt.user, position)) {
                check.remark(FindingKind::LostAndCounted, 1, || {
                    let now = match case.users[attempt.user as usize].held_position {
                        0 => "nothing".to_owned(),
                        other => format!("position {other}"),
                    };
                    format!(
                        "{} was told position {position}, which was lost with the ledger's state, and holds {now}",
                        case.name(attempt.user)
                    )
                });
            }
        } else if case.users[attempt.user as usize].holds > 0 {
            check.note(FindingKind::PositionChanged, || {
                format!(
                    "{} was told position {position} and holds another",
                    case.name(attempt.user)
                )
            });
        } else if reported_lost.insert(attempt.user) {
            check.note(FindingKind::LostAcknowledgement, || {
                format!(
                    "{} was told position {position} and holds nothing",
                    case.name(attempt.user)
                )
            });
        }
    }
    check.with_evidence(format!(
        "{} acknowledgements compared with what is held",
        grouped(acknowledged)
    ))
}

fn compare(case: &Case<'_>, check: &mut Check, attempt: &Attempt, holding: &Holding) {
    let position = holding.position;
    // A strange code in the final state is I5's to report.
    if holding.code.is_some() && attempt.code != holding.code {
        check.note(FindingKind::DetailsChanged, || {
            format!(
                "position {position} of {} has another code than was told",
                case.name(attempt.user)
            )
        });
    }
    if attempt.issued_at_us != Some(holding.issued_at_us) {
        check.note(FindingKind::DetailsChanged, || {
            format!(
                "position {position} of {} has another time of issue than was told",
                case.name(attempt.user)
            )
        });
    }
}

/// I4. Holders who were refused are I7's to report.
pub(super) fn asked_for(case: &Case<'_>) -> Check {
    let mut check = Check::of(Invariant::I4);
    let mut looked_at = 0_u64;
    for holding in case.holdings.iter().filter(|holding| !case.is_older(holding)) {
        looked_at += 1;
        let position = holding.position;
        match &holding.holder {
            Holder::Own(user) => {
                note_uncalled_for(case, &mut check, position, *user, &case.users[*user as usize]);
            }
            Holder::Other(id) => check.note(FindingKind::PhantomIssue, || {
                format!("position {position} is held by {id:?}, who is no user of this rehearsal")
            }),
        }
    }
    check.with_evidence(format!(
        "{} issued coupons traced back to a request",
        grouped(looked_at)
    ))
}

fn note_uncalled_for(case: &Case<'_>, check: &mut Check, position: u64, user: u32, asked: &Asked) {
    let refused = asked.was_told(Outcome::SoldOut) || asked.was_told(Outcome::Closed);
    if asked.attempts == 0 {
        check.note(FindingKind::PhantomIssue, || {
            format!(
                "position {position} is held by {}, who never asked",
                case.name(user)
            )
        });
    } else if !asked.may_have_issued() && !refused {
        check.note(FindingKind::SilentEffect, || {
            format!(
                "position {position} is held by {}, who was only told that nothing happened",
                case.name(user)
            )
        });
    }
}
