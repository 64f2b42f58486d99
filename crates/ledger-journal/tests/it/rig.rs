//! A journal with its disk, its store and its clock, and a witness who remembers every answer.

use coupon_app::contract::{START, coupon_id, terms, user};
use coupon_app::memory::{ManualClock, MemoryStore};
use coupon_app::{
    Answer, Board, CommandOutcome, CommandRequest, IssueLedger, IssueRequest, LedgerError, Look, RecordStore,
    Reply, Request, Seen,
};
use coupon_core::{Command, CouponId, Grant, Outcome, UserId, Witnessed, check_order};
use ledger_journal::sim::{Fault, Keep, SimDisk};
use ledger_journal::{Disk, JournalLedger, JournalOptions, OpenError, Recovery};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(crate) const OPTIONS: JournalOptions = JournalOptions {
    segment_bytes: 256 << 10,
    prepare_ahead: false,
};

/// Runs a future that never waits for anything outside itself.
pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

pub(crate) struct Rig {
    pub(crate) disk: SimDisk,
    pub(crate) store: MemoryStore,
    pub(crate) board: Arc<Board>,
    pub(crate) ledger: JournalLedger,
    pub(crate) recovery: Recovery,
}

impl Rig {
    pub(crate) fn open(disk: &SimDisk, store: &MemoryStore) -> Result<Self, OpenError> {
        Self::open_at(disk, store, Arc::new(ManualClock::at(START)))
    }

    pub(crate) fn open_at(
        disk: &SimDisk,
        store: &MemoryStore,
        clock: Arc<ManualClock>,
    ) -> Result<Self, OpenError> {
        let board = Arc::new(Board::new());
        let real: Arc<dyn Disk> = Arc::new(disk.clone());
        let judge: Arc<ManualClock> = Arc::clone(&clock);
        let (ledger, recovery) = now(JournalLedger::open(
            real,
            OPTIONS,
            store,
            judge,
            Arc::clone(&board),
        ))?;
        Ok(Self {
            disk: disk.clone(),
            store: store.clone(),
            board,
            ledger,
            recovery,
        })
    }

    pub(crate) fn fresh() -> Self {
        Self::open(&SimDisk::new(Fault::None), &MemoryStore::new()).unwrap()
    }

    pub(crate) fn commit(&self, mut requests: Vec<Request>) -> Vec<Answer> {
        let mut answers = Vec::new();
        now(self.ledger.commit(&mut requests, &mut answers));
        answers
    }

    pub(crate) fn create(&self, count: u32) -> CouponId {
        match self.commit(vec![creation(count)]).pop() {
            Some(Ok(Reply::Command(outcome))) => match *outcome {
                CommandOutcome::Done { coupon, .. } => coupon.id,
                other => panic!("not created: {other:?}"),
            },
            other => panic!("not created: {other:?}"),
        }
    }

    pub(crate) fn issue(&self, coupon: CouponId, number: usize) -> Result<Outcome, LedgerError> {
        match self.commit(vec![issue(coupon, number)]).pop().unwrap()? {
            Reply::Issue(outcome) => Ok(outcome),
            other => panic!("another kind of reply: {other:?}"),
        }
    }

    pub(crate) fn close(&self) -> Result<(), LedgerError> {
        now(self.ledger.close())
    }

    /// Brings what is durable to the store, a part of it when `records` is small, and releases it.
    pub(crate) fn carry(&self, records: usize) -> Result<(), coupon_app::StoreError> {
        now(async {
            let outbox = self.ledger.outbox();
            let applied = self.store.applied().await?;
            if outbox.durable() > applied {
                let entries = outbox.next(applied, records).await?;
                let applied = self.store.apply(&entries).await?;
                assert_eq!(applied.quarantined, 0, "the journal never contradicts itself");
                outbox.release(applied.seq).await?;
            }
            Ok(())
        })
    }

    pub(crate) fn positions(&self, coupon: CouponId) -> Vec<(UserId, Grant)> {
        let look = Look::Positions {
            coupon,
            after: 0,
            limit: usize::MAX,
        };
        match self.commit(vec![Request::Look(Box::new(look))]).pop() {
            Some(Ok(Reply::Look(seen))) => match *seen {
                Seen::Positions(positions) => positions,
                other => panic!("another kind: {other:?}"),
            },
            other => panic!("not readable: {other:?}"),
        }
    }

    /// Dies without closing; the next life finds what `keep` says.
    pub(crate) fn crash(self, keep: Keep) -> Result<Self, OpenError> {
        let disk = self.disk.reboot(keep, Fault::None);
        let store = self.store.clone();
        drop(self);
        Self::open(&disk, &store)
    }
}

