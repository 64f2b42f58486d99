//! The examinations.

use super::rig::{self, RUNTIME, had};
use async_trait::async_trait;
use coupon_app::contract::addresses::{AddressBook, AddressHarness};
use coupon_app::contract::delivery::{DeliveryHarness, Intake};
use coupon_app::contract::ledger::{Bench, LedgerHarness};
use coupon_app::contract::notices::{NoticeHarness, Office};
use coupon_app::contract::redemption::{RedemptionHarness, Till};
use coupon_app::contract::store::{Books, ByDelivery, Numbers, StoreHarness};
use coupon_app::memory::{ManualClock, Medium, MemoryLedger, MemoryStore};
use coupon_app::{Board, Clock, NotificationKinds};
use coupon_testkit::{Sql, SqlDatabase, SqlEngine, SqlOptions};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use store_mysql::{
    Contention, LedgerClock, LedgerOptions, MysqlStore, NoTurn, RedemptionOptions, Turn, Turns,
};

/// A database that is emptied before each case. The server is killed at a crash if it is the test's own.
struct Place {
    database: SqlDatabase,
    own: Option<Sql>,
}

impl Place {
    fn on(engine: SqlEngine) -> Option<Self> {
        let database = rig::database(engine)?;
        Some(Self { database, own: None })
    }

    fn on_its_own(engine: SqlEngine) -> Option<Self> {
        let server = rig::server(&SqlOptions::on(engine))?;
        let database = rig::migrated(server.fresh_database().unwrap());
        let own = Some(server);
        Some(Self { database, own })
    }

    fn crash(&mut self) {
        if let Some(server) = &mut self.own {
            server.kill9();
            server.restart().unwrap();
        }
    }
}

struct Ledgers {
    place: Place,
    contention: Contention,
}

impl Ledgers {
    async fn bench(&self, clock: Arc<ManualClock>) -> Bench {
        let options = LedgerOptions {
            clock: LedgerClock::Given(clock as Arc<dyn Clock>),
            contention: self.contention.clone(),
            connections: 2,
            ..LedgerOptions::default()
        };
        let board = Arc::new(Board::new());
        let opened = rig::try_ledger(self.place.database.url(), options, &board).await;
        // Nothing is handed on, so nobody asks these two.
        let (store, medium) = (MemoryStore::new(), Arc::new(Medium::default()));
        let silent = MemoryLedger::open(
            medium,
            &store,
            Arc::default(),
            Arc::new(ManualClock::at(coupon_core::Timestamp::MIN)),
        );
        Bench {
            ledger: Arc::new(opened.unwrap()),
            outbox: Arc::new(silent.await.unwrap()),
            board,
            store: Arc::new(store),
        }
    }
}

#[async_trait(?Send)]
impl LedgerHarness for Ledgers {
    async fn open(&mut self, clock: Arc<ManualClock>) -> Bench {
        rig::empty(&self.place.database);
        self.bench(clock).await
    }

    async fn crash_and_reopen(&mut self, bench: Bench, clock: Arc<ManualClock>) -> Bench {
        drop(bench);
        self.place.crash();
        self.bench(clock).await
    }

    fn hands_on(&self) -> bool {
        false
    }

    fn schedules(&self) -> u32 {
        12
    }
}

/// A lock service that gives a turn to whoever asks, and a new one each time.
#[derive(Debug, Default)]
pub(crate) struct Everybody(AtomicU64);

#[async_trait]
impl Turns for Everybody {
    async fn take(&self, _coupon: coupon_core::CouponId) -> Result<Turn, NoTurn> {
        Ok(Turn(self.0.fetch_add(1, Ordering::Relaxed)))
    }

    async fn done(&self, _coupon: coupon_core::CouponId, _turn: Turn) {}

    async fn lost(&self, _coupon: coupon_core::CouponId, _turn: Turn) {}
}

struct Stores {
    place: Place,
    numbers: Arc<Numbers>,
}

impl Stores {
    async fn store(&self) -> MysqlStore {
        rig::store(self.place.database.url()).await
    }
}

/// Drops a store as a crash would.
async fn drop_store<T: Send + 'static>(store: T) {
    // On the runtime that its connections belong to.
    RUNTIME.spawn(async move { drop(store) }).await.unwrap();
}

#[async_trait(?Send)]
impl StoreHarness for Stores {
    async fn open(&mut self) -> Books {
        rig::empty(&self.place.database);
        self.numbers = Arc::default();
        let store = self.store().await;
        books(store, &self.numbers)
    }

    async fn reopen(&mut self, books_then: Books) -> Books {
        drop_store(books_then).await;
        let store = self.store().await;
        books(store, &self.numbers)
    }
}

fn books(store: MysqlStore, numbers: &Arc<Numbers>) -> Books {
    Books {
        records: Arc::new(ByDelivery::new(store.clone(), Arc::clone(numbers))),
        coupons: Arc::new(store.clone()),
        keys: Arc::new(store.clone()),
        audit: Arc::new(store),
    }
}

#[async_trait(?Send)]
impl DeliveryHarness for Stores {
    async fn open(&mut self) -> Intake {
        rig::empty(&self.place.database);
        intake(self.store().await)
    }

    async fn crash_and_reopen(&mut self, intake_then: Intake) -> Intake {
        drop_store(intake_then).await;
        self.place.crash();
        intake(self.store().await)
    }

    fn schedules(&self) -> u32 {
        16
    }
}

#[async_trait(?Send)]
impl AddressHarness for Stores {
    async fn open(&mut self) -> AddressBook {
        rig::empty(&self.place.database);
        addresses(self.store().await)
    }

