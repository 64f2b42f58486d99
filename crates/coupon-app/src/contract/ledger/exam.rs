//! One ledger under examination: asks it, holds every answer against the port's promises that always apply, carries
//! its records to the store, and cuts its power.

use super::{Bench, LedgerHarness};
use crate::contract::{START, run};
use crate::memory::ManualClock;
use crate::{
    Board, CommandOutcome, CommandRequest, Entry, Health, IssueLedger, IssueRequest, Look, Outbox, Record,
    RecordStore, Reply, Request, Seen, Seq,
};
use coupon_core::{
    Command, Coupon, CouponId, Grant, KeyHash, Outcome, Terms, TermsChange, UserId, Witnessed, check_order,
};
use std::sync::Arc;

/// How much of what the outbox holds is carried to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carried {
    /// Nothing more than before.
    Nothing,
    /// About half of the entries that wait.
    Half,
    /// Everything, but the outbox is not told: the follower died in between.
    AllUnreleased,
    /// Everything, and the outbox need not keep it.
    All,
}

impl Carried {
    /// Every stage at which a crash can find the follower.
    pub const STAGES: [Self; 4] = [Self::Nothing, Self::Half, Self::AllUnreleased, Self::All];
}

/// A ledger under examination.
pub struct Exam<'h> {
    harness: &'h mut dyn LedgerHarness,
    /// Only empty while the power is off.
    bench: Option<Bench>,
    clock: Arc<ManualClock>,
    hands_on: bool,
}

