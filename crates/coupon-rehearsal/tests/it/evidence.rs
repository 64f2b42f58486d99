//! A small sale without fault, to plant faults in: ten coupons and twenty users who come one after the other. User
//! `n` asks at millisecond `n`; the first ten win, the rest is told sold-out. User 0 asks again and is told the same;
//! user 5's first answer was lost.

use coupon_rehearsal::{
    Attempt, Code, CouponFacts, End, FinalState, FindingKind, Header, History, IssuedCoupon, Outcome,
    PlanFacts, Shape, UserIds, Verdict, audit,
};
use jiff::{SignedDuration, Timestamp};

pub(crate) const MS: u64 = 1_000_000;
pub(crate) const QUANTITY: u64 = 10;
pub(crate) const USERS: u32 = 20;

/// A history and what the server holds, both open to change.
pub(crate) struct Evidence {
    pub(crate) history: History,
    pub(crate) issued: Vec<IssuedCoupon>,
    pub(crate) revision: Option<u64>,
    /// What the server says about issued and remaining; none says what it holds.
    pub(crate) claim: Option<(u64, u64)>,
    /// The positions that the server counts as lost.
    pub(crate) lost: Vec<(u64, u64)>,
    /// Whether answers wait for the store.
    pub(crate) waits_for_the_store: bool,
}

pub(crate) fn clean() -> Evidence {
    let mut evidence = Evidence {
        history: history(),
        issued: Vec::new(),
        revision: Some(1),
        claim: None,
        lost: Vec::new(),
        waits_for_the_store: false,
    };
    for user in 0..USERS {
        if u64::from(user) < QUANTITY {
            evidence.issue(user, u64::from(user) + 1);
        } else {
            evidence.refuse(user, Outcome::SoldOut);
        }
    }
    let again = Attempt {
        outcome: Outcome::AlreadyIssued,
        status: 409,
        ..evidence.history.attempts[0].clone()
    };
    evidence.push(at(again, 30 * MS));
    evidence.history.attempts[5].outcome = Outcome::AlreadyIssued;
    let lost = refusal(5, Outcome::Unknown);
    evidence.push(Attempt {
        sent_ns: 5 * MS + 1,
        answered_ns: 5 * MS + 2,
        ..lost
    });
    evidence
}

fn history() -> History {
    let facts = CouponFacts {
        id: 1,
        quantity: Some(QUANTITY),
        opens_at: start(),
        closes_at: start() + SignedDuration::from_secs(60),
        revision: Some(1),
        issued: 0,
    };
    let plan = PlanFacts {
        users: USERS,
        asks: 21,
        duration_ms: 30,
        shape: Shape::Even,
        duplicate_share: 0.05,
        connections: 4,
        seed: 1,
    };
    let header = Header {
        history: 1,
        started_at: start(),
        base_url: "http://127.0.0.1:1".to_owned(),
        more_urls: Vec::new(),
        user_prefix: UserIds::of_run(7),
        coupon: facts,
        plan,
    };
    History {
        header,
        attempts: Vec::new(),
        faults: Vec::new(),
        end: Some(End {
            sent: 0,
            never_sent: 0,
            ended_ns: 0,
        }),
    }
}

pub(crate) fn start() -> Timestamp {
    "2026-11-20T10:00:00Z".parse().unwrap()
}

/// The time of issue of a position: a millisecond each.
pub(crate) fn issued_at(position: u64) -> Timestamp {
    start() + SignedDuration::from_millis(i64::try_from(position).unwrap())
}

/// The code of a user, whatever their position.
pub(crate) fn code(user: u32) -> String {
    format!("CODE-{user:04}")
}

/// An attempt of this user at their own time, with a refusal or a failure for an answer.
pub(crate) fn refusal(user: u32, outcome: Outcome) -> Attempt {
    let attempt = Attempt {
        user,
        intended_ns: 0,
        sent_ns: 0,
        answered_ns: 0,
        status: 410,
        outcome,
        position: None,
        issued_at_us: None,
        code: None,
        note: None,
    };
    at(attempt, u64::from(user) * MS)
}

/// The same attempt at another time.
pub(crate) fn at(attempt: Attempt, sent_ns: u64) -> Attempt {
    Attempt {
        intended_ns: sent_ns,
        sent_ns: sent_ns + 10,
        answered_ns: sent_ns + MS / 2,
        ..attempt
    }
}

impl Evidence {
    /// The user wins this position, and the server holds it.
    pub(crate) fn issue(&mut self, user: u32, position: u64) {
        self.answer_issued(user, position);
        self.hold(user, position);
    }

    /// The user is told this position.
    pub(crate) fn answer_issued(&mut self, user: u32, position: u64) {
        self.push(Attempt {
            status: 201,
            position: Some(position),
            issued_at_us: Some(issued_at(position).as_microsecond()),
            code: Code::parse(&code(user)),
            ..refusal(user, Outcome::Issued)
        });
    }

    /// The server holds this position for the user.
    pub(crate) fn hold(&mut self, user: u32, position: u64) {
        let name = self.history.header.user_prefix.name(user);
        self.hold_for(&name, &code(user), position);
    }

    pub(crate) fn hold_for(&mut self, user_id: &str, code: &str, position: u64) {
        self.issued.push(IssuedCoupon {
            id: Some(format!("1-{position}")),
            user_id: user_id.to_owned(),
            position,
            code: code.to_owned(),
            issued_at: issued_at(position),
        });
    }

    pub(crate) fn refuse(&mut self, user: u32, outcome: Outcome) {
        self.push(refusal(user, outcome));
    }

    pub(crate) fn push(&mut self, attempt: Attempt) {
        self.history.attempts.push(attempt);
        if let Some(end) = &mut self.history.end {
            end.sent += 1;
        }
    }

    /// Forgets what was told to the user and what they hold.
    pub(crate) fn without(mut self, user: u32) -> Self {
        let name = self.history.header.user_prefix.name(user);
        self.history.attempts.retain(|attempt| attempt.user != user);
        self.issued.retain(|issued| issued.user_id != name);
        if let Some(end) = &mut self.history.end {
            end.sent = u64::try_from(self.history.attempts.len()).unwrap();
        }
        self
    }

    pub(crate) fn attempt(&mut self, user: u32) -> &mut Attempt {
        self.history
            .attempts
            .iter_mut()
            .find(|attempt| attempt.user == user)
            .unwrap()
    }

    pub(crate) fn verdict(&self) -> Verdict {
        let mut state = FinalState::gather(&self.history.header, self.issued.clone());
        let held = state.issued();
        let left = self
            .history
            .header
            .coupon
            .quantity
            .map(|quantity| quantity.saturating_sub(held));
        match self.claim {
            Some((issued, remaining)) => state.claim("the coupon", Some(issued), Some(remaining)),
            None => state.claim("the coupon", Some(held), left),
        }
        state.revision(self.revision);
        state.lost(self.lost.iter().copied());
        if self.waits_for_the_store {
            state.waits_for_the_store();
        }
        audit(&self.history, &state)
    }

    /// The kinds of everything that was found.
    pub(crate) fn found(&self) -> Vec<FindingKind> {
        self.verdict().findings().map(|finding| finding.kind).collect()
    }
}
