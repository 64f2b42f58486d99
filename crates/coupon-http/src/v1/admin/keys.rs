//! API keys.

pub(crate) mod create;
pub(crate) mod list;
pub(crate) mod revoke;

use crate::error::Problem;
use crate::hall::Hall;
use coupon_api::{ApiKey, Scope, Time};
use coupon_app::{KeyRecord, StoreError};

fn wire(record: &KeyRecord) -> ApiKey {
    ApiKey {
        id: record.id.clone(),
        name: record.name.clone(),
        scopes: record.scopes.iter().copied().map(wire_scope).collect(),
        created_at: Time(record.created_at),
        expires_at: record.expires_at.map(Time),
        revoked_at: record.revoked_at.map(Time),
        last_used_at: record.last_used_at.map(Time),
    }
}

pub(crate) fn wire_scope(scope: coupon_app::Scope) -> Scope {
    match scope {
        coupon_app::Scope::Issue => Scope::Issue,
        coupon_app::Scope::Redeem => Scope::Redeem,
        coupon_app::Scope::Admin => Scope::Admin,
    }
}

fn scope(scope: Scope) -> coupon_app::Scope {
    match scope {
        Scope::Issue => coupon_app::Scope::Issue,
        Scope::Redeem => coupon_app::Scope::Redeem,
        Scope::Admin => coupon_app::Scope::Admin,
    }
}

/// A store that fails while it writes may have written.
fn writing_failed(error: &StoreError) -> Problem {
    tracing::error!(%error, "an API key could not be written");
    Problem::Indeterminate
}

/// Brings what the store has now to every loop.
async fn refresh(hall: &Hall) -> Result<(), Problem> {
    let refreshed = hall.live_keys.refresh(hall.keys.as_ref()).await;
    refreshed.map_err(|error| writing_failed(&error))
}
