//! What a server that shares its ledgers refuses from memory, and for how long.

use async_trait::async_trait;
use coupon_app::contract::ledger::order;
use coupon_app::contract::{START, at, terms, user};
use coupon_app::limits::{REFUSED_FOR, SURELY_BEFORE};
use coupon_app::memory::{ManualClock, MemoryDeliveries, MemoryStore};
use coupon_app::{
    Answer, Board, CodeKey, CommandOutcome, Delivery, DeliveryStore, Desk, Health, IssueLedger, IssueRequest,
    IssuedRecord, LedgerError, Ledgers, Offer, Record, Reply, Request, RevisedRecord,
};
use coupon_core::{Command, Coupon, CouponId, Grant, Outcome, Position, Strategy};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

const COUPON: CouponId = CouponId::FIRST;
const QUANTITY: u32 = 5;

/// A ledger that other servers use too: it answers what is true there, and counts who asks.
struct Elsewhere {
    answer: Mutex<Outcome>,
    asked: AtomicU64,
    coupon: Mutex<Arc<Coupon>>,
}

#[async_trait]
impl IssueLedger for Elsewhere {
    async fn commit(&self, requests: &mut Vec<Request>, answers: &mut Vec<Answer>) {
        for request in requests.drain(..) {
            answers.push(Ok(match request {
                Request::Issue(_) => {
                    self.asked.fetch_add(1, Ordering::Relaxed);
                    Reply::Issue(*self.answer.lock().unwrap())
                }
                Request::Command(_) => Reply::Command(Box::new(CommandOutcome::Done {
                    coupon: Arc::clone(&self.coupon.lock().unwrap()),
                    issued: QUANTITY,
                    decided_at: START,
                    replayed: false,
                })),
                Request::Look(look) => panic!("{look:?}"),
            }));
        }
    }

    fn health(&self) -> Health {
        Health::Ready
    }

    async fn close(&self) -> Result<(), LedgerError> {
        Ok(())
    }
}

struct Server {
    ledger: Arc<Elsewhere>,
    board: Arc<Board>,
    store: MemoryDeliveries,
    clock: Arc<ManualClock>,
    ledgers: Ledgers,
    desk: Desk,
}

fn coupon(revision: u32, quantity: u32) -> Arc<Coupon> {
    let mut terms = terms(quantity);
    terms.strategy = Strategy::RedisScript;
    let coupon = Coupon::create(COUPON, terms, START).unwrap();
    Arc::new(Coupon { revision, ..coupon })
}

impl Server {
    fn open(answer: Outcome) -> Self {
        let ledger = Arc::new(Elsewhere {
            answer: Mutex::new(answer),
            asked: AtomicU64::new(0),
            coupon: Mutex::new(coupon(1, QUANTITY)),
        });
        let (board, store) = (Arc::new(Board::new()), MemoryDeliveries::new());
        let clock = Arc::new(ManualClock::at(START));
        board.post_coupon(&coupon(1, QUANTITY));
        let offers = vec![Offer {
            strategy: Strategy::RedisScript,
            doors: vec![Arc::clone(&ledger) as _],
            runs_ahead: true,
        }];
        let ledgers = Ledgers::several(offers, Arc::clone(&board), Arc::new(store.clone())).unwrap();
        let desk = Desk::new(
            ledgers.lanes(),
            Arc::clone(&board),
            Arc::new(MemoryStore::new()),
            Arc::clone(&clock) as _,
            CodeKey::new([7; 16]),
        );
        Self {
            ledger,
            board,
            store,
            clock,
            ledgers,
            desk,
        }
    }

    /// The store gets the coupon, and these positions, each of the user with its number.
    async fn stores(&self, positions: std::ops::RangeInclusive<u32>) {
        let revised = RevisedRecord {
            coupon: coupon(1, QUANTITY).as_ref().clone(),
            issued: 0,
            lost: 0,
            actor: "test".into(),
            token: None,
        };
        let mut records = vec![Record::Revised(Box::new(revised))];
        records.extend(positions.map(|position| {
            Record::Issued(IssuedRecord {
                coupon: COUPON,
                user: user(usize::try_from(position).unwrap()),
                grant: grant(position),
                key: None,
            })
        }));
        let delivery = Delivery {
            coupon: COUPON,
            epoch: 1,
            records,
        };
        self.store.deliver(&[delivery]).await.unwrap();
    }

    async fn ask(&self, number: usize) -> Outcome {
        let request = IssueRequest {
            coupon: COUPON,
            user: user(number),
            key: None,
        };
        self.desk.issue(request).await.unwrap()
    }

    /// What this user is told, and whether the ledger was asked.
    async fn told(&self, number: usize) -> (Outcome, bool) {
        let before = self.ledger.asked.load(Ordering::Relaxed);
        let outcome = self.ask(number).await;
        let asked = self.ledger.asked.load(Ordering::Relaxed) > before;
        (outcome, asked)
    }

