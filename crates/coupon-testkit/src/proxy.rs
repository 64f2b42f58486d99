//! A proxy that breaks connections on command.
//!
//! It forwards a port of its own to a port of the loopback, and counts what passes, so that a test can wait
//! for the moment it wants. Faults are ordered for both directions or one, for all connections at once; a
//! rule that has struck is gone, a state (stalled, refusing, dropping) stays until [`FaultProxy::mend`].

mod rules;

use std::collections::HashMap;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::error::ServerError;
use crate::limits;
use crate::port::free_port;

use self::rules::{Flow, Rules, Verdict};

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// What the client asks.
    ToServer,
    /// What the server answers.
    ToClient,
}

/// What is lost when a connection is cut at a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The server never sees the request.
    Request,
    /// The server gets the request and answers; the client never sees the answer. On a connection with
    /// several requests under way, the first bytes that come back after the pattern count as its answer.
    Answer,
}

/// What has passed since the proxy was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProxyCounts {
    /// Connections of clients that were passed on.
    pub accepted: u64,
    /// Of these, how many are open.
    pub open: u64,
    /// Connections closed at once, by order or because the server could not be reached.
    pub refused: u64,
    /// Connections cut by order.
    pub cut: u64,
    /// How often the pattern of [`FaultProxy::cut_at`] was seen and its cut ordered.
    pub matched: u64,
    /// Bytes written to the server.
    pub bytes_to_server: u64,
    /// Bytes written to clients.
    pub bytes_to_client: u64,
    /// Bytes swallowed.
    pub bytes_dropped: u64,
    /// Times that bytes had to wait because their direction was stalled.
    pub stalled: u64,
}

/// A running proxy. When it is dropped every connection is cut and its port is free.
#[derive(Debug)]
pub struct FaultProxy {
    shared: Arc<Shared>,
    port: u16,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    rules: Rules,
    counts: ProxyCounts,
    connections: HashMap<u64, Connection>,
    target: u16,
    refusing: bool,
    closed: bool,
}

#[derive(Debug)]
struct Connection {
    client: TcpStream,
    server: TcpStream,
    flow: Flow,
    /// Directions that still carry something.
    pumps: u8,
}

