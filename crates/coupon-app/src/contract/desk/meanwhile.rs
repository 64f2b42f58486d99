//! What the follower does between two of the desk's questions to the store.

use super::{Followed, Office, a_morning};
use crate::contract::store::StoreHarness;
use crate::contract::{START, coupon_id, user};
use crate::memory::MemoryLedger;
use crate::{CodeKey, CouponStore, Desk, Outbox, RecordStore, StoreError, StoreTally, WalletFilter};
use async_trait::async_trait;
use coupon_core::{
    Amount, CouponId, IssuedCoupon, IssuedCouponId, IssuedState, Order, OrderId, Redemption, Timestamp,
    UserId,
};
use std::sync::Arc;

/// The examined store, into which everything arrives between two questions.
struct Arriving {
    ledger: Arc<MemoryLedger>,
    records: Arc<dyn RecordStore>,
    coupons: Arc<dyn CouponStore>,
}

impl Arriving {
    async fn arrive(&self) -> Result<(), StoreError> {
        let entries = self.ledger.next(0, usize::MAX).await?;
        self.records.apply(&entries).await.map(drop)
    }
}

#[async_trait]
impl CouponStore for Arriving {
    async fn wallet(&self, user: &UserId, filter: WalletFilter) -> Result<Vec<IssuedCoupon>, StoreError> {
        self.arrive().await?;
        self.coupons.wallet(user, filter).await
    }

    async fn issued_coupon(&self, id: IssuedCouponId) -> Result<Option<IssuedCoupon>, StoreError> {
        let found = self.coupons.issued_coupon(id).await?;
        if found.is_none() {
            self.arrive().await?;
        }
        Ok(found)
    }

    async fn issued_coupons(
        &self,
        coupon: CouponId,
        after: u32,
        limit: usize,
    ) -> Result<Vec<IssuedCoupon>, StoreError> {
        let page = self.coupons.issued_coupons(coupon, after, limit).await;
        self.arrive().await?;
        page
    }

    async fn tally(&self, coupon: CouponId, now: Timestamp) -> Result<StoreTally, StoreError> {
        self.arrive().await?;
        self.coupons.tally(coupon, now).await
    }

    async fn health(&self) -> Result<(), StoreError> {
        self.coupons.health().await
    }
}

/// A desk at which everything arrives in the store between two questions.
fn hurried(office: &Office) -> Desk {
    let store = Arriving {
        ledger: Arc::clone(&office.ledger),
        records: Arc::clone(&office.books.records),
        coupons: Arc::clone(&office.books.coupons),
    };
    desk_over(office, Arc::new(store))
}

fn desk_over(office: &Office, store: Arc<dyn CouponStore>) -> Desk {
    Desk::new(
        office.combiner.lane(),
        Arc::clone(&office.board),
        store,
        Arc::clone(&office.clock) as _,
        CodeKey::new([7; 16]),
    )
}

/// Everything that is held, on one page.
const ALL: WalletFilter = WalletFilter {
    state: None,
    now: START,
    after: None,
    limit: 100,
};

pub fn what_arrives_between_two_questions_is_shown_once(harness: &mut dyn StoreHarness) {
    Office::open(harness, async |office| {
        let issued = a_morning(office).await;
        let own = issued.iter().filter(|one| one.user == user(1)).count();
        office.follow(Followed::Some(5)).await;
        let page = hurried(office).wallet(&user(1), ALL).await.unwrap();
        assert_eq!(page.len(), own, "{page:?}");
    });
    Office::open(harness, async |office| {
        let issued = a_morning(office).await;
        office.follow(Followed::Some(5)).await;
        let page = hurried(office)
            .issued_coupons(coupon_id(2), 0, 100)
            .await
            .unwrap();
        let positions: Vec<u32> = page.iter().map(|one| one.grant.position.get()).collect();
        assert_eq!(positions, [1, 2, 3]);
        assert_eq!(issued.len(), 7);
    });
    Office::open(harness, async |office| {
        let issued = a_morning(office).await;
        let last = &issued[6];
        let found = hurried(office).issued_coupon(last.id()).await.unwrap();
        assert_eq!(found.as_ref(), Some(last));
        let tally = hurried(office).tally(last.coupon).await.unwrap().unwrap();
        assert_eq!((tally.issued, tally.pending), (2, 0));
    });
}

/// A store in which everything has been redeemed, as it is when a redemption has brought a pending issue in before
/// the follower came by.
struct Redeemed(Arc<dyn CouponStore>);

fn redeemed(one: IssuedCoupon) -> IssuedCoupon {
    IssuedCoupon {
        redemption: Some(Redemption {
            redeemed_at: START,
            order: Order {
                id: OrderId::parse("order-1").unwrap(),
                amount: Amount::ZERO,
            },
            discount: None,
        }),
        ..one
    }
}

#[async_trait]
impl CouponStore for Redeemed {
    async fn wallet(&self, user: &UserId, filter: WalletFilter) -> Result<Vec<IssuedCoupon>, StoreError> {
        let whole = self
            .0
            .wallet(
                user,
                WalletFilter {
                    state: None,
                    ..filter
                },
            )
            .await?;
        let asked = |one: &IssuedCoupon| filter.state.is_none_or(|state| state == one.state(filter.now));
        Ok(whole.into_iter().map(redeemed).filter(asked).collect())
    }

    async fn issued_coupon(&self, id: IssuedCouponId) -> Result<Option<IssuedCoupon>, StoreError> {
        Ok(self.0.issued_coupon(id).await?.map(redeemed))
    }

    async fn issued_coupons(
        &self,
        coupon: CouponId,
        after: u32,
        limit: usize,
    ) -> Result<Vec<IssuedCoupon>, StoreError> {
        let page = self.0.issued_coupons(coupon, after, limit).await?;
        Ok(page.into_iter().map(redeemed).collect())
    }

    async fn tally(&self, coupon: CouponId, now: Timestamp) -> Result<StoreTally, StoreError> {
        self.0.tally(coupon, now).await
    }

    async fn health(&self) -> Result<(), StoreError> {
        self.0.health().await
    }
}

pub fn what_the_store_knows_better_is_not_shown_as_the_ledger_knew_it(harness: &mut dyn StoreHarness) {
    Office::open(harness, async |office| {
        a_morning(office).await;
        office.follow(Followed::AllUntold).await;
        let desk = desk_over(office, Arc::new(Redeemed(Arc::clone(&office.books.coupons))));
        for (state, expected) in [
            (Some(IssuedState::Issued), 0),
            (Some(IssuedState::Redeemed), 3),
            (None, 3),
        ] {
            let page = desk
                .wallet(&user(1), WalletFilter { state, ..ALL })
                .await
                .unwrap();
            assert_eq!(page.len(), expected, "{state:?}: {page:?}");
            assert!(page.iter().all(|one| one.redemption.is_some()));
        }
    });
}