    /// Somebody is told, and whoever makes the filter gets to do so.
    async fn somebody_is_told(&self) {
        self.ask(1_000).await;
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }
}

fn grant(position: u32) -> Grant {
    Grant {
        position: Position::new(position).unwrap(),
        issued_at: START,
        expires_at: at(1_000_000),
    }
}

#[tokio::test(start_paused = true)]
async fn sold_out_is_repeated_to_whom_the_filter_of_winners_excludes_and_only_for_a_moment() {
    let server = Server::open(Outcome::SoldOut);
    server.stores(1..=QUANTITY).await;
    server.somebody_is_told().await;
    for number in 100..200 {
        assert_eq!(server.told(number).await, (Outcome::SoldOut, false), "{number}");
    }
    assert_eq!(server.ledgers.refused_from_memory(), 100);
    *server.ledger.answer.lock().unwrap() = Outcome::AlreadyIssued {
        grant: grant(1),
        same_key: false,
    };
    for winner in 1..=usize::try_from(QUANTITY).unwrap() {
        let (outcome, asked) = server.told(winner).await;
        assert!(
            asked && matches!(outcome, Outcome::AlreadyIssued { .. }),
            "{winner}: {outcome:?}"
        );
    }
    *server.ledger.answer.lock().unwrap() = Outcome::Paused;
    tokio::time::advance(REFUSED_FOR).await;
    assert_eq!(
        server.told(200).await,
        (Outcome::Paused, true),
        "the lease has run out"
    );
    assert_eq!(server.told(201).await, (Outcome::Paused, true));
}

#[tokio::test(start_paused = true)]
async fn as_long_as_the_store_lacks_a_winner_the_ledger_is_asked() {
    let server = Server::open(Outcome::SoldOut);
    server.stores(1..=QUANTITY - 1).await;
    for _ in 0..3 {
        server.somebody_is_told().await;
        assert_eq!(server.told(100).await, (Outcome::SoldOut, true));
        tokio::time::advance(REFUSED_FOR).await;
    }
    server.stores(1..=QUANTITY).await;
    server.somebody_is_told().await;
    assert_eq!(server.told(100).await, (Outcome::SoldOut, false));
}

#[tokio::test(start_paused = true)]
async fn whatever_may_lift_a_refusal_sends_everybody_to_the_ledger_at_once() {
    let grown = QUANTITY + 1;
    let issued = Outcome::Issued(grant(grown));
    let ready = async || {
        let server = Server::open(Outcome::SoldOut);
        server.stores(1..=QUANTITY).await;
        server.somebody_is_told().await;
        assert_eq!(server.told(100).await, (Outcome::SoldOut, false));
        *server.ledger.answer.lock().unwrap() = issued;
        server
    };
    // Another revision is on the board: of another server.
    let server = ready().await;
    server.board.post_coupon(&coupon(2, grown));
    assert_eq!(server.told(100).await, (issued, true));
    assert_eq!(server.told(101).await, (issued, true));
    // A command was answered here, whatever the board says.
    let server = ready().await;
    let command = order(Some(COUPON), Command::Pause);
    server.desk.command(command).await.unwrap();
    assert_eq!(server.told(100).await, (issued, true));
    // Somebody has won here.
    let server = ready().await;
    assert_eq!(
        server.told(1).await,
        (issued, true),
        "the filter does not exclude a winner"
    );
    assert_eq!(server.told(100).await, (issued, true));
}

#[tokio::test(start_paused = true)]
async fn not_yet_open_is_repeated_until_shortly_before_the_opening() {
    let opens_at = START.saturating_add(SURELY_BEFORE).saturating_add(SURELY_BEFORE);
    let early = Outcome::NotYetOpen { opens_at };
    let server = Server::open(early);
    assert_eq!(server.told(1).await, (early, true));
    assert_eq!(server.told(2).await, (early, false));
    assert_eq!(server.told(1).await, (early, false));
    server.clock.set(START.saturating_add(SURELY_BEFORE));
    assert_eq!(server.told(2).await, (early, true), "too close to be sure");
    assert_eq!(server.ledgers.refused_from_memory(), 2);
}

#[tokio::test(start_paused = true)]
async fn nothing_else_is_said_from_memory() {
    for answer in [
        Outcome::Paused,
        Outcome::Closed { closed_at: START },
        Outcome::UnknownCoupon,
        Outcome::Issued(grant(1)),
        Outcome::AlreadyIssued {
            grant: grant(1),
            same_key: true,
        },
    ] {
        let server = Server::open(answer);
        server.stores(1..=QUANTITY).await;
        for number in 0..3 {
            assert_eq!(server.told(number).await, (answer, true));
        }
        assert_eq!(server.ledgers.refused_from_memory(), 0);
    }
}
