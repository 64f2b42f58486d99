//! The sink port: where deliveries go that others take from there.

use crate::{Delivery, Health, StoreError};
use async_trait::async_trait;

/// Puts deliveries onto a feed that keeps them: the way from a shared ledger's stream to the workers that write the
/// store, and to the shop's other systems.
///
/// 1. **Durable when it returns.** When `publish` returns, every record of every delivery is on the feed, kept as the
///    feed's settings promise; those who take from it then MUST find each at least once.
/// 2. **Again is always right.** When it fails, any of them may be on the feed, and some may come to be there later.
///    Publishing again is the answer; whoever takes from the feed MUST tolerate repetition.
/// 3. **Whole.** Nothing is left out: what cannot be published is an error, and a lasting one when it never will be.
/// 4. **Any order.** Records may arrive in any order; each carries what it needs to be taken in alone.
/// 5. **Honest.** A feed whose settings are too weak for the first promise publishes nothing and says so, until they
///    are strong or the operator has declared them.
/// 6. **Bounded.** It waits no longer than its own limit, and holds no more unanswered than its own limit.
#[async_trait]
pub trait DeliverySink: Send + Sync + 'static {
    /// Publishes deliveries. See the contract above.
    async fn publish(&self, deliveries: &[Delivery]) -> Result<(), StoreError>;

    /// Whether the feed can keep the promise, looked at now.
    async fn health(&self) -> Health;
}
