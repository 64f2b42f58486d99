//! One connection: hyper's HTTP/1.1 under the eye of the rounds.

use super::io::WatchedStream;
use super::rounds::Rounds;
use super::service::Front;
use crate::limits::{BUFFER_BYTES, HEAD_BYTES};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use tokio::net::TcpStream;

/// Serves a connection on this loop, or closes it when there are too many.
pub(super) fn open(front: &Arc<Front>, rounds: &Arc<Rounds>, stream: TcpStream, peer: SocketAddr) {
    let Some(place) = rounds.take_in(peer.ip()) else {
        return;
    };
    // An answer goes out in one write; there is nothing to wait for and collect. If the socket is already broken,
    // the first read will say so.
    let _ = stream.set_nodelay(true);
    let front = Arc::clone(front);
    tokio::spawn(async move {
        let watch = Arc::clone(&place.watch);
        let io = WatchedStream::new(stream, Arc::clone(&watch));
        let service = {
            let watch = Arc::clone(&watch);
            service_fn(move |request| front.answer(&watch, request))
        };
        let mut connection = pin!(builder().serve_connection(io, service));
        let mut told = false;
        poll_fn(|cx| {
            watch.waits_with(cx.waker());
            if watch.must_close() {
                return Poll::Ready(());
            }
            if !told && watch.was_told_goodbye() {
                told = true;
                connection.as_mut().graceful_shutdown();
            }
            // What ends a connection early is the client's doing: cut off, malformed, too large.
            connection.as_mut().poll(cx).map(|ended| {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended early");
                }
            })
        })
        .await;
        drop(place);
    });
}

fn builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        // The rounds look after time.
        .header_read_timeout(None)
        .max_header_size(HEAD_BYTES)
        .max_buf_size(BUFFER_BYTES)
        // Answers are small: copying one behind its head is cheaper than a vectored write.
        .writev(false);
    builder
}
