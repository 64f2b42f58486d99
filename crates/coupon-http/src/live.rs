//! Live views of coupons: what is shown of each, sampled once for all who watch it.
//!
//! Every view that somebody watches is a [`View`]: the frame that was encoded last, and its number. One sampler
//! ([`sample`]) looks at all of them and encodes a new frame where something has changed. Each event loop walks over its
//! own listeners ([`Listeners`]) and wakes those that have not sent the newest frame, so a listener costs no timer and no
//! message, and ten thousand of them are not woken at one instant. A listener that is slow skips frames: it is sent
//! the newest, never a backlog. Whoever comes is told by an event of their own, with the time of that moment, and joins the
//! others from there. docs/decisions/0103 says what that buys.

mod listeners;

pub(crate) use listeners::{Endless, Listeners};

use crate::auth::hex;
use crate::error::Problem;
use crate::limits::{LISTENER_RETRY_S, SAMPLE_EVERY, SHOWN_EVERY};
use crate::station::Station;
use crate::v1::{admin, coupons};
use arc_swap::ArcSwapOption;
use bytes::Bytes;
use coupon_core::CouponId;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior};

/// Whose view of a coupon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Face {
    /// Everybody's.
    Public,
    /// An administrator's.
    Admin,
}

/// Every view that is watched, shared by all loops.
#[derive(Debug, Default)]
pub(crate) struct Live {
    views: Mutex<HashMap<(CouponId, Face), Arc<View>>>,
    listeners: AtomicUsize,
    /// Somebody watches.
    watched: Notify,
}

/// One view of one coupon.
#[derive(Debug)]
pub(crate) struct View {
    /// The number of the newest frame, from 1. After [`OVER`] there is none.
    number: AtomicU64,
    frame: ArcSwapOption<Frame>,
}

/// There is no such coupon any more.
const OVER: u64 = u64::MAX;

/// What is sent for one change.
#[derive(Debug)]
struct Frame {
    /// By which a client that comes back says what it has seen: a digest of what is shown, the same on every server
    /// and after a restart.
    id: Box<str>,
    bytes: Bytes,
    since: Instant,
}

/// How a listener begins.
#[derive(Debug)]
pub(crate) struct Beginning {
    /// What only they are told.
    event: Option<Bytes>,
    /// The number of the last frame that they need not be sent.
    number: u64,
}

/// What a view shows at one moment.
pub(crate) struct Shown {
    /// What an event carries.
    pub(crate) data: String,
    /// The part of it that makes it another one when it changes: all but the time.
    pub(crate) content: String,
}

impl Shown {
    /// By which a client says that it has seen this.
    fn id(&self) -> String {
        let mut digest = [0; 8];
        digest.copy_from_slice(&Sha256::digest(self.content.as_bytes())[..8]);
        hex(&digest)
    }

    /// As it is sent.
    fn event(&self, id: &str) -> Bytes {
        Bytes::from(format!("id: {id}\ndata: {}\n\n", self.data))
    }

    /// What is shown, and the part of it that counts.
    pub(crate) fn of(data: &impl Serialize, content: &impl Serialize) -> Result<Self, Problem> {
        let text = |value: serde_json::Result<String>| {
            value.map_err(|error| {
                tracing::error!(%error, "a live view cannot be written");
                Problem::Unavailable {
                    retry_after_s: LISTENER_RETRY_S,
                }
            })
        };
        Ok(Self {
            data: text(serde_json::to_string(data))?,
            content: text(serde_json::to_string(content))?,
        })
    }
}

