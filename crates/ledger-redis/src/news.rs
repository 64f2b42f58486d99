//! News: who has changed a coupon tells the other servers by pub/sub, and they read it at once.
//!
//! A hint, and nothing rests on it: a message that gets lost is made up for by the regular reading of all coupons, and
//! what is refused from memory is leased for a moment only.

use crate::engine::Engine;
use crate::limits::MAX_NEWS;
use coupon_app::limits::UNKNOWN_FOR;
use coupon_core::CouponId;
use redis::{PushInfo, PushKind, Value};
use std::sync::{Mutex, PoisonError, Weak};
use tokio::sync::mpsc;

/// What has been heard, for one who listens.
pub(crate) struct News {
    heard: mpsc::Sender<CouponId>,
    listener: Mutex<Option<mpsc::Receiver<CouponId>>>,
}

impl News {
    pub(crate) fn new() -> Self {
        let (heard, listener) = mpsc::channel(MAX_NEWS);
        Self {
            heard,
            listener: Mutex::new(Some(listener)),
        }
    }

    /// Where the connection puts what it hears.
    pub(crate) fn heard(&self) -> mpsc::Sender<CouponId> {
        self.heard.clone()
    }

    /// What is heard from now on; once.
    pub(crate) fn listen(&self) -> Option<mpsc::Receiver<CouponId>> {
        self.listener
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

/// The coupon that a message is about. Messages that nobody understands are somebody else's.
pub(crate) fn coupon(push: &PushInfo) -> Option<CouponId> {
    if push.kind != PushKind::Message {
        return None;
    }
    let Value::BulkString(bytes) = push.data.last()? else {
        return None;
    };
    let id = std::str::from_utf8(bytes).ok()?.parse().ok()?;
    CouponId::new(id).ok()
}

/// Reads every coupon that there is news of, which posts it on the board.
pub(crate) async fn follow(engine: Weak<Engine>, mut news: mpsc::Receiver<CouponId>) {
    while let Some(coupon) = news.recv().await {
        let Some(engine) = engine.upgrade() else { return };
        if let Err(trouble) = engine.read(coupon, b"", true).await {
            tracing::debug!(%coupon, %trouble, "a coupon that was changed could not be read");
        }
    }
}

impl Engine {
    /// Tells the other servers that a coupon was changed. Whoever waits for the command need not wait for long.
    pub(crate) async fn tell(&self, coupon: CouponId) {
        let mut publish = redis::cmd("PUBLISH");
        publish.arg(self.keys.changes()).arg(coupon.get());
        let telling = tokio::time::timeout(UNKNOWN_FOR, self.link.send(&publish));
        match telling.await {
            Ok(Ok(_heard_by)) => {}
            Ok(Err(trouble)) => tracing::debug!(%coupon, %trouble, "other servers were not told of a change"),
            Err(_elapsed) => tracing::debug!(%coupon, "other servers were not told of a change in time"),
        }
    }
}
