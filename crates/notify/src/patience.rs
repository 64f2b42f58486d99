//! The table of waits between attempts, as operators write it.

use crate::limits::{MAX_WAIT_S, MAX_WAITS};
use coupon_app::Patience;
use coupon_core::Span;

/// The waits are none that a channel can be patient by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatienceError {
    /// Too many.
    #[error("at most {MAX_WAITS} waits")]
    TooMany,
    /// One of nothing, or of more than thirty days.
    #[error("a wait has 1 to {MAX_WAIT_S} seconds")]
    Wait,
}

/// The patience that waits so many seconds after each failed attempt. No waits: one attempt.
pub fn patience(waits_s: &[u32]) -> Result<Patience, PatienceError> {
    if waits_s.len() > MAX_WAITS {
        return Err(PatienceError::TooMany);
    }
    if !waits_s.iter().all(|wait| (1..=MAX_WAIT_S).contains(wait)) {
        return Err(PatienceError::Wait);
    }
    Ok(Patience::new(
        waits_s.iter().map(|wait| Span::from_secs(*wait)).collect(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_neither_nothing_nor_for_ever() {
        assert_eq!(patience(&[]).unwrap().attempts(), 1);
        assert_eq!(patience(&[1, MAX_WAIT_S]).unwrap().attempts(), 3);
        assert_eq!(patience(&[0]), Err(PatienceError::Wait));
        assert_eq!(patience(&[MAX_WAIT_S + 1]), Err(PatienceError::Wait));
        assert_eq!(patience(&[1; MAX_WAITS + 1]), Err(PatienceError::TooMany));
    }
}
