//! Jobs over the reference store: killed at every step and run again, with channels that fail.

use async_trait::async_trait;
use coupon_app::contract::{START, coupon_id, terms, user};
use coupon_app::memory::{ManualClock, MemoryStore};
use coupon_app::{
    Attempt, Calendar, Channel, ChannelOutcome, Clock, DeliveryId, DeliveryRecord, DeliveryState, Entry,
    IssuedRecord, JobBook, JobRecord, JobRun, Notification, NotificationId, NotificationOutbox, OutboxTally,
    Passed, Patience, Plan, Recipient, Record, RecordStore, Reminders, Report, RevisedRecord, Settled,
    StoreError, Taken,
};
use coupon_core::{Coupon, Grant, Position, Span, Timestamp};
use coupon_worker::{Job, JobParts, JobSettings, Jobs, run_jobs, stop};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

const DAY: i64 = 86_400_000_000;
/// Longer than any lease.
const AFTER_A_CRASH: i64 = 600_000_000;
const ISSUED: u32 = 5;

/// A store whose process is killed at one of its calls: before it, or after it and before the answer.
struct Dying {
    store: MemoryStore,
    steps: AtomicUsize,
    last: usize,
}

impl Dying {
    /// Lives for so many steps; each call has two.
    fn after(store: &MemoryStore, last: usize) -> Arc<Self> {
        Arc::new(Self {
            store: store.clone(),
            steps: AtomicUsize::new(0),
            last,
        })
    }

    async fn step(&self) {
        if self.steps.fetch_add(1, Ordering::SeqCst) >= self.last {
            // Whoever is killed does not go on; the test drops it.
            std::future::pending::<()>().await;
        }
    }

    async fn call<T>(&self, call: impl Future<Output = T>) -> T {
        self.step().await;
        let answer = call.await;
        self.step().await;
        answer
    }
}

#[async_trait]
impl Calendar for Dying {
    async fn expire(&self, now: Timestamp, limit: usize) -> Result<Passed, StoreError> {
        self.call(self.store.expire(now, limit)).await
    }

    async fn remind(
        &self,
        reminders: &Reminders,
        now: Timestamp,
        limit: usize,
    ) -> Result<Passed, StoreError> {
        self.call(self.store.remind(reminders, now, limit)).await
    }

    async fn announce(&self, limit: usize) -> Result<Passed, StoreError> {
        self.call(self.store.announce(limit)).await
    }
}

#[async_trait]
impl NotificationOutbox for Dying {
    async fn take_new(
        &self,
        now: Timestamp,
        lease: Span,
        limit: usize,
    ) -> Result<Vec<Notification>, StoreError> {
        self.call(self.store.take_new(now, lease, limit)).await
    }

    async fn plan(&self, plans: &[Plan], now: Timestamp) -> Result<(), StoreError> {
        self.call(self.store.plan(plans, now)).await
    }

    async fn take_due(
        &self,
        channels: &[&str],
        now: Timestamp,
        lease: Span,
        limit: usize,
    ) -> Result<Vec<Taken>, StoreError> {
        self.call(self.store.take_due(channels, now, lease, limit)).await
    }

    async fn settle(&self, settled: &[Settled], now: Timestamp) -> Result<(), StoreError> {
        let settling = NotificationOutbox::settle(&self.store, settled, now);
        self.call(settling).await
    }

    async fn deliveries(
        &self,
        state: Option<DeliveryState>,
        after: u64,
        limit: usize,
    ) -> Result<Vec<DeliveryRecord>, StoreError> {
        self.store.deliveries(state, after, limit).await
    }

    async fn replay(
        &self,
        delivery: &DeliveryId,
        now: Timestamp,
        origin: &coupon_app::Origin,
    ) -> Result<bool, StoreError> {
        self.store.replay(delivery, now, origin).await
    }

    async fn tally(&self) -> Result<OutboxTally, StoreError> {
        self.store.tally().await
    }

