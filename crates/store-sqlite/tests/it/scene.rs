//! What the tests play with: a store in a directory of its own, coupons, users and entries.

use coupon_app::CommandToken;
use coupon_app::{Entry, IssuedRecord, Record, RecordStore, Restore, RevisedRecord, Seq};
use coupon_core::{
    AckLevel, Coupon, CouponId, Grant, IssuedCouponId, KeyHash, Position, Quantity, Strategy, Terms,
    Timestamp, UserId, Validity, Window,
};
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;
use store_sqlite::{SqliteOptions, SqliteStore};
use tempfile::TempDir;

/// Long before the first issue.
pub(crate) const START: i64 = 1_790_000_000_000_000;
/// When coupons expire that do not say otherwise.
pub(crate) const EXPIRY: i64 = 1_799_000_000_000_000;

/// A directory that goes with the test, and the store in it.
pub(crate) struct Scene {
    pub(crate) directory: TempDir,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("store.db")
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Opens it with a tail so short that every test folds now and then.
    pub(crate) fn open(&self) -> SqliteStore {
        self.open_folding(7)
    }

    pub(crate) fn open_folding(&self, fold_rows: usize) -> SqliteStore {
        self.open_stepping(fold_rows, SqliteOptions::default().fold_step)
    }

    /// Opens it with folds in steps of so few rows that they are under way now and then.
    pub(crate) fn open_stepping(&self, fold_rows: usize, fold_step: usize) -> SqliteStore {
        let options = SqliteOptions {
            fold_rows,
            fold_step,
            ..SqliteOptions::default()
        };
        SqliteStore::open(&self.path(), options).unwrap()
    }

    /// A connection of the test's own, for looking and for breaking things.
    pub(crate) fn connection(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.path()).unwrap()
    }
}

/// Runs a test's futures.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

pub(crate) fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).unwrap()
}

pub(crate) fn coupon_id(number: u32) -> CouponId {
    CouponId::new(number).unwrap()
}

pub(crate) fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

pub(crate) fn id(coupon: u32, position: u32) -> IssuedCouponId {
    IssuedCouponId {
        coupon: coupon_id(coupon),
        position: Position::new(position).unwrap(),
    }
}

/// A coupon at its first revision.
pub(crate) fn coupon(number: u32, quantity: Option<u32>) -> Coupon {
    let terms = Terms {
        name: format!("쿠폰 {number}").into(),
        window: Window::new(at(START), at(EXPIRY)).unwrap(),
        quantity: quantity
            .and_then(NonZeroU32::new)
            .map_or(Quantity::UNLIMITED, Quantity::limited),
        validity: Validity::Until(at(EXPIRY)),
        discount: None,
        min_order_amount: 0,
        currency: "KRW".into(),
        time_zone: "Asia/Seoul".into(),
        strategy: Strategy::Journal,
        ack: AckLevel::Ledger,
        show_remaining: true,
        labels: BTreeMap::from([("channel".into(), "app".into())]),
    };
    Coupon {
        id: coupon_id(number),
        revision: 1,
        terms,
        paused: false,
        closed_at: None,
        deleted: false,
        created_at: at(START),
        revised_at: at(START),
    }
}

/// The next revision of a coupon, a second later.
pub(crate) fn revised(mut coupon: Coupon, change: impl FnOnce(&mut Coupon)) -> Coupon {
    coupon.revision += 1;
    coupon.revised_at = at(coupon.revised_at.as_micros() + 1_000_000);
    change(&mut coupon);
    coupon
}

pub(crate) fn revision(coupon: Coupon, issued: u32) -> Record {
    with_token(coupon, issued, None)
}

pub(crate) fn with_token(coupon: Coupon, issued: u32, token: Option<CommandToken>) -> Record {
    Record::Revised(Box::new(RevisedRecord {
        coupon,
        issued,
        lost: 0,
        actor: "key-1".into(),
        token,
    }))
}

pub(crate) fn token(scope: u8, payload: u8) -> CommandToken {
    CommandToken {
        scope: [scope; 16],
        payload: [payload; 16],
    }
}

/// One issue, at a time that rises with the position.
pub(crate) fn issue(coupon: u32, position: u32, name: &str) -> IssuedRecord {
    IssuedRecord {
        coupon: coupon_id(coupon),
        user: user(name),
        grant: Grant {
            position: Position::new(position).unwrap(),
            issued_at: at(START + i64::from(position) * 10),
            expires_at: at(EXPIRY),
        },
        key: position
            .is_multiple_of(3)
            .then(|| KeyHash::new(u64::MAX - u64::from(position)).unwrap()),
    }
}

/// Issues of positions `from..=to` to users of their own.
pub(crate) fn issues(coupon: u32, from: u32, to: u32) -> Vec<Record> {
    (from..=to)
        .map(|position| {
            Record::Issued(issue(
                coupon,
                position,
                &format!("user-{:08}", position.reverse_bits()),
            ))
        })
        .collect()
}

pub(crate) fn entry(seq: Seq, records: Vec<Record>) -> Entry {
    Entry { seq, records }
}

/// Everything that a store loads.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Loaded {
    pub(crate) seq: Seq,
    pub(crate) coupons: Vec<Coupon>,
    pub(crate) issued: Vec<IssuedRecord>,
    pub(crate) tokens: Vec<(RevisedRecord, CommandToken)>,
}

impl Restore for Loaded {
    fn coupon(&mut self, coupon: Coupon) {
        self.coupons.push(coupon);
    }

    fn issued(&mut self, record: IssuedRecord) {
        self.issued.push(record);
    }

    fn token(&mut self, record: RevisedRecord, token: CommandToken) {
        self.tokens.push((record, token));
    }
}

pub(crate) fn load(store: &dyn RecordStore) -> Loaded {
    let mut loaded = Loaded::default();
    loaded.seq = wait(store.load(&mut loaded)).unwrap();
    loaded
}

/// Whether the store of this scene is sound by its own examination.
pub(crate) fn assert_sound(scene: &Scene) -> store_sqlite::Report {
    let report = store_sqlite::verify(&scene.path()).unwrap();
    assert_eq!(report.differences, [], "{report:?}");
    report
}
