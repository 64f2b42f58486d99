//! The listeners of one event loop.

use super::{Beginning, Live, OVER, Seat, View};
use crate::limits::{HEARTBEAT, WALK_EVERY, WALKS_PER_ROUND};
use crate::serve::Watch;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::task::AtomicWaker;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use hyper::body::Frame;
use slab::Slab;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;

/// A line that means nothing, so that proxies and clients see that the connection lives.
const NOTHING_NEW: Bytes = Bytes::from_static(b":\n\n");
/// Proxies that gather answers before they pass them on are told not to (nginx).
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Marks an answer that goes on until the client or the server ends it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Endless;

/// Whoever watches on one loop, and the walk that wakes them.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    all: Mutex<Slab<Arc<Listener>>>,
    somebody: Notify,
}

/// One listener, as far as the walk concerns it.
#[derive(Debug)]
struct Listener {
    view: Arc<View>,
    /// The number of the last frame that it was sent.
    sent: AtomicU64,
    /// Rounds of the walk in which it was sent nothing.
    quiet: AtomicU32,
    heartbeat: AtomicBool,
    waker: AtomicWaker,
}

/// Rounds of the walk between heartbeats.
fn rounds_between_heartbeats() -> u32 {
    let round = WALK_EVERY * WALKS_PER_ROUND;
    u32::try_from(HEARTBEAT.as_millis() / round.as_millis().max(1)).unwrap_or(u32::MAX)
}

impl Listeners {
    /// Answers with a view, until the client goes, the coupon is deleted or the server stops.
    pub(crate) fn attend(
        self: &Arc<Self>,
        seat: Seat,
        view: Arc<View>,
        beginning: Beginning,
        watch: Option<Arc<Watch>>,
    ) -> Response {
        let listener = Arc::new(Listener {
            sent: AtomicU64::new(beginning.number),
            view,
            quiet: AtomicU32::new(0),
            heartbeat: AtomicBool::new(false),
            waker: AtomicWaker::new(),
        });
        let key = self.all().insert(Arc::clone(&listener));
        self.somebody.notify_one();
        // Spread, so that those whom a stopping server sends away do not all come back at one instant.
        let mut first = format!("retry: {}\n\n", 1_000 + key % 64 * 50).into_bytes();
        first.extend_from_slice(beginning.event.as_deref().unwrap_or_default());
        let mut response = Response::new(Body::new(Attendance {
            first: Some(first.into()),
            listener,
            key,
            listeners: Arc::clone(self),
            watch,
            _seat: seat,
        }));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
        response.extensions_mut().insert(Endless);
        response
    }

    /// Walks for ever over all listeners, in small steps.
    pub(crate) async fn walk(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(WALK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let steps = usize::try_from(WALKS_PER_ROUND).unwrap_or(1);
        let mut step = 0;
        loop {
            if self.all().is_empty() {
                self.somebody.notified().await;
            }
            ticks.tick().await;
            let all = self.all();
            let mut place = step;
            // Of vacant places there are no more than there once were listeners.
            while place < all.capacity() {
                if let Some(listener) = all.get(place) {
                    listener.look();
                }
                place += steps;
            }
            step = (step + 1) % steps;
        }
    }

    fn all(&self) -> MutexGuard<'_, Slab<Arc<Listener>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener {
    /// Wakes it if there is something to send.
    fn look(&self) {
        let news = self.view.number() != self.sent.load(Ordering::Relaxed);
        let quiet = self.quiet.fetch_add(1, Ordering::Relaxed) + 1;
        let heartbeat = quiet >= rounds_between_heartbeats();
        if heartbeat {
            self.heartbeat.store(true, Ordering::Relaxed);
        }
        if news || heartbeat {
            self.waker.wake();
        }
    }
}

/// The body of an answer that goes on.
struct Attendance {
    first: Option<Bytes>,
    listener: Arc<Listener>,
    key: usize,
    listeners: Arc<Listeners>,
    watch: Option<Arc<Watch>>,
    _seat: Seat,
}

impl Attendance {
    /// What there is to send now.
    fn next(&mut self) -> Poll<Option<Bytes>> {
        let listener = &self.listener;
        if self.watch.as_ref().is_some_and(|watch| watch.was_told_goodbye()) {
            return Poll::Ready(None);
        }
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(first));
        }
        let number = listener.view.number();
        if number == OVER {
            return Poll::Ready(None);
        }
        if number != listener.sent.load(Ordering::Relaxed) {
            listener.sent.store(number, Ordering::Relaxed);
            listener.quiet.store(0, Ordering::Relaxed);
            return Poll::Ready(listener.view.newest());
        }
        if listener.heartbeat.swap(false, Ordering::Relaxed) {
            listener.quiet.store(0, Ordering::Relaxed);
            return Poll::Ready(Some(NOTHING_NEW));
        }
        Poll::Pending
    }
}

