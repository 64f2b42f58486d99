//! A sale in the middle of which something goes wrong: two servers, two workers, a crowd that asks until it knows, and
//! the count of the invariants when it is over.

use crate::fleet::{Fleet, admin, publish, wait_for};
use crate::harness::{Caller, Server};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How many coupons there are.
pub(crate) const QUANTITY: u32 = 120;
/// How many want one. More by enough to fill what a loss leaves open.
const USERS: usize = 200;
/// How many ask at once.
const AT_ONCE: usize = 10;
/// Between two questions of one of these, so that a sale lasts long enough to go wrong in the middle.
const BREATH: Duration = Duration::from_millis(4);
/// Before somebody who was told nothing definite asks again.
const AGAIN: Duration = Duration::from_millis(30);

/// What one user was told in the end, and what was told before that is worth remembering.
#[derive(Clone, Debug)]
struct Told {
    user: String,
    asked_at: Instant,
    answered_at: Instant,
    outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    /// This request was the one that won.
    Issued(u64),
    /// An earlier one, to which no answer came, had won.
    Already(u64),
    SoldOut,
}

/// A sale that is going on.
pub(crate) struct Sale {
    pub(crate) fleet: Fleet,
    pub(crate) coupon: String,
    /// Empty where one was killed.
    pub(crate) servers: Vec<Option<Server>>,
    pub(crate) workers: Vec<Option<Server>>,
    desk: Arc<Desk>,
    crowd: Option<JoinHandle<()>>,
}

/// Where the crowd asks.
#[derive(Default)]
struct Desk {
    callers: Mutex<Vec<Caller>>,
    told: Mutex<Vec<Told>>,
    next: AtomicUsize,
    winners: AtomicUsize,
    unclear: AtomicUsize,
    unavailable: AtomicUsize,
    hurry: AtomicBool,
    held: AtomicBool,
}

/// What may be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// Nothing at all.
    Nothing,
    /// Nothing that was answered; positions that nobody was told may be counted as lost.
    Unanswered,
    /// What the store did not have yet; it must be counted and named.
    Counted,
}

impl Sale {
    /// Publishes a coupon and lets the crowd in.
    pub(crate) fn open(fleet: Fleet, servers: Vec<Server>, workers: Vec<Server>, terms: &Value) -> Self {
        let coupon = publish(&admin(&servers[0]), QUANTITY, terms);
        Self::go_on(fleet, servers, workers, coupon)
    }

    /// Lets the crowd in to a coupon that is there.
    pub(crate) fn go_on(fleet: Fleet, servers: Vec<Server>, workers: Vec<Server>, coupon: String) -> Self {
        let desk = Arc::new(Desk::default());
        *desk.callers.lock().unwrap() = servers.iter().map(admin).collect();
        let (serving, path) = (Arc::clone(&desk), format!("{coupon}/issues"));
        let crowd = std::thread::spawn(move || serving.let_in(&path));
        Self {
            fleet,
            coupon,
            servers: servers.into_iter().map(Some).collect(),
            workers: workers.into_iter().map(Some).collect(),
            desk,
            crowd: Some(crowd),
        }
    }

    /// With two servers and two workers on MariaDB and a Redis of its own.
    pub(crate) fn of_two(terms: &Value) -> Option<Self> {
        Some(Self::on(Fleet::open()?, terms))
    }

    pub(crate) fn on(fleet: Fleet, terms: &Value) -> Self {
        let servers = vec![fleet.serve(&[]), fleet.serve(&[])];
        let workers = vec![fleet.work(), fleet.work()];
        Self::open(fleet, servers, workers, terms)
    }

    /// Waits until so many have won.
    pub(crate) fn until_won(&self, count: usize) {
        let desk = &self.desk;
        wait_for(|| (desk.winners.load(Ordering::Relaxed) >= count).then_some(()));
    }

    /// Waits until so many requests more were not answered, or not definitely: the fault is felt.
    pub(crate) fn until_felt(&self, count: usize) {
        let desk = &self.desk;
        let before = desk.unclear.load(Ordering::Relaxed);
        wait_for(|| (desk.unclear.load(Ordering::Relaxed) >= before + count).then_some(()));
    }