impl FaultProxy {
    /// Listens on a free port of the loopback and forwards to `target`, where nobody has to listen yet.
    ///
    /// # Errors
    ///
    /// If no port can be had.
    pub fn to(target: u16) -> Result<Self, ServerError> {
        let prepare = |source| ServerError::Prepare {
            component: "proxy",
            what: "listening".to_owned(),
            source,
        };
        let port = free_port()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(prepare)?;
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                rules: Rules::default(),
                counts: ProxyCounts::default(),
                connections: HashMap::new(),
                target,
                refusing: false,
                closed: false,
            }),
            changed: Condvar::new(),
        });
        let accepting = Arc::clone(&shared);
        let acceptor = thread::Builder::new()
            .name("proxy".to_owned())
            .spawn(move || accept(&accepting, &listener))
            .map_err(prepare)?;
        Ok(Self {
            shared,
            port,
            acceptor: Some(acceptor),
        })
    }

    /// Where clients connect.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Forwards new connections to another port: a replica that was promoted, for instance.
    pub fn retarget(&self, target: u16) {
        self.shared.change(|state| state.target = target);
    }

    /// Cuts every open connection. New ones are passed on.
    pub fn cut(&self) {
        self.shared.change(State::cut_all);
    }

    /// Closes every new connection at once. Open ones stay.
    pub fn refuse(&self) {
        self.shared.change(|state| state.refusing = true);
    }

    /// Holds back what goes this way. Nothing is lost: it passes after [`FaultProxy::mend`].
    pub fn stall(&self, direction: Direction) {
        self.shared.change(|state| state.rules.stall(direction));
    }

    /// Lets so many bytes more pass this way, over all connections together, and swallows every byte after them.
    /// Connections stay open.
    pub fn drop_after(&self, direction: Direction, bytes: u64) {
        self.shared
            .change(|state| state.rules.drop_after(direction, bytes));
    }

    /// Lets so many bytes more pass this way, over all connections together, and then cuts the connection that
    /// brings the next one. This strikes once.
    pub fn cut_after(&self, direction: Direction, bytes: u64) {
        self.shared
            .change(|state| state.rules.cut_after(direction, bytes));
    }

    /// Cuts a connection on which the client has sent these bytes, so many times in all. The bytes are found
    /// also where they arrive in pieces, as long as [`Loss::Answer`] is asked for.
    pub fn cut_at(&self, pattern: &[u8], loss: Loss, times: u64) {
        self.shared
            .change(|state| state.rules.cut_at(pattern, loss, times));
    }

    /// Takes back every fault. What was cut or swallowed stays so.
    pub fn mend(&self) {
        self.shared.change(|state| {
            state.rules = Rules::default();
            state.refusing = false;
        });
    }

    /// What has passed so far.
    pub fn counts(&self) -> ProxyCounts {
        self.shared.lock().counts
    }

    /// Waits until what has passed meets the condition, at most for `limit`. Answers whether it did.
    pub fn wait_until(&self, limit: Duration, condition: impl Fn(&ProxyCounts) -> bool) -> bool {
        let started = Instant::now();
        let mut state = self.shared.lock();
        loop {
            if condition(&state.counts) {
                return true;
            }
            let Some(left) = limit.checked_sub(started.elapsed()) else {
                return false;
            };
            let waited = self.shared.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.shared.change(|state| {
            state.closed = true;
            state.cut_all();
        });
        // Wakes the acceptor, which then sees that it is over. If it fails the listener is gone already.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        if let Some(acceptor) = self.acceptor.take() {
            // It has no way to panic, and there is nobody left to tell.
            let _ = acceptor.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing is left half done under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.lock());
        self.changed.notify_all();
        changed
    }

    /// Decides about bytes that have arrived; waits while their direction is stalled. `None` if their connection
    /// is no more.
    fn judge(&self, id: u64, direction: Direction, bytes: &[u8]) -> Option<Verdict> {
        let mut guard = self.lock();
        let mut waited = false;
        loop {
            let state = &mut *guard;
            let connection = state.connections.get_mut(&id)?;
            if connection.flow.is_cut() {
                return None;
            }
            if !state.rules.is_stalled(direction) {
                let verdict = state.rules.judge(&mut connection.flow, direction, bytes);
                state.counts.matched += u64::from(verdict.matched);
                state.counts.bytes_dropped += verdict.dropped;
                return Some(verdict);
            }
            if !waited {
                waited = true;
                state.counts.stalled += 1;
                self.changed.notify_all();
            }
            guard = self.changed.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl State {
    fn cut_all(&mut self) {
        let ids: Vec<u64> = self.connections.keys().copied().collect();
        for id in ids {
            self.cut(id);
        }
    }

    fn cut(&mut self, id: u64) {
        self.end(id, Shutdown::Both);
    }

    /// Cuts the client off; `server` says what the server still may.
    fn end(&mut self, id: u64, server: Shutdown) {
        if let Some(connection) = self.connections.get_mut(&id)
            && connection.flow.cut()
        {
            self.counts.cut += 1;
            for (stream, how) in [(&connection.client, Shutdown::Both), (&connection.server, server)] {
                // One end may be closed already, which is what is wanted.
                let _ = stream.shutdown(how);
            }
        }
    }
}

fn accept(shared: &Arc<Shared>, listener: &TcpListener) {
    for id in 0.. {
        let accepted = listener.accept();
        if shared.lock().closed {
            return;
        }
        let Ok((client, _)) = accepted else {
            continue;
        };
        // Counted before the client sees its connection closed.
        if pass_on(shared, id, &client).is_err() {
            shared.change(|state| state.counts.refused += 1);
        }
    }
}

/// Connects a client with the server.
fn pass_on(shared: &Arc<Shared>, id: u64, client: &TcpStream) -> io::Result<()> {
    let target = {
        let state = shared.lock();
        if state.refusing || state.connections.len() >= limits::PROXY_CONNECTIONS {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        state.target
    };
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, target));
    let server = TcpStream::connect_timeout(&address, limits::CONNECT)?;
    for stream in [client, &server] {
        stream.set_nodelay(true)?;
    }
    let ways = [
        (Direction::ToServer, client.try_clone()?, server.try_clone()?),
        (Direction::ToClient, server.try_clone()?, client.try_clone()?),
    ];
    let client = client.try_clone()?;
    shared.change(|state| {
        state.counts.accepted += 1;
        state.counts.open += 1;
        let connection = Connection {
            client,
            server,
            flow: Flow::default(),
            pumps: 2,
        };
        state.connections.insert(id, connection);
    });
    for (direction, from, to) in ways {
        let pumping = Arc::clone(shared);
        let pump = move || {
            pump(&pumping, id, direction, from, to);
            pumping.change(|state| state.leave(id));
        };
        if thread::Builder::new().spawn(pump).is_err() {
            shared.change(|state| {
                state.cut(id);
                state.leave(id);
            });
        }
    }
    Ok(())
}

impl State {
    /// One of the two ways of a connection is over; it is closed with the second.
    fn leave(&mut self, id: u64) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.pumps -= 1;
            if connection.pumps == 0 {
                self.connections.remove(&id);
                self.counts.open -= 1;
            }
        }
    }
}

fn pump(shared: &Shared, id: u64, direction: Direction, mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = vec![0; limits::PROXY_BUFFER_BYTES];
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) => {
                // One side has said all it has to say; the other may go on.
                let _ = to.shutdown(Shutdown::Write);
                return;
            }
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => {
                let _ = to.shutdown(Shutdown::Both);
                return;
            }
        };
        let Some(verdict) = shared.judge(id, direction, &buffer[..count]) else {
            return;
        };
        let written = to.write_all(&buffer[..verdict.forward]);
        shared.change(|state| {
            if written.is_ok() {
                let bytes = verdict.forward as u64;
                match direction {
                    Direction::ToServer => state.counts.bytes_to_server += bytes,
                    Direction::ToClient => state.counts.bytes_to_client += bytes,
                }
            }
            if verdict.finish {
                // A server whose connection is closed while it works through several statements may stop before the last.
                state.end(id, Shutdown::Write);
            } else if verdict.cut {
                state.cut(id);
            }
        });
        if verdict.finish {
            // It reads that nothing more comes when it is done, and closes.
            let _ = io::copy(&mut from, &mut io::sink());
            return;
        }
        if written.is_err() {
            let _ = from.shutdown(Shutdown::Both);
            return;
        }
    }
}
