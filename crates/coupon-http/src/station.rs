//! One event loop's place in the hall: its own desk and counts, and the shared rest.

use crate::auth::{Caller, LiveKeys, bearer};
use crate::error::Problem;
use crate::hall::Hall;
use crate::ink::Ink;
use crate::live::{Face, Listeners, Live, Seat, Shown};
use crate::meter::Meter;
use crate::reply::Reply;
use crate::request_id::RequestIds;
use crate::serve::Watch;
use coupon_api::{CodeText, IssuedCoupon, IssuedCouponIdText, IssuedState, Time};
use coupon_app::{Desk, LedgerError, Reason};
use coupon_core::{CouponId, Grant, IssuedCouponId, Timestamp, UserId};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// See above.
pub(crate) struct Station {
    pub(crate) hall: Arc<Hall>,
    pub(crate) desk: Desk,
    pub(crate) meter: Arc<Meter>,
    pub(crate) request_ids: RequestIds,
    pub(crate) ink: Ink,
    /// Who watches on this loop.
    pub(crate) listeners: Arc<Listeners>,
    pub(crate) started: Instant,
    /// The last second in which a failure of the ledger was written to the log.
    complained: AtomicU64,
}

impl Station {
    pub(crate) fn new(hall: Arc<Hall>, desk: Desk) -> Result<Self, getrandom::Error> {
        Ok(Self {
            meter: hall.add_meter(),
            hall,
            desk,
            request_ids: RequestIds::new()?,
            ink: Ink::new(),
            listeners: Arc::default(),
            started: Instant::now(),
            complained: AtomicU64::new(u64::MAX),
        })
    }

    /// A place among those who watch coupons.
    fn seat(&self) -> Result<Seat, Problem> {
        let limits = &self.hall.limits;
        self.hall
            .live
            .seat(Live::room(limits.listeners, limits.connections))
    }

    /// Answers with a live view of a coupon, which begins with what `looking` finds.
    pub(crate) async fn attend(
        &self,
        coupon: CouponId,
        face: Face,
        head: &Parts,
        looking: impl Future<Output = Result<Shown, Problem>> + Send,
    ) -> Reply {
        let (seat, live) = (self.seat()?, &self.hall.live);
        // Before the look, so that no frame that is made during it is taken for an older one.
        let newest = live.newest(coupon, face);
        let shown = looking.await?;
        let view = live.view(coupon, face, &shown);
        let last_event_id = head.headers.get(LAST_EVENT_ID).map(HeaderValue::as_bytes);
        let watch = head.extensions.get::<Arc<Watch>>().map(Arc::clone);
        let beginning = view.beginning(newest, &shown, last_event_id);
        Ok(self.listeners.attend(seat, view, beginning, watch))
    }

    /// Who sends these headers.
    pub(crate) fn authenticate(&self, headers: &HeaderMap) -> Result<Caller, Problem> {
        let credential = bearer(headers)?;
        if LiveKeys::is_key(credential) {
            return self
                .hall
                .live_keys
                .check(credential, self.desk.now())
                .map(Caller::Key);
        }
        if let Some(key) = self.hall.live_keys.check_fixed(credential) {
            return Ok(Caller::Key(key));
        }
        self.hall
            .tokens
            .check(credential, self.desk.now())
            .map(Caller::User)
    }

    /// The problem that a failure of the ledger is to the client. Operators find the reason in the log, once a second
    /// at most: when a ledger is down, every request fails for the same one.
    pub(crate) fn ledger_failed(&self, error: &LedgerError) -> Problem {
        self.failed("the ledger failed", error)
    }

    /// The same for the store where it redeems.
    pub(crate) fn redemption_failed(&self, error: &LedgerError) -> Problem {
        self.failed("the store failed to redeem", error)
    }

    fn failed(&self, what: &'static str, error: &LedgerError) -> Problem {
        let expected = matches!(
            error,
            LedgerError::Unavailable(Reason::QueueFull | Reason::Closing)
        );
        let second = self.started.elapsed().as_secs();
        if !expected && self.complained.swap(second, Ordering::Relaxed) != second {
            tracing::error!(%error, "{what}");
        }
        Problem::from(error)
    }

    /// An issued coupon as the ledger knows it.
    pub(crate) fn granted<'u>(
        &self,
        coupon: CouponId,
        user: &'u UserId,
        grant: Grant,
        now: Timestamp,
    ) -> IssuedCoupon<'u> {
        let id = IssuedCouponId {
            coupon,
            position: grant.position,
        };
        IssuedCoupon {
            id: IssuedCouponIdText(id),
            coupon_id: coupon.get(),
            user_id: Cow::Borrowed(user.as_str()),
            position: grant.position.get(),
            code: CodeText(self.desk.code(id).to_ascii()),
            state: if now >= grant.expires_at {
                IssuedState::Expired
            } else {
                IssuedState::Issued
            },
            issued_at: Time(grant.issued_at),
            expires_at: Time(grant.expires_at),
            redeemed_at: None,
            order_id: None,
        }
    }

    /// An issued coupon as the store knows it.
    pub(crate) fn stored<'i>(
        &self,
        issued: &'i coupon_core::IssuedCoupon,
        now: Timestamp,
    ) -> IssuedCoupon<'i> {
        let redemption = issued.redemption.as_ref();
        IssuedCoupon {
            state: issued.state(now).into(),
            redeemed_at: redemption.map(|redemption| Time(redemption.redeemed_at)),
            order_id: redemption.map(|redemption| Cow::Borrowed(redemption.order.id.as_str())),
            ..self.granted(issued.coupon, &issued.user, issued.grant, now)
        }
    }
}
