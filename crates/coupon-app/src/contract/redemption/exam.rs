//! One store under examination: what is issued in it, what is asked of it, and whether it still has everything.

use super::{RedemptionHarness, Till};
use crate::contract::store::{coupon, issue_for};
use crate::contract::{START, at, coupon_id, run, terms, user};
use crate::{
    CommandToken, Entry, Record, Redeemable, RedemptionAction, RedemptionOutcome, RedemptionRequest,
    RevisedRecord, StoreTally,
};
use coupon_core::{
    Actor, Amount, Coupon, HistoryEntry, IssuedCoupon, IssuedCouponId, Order, OrderId, Position,
    RedemptionRefusal, Timestamp, check_history,
};

/// How long what is issued here is valid, from [`START`].
pub(super) const VALID_US: i64 = 1_000_000;

/// A store under examination.
pub struct RedemptionExam<'h> {
    harness: &'h mut dyn RedemptionHarness,
    /// Only empty while it is being opened again.
    till: Option<Till>,
}

/// Everything that can be read of one issued coupon.
pub(super) type Everything = (Option<Redeemable>, Vec<HistoryEntry>, Option<IssuedCoupon>);

impl<'h> RedemptionExam<'h> {
    /// Runs one case on a fresh store that has coupon 1 with so many issued, and at its end checks every history and
    /// that all of it is durable.
    pub fn sit(
        harness: &'h mut dyn RedemptionHarness,
        issued: u32,
        case: impl AsyncFnOnce(&mut RedemptionExam<'h>),
    ) {
        run(async {
            let mut exam = Self::begin(harness).await;
            exam.publish(coupon(coupon_id(1), terms(0))).await;
            exam.issue(1, 1..=issued).await;
            case(&mut exam).await;
            exam.crash().await;
        });
    }

    /// A fresh, empty store.
    pub async fn begin(harness: &'h mut dyn RedemptionHarness) -> Self {
        let till = Some(harness.open().await);
        Self { harness, till }
    }

    /// The store.
    pub fn till(&self) -> &Till {
        self.till.as_ref().unwrap()
    }

    /// Ends the store as a crash would and opens it again; it has everything that it had, and it can have happened.
    pub async fn crash(&mut self) {
        let before = self.everything().await;
        for (redeemable, history, _) in &before {
            let grant = redeemable.as_ref().unwrap().issued.grant;
            assert_eq!(check_history(grant, history), Ok(()));
        }
        let till = self.till.take().unwrap();
        self.till = Some(self.harness.crash_and_reopen(till).await);
        assert_eq!(self.everything().await, before, "what was answered is durable");
    }

    /// Applies records in one entry after what is applied already.
    pub async fn apply(&self, records: Vec<Record>) {
        let store = &self.till().books.records;
        let seq = store.applied().await.unwrap() + 1;
        store.apply(&[Entry { seq, records }]).await.unwrap();
    }

    /// A revision, after everything that is issued.
    pub async fn publish(&self, coupon: Coupon) {
        let issued = self
            .till()
            .books
            .coupons
            .tally(coupon.id, START)
            .await
            .unwrap()
            .issued;
        let revised = RevisedRecord {
            coupon,
            issued: u32::try_from(issued).unwrap(),
            lost: 0,
            actor: "key-1".into(),
            token: None,
        };
        self.apply(vec![Record::Revised(Box::new(revised))]).await;
    }

    /// Issues these positions of a coupon, each to the user of its number.
    pub async fn issue(&self, coupon: u32, positions: impl Iterator<Item = u32>) {
        let one = |position: u32| {
            let who = user(usize::try_from(position).unwrap());
            Record::Issued(issue_for(coupon_id(coupon), &who, position, START, VALID_US))
        };
        self.apply(positions.map(one).collect()).await;
    }

    /// Asks in one batch, so many microseconds after [`START`].
    pub async fn ask(&self, micros: i64, requests: Vec<RedemptionRequest>) -> Vec<RedemptionOutcome> {
        let clock = after_start(micros);
        let outcomes = self.till().redemptions.decide(&requests, clock).await.unwrap();
        assert_eq!(outcomes.len(), requests.len());
        for (request, outcome) in requests.iter().zip(&outcomes) {
            if let RedemptionOutcome::Done { issued, .. } = outcome {
                assert_eq!(issued.id(), request.id, "an answer is of what was asked for");
            }
        }
        outcomes
    }

    /// Asks for one thing.
    pub async fn one(&self, micros: i64, request: RedemptionRequest) -> RedemptionOutcome {
        self.ask(micros, vec![request]).await.remove(0)
    }

    /// The whole history of one.
    pub async fn history(&self, position: u32) -> Vec<HistoryEntry> {
        let store = &self.till().redemptions;
        store.history(id(position), 0, 1_000).await.unwrap()
    }

    /// One as the store shows it.
    pub async fn shown(&self, position: u32) -> IssuedCoupon {
        let store = &self.till().books.coupons;
        store.issued_coupon(id(position)).await.unwrap().unwrap()
    }

    /// What is counted of coupon 1, so many microseconds after [`START`].
    pub async fn tally(&self, micros: i64) -> StoreTally {
        let now = after_start(micros);
        self.till().books.coupons.tally(coupon_id(1), now).await.unwrap()
    }

    /// Everything that can be read of every issued coupon of the coupons 1 to 3.
    pub async fn everything(&self) -> Vec<Everything> {
        let Till { books, redemptions } = self.till();
        let mut all = Vec::new();
        for number in 1..=3 {
            let page = books
                .coupons
                .issued_coupons(coupon_id(number), 0, 2_000)
                .await
                .unwrap();
            for listed in page {
                let id = listed.id();
                let redeemable = redemptions.redeemable(id).await.unwrap();
                assert_eq!(redeemable.as_ref().map(|one| &one.issued), Some(&listed));
                let history = redemptions.history(id, 0, 1_000).await.unwrap();
                assert_eq!(
                    redeemable.as_ref().map(|one| one.trail.steps),
                    history.last().map_or(Some(0), |last| Some(last.number))
                );
                all.push((
                    redeemable,
                    history,
                    books.coupons.issued_coupon(id).await.unwrap(),
                ));
            }
        }
        all
    }
}

/// The id of coupon 1 at a position.
pub(super) fn id(position: u32) -> IssuedCouponId {
    IssuedCouponId {
        coupon: coupon_id(1),
        position: Position::new(position).unwrap(),
    }
}

/// An order's id.
pub(super) fn order_id(name: &str) -> OrderId {
    OrderId::parse(name).unwrap()
}

/// An order.
pub(super) fn order(name: &str, units: u64) -> Order {
    Order {
        id: order_id(name),
        amount: Amount::new(units).unwrap(),
    }
}

fn request(position: u32, action: RedemptionAction) -> RedemptionRequest {
    RedemptionRequest {
        id: id(position),
        user: None,
        action,
        actor: Actor::Key("till".into()),
        audit: None,
        token: None,
    }
}

/// A service redeems.
pub(super) fn redeem(position: u32, name: &str, units: u64) -> RedemptionRequest {
    request(position, RedemptionAction::Redeem(order(name, units)))
}

/// A service gives back.
pub(super) fn cancel(position: u32, name: &str) -> RedemptionRequest {
    request(position, RedemptionAction::Cancel(order_id(name)))
}

/// An administrator revokes.
pub(super) fn revoke(position: u32) -> RedemptionRequest {
    request(position, RedemptionAction::Revoke)
}

/// The same under an idempotency key.
pub(super) fn under(token: Option<CommandToken>, request: RedemptionRequest) -> RedemptionRequest {
    RedemptionRequest { token, ..request }
}

/// What a table of outcomes looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Told {
    New,
    Replay,
    Unknown,
    Mismatch,
    Revoked,
    AlreadyRedeemed,
    Expired,
    Below,
    NotRedeemed,
    Full,
    TokenReused,
}

