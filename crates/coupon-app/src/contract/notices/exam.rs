//! One store under examination: what happens in it, and what there is to tell.

use super::{NoticeHarness, Office};
use crate::contract::store::{coupon, issue_for};
use crate::contract::{START, coupon_id, run, terms, user};
use crate::{
    DeliveryRecord, Entry, JobRecord, Notification, NotificationId, NotificationKinds, OutboxTally, Passed,
    Plan, Recipient, Record, RedemptionAction, RedemptionOutcome, RedemptionRequest, Reminders,
    RevisedRecord, Taken,
};
use coupon_core::{Actor, Amount, Coupon, IssuedCouponId, Order, OrderId, Position, Span, Timestamp};

/// A day, in microseconds.
pub(super) const DAY: i64 = 86_400_000_000;
/// How long a case holds what it takes.
pub(super) const LEASE: Span = Span::from_secs(60);
/// Rows that one call of the calendar may write.
pub(super) const BATCH: usize = 500;
/// More batches than any case has work for; whoever says then that there is more would say so for ever.
const MOST_BATCHES: usize = 1_000;

/// A store under examination.
pub struct NoticeExam<'h> {
    harness: &'h mut dyn NoticeHarness,
    /// Only empty while it is being opened again.
    office: Option<Office>,
}

/// Everything that can be read without changing anything.
type Everything = (Vec<DeliveryRecord>, OutboxTally, Vec<JobRecord>);

impl<'h> NoticeExam<'h> {
    /// Runs one case on a fresh store, and at its end checks that all of it is durable.
    pub fn sit(harness: &'h mut dyn NoticeHarness, case: impl AsyncFnOnce(&mut NoticeExam<'h>)) {
        run(async {
            let mut exam = Self::begin(harness, NotificationKinds::ALL).await;
            case(&mut exam).await;
            exam.crash().await;
        });
    }

    /// A fresh, empty store.
    pub async fn begin(harness: &'h mut dyn NoticeHarness, kinds: NotificationKinds) -> Self {
        let office = Some(harness.open(kinds).await);
        Self { harness, office }
    }

    /// The store.
    pub fn office(&self) -> &Office {
        self.office.as_ref().unwrap()
    }

    /// How many a crowd is.
    pub fn crowd(&self) -> u32 {
        self.harness.crowd()
    }

    /// Ends the store as a crash would and opens it again; it has everything that it had.
    pub async fn crash(&mut self) {
        let before = self.everything().await;
        let office = self.office.take().unwrap();
        self.office = Some(self.harness.crash_and_reopen(office).await);
        assert_eq!(self.everything().await, before, "what was written is durable");
    }

    async fn everything(&self) -> Everything {
        let Office { outbox, jobs, .. } = self.office();
        (
            outbox.deliveries(None, 0, 100_000).await.unwrap(),
            outbox.tally().await.unwrap(),
            jobs.jobs().await.unwrap(),
        )
    }

    /// Applies records in one entry after what is applied already.
    pub async fn apply(&self, records: Vec<Record>) {
        let store = &self.office().till.books.records;
        let seq = store.applied().await.unwrap() + 1;
        store.apply(&[Entry { seq, records }]).await.unwrap();
    }

    /// A revision.
    pub async fn publish(&self, coupon: Coupon) {
        let revised = RevisedRecord {
            coupon,
            issued: 0,
            lost: 0,
            actor: "key-1".into(),
            token: None,
        };
        self.apply(vec![Record::Revised(Box::new(revised))]).await;
    }

    /// Publishes coupon 1, unlimited or of so many.
    pub async fn open_sale(&self, quantity: u32) {
        self.publish(coupon(coupon_id(1), terms(quantity))).await;
    }

    /// Issues these positions of coupon 1, valid for so long, so many microseconds after [`START`].
    pub async fn issue(&self, positions: impl Iterator<Item = u32>, micros: i64, valid_us: i64) {
        let one = |position: u32| {
            let who = user(usize::try_from(position).unwrap());
            let issued_at = after_start(micros);
            Record::Issued(issue_for(coupon_id(1), &who, position, issued_at, valid_us))
        };
        self.apply(positions.map(one).collect()).await;
    }

    /// Asks in one batch, so many microseconds after [`START`].
    pub async fn ask(&self, micros: i64, requests: Vec<RedemptionRequest>) -> Vec<RedemptionOutcome> {
        let clock = after_start(micros);
        let redemptions = &self.office().till.redemptions;
        redemptions.decide(&requests, clock).await.unwrap()
    }

    /// The id and the time of everything that nobody has planned, by id. Takes it for no time at all.
    pub async fn new_ones(&self) -> Vec<(String, i64)> {
        let all = self
            .office()
            .outbox
            .take_new(Timestamp::MAX, Span::ZERO, 100_000)
            .await
            .unwrap();
        let mut new: Vec<(String, i64)> = all
            .iter()
            .map(|one| (one.id().to_string(), one.at.as_micros() - START.as_micros()))
            .collect();
        new.sort();
        new
    }

    /// The ids alone.
    pub async fn new_ids(&self) -> Vec<String> {
        self.new_ones().await.into_iter().map(|(id, _)| id).collect()
    }

    /// Whether this one is there to be planned.
    pub async fn is_new(&self, id: &str) -> bool {
        self.new_ids().await.iter().any(|one| one == id)
    }

    /// Everything that nobody has planned, so many microseconds after [`START`].
    pub async fn take_new(&self, micros: i64, limit: usize) -> Vec<Notification> {
        let outbox = &self.office().outbox;
        outbox.take_new(after_start(micros), LEASE, limit).await.unwrap()
    }

    /// Plans one notification.
    pub async fn plan(&self, micros: i64, id: &str, deliveries: &[(&str, &str)]) {
        let plan = Plan {
            notification: notification_id(id),
            deliveries: deliveries
                .iter()
                .map(|(channel, recipient)| ((*channel).into(), Recipient::parse(*recipient).unwrap()))
                .collect(),
        };
        let outbox = &self.office().outbox;
        outbox.plan(&[plan], after_start(micros)).await.unwrap();
    }

    /// Deliveries of `mail` and `webhook` that are due.
    pub async fn take_due(&self, micros: i64) -> Vec<Taken> {
        let outbox = &self.office().outbox;
        let channels = ["mail", "webhook"];
        outbox
            .take_due(&channels, after_start(micros), LEASE, 1_000)
            .await
            .unwrap()
    }

    /// What is in the outbox.
    pub async fn tally(&self) -> OutboxTally {
        self.office().outbox.tally().await.unwrap()
    }

    /// Runs expiry until nothing is left, so many microseconds after [`START`]; how many it wrote.
    pub async fn expire(&self, micros: i64) -> u64 {
        let calendar = &self.office().calendar;
        until_nothing_is_left(async || calendar.expire(after_start(micros), BATCH).await.unwrap()).await
    }

    /// Runs reminders until nothing is left.
    pub async fn remind(&self, days: &[u16], micros: i64) -> u64 {
        let reminders = Reminders::new(days.iter().copied()).unwrap();
        until_nothing_is_left(async || self.remind_once(&reminders, micros).await).await
    }

    /// One batch of reminders.
    pub async fn remind_once(&self, reminders: &Reminders, micros: i64) -> Passed {
        let calendar = &self.office().calendar;
        calendar
            .remind(reminders, after_start(micros), BATCH)
            .await
            .unwrap()
    }

    /// Runs announcements until nothing is left.
    pub async fn announce(&self, limit: usize) -> u64 {
        let calendar = &self.office().calendar;
        until_nothing_is_left(async || calendar.announce(limit).await.unwrap()).await
    }
}

