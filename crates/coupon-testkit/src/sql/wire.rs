//! As much of the MySQL protocol as it takes to ask a question.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};

use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use crate::error::ServerError;
use crate::limits;

/// Long passwords, protocol of 4.1, transactions, secure connection, named ways to sign in.
const CAPABILITIES: u32 = 0x1 | 0x200 | 0x2000 | 0x8000 | 0x0008_0000;
/// utf8mb4_general_ci, which every version knows.
const COLLATION: u8 = 45;
const QUERY: u8 = 3;

const OK: u8 = 0x00;
const MORE: u8 = 0x01;
const LOCAL_FILE: u8 = 0xfb;
const END: u8 = 0xfe;
const ERROR: u8 = 0xff;

/// The rows of an answer, each value as text; `None` is NULL. No rows where the statement returns none.
pub type Rows = Vec<Vec<Option<String>>>;

/// Whom to ask, and as whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: String,
    pub(super) password: String,
}

impl Account {
    pub(super) fn root(port: u16) -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port,
            user: "root".to_owned(),
            password: String::new(),
        }
    }

    /// `mysql://USER[:PASSWORD]@HOST[:PORT]`, characters as they are.
    pub(super) fn parse(url: &str) -> Option<Self> {
        let rest = url.strip_prefix("mysql://")?.trim_end_matches('/');
        let (user, place) = rest.rsplit_once('@')?;
        let (user, password) = user.split_once(':').unwrap_or((user, ""));
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (place, 3306),
        };
        let parsed = Self {
            host: host.to_owned(),
            port,
            user: user.to_owned(),
            password: password.to_owned(),
        };
        (!user.is_empty() && !host.is_empty() && !host.contains('/')).then_some(parsed)
    }

    pub(super) fn by_loopback(self, port: u16) -> Self {
        let host = "127.0.0.1".to_owned();
        Self { host, port, ..self }
    }

    pub(super) fn url(&self) -> String {
        let Self {
            host,
            port,
            user,
            password,
        } = self;
        if password.is_empty() {
            format!("mysql://{user}@{host}:{port}")
        } else {
            format!("mysql://{user}:{password}@{host}:{port}")
        }
    }
}

/// An open connection.
#[derive(Debug)]
pub(super) struct Connection {
    component: &'static str,
    stream: TcpStream,
    sequence: u8,
}

/// What a step of the conversation came to.
enum Step<T> {
    Done(T),
    Refused(String),
}

impl Connection {
    pub(super) fn open(component: &'static str, account: &Account) -> Result<Self, ServerError> {
        let talk = |source| ServerError::Talk { component, source };
        let stream = connect(account).map_err(talk)?;
        let mut connection = Self {
            component,
            stream,
            sequence: 0,
        };
        let signed_in = connection.sign_in(account);
        connection.judge(signed_in)?;
        Ok(connection)
    }

    /// Sends one statement and reads the whole answer.
    pub(super) fn query(&mut self, sql: &str) -> Result<Rows, ServerError> {
        let rows = self.ask(sql);
        self.judge(rows)
    }

    fn judge<T>(&self, step: io::Result<Step<T>>) -> Result<T, ServerError> {
        let component = self.component;
        match step {
            Ok(Step::Done(done)) => Ok(done),
            Ok(Step::Refused(said)) => Err(ServerError::Refused { component, said }),
            Err(source) => Err(ServerError::Talk { component, source }),
        }
    }

    fn sign_in(&mut self, account: &Account) -> io::Result<Step<()>> {
        let greeting = self.read()?;
        if greeting.first() == Some(&ERROR) {
            return Ok(Step::Refused(error_text(&greeting)));
        }
        let (mut nonce, mut way) = read_greeting(&greeting).ok_or_else(|| wrong("the greeting"))?;
        let mut response = CAPABILITIES.to_le_bytes().to_vec();
        response.extend((1_u32 << 24).to_le_bytes());
        response.push(COLLATION);
        response.extend([0; 23]);
        response.extend(account.user.as_bytes());
        response.push(0);
        let proof = prove(&way, &account.password, &nonce);
        response.push(u8::try_from(proof.len()).expect("a proof is a hash of at most 32 bytes"));
        response.extend(proof);
        response.extend(way.as_bytes());
        response.push(0);
        self.write(&response)?;
        loop {
            let packet = self.read()?;
            match packet.first() {
                Some(&OK) => return Ok(Step::Done(())),
                Some(&ERROR) => return Ok(Step::Refused(error_text(&packet))),
                Some(&END) => {
                    // The account has another way to sign in than the one proposed.
                    let mut parts = packet[1..].splitn(2, |byte| *byte == 0);
                    way = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
                    nonce = without_end(parts.next().unwrap_or_default()).to_vec();
                    self.write(&prove(&way, &account.password, &nonce))?;
                }
                // The server remembers the password; its consent follows.
                Some(&MORE) if packet.get(1) == Some(&3) => {}
                Some(&MORE) => {
                    return Ok(Step::Refused(
                        "the account needs an encrypted connection to sign in; sign in once with another \
                         client, or use an account without a password"
                            .to_owned(),
                    ));
                }
                _ => return Err(wrong("signing in")),
            }
        }
    }

    fn ask(&mut self, sql: &str) -> io::Result<Step<Rows>> {
        self.sequence = 0;
        let mut request = vec![QUERY];
        request.extend(sql.as_bytes());
        self.write(&request)?;
        let head = self.read()?;
        match head.first() {
            Some(&OK) => return Ok(Step::Done(Rows::new())),
            Some(&ERROR) => return Ok(Step::Refused(error_text(&head))),
            Some(&LOCAL_FILE) | None => return Err(wrong("the answer")),
            Some(_) => {}
        }
        // The descriptions of the columns, up to a packet that ends them.
        while !is_end(&self.read()?) {}
        let mut rows = Rows::new();
        loop {
            let packet = self.read()?;
            if is_end(&packet) {
                return Ok(Step::Done(rows));
            }
            if packet.first() == Some(&ERROR) {
                return Ok(Step::Refused(error_text(&packet)));
            }
            rows.push(row(&packet).ok_or_else(|| wrong("a row"))?);
        }
    }

    fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut head = [0; 4];
        self.stream.read_exact(&mut head)?;
        let length = u32::from_le_bytes([head[0], head[1], head[2], 0]) as usize;
        if length >= limits::ANSWER_BYTES - 1 {
            return Err(wrong("a packet's length"));
        }
        self.sequence = head[3].wrapping_add(1);
        let mut packet = vec![0; length];
        self.stream.read_exact(&mut packet)?;
        Ok(packet)
    }

    fn write(&mut self, payload: &[u8]) -> io::Result<()> {
        let length = u32::try_from(payload.len())
            .ok()
            .filter(|length| *length < 0x00ff_ffff)
            .ok_or_else(|| wrong("the statement's length"))?;
        let mut packet = length.to_le_bytes()[..3].to_vec();
        packet.push(self.sequence);
        packet.extend(payload);
        self.stream.write_all(&packet)
    }
}

fn connect(account: &Account) -> io::Result<TcpStream> {
    let mut last = io::Error::other("the host has no address");
    for address in (account.host.as_str(), account.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, limits::CONNECT) {
            Ok(stream) => {
                stream.set_read_timeout(Some(limits::ANSWER))?;
                stream.set_write_timeout(Some(limits::ANSWER))?;
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{what} is not as expected"))
}

/// The random number of this connection, and the way to sign in that the server proposes.
fn read_greeting(packet: &[u8]) -> Option<(Vec<u8>, String)> {
    // Protocol 10, the version up to a zero, the connection's number.
    let version_end = packet.iter().position(|byte| *byte == 0)?;
    let rest = packet.get(version_end + 5..)?;
    let mut nonce = rest.get(..8)?.to_vec();
    // A zero, capabilities, collation, status, capabilities, the length of the number, ten bytes of no use.
    let rest = rest.get(8 + 1 + 2 + 1 + 2 + 2 + 1 + 10..)?;
    nonce.extend(rest.get(..12)?);
    let way = without_end(rest.get(13..)?);
    Some((nonce, String::from_utf8_lossy(way).into_owned()))
}

/// Up to the first zero.
fn without_end(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|byte| *byte == 0);
    &bytes[..end.unwrap_or(bytes.len())]
}

/// Shows that the password is known without saying it. Without a password nothing is to be shown.
fn prove(way: &str, password: &str, nonce: &[u8]) -> Vec<u8> {
    if password.is_empty() {
        return Vec::new();
    }
    if way == "caching_sha2_password" {
        let once = Sha256::digest(password);
        let twice = Sha256::digest(once);
        let mask = Sha256::new().chain_update(twice).chain_update(nonce).finalize();
        return once.iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect();
    }
    let once = Sha1::digest(password);
    let twice = Sha1::digest(once);
    let mask = Sha1::new().chain_update(nonce).chain_update(twice).finalize();
    once.iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect()
}

fn is_end(packet: &[u8]) -> bool {
    packet.first() == Some(&END) && packet.len() < 9
}

/// `1062 (23000): Duplicate entry …`
fn error_text(packet: &[u8]) -> String {
    let code = match packet.get(1..3) {
        Some(&[low, high]) => u16::from_le_bytes([low, high]),
        _ => 0,
    };
    let text = String::from_utf8_lossy(packet.get(3..).unwrap_or_default()).into_owned();
    match text.strip_prefix('#').and_then(|text| text.split_at_checked(5)) {
        Some((state, text)) => format!("{code} ({state}): {text}"),
        None => format!("{code}: {text}"),
    }
}

fn row(packet: &[u8]) -> Option<Vec<Option<String>>> {
    let mut rest = packet;
    let mut values = Vec::new();
    while let Some((&first, after)) = rest.split_first() {
        let (length, after) = match first {
            0xfb => {
                values.push(None);
                rest = after;
                continue;
            }
            0xfc => number(after, 2)?,
            0xfd => number(after, 3)?,
            0xfe => number(after, 8)?,
            short => (usize::from(short), after),
        };
        let (value, after) = after.split_at_checked(length)?;
        values.push(Some(String::from_utf8_lossy(value).into_owned()));
        rest = after;
    }
    Some(values)
}

fn number(bytes: &[u8], width: usize) -> Option<(usize, &[u8])> {
    let (number, rest) = bytes.split_at_checked(width)?;
    let mut wide = [0; 8];
    wide[..width].copy_from_slice(number);
    Some((usize::try_from(u64::from_le_bytes(wide)).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_users_server_is_read() {
        let cases = [
            (
                "mysql://root@127.0.0.1:3307",
                Some(("127.0.0.1", 3307, "root", "")),
            ),
            ("mysql://a:b:c@db/", Some(("db", 3306, "a", "b:c"))),
            ("mysql://a:p@ss@db:1", Some(("db", 1, "a", "p@ss"))),
            ("mysql://root@db/schema", None),
            ("mysql://db:3306", None),
            ("mysql://@db", None),
            ("redis://root@db", None),
            ("mysql://root@db:port", None),
        ];
        for (url, expected) in cases {
            let account = Account::parse(url);
            let found = account
                .as_ref()
                .map(|account| (&*account.host, account.port, &*account.user, &*account.password));
            assert_eq!(found, expected, "{url}");
        }
    }
}
