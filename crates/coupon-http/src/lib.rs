//! The front hall: HTTP in front of the use cases.
//!
//! [`Hall::new`] puts together what all event loops share; [`Hall::serve`] opens it, one event loop for each core,
//! each with a [`coupon_app::Desk`] of its own; [`Running::stop`] closes it and lets what was accepted be answered.
//!
//! A request comes in at `serve::service`. An issue takes the fast path in `issue`; everything else goes through the
//! `router` to one file per endpoint under `v1`. Whatever is refused or goes wrong is an `error::Problem`, and becomes
//! an answer in one place.
//!
//! Only this crate knows status codes.

mod address;
mod auth;
mod back_door;
mod body;
mod csv;
mod entity_tag;
mod error;
mod extract;
mod hall;
mod idempotency;
mod ink;
mod issue;
mod json;
mod language;
mod limits;
mod live;
mod media;
mod messages;
mod meter;
mod metrics;
mod operations;
mod page;
mod rate;
mod refusals;
mod remarks;
mod reply;
mod request_id;
mod router;
mod serve;
mod station;
mod trace;
mod v1;

pub use address::{Network, NetworkError};
pub use auth::{
    ApiKeySecret, FixedKey, FixedKeyError, TokenAlgorithm, TokenKeys, TokenSettings, TokenSettingsError,
};
pub use back_door::{BackDoor, Vitals};
pub use hall::{Hall, HallError, HallParts, MetricsText, Settings, Webhooks};
pub use limits::Limits;
pub use metrics::{BuildInfo, StoreLag};
pub use rate::{Rate, Rates};
pub use remarks::Remarks;
pub use serve::{Running, Stopped};