/// Runs batches until one says that there is no more; how much they wrote.
async fn until_nothing_is_left(batch: impl AsyncFn() -> Passed) -> u64 {
    let mut written = 0;
    for _ in 0..MOST_BATCHES {
        let passed = batch().await;
        written += passed.written;
        if !passed.more {
            return written;
        }
    }
    panic!("after {MOST_BATCHES} batches and {written} written there is still more")
}

/// The id of coupon 1 at a position.
pub(super) fn id(position: u32) -> IssuedCouponId {
    IssuedCouponId {
        coupon: coupon_id(1),
        position: Position::new(position).unwrap(),
    }
}

/// An id as it is written.
pub(super) fn notification_id(text: &str) -> NotificationId {
    text.parse().unwrap()
}

fn request(position: u32, action: RedemptionAction) -> RedemptionRequest {
    RedemptionRequest {
        id: id(position),
        user: None,
        action,
        actor: Actor::Key("till".into()),
        token: None,
        audit: None,
    }
}

/// A service redeems.
pub(super) fn redeem(position: u32, name: &str) -> RedemptionRequest {
    let order = Order {
        id: OrderId::parse(name).unwrap(),
        amount: Amount::new(20_000).unwrap(),
    };
    request(position, RedemptionAction::Redeem(order))
}

/// A service gives back.
pub(super) fn cancel(position: u32, name: &str) -> RedemptionRequest {
    request(position, RedemptionAction::Cancel(OrderId::parse(name).unwrap()))
}

/// An administrator revokes.
pub(super) fn revoke(position: u32) -> RedemptionRequest {
    request(position, RedemptionAction::Revoke)
}

/// The instant so many microseconds after [`START`].
pub(super) fn after_start(micros: i64) -> Timestamp {
    Timestamp::from_micros(START.as_micros() + micros).unwrap()
}
