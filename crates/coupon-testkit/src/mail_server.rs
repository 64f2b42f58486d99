//! A mail server that takes letters as it is told: it fails, stalls, refuses and lies on command.

use std::io::{self, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use crate::error::ServerError;
use crate::http_receiver::read_line;
use crate::listening::{Listening, lock};

/// Where in the conversation something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailStage {
    /// Before anything was said.
    Greeting,
    /// After `EHLO`.
    Hello,
    /// After `MAIL FROM`.
    Sender,
    /// After `RCPT TO`.
    Recipient,
    /// After `DATA`.
    Data,
    /// After the letter.
    End,
    /// After `QUIT`.
    Farewell,
}

/// What happens there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailFault {
    /// It answers with this code.
    Reply(u16),
    /// It says nothing more until the client goes.
    Stall,
    /// It closes the connection. At [`MailStage::End`] it has kept the letter.
    HangUp,
    /// It answers what is no SMTP.
    Babble,
    /// It answers with a line that has no end.
    EndlessLine,
    /// It answers with lines, of which none says that it is the last.
    EndlessLines,
}

/// A letter that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailReceived {
    /// The address after `MAIL FROM`.
    pub from: String,
    /// The addresses after `RCPT TO`.
    pub to: Vec<String>,
    /// Headers and body as they came, without the full stops that lines were stuffed with.
    pub data: String,
}

impl MailReceived {
    /// The values of a header, folded lines put together, in order.
    pub fn headers(&self, name: &str) -> Vec<String> {
        let head = self.data.split("\r\n\r\n").next().unwrap_or_default();
        let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
        unfolded
            .split("\r\n")
            .filter_map(|line| line.split_once(": "))
            .filter(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.to_owned())
            .collect()
    }
}

/// A running mail server on a port of the loopback, without TLS.
#[derive(Debug)]
pub struct MailServer {
    listening: Listening,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    fault: Option<(MailStage, MailFault)>,
    received: Vec<MailReceived>,
    connections: u64,
    endless: u64,
}

/// What is said at once of an answer without an end.
const PIECE: usize = 4_096;

impl MailServer {
    /// Listens, and takes everything until told otherwise.
    ///
    /// # Errors
    ///
    /// If no port can be had.
    pub fn start() -> Result<Self, ServerError> {
        let state = Arc::new(Mutex::new(State::default()));
        let listening = {
            let state = Arc::clone(&state);
            Listening::start("mail server", move |client| {
                lock(&state).connections += 1;
                Conversation::new(client, &state)?.hold()
            })?
        };
        Ok(Self { listening, state })
    }

    /// Its port.
    pub const fn port(&self) -> u16 {
        self.listening.port()
    }

    /// From now on this happens there.
    pub fn fail(&self, stage: MailStage, fault: MailFault) {
        lock(&self.state).fault = Some((stage, fault));
    }

    /// From now on nothing happens.
    pub fn mend(&self) {
        lock(&self.state).fault = None;
    }

    /// Every letter that was kept, in order.
    pub fn received(&self) -> Vec<MailReceived> {
        lock(&self.state).received.clone()
    }

    /// How many bytes of answers without an end it got rid of.
    pub fn endless_bytes(&self) -> u64 {
        lock(&self.state).endless
    }

    /// How many clients came.
    pub fn connections(&self) -> u64 {
        lock(&self.state).connections
    }
}

struct Conversation<'a> {
    reader: BufReader<TcpStream>,
    client: TcpStream,
    state: &'a Mutex<State>,
}

impl<'a> Conversation<'a> {
    fn new(client: TcpStream, state: &'a Mutex<State>) -> io::Result<Self> {
        Ok(Self {
            reader: BufReader::new(client.try_clone()?),
            client,
            state,
        })
    }

