//! A client of a running server, for commands: like any other, over HTTP.

use crate::cli::Shared;
use crate::config::Settings;
use crate::keys;
use anyhow::{Context as _, bail};
use clap::Args;
use coupon_app::limits::MAX_PAGE;
use reqwest::{Method, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Which server to speak to.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct ServerOptions {
    /// The server, such as http://127.0.0.1:8080 [default: where `listen` says]
    #[arg(long, value_name = "URL", env = "FIRSTCOME_SERVER")]
    pub(crate) server: Option<String>,
}

/// Which server to speak to, and with which key.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct AdminOptions {
    #[command(flatten)]
    pub(crate) server: ServerOptions,

    /// An administrator's key [env: FIRSTCOME_ADMIN_KEY] [default: the one kept in the data directory]
    ///
    /// Other users of this machine can read a command line: prefer the variable.
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
}

/// A server and how to speak to it.
#[derive(Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    key: Option<SecretString>,
}

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Answered {
    /// The status.
    pub(crate) status: StatusCode,
    /// The body; `null` when there is none, a text when it is not JSON.
    pub(crate) body: Value,
}

impl ServerOptions {
    /// The server's address without a slash at the end.
    pub(crate) fn base_url(&self, settings: &Settings) -> anyhow::Result<String> {
        let base = self.server.clone().unwrap_or_else(|| reachable(settings.listen));
        let url = Url::parse(&base)
            .with_context(|| format!("{base:?} is not a URL such as http://127.0.0.1:8080"))?;
        if url.scheme() != "http" {
            bail!("{base:?} must start with http://; this client speaks no TLS, so run it beside the server");
        }
        Ok(base.trim_end_matches('/').to_owned())
    }
}

impl AdminOptions {
    /// A client with an administrator's key.
    pub(crate) fn client(&self, shared: &Shared) -> anyhow::Result<Client> {
        let settings = shared.settle(Vec::new())?.settings;
        let key = keys::admin_key(self.key.as_deref(), &settings)?;
        Client::new(self.server.base_url(&settings)?, Some(key))
    }
}

/// Where a server that listens there can be reached from this machine.
fn reachable(listen: SocketAddr) -> String {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    format!("http://{}", SocketAddr::new(ip, listen.port()))
}

impl Client {
    /// A client of the server at `base`.
    pub(crate) fn new(base: String, key: Option<SecretString>) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_WITHIN)
            .timeout(ANSWER_WITHIN)
            // A key meant for this server must not take a way round through a proxy that some variable names.
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("firstcome/", env!("CARGO_PKG_VERSION")))
            .build()
            .context("cannot set up the HTTP client")?;
        Ok(Self { http, base, key })
    }

    /// Asks and returns whatever the server answers.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Answered> {
        self.ask_as(method, path, body, &[]).await
    }

    /// Like [`Client::ask`], with further headers.
    pub(crate) async fn ask_as(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        headers: &[(&'static str, &str)],
    ) -> anyhow::Result<Answered> {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(key) = &self.key {
            request = request.bearer_auth(key.expose_secret());
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|error| self.unreachable(error))?;
        let status = response.status();
        let bytes = response.bytes().await.map_err(|error| self.unreachable(error))?;
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes)
                .unwrap_or_else(|_not_json| Value::String(String::from_utf8_lossy(&bytes).into_owned()))
        };
        Ok(Answered { status, body })
    }

    /// Asks and returns the body of a success; a refusal is an error that says what to do.
    pub(crate) async fn must(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let answered = self.ask(method, path, body).await?;
        if answered.status.is_success() {
            Ok(answered.body)
        } else {
            Err(refused(&answered))
        }
    }

    /// Every element of a paged list, or the first `most` of them.
    pub(crate) async fn all(&self, path: &str, most: Option<usize>) -> anyhow::Result<Vec<Value>> {
        let mut all = Vec::new();
        let mut take = |one| {
            all.push(one);
            Ok(())
        };
        self.each(path, most, &mut take).await?;
        Ok(all)
    }

    /// Hands every element of a paged list, or the first `most` of them, to `take`.
    pub(crate) async fn each(
        &self,
        path: &str,
        most: Option<usize>,
        take: &mut dyn FnMut(Value) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut left = most.unwrap_or(usize::MAX);
        let mut cursor: Option<String> = None;
        loop {
            let joint = if path.contains('?') { '&' } else { '?' };
            let mut query = format!("{path}{joint}limit={}", left.clamp(1, MAX_PAGE));
            if let Some(cursor) = &cursor {
                query.push_str("&cursor=");
                query.extend(escaped(cursor));
            }
            let mut body = self.must(Method::GET, &query, None).await?;
            let Some(Value::Array(page)) = body.get_mut("data").map(Value::take) else {
                bail!(
                    "{path}: the server's answer is no list; is {} a firstcome server of this version?",
                    self.base
                );
            };
            left = left.saturating_sub(page.len());
            page.into_iter().try_for_each(&mut *take)?;
            cursor = body.get("nextCursor").and_then(Value::as_str).map(str::to_owned);
            if cursor.is_none() || left == 0 {
                return Ok(());
            }
        }
    }

    fn unreachable(&self, error: reqwest::Error) -> anyhow::Error {
        let base = &self.base;
        let advice = if error.is_connect() {
            format!(
                "cannot reach {base}; is the server running (firstcome serve)? Name another with --server"
            )
        } else if error.is_timeout() {
            format!(
                "{base} did not answer in time; it may have done what it was asked, so look before asking again"
            )
        } else {
            format!("{base} broke off the conversation")
        };
        anyhow::Error::new(error.without_url()).context(advice)
    }
}

