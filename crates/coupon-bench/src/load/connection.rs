//! The connections of one thread, and waiting for any of them.

use super::reply::{self, Head};
use super::request::{RequestForm, Salvo};
use super::{SILENCE, Tally};
use anyhow::{Context as _, bail};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::fs::Timespec;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

const READ_BYTES: usize = 16 << 10;
const EVENTS: usize = 512;

/// One connection with at most one request under way.
#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    /// Since when its request waits: when it was sent, or when it should have been.
    since: Instant,
    /// Form and user of that request.
    asked: (usize, u64),
    /// What has come of an answer that came in pieces.
    piece: Vec<u8>,
}

/// The connections of one thread.
pub(super) struct Pool<'a> {
    salvo: &'a Salvo,
    forms: Vec<RequestForm>,
    connections: Vec<Connection>,
    epoll: OwnedFd,
    events: Vec<Event>,
    buffer: Vec<u8>,
    pub(super) tally: Tally,
    pub(super) under_way: usize,
}

impl<'a> Pool<'a> {
    /// Opens so many.
    pub(super) fn open(address: SocketAddr, count: usize, salvo: &'a Salvo) -> anyhow::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let mut connections = Vec::with_capacity(count);
        for index in 0..count {
            let stream = TcpStream::connect(address)
                .with_context(|| format!("connection {} of {count} to the server", index + 1))?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            epoll::add(
                &epoll,
                &stream,
                EventData::new_u64(u64::try_from(index)?),
                EventFlags::IN,
            )?;
            connections.push(Connection {
                stream,
                since: Instant::now(),
                asked: (0, 0),
                piece: Vec::new(),
            });
        }
        Ok(Self {
            salvo,
            forms: salvo.forms.clone(),
            connections,
            epoll,
            events: Vec::with_capacity(EVENTS),
            buffer: vec![0; READ_BYTES],
            tally: Tally::new()?,
            under_way: 0,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.connections.len()
    }

    /// Sends the next request on this connection; false when there is none left. Its latency counts from `since`.
    pub(super) fn send(&mut self, index: usize, since: Instant) -> anyhow::Result<bool> {
        let Some((form, user)) = self.salvo.take() else {
            return Ok(false);
        };
        let request = self.forms[form].fill(user);
        let connection = &mut self.connections[index];
        connection.since = since;
        connection.asked = (form, user);
        // Nothing else is on its way on this connection, so the kernel has room for all of it.
        let written = connection
            .stream
            .write(request)
            .context("a request could not be sent")?;
        if written < request.len() {
            bail!("the kernel took only {written} bytes of a request");
        }
        self.under_way += 1;
        Ok(true)
    }

    /// Waits until something has arrived, at most so long, and puts the connections that have their answer into
    /// `answered`.
    pub(super) fn wait(
        &mut self,
        longest: Option<Duration>,
        answered: &mut Vec<usize>,
    ) -> anyhow::Result<()> {
        let timeout = Timespec::try_from(longest.unwrap_or(SILENCE)).context("a wait too long to say")?;
        self.events.clear();
        match epoll::wait(&self.epoll, spare_capacity(&mut self.events), Some(&timeout)) {
            Ok(_count) => {}
            Err(rustix::io::Errno::INTR) => return Ok(()),
            Err(error) => return Err(error).context("epoll"),
        }
        if self.events.is_empty() && longest.is_none() {
            bail!("the server has said nothing for {} s", SILENCE.as_secs());
        }
        for event in 0..self.events.len() {
            let index = usize::try_from(self.events[event].data.u64())?;
            if let Some(head) = self.receive(index)? {
                let latency = self.connections[index].since.elapsed();
                self.tally.count(head.status, latency);
                self.under_way -= 1;
                answered.push(index);
            }
        }
        Ok(())
    }

    /// Reads what has arrived; the head of the answer when it is all there.
    fn receive(&mut self, index: usize) -> anyhow::Result<Option<Head>> {
        let connection = &mut self.connections[index];
        let read = match connection.stream.read(&mut self.buffer) {
            Ok(0) => bail!("the server closed a connection"),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error).context("an answer could not be read"),
        };
        let bytes = if connection.piece.is_empty() {
            &self.buffer[..read]
        } else {
            connection.piece.extend_from_slice(&self.buffer[..read]);
            &connection.piece
        };
        match reply::parse(bytes)? {
            Some(head) if head.bytes() == bytes.len() => {
                let (form, user) = connection.asked;
                self.forms[form].check(user, &bytes[head.head_bytes..])?;
                connection.piece.clear();
                Ok(Some(head))
            }
            Some(head) if head.bytes() < bytes.len() => bail!("an answer is longer than it says"),
            Some(_) | None => {
                if connection.piece.is_empty() {
                    connection.piece.extend_from_slice(&self.buffer[..read]);
                }
                Ok(None)
            }
        }
    }
}
