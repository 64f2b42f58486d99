//! The product's real answer to one request, taken down so that the baseline can give the same.

use super::admin::exchange_whole;
use crate::load::RequestForm;
use crate::users;
use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// An answer with a gap for the user's id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// The headers in order, without those that every HTTP server writes by itself.
    pub(crate) headers: Vec<(String, String)>,
    /// The body up to the user's id; all of it if the id does not stand in it.
    pub(crate) before: String,
    /// The body after it; `None` if the id does not stand in it.
    pub(crate) after: Option<String>,
}

/// Written by hyper, for the product and for the baseline.
const BY_ITSELF: [&str; 3] = ["content-length", "date", "connection"];

impl Answer {
    /// Sends one request for `user` and takes the answer down. It must have this status.
    pub(crate) fn of(
        address: SocketAddr,
        form: &mut RequestForm,
        user: u64,
        status: u16,
    ) -> anyhow::Result<Self> {
        let request = String::from_utf8(form.fill(user).to_vec())?;
        // Once, and then the connection is not needed any more.
        let request = request.replacen("\r\n\r\n", "\r\nconnection: close\r\n\r\n", 1);
        let (head, mut answer) = exchange_whole(address, request.as_bytes())?;
        let body = String::from_utf8(answer.split_off(head))?;
        let found = Self::read(std::str::from_utf8(&answer)?, body, users::user(user).as_str())?;
        if found.status != status {
            bail!(
                "the server answered {} instead of {status}: {}",
                found.status,
                found.before
            );
        }
        Ok(found)
    }

    fn read(head: &str, body: String, user: &str) -> anyhow::Result<Self> {
        let mut lines = head.trim_end().split("\r\n");
        let status = lines
            .next()
            .and_then(|line| line.get(9..12))
            .context("no status")?
            .parse()?;
        let mut headers = Vec::new();
        for line in lines {
            let (name, value) = line.split_once(": ").context("a header without a value")?;
            if !BY_ITSELF.contains(&name.to_ascii_lowercase().as_str()) {
                headers.push((name.to_owned(), value.to_owned()));
            }
        }
        let (before, after) = match body.split_once(user) {
            Some((before, after)) => (before.to_owned(), Some(after.to_owned())),
            None => (body, None),
        };
        Ok(Self {
            status,
            headers,
            before,
            after,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_down_with_a_gap_for_the_user() {
        let head = "HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: 15\r\n\
                    x-request-id: 1\r\nconnection: close\r\ndate: now\r\n\r\n";
        let answer = Answer::read(head, "{\"userId\":\"u\",1}".to_owned(), "\"u\"").unwrap();
        assert_eq!(answer.status, 201);
        assert_eq!(
            answer.headers,
            [("content-type", "application/json"), ("x-request-id", "1")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
        assert_eq!(
            (answer.before.as_str(), answer.after.as_deref()),
            ("{\"userId\":", Some(",1}"))
        );
        let without = Answer::read(head, "{}".to_owned(), "u").unwrap();
        assert_eq!((without.before.as_str(), without.after), ("{}", None));
    }
}
