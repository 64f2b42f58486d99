//! Reads just as much of an answer as the load needs: the status, and where it ends.

use anyhow::{Context as _, bail};
use memchr::memmem;

const LARGEST_HEAD_BYTES: usize = 64 << 10;
const LENGTH: &[u8] = b"\r\ncontent-length: ";

/// The head of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// The status code.
    pub(crate) status: u16,
    /// Bytes of the head, the empty line included.
    pub(crate) head_bytes: usize,
    /// Bytes of the body.
    pub(crate) body_bytes: usize,
}

impl Head {
    /// Bytes of head and body.
    pub(crate) fn bytes(&self) -> usize {
        self.head_bytes + self.body_bytes
    }
}

/// The head at the beginning of these bytes; `None` while it is not all there.
pub(crate) fn parse(bytes: &[u8]) -> anyhow::Result<Option<Head>> {
    let Some(end) = memmem::find(bytes, b"\r\n\r\n") else {
        if bytes.len() > LARGEST_HEAD_BYTES {
            bail!("the head of an answer does not end");
        }
        return Ok(None);
    };
    let head = &bytes[..end + 2];
    if !head.starts_with(b"HTTP/1.1 ") {
        bail!("an answer does not begin with HTTP/1.1");
    }
    let status = digits(&head[9..]).and_then(|number| u16::try_from(number).ok());
    let status = status.context("an answer without a status")?;
    Ok(Some(Head {
        status,
        head_bytes: end + 4,
        body_bytes: body_bytes(head)?,
    }))
}

fn body_bytes(head: &[u8]) -> anyhow::Result<usize> {
    // Servers that write small letters are found at once; the others line by line.
    let value = match memmem::find(head, LENGTH) {
        Some(at) => &head[at + LENGTH.len()..],
        None => slowly(head).context("an answer without a content-length")?,
    };
    digits(value).context("a content-length that is no number")
}

fn slowly(head: &[u8]) -> Option<&[u8]> {
    head.split(|byte| *byte == b'\n').find_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = line.split_at(colon);
        name.eq_ignore_ascii_case(b"content-length")
            .then(|| value[1..].trim_ascii_start())
    })
}

/// The number at the beginning.
fn digits(bytes: &[u8]) -> Option<usize> {
    let count = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&bytes[..count]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] =
        b"HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: 2\r\ndate: x\r\n\r\n{}";

    #[test]
    fn an_answer_is_known_by_its_status_and_its_lengths_however_names_are_written() {
        for (bytes, status, body_bytes) in [
            (ANSWER, 201, 2),
            (b"HTTP/1.1 204 No Content\r\nContent-Length:0\r\n\r\n", 204, 0),
            (
                b"HTTP/1.1 410 Gone\r\nX-A: content-length: 9\r\nCONTENT-LENGTH: 312\r\n\r\n",
                410,
                312,
            ),
        ] {
            let head = parse(bytes).unwrap().unwrap();
            assert_eq!((head.status, head.body_bytes), (status, body_bytes));
            assert_eq!(&bytes[head.head_bytes - 4..head.head_bytes], b"\r\n\r\n");
        }
    }

    #[test]
    fn a_head_that_arrives_byte_by_byte_is_waited_for() {
        let end = parse(ANSWER).unwrap().unwrap().head_bytes;
        for length in 0..ANSWER.len() {
            assert_eq!(
                parse(&ANSWER[..length]).unwrap().is_some(),
                length >= end,
                "{length}"
            );
        }
    }

    #[test]
    fn what_is_not_an_answer_with_a_length_is_an_error() {
        for broken in [
            &b"HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n"[..],
            b"HTTP/1.1 x\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n",
        ] {
            assert!(parse(broken).is_err(), "{}", String::from_utf8_lossy(broken));
        }
        assert!(parse(&vec![b'x'; LARGEST_HEAD_BYTES + 1]).is_err());
    }
}
