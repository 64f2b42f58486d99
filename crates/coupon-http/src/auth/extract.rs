//! The caller as an argument of a handler.

use super::{Caller, Need};
use crate::error::Problem;
use crate::station::Station;
use axum::extract::FromRequestParts;
use coupon_core::UserId;
use http::request::Parts;
use std::sync::Arc;

/// An administrator.
pub(crate) struct Administrator {
    /// The id of the key, for the record.
    pub(crate) id: Box<str>,
}

/// A service or an administrator.
pub(crate) struct Service;

/// A user.
pub(crate) struct UserOnly(pub(crate) UserId);

/// A user, who sees their own, or a service or an administrator, who see all.
pub(crate) struct UserOrService(pub(crate) Caller);

impl FromRequestParts<Arc<Station>> for Administrator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, station: &Arc<Station>) -> Result<Self, Problem> {
        let caller = station.authenticate(&parts.headers)?;
        caller.may(Need::Admin)?;
        match caller {
            Caller::Key(key) => Ok(Self {
                id: key.record.id.clone(),
            }),
            Caller::User(_) => Err(Problem::InvalidCredentials), // not reached: a user may not
        }
    }
}

impl FromRequestParts<Arc<Station>> for Service {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, station: &Arc<Station>) -> Result<Self, Problem> {
        station.authenticate(&parts.headers)?.may(Need::Service)?;
        Ok(Self)
    }
}

impl FromRequestParts<Arc<Station>> for UserOnly {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, station: &Arc<Station>) -> Result<Self, Problem> {
        let caller = station.authenticate(&parts.headers)?;
        caller.may(Need::User)?;
        caller
            .user()
            .cloned()
            .map(Self)
            .ok_or(Problem::InvalidCredentials)
    }
}

impl FromRequestParts<Arc<Station>> for UserOrService {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, station: &Arc<Station>) -> Result<Self, Problem> {
        let caller = station.authenticate(&parts.headers)?;
        caller.may(Need::See)?;
        Ok(Self(caller))
    }
}
