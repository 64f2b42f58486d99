//! Judging deliveries of one coupon against what the store has of it: pure, and in the order in which they came.
//!
//! What comes out is a list of steps for one transaction. The database judges once more, by its unique keys and by the
//! condition under which the count is raised; if it disagrees, nothing is written.

use crate::error::Failure;
use crate::quarantine::{Fingerprint, fingerprint};
use coupon_app::{Delivered, Epoch, IssuedRecord, Quarantined, Record, RevisedRecord, Suspicion};
use coupon_core::{CouponId, Position, Quantity, Revision, UserId};
use std::collections::{BTreeMap, HashMap};

/// What is written, in order.
#[derive(Debug)]
pub(crate) enum Step {
    /// Issued coupons, decided in this epoch; the count goes up by as many.
    Rows(Epoch, Vec<IssuedRecord>),
    /// The rows before have taken the last of the quantity.
    SoldOut,
    /// The first revision that the store sees of this coupon.
    Create(Epoch, Box<RevisedRecord>),
    /// A later one.
    Revise(Box<RevisedRecord>),
    /// One that came late: it fills the history.
    Remember(Box<RevisedRecord>),
    /// Into quarantine, or there under another reason.
    Detain(Epoch, Suspicion, Record),
    /// Out of quarantine.
    Lift(Fingerprint),
}

/// The coupon as the store has it, and as it will be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub(crate) revision: Revision,
    pub(crate) epoch: Epoch,
    pub(crate) quantity: Quantity,
    pub(crate) count: u32,
}

/// Everything of one coupon that concerns the deliveries at hand.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    /// `None` when the store does not know the coupon.
    pub(crate) facts: Option<Facts>,
    /// The users among the deliveries who hold it, and where.
    pub(crate) held: HashMap<UserId, Position>,
    /// The positions among the deliveries that are taken.
    pub(crate) taken: HashMap<Position, UserId>,
    /// What of the deliveries is in quarantine, and what waits there for a revision.
    pub(crate) detained: BTreeMap<Fingerprint, Quarantined>,
    steps: Vec<Step>,
    delivered: Delivered,
    /// The order of what goes to quarantine now, behind everything that is there.
    fresh: u64,
}

impl Shelf {
    /// Judges one record.
    pub(crate) fn take(&mut self, record: &Record, epoch: Epoch) -> Result<(), Failure> {
        let judged = match record {
            Record::Issued(issue) => self.put(issue, epoch),
            Record::Revised(revised) => self.revise(revised, epoch),
        };
        match judged {
            Ok(fresh) => {
                self.delivered.redelivered += u64::from(!fresh);
                if !self.detained.is_empty() {
                    self.lift(&fingerprint(record, epoch)?);
                }
                if fresh && matches!(record, Record::Revised(_)) {
                    self.release()?;
                }
            }
            Err(reason) => self.detain(record, epoch, reason)?,
        }
        Ok(())
    }

    /// What is to be written, and what was counted.
    pub(crate) fn finish(self) -> (Vec<Step>, Delivered) {
        (self.steps, self.delivered)
    }

    fn put(&mut self, issue: &IssuedRecord, epoch: Epoch) -> Result<bool, Suspicion> {
        let Some(facts) = &mut self.facts else {
            return Err(Suspicion::UnknownCoupon);
        };
        let position = issue.grant.position;
        match self.held.get(&issue.user) {
            Some(held) if *held == position => return Ok(false),
            Some(_other) => return Err(Suspicion::AlreadyHeld),
            None => {}
        }
        if self.taken.contains_key(&position) {
            return Err(Suspicion::PositionTaken);
        }
        if epoch != facts.epoch {
            return Err(Suspicion::OtherEpoch);
        }
        if facts.quantity.next_position(facts.count).is_none() {
            return Err(Suspicion::QuantityExceeded);
        }
        facts.count += 1;
        self.held.insert(issue.user.clone(), position);
        self.taken.insert(position, issue.user.clone());
        self.delivered.written += 1;
        if let Some(Step::Rows(_, rows)) = self.steps.last_mut() {
            rows.push(issue.clone());
        } else {
            self.steps.push(Step::Rows(epoch, vec![issue.clone()]));
        }
        if facts
            .quantity
            .limit()
            .is_some_and(|last| last.get() == facts.count)
        {
            self.steps.push(Step::SoldOut);
        }
        Ok(true)
    }