pub(crate) fn creation(count: u32) -> Request {
    Request::Command(Box::new(CommandRequest {
        coupon: None,
        command: Command::Create(Box::new(terms(count))),
        if_match: None,
        actor: "test".into(),
        token: None,
    }))
}

pub(crate) fn command(coupon: CouponId, command: Command) -> Request {
    Request::Command(Box::new(CommandRequest {
        coupon: Some(coupon),
        command,
        if_match: None,
        actor: "test".into(),
        token: None,
    }))
}

pub(crate) fn issue(coupon: CouponId, number: usize) -> Request {
    Request::Issue(IssueRequest {
        coupon,
        user: user(number),
        key: None,
    })
}

/// Remembers what was asked and answered, over all lives, and holds every life against it.
#[derive(Default)]
pub(crate) struct Witness {
    asked: BTreeSet<(CouponId, UserId)>,
    issued: BTreeMap<(CouponId, UserId), Grant>,
    sold_out: BTreeSet<CouponId>,
    /// Coupons whose creation was answered.
    created: BTreeSet<CouponId>,
}

impl Witness {
    /// Asks, and remembers what came back. Returns whether everything was answered.
    pub(crate) fn ask(&mut self, rig: &Rig, requests: Vec<Request>) -> bool {
        for request in &requests {
            if let Request::Issue(request) = request {
                self.asked.insert((request.coupon, request.user.clone()));
            }
        }
        let answers = rig.commit(requests.clone());
        let mut complete = true;
        for (request, answer) in requests.into_iter().zip(answers) {
            match (request, answer) {
                (_, Err(_)) => complete = false,
                (Request::Issue(request), Ok(Reply::Issue(outcome))) => self.heard(request, outcome),
                (Request::Command(_), Ok(Reply::Command(outcome))) => {
                    if let CommandOutcome::Done { coupon, .. } = *outcome {
                        self.created.insert(coupon.id);
                    }
                }
                (_, Ok(_)) => {}
            }
        }
        complete
    }

    fn heard(&mut self, request: IssueRequest, outcome: Outcome) {
        let holder = (request.coupon, request.user);
        match outcome {
            Outcome::Issued(grant) => {
                let before = self.issued.insert(holder, grant);
                assert_eq!(before, None, "I2: nobody is issued twice");
            }
            Outcome::AlreadyIssued { grant, .. } => {
                let before = *self.issued.entry(holder).or_insert(grant);
                assert_eq!(before, grant, "I3: the same position as answered before");
            }
            Outcome::SoldOut => {
                self.sold_out.insert(request.coupon);
            }
            Outcome::NotYetOpen { .. }
            | Outcome::Closed { .. }
            | Outcome::Paused
            | Outcome::UnknownCoupon => {}
        }
    }

    /// Counts the invariants in a life that has just recovered.
    pub(crate) fn examine(&self, rig: &Rig) {
        let mut held = BTreeMap::new();
        for coupon in &self.created {
            assert!(
                rig.board.get(*coupon).is_some(),
                "I3: coupon {coupon} was answered and is gone"
            );
        }
        for posted in rig.board.list(None, usize::MAX) {
            let coupon = posted.coupon.id;
            let positions = rig.positions(coupon);
            let quantity = posted.coupon.terms.quantity;
            let witnessed: Vec<Witnessed<'_>> = positions
                .iter()
                .map(|(user, grant)| Witnessed {
                    position: grant.position,
                    user: user.as_str(),
                    issued_at: grant.issued_at,
                })
                .collect();
            check_order(quantity, &witnessed).unwrap();
            assert_eq!(
                usize::try_from(posted.issued).unwrap(),
                positions.len(),
                "the board says what is"
            );
            if self.sold_out.contains(&coupon) {
                assert_eq!(
                    quantity.remaining(posted.issued),
                    Some(0),
                    "I7: sold out was said and must stay true"
                );
            }
            for (user, grant) in positions {
                assert!(!posted.coupon.terms.window.has_closed(grant.issued_at), "I12");
                assert!(posted.coupon.terms.window.has_opened(grant.issued_at), "I12");
                assert!(
                    self.asked.contains(&(coupon, user.clone())),
                    "I4: nobody asked for {grant:?}"
                );
                held.insert((coupon, user), grant);
            }
        }
        for (holder, grant) in &self.issued {
            assert_eq!(held.get(holder), Some(grant), "I3: an answered issue survives");
        }
    }
}

pub(crate) fn first() -> CouponId {
    coupon_id(1)
}
