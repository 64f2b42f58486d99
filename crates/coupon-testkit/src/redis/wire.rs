//! As much of the Redis protocol as it takes to ask a question.

use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use crate::error::ServerError;
use crate::limits;

/// What Redis answers to one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A simple or a bulk string; bytes that are not UTF-8 are replaced.
    Text(String),
    /// A number.
    Number(i64),
    /// No value.
    Nothing,
    /// Several answers.
    List(Vec<Answer>),
}

impl Answer {
    /// As text: numbers in decimal, nothing as the empty text, lists with a space between their parts.
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Nothing => String::new(),
            Self::List(parts) => {
                let parts: Vec<String> = parts.iter().map(Self::text).collect();
                parts.join(" ")
            }
        }
    }
}

/// Either an answer or the server's error.
enum Reply {
    Answer(Answer),
    Error(String),
}

/// Sends one command on a new connection.
pub(super) fn ask(
    component: &'static str,
    port: u16,
    password: Option<&str>,
    words: &[&str],
) -> Result<Answer, ServerError> {
    let talk = |source| ServerError::Talk { component, source };
    let mut stream = connect(port).map_err(talk)?;
    if let Some(password) = password {
        let reply = exchange(&mut stream, &["AUTH", password]).map_err(talk)?;
        judge(component, reply)?;
    }
    let reply = exchange(&mut stream, words).map_err(talk)?;
    judge(component, reply)
}

fn judge(component: &'static str, reply: Reply) -> Result<Answer, ServerError> {
    match reply {
        Reply::Answer(answer) => Ok(answer),
        Reply::Error(said) => Err(ServerError::Refused { component, said }),
    }
}

fn connect(port: u16) -> io::Result<BufReader<TcpStream>> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let stream = TcpStream::connect_timeout(&address, limits::CONNECT)?;
    stream.set_read_timeout(Some(limits::ANSWER))?;
    stream.set_write_timeout(Some(limits::ANSWER))?;
    Ok(BufReader::new(stream))
}

fn exchange(stream: &mut BufReader<TcpStream>, words: &[&str]) -> io::Result<Reply> {
    let mut request = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        request.extend(format!("${}\r\n{word}\r\n", word.len()).into_bytes());
    }
    stream.get_mut().write_all(&request)?;
    read(stream, limits::ANSWER_DEPTH)
}

fn read(stream: &mut BufReader<TcpStream>, depth: usize) -> io::Result<Reply> {
    let mut line = Vec::new();
    stream
        .by_ref()
        .take(limits::ANSWER_BYTES as u64)
        .read_until(b'\n', &mut line)?;
    let line = String::from_utf8_lossy(&line);
    let line = line
        .strip_suffix("\r\n")
        .ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
    let wrong = || io::Error::new(io::ErrorKind::InvalidData, format!("not an answer: {line:?}"));
    let mut characters = line.chars();
    let kind = characters.next().ok_or_else(wrong)?;
    let rest = characters.as_str();
    let length = || -> io::Result<Option<usize>> {
        let number: i64 = rest.parse().map_err(|_| wrong())?;
        match usize::try_from(number) {
            Ok(length) if length > limits::ANSWER_BYTES => Err(wrong()),
            length => Ok(length.ok()),
        }
    };
    let answer = match kind {
        '+' => Answer::Text(rest.to_owned()),
        '-' => return Ok(Reply::Error(rest.to_owned())),
        ':' => Answer::Number(rest.parse().map_err(|_| wrong())?),
        '$' => match length()? {
            None => Answer::Nothing,
            Some(length) => {
                let mut bytes = vec![0; length + 2];
                stream.read_exact(&mut bytes)?;
                bytes.truncate(length);
                Answer::Text(String::from_utf8_lossy(&bytes).into_owned())
            }
        },
        '*' => match length()? {
            None => Answer::Nothing,
            Some(_) if depth == 0 => return Err(wrong()),
            Some(length) => {
                let mut parts = Vec::new();
                for _ in 0..length {
                    match read(stream, depth - 1)? {
                        Reply::Answer(answer) => parts.push(answer),
                        Reply::Error(error) => parts.push(Answer::Text(error)),
                    }
                }
                Answer::List(parts)
            }
        },
        _ => return Err(wrong()),
    };
    Ok(Reply::Answer(answer))
}
