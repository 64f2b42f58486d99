//! Forwarding: a ledger that runs ahead of the store, and brings to it itself what cannot wait for workers.

use crate::{
    Answer, CommandOutcome, CouponStore, Delivery, DeliveryStore, Epoch, Health, IssueLedger, IssuedRecord,
    LedgerError, Reason, Record, Reply, Request, RevisedRecord, StoreError, limits,
};
use crate::{Board, CommandRequest};
use async_trait::async_trait;
use coupon_core::{AckLevel, CouponId, IssuedCouponId, Outcome};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

/// Says in which epoch a shared ledger decides a coupon.
pub trait Epochs: Send + Sync + 'static {
    /// The epoch as the ledger knows it; `None` when it has not heard of the coupon.
    fn epoch(&self, coupon: CouponId) -> Option<Epoch>;
}

/// A shared ledger in front of a store, for what its stream would bring there too late.
///
/// 1. **Revisions at once.** What a command made is delivered before the command is answered, so that the other
///    servers, their lists and the workers know the coupon. If the store does not take it, the answer stays what the
///    ledger said: the stream brings it later.
/// 2. **`ack = store`.** A winner of a coupon with that level, and whoever is told "already issued" of one, is answered
///    only when the store has the issue. If the store fails after the decision, or the epoch was raised around it so that
///    nobody can say to which one it belongs, the answer is `Indeterminate`: the issue stands, and the stream brings it.
/// 3. Everything else is the ledger's own business, and passes untouched.
///
/// What the stream brings later is a redelivery, which changes nothing.
pub struct Forwarding {
    ledger: Arc<dyn IssueLedger>,
    epochs: Arc<dyn Epochs>,
    deliveries: Arc<dyn DeliveryStore>,
    store: Arc<dyn CouponStore>,
    board: Arc<Board>,
}

impl fmt::Debug for Forwarding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forwarding").finish_non_exhaustive()
    }
}

/// The store did not write an issue that it was given.
#[derive(Debug, thiserror::Error)]
#[error("the store put issue {0} into quarantine")]
struct Detained(IssuedCouponId);

/// A decision cannot be handed to the store, because it may belong to the epoch before or to the one after.
#[derive(Debug, thiserror::Error)]
#[error("the epoch of coupon {0} was raised meanwhile")]
struct EpochRaised(CouponId);

/// What was asked that may have to be forwarded.
enum Asked {
    Issue(IssuedRequest),
    Command(Box<CommandRequest>),
    Other,
}

struct IssuedRequest {
    request: crate::IssueRequest,
    epoch: Option<Epoch>,
}

/// An issue that the store must have before it is answered, with its place among the answers.
type Forwarded = (usize, Epoch, IssuedRecord);

impl Forwarding {
    /// In front of `ledger`, which decides in the epochs that `epochs` tells and posts on `board`.
    pub fn new(
        ledger: Arc<dyn IssueLedger>,
        epochs: Arc<dyn Epochs>,
        deliveries: Arc<dyn DeliveryStore>,
        store: Arc<dyn CouponStore>,
        board: Arc<Board>,
    ) -> Self {
        Self {
            ledger,
            epochs,
            deliveries,
            store,
            board,
        }
    }

    /// Copies of what may have to be forwarded. A coupon that is not on the board yet may be of either level.
    fn note(&self, requests: &[Request]) -> Vec<Asked> {
        let mut waits: HashMap<CouponId, bool> = HashMap::new();
        let note = |request: &Request| match request {
            Request::Issue(issue) => {
                let waits = *waits
                    .entry(issue.coupon)
                    .or_insert_with(|| self.ack(issue.coupon) != Some(AckLevel::Ledger));
                if !waits {
                    return Asked::Other;
                }
                Asked::Issue(IssuedRequest {
                    request: issue.clone(),
                    epoch: self.epochs.epoch(issue.coupon),
                })
            }
            Request::Command(command) => Asked::Command(command.clone()),
            Request::Look(_) => Asked::Other,
        };
        requests.iter().map(note).collect()
    }

    fn ack(&self, coupon: CouponId) -> Option<AckLevel> {
        self.board.get(coupon).map(|posted| posted.coupon.terms.ack)
    }

    /// Delivers the revision that a command made, if it made one.
    async fn forward_revision(&self, command: &CommandRequest, outcome: &CommandOutcome) {
        let CommandOutcome::Done {
            coupon,
            issued,
            decided_at,
            ..
        } = outcome
        else {
            return;
        };
        // Otherwise nothing changed, and the revision is another command's, with another's name on it.
        if coupon.revised_at != *decided_at {
            return;
        }
        // It does not change within an epoch, and was posted before the command was answered.
        let lost = self.board.get(coupon.id).map_or(0, |posted| posted.lost);
        let delivery = Delivery {
            coupon: coupon.id,
            epoch: self.epochs.epoch(coupon.id).unwrap_or(1),
            records: vec![Record::Revised(Box::new(RevisedRecord {
                coupon: coupon.as_ref().clone(),
                issued: *issued,
                lost,
                actor: command.actor.clone(),
                token: command.token,
            }))],
        };
        if let Err(error) = self.deliveries.deliver(&[delivery]).await {
            tracing::warn!(coupon = %coupon.id, %error, "the store does not know of a command yet; the stream brings it");
        }
    }

