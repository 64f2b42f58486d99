//! The evidence, laid out: what each user was told, what each user holds, and what was told but is not there.

use super::state::{FinalState, Holder, Holding};
use crate::history::{Attempt, History};
use crate::outcome::Outcome;

/// A history and a final state, indexed by user and by position.
pub(super) struct Case<'a> {
    pub(super) history: &'a History,
    pub(super) state: &'a FinalState,
    /// By user number.
    pub(super) users: Vec<Asked>,
    /// By position, those with the same position in the order in which they came.
    pub(super) holdings: Vec<&'a Holding>,
    /// The positions that were acknowledged to users who hold nothing, sorted; one per such user.
    pub(super) lost: Vec<u64>,
}

/// What one user did and was told. Times are nanoseconds since the start of the load.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    /// Attempts of any kind.
    pub(super) attempts: u32,
    /// A bit for each outcome that the user was given.
    told: u16,
    /// How often the answer was "issued".
    pub(super) won: u16,
    /// When the attempt that was answered "issued" was sent; the end of time if none was.
    won_sent_ns: u64,
    /// When the first attempt that may have issued was sent; the end of time if none may.
    may_have_sent_ns: u64,
    /// When the user first knew of holding a coupon; the end of time if never.
    pub(super) known_ns: u64,
    /// When the last attempt with unknown outcome was given up.
    doubt_ns: Option<u64>,
    /// When the last attempt with a definite answer was sent.
    definite_sent_ns: Option<u64>,
    /// How many coupons the user holds.
    pub(super) holds: u32,
    /// The position of one of these; 0 for none.
    pub(super) held_position: u64,
    /// Whether the user was told a position that the server counts as lost. Such an answer says nothing of what the
    /// user holds now, and somebody who asks again may win again.
    lost: bool,
}

const NEVER: u64 = u64::MAX;

impl Asked {
    const NOTHING: Self = Self {
        attempts: 0,
        told: 0,
        won: 0,
        won_sent_ns: NEVER,
        may_have_sent_ns: NEVER,
        known_ns: NEVER,
        doubt_ns: None,
        definite_sent_ns: None,
        holds: 0,
        held_position: 0,
        lost: false,
    };

    fn take(&mut self, attempt: &Attempt, lost: bool) {
        let outcome = attempt.outcome;
        self.attempts += 1;
        if lost {
            self.lost = true;
            self.definite_sent_ns = self.definite_sent_ns.max(Some(attempt.sent_ns));
            return;
        }
        self.told |= 1 << outcome.index();
        if outcome.may_have_issued() {
            self.may_have_sent_ns = self.may_have_sent_ns.min(attempt.sent_ns);
        }
        if outcome == Outcome::Issued {
            self.won = self.won.saturating_add(1);
            self.won_sent_ns = self.won_sent_ns.min(attempt.sent_ns);
        }
        if matches!(outcome, Outcome::Issued | Outcome::AlreadyIssued) {
            self.known_ns = self.known_ns.min(attempt.answered_ns);
        }
        if outcome == Outcome::Unknown {
            self.doubt_ns = self.doubt_ns.max(Some(attempt.answered_ns));
        } else if outcome == Outcome::Issued || outcome.is_refusal() {
            self.definite_sent_ns = self.definite_sent_ns.max(Some(attempt.sent_ns));
        }
    }

    /// Whether the user was ever given this outcome.
    pub(super) fn was_told(&self, outcome: Outcome) -> bool {
        self.told & (1 << outcome.index()) != 0
    }

    /// Whether the user's wish counts against the stock: it was granted, or refused for want of stock.
    pub(super) fn wanted_stock(&self) -> bool {
        self.was_told(Outcome::Issued)
            || self.was_told(Outcome::AlreadyIssued)
            || self.was_told(Outcome::SoldOut)
            || self.lost
    }

    /// Whether some answer leaves room for an effect.
    pub(super) fn may_have_issued(&self) -> bool {
        self.may_have_sent_ns != NEVER
    }

    /// The earliest moment at which the user's issue can have been decided: when the attempt that won was sent, or
    /// the first one that may have won.
    pub(super) fn earliest_decision_ns(&self) -> Option<u64> {
        let sent_ns = if self.won == 1 {
            self.won_sent_ns
        } else {
            self.may_have_sent_ns
        };
        (sent_ns != NEVER).then_some(sent_ns)
    }

    /// Whether an unknown outcome was never cleared up. A holder, a sold-out and a closed answer stay true whenever
    /// they were given; any other refusal clears up only what was given up before it was asked for.
    pub(super) fn is_in_doubt(&self) -> bool {
        let Some(doubt_ns) = self.doubt_ns else {
            return false;
        };
        let final_words = [
            Outcome::Issued,
            Outcome::AlreadyIssued,
            Outcome::SoldOut,
            Outcome::Closed,
        ];
        !final_words.into_iter().any(|outcome| self.was_told(outcome))
            && self.definite_sent_ns.is_none_or(|sent_ns| sent_ns < doubt_ns)
    }

