//! The ledgers: every ledger that a server offers, and the way from a coupon to the one that decides it.

mod bindings;
mod refusals;
mod shared;

use crate::{
    Board, Clock, Combiner, CombinerStats, Health, IssueLedger, IssueRequest, Lane, LedgerError, LedgerMarks,
    Look, Seen,
};
use bindings::Bindings;
use coupon_core::{CouponId, Grant, Outcome, Strategy, UserId};
use refusals::Refusals;
use shared::Shared;
use std::fmt;
use std::io;
use std::sync::Arc;
use tokio::time::Instant;

/// One kind of ledger that a server offers.
pub struct Offer {
    /// The strategy of the coupons that it decides.
    pub strategy: Strategy,
    /// Doors to one ledger, each with a combiner of its own, so that a coupon that waits for something (a row that
    /// another server has locked, a store that is slow) holds up only those that share its door. A coupon always
    /// takes the same door. Doors may be the same ledger, if that can be shared.
    pub doors: Vec<Arc<dyn IssueLedger>>,
    /// Whether its issues reach the store only later, so that the desk must look into it.
    pub runs_ahead: bool,
}

impl fmt::Debug for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offer")
            .field("strategy", &self.strategy)
            .field("doors", &self.doors.len())
            .field("runs_ahead", &self.runs_ahead)
            .finish()
    }
}

/// Where a server that shares its ledgers takes refusals from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefuseFrom {
    /// From what ledger and store have said a moment ago, as far as the contract permits.
    Memory,
    /// Every one from the ledger, and from the store that there is no such coupon.
    Ledger,
}

/// Every ledger of one server.
#[derive(Debug)]
pub struct Ledgers {
    counters: Vec<Counter>,
    /// `None` when one ledger decides every coupon.
    bindings: Option<Arc<Bindings>>,
    /// `None` when every refusal is the ledger's: one in this process is asked as fast as a memory.
    refusals: Option<Arc<Refusals>>,
}

/// One strategy with its combiners.
struct Counter {
    strategy: Strategy,
    doors: Vec<Arc<dyn IssueLedger>>,
    combiners: Vec<Combiner>,
    runs_ahead: bool,
}

impl fmt::Debug for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counter")
            .field("strategy", &self.strategy)
            .field("combiners", &self.combiners)
            .finish_non_exhaustive()
    }
}

/// One event loop's way to the ledgers. Cheap to clone; clones share their lanes.
#[derive(Clone, Debug)]
pub struct Lanes(Ways);

#[derive(Clone, Debug)]
enum Ways {
    /// To the ledger that decides every coupon.
    One(Lane),
    /// To several, each of which decides the coupons that are bound to it.
    Several(Arc<Several>),
}

#[derive(Debug)]
struct Several {
    counters: Vec<Window>,
    bindings: Arc<Bindings>,
    refusals: Option<Arc<Refusals>>,
}

#[derive(Debug)]
struct Window {
    strategy: Strategy,
    lanes: Vec<Lane>,
    runs_ahead: bool,
}

/// A coupon is bound to a strategy that this server does not offer.
#[derive(Debug, thiserror::Error)]
#[error("this server does not offer the strategy {}", .0.name())]
struct NotOffered(Strategy);

impl Ledgers {
    /// One ledger for every coupon, behind a combiner whose thread is named `name`.
    pub fn one(name: &str, ledger: Arc<dyn IssueLedger>) -> io::Result<Self> {
        Ok(Self {
            counters: vec![Counter {
                strategy: Strategy::Journal,
                combiners: vec![Combiner::start(name, Arc::clone(&ledger))?],
                doors: vec![ledger],
                runs_ahead: true,
            }],
            bindings: None,
            refusals: None,
        })
    }

    /// Ledgers that many servers share. A coupon that `board` does not know yet is looked up in `marks`.
    pub fn several(
        offers: Vec<Offer>,
        board: Arc<Board>,
        marks: Arc<dyn LedgerMarks>,
        refuse_from: RefuseFrom,
    ) -> io::Result<Self> {
        let counters: io::Result<Vec<Counter>> = offers.into_iter().map(Counter::open).collect();
        Ok(Self {
            counters: counters?,
            refusals: match refuse_from {
                RefuseFrom::Memory => Some(Arc::new(Refusals::new(Arc::clone(&board), Arc::clone(&marks)))),
                RefuseFrom::Ledger => None,
            },
            bindings: Some(Arc::new(Bindings::new(board, marks, refuse_from))),
        })
    }

