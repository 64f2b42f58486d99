//! A ledger in this process, as the server wires it: journal on real files behind the combiner. And how any ledger behind
//! a combiner is asked: by many at once.

use crate::clock::SystemClock;
use crate::users;
use anyhow::{Context as _, bail};
use async_trait::async_trait;
use coupon_app::{
    Applied, Board, Combiner, CommandOutcome, CommandRequest, Entry, Followed, IssueRequest, Lane, Outbox,
    Pending, RecordStore, Reply, Request, Restore, Seq, StoreError, follow,
};
use coupon_core::{AckLevel, Command, CouponId, Outcome, Quantity, Span, Strategy, TermsDraft, Timestamp};
use ledger_journal::{FileDisk, JournalLedger, JournalOptions, Recovery};
use std::num::NonZeroU32;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Wakeful, Poll};
use std::time::Duration;
use store_sqlite::{SqliteOptions, SqliteStore};

/// A store that has nothing and is never followed: the journal alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoStore;

#[async_trait]
impl RecordStore for NoStore {
    async fn applied(&self) -> Result<Seq, StoreError> {
        Ok(0)
    }

    async fn apply(&self, _entries: &[Entry]) -> Result<Applied, StoreError> {
        Err(StoreError::lasting("nothing is stored here"))
    }

    async fn load(&self, _restore: &mut (dyn Restore + Send)) -> Result<Seq, StoreError> {
        Ok(0)
    }

    async fn code_key(&self, fresh: [u8; 16]) -> Result<[u8; 16], StoreError> {
        Ok(fresh)
    }
}

/// An open ledger behind its combiner.
pub(crate) struct House {
    pub(crate) combiner: Combiner,
    pub(crate) outbox: Arc<dyn Outbox>,
    pub(crate) board: Arc<Board>,
    pub(crate) recovery: Recovery,
    lane: Lane,
}

impl House {
    /// Opens the journal in `directory` behind a store.
    pub(crate) fn open(directory: &Path, store: &dyn RecordStore) -> anyhow::Result<Self> {
        let disk = Arc::new(FileDisk::open(directory)?);
        let board = Arc::new(Board::new());
        let opening = JournalLedger::open(
            disk,
            JournalOptions::default(),
            store,
            Arc::new(SystemClock),
            Arc::clone(&board),
        );
        let (ledger, recovery) = wait(opening)??;
        let outbox = ledger.outbox();
        let combiner =
            Combiner::start("ledger", Arc::new(ledger)).context("cannot start the ledger's thread")?;
        let lane = combiner.lane();
        Ok(Self {
            combiner,
            outbox,
            board,
            recovery,
            lane,
        })
    }

    /// How many of a coupon are issued.
    pub(crate) fn issued(&self, coupon: CouponId) -> u64 {
        self.board
            .get(coupon)
            .map_or(0, |posted| u64::from(posted.issued))
    }

    /// A coupon that is open now; `None` is unlimited.
    pub(crate) fn create(&self, quantity: Option<u32>) -> anyhow::Result<CouponId> {
        self.create_valid(quantity, MONTH)
    }

    /// The same, valid for so long from the issue on.
    pub(crate) fn create_valid(&self, quantity: Option<u32>, valid_for: Span) -> anyhow::Result<CouponId> {
        create(&self.lane, Strategy::Journal, quantity, valid_for)
    }

    /// Issues `count` coupons to users `from..`, always `in_flight` of them under way, from one thread. Every one
    /// must be issued.
    pub(crate) fn issue(
        &self,
        coupon: CouponId,
        from: u64,
        count: u64,
        in_flight: usize,
    ) -> anyhow::Result<()> {
        issue(&self.lane, coupon, from, count, in_flight)
    }
}

/// A coupon of the ledger behind `lane` that is open now, valid for so long from the issue on; `None` is unlimited.
pub(crate) fn create(
    lane: &Lane,
    strategy: Strategy,
    quantity: Option<u32>,
    valid_for: Span,
) -> anyhow::Result<CouponId> {
    let draft = TermsDraft {
        name: "measured".to_owned(),
        opens_at: Timestamp::MIN,
        closes_at: Timestamp::MAX,
        quantity: quantity
            .and_then(NonZeroU32::new)
            .map_or(Quantity::UNLIMITED, Quantity::limited),
        expires_at: None,
        valid_for: Some(valid_for),
        discount: None,
        min_order_amount: 0,
        currency: "KRW".to_owned(),
        time_zone: "Asia/Seoul".to_owned(),
        strategy,
        ack: AckLevel::Ledger,
        show_remaining: true,
        labels: std::collections::BTreeMap::new(),
    };
    let Ok(terms) = draft.check(Timestamp::MIN) else {
        bail!("the terms of the measured coupon are wrong");
    };
    let create = Request::Command(Box::new(CommandRequest {
        coupon: None,
        command: Command::Create(Box::new(terms)),
        if_match: None,
        actor: "bench".into(),
        token: None,
    }));
    let reply = wait(lane.ask(create))??;
    if let Reply::Command(outcome) = &reply
        && let CommandOutcome::Done { coupon, .. } = outcome.as_ref()
    {
        return Ok(coupon.id);
    }
    bail!("the coupon was not created: {reply:?}")
}

