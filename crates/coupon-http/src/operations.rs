//! For operators and developers: health, metrics, the document and its pages.

pub(crate) mod docs;
pub(crate) mod live;
pub(crate) mod metrics;
pub(crate) mod openapi;
pub(crate) mod ready;

pub(crate) use ready::readiness;