impl http_body::Body for Attendance {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        // Before the look, so that nothing that is shown in between is missed.
        this.listener.waker.register(cx.waker());
        this.next().map(|next| next.map(|bytes| Ok(Frame::data(bytes))))
    }
}

impl Drop for Attendance {
    fn drop(&mut self) {
        drop(self.listeners.all().try_remove(self.key));
        if let Some(watch) = &self.watch {
            watch.attendance_ended();
        }
    }
}

impl Live {
    /// How many connections may be taken by listeners: not so many that none are left for issuing.
    pub(crate) fn room(listeners: usize, connections: usize) -> usize {
        listeners.min(connections / 8 * 5)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Shown;
    use super::*;
    use std::time::Duration;
    use tokio::time::Instant;

    fn attendance(live: &Arc<Live>, view: &Arc<View>) -> Attendance {
        let listener = Arc::new(Listener {
            view: Arc::clone(view),
            sent: AtomicU64::new(0),
            quiet: AtomicU32::new(0),
            heartbeat: AtomicBool::new(false),
            waker: AtomicWaker::new(),
        });
        let listeners: Arc<Listeners> = Arc::default();
        let key = listeners.all().insert(Arc::clone(&listener));
        Attendance {
            first: None,
            listener,
            key,
            listeners,
            watch: None,
            _seat: live.seat(10).unwrap_or_else(|_| panic!("there is room")),
        }
    }

    fn show(view: &View, content: &str, second: u64) {
        let shown = Shown {
            data: content.to_owned(),
            content: content.to_owned(),
        };
        view.show(&shown, Instant::now() + Duration::from_secs(second));
    }

    /// What is sent now, as text.
    fn sent(attendance: &mut Attendance) -> Option<String> {
        match attendance.next() {
            Poll::Ready(bytes) => bytes.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()),
            Poll::Pending => None,
        }
    }

    #[test]
    fn a_listener_that_is_slow_is_sent_the_newest_and_never_a_backlog() {
        let (live, view) = (Arc::default(), Arc::new(View::new()));
        let (mut quick, mut slow) = (attendance(&live, &view), attendance(&live, &view));
        for second in 0..100 {
            show(&view, &format!("the {second}th"), second * 2);
            assert!(
                sent(&mut quick)
                    .unwrap()
                    .contains(&format!("data: the {second}th"))
            );
            assert_eq!(sent(&mut quick), None);
        }
        assert!(sent(&mut slow).unwrap().contains("data: the 99th"));
        assert_eq!(sent(&mut slow), None);
    }

    #[test]
    fn a_listener_to_whom_nothing_is_told_gets_a_heartbeat_every_fifteen_seconds() {
        assert_eq!(
            WALK_EVERY * WALKS_PER_ROUND * rounds_between_heartbeats(),
            Duration::from_secs(15)
        );
        let (live, view) = (Arc::default(), Arc::new(View::new()));
        let mut attendance = attendance(&live, &view);
        show(&view, "a", 0);
        for _ in 0..3 {
            // An event puts the next heartbeat off; each is sent once.
            assert!(sent(&mut attendance).is_some());
            for _ in 1..rounds_between_heartbeats() {
                attendance.listener.look();
                assert_eq!(sent(&mut attendance), None);
            }
            attendance.listener.look();
        }
        assert_eq!(sent(&mut attendance).as_deref(), Some(":\n\n"));
    }

    #[test]
    fn a_view_that_is_over_ends_for_all() {
        let live: Arc<Live> = Arc::default();
        let shown = Shown {
            data: "a".to_owned(),
            content: "a".to_owned(),
        };
        let coupon = coupon_core::CouponId::FIRST;
        let view = live.view(coupon, super::super::Face::Public, &shown);
        let mut attendance = attendance(&live, &view);
        assert!(sent(&mut attendance).is_some());
        live.close(coupon, super::super::Face::Public);
        attendance.listener.look();
        assert!(matches!(attendance.next(), Poll::Ready(None)));
    }
}