    /// New lanes: one set for each event loop, so that answers arrive with one wake-up per loop and combiner.
    pub fn lanes(&self) -> Lanes {
        let Some(bindings) = &self.bindings else {
            return Lanes(Ways::One(self.counters[0].combiners[0].lane()));
        };
        let window = |counter: &Counter| Window {
            strategy: counter.strategy,
            lanes: counter.combiners.iter().map(Combiner::lane).collect(),
            runs_ahead: counter.runs_ahead,
        };
        Lanes(Ways::Several(Arc::new(Several {
            counters: self.counters.iter().map(window).collect(),
            bindings: Arc::clone(bindings),
            refusals: self.refusals.clone(),
        })))
    }

    /// Present figures of all combiners together.
    pub fn stats(&self) -> CombinerStats {
        let all = self.counters.iter().flat_map(|counter| &counter.combiners);
        all.map(Combiner::stats).fold(
            CombinerStats {
                waiting: 0,
                batches: 0,
                requests: 0,
            },
            |sum, one| CombinerStats {
                waiting: sum.waiting + one.waiting,
                batches: sum.batches + one.batches,
                requests: sum.requests + one.requests,
            },
        )
    }

    /// How many requests were refused from memory, without asking a ledger.
    pub fn refused_from_memory(&self) -> u64 {
        self.refusals.as_ref().map_or(0, |refusals| refusals.repeated())
    }

    /// Whether every ledger can keep its promise, and of those that cannot, which and why.
    pub fn health(&self) -> Health {
        let mut reasons: Vec<String> = Vec::new();
        for counter in &self.counters {
            for door in &counter.doors {
                let Health::NotReady(reason) = door.health() else {
                    continue;
                };
                let reason = if self.bindings.is_none() {
                    reason
                } else {
                    format!("{}: {reason}", counter.strategy.name())
                };
                if !reasons.contains(&reason) {
                    reasons.push(reason);
                }
            }
        }
        if reasons.is_empty() {
            Health::Ready
        } else {
            Health::NotReady(reasons.join("; "))
        }
    }

    /// Refuses new requests, answers those that wait, closes every ledger and returns the first thing that went wrong.
    /// Blocks until then; a second call returns at once.
    pub fn close(&self) -> Result<(), LedgerError> {
        let all = self.counters.iter().flat_map(|counter| &counter.combiners);
        all.map(Combiner::close).fold(Ok(()), Result::and)
    }
}

impl Counter {
    fn open(offer: Offer) -> io::Result<Self> {
        let shared = Shared::of(&offer.doors);
        let combiners = shared.into_iter().enumerate().map(|(number, door)| {
            let name = format!("{} {number}", offer.strategy.name());
            Combiner::start(&name, Arc::new(door))
        });
        let combiners: Vec<Combiner> = combiners.collect::<io::Result<_>>()?;
        if combiners.is_empty() {
            return Err(io::Error::other("a ledger without a door"));
        }
        Ok(Self {
            strategy: offer.strategy,
            combiners,
            doors: offer.doors,
            runs_ahead: offer.runs_ahead,
        })
    }
}

impl From<Lane> for Lanes {
    fn from(lane: Lane) -> Self {
        Self(Ways::One(lane))
    }
}

impl Lanes {
    /// The lane to the ledger that decides this coupon; `None` when there is no such coupon.
    pub(crate) async fn of(&self, coupon: CouponId) -> Result<Option<&Lane>, LedgerError> {
        match &self.0 {
            Ways::One(lane) => Ok(Some(lane)),
            Ways::Several(several) => several.of(coupon, false).await,
        }
    }

    /// The same for a command, which may not be refused from memory.
    pub(crate) async fn to_command(&self, coupon: CouponId) -> Result<Option<&Lane>, LedgerError> {
        match &self.0 {
            Ways::One(lane) => Ok(Some(lane)),
            Ways::Several(several) => several.of(coupon, true).await,
        }
    }

    /// The lane to the ledger that decides new coupons of this strategy.
    pub(crate) fn to_create(&self, strategy: Strategy) -> Result<&Lane, LedgerError> {
        match &self.0 {
            Ways::One(lane) => Ok(lane),
            Ways::Several(several) => several
                .window(strategy)?
                .lanes
                .first()
                .ok_or_else(|| not_offered(strategy)),
        }
    }

