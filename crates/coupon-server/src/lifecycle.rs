//! From "told to stop" to the end: signals, and who ends in which order.

use anyhow::Context as _;
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
    Broken(String),
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
            .unwrap_or_else(|_nobody| Farewell::Broken("nobody hears signals any more".to_owned()))
    }
}

async fn next(terminate: &mut Signal, interrupt: &mut Signal) -> &'static str {
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}
