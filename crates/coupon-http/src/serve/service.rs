//! From a request to its answer: the fast path or the router, and what every answer gets.

use super::message;
use super::watch::{Phase, Watch};
use crate::body::HallBody;
use crate::error::{self, Problem};
use crate::issue;
use crate::language::Language;
use crate::live::Endless;
use crate::meter::IssueEnd;
use crate::request_id::{RequestId, X_REQUEST_ID};
use crate::router;
use crate::station::Station;
use crate::trace;
use axum::extract::MatchedPath;
use axum::response::IntoResponse;
use coupon_core::CouponId;
use futures_util::FutureExt;
use futures_util::future::Either;
use http::header::{ACCEPT_ENCODING, CONNECTION};
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use hyper::body::{Body, Incoming};
use std::convert::Infallible;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;
use tower::ServiceExt;
use tracing::Instrument;

const CLOSE: HeaderValue = HeaderValue::from_static("close");
const IDENTITY: HeaderValue = HeaderValue::from_static("identity");

/// One loop's front: where every request comes in.
pub(super) struct Front {
    pub(super) station: Arc<Station>,
    router: axum::Router,
    issue_route: usize,
}

/// What becomes of a request that does not take the fast path.
type Elsewhere = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// An answer; whatever goes wrong is in it.
type Answer = Result<Response<HallBody>, Infallible>;

impl Front {
    pub(super) fn new(station: Arc<Station>) -> Arc<Self> {
        Arc::new(Self {
            router: router::router(Arc::clone(&station)),
            issue_route: station.hall.routes.index(Some(issue::ROUTE)),
            station,
        })
    }

    /// Answers a request. hyper keeps the future in place and moves it there whole, so the fast path's is small and
    /// every other one is in a box.
    pub(super) fn answer(
        self: &Arc<Self>,
        watch: &Arc<Watch>,
        request: Request<Incoming>,
    ) -> Either<impl Future<Output = Answer> + Send + use<>, Elsewhere> {
        watch.request_began(!request.body().is_end_stream());
        let request_id = self.station.request_ids.of(request.headers(), &self.station.ink);
        let span = trace::span(request.headers(), &request_id);
        let (front, watch) = (Arc::clone(self), Arc::clone(watch));
        if let Err(problem) = message::check(request.version(), request.headers()) {
            let language = Language::preferred(request.headers());
            return Either::Right(Box::pin(front.refuse(watch, request_id, problem, language)));
        }
        let fast = issue::fast_path(request.method(), request.uri());
        match (fast, span) {
            (Some(coupon), None) => Either::Left(front.issue(watch, request_id, coupon, request)),
            (Some(coupon), Some(span)) => Either::Right(Box::pin(
                front.issue(watch, request_id, coupon, request).instrument(span),
            )),
            (None, None) => Either::Right(Box::pin(front.route(watch, request_id, request))),
            (None, Some(span)) => {
                Either::Right(Box::pin(front.route(watch, request_id, request).instrument(span)))
            }
        }
    }

    /// The fast path. A block and not an `async fn`, whose arguments would stand in the future twice.
    fn issue(
        self: Arc<Self>,
        watch: Arc<Watch>,
        request_id: HeaderValue,
        coupon: Option<CouponId>,
        request: Request<Incoming>,
    ) -> impl Future<Output = Answer> + Send + use<> {
        let language = Language::preferred(request.headers());
        let mut request = Some(request.into_parts());
        async move {
            let _in_flight = self.station.meter.request_came();
            let began = Instant::now();
            let issuing = pin!(issue::issue(&self.station, &watch, coupon, &mut request, began));
            let response = match within_time(&watch, &Method::POST, issuing).await {
                Ok(ended) => ended.into_response(language),
                Err(problem) => {
                    let end = overdue_end(&problem);
                    self.station.meter.issue_ended(end, began.elapsed());
                    error::render(&problem, language)
                }
            };
            Ok(self.hand_out(&watch, request_id, self.issue_route, response))
        }
    }

