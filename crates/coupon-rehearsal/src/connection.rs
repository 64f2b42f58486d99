//! One keep-alive connection that speaks just enough HTTP/1.1: a request goes out in one write, the answer comes
//! back into one buffer. The load shares two cores with the server it measures, so a request must cost little.

use std::io;
use std::ops::Range;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::target::Target;

const MOST_HEADERS: usize = 64;
const LARGEST_HEAD_BYTES: usize = 64 * 1024;
const LARGEST_BODY_BYTES: usize = 64 * 1024 * 1024;

/// An open connection and its reading buffer.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
}

/// What came back. The body stays in the connection's buffer until the next request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reply {
    /// The status code.
    pub(crate) status: u16,
    /// `Retry-After` in seconds, if there was one.
    pub(crate) retry_after: Option<Duration>,
    /// Whether the server keeps the connection open.
    pub(crate) keep_alive: bool,
    body: (usize, usize),
}

#[derive(Debug)]
struct Head {
    status: u16,
    retry_after: Option<Duration>,
    keep_alive: bool,
    length: BodyLength,
    end: usize,
}

#[derive(Debug, Clone, Copy)]
enum BodyLength {
    Known(usize),
    Chunked,
    UntilClose,
}

impl Connection {
    /// Connects, within this time.
    pub(crate) async fn open(target: &Target, within: Duration) -> io::Result<Self> {
        let connecting = TcpStream::connect(target.address());
        let stream = tokio::time::timeout(within, connecting)
            .await
            .map_err(|_elapsed| timed_out())??;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: vec![0; 4096],
            filled: 0,
        })
    }

    /// Whether the server has closed its end while we were idle: a request sent now could not be answered.
    pub(crate) fn is_stale(&self) -> bool {
        let mut byte = [0];
        !matches!(self.stream.try_read(&mut byte), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Sends a request and waits for its whole answer. After an error the connection is of no further use.
    pub(crate) async fn exchange(&mut self, request: &[u8], within: Duration) -> io::Result<Reply> {
        tokio::time::timeout(within, self.exchange_unbounded(request))
            .await
            .map_err(|_elapsed| timed_out())?
    }

    /// The body of the last answer.
    pub(crate) fn body(&self, reply: &Reply) -> &[u8] {
        &self.buffer[reply.body.0..reply.body.1]
    }

    async fn exchange_unbounded(&mut self, request: &[u8]) -> io::Result<Reply> {
        self.filled = 0;
        self.stream.write_all(request).await?;
        let head = self.read_head().await?;
        let mut keep_alive = head.keep_alive;
        let body = match head.length {
            BodyLength::Known(length) => self.read_known(head.end, length).await?,
            BodyLength::Chunked => self.read_chunks(head.end).await?,
            BodyLength::UntilClose => {
                keep_alive = false;
                self.read_until_close(head.end).await?
            }
        };
        Ok(Reply {
            status: head.status,
            retry_after: head.retry_after,
            keep_alive,
            body: (body.start, body.end),
        })
    }

    async fn read_head(&mut self) -> io::Result<Head> {
        loop {
            match parse_head(&self.buffer[..self.filled])? {
                // An interim answer (100 to 199) is followed by the real one.
                Some(head) if (100..200).contains(&head.status) => self.discard(head.end),
                Some(head) => return Ok(head),
                None if self.filled > LARGEST_HEAD_BYTES => return Err(broken("an endless head")),
                None => self.read_more().await?,
            }
        }
    }

    async fn read_known(&mut self, start: usize, length: usize) -> io::Result<Range<usize>> {
        if length > LARGEST_BODY_BYTES {
            return Err(broken("a body larger than 64 MiB"));
        }
        while self.filled < start + length {
            self.read_more().await?;
        }
        Ok(start..start + length)
    }

    /// Moves the chunks together as they arrive, so that the body is one piece.
    async fn read_chunks(&mut self, start: usize) -> io::Result<Range<usize>> {
        let (mut body_end, mut at) = (start, start);
        loop {
            let (head, size) = self.read_chunk_size(at).await?;
            let data = at + head;
            if size > LARGEST_BODY_BYTES || body_end - start > LARGEST_BODY_BYTES {
                return Err(broken("a body larger than 64 MiB"));
            }
            while self.filled < data + size + 2 {
                self.read_more().await?;
            }
            if size == 0 {
                return Ok(start..body_end);
            }
            self.buffer.copy_within(data..data + size, body_end);
            body_end += size;
            at = data + size + 2;
        }
    }

    async fn read_chunk_size(&mut self, at: usize) -> io::Result<(usize, usize)> {
        loop {
            let parsed = httparse::parse_chunk_size(&self.buffer[at..self.filled]);
            match parsed.map_err(|_invalid| broken("a broken chunk"))? {
                httparse::Status::Complete((head, size)) => {
                    return Ok((head, usize::try_from(size).unwrap_or(usize::MAX)));
                }
                httparse::Status::Partial => self.read_more().await?,
            }
        }
    }

    async fn read_until_close(&mut self, start: usize) -> io::Result<Range<usize>> {
        loop {
            match self.read_more().await {
                Ok(()) if self.filled > start + LARGEST_BODY_BYTES => return Err(broken("an endless body")),
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(start..self.filled),
                Err(error) => return Err(error),
            }
        }
    }

    async fn read_more(&mut self) -> io::Result<()> {
        if self.filled == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        match self.stream.read(&mut self.buffer[self.filled..]).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                self.filled += read;
                Ok(())
            }
        }
    }

    fn discard(&mut self, bytes: usize) {
        self.buffer.copy_within(bytes..self.filled, 0);
        self.filled -= bytes;
    }
}