/// One of the listeners that this server has room for.
pub(crate) struct Seat(Arc<Live>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.listeners.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Live {
    /// How many listen.
    pub(crate) fn listeners(&self) -> usize {
        self.listeners.load(Ordering::Relaxed)
    }

    /// A place among at most `most` listeners.
    pub(crate) fn seat(self: &Arc<Self>, most: usize) -> Result<Seat, Problem> {
        let seat = Seat(Arc::clone(self));
        if self.listeners.fetch_add(1, Ordering::Relaxed) >= most {
            return Err(Problem::Unavailable {
                retry_after_s: LISTENER_RETRY_S,
            });
        }
        Ok(seat)
    }

    /// The number of the newest frame of a view; 0 if nobody watches it.
    pub(crate) fn newest(&self, coupon: CouponId, face: Face) -> u64 {
        self.views().get(&(coupon, face)).map_or(0, |view| view.number())
    }

    /// The view of a coupon, which shows `shown` if nobody has watched it so far.
    pub(crate) fn view(&self, coupon: CouponId, face: Face, shown: &Shown) -> Arc<View> {
        let view = Arc::clone(self.views().entry((coupon, face)).or_insert_with(|| {
            let view = View::new();
            view.show(shown, Instant::now());
            Arc::new(view)
        }));
        self.watched.notify_one();
        view
    }

    /// The views that are watched. Others are forgotten.
    fn watched(&self) -> Vec<(CouponId, Face, Arc<View>)> {
        let mut views = self.views();
        views.retain(|_, view| Arc::strong_count(view) > 1);
        let all = views
            .iter()
            .map(|((coupon, face), view)| (*coupon, *face, Arc::clone(view)));
        all.collect()
    }

    fn close(&self, coupon: CouponId, face: Face) {
        if let Some(view) = self.views().remove(&(coupon, face)) {
            view.number.store(OVER, Ordering::Release);
        }
    }

    fn views(&self) -> MutexGuard<'_, HashMap<(CouponId, Face), Arc<View>>> {
        self.views.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl View {
    fn new() -> Self {
        Self {
            number: AtomicU64::new(0),
            frame: ArcSwapOption::empty(),
        }
    }

    /// Shows this from now on, if it is something else than before. Not twice within [`SHOWN_EVERY`].
    pub(crate) fn show(&self, shown: &Shown, now: Instant) {
        let id = shown.id();
        if let Some(last) = self.frame.load().as_ref()
            && (*last.id == *id || now.duration_since(last.since) < SHOWN_EVERY)
        {
            return;
        }
        self.frame.store(Some(Arc::new(Frame {
            bytes: shown.event(&id),
            id: id.into(),
            since: now,
        })));
        self.number.fetch_add(1, Ordering::Release);
    }

    /// The number of the newest frame.
    fn number(&self) -> u64 {
        self.number.load(Ordering::Acquire)
    }

    fn newest(&self) -> Option<Bytes> {
        self.frame.load().as_ref().map(|frame| frame.bytes.clone())
    }

    /// How somebody begins for whom `shown` was looked up, when `newest` was the number of the newest frame before that.
    /// A frame can be as old as the last change, and so is the time in it: who comes is told what was looked up for them.
    /// Unless there has been another frame meanwhile, which may know more than that, and is as fresh.
    pub(crate) fn beginning(&self, newest: u64, shown: &Shown, last_event_id: Option<&[u8]>) -> Beginning {
        if self.number() != newest {
            return Beginning {
                event: None,
                number: self.seen(last_event_id),
            };
        }
        let id = shown.id();
        Beginning {
            event: (last_event_id != Some(id.as_bytes())).then(|| shown.event(&id)),
            number: newest,
        }
    }

    /// The number of the frame that a client says it has seen last: the newest one's, if it is that, or 0.
    fn seen(&self, last_event_id: Option<&[u8]>) -> u64 {
        let number = self.number();
        let same = self
            .frame
            .load()
            .as_ref()
            .is_some_and(|frame| last_event_id == Some(frame.id.as_bytes()));
        if same { number } else { 0 }
    }
}

/// Looks at what is watched for as long as the server runs. One loop does it for all.
pub(crate) async fn sample(station: Arc<Station>) {
    let live = &station.hall.live;
    let mut ticks = tokio::time::interval(SAMPLE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut round = 0u32;
    loop {
        ticks.tick().await;
        let views = live.watched();
        if views.is_empty() {
            live.watched.notified().await;
            continue;
        }
        round = round.wrapping_add(1);
        for (coupon, face, view) in views {
            let shown = match face {
                Face::Public => coupons::events::shown(&station, coupon).await,
                // It asks the store, so no more often than it may be told.
                Face::Admin if !round.is_multiple_of(4) => continue,
                Face::Admin => admin::coupons::events::shown(&station, coupon).await,
            };
            match shown {
                Ok(shown) => view.show(&shown, Instant::now()),
                Err(Problem::UnknownCoupon) => live.close(coupon, face),
                // Whoever watches goes on seeing what was true last.
                Err(problem) => {
                    tracing::debug!(%coupon, code = ?problem.code(), "a live view is not brought up to date")
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(content: &str) -> Shown {
        Shown {
            data: format!("{content} at some time"),
            content: content.to_owned(),
        }
    }

    #[test]
    fn a_view_shows_what_is_new_and_no_more_than_once_a_second() {
        let (view, start) = (View::new(), Instant::now());
        let mut told = Vec::new();
        for (ms, content) in [
            (0, "a"),
            (250, "b"),
            (750, "c"),
            (1_000, "c"),
            (1_250, "d"),
            (2_000, "d"),
            (9_000, "d"),
            (9_001, "a"),
        ] {
            view.show(&shown(content), start + std::time::Duration::from_millis(ms));
            told.push(view.number());
        }
        assert_eq!(told, [1, 1, 1, 2, 2, 3, 3, 4]);
    }

    #[test]
    fn an_id_says_what_is_shown_and_not_when() {
        let (one, other) = (View::new(), View::new());
        let id = |view: &View| view.frame.load().as_ref().map(|frame| frame.id.clone()).unwrap();
        one.show(&shown("a"), Instant::now());
        let elsewhere = Shown {
            data: "a at another time".to_owned(),
            ..shown("a")
        };
        other.show(&elsewhere, Instant::now());
        assert_eq!(id(&one), id(&other));
        assert_eq!(one.seen(Some(id(&other).as_bytes())), one.number());
        for unknown in [None, Some(&b""[..]), Some(&b"0123456789abcdef"[..])] {
            assert_eq!(one.seen(unknown), 0);
        }
    }

    #[test]
    fn seats_are_given_back() {
        let live = Arc::new(Live::default());
        let seats: Vec<Seat> = (0..2)
            .map(|_| live.seat(2).unwrap_or_else(|_| panic!("there is room")))
            .collect();
        assert!(live.seat(2).is_err() && live.seat(0).is_err());
        drop(seats);
        assert_eq!(live.listeners(), 0);
        assert!(live.seat(1).is_ok());
    }
}
