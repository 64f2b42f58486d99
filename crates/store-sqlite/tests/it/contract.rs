//! The contracts of store and redemption, sat with a tail of the usual length and with one that is folded all the time.

use crate::scene::{Scene, assert_sound};
use async_trait::async_trait;
use coupon_app::contract::redemption::{RedemptionHarness, Till};
use coupon_app::contract::store::{Books, StoreHarness};
use std::sync::Arc;
use store_sqlite::SqliteStore;

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

mod usual {
    coupon_app::store_contract!(super::SqliteHarness::folding(200_000));
    mod redemption {
        coupon_app::redemption_contract!(super::super::SqliteHarness::folding(200_000));
    }
}

mod always_folded {
    coupon_app::store_contract!(super::SqliteHarness::folding(1));
    mod redemption {
        coupon_app::redemption_contract!(super::super::SqliteHarness::folding(1));
    }
}