/// The head, if all of it is there.
fn parse_head(bytes: &[u8]) -> io::Result<Option<Head>> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = response
        .parse(bytes)
        .map_err(|_invalid| broken("an answer that is not HTTP"))?;
    let httparse::Status::Complete(end) = parsed else {
        return Ok(None);
    };
    let status = response.code.unwrap_or(0);
    let bodiless = status == 204 || status == 304 || (100..200).contains(&status);
    let mut head = Head {
        status,
        retry_after: None,
        keep_alive: response.version == Some(1),
        length: if bodiless {
            BodyLength::Known(0)
        } else {
            BodyLength::UntilClose
        },
        end,
    };
    for header in response.headers.iter() {
        read_header(&mut head, header.name, header.value)?;
    }
    Ok(Some(head))
}

fn read_header(head: &mut Head, name: &str, value: &[u8]) -> io::Result<()> {
    let text = || str::from_utf8(value).map(str::trim).unwrap_or_default();
    if name.eq_ignore_ascii_case("content-length") {
        let length = text()
            .parse()
            .map_err(|_invalid| broken("a content length that is no number"))?;
        if !matches!(head.length, BodyLength::Chunked) {
            head.length = BodyLength::Known(length);
        }
    } else if name.eq_ignore_ascii_case("transfer-encoding") && text().eq_ignore_ascii_case("chunked") {
        head.length = BodyLength::Chunked;
    } else if name.eq_ignore_ascii_case("connection") && text().eq_ignore_ascii_case("close") {
        head.keep_alive = false;
    } else if name.eq_ignore_ascii_case("retry-after") {
        head.retry_after = text().parse().ok().map(Duration::from_secs);
    }
    Ok(())
}

fn timed_out() -> io::Error {
    io::ErrorKind::TimedOut.into()
}

fn broken(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::{Connection, Reply};
    use crate::target::Target;
    use std::io;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    /// What a client makes of these raw bytes, sent in pieces of this size and followed by the end.
    async fn exchange(raw: &'static str, piece: usize) -> io::Result<(Reply, String)> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = Target::resolve(&format!("http://{}", listener.local_addr().unwrap()))
            .await
            .unwrap();
        let serving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 3];
            stream.read_exact(&mut request).await.unwrap();
            for piece in raw.as_bytes().chunks(piece) {
                stream.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        let mut connection = Connection::open(&target, Duration::from_secs(5)).await.unwrap();
        let reply = connection.exchange(b"GET", Duration::from_secs(5)).await;
        serving.await.unwrap();
        let reply = reply?;
        Ok((
            reply,
            String::from_utf8(connection.body(&reply).to_vec()).unwrap(),
        ))
    }

    #[tokio::test]
    async fn an_answer_is_read_in_whatever_pieces_it_comes() {
        let raw = "HTTP/1.1 503 Busy\r\nretry-after: 2\r\ncontent-length: 5\r\n\r\nhello";
        for piece in [1, 7, 1000] {
            let (reply, body) = exchange(raw, piece).await.unwrap();
            assert_eq!(
                (reply.status, reply.retry_after),
                (503, Some(Duration::from_secs(2)))
            );
            assert!(reply.keep_alive);
            assert_eq!(body, "hello");
        }
    }

    #[tokio::test]
    async fn chunks_and_interim_answers_are_put_together() {
        let raw = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
                   3\r\nfir\r\n6;x=y\r\nstcome\r\n0\r\n\r\n";
        for piece in [1, 1000] {
            let (reply, body) = exchange(raw, piece).await.unwrap();
            assert_eq!((reply.status, body.as_str()), (200, "firstcome"));
        }
    }

    #[tokio::test]
    async fn a_body_without_length_ends_with_the_connection() {
        let (reply, body) = exchange("HTTP/1.1 200 OK\r\n\r\nrest", 1000).await.unwrap();
        assert!(!reply.keep_alive);
        assert_eq!(body, "rest");
    }

    #[tokio::test]
    async fn a_broken_or_cut_answer_is_an_error_and_never_an_answer() {
        let cut = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf";
        for raw in [
            "",
            "HTTP/1.1 20",
            cut,
            "SMTP hello\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
        ] {
            assert!(exchange(raw, 1000).await.is_err(), "{raw}");
        }
    }
}
