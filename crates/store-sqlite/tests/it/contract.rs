//! The store contract, sat with a tail of the usual length and with one that is folded all the time.

use crate::scene::Scene;
use async_trait::async_trait;
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

    fn books(&self) -> Books {
        let store: Arc<SqliteStore> = Arc::new(self.scene.open_folding(self.fold_rows));
        Books {
            records: Arc::<SqliteStore>::clone(&store),
            coupons: Arc::<SqliteStore>::clone(&store),
            keys: store,
        }
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

mod usual {
    coupon_app::store_contract!(super::SqliteHarness::folding(200_000));
}

mod always_folded {
    coupon_app::store_contract!(super::SqliteHarness::folding(1));
}
