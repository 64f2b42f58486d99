//! One conversation with the mail server. What the server says is read line by line and up to a limit, so that neither
//! a greeting nor a line without an end takes memory.

use super::MailSecurity;
use crate::limits::{CONNECT_WITHIN, MAX_SMTP_BYTES, MAX_SMTP_LINE_BYTES, MAX_SMTP_LINES, QUIT_WITHIN};
use lettre::Message;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
#[expect(
    deprecated,
    reason = "the library has no other way to speak TLS from the first byte over a stream of ours"
)]
use lettre::transport::smtp::client::AsyncNetworkStream;
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Response;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Where letters are handed in, and how.
pub(super) struct PostOffice {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) security: MailSecurity,
    pub(super) tls: TlsParameters,
    pub(super) hello: ClientId,
    pub(super) credentials: Option<Credentials>,
}

/// Why a letter was not handed in.
#[derive(Debug)]
pub(super) enum Trouble {
    /// There is no connection.
    Unreachable,
    /// The server says more than a mail server has to say.
    TooMuch,
    /// The conversation failed.
    Smtp(SmtpError),
}

impl From<SmtpError> for Trouble {
    fn from(error: SmtpError) -> Self {
        let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
        while let Some(one) = cause {
            let inner = one.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            if inner.is_some_and(|inner| inner.is::<TooMuch>()) || one.is::<TooMuch>() {
                return Self::TooMuch;
            }
            cause = one.source();
        }
        Self::Smtp(error)
    }
}

impl PostOffice {
    /// Hands in one letter, over a connection of its own. It takes as long as the server lets it.
    pub(super) async fn hand_in(&self, letter: &Message) -> Result<Response, Trouble> {
        let mut connection = self.connect().await?;
        if let Some(credentials) = &self.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        let taken = connection.send(letter.envelope(), &letter.formatted()).await?;
        // The letter is handed in, whatever becomes of the farewell.
        let _farewell = tokio::time::timeout(QUIT_WITHIN, connection.quit()).await;
        Ok(taken)
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Trouble> {
        let connecting = TcpStream::connect((self.host.as_str(), self.port));
        let stream = match tokio::time::timeout(CONNECT_WITHIN, connecting).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(_)) | Err(_) => return Err(Trouble::Unreachable),
        };
        let bounded = Box::new(Bounded::new(stream));
        match self.security {
            MailSecurity::None => {
                Ok(AsyncSmtpConnection::connect_with_transport(bounded, &self.hello).await?)
            }
            MailSecurity::StartTls => {
                let mut connection =
                    AsyncSmtpConnection::connect_with_transport(bounded, &self.hello).await?;
                connection.starttls(self.tls.clone(), &self.hello).await?;
                Ok(connection)
            }
            MailSecurity::Tls => {
                #[expect(deprecated, reason = "see the import")]
                let mut stream = AsyncNetworkStream::use_existing_tokio1(bounded);
                stream.upgrade_tls(self.tls.clone()).await?;
                // Once more: under TLS it is pieces of records that are bounded, and here it is lines.
                let bounded = Box::new(Bounded::new(Encrypted(stream)));
                Ok(AsyncSmtpConnection::connect_with_transport(bounded, &self.hello).await?)
            }
        }
    }
}

/// The other side has said more than it has to say.
#[derive(Debug, thiserror::Error)]
#[error("the mail server says too much")]
struct TooMuch;

/// A stream that gives what it reads at most a line at a time, and fails after a line, or a conversation, that is too
/// long, or has too many lines. Whoever reads it through a buffer never holds anything that came behind the line: what a third party has put
/// behind the answer to `STARTTLS` is then not taken for what comes under its protection.
#[derive(Debug)]
struct Bounded<S> {
    stream: S,
    buffer: Vec<u8>,
    given: usize,
    line: usize,
    lines: usize,
    whole: usize,
}

impl<S> Bounded<S> {
    fn new(stream: S) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
            given: 0,
            line: 0,
            lines: 0,
            whole: 0,
        }
    }
}

/// What is read at once.
const PIECE_BYTES: usize = 4_096;

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.given == this.buffer.len() {
            let mut piece = [0; PIECE_BYTES];
            let mut read = ReadBuf::new(&mut piece);
            ready!(Pin::new(&mut this.stream).poll_read(context, &mut read))?;
            this.buffer.clear();
            this.buffer.extend_from_slice(read.filled());
            this.given = 0;
        }
        let held = &this.buffer[this.given..];
        let end = held.iter().position(|byte| *byte == b'\n');
        let count = end.map_or(held.len(), |end| end + 1).min(into.remaining());
        this.line += count;
        this.whole += count;
        let ends = end.is_some_and(|end| end + 1 == count);
        this.lines += usize::from(ends);
        if this.line > MAX_SMTP_LINE_BYTES || this.lines > MAX_SMTP_LINES || this.whole > MAX_SMTP_BYTES {
            return Poll::Ready(Err(io::Error::other(TooMuch)));
        }
        if ends {
            this.line = 0;
        }
        into.put_slice(&held[..count]);
        this.given += count;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl AsyncTokioStream for Bounded<TcpStream> {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }
}

impl AsyncTokioStream for Bounded<Encrypted> {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.0.peer_addr()
    }
}

/// The library's encrypted stream, in the terms of the runtime.
#[derive(Debug)]
struct Encrypted(#[expect(deprecated, reason = "see the import")] AsyncNetworkStream);

impl AsyncRead for Encrypted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let free = into.initialize_unfilled();
        let read = ready!(futures_util::AsyncRead::poll_read(
            Pin::new(&mut self.0),
            context,
            free
        ))?;
        into.advance(read);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        futures_util::AsyncWrite::poll_write(Pin::new(&mut self.0), context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        futures_util::AsyncWrite::poll_flush(Pin::new(&mut self.0), context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        futures_util::AsyncWrite::poll_close(Pin::new(&mut self.0), context)
    }
}
