//! The back door: `/livez`, `/readyz` and `/metrics` of a process that has no hall.

use crate::limits::CHECK_TIME;
use crate::operations::readiness;
use crate::reply::json;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use coupon_api::Liveness;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;

/// What a process without a hall says of itself.
pub trait Vitals: Send + Sync + 'static {
    /// Its parts, each with the reason why it is not ready, if it is not.
    fn checks(&self) -> Vec<(&'static str, Option<String>)>;

    /// Everything that is counted, in the OpenMetrics text format.
    fn metrics(&self) -> Result<String, fmt::Error>;
}

/// An open back door.
#[derive(Debug)]
pub struct BackDoor {
    listener: TcpListener,
}

impl BackDoor {
    /// Listens on `listen`. Port 0 takes a free one; [`BackDoor::address`] says which.
    pub async fn open(listen: SocketAddr) -> std::io::Result<Self> {
        Ok(Self {
            listener: TcpListener::bind(listen).await?,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Takes it away from this event loop.
    pub fn into_std(self) -> std::io::Result<std::net::TcpListener> {
        self.listener.into_std()
    }

    /// On the event loop that this is called on.
    pub fn from_std(listener: std::net::TcpListener) -> std::io::Result<Self> {
        let listener = TcpListener::from_std(listener)?;
        Ok(Self { listener })
    }

    /// Answers until it is dropped.
    pub async fn serve(self, vitals: Arc<dyn Vitals>) -> std::io::Result<()> {
        let router = Router::new()
            .route("/livez", get(live))
            .route("/readyz", get(ready))
            .route("/metrics", get(metrics))
            .with_state(vitals);
        loop {
            let (stream, _) = self.listener.accept().await?;
            let service = hyper_util::service::TowerToHyperService::new(router.clone());
            tokio::spawn(async move {
                let io = hyper_util::rt::TokioIo::new(stream);
                let serving = hyper::server::conn::http1::Builder::new()
                    .keep_alive(false)
                    .serve_connection(io, service);
                // Whoever asks so slowly, or goes, is not waited for.
                let _ended = tokio::time::timeout(CHECK_TIME, serving).await;
            });
        }
    }
}

async fn live() -> Response {
    json(StatusCode::OK, &Liveness { status: "live" }).into_response()
}

async fn ready(State(vitals): State<Arc<dyn Vitals>>) -> Response {
    readiness(vitals.checks()).into_response()
}

async fn metrics(State(vitals): State<Arc<dyn Vitals>>) -> Response {
    match vitals.metrics() {
        Ok(text) => ([(CONTENT_TYPE, crate::metrics::OPEN_METRICS)], text).into_response(),
        Err(_cannot_be_written) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