    async fn forget(&self, before: Timestamp, limit: usize) -> Result<u64, StoreError> {
        self.call(self.store.forget(before, limit)).await
    }
}

#[async_trait]
impl JobBook for Dying {
    async fn take_job(
        &self,
        name: &str,
        owner: &str,
        now: Timestamp,
        lease: Span,
    ) -> Result<bool, StoreError> {
        self.call(self.store.take_job(name, owner, now, lease)).await
    }

    async fn end_job(&self, name: &str, owner: &str, run: &JobRun) -> Result<(), StoreError> {
        self.call(self.store.end_job(name, owner, run)).await
    }

    async fn jobs(&self) -> Result<Vec<JobRecord>, StoreError> {
        self.store.jobs().await
    }
}

/// A channel that answers as a test says, and remembers what it was given.
struct Postman {
    patience: Patience,
    answer: fn(&Attempt) -> ChannelOutcome,
    had: Mutex<Vec<(NotificationId, u32)>>,
}

impl Postman {
    fn who(answer: fn(&Attempt) -> ChannelOutcome) -> Arc<Self> {
        Arc::new(Self {
            patience: Patience::new(vec![Span::from_secs(60), Span::from_secs(600)]),
            answer,
            had: Mutex::default(),
        })
    }

    /// How often each came.
    fn came(&self) -> BTreeMap<String, usize> {
        let mut came = BTreeMap::new();
        for (id, _) in self.had.lock().unwrap().iter() {
            *came.entry(id.to_string()).or_default() += 1;
        }
        came
    }
}

#[async_trait]
impl Channel for Postman {
    fn name(&self) -> &'static str {
        "mail"
    }

    fn patience(&self) -> &Patience {
        &self.patience
    }

    async fn recipients(&self, _notification: &Notification) -> Result<Vec<Recipient>, StoreError> {
        Ok(vec![Recipient::parse("holder").unwrap()])
    }

    async fn deliver(&self, attempt: &Attempt) -> ChannelOutcome {
        let id = attempt.notification.id();
        self.had.lock().unwrap().push((id, attempt.number));
        (self.answer)(attempt)
    }
}

fn taken(_attempt: &Attempt) -> ChannelOutcome {
    ChannelOutcome::Delivered(Report::new(Some(250), "taken"))
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(START.as_micros() + micros).unwrap()
}

/// Five issued coupons, valid for ten days.
async fn issued() -> MemoryStore {
    let store = MemoryStore::new();
    let coupon = Coupon {
        id: coupon_id(1),
        revision: 1,
        terms: terms(0),
        paused: false,
        closed_at: None,
        deleted: false,
        created_at: START,
        revised_at: START,
    };
    let mut records = vec![Record::Revised(Box::new(RevisedRecord {
        coupon,
        issued: 0,
        lost: 0,
        actor: "key-1".into(),
        token: None,
    }))];
    records.extend((1..=ISSUED).map(|position| {
        Record::Issued(IssuedRecord {
            coupon: coupon_id(1),
            user: user(usize::try_from(position).unwrap()),
            grant: Grant {
                position: Position::new(position).unwrap(),
                issued_at: START,
                expires_at: at(10 * DAY),
            },
            key: None,
        })
    }));
    store.apply(&[Entry { seq: 1, records }]).await.unwrap();
    store
}

fn parts<S>(store: &Arc<S>, postman: &Arc<Postman>, clock: &Arc<ManualClock>, owner: &str) -> JobParts
where
    S: Calendar + NotificationOutbox + JobBook,
{
    JobParts {
        calendar: Arc::clone(store) as _,
        outbox: Arc::clone(store) as _,
        book: Arc::clone(store) as _,
        channels: vec![Arc::clone(postman) as _],
        clock: Arc::clone(clock) as _,
        owner: owner.to_owned(),
        settings: JobSettings {
            expire_every: Span::from_secs(60),
            remind_every: Span::from_secs(60),
            deliver_every: Span::from_secs(1),
            reminders: Reminders::new([7]).unwrap(),
            batch: 2,
            keep: Span::from_secs(30 * 86_400),
        },
    }
}

