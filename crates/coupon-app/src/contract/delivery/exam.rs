//! One store under examination.

use super::{DeliveryHarness, Intake};
use crate::contract::{START, run, terms};
use crate::{Delivered, Delivery, IssuedRecord, Quarantined, Record, RevisedRecord, Suspicion};
use coupon_core::{Coupon, CouponId, Grant, Position, Span, UserId};

/// A store under examination.
pub struct DeliveryExam<'h> {
    harness: &'h mut dyn DeliveryHarness,
    /// Only empty while it is being opened again.
    intake: Option<Intake>,
}

/// Everything that the suite can see of a coupon.
pub(super) type Whole = (Option<crate::LedgerMark>, Vec<IssuedRecord>);

impl<'h> DeliveryExam<'h> {
    /// Runs one case on a fresh store. In the end nothing may depend on what is not durable.
    pub fn sit(harness: &'h mut dyn DeliveryHarness, case: impl AsyncFnOnce(&mut DeliveryExam<'h>)) {
        run(async {
            let mut exam = Self::begin(harness).await;
            case(&mut exam).await;
            exam.crash().await;
        });
    }

    pub(super) async fn begin(harness: &'h mut dyn DeliveryHarness) -> Self {
        let intake = harness.open().await;
        Self {
            harness,
            intake: Some(intake),
        }
    }

    /// The store.
    pub fn intake(&self) -> &Intake {
        self.intake.as_ref().unwrap()
    }

    /// Opens the store again; it has everything that it had.
    pub async fn crash(&mut self) {
        let before = (self.everything().await, self.quarantine().await);
        let intake = self.intake.take().unwrap();
        self.intake = Some(self.harness.crash_and_reopen(intake).await);
        let after = (self.everything().await, self.quarantine().await);
        assert_eq!(after, before, "what was delivered is durable");
    }

    /// Delivers.
    pub async fn deliver(&self, deliveries: &[Delivery]) -> Delivered {
        self.intake().deliveries.deliver(deliveries).await.unwrap()
    }

    /// The first coupons, whole.
    pub(super) async fn everything(&self) -> Vec<Whole> {
        let mut all = Vec::new();
        for number in 1..=3 {
            all.push(self.whole(crate::contract::coupon_id(number)).await);
        }
        all
    }

    /// One coupon, whole, with the counts held against the rows.
    pub(super) async fn whole(&self, coupon: CouponId) -> Whole {
        let mark = self.intake().marks.mark(coupon).await.unwrap();
        let records = self.intake().marks.records(coupon, 0, usize::MAX).await.unwrap();
        let count = u32::try_from(records.len()).unwrap();
        assert_eq!(mark.as_ref().map_or(0, |mark| mark.issued), count);
        if let (Some(mark), Some(last)) = (&mark, records.last()) {
            assert!(mark.highest >= last.grant.position.get());
        }
        assert!(records.is_sorted_by_key(|one| one.grant.position));
        (mark, records)
    }

    /// Positions and users of a coupon.
    pub(super) async fn holders(&self, coupon: CouponId) -> Vec<(u32, UserId)> {
        let (_, records) = self.whole(coupon).await;
        let holder = |one: IssuedRecord| (one.grant.position.get(), one.user);
        records.into_iter().map(holder).collect()
    }

    /// Everything in quarantine. Numbers differ between stores, their order does not.
    pub(super) async fn quarantine(&self) -> Vec<Quarantined> {
        self.intake().deliveries.quarantine(0, usize::MAX).await.unwrap()
    }

    /// The reasons in quarantine.
    pub(super) async fn suspicions(&self) -> Vec<Suspicion> {
        self.quarantine().await.iter().map(|one| one.reason).collect()
    }
}

/// An entry of the first epoch.
pub(super) fn delivery(coupon: CouponId, records: Vec<Record>) -> Delivery {
    in_epoch(1, coupon, records)
}

/// An entry.
pub(super) fn in_epoch(epoch: u32, coupon: CouponId, records: Vec<Record>) -> Delivery {
    Delivery {
        coupon,
        epoch,
        records,
    }
}

/// A revision of a coupon with this quantity, made when so many were issued.
pub(super) fn revision(coupon: CouponId, revision: u32, count: u32, issued: u32) -> Record {
    Record::Revised(Box::new(RevisedRecord {
        coupon: Coupon {
            id: coupon,
            revision,
            terms: terms(count),
            paused: false,
            closed_at: None,
            deleted: false,
            created_at: START,
            revised_at: START,
        },
        issued,
        lost: 0,
        actor: "key-1".into(),
        token: None,
    }))
}

/// An issue.
pub(super) fn issue(coupon: CouponId, user: &UserId, position: u32) -> Record {
    let issued_at = START.saturating_add(Span::from_micros(i64::from(position)).unwrap());
    Record::Issued(IssuedRecord {
        coupon,
        user: user.clone(),
        grant: Grant {
            position: Position::new(position).unwrap(),
            issued_at,
            expires_at: issued_at.saturating_add(Span::from_secs(60)),
        },
        key: coupon_core::KeyHash::new(u64::from(position) << 40),
    })
}