/// Issues `count` coupons to users `from..`, always `in_flight` of them under way, from one thread. Every one must be
/// issued.
pub(crate) fn issue(
    lane: &Lane,
    coupon: CouponId,
    from: u64,
    count: u64,
    in_flight: usize,
) -> anyhow::Result<()> {
    let crowd = Crowd {
        lane: lane.clone(),
        coupon,
        next: from,
        end: from + count,
        asked: Vec::with_capacity(in_flight),
    };
    let wrong = wait(crowd)?;
    wrong.map_or(Ok(()), |answer| bail!("a coupon was not issued: {answer}"))
}

/// The store's file in a data directory, where the server looks for it.
const STORE_FILE: &str = "store.sqlite3";

/// Opens a data directory as the server does: the store, and the journal behind it.
pub(crate) fn open_stored(directory: &Path) -> anyhow::Result<House> {
    let store = SqliteStore::open(&directory.join(STORE_FILE), SqliteOptions::default())?;
    House::open(directory, &store)
}

/// Fills a data directory for the server: coupons 1, 2, 3 and so on with so many issues and this quantity each, all of
/// them in the store.
pub(crate) fn fill(directory: &Path, coupons: &[(u64, Option<u32>)]) -> anyhow::Result<()> {
    let coupons = coupons.iter().map(|(count, quantity)| (*count, *quantity, MONTH));
    fill_valid(directory, &coupons.collect::<Vec<_>>())
}

/// The same, with how long each is valid from its issue on.
pub(crate) fn fill_valid(directory: &Path, coupons: &[(u64, Option<u32>, Span)]) -> anyhow::Result<()> {
    let store = SqliteStore::open(&directory.join(STORE_FILE), SqliteOptions::default())?;
    let house = House::open(directory, &store)?;
    let (outbox, board) = (Arc::clone(&house.outbox), Arc::clone(&house.board));
    let follower = std::thread::spawn(move || wait(follow(outbox.as_ref(), &store, &board, &Unwatched)));
    for (count, quantity, valid_for) in coupons {
        let coupon = house.create_valid(*quantity, *valid_for)?;
        house.issue(coupon, 0, *count, FILLING)?;
    }
    // The ledger ends, and with it the follower once the store has everything.
    house.combiner.close()?;
    follower.join().ok().context("the follower panicked")???;
    Ok(())
}

pub(crate) const MONTH: Span = Span::from_secs(30 * 86_400);

/// Requests under way while a directory is filled.
const FILLING: usize = 4_096;

/// Nobody watches the follower.
struct Unwatched;

impl Followed for Unwatched {
    fn applied(&self, _applied: Applied) {}

    fn failed(&self, error: &StoreError, _pause: Duration) {
        eprintln!("the store failed: {error}");
    }
}

/// Many requests under way at once, polled by one task: what a loop with many connections does, without the
/// connections.
struct Crowd {
    lane: Lane,
    coupon: CouponId,
    next: u64,
    end: u64,
    asked: Vec<Pending>,
}

impl Crowd {
    fn ask(&mut self, context: &mut Wakeful<'_>) -> Option<Pending> {
        if self.next == self.end {
            return None;
        }
        let user = users::user(self.next);
        self.next += 1;
        let mut asked = self.lane.ask(Request::Issue(IssueRequest {
            coupon: self.coupon,
            user,
            key: None,
        }));
        // The first poll sends it; an answer cannot be there yet, and if it is, the next poll finds it.
        match Pin::new(&mut asked).poll(context) {
            Poll::Pending => Some(asked),
            Poll::Ready(_refused) => None,
        }
    }
}

impl Future for Crowd {
    /// The first answer that was not an issue.
    type Output = Option<String>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Wakeful<'_>) -> Poll<Self::Output> {
        let crowd = self.as_mut().get_mut();
        let mut at = 0;
        while at < crowd.asked.len() {
            match Pin::new(&mut crowd.asked[at]).poll(context) {
                Poll::Pending => at += 1,
                Poll::Ready(Ok(Reply::Issue(Outcome::Issued(_)))) => match crowd.ask(context) {
                    Some(next) => {
                        crowd.asked[at] = next;
                        at += 1;
                    }
                    None => {
                        drop(crowd.asked.swap_remove(at));
                    }
                },
                Poll::Ready(other) => return Poll::Ready(Some(format!("{other:?}"))),
            }
        }
        while crowd.asked.len() < crowd.asked.capacity() && crowd.next < crowd.end {
            match crowd.ask(context) {
                Some(next) => crowd.asked.push(next),
                None => return Poll::Ready(Some("refused at once".to_owned())),
            }
        }
        if crowd.asked.is_empty() {
            Poll::Ready(None)
        } else {
            Poll::Pending
        }
    }
}

/// Runs a future to its end on this thread.
pub(crate) fn wait<F: Future>(future: F) -> anyhow::Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(future))
}