    /// Waits until so many requests more were answered `unavailable`, which says when to come back.
    pub(crate) fn until_unavailable(&self, count: usize) {
        let desk = &self.desk;
        let before = desk.unavailable.load(Ordering::Relaxed);
        wait_for(|| (desk.unavailable.load(Ordering::Relaxed) >= before + count).then_some(()));
    }

    /// Lets nobody more in, or everybody again.
    pub(crate) fn hold(&self, held: bool) {
        self.desk.held.store(held, Ordering::Relaxed);
    }

    /// Waits until workers have brought so many to the store.
    pub(crate) fn until_stored(&self, count: u64) {
        let stored = format!("SELECT issued FROM coupons WHERE id = {}", self.id());
        wait_for(|| (self.number(&stored) >= count).then_some(()));
    }

    /// Waits until the coupon's state was taken anew.
    pub(crate) fn until_taken_anew(&self) {
        let epoch = format!("SELECT epoch FROM coupons WHERE id = {}", self.id());
        wait_for(|| (self.number(&epoch) > 1).then_some(()));
    }

    pub(crate) fn kill_server(&mut self, number: usize) {
        self.servers[number].take().unwrap().kill();
    }

    pub(crate) fn start_server(&mut self, number: usize) {
        let server = self.fleet.serve(&[]);
        self.desk.callers.lock().unwrap()[number] = admin(&server);
        self.servers[number] = Some(server);
    }

    pub(crate) fn kill_worker(&mut self, number: usize) {
        self.workers[number].take().unwrap().kill();
    }

    pub(crate) fn start_worker(&mut self, number: usize) {
        self.workers[number] = Some(self.fleet.work());
    }

    /// Waits until everybody has a definite answer.
    pub(crate) fn until_told(&mut self) {
        self.desk.hurry.store(true, Ordering::Relaxed);
        if let Some(crowd) = self.crowd.take() {
            crowd.join().unwrap();
        }
    }

    pub(crate) fn id(&self) -> &str {
        self.coupon.rsplit('/').next().unwrap()
    }

    pub(crate) fn number(&self, sql: &str) -> u64 {
        let rows = self.fleet.database.query(sql).unwrap();
        rows[0][0].as_deref().unwrap_or("0").parse().unwrap()
    }

