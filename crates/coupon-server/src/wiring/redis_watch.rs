//! Watches which Redis answers. One that was started anew is used again only if the operator has said so.

use ledger_redis::RedisLedger;
use std::sync::Weak;

/// Waits for other servers than the expected ones, until the ledger is gone. What each coupon's call carries (epoch
/// and highest position seen) still closes a coupon that has lost something.
pub(super) async fn watch(ledger: Weak<RedisLedger>, trust_restarts: bool) {
    let Some(mut sightings) = ledger.upgrade().map(|ledger| ledger.sightings()) else {
        return;
    };
    loop {
        let seen = sightings.borrow_and_update().clone();
        if let Some(sighting) = seen.filter(|sighting| !sighting.is_expected()) {
            if trust_restarts {
                tracing::warn!(
                    found = %sighting.found,
                    "Redis was started anew and is used again, because redis.trust_restarts says so"
                );
                let Some(ledger) = ledger.upgrade() else { return };
                ledger.accept(sighting.found);
            } else {
                tracing::error!(
                    found = %sighting.found,
                    "Redis is not the one that was used before, and is out of use: make sure that it has lost nothing \
                     and restart the servers, or set redis.trust_restarts"
                );
            }
        }
        if sightings.changed().await.is_err() {
            return;
        }
    }
}
