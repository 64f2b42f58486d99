//! The ledger's memory: every coupon, how far it is issued and to whom. Deciding and remembering, without I/O.

use crate::members::Members;
use coupon_app::limits::{COMMAND_TOKEN_LIFE_US, MAX_COMMAND_TOKENS};
use coupon_app::{
    CommandOutcome, CommandRequest, CommandToken, IssueRequest, IssuedRecord, Look, Record, Restore,
    RevisedRecord, Seen,
};
use coupon_core::{
    Command, CommandRefusal, Coupon, CouponId, Effect, Grant, Held, Outcome, Position, Standing, Timestamp,
    UserId, Validity, decide, decide_command,
};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

/// So many users ahead the members' index is read before it is needed: enough for the reads to wait together, few enough
/// to stay near.
pub(crate) const FORESIGHT: usize = 64;

/// A durable record that contradicts what came before it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the records contradict each other: {0}")]
pub struct Contradiction(String);

/// Everything the ledger knows.
#[derive(Debug, Default)]
pub(crate) struct Books {
    coupons: BTreeMap<CouponId, Book>,
    tokens: Tokens,
    /// Keyed afresh in every process, so that nobody can choose ids that collide.
    hasher: RandomState,
    /// Issues from the store that are not yet entered: some at a time can be foreseen.
    arriving: Vec<IssuedRecord>,
    /// The first contradiction that the store's rows showed while they were loaded.
    contradiction: Option<Contradiction>,
}

/// One coupon.
#[derive(Debug)]
pub(crate) struct Book {
    pub(crate) coupon: Arc<Coupon>,
    pub(crate) standing: Standing,
    pub(crate) first_issued_at: Timestamp,
    members: Members,
    runs: Vec<Run>,
}

/// Positions from `from` on have this validity, until the next run.
#[derive(Clone, Copy, Debug)]
struct Run {
    from: u32,
    validity: Validity,
}

impl Book {
    fn new(coupon: Coupon) -> Self {
        Self {
            coupon: Arc::new(coupon),
            standing: Standing::NONE,
            first_issued_at: Timestamp::MIN,
            members: Members::default(),
            runs: Vec::new(),
        }
    }

    fn held(&self, user: &UserId, hash: u32) -> Option<Held> {
        let member = self.members.get(user, hash)?;
        Some(Held {
            grant: self.grant(member.position, member.issued_at),
            key: member.key,
        })
    }

    fn grant(&self, position: Position, issued_at: Timestamp) -> Grant {
        let run = self.runs.partition_point(|run| run.from <= position.get());
        let validity = self.runs[run.saturating_sub(1)].validity;
        Grant {
            position,
            issued_at,
            expires_at: validity.expires_at(issued_at),
        }
    }

    fn issue(&mut self, user: &UserId, hash: u32, grant: Grant, key: Option<coupon_core::KeyHash>) {
        if self.members.count() == 0 {
            self.first_issued_at = grant.issued_at;
        }
        self.note_validity(grant);
        self.members.push(user, hash, grant.issued_at, key);
        self.standing = self.standing.after(grant);
    }

    /// Remembers when this issue expires, in the run it continues if it can. A grant says only the instant; whether
    /// that was fixed or counted from the issue shows in the next one, so a run of one is open to both readings.
    fn note_validity(&mut self, grant: Grant) {
        let position = grant.position.get();
        let explains = |validity: Validity| validity.expires_at(grant.issued_at) == grant.expires_at;
        let Some(last) = self.runs.last().copied() else {
            self.runs.push(Run {
                from: position,
                validity: self.reading(grant),
            });
            return;
        };
        if explains(last.validity) {
            return;
        }
        let first_of_run = self
            .members
            .at(last.from)
            .map(|member| last.validity.expires_at(member.issued_at));
        if position == last.from + 1 && first_of_run == Some(grant.expires_at) {
            self.runs.pop();
            self.runs.push(Run {
                from: last.from,
                validity: Validity::Until(grant.expires_at),
            });
            return;
        }
        self.runs.push(Run {
            from: position,
            validity: self.reading(grant),
        });
    }