    /// Waits until everybody has a definite answer and the store has everything, and counts the invariants.
    pub(crate) fn finish(mut self, loss: Loss) -> Self {
        self.until_told();
        let told = std::mem::take(&mut *self.desk.told.lock().unwrap());
        let id = self.id().to_owned();
        let stored = self
            .fleet
            .await_stored(&self.coupon, usize::try_from(QUANTITY).unwrap());
        // I8: everybody was told something definite.
        assert_eq!(
            told.iter().map(|it| &it.user).collect::<BTreeSet<_>>().len(),
            USERS
        );
        // I1, I2: one each, not one too many, and as many as there are since demand sufficed.
        assert_eq!(stored.len(), usize::try_from(QUANTITY).unwrap(), "I1");
        let rows = self.number(&format!(
            "SELECT COUNT(*) FROM issued_coupons WHERE coupon_id = {id}"
        ));
        assert_eq!(rows, u64::from(QUANTITY), "I2: a user stands once");
        assert_eq!(
            self.number(&format!("SELECT issued FROM coupons WHERE id = {id}")),
            rows,
            "the count is the rows"
        );
        // I4: nobody holds one who did not ask.
        let asked: BTreeSet<&str> = told.iter().map(|it| it.user.as_str()).collect();
        assert!(stored.keys().all(|user| asked.contains(user.as_str())), "I4");
        // I5: positions without a gap, but for those that were lost, which belong to nobody.
        let lost = self.number(&format!("SELECT lost FROM coupons WHERE id = {id}"));
        let positions: BTreeSet<u64> = stored.values().copied().collect();
        assert_eq!(positions.len(), stored.len(), "I5: no position twice");
        assert_eq!(
            *positions.last().unwrap(),
            u64::from(QUANTITY) + lost,
            "I5: as many gaps as were counted"
        );
        if loss == Loss::Nothing {
            assert_eq!(lost, 0, "I5: without a gap");
        }
        // I3: what was answered is there as it was answered, or is one of those that were lost.
        let mut gone = 0;
        for one in &told {
            match &one.outcome {
                Outcome::Issued(position) | Outcome::Already(position) => {
                    if stored.get(&one.user) != Some(position) {
                        assert_eq!(loss, Loss::Counted, "I3: {one:?}");
                        assert!(
                            !positions.contains(position),
                            "a lost position is never used again: {one:?}"
                        );
                        gone += 1;
                    }
                }
                // I7: it was sold out, so they have none.
                Outcome::SoldOut => assert_eq!(stored.get(&one.user), None, "I7: {one:?}"),
            }
        }
        assert!(
            gone <= lost,
            "I3: {gone} answered ones are gone, {lost} were counted"
        );
        self.names_what_was_lost(&positions, lost);
        self.in_order(&told);
        // I9: ledger and store agree, and nothing is pending.
        let (caller, path) = (self.caller(), format!("/v1/admin/coupons/{id}/stats"));
        let stats = wait_for(|| {
            let (status, stats) = caller.ask(Method::GET, &path, None);
            (status == StatusCode::OK && stats["pending"] == 0).then_some(stats)
        });
        assert_eq!(stats["issued"], QUANTITY, "I9: {stats}");
        assert_eq!(stats["remaining"], 0, "I9: {stats}");
        // I12: within the window.
        let outside = format!(
            "SELECT COUNT(*) FROM issued_coupons i JOIN coupons c ON c.id = i.coupon_id WHERE i.coupon_id = {id} \
             AND i.issued_at < 1767225600000000"
        );
        assert_eq!(self.number(&outside), 0, "I12");
        // I13: nothing stands that was decided in an epoch that had passed; what came from one is in quarantine.
        let stale = format!(
            "SELECT COUNT(*) FROM quarantine q JOIN issued_coupons i ON i.coupon_id = q.coupon_id \
             AND i.position = q.position AND i.user_id = q.user_id WHERE q.coupon_id = {id}"
        );
        assert_eq!(self.number(&stale), 0, "I13");
        self.everybody_is_told_what_is_stored(&stored);
        if loss == Loss::Nothing {
            let detained = format!(
                "SELECT q.reason, q.epoch, q.position, q.user_id, i.epoch, i.position, i.user_id FROM quarantine q \
                 LEFT JOIN issued_coupons i ON i.coupon_id = q.coupon_id \
                 AND (i.position = q.position OR i.user_id = q.user_id) WHERE q.coupon_id = {id}"
            );
            let detained = self.fleet.database.query(&detained).unwrap();
            assert!(
                detained.is_empty(),
                "something contradicts the store: {detained:?}"
            );
        }
        self.stop();
        self
    }

    /// I2, I8: whoever holds one is known to the ledger, also to one that was taken anew, and gets no second one.
    fn everybody_is_told_what_is_stored(&self, stored: &BTreeMap<String, u64>) {
        *self.desk.callers.lock().unwrap() = self.servers.iter().flatten().map(admin).collect();
        self.desk.next.store(0, Ordering::Relaxed);
        Arc::clone(&self.desk).let_in(&format!("{}/issues", self.coupon));
        for one in std::mem::take(&mut *self.desk.told.lock().unwrap()) {
            let expected = match stored.get(&one.user) {
                Some(position) => Outcome::Already(*position),
                None => Outcome::SoldOut,
            };
            assert_eq!(one.outcome, expected, "{} asks again", one.user);
        }
    }

    /// The positions that are missing are the ones that the reconciliation names, and everything else agrees.
    fn names_what_was_lost(&self, positions: &BTreeSet<u64>, lost: u64) {
        let (status, compared) = self.caller().ask(Method::GET, "/v1/admin/reconciliation", None);
        assert_eq!(status, StatusCode::OK, "{compared}");
        let one = &compared["data"][0];
        assert_eq!(
            (&one["sound"], &one["lost"]),
            (&json!(true), &json!(lost)),
            "I9: {one}"
        );
        assert_eq!(one["ledger"], one["store"], "I9: {one}");
        let mut named = BTreeSet::new();
        for range in one["lostPositions"].as_array().unwrap() {
            named.extend(range["first"].as_u64().unwrap()..=range["last"].as_u64().unwrap());
        }
        let gaps = (1..=positions.last().copied().unwrap()).filter(|one| !positions.contains(one));
        assert_eq!(named, gaps.collect(), "lost positions are named");
    }

