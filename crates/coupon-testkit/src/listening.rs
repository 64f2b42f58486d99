//! A server of the test's own process: a port of the loopback, a thread for each connection, nothing left over.

use std::io;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use crate::error::ServerError;
use crate::limits;
use crate::port::free_port;

/// A listening port and the threads behind it. Dropping it cuts every connection and waits for its threads.
#[derive(Debug)]
pub(crate) struct Listening {
    port: u16,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    closed: AtomicBool,
    connections: Mutex<Vec<(TcpStream, JoinHandle<()>)>>,
}

impl Listening {
    /// Listens, and has `converse` speak with each client until it returns.
    pub(crate) fn start(
        component: &'static str,
        converse: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static,
    ) -> Result<Self, ServerError> {
        let port = free_port()?;
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|source| ServerError::Prepare {
                component,
                what: "listening".to_owned(),
                source,
            })?;
        let shared = Arc::new(Shared::default());
        let acceptor = {
            let shared = Arc::clone(&shared);
            let converse = Arc::new(converse);
            thread::spawn(move || {
                for client in listener.incoming() {
                    if shared.closed.load(Ordering::SeqCst) {
                        return;
                    }
                    let Ok(client) = client else { continue };
                    shared.attend(client, &converse);
                }
            })
        };
        Ok(Self {
            port,
            shared,
            acceptor: Some(acceptor),
        })
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }
}

impl Shared {
    fn attend<C>(&self, client: TcpStream, converse: &Arc<C>)
    where
        C: Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static,
    {
        let mut connections = lock(&self.connections);
        connections.retain(|(_stream, thread)| !thread.is_finished());
        let Ok(handle) = client.try_clone() else { return };
        if connections.len() >= limits::OWN_CONNECTIONS {
            return;
        }
        let converse = Arc::clone(converse);
        let thread = thread::spawn(move || {
            let ended = client.try_clone();
            // A client that goes away is what many tests are about.
            let _ = converse(client);
            // The clone kept for the end would hold the connection open.
            if let Ok(stream) = ended {
                let _ = stream.shutdown(Shutdown::Both);
            }
        });
        connections.push((handle, thread));
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        // Wakes the acceptor, which then sees that it is over.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
        let connections = std::mem::take(&mut *lock(&self.shared.connections));
        for (stream, thread) in connections {
            let _ = stream.shutdown(Shutdown::Both);
            let _ = thread.join();
        }
    }
}

/// Locks, whatever became of a thread that held it: a test that fails elsewhere still ends its servers.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
