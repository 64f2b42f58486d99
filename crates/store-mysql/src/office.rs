//! Quarantine as an office of dead letters: what the store did not take among the issued coupons is listed, brought once
//! more, and dismissed.

use crate::quarantine;
use crate::store::MysqlStore;
use async_trait::async_trait;
use coupon_app::limits::MAX_PAGE;
use coupon_app::{
    Contents, DeadLetter, DeadLetterOffice, Delivery, DeliveryStore, Quarantined, Record, Replayed,
    StoreError, Suspicion,
};

/// The group whose workers write this store.
const GROUP: &str = "store";

/// Looks after the quarantine of a store. What is dismissed stays where it is, and is counted; it is only off the list.
#[derive(Clone, Debug)]
pub struct QuarantineOffice(MysqlStore);

impl QuarantineOffice {
    /// Of this store.
    pub fn of(store: MysqlStore) -> Self {
        Self(store)
    }

    async fn page(&self, after: u64, limit: usize) -> Result<Vec<Quarantined>, StoreError> {
        self.0
            .run(move |reader| async move { quarantine::listed(&reader, after, limit).await })
            .await
    }

    async fn kept(&self, number: u64) -> Result<Option<Quarantined>, StoreError> {
        let found = self.page(number.saturating_sub(1), 1).await?;
        Ok(found.into_iter().find(|kept| kept.number == number))
    }
}

/// Whether it can ever be taken: it came before what it rests on. Everything else contradicts the store.
fn may_be_taken(reason: Suspicion) -> bool {
    match reason {
        Suspicion::UnknownCoupon | Suspicion::QuantityExceeded => true,
        Suspicion::AlreadyHeld | Suspicion::PositionTaken | Suspicion::OtherEpoch => false,
    }
}

fn why(reason: Suspicion) -> String {
    let words = match reason {
        Suspicion::UnknownCoupon => "the database does not know the coupon, or not yet",
        Suspicion::QuantityExceeded => "the quantity is used up, as far as the database knows",
        Suspicion::AlreadyHeld => "the user has the coupon at another position",
        Suspicion::PositionTaken => "another user has the position",
        Suspicion::OtherEpoch => "it was decided in a state of the ledger that was lost",
    };
    format!("{}: {words}", reason.name())
}

fn delivery(kept: Quarantined) -> Delivery {
    let coupon = match &kept.record {
        Record::Issued(issued) => issued.coupon,
        Record::Revised(revised) => revised.coupon.id,
    };
    Delivery {
        coupon,
        epoch: kept.epoch,
        records: vec![kept.record],
    }
}

fn letter(kept: Quarantined) -> DeadLetter {
    DeadLetter {
        name: kept.number.to_string().into(),
        why: why(kept.reason),
        origin: format!("quarantine of the database, number {}", kept.number),
        group: GROUP.to_owned(),
        whole: may_be_taken(kept.reason),
        contents: Some(Contents::Records(delivery(kept))),
    }
}

#[async_trait]
impl DeadLetterOffice for QuarantineOffice {
    async fn list(&self, after: Option<&str>, limit: usize) -> Result<Option<Vec<DeadLetter>>, StoreError> {
        let after = match after.map(DeadLetter::place) {
            None => 0,
            Some(Some(place)) => place,
            Some(None) => return Ok(None),
        };
        let page = self.page(after, limit).await?;
        Ok(Some(page.into_iter().map(letter).collect()))
    }

    async fn find(&self, name: &str) -> Result<Option<DeadLetter>, StoreError> {
        let Some(number) = DeadLetter::place(name) else {
            return Ok(None);
        };
        Ok(self.kept(number).await?.map(letter))
    }

    async fn replay(&self, through: &str) -> Result<Option<Replayed>, StoreError> {
        let Some(through) = DeadLetter::place(through) else {
            return Ok(None);
        };
        let mut replayed = Replayed::default();
        loop {
            let page = self.page(0, MAX_PAGE).await?;
            let before = replayed.sent;
            for kept in page.into_iter().filter(|kept| kept.number <= through) {
                let number = kept.number;
                let whole = may_be_taken(kept.reason);
                if whole {
                    self.0.deliver(&[delivery(kept)]).await?;
                }
                // The store judges anew whatever comes again: what it takes leaves quarantine with that.
                if !whole || self.kept(number).await?.is_some() {
                    replayed.stopped_at = Some(number.to_string().into());
                    return Ok(Some(replayed));
                }
                replayed.sent += 1;
            }
            if replayed.sent == before {
                return Ok(Some(replayed));
            }
        }
    }

    async fn dismiss(&self, through: &str) -> Result<Option<u64>, StoreError> {
        let Some(through) = DeadLetter::place(through) else {
            return Ok(None);
        };
        self.0
            .run(move |reader| async move { quarantine::dismiss(&reader, through).await })
            .await
            .map(Some)
    }
}
