//! What can go wrong with Redis, and what is then known about side effects.

use coupon_app::{LedgerError, Reason, StoreError};
use redis::{ErrorKind, RedisError};

/// Trouble with Redis.
#[derive(Debug, thiserror::Error)]
pub enum RedisTrouble {
    /// No connection came about; nothing was sent.
    #[error("Redis cannot be reached: {0}")]
    Unreachable(#[source] RedisError),
    /// The server refused before it did anything.
    #[error("Redis refused: {0}")]
    Refused(#[source] RedisError),
    /// The call was sent, and what became of it is not known.
    #[error("Redis did not answer: {0}")]
    Unanswered(#[source] RedisError),
    /// The reply is none that the script gives.
    #[error("Redis answered something else than was asked: {0}")]
    Nonsense(&'static str),
    /// The ledger was closed while the call was under way: what it did counts only if it is found to be there when the
    /// state has been compared with the store.
    #[error("the coupons were closed while this was decided")]
    ClosedMeanwhile,
    /// A ledger that may not decide.
    #[error(transparent)]
    Doubt(#[from] Doubt),
    /// A command was overtaken by other servers' commands as often as it was decided.
    #[error("other servers changed the coupon {0} times in between")]
    Overtaken(usize),
    /// The store was asked and did not answer.
    #[error("the store was asked what it has on record: {0}")]
    Store(#[source] StoreError),
}

/// Why a coupon, or all, answer `Unavailable` until somebody has looked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// The coupon's state is gone.
    #[error("coupon {0} is on record, but its state in Redis is gone: reconcile it")]
    Lost(coupon_core::CouponId),
    /// The coupon's state is of another epoch.
    #[error("coupon {coupon} is in epoch {found} in Redis and in {known} on record: reconcile it")]
    Epoch {
        /// Which coupon.
        coupon: coupon_core::CouponId,
        /// What Redis says.
        found: u32,
        /// What is known.
        known: u32,
    },
    /// The coupon's state knows less than has been answered.
    #[error("coupon {coupon} is at position {found} in Redis, but {seen} was seen: reconcile it")]
    Behind {
        /// Which coupon.
        coupon: coupon_core::CouponId,
        /// What Redis says.
        found: u32,
        /// What was seen.
        seen: u32,
    },
    /// Somebody reconciles the coupon.
    #[error("coupon {0} is being reconciled")]
    Fenced(coupon_core::CouponId),
    /// It has been retired, and only the store could tell what users hold.
    #[error("coupon {0} has been retired, and no store is there to ask")]
    NobodyToAsk(coupon_core::CouponId),
    /// Settings are too weak, the role is wrong, or the servers are others than expected.
    #[error("{0}")]
    NotReady(String),
}

/// The codes with which a server says that it has not carried out a command. For our scripts that holds also when the
/// code comes from inside, because the write that can fail is their first.
const NOTHING_HAPPENED: &[&str] = &[
    "NOSCRIPT",
    "OOM",
    "READONLY",
    "MOVED",
    "ASK",
    "TRYAGAIN",
    "CROSSSLOT",
    "CLUSTERDOWN",
    "LOADING",
    "BUSY",
    "MASTERDOWN",
    "MISCONF",
    "NOREPLICAS",
    "NOAUTH",
    "WRONGPASS",
    "NOPERM",
    "DENIED",
];

impl RedisTrouble {
    /// What an error means that came back from a call.
    pub(crate) fn of_a_call(error: RedisError) -> Self {
        let refused = error.code().is_some_and(|code| NOTHING_HAPPENED.contains(&code));
        // The cluster's client looks for a connection before it sends.
        let unsent = matches!(
            error.kind(),
            ErrorKind::ClusterConnectionNotFound | ErrorKind::InvalidClientConfig | ErrorKind::Client
        );
        if refused || unsent {
            Self::Refused(error)
        } else {
            Self::Unanswered(error)
        }
    }

    /// Whether the call may be made again at once: nothing happened, and it may pass.
    pub(crate) fn passes(&self) -> bool {
        let Self::Refused(error) = self else {
            return false;
        };
        matches!(
            error.code(),
            Some("MOVED" | "ASK" | "TRYAGAIN" | "CLUSTERDOWN" | "LOADING" | "READONLY")
        )
    }

    pub(crate) fn is_unknown_script(&self) -> bool {
        matches!(self, Self::Refused(error) if error.code() == Some("NOSCRIPT"))
    }

    /// Whether it may have happened, if it was a write.
    fn may_have_happened(&self) -> bool {
        matches!(
            self,
            Self::Unanswered(_) | Self::Nonsense(_) | Self::ClosedMeanwhile
        )
    }

    /// As the answer to something that writes.
    pub(crate) fn of_a_write(self) -> LedgerError {
        if self.may_have_happened() {
            LedgerError::Indeterminate(Reason::adapter(self))
        } else {
            LedgerError::Unavailable(Reason::adapter(self))
        }
    }

    /// As the answer to something that only reads.
    pub(crate) fn of_a_reading(self) -> LedgerError {
        LedgerError::Unavailable(Reason::adapter(self))
    }

    /// As a worker's or a lock's error.
    pub(crate) fn of_a_store(self) -> StoreError {
        match self {
            Self::Nonsense(_) => StoreError::lasting(self),
            Self::Store(error) => error,
            Self::Unreachable(_)
            | Self::Refused(_)
            | Self::Unanswered(_)
            | Self::ClosedMeanwhile
            | Self::Doubt(_)
            | Self::Overtaken(_) => StoreError::passing(self),
        }
    }
}
