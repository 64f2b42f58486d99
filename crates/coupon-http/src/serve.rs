//! The event loops: one thread, one runtime and one listener for each core.
//!
//! The kernel spreads new connections over the listeners (`SO_REUSEPORT`), and a connection stays on its loop: no work
//! is handed between threads but the questions to the ledger. docs/decisions/0020 says what that buys.

mod connection;
mod io;
mod listener;
mod message;
mod rounds;
mod service;
mod watch;

pub(crate) use watch::Watch;

use crate::hall::Hall;
use crate::limits::{ACCEPT_PAUSE, NOTE_USED_KEYS};
use crate::live;
use crate::router;
use crate::station::Station;
use coupon_app::Desk;
use futures_util::FutureExt;
use rounds::Rounds;
use service::Front;
use std::io as std_io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch as signal};
use tokio::time::Instant;

/// A hall that is open. Dropping it stops serving at once; [`Running::stop`] lets what was accepted be answered.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    stop: signal::Sender<Option<Instant>>,
    /// Each loop sends once, when it has ended.
    ended: mpsc::UnboundedReceiver<Ended>,
    loops: usize,
    hall: Arc<Hall>,
}

/// How the loops ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stopped {
    /// Connections that were cut off, because their request was not answered in time.
    pub cut_off: usize,
}

struct Ended {
    cut_off: usize,
}

impl Hall {
    /// Opens the hall on `listen` with so many event loops, each with a desk of its own from `make_desk` (which is
    /// called here, `loops` times). Port 0 takes a free port; [`Running::address`] says which.
    ///
    /// Returns as soon as connections are accepted.
    pub fn serve(
        self: &Arc<Self>,
        listen: SocketAddr,
        loops: usize,
        make_desk: impl Fn() -> Desk,
    ) -> std_io::Result<Running> {
        let loops = loops.max(1);
        let listeners = listener::bind(listen, loops)?;
        let address = listeners[0].local_addr()?;
        let (stop, stopping) = signal::channel(None);
        let (ended_sender, ended) = mpsc::unbounded_channel();
        for (index, listener) in listeners.into_iter().enumerate() {
            let station = Station::new(Arc::clone(self), make_desk()).map_err(std_io::Error::other)?;
            let event_loop = EventLoop {
                front: Front::new(Arc::new(station)),
                stopping: stopping.clone(),
            };
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let station = &event_loop.front.station;
            runtime.spawn(Arc::clone(&station.listeners).walk());
            if index == 0 {
                runtime.spawn(live::sample(Arc::clone(station)));
                runtime.spawn(note_used_keys(Arc::clone(self)));
            }
            let ended = ended_sender.clone();
            std::thread::Builder::new()
                .name(format!("http-{index}"))
                .spawn(move || {
                    let cut_off = runtime.block_on(event_loop.run(listener));
                    // What is still open is dropped with the runtime; nobody may be listening any more.
                    runtime.shutdown_background();
                    let _ = ended.send(Ended { cut_off });
                })?;
        }
        Ok(Running {
            address,
            stop,
            ended,
            loops,
            hall: Arc::clone(self),
        })
    }

    /// The OpenAPI document, as it is served at `/openapi.json` and committed.
    pub fn document() -> String {
        router::document_text()
    }
}

impl Running {
    /// Where the hall listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting, closes connections that wait for their next request, lets requests that have begun be answered
    /// within `grace`, and returns when every loop has ended. `/readyz` says not ready from here on.
    pub async fn stop(mut self, grace: Duration) -> Stopped {
        self.hall.stopping.store(true, Ordering::Relaxed);
        // The loops are the only receivers; if they are gone already, there is nothing to tell.
        let _ = self.stop.send(Some(Instant::now() + grace));
        let mut stopped = Stopped::default();
        for _ in 0..self.loops {
            if let Some(ended) = self.ended.recv().await {
                stopped.cut_off += ended.cut_off;
            }
        }
        if let Err(error) = self.hall.note_used_keys().await {
            tracing::warn!(%error, "when API keys were last used is not written down");
        }
        stopped
    }
}

/// Writes down now and then which API keys are used.
async fn note_used_keys(hall: Arc<Hall>) {
    loop {
        tokio::time::sleep(NOTE_USED_KEYS).await;
        if let Err(error) = hall.note_used_keys().await {
            tracing::debug!(%error, "when API keys were last used will be written down later");
        }
    }
}

struct EventLoop {
    front: Arc<Front>,
    stopping: signal::Receiver<Option<Instant>>,
}

impl EventLoop {
    async fn run(mut self, listener: std::net::TcpListener) -> usize {
        let rounds = Rounds::new(Arc::clone(&self.front.station));
        let round_maker = tokio::spawn(Arc::clone(&rounds).walk());
        let deadline = self.accept_until_told(listener, &rounds).await;
        rounds.say_goodbye();
        let cut_off = rounds.wait_until_empty(deadline).await;
        round_maker.abort();
        cut_off
    }

    /// Accepts until the hall stops, and returns by when everything must be over.
    async fn accept_until_told(&mut self, listener: std::net::TcpListener, rounds: &Arc<Rounds>) -> Instant {
        let listener = match TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => {
                tracing::error!(%error, "a listener cannot be used; this loop serves nobody");
                return Instant::now();
            }
        };
        loop {
            tokio::select! {
                biased;
                told = self.stopping.wait_for(Option::is_some) => {
                    // Whoever has connected by now was accepted by the kernel in our name.
                    while let Some(Ok((stream, peer))) = listener.accept().now_or_never() {
                        connection::open(&self.front, rounds, stream, peer);
                    }
                    // Without a sender the hall was dropped: stop at once.
                    return told.ok().and_then(|deadline| *deadline).unwrap_or_else(Instant::now);
                }
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => connection::open(&self.front, rounds, stream, peer),
                    Err(error) => {
                        tracing::warn!(%error, "a connection cannot be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
    }
}
