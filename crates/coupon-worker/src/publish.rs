//! Publishing: the way from a stream to a feed, as a store of deliveries that keeps none.

use async_trait::async_trait;
use coupon_app::{Delivered, Delivery, DeliverySink, DeliveryStore, Quarantined, StoreError};
use std::sync::Arc;

/// A feed in the place of the store, so that [`crate::persist`] brings a stream's deliveries to it under the same
/// rules: an entry is called done by this part of the work only when the feed has all of it durably.
///
/// Whether an entry may leave the stream is not for this part alone to say: see [`crate::Confirming`].
pub struct Publishing {
    feed: Arc<dyn DeliverySink>,
}

impl std::fmt::Debug for Publishing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publishing").finish_non_exhaustive()
    }
}

impl Publishing {
    /// Onto this feed.
    pub fn new(feed: Arc<dyn DeliverySink>) -> Self {
        Self { feed }
    }
}

#[async_trait]
impl DeliveryStore for Publishing {
    async fn deliver(&self, deliveries: &[Delivery]) -> Result<Delivered, StoreError> {
        self.feed.publish(deliveries).await?;
        let records: usize = deliveries.iter().map(|delivery| delivery.records.len()).sum();
        Ok(Delivered {
            written: u64::try_from(records).unwrap_or(u64::MAX),
            ..Delivered::default()
        })
    }

    /// A feed puts nothing into quarantine.
    async fn quarantine(&self, _after: u64, _limit: usize) -> Result<Vec<Quarantined>, StoreError> {
        Ok(Vec::new())
    }
}
