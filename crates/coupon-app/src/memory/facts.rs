//! What the reference ledger knows, and the one way in which a record changes it.
//!
//! A decision is turned into a record and the record is applied; recovery applies the same records again. So the
//! state after a replay is the state before it.

use crate::{
    Board, CommandOutcome, CommandRequest, CommandToken, IssueRequest, IssuedRecord, Look, Record, Restore,
    RevisedRecord, Seen, limits,
};
use coupon_core::{
    Command, CommandRefusal, Coupon, CouponId, Effect, Grant, Held, Outcome, Span, Standing, Timestamp,
    UserId, decide, decide_command,
};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

#[derive(Debug, Default)]
pub(super) struct Facts {
    coupons: BTreeMap<CouponId, CouponFacts>,
    /// Commands that carried a token and changed something, oldest first.
    tokens: Vec<(CommandToken, RevisedRecord)>,
}

#[derive(Debug)]
struct CouponFacts {
    coupon: Coupon,
    standing: Standing,
    held: HashMap<UserId, Held>,
    in_order: Vec<(UserId, Grant)>,
}

impl Facts {
    /// Decides an issue; the record is to be applied before the next request is decided.
    pub(super) fn issue(&self, request: IssueRequest, clock: Timestamp) -> (Outcome, Option<Record>) {
        let facts = self.coupons.get(&request.coupon);
        let outcome = decide(
            facts.map(|facts| &facts.coupon),
            facts.map_or(Standing::NONE, |facts| facts.standing),
            facts.and_then(|facts| facts.held.get(&request.user)).copied(),
            request.key,
            clock,
        );
        let record = if let Outcome::Issued(grant) = outcome {
            Some(Record::Issued(IssuedRecord {
                coupon: request.coupon,
                user: request.user,
                grant,
                key: request.key,
            }))
        } else {
            None
        };
        (outcome, record)
    }

    /// Decides a command; the record is to be applied before the next request is decided.
    pub(super) fn command(
        &self,
        request: CommandRequest,
        clock: Timestamp,
    ) -> (CommandOutcome, Option<Record>) {
        if let Some(answer) = request.token.and_then(|token| self.replay(token, clock)) {
            return (answer, None);
        }
        let facts = request.coupon.and_then(|id| self.coupons.get(&id));
        let standing = facts.map_or(Standing::NONE, |facts| facts.standing);
        let effect = match (request.command, request.coupon) {
            (Command::Create(terms), None) => self
                .next_id()
                .ok_or(CommandRefusal::IdsExhausted)
                .and_then(|id| Coupon::create(id, *terms, clock))
                .map(|coupon| Effect::Revised(Box::new(coupon))),
            (command, _) => decide_command(
                facts.map(|facts| &facts.coupon),
                standing,
                &command,
                request.if_match,
                clock,
            ),
        };
        let issued = standing.issued;
        match (effect, facts) {
            (Err(refusal), _) => (CommandOutcome::Refused(refusal), None),
            (Ok(Effect::Unchanged), None) => (CommandOutcome::Refused(CommandRefusal::UnknownCoupon), None),
            (Ok(Effect::Unchanged), Some(facts)) => {
                let answer = CommandOutcome::Done {
                    coupon: Arc::new(facts.coupon.clone()),
                    issued,
                    decided_at: standing.judged_time(clock).max(facts.coupon.revised_at),
                    replayed: false,
                };
                (answer, None)
            }
            (Ok(Effect::Revised(coupon)), _) => {
                let record = RevisedRecord {
                    coupon: *coupon,
                    issued,
                    lost: 0,
                    actor: request.actor,
                    token: request.token,
                };
                (done(&record, false), Some(Record::Revised(Box::new(record))))
            }
        }
    }

    /// The answer that a live token was given before.
    fn replay(&self, token: CommandToken, clock: Timestamp) -> Option<CommandOutcome> {
        let (first, record) = self
            .tokens
            .iter()
            .rfind(|(first, record)| first.scope == token.scope && lives(record, clock))?;
        if first.payload == token.payload {
            Some(done(record, true))
        } else {
            Some(CommandOutcome::TokenReused)
        }
    }

