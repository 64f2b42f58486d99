//! A receiver of HTTP requests that answers as it is told: well, badly, slowly, endlessly, or not at all.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use crate::error::ServerError;
use crate::limits;
use crate::listening::{Listening, lock};

/// What the receiver does with a request once it has read it.
#[derive(Clone, Debug)]
pub enum HttpConduct {
    /// Answers with this status, these headers and this body.
    Answer {
        /// The status.
        status: u16,
        /// Further headers.
        headers: Vec<(&'static str, String)>,
        /// The body.
        body: String,
    },
    /// Answers with this status and then with a body that has no end.
    Endless(u16),
    /// Says nothing until the client goes.
    Stall,
    /// Closes the connection.
    HangUp,
    /// Answers what is no HTTP.
    Babble,
}

impl HttpConduct {
    /// An answer with nothing but a status.
    pub const fn status(status: u16) -> Self {
        Self::Answer {
            status,
            headers: Vec::new(),
            body: String::new(),
        }
    }

    /// An answer with a status and one header.
    pub fn with_header(status: u16, name: &'static str, value: impl Into<String>) -> Self {
        Self::Answer {
            status,
            headers: vec![(name, value.into())],
            body: String::new(),
        }
    }

    /// An answer of 200 with a body.
    pub fn body(body: impl Into<String>) -> Self {
        Self::Answer {
            status: 200,
            headers: Vec::new(),
            body: body.into(),
        }
    }
}

/// A request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// Method, path and query, as `POST /hook`.
    pub target: String,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl HttpRequest {
    /// The value of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

/// A running receiver on a port of the loopback.
#[derive(Debug)]
pub struct HttpReceiver {
    listening: Listening,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    conduct: HttpConduct,
    requests: Vec<HttpRequest>,
    sent: u64,
}

impl HttpReceiver {
    /// Listens, and answers 204 until told otherwise.
    ///
    /// # Errors
    ///
    /// If no port can be had.
    pub fn start() -> Result<Self, ServerError> {
        let state = Arc::new(Mutex::new(State {
            conduct: HttpConduct::status(204),
            requests: Vec::new(),
            sent: 0,
        }));
        let listening = {
            let state = Arc::clone(&state);
            Listening::start("HTTP receiver", move |client| converse(client, &state))?
        };
        Ok(Self { listening, state })
    }

    /// The URL of a path here.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.listening.port())
    }

    /// Its port.
    pub const fn port(&self) -> u16 {
        self.listening.port()
    }

    /// From now on it does this.
    pub fn conduct(&self, conduct: HttpConduct) {
        lock(&self.state).conduct = conduct;
    }

    /// Every request that was read, in order.
    pub fn requests(&self) -> Vec<HttpRequest> {
        lock(&self.state).requests.clone()
    }

    /// How many bytes of bodies without an end it got rid of.
    pub fn endless_bytes(&self) -> u64 {
        lock(&self.state).sent
    }
}

fn converse(client: TcpStream, state: &Mutex<State>) -> io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut client = client;
    let Some(request) = read_request(&mut reader)? else {
        return Ok(());
    };
    let conduct = {
        let mut state = lock(state);
        state.requests.push(request);
        state.conduct.clone()
    };
    match conduct {
        HttpConduct::Answer {
            status,
            headers,
            body,
        } => {
            let mut head = format!(
                "HTTP/1.1 {status} Whatever\r\ncontent-length: {}\r\nconnection: close\r\n",
                body.len()
            );
            if status == 204 {
                head = "HTTP/1.1 204 No Content\r\nconnection: close\r\n".to_owned();
            }
            for (name, value) in headers {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
            client.write_all(format!("{head}\r\n{body}").as_bytes())
        }
        HttpConduct::Endless(status) => {
            let gigabyte = 1_u64 << 30;
            let head = format!("HTTP/1.1 {status} Whatever\r\ncontent-length: {gigabyte}\r\n\r\n");
            client.write_all(head.as_bytes())?;
            let chunk = vec![b'x'; 64 << 10];
            for _chunk in 0..gigabyte / (64 << 10) {
                client.write_all(&chunk)?;
                lock(state).sent += 64 << 10;
            }
            Ok(())
        }
        HttpConduct::Stall => reader.read_to_end(&mut Vec::new()).map(|_read| ()),
        HttpConduct::HangUp => Ok(()),
        HttpConduct::Babble => client.write_all(b"550 I am a mail server\r\n"),
    }
}

/// One request; `None` if the client said nothing.
fn read_request(reader: &mut BufReader<TcpStream>) -> io::Result<Option<HttpRequest>> {
    let mut target = String::new();
    if read_line(reader, &mut target)? == 0 {
        return Ok(None);
    }
    let target = target.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        if read_line(reader, &mut line)? == 0 || line.trim_end().is_empty() {
            break;
        }
        if let Some((name, value)) = line.trim_end().split_once(':') {
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    let length = headers
        .iter()
        .find(|(name, _)| name == "content-length")
        .and_then(|(_, value)| value.parse::<usize>().ok())
        .unwrap_or(0)
        .min(limits::ANSWER_BYTES);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some(HttpRequest {
        target,
        headers,
        body,
    }))
}

pub(crate) fn read_line(reader: &mut BufReader<TcpStream>, line: &mut String) -> io::Result<usize> {
    reader
        .take(u64::try_from(limits::OWN_LINE_BYTES).unwrap_or(u64::MAX))
        .read_line(line)
}