    fn reading(&self, grant: Grant) -> Validity {
        let promised = self.coupon.terms.validity;
        if promised.expires_at(grant.issued_at) == grant.expires_at {
            return promised;
        }
        let length = grant.expires_at.as_micros() - grant.issued_at.as_micros();
        coupon_core::Span::from_micros(length).map_or(Validity::Until(grant.expires_at), Validity::For)
    }
}

impl Books {
    /// A coupon's book.
    pub(crate) fn book(&self, coupon: CouponId) -> Option<&Book> {
        self.coupons.get(&coupon)
    }

    /// Every book in order of id.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Book> {
        self.coupons.values()
    }

    /// The 32 bits of a user's hash that the members' index keeps.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the low half of the hash is what is wanted"
    )]
    fn hash(&self, user: &UserId) -> u32 {
        self.hasher.hash_one(user.as_bytes()) as u32
    }

    /// Hashes users into `hashes`, which it empties first, and brings what the decisions on them will read and write
    /// closer to the processor. Reads that wait for nothing but memory wait together.
    pub(crate) fn foresee<'a>(
        &self,
        users: impl Iterator<Item = Option<(CouponId, &'a UserId)>> + Clone,
        hashes: &mut Vec<u32>,
    ) {
        hashes.clear();
        hashes.extend(
            users
                .clone()
                .map(|named| named.map_or(0, |(_, user)| self.hash(user))),
        );
        let mut last: Option<(CouponId, &Book)> = None;
        let mut sum = 0_u64;
        for (named, hash) in users.zip(hashes.iter()) {
            let Some((coupon, _)) = named else { continue };
            if last.is_none_or(|(id, _)| id != coupon) {
                last = self.coupons.get(&coupon).map(|book| (coupon, book));
            }
            if let Some((_, book)) = last {
                sum = sum.wrapping_add(book.members.touch(*hash));
            }
        }
        std::hint::black_box(sum);
    }

    /// Decides an issue for a user whose hash [`Books::foresee`] has told, and remembers it.
    pub(crate) fn issue(&mut self, request: &IssueRequest, hash: u32, clock: Timestamp) -> Outcome {
        let Some(book) = self.coupons.get_mut(&request.coupon) else {
            return decide(None, Standing::NONE, None, request.key, clock);
        };
        let held = book.held(&request.user, hash);
        let outcome = decide(Some(&book.coupon), book.standing, held, request.key, clock);
        if let Outcome::Issued(grant) = outcome {
            book.issue(&request.user, hash, grant, request.key);
        }
        outcome
    }

    /// Decides a command and remembers it. The record is to be written, if there is one.
    pub(crate) fn command(
        &mut self,
        request: CommandRequest,
        clock: Timestamp,
    ) -> (CommandOutcome, Option<RevisedRecord>) {
        if let Some(token) = request.token
            && let Some(earlier) = self.tokens.get(token.scope, clock)
        {
            let replay = earlier.token.payload == token.payload;
            return (
                if replay {
                    earlier.outcome()
                } else {
                    CommandOutcome::TokenReused
                },
                None,
            );
        }
        match self.decide_command(&request, clock) {
            Err(refusal) => (CommandOutcome::Refused(refusal), None),
            Ok((coupon, issued, changed)) => {
                let (actor, token) = (request.actor, request.token);
                let record = changed.then(|| RevisedRecord {
                    coupon: Coupon::clone(&coupon),
                    issued,
                    lost: 0,
                    actor,
                    token,
                });
                if let Some(record) = &record {
                    self.revise(record);
                }
                let standing = self
                    .coupons
                    .get(&coupon.id)
                    .map_or(Standing::NONE, |book| book.standing);
                let decided_at = standing.judged_time(clock).max(coupon.revised_at);
                (
                    CommandOutcome::Done {
                        coupon,
                        issued,
                        decided_at,
                        replayed: false,
                    },
                    record,
                )
            }
        }
    }

    fn decide_command(
        &self,
        request: &CommandRequest,
        clock: Timestamp,
    ) -> Result<(Arc<Coupon>, u32, bool), CommandRefusal> {
        if let Command::Create(terms) = &request.command {
            let last = self.coupons.last_key_value().map(|(id, _)| *id);
            let id = last
                .map_or(Some(CouponId::FIRST), CouponId::next)
                .ok_or(CommandRefusal::IdsExhausted)?;
            let coupon = Coupon::create(id, Box::as_ref(terms).clone(), clock)?;
            return Ok((Arc::new(coupon), 0, true));
        }
        let book = request
            .coupon
            .and_then(|id| self.coupons.get(&id))
            .ok_or(CommandRefusal::UnknownCoupon)?;
        let effect = decide_command(
            Some(&book.coupon),
            book.standing,
            &request.command,
            request.if_match,
            clock,
        )?;
        Ok(match effect {
            Effect::Revised(coupon) => (Arc::new(*coupon), book.standing.issued, true),
            Effect::Unchanged => (Arc::clone(&book.coupon), book.standing.issued, false),
        })
    }

    fn revise(&mut self, record: &RevisedRecord) {
        let coupon = &record.coupon;
        match self.coupons.get_mut(&coupon.id) {
            Some(book) => book.coupon = Arc::new(coupon.clone()),
            None => {
                self.coupons.insert(coupon.id, Book::new(coupon.clone()));
            }
        }
        if let Some(token) = record.token {
            self.tokens.keep(token, record);
        }
    }

    /// Reads.
    pub(crate) fn look(&self, look: Look) -> Seen {
        match look {
            Look::Holder { user, coupons } => {
                let hash = self.hash(&user);
                let held = |id| Some((id, self.coupons.get(&id)?.held(&user, hash)?.grant));
                Seen::Holder(coupons.into_iter().filter_map(held).collect())
            }
            Look::Positions { coupon, after, limit } => Seen::Positions(self.positions(coupon, after, limit)),
            Look::Coupon(id) => {
                let live = self.coupons.get(&id).filter(|book| !book.coupon.deleted);
                Seen::Coupon(live.map(|book| (Arc::clone(&book.coupon), book.standing.issued)))
            }
        }
    }

    fn positions(&self, coupon: CouponId, after: u32, limit: usize) -> Vec<(UserId, Grant)> {
        let Some(book) = self.coupons.get(&coupon) else {
            return Vec::new();
        };
        let members = (after..book.members.count())
            .take(limit)
            .filter_map(|index| book.members.at(index + 1));
        members
            .map(|member| {
                let user = UserId::parse(member.user).expect("it was a user id when it came in");
                (user, book.grant(member.position, member.issued_at))
            })
            .collect()
    }

    /// Remembers records that were decided earlier.
    pub(crate) fn replay(&mut self, records: &[Record]) -> Result<(), Contradiction> {
        let mut hashes = Vec::with_capacity(FORESIGHT.min(records.len()));
        for records in records.chunks(FORESIGHT) {
            let users = records.iter().map(|record| match record {
                Record::Issued(issued) => Some((issued.coupon, &issued.user)),
                Record::Revised(_) => None,
            });
            self.foresee(users, &mut hashes);
            for (record, hash) in records.iter().zip(&hashes) {
                match record {
                    Record::Revised(revised) => self.revise(revised),
                    Record::Issued(issued) => self.replay_issue(issued, *hash)?,
                }
            }
        }
        Ok(())
    }

    /// Enters what has arrived from the store.
    fn enter(&mut self) {
        let arrived = std::mem::take(&mut self.arriving);
        if self.contradiction.is_none() {
            let mut hashes = Vec::with_capacity(arrived.len());
            let users = arrived.iter().map(|issued| Some((issued.coupon, &issued.user)));
            self.foresee(users, &mut hashes);
            let mut pairs = arrived.iter().zip(hashes);
            self.contradiction = pairs
                .try_for_each(|(record, hash)| self.replay_issue(record, hash))
                .err();
        }
        self.arriving = arrived;
        self.arriving.clear();
    }

    fn replay_issue(&mut self, record: &IssuedRecord, hash: u32) -> Result<(), Contradiction> {
        let position = record.grant.position.get();
        let at = || format!("coupon {}, position {position}", record.coupon);
        let book = self.coupons.get_mut(&record.coupon);
        let book = book.ok_or_else(|| Contradiction(format!("{}: there is no such coupon", at())))?;
        if u64::from(position) != u64::from(book.standing.issued) + 1 {
            let issued = book.standing.issued;
            return Err(Contradiction(format!(
                "{}: only {issued} positions came before it",
                at()
            )));
        }
        if record.grant.issued_at < book.standing.last_issued_at {
            return Err(Contradiction(format!(
                "{}: it was issued before its predecessor",
                at()
            )));
        }
        if let Some(held) = book.members.get(&record.user, hash) {
            return Err(Contradiction(format!(
                "{}: its user holds position {} too",
                at(),
                held.position
            )));
        }
        book.issue(&record.user, hash, record.grant, record.key);
        Ok(())
    }

    /// The first contradiction among what was loaded from the store.
    pub(crate) fn loaded(mut self) -> Result<Self, Contradiction> {
        self.enter();
        match self.contradiction {
            Some(contradiction) => Err(contradiction),
            None => Ok(self),
        }
    }
}