    fn revise(&mut self, revised: &RevisedRecord, epoch: Epoch) -> Result<bool, Suspicion> {
        let boxed = || Box::new(revised.clone());
        let (revision, quantity) = (revised.coupon.revision, revised.coupon.terms.quantity);
        match &mut self.facts {
            None => {
                self.facts = Some(Facts {
                    revision,
                    epoch,
                    quantity,
                    count: 0,
                });
                self.steps.push(Step::Create(epoch, boxed()));
                Ok(true)
            }
            Some(facts) if revision <= facts.revision => {
                self.steps.push(Step::Remember(boxed()));
                Ok(false)
            }
            Some(facts) if epoch != facts.epoch => Err(Suspicion::OtherEpoch),
            Some(facts) => {
                facts.revision = revision;
                facts.quantity = quantity;
                self.steps.push(Step::Revise(boxed()));
                Ok(true)
            }
        }
    }

    fn detain(&mut self, record: &Record, epoch: Epoch, reason: Suspicion) -> Result<(), Failure> {
        let fingerprint = fingerprint(record, epoch)?;
        if self.detained.contains_key(&fingerprint) {
            self.delivered.redelivered += 1;
            return Ok(());
        }
        self.fresh += 1;
        let kept = Quarantined {
            number: u64::MAX / 2 + self.fresh,
            reason,
            epoch,
            record: record.clone(),
        };
        self.detained.insert(fingerprint, kept);
        self.steps.push(Step::Detain(epoch, reason, record.clone()));
        self.delivered.quarantined += 1;
        Ok(())
    }

    fn lift(&mut self, fingerprint: &Fingerprint) {
        if self.detained.remove(fingerprint).is_some() {
            self.steps.push(Step::Lift(*fingerprint));
        }
    }

    /// A revision has come: whoever waited for it is taken in, in order of position, as far as there is room.
    fn release(&mut self) -> Result<(), Failure> {
        let mut waiting: Vec<(Position, u64, Fingerprint, Epoch, IssuedRecord)> = self
            .detained
            .iter()
            .filter(|(_, one)| matches!(one.reason, Suspicion::UnknownCoupon | Suspicion::QuantityExceeded))
            .filter_map(|(fingerprint, one)| match &one.record {
                Record::Issued(issue) => Some((
                    issue.grant.position,
                    one.number,
                    *fingerprint,
                    one.epoch,
                    issue.clone(),
                )),
                Record::Revised(_) => None,
            })
            .collect();
        waiting.sort_by_key(|(position, number, ..)| (*position, *number));
        for (_, _, fingerprint, epoch, issue) in waiting {
            match self.put(&issue, epoch) {
                Ok(_) => {
                    self.delivered.released += 1;
                    self.lift(&fingerprint);
                }
                Err(reason) => {
                    let Some(kept) = self.detained.get_mut(&fingerprint) else {
                        continue;
                    };
                    if kept.reason != reason {
                        kept.reason = reason;
                        let record = kept.record.clone();
                        self.steps.push(Step::Detain(epoch, reason, record));
                    }
                }
            }
        }
        Ok(())
    }
}

/// What deliveries ask about: users and positions.
pub(crate) fn asked<'r>(
    coupon: CouponId,
    records: impl Iterator<Item = &'r Record>,
) -> impl Iterator<Item = &'r IssuedRecord> {
    records.filter_map(move |record| match record {
        Record::Issued(issue) if issue.coupon == coupon => Some(issue),
        Record::Issued(_) | Record::Revised(_) => None,
    })
}