    fn hold(mut self) -> io::Result<()> {
        if !self.answer(MailStage::Greeting, "220 test ESMTP")? {
            return Ok(());
        }
        let mut letter = MailReceived {
            from: String::new(),
            to: Vec::new(),
            data: String::new(),
        };
        loop {
            let mut line = String::new();
            if read_line(&mut self.reader, &mut line)? == 0 {
                return Ok(());
            }
            let line = line.trim_end();
            let command = line.to_ascii_uppercase();
            let goes_on = if command.starts_with("EHLO") || command.starts_with("HELO") {
                self.answer(MailStage::Hello, "250-test\r\n250 8BITMIME")?
            } else if command.starts_with("MAIL FROM:") {
                letter.from = between(line);
                self.answer(MailStage::Sender, "250 OK")?
            } else if command.starts_with("RCPT TO:") {
                letter.to.push(between(line));
                self.answer(MailStage::Recipient, "250 OK")?
            } else if command == "DATA" {
                let refused = self.fault(MailStage::Data).is_some();
                let goes_on = self.answer(MailStage::Data, "354 go on")?;
                if goes_on && !refused {
                    letter.data = self.data()?;
                    self.end(&letter)?
                } else {
                    goes_on
                }
            } else if command == "QUIT" {
                self.answer(MailStage::Farewell, "221 bye")?;
                return Ok(());
            } else {
                self.say("250 OK")?;
                true
            };
            if !goes_on {
                return Ok(());
            }
        }
    }

    /// Answers the letter. It is kept when the client is told so, and when it is not told anything.
    fn end(&mut self, letter: &MailReceived) -> io::Result<bool> {
        let keeps = !matches!(self.fault(MailStage::End), Some(MailFault::Reply(_)));
        if keeps {
            lock(self.state).received.push(letter.clone());
        }
        self.answer(MailStage::End, "250 taken")
    }

    fn fault(&self, stage: MailStage) -> Option<MailFault> {
        let fault = lock(self.state).fault;
        fault.filter(|(at, _)| *at == stage).map(|(_, fault)| fault)
    }

    /// Says what is to be said at this stage, or does what was ordered. Answers whether the conversation goes on.
    fn answer(&mut self, stage: MailStage, usual: &str) -> io::Result<bool> {
        match self.fault(stage) {
            None => self.say(usual).map(|()| true),
            Some(MailFault::Reply(code)) => {
                // What a client must not repeat to others: the address is in it.
                self.say(&format!("{code} no luck for <user@example.com>"))?;
                Ok(true)
            }
            Some(MailFault::Babble) => self.say("HTTP/1.1 200 OK").map(|()| true),
            Some(MailFault::HangUp) => Ok(false),
            Some(MailFault::EndlessLine) => self.without_end(&[b'2'; PIECE]).map(|()| false),
            Some(MailFault::EndlessLines) => self
                .without_end("250-more\r\n".repeat(PIECE / 10).as_bytes())
                .map(|()| false),
            Some(MailFault::Stall) => {
                self.reader.read_to_end(&mut Vec::new())?;
                Ok(false)
            }
        }
    }

    /// Says the same until the client goes, and counts the bytes that it got rid of.
    fn without_end(&mut self, piece: &[u8]) -> io::Result<()> {
        loop {
            self.client.write_all(piece)?;
            lock(self.state).endless += u64::try_from(piece.len()).unwrap_or(u64::MAX);
        }
    }

    fn say(&mut self, line: &str) -> io::Result<()> {
        self.client.write_all(format!("{line}\r\n").as_bytes())
    }

    fn data(&mut self) -> io::Result<String> {
        let mut data = String::new();
        loop {
            let mut line = String::new();
            if read_line(&mut self.reader, &mut line)? == 0 || line == ".\r\n" {
                return Ok(data);
            }
            data.push_str(line.strip_prefix('.').unwrap_or(&line));
        }
    }
}

/// What stands between `<` and `>`.
fn between(line: &str) -> String {
    line.split_once('<')
        .and_then(|(_, rest)| rest.split_once('>'))
        .map_or_else(String::new, |(address, _)| address.to_owned())
}
