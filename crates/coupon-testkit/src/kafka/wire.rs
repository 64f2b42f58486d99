//! As much of Kafka's protocol as it takes to ask which brokers are alive.

use std::collections::BTreeSet;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use crate::error::ServerError;
use crate::limits;

/// The request for metadata, in its second version: the first in which an empty list of topics means none.
const METADATA: (i16, i16) = (3, 1);
const CORRELATION: i32 = 1;

/// The ids of the brokers that the one on this port knows to be alive.
pub(super) fn brokers(component: &'static str, port: u16) -> Result<BTreeSet<u16>, ServerError> {
    ask(port).map_err(|source| ServerError::Talk { component, source })
}

fn ask(port: u16) -> io::Result<BTreeSet<u16>> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, limits::CONNECT)?;
    stream.set_read_timeout(Some(limits::ANSWER))?;
    stream.set_write_timeout(Some(limits::ANSWER))?;
    stream.write_all(&request())?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = usize::try_from(i32::from_be_bytes(length))
        .ok()
        .filter(|length| *length <= limits::ANSWER_BYTES)
        .ok_or_else(wrong)?;
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer)?;
    read(&answer).ok_or_else(wrong)
}

fn request() -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(METADATA.0.to_be_bytes());
    body.extend(METADATA.1.to_be_bytes());
    body.extend(CORRELATION.to_be_bytes());
    // No name of a client, no topics.
    body.extend((-1_i16).to_be_bytes());
    body.extend(0_i32.to_be_bytes());
    let length = u32::try_from(body.len()).expect("a request has a few bytes");
    [length.to_be_bytes().to_vec(), body].concat()
}

/// The request's number, then for each broker its id, host, port and rack.
fn read(answer: &[u8]) -> Option<BTreeSet<u16>> {
    let mut rest = answer;
    if i32::from_be_bytes(take(&mut rest)?) != CORRELATION {
        return None;
    }
    let count = i32::from_be_bytes(take(&mut rest)?);
    let mut ids = BTreeSet::new();
    for _ in 0..count {
        ids.insert(u16::try_from(i32::from_be_bytes(take(&mut rest)?)).ok()?);
        skip_text(&mut rest)?;
        take::<4>(&mut rest)?;
        skip_text(&mut rest)?;
    }
    Some(ids)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk()?;
    *rest = left;
    Some(*taken)
}

fn skip_text(rest: &mut &[u8]) -> Option<()> {
    let length = i16::from_be_bytes(take(rest)?);
    // A missing text has a length of -1.
    let length = usize::try_from(length.max(0)).ok()?;
    *rest = rest.get(length..)?;
    Some(())
}

fn wrong() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the answer is not as expected")
}
