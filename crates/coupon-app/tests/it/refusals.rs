//! What a server that shares its ledgers refuses from memory, and for how long.

use async_trait::async_trait;
use coupon_app::contract::ledger::order;
use coupon_app::contract::{START, at, terms, user};
use coupon_app::limits::{REFUSED_FOR, SURELY_BEFORE};
use coupon_app::memory::{ManualClock, MemoryDeliveries, MemoryStore};
use coupon_app::{
    Answer, Board, CodeKey, CommandOutcome, Delivery, DeliveryStore, Desk, Health, IssueLedger, IssueRequest,
    IssuedRecord, LedgerError, Ledgers, Look, Offer, Record, RefuseFrom, Reply, Request, RevisedRecord, Seen,
};
use coupon_core::{Command, Coupon, CouponId, Grant, Outcome, Position, Strategy};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

const COUPON: CouponId = CouponId::FIRST;
const QUANTITY: u32 = 5;
const CLOSED: Outcome = Outcome::Closed { closed_at: START };

/// A ledger that other servers use too: it answers what is true there, and counts who asks.
struct Elsewhere {
    answer: Mutex<Outcome>,
    asked: AtomicU64,
    coupon: Mutex<Arc<Coupon>>,
    /// How many it has issued.
    issued: AtomicU32,
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
                    issued: self.issued.load(Ordering::Relaxed),
                    decided_at: START,
                    replayed: false,
                })),
                Request::Look(look) if matches!(*look, Look::Coupon(COUPON)) => {
                    let (coupon, issued) = (self.coupon.lock().unwrap().clone(), &self.issued);
                    let seen = Seen::Coupon(Some((coupon, issued.load(Ordering::Relaxed))));
                    Reply::Look(Box::new(seen))
                }
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
        Self::refusing_from(RefuseFrom::Memory, answer)
    }

    fn refusing_from(refuse_from: RefuseFrom, answer: Outcome) -> Self {
        let ledger = Arc::new(Elsewhere {
            answer: Mutex::new(answer),
            asked: AtomicU64::new(0),
            coupon: Mutex::new(coupon(1, QUANTITY)),
            issued: AtomicU32::new(QUANTITY),
        });
        let (board, store) = (Arc::new(Board::new()), MemoryDeliveries::new());
        let clock = Arc::new(ManualClock::at(START));
        board.post_coupon(&coupon(1, QUANTITY));
        let offers = vec![Offer {
            strategy: Strategy::RedisScript,
            doors: vec![Arc::clone(&ledger) as _],
            runs_ahead: true,
        }];
        let marks = Arc::new(store.clone());
        let ledgers = Ledgers::several(offers, Arc::clone(&board), marks, refuse_from).unwrap();
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

    /// Asks for this user until the refusal is repeated: whoever makes the filter asks the ledger, which has a thread of
    /// its own.
    async fn until_repeated(&self, number: usize, refusal: Outcome) {
        for time in 1..=1_000 {
            let (outcome, asked) = self.told(number).await;
            assert_eq!(outcome, refusal);
            if !asked {
                return;
            }
            if time % 100 == 0 {
                // What was sought too early is sought again.
                tokio::time::advance(REFUSED_FOR).await;
            }
        }
        panic!("{number} is never refused from memory");
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

/// A server whose coupon has ended with so many issued, of which the board and the ledger say as many.
async fn ended(issued: u32) -> Server {
    let server = Server::open(CLOSED);
    server.ledger.issued.store(issued, Ordering::Relaxed);
    server.board.post_issued(COUPON, issued, START, START);
    server.stores(1..=issued).await;
    server
}

#[tokio::test(start_paused = true)]
async fn closed_is_repeated_to_whom_the_filter_of_all_winners_excludes_and_only_for_a_moment() {
    for issued in [0, 3, QUANTITY] {
        let server = ended(issued).await;
        server.until_repeated(99, CLOSED).await;
        for number in 100..110 {
            assert_eq!(server.told(number).await, (CLOSED, false), "{number} of {issued}");
        }
        for winner in 1..=usize::try_from(issued).unwrap() {
            assert!(server.told(winner).await.1, "{winner} of {issued} may have won");
        }
        *server.ledger.answer.lock().unwrap() = Outcome::Paused;
        tokio::time::advance(REFUSED_FOR).await;
        assert_eq!(
            server.told(100).await,
            (Outcome::Paused, true),
            "the lease has run out"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn as_long_as_there_may_be_another_winner_whoever_is_too_late_asks_the_ledger() {
    // The store lacks one.
    let server = ended(3).await;
    server.ledger.issued.store(4, Ordering::Relaxed);
    server.board.post_issued(COUPON, 4, START, START);
    server.somebody_is_told().await;
    assert_eq!(server.told(100).await, (CLOSED, true));
    server.stores(4..=4).await;
    server.until_repeated(100, CLOSED).await;
    // Others have issued one more, whatever the clock did; the filter is made again when the store has it.
    server.board.post_issued(COUPON, 5, START, START);
    assert_eq!(server.told(100).await, (CLOSED, true));
    server.ledger.issued.store(5, Ordering::Relaxed);
    server.stores(5..=5).await;
    server.until_repeated(100, CLOSED).await;
    assert_eq!(server.told(5).await, (CLOSED, true));
    // The coupon was opened again, and has closed again with as many.
    let again = coupon(2, 9);
    *server.ledger.coupon.lock().unwrap() = Arc::clone(&again);
    server.board.post_coupon(&again);
    assert_eq!(server.told(100).await, (CLOSED, true));
    // The board has yet to hear of it.
    let server = ended(3).await;
    *server.ledger.coupon.lock().unwrap() = again;
    server.somebody_is_told().await;
    assert_eq!(server.told(100).await, (CLOSED, true));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_takes_refusals_from_the_ledger_takes_every_one_from_there() {
    let opens_at = START.saturating_add(SURELY_BEFORE).saturating_add(SURELY_BEFORE);
    for answer in [Outcome::SoldOut, CLOSED, Outcome::NotYetOpen { opens_at }] {
        let server = Server::refusing_from(RefuseFrom::Ledger, answer);
        server.board.post_issued(COUPON, QUANTITY, START, START);
        server.stores(1..=QUANTITY).await;
        for number in 100..110 {
            server.somebody_is_told().await;
            assert_eq!(server.told(number).await, (answer, true));
        }
        assert_eq!(server.ledgers.refused_from_memory(), 0);
    }
}