/// A server's refusal.
#[derive(Debug, thiserror::Error)]
#[error("{said}")]
pub(crate) struct Refused {
    /// What people are told.
    said: String,
    /// What the server answered (RFC 9457).
    pub(crate) problem: Value,
}

/// Runs a conversation to its end.
pub(crate) fn converse<T>(conversation: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime of the HTTP client")?
        .block_on(conversation)
}

/// A path with the parameters that are given.
pub(crate) fn with_query(
    path: &str,
    parameters: impl IntoIterator<Item = (&'static str, Option<String>)>,
) -> String {
    let mut whole = path.to_owned();
    for (name, value) in parameters {
        if let Some(value) = value {
            whole.push(if whole.contains('?') { '&' } else { '?' });
            whole.push_str(name);
            whole.push('=');
            whole.extend(escaped(&value));
        }
    }
    whole
}

/// A text as part of a path or a query.
pub(crate) fn escaped(text: &str) -> impl Iterator<Item = char> {
    text.bytes().flat_map(|byte| {
        let plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let escape = if plain {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        };
        escape.chars().collect::<Vec<_>>()
    })
}

/// What a refusal says, for people: title, detail, every wrong field, code and status.
pub(crate) fn refused(answered: &Answered) -> anyhow::Error {
    let text = |name: &str| answered.body.get(name).and_then(Value::as_str);
    let title = text("title").unwrap_or("the server refused");
    let mut said = title.to_owned();
    if let Some(detail) = text("detail").filter(|detail| *detail != title) {
        said.push_str(": ");
        said.push_str(detail);
    }
    for error in answered
        .body
        .get("errors")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let part = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or("?");
        said.push_str(&format!("\n  {}: {}", part("field"), part("detail")));
    }
    if answered.status == StatusCode::UNAUTHORIZED {
        said.push_str("\n  give the right key with --key or FIRSTCOME_ADMIN_KEY, or the server's --data-dir");
    }
    let code = text("code").unwrap_or("no code");
    let said = format!("{said} ({code}, {})", answered.status.as_u16());
    let problem = answered.body.clone();
    Refused { said, problem }.into()
}

#[cfg(test)]
mod tests {
    use super::{escaped, reachable, with_query};

    #[test]
    fn a_server_that_listens_everywhere_is_reached_on_the_loopback() {
        for (listen, url) in [
            ("0.0.0.0:8080", "http://127.0.0.1:8080"),
            ("[::]:80", "http://[::1]:80"),
            ("10.0.0.7:1", "http://10.0.0.7:1"),
        ] {
            assert_eq!(reachable(listen.parse().unwrap()), url);
        }
    }

    #[test]
    fn only_what_is_given_is_in_a_query() {
        let given = |text: &str| Some(text.to_owned());
        for (parameters, expected) in [
            ([("a", None), ("b", None)], "/p"),
            ([("a", None), ("b", given("1 &2"))], "/p?b=1%20%262"),
            ([("a", given("x")), ("b", given("y"))], "/p?a=x&b=y"),
        ] {
            assert_eq!(with_query("/p", parameters), expected);
        }
    }

    #[test]
    fn a_cursor_is_escaped() {
        assert_eq!(escaped("a+b/=한").collect::<String>(), "a%2Bb%2F%3D%ED%95%9C");
    }
}
