//! The server under load: where it listens, taken from a base URL.

use std::io;
use std::net::SocketAddr;

/// Why a base URL cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// Only plain HTTP is spoken: the load is meant for the server itself, behind no proxy.
    #[error("the base URL {0:?} must start with http://")]
    NotHttp(String),
    /// There is no host, or the port is not one.
    #[error("the base URL {0:?} has no usable host and port")]
    NoHost(String),
    /// The name could not be resolved.
    #[error("cannot resolve {host}: {source}")]
    Unresolved {
        /// The host and port that were looked up.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
}

/// A server's address, its `Host` header and the path in front of `/v1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    authority: String,
    prefix: String,
    address: SocketAddr,
}

impl Target {
    /// Reads `http://host[:port][/prefix]` and resolves the host once. User names and passwords are dropped.
    pub async fn resolve(base_url: &str) -> Result<Self, TargetError> {
        let rest = base_url
            .strip_prefix("http://")
            .ok_or_else(|| TargetError::NotHttp(without_user(base_url)))?;
        let (authority, prefix) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let authority = authority.rsplit('@').next().unwrap_or(authority);
        let host = with_port(authority).ok_or_else(|| TargetError::NoHost(without_user(base_url)))?;
        let mut found =
            tokio::net::lookup_host(host.as_str())
                .await
                .map_err(|source| TargetError::Unresolved {
                    host: host.clone(),
                    source,
                })?;
        let address = found
            .next()
            .ok_or_else(|| TargetError::NoHost(without_user(base_url)))?;
        let prefix = prefix.trim_end_matches('/').to_owned();
        Ok(Self {
            authority: authority.to_owned(),
            prefix,
            address,
        })
    }

    /// The base URL again, without anything secret.
    pub fn base_url(&self) -> String {
        format!("http://{}{}", self.authority, self.prefix)
    }

    /// Where to connect to.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The head of a request up to and including `Host`.
    pub(crate) fn head(&self, method: &str, path: &str) -> String {
        format!(
            "{method} {}{path} HTTP/1.1\r\nhost: {}\r\n",
            self.prefix, self.authority
        )
    }
}

/// Adds the default port; an IPv6 address stands in brackets.
fn with_port(authority: &str) -> Option<String> {
    let after_brackets = authority.rfind(']').map_or(0, |end| end + 1);
    let host = match authority[after_brackets..].rfind(':') {
        Some(colon) => {
            let port = &authority[after_brackets + colon + 1..];
            port.parse::<u16>().ok()?;
            &authority[..after_brackets + colon]
        }
        None => authority,
    };
    if host.is_empty() || host.contains(['\r', '\n', ' ']) {
        return None;
    }
    Some(if host.len() == authority.len() {
        format!("{authority}:80")
    } else {
        authority.to_owned()
    })
}

/// The URL without user name and password, fit for messages.
fn without_user(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => format!("{}{}", &url[..scheme + 3], &url[at + 1..]),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Target, TargetError, with_port};

    #[tokio::test]
    async fn a_base_url_loses_its_secrets_and_keeps_its_prefix() {
        let target = Target::resolve("http://user:secret@127.0.0.1:8080/shop/")
            .await
            .unwrap();
        assert_eq!(target.base_url(), "http://127.0.0.1:8080/shop");
        assert!(
            target
                .head("GET", "/readyz")
                .starts_with("GET /shop/readyz HTTP/1.1\r\nhost: 127.0.0.1:8080\r\n")
        );
    }

    #[tokio::test]
    async fn only_plain_http_is_accepted() {
        let refused = Target::resolve("https://me:secret@example.org")
            .await
            .unwrap_err();
        assert!(
            matches!(&refused, TargetError::NotHttp(url) if !url.contains("secret")),
            "{refused}"
        );
    }

    #[test]
    fn a_missing_port_is_eighty_and_a_wrong_one_is_refused() {
        assert_eq!(with_port("localhost").as_deref(), Some("localhost:80"));
        assert_eq!(with_port("[::1]").as_deref(), Some("[::1]:80"));
        assert_eq!(with_port("[::1]:81").as_deref(), Some("[::1]:81"));
        assert_eq!(with_port("localhost:99999"), None);
        assert_eq!(with_port(""), None);
    }
}
