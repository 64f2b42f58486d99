//! From a request to its answer: the fast path or the router, and what every answer gets.

use super::watch::{Phase, Watch};
use crate::body::HallBody;
use crate::error::{self, Problem};
use crate::issue;
use crate::language::Language;
use crate::meter::IssueEnd;
use crate::request_id::X_REQUEST_ID;
use crate::router;
use crate::station::Station;
use crate::trace;
use axum::extract::MatchedPath;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use hyper::body::{Body, Incoming};
use std::convert::Infallible;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;
use tower::Service;
use tracing::Instrument;

/// One loop's front: where every request comes in.
#[derive(Clone)]
pub(super) struct Front {
    pub(super) station: Arc<Station>,
    router: axum::Router,
    issue_route: usize,
}

/// An answer and the route it is counted under.
struct Answered {
    response: Response<HallBody>,
    route: usize,
}

impl Front {
    pub(super) fn new(station: Arc<Station>) -> Self {
        Self {
            router: router::router(Arc::clone(&station)),
            issue_route: station.hall.routes.index(Some(issue::ROUTE)),
            station,
        }
    }

    pub(super) async fn answer(
        self,
        watch: Arc<Watch>,
        request: Request<Incoming>,
    ) -> Result<Response<HallBody>, Infallible> {
        let station = Arc::clone(&self.station);
        let _in_flight = station.meter.request_came();
        watch.request_began(!request.body().is_end_stream());
        let request_id = station.request_ids.of(request.headers());
        let span = trace::span(request.headers(), &request_id);
        let mut answered = if span.is_disabled() {
            self.dispatch(&watch, request).await
        } else {
            Box::pin(self.dispatch(&watch, request).instrument(span)).await
        };
        answered.response.headers_mut().insert(X_REQUEST_ID, request_id);
        station.meter.answered(answered.route, answered.response.status());
        watch.request_ended();
        Ok(answered.response)
    }

    async fn dispatch(self, watch: &Arc<Watch>, request: Request<Incoming>) -> Answered {
        match issue::fast_path(request.method(), request.uri().path()) {
            Some(coupon) if request.uri().query().is_none() => {
                let (head, body) = request.into_parts();
                let began = Instant::now();
                let issuing = issue::issue(&self.station, watch, coupon, &head, body);
                let response = match within_time(watch, &head.method, issuing).await {
                    Ok(ended) => ended.into_response(&head.headers),
                    Err(problem) => {
                        self.station
                            .meter
                            .issue_ended(overdue_end(&problem), began.elapsed());
                        error::render(&problem, Language::preferred(&head.headers))
                    }
                };
                Answered {
                    response,
                    route: self.issue_route,
                }
            }
            _ => Box::pin(self.route(watch, request)).await,
        }
    }

    async fn route(mut self, watch: &Arc<Watch>, mut request: Request<Incoming>) -> Answered {
        let language = Language::preferred(request.headers());
        let method = request.method().clone();
        request.extensions_mut().insert(Arc::clone(watch));
        let routed = AssertUnwindSafe(self.router.call(request)).catch_unwind();
        let mut response = match within_time(watch, &method, routed).await {
            Ok(Ok(Ok(response))) => response,
            Ok(Ok(Err(never))) => match never {},
            Ok(Err(_panic)) => {
                tracing::error!(%method, "a handler panicked");
                axum::response::IntoResponse::into_response(gave_up(&method))
            }
            Err(problem) => axum::response::IntoResponse::into_response(problem),
        };
        let extensions = response.extensions_mut();
        let route = extensions.remove::<MatchedPath>();
        let route = self
            .station
            .hall
            .routes
            .index(route.as_ref().map(MatchedPath::as_str));
        let response = match extensions.remove::<Problem>() {
            Some(problem) => with_headers(error::render(&problem, language), response.headers()),
            None => response.map(HallBody::Routed),
        };
        Answered { response, route }
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
async fn within_time<F: Future>(watch: &Watch, method: &Method, work: F) -> Result<F::Output, Problem> {
    let mut work = pin!(work);
    poll_fn(|cx| {
        if let Poll::Ready(done) = work.as_mut().poll(cx) {
            return Poll::Ready(Ok(done));
        }
        match watch.overdue() {
            None => Poll::Pending,
            Some(Phase::Body) => Poll::Ready(Err(Problem::RequestTimeout)),
            Some(Phase::Work | Phase::Head | Phase::Quiet) => Poll::Ready(Err(gave_up(method))),
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
