//! The contracts of store, desk, redemption and notifications, sat with a tail of the usual length and with one that is folded all the time.

use crate::scene::{Scene, assert_sound};
use async_trait::async_trait;
use coupon_app::NotificationKinds;
use coupon_app::contract::addresses::{AddressBook, AddressHarness};
use coupon_app::contract::notices::{NoticeHarness, Office};
use coupon_app::contract::redemption::{RedemptionHarness, Till};
use coupon_app::contract::store::{Books, StoreHarness};
use std::sync::Arc;
use store_sqlite::{SqliteOptions, SqliteStore};

/// Opens stores in directories of their own.
struct SqliteHarness {
    scene: Scene,
    fold_rows: usize,
}

impl SqliteHarness {
    fn folding(fold_rows: usize) -> Self {
        Self {
            scene: Scene::new(),
            fold_rows,
        }
    }

    fn till(&self) -> Till {
        let store: Arc<SqliteStore> = Arc::new(self.scene.open_folding(self.fold_rows));
        Till {
            redemptions: Arc::<SqliteStore>::clone(&store),
            books: Books {
                records: Arc::<SqliteStore>::clone(&store),
                coupons: Arc::<SqliteStore>::clone(&store),
                keys: Arc::<SqliteStore>::clone(&store),
                audit: store,
            },
        }
    }

    fn addresses(&self) -> AddressBook {
        let store: Arc<SqliteStore> = Arc::new(self.scene.open_folding(self.fold_rows));
        AddressBook {
            webhooks: Arc::<SqliteStore>::clone(&store),
            contacts: Arc::<SqliteStore>::clone(&store),
            audit: store,
        }
    }

    fn office(&self, notifications: NotificationKinds) -> Office {
        let options = SqliteOptions {
            fold_rows: self.fold_rows,
            notifications,
            ..SqliteOptions::default()
        };
        let store = Arc::new(SqliteStore::open(&self.scene.path(), options).unwrap());
        Office {
            till: Till {
                redemptions: Arc::<SqliteStore>::clone(&store),
                books: Books {
                    records: Arc::<SqliteStore>::clone(&store),
                    coupons: Arc::<SqliteStore>::clone(&store),
                    keys: Arc::<SqliteStore>::clone(&store),
                    audit: Arc::<SqliteStore>::clone(&store),
                },
            },
            outbox: Arc::<SqliteStore>::clone(&store),
            failed: Arc::<SqliteStore>::clone(&store),
            calendar: Arc::<SqliteStore>::clone(&store),
            jobs: store,
        }
    }

    fn books(&self) -> Books {
        self.till().books
    }
}

#[async_trait(?Send)]
impl StoreHarness for SqliteHarness {
    async fn open(&mut self) -> Books {
        self.scene = Scene::new();
        self.books()
    }

    async fn reopen(&mut self, books: Books) -> Books {
        drop(books);
        self.books()
    }
}

#[async_trait(?Send)]
impl RedemptionHarness for SqliteHarness {
    async fn open(&mut self) -> Till {
        self.scene = Scene::new();
        self.till()
    }

    async fn crash_and_reopen(&mut self, till: Till) -> Till {
        drop(till);
        assert_sound(&self.scene);
        self.till()
    }

    fn schedules(&self) -> u32 {
        24
    }
}

#[async_trait(?Send)]
impl AddressHarness for SqliteHarness {
    async fn open(&mut self) -> AddressBook {
        self.scene = Scene::new();
        self.addresses()
    }

    async fn reopen(&mut self, book: AddressBook) -> AddressBook {
        drop(book);
        assert_sound(&self.scene);
        self.addresses()
    }
}

mod addresses {
    coupon_app::address_contract!(super::SqliteHarness::folding(200_000));
}

#[async_trait(?Send)]
impl NoticeHarness for SqliteHarness {
    async fn open(&mut self, kinds: NotificationKinds) -> Office {
        self.scene = Scene::new();
        self.office(kinds)
    }

    async fn crash_and_reopen(&mut self, office: Office) -> Office {
        drop(office);
        assert_sound(&self.scene);
        self.office(NotificationKinds::ALL)
    }

    fn schedules(&self) -> u32 {
        24
    }
}

mod usual {
    coupon_app::store_contract!(super::SqliteHarness::folding(200_000));
    mod desk {
        coupon_app::desk_contract!(super::super::SqliteHarness::folding(200_000));
    }
    mod redemption {
        coupon_app::redemption_contract!(super::super::SqliteHarness::folding(200_000));
    }
    mod notices {
        coupon_app::notice_contract!(super::super::SqliteHarness::folding(200_000));
    }
}

mod always_folded {
    coupon_app::store_contract!(super::SqliteHarness::folding(1));
    mod desk {
        coupon_app::desk_contract!(super::super::SqliteHarness::folding(1));
    }
    mod redemption {
        coupon_app::redemption_contract!(super::super::SqliteHarness::folding(1));
    }
    mod notices {
        coupon_app::notice_contract!(super::super::SqliteHarness::folding(1));
    }
}