    /// I6: whose answer had left before another asked has the smaller position. By time of asking, against the largest
    /// position that had been answered until then.
    fn in_order(&self, told: &[Told]) {
        let mut answered: Vec<(Instant, u64)> = Vec::new();
        let mut asked: Vec<(Instant, u64, &str)> = Vec::new();
        for one in told {
            match one.outcome {
                Outcome::Issued(position) => {
                    answered.push((one.answered_at, position));
                    asked.push((one.asked_at, position, &one.user));
                }
                Outcome::Already(position) => answered.push((one.answered_at, position)),
                Outcome::SoldOut => {}
            }
        }
        answered.sort();
        asked.sort();
        let (mut highest, mut next) = (0, answered.iter().peekable());
        for (asked_at, position, user) in asked {
            while let Some((_, before)) = next.next_if(|(at, _)| *at < asked_at) {
                highest = highest.max(*before);
            }
            assert!(
                position > highest,
                "I6: {user} at {position} after {highest} was answered"
            );
        }
    }

    pub(crate) fn caller(&self) -> Caller {
        self.servers.iter().flatten().map(admin).next().unwrap()
    }

    fn stop(&mut self) {
        for process in self.servers.iter_mut().chain(&mut self.workers) {
            if let Some(process) = process.take() {
                let (status, log) = process.stop();
                assert!(status.success(), "{log}");
            }
        }
    }
}

impl Desk {
    fn let_in(self: Arc<Self>, path: &str) {
        crate::harness::converse(async {
            let mut asking = tokio::task::JoinSet::new();
            for _ in 0..AT_ONCE {
                let (desk, path) = (Arc::clone(&self), path.to_owned());
                asking.spawn(async move {
                    loop {
                        let number = desk.next.fetch_add(1, Ordering::Relaxed);
                        if number >= USERS {
                            return;
                        }
                        while desk.held.load(Ordering::Relaxed) {
                            tokio::time::sleep(BREATH).await;
                        }
                        desk.serve(number, &path).await;
                        if !desk.hurry.load(Ordering::Relaxed) {
                            tokio::time::sleep(BREATH).await;
                        }
                    }
                });
            }
            while let Some(done) = asking.join_next().await {
                done.unwrap();
            }
        });
    }

    /// Asks until the answer is definite, now here and now there.
    async fn serve(&self, number: usize, path: &str) {
        let user = format!("user-{number}");
        let until = Instant::now() + crate::harness::PATIENCE;
        let mut server = number;
        loop {
            let caller = {
                let callers = self.callers.lock().unwrap();
                callers[server % callers.len()].clone()
            };
            let asked_at = Instant::now();
            let body = json!({ "userId": user });
            let answer = caller.try_ask(Method::POST, path, Some(body)).await;
            let answered_at = Instant::now();
            let outcome = match &answer {
                Ok((StatusCode::CREATED, it)) => Some(Outcome::Issued(it["position"].as_u64().unwrap())),
                Ok((StatusCode::CONFLICT, it)) if it["code"] == "already-issued" => {
                    Some(Outcome::Already(it["issuedCoupon"]["position"].as_u64().unwrap()))
                }
                Ok((StatusCode::GONE, it)) if it["code"] == "sold-out" => Some(Outcome::SoldOut),
                Ok((StatusCode::SERVICE_UNAVAILABLE, it)) if it["code"] == "unavailable" => {
                    self.unavailable.fetch_add(1, Ordering::Relaxed);
                    None
                }
                Ok((StatusCode::INTERNAL_SERVER_ERROR, it)) if it["code"] == "indeterminate" => None,
                // Nobody there.
                Err(_) => None,
                Ok((status, it)) => panic!("{user}: {status} {it}"),
            };
            if let Some(outcome) = outcome {
                if !matches!(outcome, Outcome::SoldOut) {
                    self.winners.fetch_add(1, Ordering::Relaxed);
                }
                self.told.lock().unwrap().push(Told {
                    user,
                    asked_at,
                    answered_at,
                    outcome,
                });
                return;
            }
            self.unclear.fetch_add(1, Ordering::Relaxed);
            assert!(Instant::now() < until, "{user} is never told: {answer:?}");
            tokio::time::sleep(AGAIN).await;
            server += 1;
        }
    }
}