impl Restore for Books {
    fn coupon(&mut self, coupon: Coupon) {
        self.enter();
        self.coupons.insert(coupon.id, Book::new(coupon));
    }

    fn issued(&mut self, record: IssuedRecord) {
        self.arriving.push(record);
        if self.arriving.len() >= FORESIGHT {
            self.enter();
        }
    }

    fn token(&mut self, record: RevisedRecord, token: CommandToken) {
        self.tokens.keep(token, &record);
    }
}

/// The results of commands that carried an idempotency key, for a day.
#[derive(Debug, Default)]
struct Tokens {
    by_scope: HashMap<[u8; 16], Kept>,
    /// In order of decision.
    ages: VecDeque<([u8; 16], Timestamp)>,
}

#[derive(Debug)]
struct Kept {
    token: CommandToken,
    coupon: Arc<Coupon>,
    issued: u32,
}

impl Kept {
    fn outcome(&self) -> CommandOutcome {
        CommandOutcome::Done {
            coupon: Arc::clone(&self.coupon),
            issued: self.issued,
            decided_at: self.coupon.revised_at,
            replayed: true,
        }
    }
}

impl Tokens {
    fn get(&self, scope: [u8; 16], clock: Timestamp) -> Option<&Kept> {
        let kept = self.by_scope.get(&scope)?;
        let age = clock.as_micros() - kept.coupon.revised_at.as_micros();
        (age < COMMAND_TOKEN_LIFE_US).then_some(kept)
    }

    fn keep(&mut self, token: CommandToken, record: &RevisedRecord) {
        let now = record.coupon.revised_at;
        self.forget_old(now);
        let kept = Kept {
            token,
            coupon: Arc::new(record.coupon.clone()),
            issued: record.issued,
        };
        self.by_scope.insert(token.scope, kept);
        self.ages.push_back((token.scope, now));
    }

    fn forget_old(&mut self, now: Timestamp) {
        while let Some(&(scope, at)) = self.ages.front() {
            let old = now.as_micros() - at.as_micros() >= COMMAND_TOKEN_LIFE_US;
            if !old && self.ages.len() < MAX_COMMAND_TOKENS {
                return;
            }
            self.ages.pop_front();
            // A scope that was used again after its day has a younger entry of its own.
            if self
                .by_scope
                .get(&scope)
                .is_some_and(|kept| kept.coupon.revised_at == at)
            {
                self.by_scope.remove(&scope);
            }
        }
    }
}