    pub(super) fn was_in_doubt(&self) -> bool {
        self.doubt_ns.is_some()
    }
}

impl<'a> Case<'a> {
    pub(super) fn open(history: &'a History, state: &'a FinalState) -> Self {
        let mut users = vec![Asked::NOTHING; history.header.plan.users as usize];
        let mut holdings: Vec<&Holding> = state.holdings.iter().collect();
        holdings.sort_by_key(|holding| holding.position);
        for attempt in &history.attempts {
            users[attempt.user as usize].take(attempt, is_lost(state, &holdings, attempt));
        }
        for holding in &holdings {
            if let Holder::Own(user) = holding.holder {
                let user = &mut users[user as usize];
                user.holds += 1;
                user.held_position = holding.position;
            }
        }
        let lost = lost_positions(history, &users);
        Self {
            history,
            state,
            users,
            holdings,
            lost,
        }
    }

    /// The user id of a number, for examples.
    pub(super) fn name(&self, user: u32) -> String {
        self.history.header.user_prefix.name(user)
    }

    /// The holder's user id, for examples.
    pub(super) fn holder(&self, holding: &Holding) -> String {
        match &holding.holder {
            Holder::Own(user) => self.name(*user),
            Holder::Other(id) => format!("{id:?}"),
        }
    }

    /// Holdings of a position.
    pub(super) fn at(&self, position: u64) -> impl Iterator<Item = &'a Holding> + '_ {
        at(&self.holdings, position)
    }

    /// Whether the server counts this position as lost.
    pub(super) fn counts_as_lost(&self, position: u64) -> bool {
        counts_as_lost(self.state, position)
    }

    /// Whether what this attempt was told is lost, and the coupon's promise allows that as long as it is counted.
    pub(super) fn is_lost(&self, attempt: &Attempt) -> bool {
        is_lost(self.state, &self.holdings, attempt)
    }

    /// How many positions from `from` up to, and without, `to` the server counts as lost.
    pub(super) fn counted_lost(&self, from: u64, to: u64) -> u64 {
        let within = |(first, last): &(u64, u64)| {
            let (first, end) = (from.max(*first), to.min(last.saturating_add(1)));
            end.saturating_sub(first)
        };
        self.state.lost.iter().map(within).sum()
    }

    /// Whether this position was given after positions had been lost: what they had taken of the stock was there again,
    /// also after somebody had been told "sold out".
    pub(super) fn is_after_a_loss(&self, position: u64) -> bool {
        self.state
            .lost
            .first()
            .is_some_and(|(first, _)| *first < position)
    }

    /// Whether it was there before the rehearsal began.
    pub(super) fn is_older(&self, holding: &Holding) -> bool {
        holding.position <= self.history.header.coupon.issued
    }

    /// Each user with what they did and were told.
    pub(super) fn numbered_users(&self) -> impl Iterator<Item = (u32, &Asked)> {
        (0..).zip(&self.users)
    }
}

/// Holdings of a position, of all in order of position.
fn at<'a, 'h>(holdings: &'h [&'a Holding], position: u64) -> impl Iterator<Item = &'a Holding> + use<'a, 'h> {
    let first = holdings.partition_point(|holding| holding.position < position);
    holdings[first..]
        .iter()
        .copied()
        .take_while(move |holding| holding.position == position)
}

fn counts_as_lost(state: &FinalState, position: u64) -> bool {
    let after = state.lost.partition_point(|(first, _)| *first <= position);
    after
        .checked_sub(1)
        .is_some_and(|last| position <= state.lost[last].1)
}

fn is_lost(state: &FinalState, holdings: &[&Holding], attempt: &Attempt) -> bool {
    let own = |holding: &Holding| holding.holder == Holder::Own(attempt.user);
    !state.waits_for_the_store
        && attempt
            .position
            .is_some_and(|position| counts_as_lost(state, position) && !at(holdings, position).any(own))
}

/// Only the first acknowledgement of each user counts.
fn lost_positions(history: &History, users: &[Asked]) -> Vec<u64> {
    let mut counted = vec![false; users.len()];
    let mut lost = Vec::new();
    for attempt in &history.attempts {
        let user = attempt.user as usize;
        if let Some(position) = attempt.position
            && users[user].holds == 0
            && !std::mem::replace(&mut counted[user], true)
        {
            lost.push(position);
        }
    }
    lost.sort_unstable();
    lost
}