impl<'h> Exam<'h> {
    /// Runs one case on a fresh ledger.
    pub fn sit(harness: &'h mut dyn LedgerHarness, case: impl AsyncFnOnce(&mut Exam<'h>)) {
        run(async {
            let mut exam = Self::begin(harness).await;
            case(&mut exam).await;
            exam.end().await;
        });
    }

    /// Runs one case on a fresh ledger for every stage at which a crash can find the follower.
    pub fn sit_at_every_stage(
        harness: &'h mut dyn LedgerHarness,
        mut case: impl AsyncFnMut(&mut Exam<'_>, Carried),
    ) {
        run(async {
            // Where nothing is handed on there is no follower, and one stage.
            let stages = if harness.hands_on() {
                Carried::STAGES.len()
            } else {
                1
            };
            for stage in Carried::STAGES.into_iter().take(stages) {
                let mut exam = Exam::begin(&mut *harness).await;
                case(&mut exam, stage).await;
                exam.end().await;
            }
        });
    }

    /// Opens a fresh ledger.
    pub async fn begin(harness: &'h mut dyn LedgerHarness) -> Self {
        let clock = Arc::new(ManualClock::at(START));
        let bench = harness.open(Arc::clone(&clock)).await;
        Self {
            hands_on: harness.hands_on(),
            harness,
            bench: Some(bench),
            clock,
        }
    }

    /// Whatever the case was about, in the end the records and the state must fit together.
    async fn end(mut self) {
        self.crash(Carried::All).await;
    }

    /// The clock that judges.
    pub fn clock(&self) -> &ManualClock {
        &self.clock
    }

    fn bench(&self) -> &Bench {
        self.bench.as_ref().unwrap()
    }

    /// The ledger.
    pub fn ledger(&self) -> &Arc<dyn IssueLedger> {
        &self.bench().ledger
    }

    /// Its outbox.
    pub fn outbox(&self) -> &Arc<dyn Outbox> {
        &self.bench().outbox
    }

    /// Its board.
    pub fn board(&self) -> &Arc<Board> {
        &self.bench().board
    }

    /// The store.
    pub fn store(&self) -> &Arc<dyn RecordStore> {
        &self.bench().store
    }

    /// Whether records are handed on.
    pub fn hands_on(&self) -> bool {
        self.hands_on
    }

    /// How many entries were made; nothing where none are handed on.
    pub fn entries_made(&self) -> Option<Seq> {
        self.hands_on.then(|| self.outbox().durable())
    }

    /// So many entries were made, if any are.
    pub fn made_entries(&self, expected: Seq) {
        assert_eq!(self.entries_made().unwrap_or(expected), expected);
    }

    /// One batch. Every request gets a reply of its kind, and what was answered is on the board.
    pub async fn batch(&self, mut requests: Vec<Request>) -> Vec<Reply> {
        let asked = requests.clone();
        let mut answers = Vec::new();
        self.ledger().commit(&mut requests, &mut answers).await;
        assert!(requests.is_empty(), "commit leaves the requests empty");
        assert_eq!(answers.len(), asked.len(), "one answer for each request");
        let told = answers.into_iter();
        let replies: Vec<Reply> = told
            .map(|answer| answer.expect("a healthy ledger answers"))
            .collect();
        for (request, reply) in asked.iter().zip(&replies) {
            self.holds(request, reply);
        }
        replies
    }

    /// The promises that hold for every answer.
    fn holds(&self, request: &Request, reply: &Reply) {
        match (request, reply) {
            (Request::Issue(request), Reply::Issue(Outcome::Issued(grant))) => {
                let posted = self
                    .board()
                    .get(request.coupon)
                    .expect("an issued coupon is on the board");
                assert!(
                    posted.issued >= grant.position.get(),
                    "an issue is posted before it is answered"
                );
                assert!(posted.last_issued_at >= Some(grant.issued_at));
                assert!(posted.first_issued_at <= Some(grant.issued_at));
            }
            (Request::Command(_), Reply::Command(outcome)) => {
                if let CommandOutcome::Done {
                    coupon,
                    decided_at,
                    replayed: false,
                    ..
                } = outcome.as_ref()
                {
                    assert!(*decided_at >= coupon.revised_at);
                    self.posts(coupon);
                }
            }
            (Request::Issue(_), Reply::Issue(_)) | (Request::Look(_), Reply::Look(_)) => {}
            (request, reply) => panic!("{request:?} was answered by {reply:?}"),
        }
    }

    /// A coupon that a command left so stands on the board so, or later.
    fn posts(&self, coupon: &Coupon) {
        let posted = self.board().get(coupon.id);
        if coupon.deleted {
            assert!(
                posted.is_none(),
                "a deleted coupon is taken off before the answer"
            );
        } else if let Some(posted) = posted {
            assert!(
                posted.coupon.revision >= coupon.revision,
                "a revision is posted before it is answered"
            );
        }
    }

    async fn alone(&self, request: Request) -> Reply {
        self.batch(vec![request]).await.pop().unwrap()
    }

    /// One user asks for one coupon, without a key.
    pub async fn issue(&self, coupon: CouponId, user: &UserId) -> Outcome {
        self.issue_with(coupon, user, None).await
    }

    /// One user asks for one coupon.
    pub async fn issue_with(&self, coupon: CouponId, user: &UserId, key: Option<KeyHash>) -> Outcome {
        self.issues(vec![ask(coupon, user, key)]).await.remove(0)
    }

    /// One batch of issues.
    pub async fn issues(&self, requests: Vec<Request>) -> Vec<Outcome> {
        let outcome = |reply| {
            let Reply::Issue(outcome) = reply else {
                panic!("an issue was answered by {reply:?}")
            };
            outcome
        };
        self.batch(requests).await.into_iter().map(outcome).collect()
    }

    /// One user asks for one coupon and gets it.
    pub async fn wins(&self, coupon: CouponId, user: &UserId) -> Grant {
        let outcome = self.issue(coupon, user).await;
        let Outcome::Issued(grant) = outcome else {
            panic!("{outcome:?} where a coupon was to be issued")
        };
        grant
    }

    /// A command.
    pub async fn ask_command(&self, request: CommandRequest) -> CommandOutcome {
        let reply = self.alone(Request::Command(Box::new(request))).await;
        let Reply::Command(outcome) = reply else {
            panic!("a command was answered by {reply:?}")
        };
        *outcome
    }

    /// A command without token or revision.
    pub async fn command(&self, coupon: CouponId, command: Command) -> CommandOutcome {
        self.ask_command(order(Some(coupon), command)).await
    }

    /// A command that must succeed; returns the coupon as it left it.
    pub async fn orders(&self, coupon: CouponId, command: Command) -> Arc<Coupon> {
        let outcome = self.command(coupon, command).await;
        let CommandOutcome::Done { coupon, .. } = outcome else {
            panic!("{outcome:?} where a command was to be done")
        };
        coupon
    }

    /// Publishes a coupon.
    pub async fn create(&self, terms: Terms) -> CouponId {
        let create = order(None, Command::Create(Box::new(terms)));
        let outcome = self.ask_command(create).await;
        let CommandOutcome::Done { coupon, .. } = outcome else {
            panic!("{outcome:?} where a coupon was to be created")
        };
        coupon.id
    }

    /// A look.
    pub async fn look(&self, look: Look) -> Seen {
        let reply = self.alone(Request::Look(Box::new(look))).await;
        let Reply::Look(seen) = reply else {
            panic!("a look was answered by {reply:?}")
        };
        *seen
    }

    /// A coupon as the ledger sees it.
    pub async fn sees(&self, coupon: CouponId) -> Option<(Arc<Coupon>, u32)> {
        let seen = self.look(Look::Coupon(coupon)).await;
        let Seen::Coupon(coupon) = seen else {
            panic!("another look was answered: {seen:?}")
        };
        coupon
    }

    /// Everyone who holds a coupon, in order.
    pub async fn holders(&self, coupon: CouponId) -> Vec<(UserId, Grant)> {
        let look = Look::Positions {
            coupon,
            after: 0,
            limit: usize::MAX,
        };
        let seen = self.look(look).await;
        let Seen::Positions(positions) = seen else {
            panic!("another look was answered: {seen:?}")
        };
        positions
    }

    /// Everything that can be asked of the ledger, with the invariants I1, I2 and I5 and the order of times held
    /// against it, and the board held against the ledger.
    pub async fn everything(&self) -> Vec<(Coupon, u32, Vec<(UserId, Grant)>)> {
        let mut all = Vec::new();
        let posted = self.board().list(None, usize::MAX);
        for on_board in posted {
            let id = on_board.coupon.id;
            let (coupon, issued) = self
                .sees(id)
                .await
                .expect("what is on the board is in the ledger");
            assert_eq!(on_board.coupon, coupon, "the board says what the ledger says");
            assert_eq!(on_board.issued, issued, "the board counts what the ledger counts");
            let holders = self.holders(id).await;
            assert_eq!(u32::try_from(holders.len()).unwrap(), issued);
            let witnessed: Vec<Witnessed<'_>> = holders.iter().map(witness).collect();
            check_order(coupon.terms.quantity, &witnessed).unwrap();
            let times = |one: Option<&(UserId, Grant)>| one.map(|(_, grant)| grant.issued_at);
            assert_eq!(on_board.first_issued_at, times(holders.first()));
            assert_eq!(on_board.last_issued_at, times(holders.last()));
            self.find_what_they_hold(id, &holders).await;
            all.push((Coupon::clone(&coupon), issued, holders));
        }
        all
    }

    async fn find_what_they_hold(&self, id: CouponId, holders: &[(UserId, Grant)]) {
        let look = |(user, _): &(UserId, Grant)| {
            let user = user.clone();
            let coupons = vec![id];
            Request::Look(Box::new(Look::Holder { user, coupons }))
        };
        let seen = self.batch(holders.iter().map(look).collect()).await;
        for ((_, grant), seen) in holders.iter().zip(seen) {
            let expected = Seen::Holder(vec![(id, *grant)]);
            assert_eq!(
                seen,
                Reply::Look(Box::new(expected)),
                "who holds a position finds it"
            );
        }
    }

    /// What a user holds of these coupons.
    pub async fn held(&self, user: &UserId, coupons: Vec<CouponId>) -> Vec<(CouponId, Grant)> {
        let user = user.clone();
        let seen = self.look(Look::Holder { user, coupons }).await;
        let Seen::Holder(held) = seen else {
            panic!("another look was answered: {seen:?}")
        };
        held
    }

    /// The entries after `after` that are durable, without waiting for more.
    pub async fn entries_after(&self, after: Seq) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut last = after;
        while last < self.outbox().durable() {
            let more = self.outbox().next(last, 7).await.unwrap();
            assert!(!more.is_empty(), "what is durable is handed out");
            for entry in more {
                assert_eq!(entry.seq, last + 1, "entries are counted without gap");
                assert!(!entry.records.is_empty(), "a batch without records has no entry");
                last = entry.seq;
                entries.push(entry);
            }
        }
        entries
    }

    /// Brings entries to the store as the follower would.
    pub async fn carry(&self, stage: Carried) {
        if !self.hands_on {
            return;
        }
        let applied = self.store().applied().await.unwrap();
        let mut entries = self.entries_after(applied).await;
        match stage {
            Carried::Nothing => return,
            Carried::Half => entries.truncate(entries.len().div_ceil(2)),
            Carried::AllUnreleased | Carried::All => {}
        }
        let done = self.store().apply(&entries).await.unwrap();
        assert_eq!(
            done.quarantined, 0,
            "the store finds nothing wrong with a ledger's records"
        );
        for record in entries.iter().flat_map(|entry| &entry.records) {
            if let Record::Issued(issued) = record {
                self.board()
                    .post_stored(issued.coupon, issued.grant.position.get());
            }
        }
        if stage != Carried::AllUnreleased {
            self.outbox().release(done.seq).await.unwrap();
        }
    }

    /// Carries so much to the store, then cuts the power and opens again. Everything is as it was (I11).
    pub async fn crash(&mut self, stage: Carried) {
        let before = self.everything().await;
        self.carry(stage).await;
        self.power_cut().await;
        assert_eq!(
            self.everything().await,
            before,
            "the state after a crash is the state before"
        );
    }

    /// Cuts the power and opens again.
    pub async fn power_cut(&mut self) {
        let durable = self.entries_made();
        let bench = self.bench.take().unwrap();
        let clock = Arc::clone(&self.clock);
        self.bench = Some(self.harness.crash_and_reopen(bench, clock).await);
        assert_eq!(self.entries_made(), durable, "what was durable is durable");
        assert_eq!(self.ledger().health(), Health::Ready);
    }
}

/// A request to issue.
pub fn ask(coupon: CouponId, user: &UserId, key: Option<KeyHash>) -> Request {
    Request::Issue(IssueRequest {
        coupon,
        user: user.clone(),
        key,
    })
}

/// A command without token or revision.
pub fn order(coupon: Option<CouponId>, command: Command) -> CommandRequest {
    CommandRequest {
        coupon,
        command,
        if_match: None,
        actor: "key-1".into(),
        token: None,
    }
}

/// A change of one thing.
pub fn change(set: impl FnOnce(&mut TermsChange)) -> Command {
    let mut change = TermsChange::default();
    set(&mut change);
    Command::Change(Box::new(change))
}

fn witness((user, grant): &(UserId, Grant)) -> Witnessed<'_> {
    Witnessed {
        position: grant.position,
        user: user.as_str(),
        issued_at: grant.issued_at,
    }
}
