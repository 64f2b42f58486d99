//! Which kinds of notification are written now.

use coupon_app::NotificationKinds;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Which kinds of notification are written: these, or others as long as there is a webhook. Clones agree.
#[derive(Clone, Debug)]
pub struct Telling(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    kinds: NotificationKinds,
    for_webhooks: NotificationKinds,
    has_webhooks: AtomicBool,
}

impl Telling {
    /// `kinds`, and with a webhook `for_webhooks`.
    pub fn new(kinds: NotificationKinds, for_webhooks: NotificationKinds) -> Self {
        Self(Arc::new(Inner {
            kinds,
            for_webhooks,
            has_webhooks: AtomicBool::new(false),
        }))
    }

    /// The kinds that are written now.
    pub(crate) fn kinds(&self) -> NotificationKinds {
        if self.0.has_webhooks.load(Ordering::Acquire) {
            self.0.for_webhooks
        } else {
            self.0.kinds
        }
    }

    /// Notes whether there is a webhook.
    pub(crate) fn note_webhooks(&self, any: bool) {
        self.0.has_webhooks.store(any, Ordering::Release);
    }
}

impl From<NotificationKinds> for Telling {
    /// These, whether there is a webhook or not.
    fn from(kinds: NotificationKinds) -> Self {
        Self::new(kinds, kinds)
    }
}