    fn next_id(&self) -> Option<CouponId> {
        self.coupons
            .last_key_value()
            .map_or(Some(CouponId::FIRST), |(last, _)| last.next())
    }

    /// Answers a look.
    pub(super) fn look(&self, look: Look) -> Seen {
        match look {
            Look::Holder { user, coupons } => Seen::Holder(
                coupons
                    .into_iter()
                    .filter_map(|id| Some((id, self.coupons.get(&id)?.held.get(&user)?.grant)))
                    .collect(),
            ),
            Look::Positions { coupon, after, limit } => {
                let in_order = self.coupons.get(&coupon).map(|facts| facts.in_order.iter());
                let asked = in_order
                    .into_iter()
                    .flatten()
                    .filter(|(_, grant)| grant.position.get() > after);
                Seen::Positions(asked.take(limit).cloned().collect())
            }
            Look::Coupon(id) => Seen::Coupon(
                self.coupons
                    .get(&id)
                    .filter(|facts| !facts.coupon.deleted)
                    .map(|facts| (Arc::new(facts.coupon.clone()), facts.standing.issued)),
            ),
        }
    }

    /// Makes a record a fact.
    pub(super) fn apply(&mut self, record: Record) {
        match record {
            Record::Issued(issued) => self.issued(issued),
            Record::Revised(revised) => {
                self.coupon(revised.coupon.clone());
                if let Some(token) = revised.token {
                    self.token(*revised, token);
                }
            }
        }
    }

    /// Posts everything on a board. `stored` says which of it the store has.
    pub(super) fn post(&self, board: &Board, stored: bool) {
        for id in self.coupons.keys() {
            self.post_coupon(board, *id);
            if stored {
                board.post_stored(*id, self.coupons[id].standing.issued);
            }
        }
    }

    /// Posts one coupon on a board.
    pub(super) fn post_coupon(&self, board: &Board, id: CouponId) {
        let Some(facts) = self.coupons.get(&id) else {
            return;
        };
        board.post_coupon(&Arc::new(facts.coupon.clone()));
        if let (Some((_, first)), Some((_, last))) = (facts.in_order.first(), facts.in_order.last()) {
            board.post_issued(id, facts.standing.issued, first.issued_at, last.issued_at);
        }
    }
}

impl Restore for Facts {
    fn coupon(&mut self, coupon: Coupon) {
        match self.coupons.get_mut(&coupon.id) {
            Some(facts) => facts.coupon = coupon,
            None => {
                let facts = CouponFacts {
                    coupon,
                    standing: Standing::NONE,
                    held: HashMap::new(),
                    in_order: Vec::new(),
                };
                self.coupons.insert(facts.coupon.id, facts);
            }
        }
    }

    fn issued(&mut self, record: IssuedRecord) {
        let facts = self
            .coupons
            .get_mut(&record.coupon)
            .expect("a coupon comes before its issues");
        facts.standing = facts.standing.after(record.grant);
        facts.in_order.push((record.user.clone(), record.grant));
        let held = Held {
            grant: record.grant,
            key: record.key,
        };
        facts.held.insert(record.user, held);
    }

    fn token(&mut self, record: RevisedRecord, token: CommandToken) {
        // Forgetting is judged by the records alone, as the store does, so that a recovery forgets the same.
        let now = record.coupon.revised_at;
        self.tokens.retain(|(_, earlier)| lives(earlier, now));
        self.tokens.push((token, record));
        if self.tokens.len() > limits::MAX_COMMAND_TOKENS {
            self.tokens.remove(0);
        }
    }
}

/// The answer to the command that made this record.
fn done(record: &RevisedRecord, replayed: bool) -> CommandOutcome {
    CommandOutcome::Done {
        coupon: Arc::new(record.coupon.clone()),
        issued: record.issued,
        decided_at: record.coupon.revised_at,
        replayed,
    }
}

/// Whether a token that came with this record still counts.
pub(super) fn lives(record: &RevisedRecord, now: Timestamp) -> bool {
    let life = Span::from_micros(limits::COMMAND_TOKEN_LIFE_US).expect("a day is not negative");
    now < record.coupon.revised_at.saturating_add(life)
}