    /// A request that nobody looks at, whichever way it would have gone.
    async fn refuse(
        self: Arc<Self>,
        watch: Arc<Watch>,
        request_id: HeaderValue,
        problem: Problem,
        language: Language,
    ) -> Answer {
        let _in_flight = self.station.meter.request_came();
        let mut response = error::render(&problem, language);
        if matches!(problem, Problem::InvalidHeader { .. }) {
            // Where this message ends, others may see differently; nothing behind it is read.
            response.headers_mut().insert(CONNECTION, CLOSE);
        } else {
            response.headers_mut().insert(ACCEPT_ENCODING, IDENTITY);
        }
        let nowhere = self.station.hall.routes.index(None);
        Ok(self.hand_out(&watch, request_id, nowhere, response))
    }

    async fn route(
        self: Arc<Self>,
        watch: Arc<Watch>,
        request_id: HeaderValue,
        mut request: Request<Incoming>,
    ) -> Answer {
        let _in_flight = self.station.meter.request_came();
        let language = Language::preferred(request.headers());
        let method = request.method().clone();
        request.extensions_mut().insert(Arc::clone(&watch));
        request.extensions_mut().insert(RequestId(request_id.clone()));
        let routed = pin!(AssertUnwindSafe(self.router.clone().oneshot(request)).catch_unwind());
        let mut response = match within_time(&watch, &method, routed).await {
            Ok(Ok(Ok(response))) => response,
            Ok(Ok(Err(never))) => match never {},
            Ok(Err(_panic)) => {
                tracing::error!(%method, "a handler panicked");
                gave_up(&method).into_response()
            }
            Err(problem) => problem.into_response(),
        };
        let extensions = response.extensions_mut();
        let route = extensions.remove::<MatchedPath>();
        let routes = &self.station.hall.routes;
        let route = routes.index(route.as_ref().map(MatchedPath::as_str));
        let response = match extensions.remove::<Problem>() {
            Some(problem) => with_headers(error::render(&problem, language), response.headers()),
            None => response.map(HallBody::Routed),
        };
        let mut response = self.hand_out(&watch, request_id, route, response);
        if response.extensions_mut().remove::<Endless>().is_some() {
            watch.attendance_began();
        }
        Ok(response)
    }

    /// What every answer gets on its way out.
    fn hand_out(
        &self,
        watch: &Watch,
        request_id: HeaderValue,
        route: usize,
        mut response: Response<HallBody>,
    ) -> Response<HallBody> {
        response.headers_mut().insert(X_REQUEST_ID, request_id);
        self.station.meter.answered(route, response.status());
        watch.request_ended();
        response
    }
}

/// Adds to a rendered problem what the router had to say besides, such as `Allow`.
fn with_headers(mut rendered: Response<HallBody>, more: &HeaderMap<HeaderValue>) -> Response<HallBody> {
    let headers = rendered.headers_mut();
    for (name, value) in more {
        if !headers.contains_key(name) && name != http::header::CONTENT_LENGTH {
            headers.insert(name, value.clone());
        }
    }
    rendered
}

/// Runs `work` until it is done or the rounds declare it overdue.
async fn within_time<F: Future>(
    watch: &Watch,
    method: &Method,
    mut work: Pin<&mut F>,
) -> Result<F::Output, Problem> {
    poll_fn(|cx| {
        if let Poll::Ready(done) = work.as_mut().poll(cx) {
            return Poll::Ready(Ok(done));
        }
        match watch.overdue() {
            None => Poll::Pending,
            Some(Phase::Body) => Poll::Ready(Err(Problem::RequestTimeout)),
            Some(Phase::Work | Phase::Head | Phase::Quiet | Phase::Attending) => {
                Poll::Ready(Err(gave_up(method)))
            }
        }
    })
    .await
}

/// What a given-up issue request counts as.
fn overdue_end(problem: &Problem) -> IssueEnd {
    if matches!(problem, Problem::RequestTimeout) {
        IssueEnd::Rejected
    } else {
        IssueEnd::Indeterminate
    }
}

/// A question that was given up changed nothing; anything else may have.
fn gave_up(method: &Method) -> Problem {
    if method.is_safe() {
        Problem::Unavailable { retry_after_s: 5 }
    } else {
        Problem::Indeterminate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fast_paths_future_stays_small() {
        fn size<F>(_: impl FnOnce(&Arc<Front>, &Arc<Watch>, Request<Incoming>) -> F) -> usize {
            size_of::<F>()
        }
        let size = size(|front, watch, request| front.answer(watch, request));
        assert!(size <= 1_280, "hyper moves {size} bytes for each request");
    }
}
