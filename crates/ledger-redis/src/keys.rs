//! The names of keys. Everything of a coupon carries the same hash tag, so that it lies in one slot of a cluster.

use coupon_core::CouponId;

/// Makes names under one prefix.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    prefix: Box<str>,
}

impl Keys {
    pub(crate) fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.into(),
        }
    }

    fn of(&self, coupon: CouponId, what: &str) -> String {
        format!("{}:{{{coupon}}}:{what}", self.prefix)
    }

    /// A hash: facts and where the coupon stands.
    pub(crate) fn state(&self, coupon: CouponId) -> String {
        self.of(coupon, "state")
    }

    /// A hash: what each user was given.
    pub(crate) fn users(&self, coupon: CouponId) -> String {
        self.of(coupon, "users")
    }

    /// A hash: users of a state that is being built for this epoch.
    pub(crate) fn built_users(&self, coupon: CouponId, epoch: u32) -> String {
        self.of(coupon, &format!("users:{epoch}"))
    }

    /// A hash: what commands with a token answered.
    pub(crate) fn tokens(&self, coupon: CouponId) -> String {
        self.of(coupon, "tokens")
    }

    /// A stream: what happened, on its way to the store.
    pub(crate) fn stream(&self, coupon: CouponId) -> String {
        self.of(coupon, "stream")
    }

    /// A stream: entries that could not be taken.
    pub(crate) fn dead(&self, coupon: CouponId) -> String {
        self.of(coupon, "dead")
    }

    /// A string: the coupon in whose state a token's answer is found.
    pub(crate) fn pointer(&self, scope: [u8; 16]) -> String {
        format!("{}:token:{:032x}", self.prefix, u128::from_be_bytes(scope))
    }

    /// A set: every coupon that has a state.
    pub(crate) fn coupons(&self) -> String {
        format!("{}:coupons", self.prefix)
    }

    /// A set: every coupon that has a stream.
    pub(crate) fn streams(&self) -> String {
        format!("{}:streams", self.prefix)
    }

    /// A channel: the numbers of coupons that were changed.
    pub(crate) fn changes(&self) -> String {
        format!("{}:changes", self.prefix)
    }

    /// A string: who holds a lock.
    pub(crate) fn lock(&self, name: &str) -> String {
        format!("{}:lock:{name}", self.prefix)
    }
}