/// Runs all three jobs once.
async fn run_all(jobs: &Jobs) {
    let (_bell, told) = stop();
    for job in Job::ALL {
        jobs.run(job, None, &told).await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn killed_at_any_step_and_run_again_everything_is_told_and_nothing_is_written_twice() {
    let mut last = 0;
    loop {
        let store = issued().await;
        let postman = Postman::who(taken);
        let clock = Arc::new(ManualClock::at(at(4 * DAY)));
        let dying = Dying::after(&store, last);
        let jobs = Jobs::new(parts(&dying, &postman, &clock, "first"));
        let killed = tokio::time::timeout(Duration::from_secs(60), run_all(&jobs))
            .await
            .is_err();
        drop(jobs);
        clock.shift(AFTER_A_CRASH);
        let store = Arc::new(store);
        let second = Jobs::new(parts(&store, &postman, &clock, "second"));
        run_all(&second).await;
        clock.set(at(11 * DAY));
        run_all(&second).await;
        let came = postman.came();
        let kinds = [("issued", ""), ("expiring", "-7"), ("expired", "")];
        for (kind, end) in kinds {
            for position in 1..=ISSUED {
                let id = format!("{kind}-1-{position}{end}");
                let times = came.get(&id).copied().unwrap_or(0);
                let most = if killed { 2 } else { 1 };
                assert!(
                    (1..=most).contains(&times),
                    "{id} came {times} times, killed at step {last}"
                );
            }
        }
        assert_eq!(
            came.len(),
            3 * usize::try_from(ISSUED).unwrap(),
            "killed at step {last}"
        );
        let tally = store.tally().await.unwrap();
        assert_eq!(
            (tally.new, tally.waiting, tally.dead),
            (0, 0, 0),
            "killed at step {last}"
        );
        if !killed {
            break;
        }
        last += 1;
    }
    assert!(last > 20, "so many steps were died at: {last}");
}

#[tokio::test(start_paused = true)]
async fn what_fails_is_tried_with_patience_and_then_kept_as_a_dead_letter() {
    let store = Arc::new(issued().await);
    let postman = Postman::who(|attempt| match attempt.notification.id().to_string().as_str() {
        "issued-1-1" => ChannelOutcome::RetryLater {
            after: None,
            report: Report::new(Some(451), "busy"),
        },
        "issued-1-2" => ChannelOutcome::Undeliverable(Report::new(None, "no address")),
        "issued-1-3" => ChannelOutcome::Refused(Report::new(Some(550), "no such user")),
        "issued-1-4" if attempt.number < 3 => ChannelOutcome::RetryLater {
            after: Some(Span::from_secs(120)),
            report: Report::new(Some(451), "later"),
        },
        _others => taken(attempt),
    });
    let clock = Arc::new(ManualClock::at(at(1)));
    let jobs = Jobs::new(parts(&store, &postman, &clock, "one"));
    let (_bell, told) = stop();
    for _ in 0..60 {
        jobs.run(Job::Deliver, None, &told).await.unwrap().unwrap();
        clock.shift(60_000_000);
    }
    let all = store.deliveries(None, 0, 100).await.unwrap();
    let stand: Vec<(String, DeliveryState, u32)> = all
        .iter()
        .map(|one| (one.delivery.notification.to_string(), one.state, one.attempts))
        .collect();
    use DeliveryState::{Dead, Delivered, Undeliverable};
    let expected = [
        ("issued-1-1", Dead, 3),
        ("issued-1-2", Undeliverable, 1),
        ("issued-1-3", Dead, 1),
        ("issued-1-4", Delivered, 3),
        ("issued-1-5", Delivered, 1),
    ];
    assert_eq!(
        stand,
        expected.map(|(id, state, attempts)| (id.to_owned(), state, attempts))
    );
    assert_eq!(
        all[0].report,
        Report::new(Some(451), "busy"),
        "the last reason is kept"
    );
    let text = jobs.books().text().unwrap();
    for line in [
        "firstcome_notifications_dead 2",
        "firstcome_notifications_undeliverable 1",
        "firstcome_notification_attempts_total{channel=\"mail\",result=\"delivered\"} 2",
        "firstcome_job_runs_total{job=\"deliver\"} 60",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_never_answers_is_given_up_for_this_time() {
    struct Mute(Patience);

    #[async_trait]
    impl Channel for Mute {
        fn name(&self) -> &'static str {
            "webhook"
        }

        fn patience(&self) -> &Patience {
            &self.0
        }

        async fn recipients(&self, _notification: &Notification) -> Result<Vec<Recipient>, StoreError> {
            Ok(vec![Recipient::parse("1").unwrap()])
        }

        async fn deliver(&self, _attempt: &Attempt) -> ChannelOutcome {
            std::future::pending().await
        }
    }

    let store = Arc::new(issued().await);
    let postman = Postman::who(taken);
    let clock = Arc::new(ManualClock::at(at(1)));
    let mut parts = parts(&store, &postman, &clock, "one");
    parts
        .channels
        .push(Arc::new(Mute(Patience::new(vec![Span::from_secs(60)]))));
    let (_bell, told) = stop();
    Jobs::new(parts)
        .run(Job::Deliver, None, &told)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        postman.came().len(),
        usize::try_from(ISSUED).unwrap(),
        "mail does not wait for it"
    );
    let waiting = store
        .deliveries(Some(DeliveryState::Waiting), 0, 100)
        .await
        .unwrap();
    assert_eq!(waiting.len(), usize::try_from(ISSUED).unwrap());
    assert!(
        waiting
            .iter()
            .all(|one| one.attempts == 1 && one.due_at > Some(at(60_000_000)))
    );
}

#[tokio::test(start_paused = true)]
async fn a_job_that_another_worker_runs_is_left_to_it() {
    let store = Arc::new(issued().await);
    let postman = Postman::who(taken);
    let clock = Arc::new(ManualClock::at(at(11 * DAY)));
    let (_bell, told) = stop();
    let second = Jobs::new(parts(&store, &postman, &clock, "second"));
    let lease = Span::from_secs(60);
    assert!(
        store
            .take_job("expire", "first", clock.now(), lease)
            .await
            .unwrap()
    );
    assert_eq!(second.run(Job::Expire, None, &told).await.unwrap(), None);
    clock.shift(60_000_000);
    let run = second.run(Job::Expire, None, &told).await.unwrap().unwrap();
    assert_eq!(run.done, u64::from(ISSUED));
}

#[tokio::test(start_paused = true)]
async fn the_clock_can_be_moved_for_one_run() {
    let store = Arc::new(issued().await);
    let postman = Postman::who(taken);
    let clock = Arc::new(ManualClock::at(at(0)));
    let jobs = Jobs::new(parts(&store, &postman, &clock, "one"));
    let (_bell, told) = stop();
    for (job, at, done) in [
        (Job::Remind, None, 0),
        (Job::Remind, Some(at(3 * DAY - 1)), 0),
        (Job::Remind, Some(at(3 * DAY)), ISSUED),
        (Job::Remind, Some(at(3 * DAY)), 0),
        (Job::Expire, Some(at(10 * DAY)), ISSUED),
        (Job::Expire, None, 0),
    ] {
        let run = jobs.run(job, at, &told).await.unwrap().unwrap();
        assert_eq!(run.done, u64::from(done), "{job:?} at {at:?}");
        assert_eq!(run.began_at, clock.now(), "the record is by the true clock");
    }
}

#[tokio::test(start_paused = true)]
async fn the_rota_runs_every_job_until_it_is_told_to_stop() {
    let store = Arc::new(issued().await);
    let postman = Postman::who(taken);
    let clock = Arc::new(ManualClock::at(at(11 * DAY)));
    let jobs = Arc::new(Jobs::new(parts(&store, &postman, &clock, "one")));
    let (bell, told) = stop();
    let running = {
        let jobs = Arc::clone(&jobs);
        tokio::spawn(async move { run_jobs(&jobs, &told).await })
    };
    while postman.came().len() < 2 * usize::try_from(ISSUED).unwrap() {
        clock.shift(1_000_000);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    bell.send(true).unwrap();
    running.await.unwrap();
    let known = store.jobs().await.unwrap();
    let names: Vec<&str> = known.iter().map(|job| &*job.name).collect();
    assert_eq!(names, ["deliver", "expire", "remind"]);
}

/// A calendar whose batches take a while, and that keeps which there were: what for, from when and until when.
struct Slow {
    store: MemoryStore,
    batches: Mutex<Vec<(&'static str, Instant, Instant)>>,
}

impl Slow {
    /// How long each waits for the store, and how long it has it then.
    const WAITING: Duration = Duration::from_millis(100);
    const WHILE: Duration = Duration::from_millis(10);

    async fn batch(
        &self,
        what: &'static str,
        batch: impl Future<Output = Result<Passed, StoreError>>,
    ) -> Result<Passed, StoreError> {
        tokio::time::sleep(Self::WAITING).await;
        let began = Instant::now();
        let passed = batch.await?;
        tokio::time::sleep(Self::WHILE).await;
        self.batches.lock().unwrap().push((what, began, Instant::now()));
        let held = Self::WHILE;
        Ok(Passed { held, ..passed })
    }
}

#[async_trait]
impl Calendar for Slow {
    async fn expire(&self, now: Timestamp, limit: usize) -> Result<Passed, StoreError> {
        self.batch("expire", self.store.expire(now, limit)).await
    }

    async fn remind(
        &self,
        reminders: &Reminders,
        now: Timestamp,
        limit: usize,
    ) -> Result<Passed, StoreError> {
        self.batch("remind", self.store.remind(reminders, now, limit))
            .await
    }

    async fn announce(&self, limit: usize) -> Result<Passed, StoreError> {
        self.store.announce(limit).await
    }
}

#[tokio::test(start_paused = true)]
async fn jobs_take_turns_and_leave_the_store_alone_between_them_for_as_long_as_they_had_it() {
    let store = issued().await;
    let slow = Arc::new(Slow {
        store: store.clone(),
        batches: Mutex::default(),
    });
    let postman = Postman::who(taken);
    let clock = Arc::new(ManualClock::at(at(0)));
    let parts = JobParts {
        calendar: Arc::clone(&slow) as _,
        ..parts(&Arc::new(store), &postman, &clock, "one")
    };
    let jobs = Jobs::new(parts);
    let (_bell, told) = stop();
    let (reminded, expired) = tokio::join!(
        jobs.run(Job::Remind, Some(at(5 * DAY)), &told),
        jobs.run(Job::Expire, Some(at(10 * DAY)), &told),
    );
    let done = [reminded, expired].map(|run| run.unwrap().unwrap().done);
    assert_eq!(done, [u64::from(ISSUED); 2]);
    let batches = slow.batches.lock().unwrap();
    let order: Vec<&str> = batches.iter().map(|(what, ..)| *what).collect();
    assert_eq!(
        order,
        ["remind", "expire", "remind", "expire", "remind", "expire"]
    );
    // But for the very last: when a job has nothing more to do, the other need not wait.
    for pair in batches[..5].windows(2) {
        let left_alone = pair[1].1.checked_duration_since(pair[0].2 + Slow::WAITING);
        assert!(
            left_alone == Some(Slow::WHILE),
            "{left_alone:?} between two batches: {batches:?}"
        );
    }
}