    async fn reopen(&mut self, book: AddressBook) -> AddressBook {
        drop_store(book).await;
        addresses(self.store().await)
    }
}

fn addresses(store: MysqlStore) -> AddressBook {
    AddressBook {
        webhooks: Arc::new(store.clone()),
        contacts: Arc::new(store.clone()),
        audit: Arc::new(store),
    }
}

fn intake(store: MysqlStore) -> Intake {
    Intake {
        deliveries: Arc::new(store.clone()),
        marks: Arc::new(store.clone()),
        ids: Arc::new(store),
    }
}

impl Stores {
    async fn till(&self) -> Till {
        self.till_of(self.store().await).await
    }

    async fn till_of(&self, store: MysqlStore) -> Till {
        let options = RedemptionOptions {
            connections: 4,
            ..RedemptionOptions::default()
        };
        let redemptions = rig::redemptions(self.place.database.url(), &store, options).await;
        Till {
            redemptions: Arc::new(redemptions),
            books: books(store, &self.numbers),
        }
    }
}

#[async_trait(?Send)]
impl RedemptionHarness for Stores {
    async fn open(&mut self) -> Till {
        rig::empty(&self.place.database);
        self.numbers = Arc::default();
        self.till().await
    }

    async fn crash_and_reopen(&mut self, till: Till) -> Till {
        drop_store(till).await;
        self.place.crash();
        self.till().await
    }

    fn schedules(&self) -> u32 {
        12
    }
}

impl Stores {
    async fn office(&self, kinds: NotificationKinds) -> Office {
        let store = rig::store_writing(self.place.database.url(), kinds).await;
        Office {
            till: self.till_of(store.clone()).await,
            outbox: Arc::new(store.clone()),
            failed: Arc::new(store.clone()),
            calendar: Arc::new(store.clone()),
            jobs: Arc::new(store),
        }
    }
}

#[async_trait(?Send)]
impl NoticeHarness for Stores {
    async fn open(&mut self, kinds: NotificationKinds) -> Office {
        rig::empty(&self.place.database);
        self.numbers = Arc::default();
        self.office(kinds).await
    }

    async fn crash_and_reopen(&mut self, office: Office) -> Office {
        drop_store(office).await;
        self.place.crash();
        self.office(NotificationKinds::ALL).await
    }

    fn schedules(&self) -> u32 {
        8
    }
}

/// Every examination on one engine.
macro_rules! engine {
    ($name:ident, $engine:expr) => {
        mod $name {
            use super::*;

            mod database {
                use super::*;

                coupon_app::direct_ledger_contract!(Ledgers {
                    place: had!(Place::on($engine)),
                    contention: Contention::RowLock,
                });

                // Before the one contention alone: with the other it is the same ledger, as far as a combiner can tell.
                mod combiner {
                    use super::*;

                    coupon_app::combiner_contract!(Ledgers {
                        place: had!(Place::on($engine)),
                        contention: Contention::RowLock,
                    });
                }
            }

            mod redis_lock_gone_mad {
                use super::*;

                coupon_app::direct_ledger_contract!(Ledgers {
                    place: had!(Place::on($engine)),
                    contention: Contention::Turns(Arc::new(Everybody::default())),
                });
            }

            mod store {
                use super::*;

                coupon_app::delivered_store_contract!(Stores {
                    place: had!(Place::on($engine)),
                    numbers: Arc::default(),
                });
            }

            mod desk {
                use super::*;

                coupon_app::desk_contract!(Stores {
                    place: had!(Place::on($engine)),
                    numbers: Arc::default(),
                });
            }

            mod delivery {
                use super::*;

                coupon_app::delivery_contract!(Stores {
                    place: had!(Place::on($engine)),
                    numbers: Arc::default(),
                });
            }

            mod redemption {
                use super::*;

                coupon_app::redemption_contract!(Stores {
                    place: had!(Place::on($engine)),
                    numbers: Arc::default(),
                });
            }

            mod notices {
                use super::*;

                coupon_app::notice_contract!(Stores {
                    place: had!(Place::on($engine)),
                    numbers: Arc::default(),
                });
            }

            mod addresses {
                use super::*;

                coupon_app::address_contract!(Stores {
                    place: had!(Place::on($engine)),
                    numbers: Arc::default(),
                });
            }

            mod killed {
                use super::*;

                coupon_app::contract_cases! { redemption, Stores {
                        place: had!(Place::on_its_own($engine)),
                        numbers: Arc::default(),
                    };
                    uses {
                        an_issued_coupon_is_redeemed_once
                        a_use_is_given_back_once_and_only_to_its_order
                    }
                    tokens {
                        the_same_token_gives_the_answer_that_the_step_was_given
                    }
                }

                coupon_app::contract_cases! { notices, Stores {
                        place: had!(Place::on_its_own($engine)),
                        numbers: Arc::default(),
                    };
                    deliveries {
                        what_was_taken_is_handed_out_again_when_its_lease_ends
                    }
                    writing {
                        every_issue_is_announced_once
                    }
                }

                coupon_app::contract_cases! { ledger, Ledgers {
                        place: had!(Place::on_its_own($engine)),
                        contention: Contention::RowLock,
                    };
                    recovery {
                        a_crash_after_refusals_only_leaves_everything_as_it_was
                        a_large_batch_is_committed_whole
                    }
                }
            }
        }
    };
}

engine!(mariadb, SqlEngine::MariaDb);
engine!(mysql, SqlEngine::MySql);
