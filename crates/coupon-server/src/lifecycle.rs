//! From "told to stop" to the end: signals, and who ends in which order.

use crate::config::ShutdownSettings;
use crate::follower::{Follower, FollowerEnd};
use crate::wiring::House;
use anyhow::Context as _;
use coupon_http::Running;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, Sender, channel};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The exit code after a second signal: requests may be unanswered, though nothing that was answered is lost.
const IMPATIENT: i32 = 130;

/// Why the server ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Farewell {
    /// Somebody asked for it.
    Told(&'static str),
    /// A part of the server has ended by itself, and it cannot go on without.
    Broken(&'static str),
}

/// Hears what ends the server.
#[derive(Debug)]
pub(crate) struct Ear {
    heard: Receiver<Farewell>,
    tell: Sender<Farewell>,
}

impl Ear {
    /// Listens to SIGTERM and SIGINT from now on. After the first one, the next ends the process at once.
    pub(crate) fn open() -> anyhow::Result<Self> {
        let (tell, heard) = channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the runtime that hears signals")?;
        let (mut terminate, mut interrupt) = {
            let _inside = runtime.enter();
            let listen = |kind| signal(kind).context("cannot listen to signals");
            (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?)
        };
        let teller = tell.clone();
        let hear = move || {
            runtime.block_on(async {
                let first = next(&mut terminate, &mut interrupt).await;
                if teller.send(Farewell::Told(first)).is_err() {
                    return;
                }
                let second = next(&mut terminate, &mut interrupt).await;
                tracing::warn!(signal = second, "told to stop again: ending at once");
                std::process::exit(IMPATIENT);
            });
        };
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(hear)
            .context("cannot start the thread that hears signals")?;
        Ok(Self { heard, tell })
    }

    /// For parts of the server to say that they have ended by themselves.
    pub(crate) fn teller(&self) -> Sender<Farewell> {
        self.tell.clone()
    }

    /// Waits until the server has a reason to end.
    pub(crate) fn hear(&self) -> Farewell {
        self.heard
            .recv()
            .unwrap_or(Farewell::Broken("nobody hears signals any more"))
    }
}

/// Ends a server from the outside in: no new connections, answers for what was accepted, redemptions, the ledgers.
pub(crate) async fn end(
    farewell: Farewell,
    settings: &ShutdownSettings,
    running: Running,
    house: &House,
) -> ExitCode {
    let mut code = taken_leave(&farewell);
    let stopped = running.stop(settings.drain_deadline()).await;
    if stopped.cut_off > 0 {
        tracing::warn!(
            connections = stopped.cut_off,
            "requests were not answered in time"
        );
    }
    // While the follower still brings what somebody wants to redeem.
    house.redeemer.close();
    if let Err(error) = house.ledgers.close() {
        tracing::error!(%error, "a ledger did not close cleanly; the next start recovers");
        code = ExitCode::FAILURE;
    }
    code
}

/// Waits for the store, after the ledger was closed.
pub(crate) fn end_following(follower: &Follower, settings: &ShutdownSettings) {
    match follower.finish(settings.follow_deadline()) {
        FollowerEnd::CaughtUp => tracing::info!("stopped: the store has everything"),
        FollowerEnd::Behind => {
            tracing::warn!("stopped: the store is behind the journal; the next start goes on from there");
        }
    }
}

/// Says why it ends; the exit code that this deserves.
pub(crate) fn taken_leave(farewell: &Farewell) -> ExitCode {
    match farewell {
        Farewell::Told(signal) => {
            tracing::info!(signal, "stopping: answering what was accepted");
            ExitCode::SUCCESS
        }
        Farewell::Broken(why) => {
            tracing::error!(why, "stopping: the server cannot go on");
            ExitCode::FAILURE
        }
    }
}

async fn next(terminate: &mut Signal, interrupt: &mut Signal) -> &'static str {
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}