    /// Delivers the issues of one coupon and makes sure that they are there.
    async fn forward_issues(&self, coupon: CouponId, due: &[Forwarded]) -> Result<(), Reason> {
        let failed = |error: StoreError| Reason::adapter(error);
        let mut by_epoch: BTreeMap<Epoch, Vec<Record>> = BTreeMap::new();
        for (_, epoch, record) in due {
            by_epoch
                .entry(*epoch)
                .or_default()
                .push(Record::Issued(record.clone()));
        }
        let deliveries: Vec<Delivery> = by_epoch
            .into_iter()
            .map(|(epoch, records)| Delivery {
                coupon,
                epoch,
                records,
            })
            .collect();
        let delivered = self.deliveries.deliver(&deliveries).await.map_err(failed)?;
        if u64::try_from(due.len()).is_ok_and(|all| all == delivered.written) {
            return Ok(());
        }
        // Some were there already, among the issued coupons or in quarantine: only the first is good enough.
        for (_, _, record) in due {
            let id = IssuedCouponId {
                coupon,
                position: record.grant.position,
            };
            let found = self.store.issued_coupon(id).await.map_err(failed)?;
            if found.is_none_or(|found| found.user != record.user) {
                return Err(Reason::adapter(Detained(id)));
            }
        }
        Ok(())
    }

    async fn forward(&self, asked: Vec<Asked>, answers: &mut [Answer]) {
        let mut due: BTreeMap<CouponId, Vec<Forwarded>> = BTreeMap::new();
        let mut unsure = Vec::new();
        for (place, (asked, answer)) in asked.into_iter().zip(answers.iter()).enumerate() {
            match (asked, answer) {
                (Asked::Command(command), Ok(Reply::Command(outcome))) => {
                    self.forward_revision(&command, outcome).await;
                }
                (Asked::Issue(asked), Ok(Reply::Issue(outcome))) => {
                    let coupon = asked.request.coupon;
                    match self.record(asked, *outcome) {
                        Some(Ok((epoch, record))) => {
                            due.entry(coupon).or_default().push((place, epoch, record));
                        }
                        Some(Err(raised)) => unsure.push((place, coupon, raised)),
                        None => {}
                    }
                }
                (Asked::Issue(_) | Asked::Command(_) | Asked::Other, _) => {}
            }
        }
        for (place, coupon, raised) in unsure {
            if self.ack(coupon) != Some(AckLevel::Ledger) {
                answers[place] = Err(LedgerError::Indeterminate(Reason::adapter(raised)));
            }
        }
        for (coupon, due) in due {
            if self.ack(coupon) == Some(AckLevel::Ledger) {
                continue;
            }
            for some in due.chunks(limits::MAX_PAGE) {
                if let Err(reason) = self.forward_issues(coupon, some).await {
                    for (place, _, _) in some {
                        answers[*place] = Err(LedgerError::Indeterminate(reason.clone()));
                    }
                }
            }
        }
    }

    /// The issue that an answer tells of, if it does, and the epoch in which it was decided.
    fn record(
        &self,
        asked: IssuedRequest,
        outcome: Outcome,
    ) -> Option<Result<(Epoch, IssuedRecord), EpochRaised>> {
        let (grant, key) = match outcome {
            Outcome::Issued(grant) => (grant, asked.request.key),
            // Whose key it was issued under is not told; the stream brings it, unless the store has it already.
            Outcome::AlreadyIssued { grant, same_key } => (grant, asked.request.key.filter(|_| same_key)),
            Outcome::SoldOut
            | Outcome::NotYetOpen { .. }
            | Outcome::Closed { .. }
            | Outcome::Paused
            | Outcome::UnknownCoupon => return None,
        };
        let coupon = asked.request.coupon;
        let now = self.epochs.epoch(coupon);
        let epoch = asked.epoch.or(now)?;
        // One that was raised in between must not vouch for what was decided before, nor the one before for what came
        // after: the store would keep that as an alarm.
        if now != Some(epoch) {
            return Some(Err(EpochRaised(coupon)));
        }
        let record = IssuedRecord {
            coupon,
            user: asked.request.user,
            grant,
            key,
        };
        Some(Ok((epoch, record)))
    }
}

#[async_trait]
impl IssueLedger for Forwarding {
    async fn commit(&self, requests: &mut Vec<Request>, answers: &mut Vec<Answer>) {
        let asked = self.note(requests);
        let before = answers.len();
        self.ledger.commit(requests, answers).await;
        self.forward(asked, &mut answers[before..]).await;
    }

    fn largest_batch(&self) -> usize {
        self.ledger.largest_batch()
    }

    fn health(&self) -> Health {
        self.ledger.health()
    }

    async fn close(&self) -> Result<(), LedgerError> {
        self.ledger.close().await
    }
}