    /// What can be refused from memory; see the module `refusals`.
    pub(crate) fn recall(&self, request: &IssueRequest, clock: &dyn Clock) -> Option<Outcome> {
        self.refusals()?.recall(request, clock)
    }

    /// Takes note of what the ledger behind one of these lanes has answered to what was asked at `asked_at`.
    pub(crate) fn note(&self, lane: &Lane, coupon: CouponId, asked_at: Instant, outcome: &Outcome) {
        if let Some(refusals) = self.refusals() {
            refusals.note(lane, coupon, asked_at, outcome);
        }
    }

    /// A command to a coupon was answered: whatever was refused before may be granted now.
    pub(crate) fn forget_refusals(&self, coupon: CouponId) {
        if let Some(refusals) = self.refusals() {
            refusals.forget(coupon);
        }
    }

    /// What is remembered of refusals, if anything.
    fn refusals(&self) -> Option<&Arc<Refusals>> {
        match &self.0 {
            Ways::One(_) => None,
            Ways::Several(several) => several.refusals.as_ref(),
        }
    }

    /// Whether other servers issue the same coupons, so that the board may be behind.
    pub(crate) fn are_shared(&self) -> bool {
        matches!(self.0, Ways::Several(_))
    }

    /// Posts a coupon that another server has just made, if there is one; with `surely`, also one that was not there a
    /// moment ago.
    pub(crate) async fn acquaint(&self, coupon: CouponId, surely: bool) -> Result<(), LedgerError> {
        match &self.0 {
            Ways::One(_) => Ok(()),
            Ways::Several(several) => several.bindings.strategy(coupon, surely).await.map(drop),
        }
    }

    /// What a user holds of coupons whose issues the store may not have.
    pub(crate) async fn held_ahead(
        &self,
        board: &Board,
        clock: &dyn Clock,
        user: &UserId,
    ) -> Result<Vec<(CouponId, Grant)>, LedgerError> {
        let several = match &self.0 {
            Ways::One(lane) => return held(lane, user, board.pending()).await,
            Ways::Several(several) => several,
        };
        let mut found = Vec::new();
        let unsettled = board.unsettled(clock.now());
        for window in several.counters.iter().filter(|window| window.runs_ahead) {
            let coupons = unsettled
                .iter()
                .filter(|(_, strategy)| *strategy == window.strategy);
            let coupons = coupons.map(|(coupon, _)| *coupon).collect();
            if let Some(lane) = window.lanes.first() {
                found.extend(held(lane, user, coupons).await?);
            }
        }
        Ok(found)
    }
}

impl Several {
    async fn of(&self, coupon: CouponId, surely: bool) -> Result<Option<&Lane>, LedgerError> {
        let strategy = match self.bindings.known(coupon) {
            Some(strategy) => strategy,
            // In a box, so that the future of the many stays small.
            None => match Box::pin(self.bindings.strategy(coupon, surely)).await? {
                Some(strategy) => strategy,
                None => return Ok(None),
            },
        };
        let window = self.window(strategy)?;
        let doors = u32::try_from(window.lanes.len()).unwrap_or(u32::MAX).max(1);
        let door = usize::try_from(coupon.get() % doors).unwrap_or(0); // less than their number
        Ok(window.lanes.get(door))
    }

    fn window(&self, strategy: Strategy) -> Result<&Window, LedgerError> {
        let offered = self.counters.iter().find(|window| window.strategy == strategy);
        offered.ok_or_else(|| not_offered(strategy))
    }
}

fn not_offered(strategy: Strategy) -> LedgerError {
    LedgerError::Unavailable(crate::Reason::adapter(NotOffered(strategy)))
}

async fn held(
    lane: &Lane,
    user: &UserId,
    coupons: Vec<CouponId>,
) -> Result<Vec<(CouponId, Grant)>, LedgerError> {
    if coupons.is_empty() {
        return Ok(Vec::new());
    }
    let user = user.clone();
    match lane.look(Look::Holder { user, coupons }).await? {
        Seen::Holder(held) => Ok(held),
        Seen::Positions(_) | Seen::Coupon(_) => Err(LedgerError::Indeterminate(crate::Reason::Poisoned)),
    }
}