/// What somebody was told.
pub(super) fn told(outcome: &RedemptionOutcome) -> Told {
    match outcome {
        RedemptionOutcome::Done { replayed: false, .. } => Told::New,
        RedemptionOutcome::Done { replayed: true, .. } => Told::Replay,
        RedemptionOutcome::TokenReused => Told::TokenReused,
        RedemptionOutcome::Refused(refusal) => match refusal {
            RedemptionRefusal::UnknownIssuedCoupon => Told::Unknown,
            RedemptionRefusal::OrderMismatch => Told::Mismatch,
            RedemptionRefusal::Revoked { .. } => Told::Revoked,
            RedemptionRefusal::AlreadyRedeemed { .. } => Told::AlreadyRedeemed,
            RedemptionRefusal::Expired { .. } => Told::Expired,
            RedemptionRefusal::BelowMinimum { .. } => Told::Below,
            RedemptionRefusal::NotRedeemed => Told::NotRedeemed,
            RedemptionRefusal::HistoryFull => Told::Full,
        },
    }
}

/// What all of them were told.
pub(super) fn all_told(outcomes: &[RedemptionOutcome]) -> Vec<Told> {
    outcomes.iter().map(told).collect()
}

/// The instant so many microseconds after [`START`].
pub(super) fn after_start(micros: i64) -> Timestamp {
    at(START.as_micros() - at(0).as_micros() + micros)
}
