//! How a user is reached, as the shop tells us. It is never told to anybody.

pub(crate) mod forget;
pub(crate) mod keep;

use crate::error::Problem;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use coupon_app::StoreError;
use coupon_core::UserId;

fn user(path: Result<Path<String>, PathRejection>) -> Result<UserId, Problem> {
    let Path(user) = path.map_err(|_not_utf_8| Problem::UnknownUser)?;
    UserId::parse(user).map_err(|_not_a_user| Problem::UnknownUser)
}

/// A store that fails while it writes may have written.
fn writing_failed(error: &StoreError) -> Problem {
    tracing::error!(%error, "a contact could not be written");
    Problem::Indeterminate
}
