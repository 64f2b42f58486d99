//! Several ledgers at one server: each coupon finds the one that it is bound to.

use async_trait::async_trait;
use coupon_app::contract::{START, at, coupon_id, terms, user};
use coupon_app::memory::{ManualClock, MemoryDeliveries, MemoryStore};
use coupon_app::{
    Answer, Board, CodeKey, Delivery, DeliveryStore, Desk, Health, IssueLedger, IssueRequest, LedgerError,
    Ledgers, Offer, Record, RefuseFrom, Reply, Request, RevisedRecord,
};
use coupon_core::{Coupon, CouponId, Grant, Outcome, Position, Strategy};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

/// Issues to whoever asks, and remembers which coupons were asked for.
#[derive(Default)]
struct Door {
    asked: Mutex<Vec<CouponId>>,
    closed: AtomicU32,
    weak: Option<&'static str>,
}

#[async_trait]
impl IssueLedger for Door {
    async fn commit(&self, requests: &mut Vec<Request>, answers: &mut Vec<Answer>) {
        let mut asked = self.asked.lock().unwrap();
        for request in requests.drain(..) {
            let Request::Issue(issue) = request else {
                panic!("{request:?}")
            };
            asked.push(issue.coupon);
            answers.push(Ok(Reply::Issue(Outcome::Issued(Grant {
                position: Position::new(u32::try_from(asked.len()).unwrap()).unwrap(),
                issued_at: START,
                expires_at: at(1_000),
            }))));
        }
    }

    fn health(&self) -> Health {
        self.weak
            .map_or(Health::Ready, |why| Health::NotReady(why.to_owned()))
    }

    async fn close(&self) -> Result<(), LedgerError> {
        self.closed.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

struct House {
    doors: [Arc<Door>; 4],
    board: Arc<Board>,
    store: MemoryDeliveries,
    ledgers: Ledgers,
}

fn coupon(number: u32, strategy: Strategy) -> Coupon {
    let mut terms = terms(9);
    terms.strategy = strategy;
    Coupon::create(coupon_id(number), terms, START).unwrap()
}

impl House {
    fn open() -> Self {
        Self::refusing_from(RefuseFrom::Memory)
    }

    fn refusing_from(refuse_from: RefuseFrom) -> Self {
        let weak = Arc::new(Door {
            weak: Some("too weak"),
            ..Door::default()
        });
        let doors = [Arc::default(), Arc::default(), Arc::default(), weak];
        let board = Arc::new(Board::new());
        let store = MemoryDeliveries::new();
        let offer = |strategy, doors: &[Arc<Door>]| Offer {
            strategy,
            doors: doors.iter().map(|door| Arc::clone(door) as _).collect(),
            runs_ahead: false,
        };
        let offers = vec![
            offer(Strategy::Database, &doors[..2]),
            offer(Strategy::RedisScript, &doors[2..]),
        ];
        let marks = Arc::new(store.clone());
        let ledgers = Ledgers::several(offers, Arc::clone(&board), marks, refuse_from).unwrap();
        Self {
            doors,
            board,
            store,
            ledgers,
        }
    }

    fn desk(&self) -> Desk {
        Desk::new(
            self.ledgers.lanes(),
            Arc::clone(&self.board),
            Arc::new(MemoryStore::new()),
            Arc::new(ManualClock::at(START)),
            CodeKey::new([7; 16]),
        )
    }

    async fn store_knows(&self, coupon: Coupon) {
        let delivery = Delivery {
            coupon: coupon.id,
            epoch: 1,
            records: vec![Record::Revised(Box::new(RevisedRecord {
                coupon,
                issued: 0,
                lost: 0,
                actor: "test".into(),
                token: None,
            }))],
        };
        self.store.deliver(&[delivery]).await.unwrap();
    }

    fn asked(&self, door: usize) -> Vec<u32> {
        let asked = self.doors[door].asked.lock().unwrap();
        asked.iter().map(|coupon| coupon.get()).collect()
    }
}

async fn ask(desk: &Desk, number: u32) -> Result<Outcome, LedgerError> {
    let request = IssueRequest {
        coupon: coupon_id(number),
        user: user(1),
        key: None,
    };
    desk.issue(request).await
}

#[tokio::test]
async fn a_coupon_takes_the_same_door_of_the_ledger_it_is_bound_to() {
    let house = House::open();
    let desk = house.desk();
    for (number, strategy) in [
        (1, Strategy::Database),
        (2, Strategy::RedisScript),
        (3, Strategy::RedisScript),
        (4, Strategy::Database),
    ] {
        house.board.post_coupon(&Arc::new(coupon(number, strategy)));
    }
    for number in [1, 2, 3, 4, 1, 2, 3, 4] {
        assert!(matches!(ask(&desk, number).await, Ok(Outcome::Issued(_))));
    }
    let asked: Vec<Vec<u32>> = (0..4).map(|door| house.asked(door)).collect();
    assert_eq!(asked, [vec![4, 4], vec![1, 1], vec![2, 2], vec![3, 3]]);
    assert_eq!(house.ledgers.stats().requests, 8);
}

#[tokio::test(start_paused = true)]
async fn a_coupon_that_another_server_made_is_found_in_the_store() {
    let house = House::open();
    let desk = house.desk();
    assert_eq!(ask(&desk, 5).await.unwrap(), Outcome::UnknownCoupon);
    house.store_knows(coupon(5, Strategy::Database)).await;
    assert_eq!(
        ask(&desk, 5).await.unwrap(),
        Outcome::UnknownCoupon,
        "remembered for a moment"
    );
    tokio::time::advance(coupon_app::limits::UNKNOWN_FOR).await;
    assert!(matches!(ask(&desk, 5).await, Ok(Outcome::Issued(_))));
    assert_eq!(house.asked(1), [5]);
    assert!(house.board.get(coupon_id(5)).is_some(), "and then known");
    house.store_knows(coupon(6, Strategy::RedisLock)).await;
    let refused = ask(&desk, 6).await.unwrap_err();
    assert!(
        matches!(&refused, LedgerError::Unavailable(_)) && refused.to_string().contains("redis-lock"),
        "{refused}"
    );
}

#[tokio::test(start_paused = true)]
async fn without_a_memory_a_coupon_of_another_server_is_found_as_soon_as_it_is_in_the_store() {
    let house = House::refusing_from(RefuseFrom::Ledger);
    let desk = house.desk();
    assert_eq!(ask(&desk, 5).await.unwrap(), Outcome::UnknownCoupon);
    house.store_knows(coupon(5, Strategy::Database)).await;
    assert!(matches!(ask(&desk, 5).await, Ok(Outcome::Issued(_))));
}

#[tokio::test]
async fn every_door_is_closed_once_the_last_one_is_out_and_weak_ones_are_told() {
    let house = House::open();
    let desk = house.desk();
    house.board.post_coupon(&Arc::new(coupon(1, Strategy::Database)));
    assert_eq!(
        house.ledgers.health(),
        Health::NotReady("redis-script: too weak".to_owned())
    );
    house.ledgers.close().unwrap();
    house.ledgers.close().unwrap();
    let closed = house
        .doors
        .each_ref()
        .map(|door| door.closed.load(Ordering::Relaxed));
    assert_eq!(closed, [1; 4]);
    assert!(matches!(ask(&desk, 1).await, Err(LedgerError::Unavailable(_))));
}
