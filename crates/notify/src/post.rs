//! The HTTP client for addresses that others choose: it follows no redirect, keeps no connection, takes no proxy, and
//! connects only where it is allowed to.

use crate::authority::Authorities;
use crate::limits::{ANSWER_WITHIN, CONNECT_WITHIN};
use crate::network::Reach;
use coupon_app::WebhookUrlError;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Url, redirect, retry};
use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// A client and where it may go.
#[derive(Clone, Debug)]
pub(crate) struct Post {
    client: Client,
    reach: Arc<Reach>,
    allow_http: bool,
}

/// Every address that a name leads to is one that may not be connected to.
#[derive(Debug, thiserror::Error)]
#[error("the name leads to no address that may be connected to")]
struct OutOfReach;

/// Names become addresses here, and only those that may be connected to are handed to the connector: what was judged is
/// what is connected to, whatever the name says a moment later.
#[derive(Debug)]
struct Guard(Arc<Reach>);

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = Arc::clone(&self.0);
        Box::pin(async move {
            // The connector puts the port of the URL in.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let admitted: Vec<_> = found.filter(|address| reach.admits(address.ip())).collect();
            if admitted.is_empty() {
                return Err(OutOfReach.into());
            }
            Ok(Box::new(admitted.into_iter()) as Addrs)
        })
    }
}

impl Post {
    /// A client that goes no further than `reach`, and speaks plain HTTP only if allowed; it trusts these authorities
    /// besides the system's. An attempt ends after `answer_within`, or [`ANSWER_WITHIN`] if that is shorter.
    pub(crate) fn new(
        reach: Reach,
        allow_http: bool,
        authorities: Option<&Authorities>,
        answer_within: Duration,
    ) -> Result<Self, reqwest::Error> {
        let reach = Arc::new(reach);
        let trusted = authorities.map_or(&[][..], Authorities::for_http);
        let client = Client::builder()
            .tls_certs_merge(trusted.iter().cloned())
            .dns_resolver(Guard(Arc::clone(&reach)))
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            .no_proxy()
            .http1_only()
            // A connection is made for one request, so that every request is judged by where its name leads now.
            .pool_max_idle_per_host(0)
            .connect_timeout(CONNECT_WITHIN)
            .timeout(answer_within.min(ANSWER_WITHIN))
            .user_agent(concat!("firstcome/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self {
            client,
            reach,
            allow_http,
        })
    }

    /// The client. Only URLs that [`Post::judge`] has passed may be given to it.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Whether a URL may be gone to, so far as that can be told without asking for names. An address in place of a name
    /// never comes to the [`Guard`], so it is judged here.
    pub(crate) fn judge(&self, url: &str) -> Result<Url, WebhookUrlError> {
        let url = Url::parse(url).map_err(|_no_url| WebhookUrlError::NotAUrl)?;
        match url.scheme() {
            "https" => {}
            "http" if self.allow_http => {}
            "http" => return Err(WebhookUrlError::NotEncrypted),
            _other => return Err(WebhookUrlError::NotAUrl),
        }
        let host = url.host_str().ok_or(WebhookUrlError::NotAUrl)?;
        let literal = host.trim_start_matches('[').trim_end_matches(']');
        // The parser has already written every form of an address (0x7f.1, 2130706433) in the plain one.
        if let Ok(ip) = literal.parse::<IpAddr>()
            && !self.reach.admits(ip)
        {
            return Err(WebhookUrlError::PrivateAddress);
        }
        Ok(url)
    }
}

/// Why a request brought no answer, in words without the URL, and whether asking again may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoAnswer {
    pub(crate) text: &'static str,
    pub(crate) passing: bool,
}

impl From<&reqwest::Error> for NoAnswer {
    fn from(error: &reqwest::Error) -> Self {
        let mut cause: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(one) = cause {
            if one.is::<OutOfReach>() {
                return Self {
                    text: "the name leads to private, loopback or link-local addresses only",
                    passing: false,
                };
            }
            cause = one.source();
        }
        let text = if error.is_timeout() {
            "no answer in time"
        } else if error.is_connect() {
            "cannot connect"
        } else {
            "the connection broke before the answer"
        };
        Self { text, passing: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_in_a_url_is_judged_in_every_form_it_can_be_written() {
        let post = Post::new(Reach::default(), false, None, ANSWER_WITHIN).unwrap();
        for (url, expected) in [
            ("https://example.com/hook", Ok(())),
            ("https://1.1.1.1/", Ok(())),
            ("https://[2606:4700:4700::1111]/", Ok(())),
            ("http://example.com/hook", Err(WebhookUrlError::NotEncrypted)),
            ("https://127.0.0.1/", Err(WebhookUrlError::PrivateAddress)),
            ("https://127.1/", Err(WebhookUrlError::PrivateAddress)),
            ("https://2130706433/", Err(WebhookUrlError::PrivateAddress)),
            ("https://0x7f.0.0.1/", Err(WebhookUrlError::PrivateAddress)),
            ("https://0177.0.0.1/", Err(WebhookUrlError::PrivateAddress)),
            (
                "https://169.254.169.254/latest",
                Err(WebhookUrlError::PrivateAddress),
            ),
            ("https://[::1]/", Err(WebhookUrlError::PrivateAddress)),
            ("https://[::ffff:10.0.0.1]/", Err(WebhookUrlError::PrivateAddress)),
            ("https://999.1.1.1/", Err(WebhookUrlError::NotAUrl)),
            ("https://", Err(WebhookUrlError::NotAUrl)),
        ] {
            assert_eq!(post.judge(url).map(|_url| ()), expected, "{url}");
        }
        let open = Post::new(
            Reach::new(vec!["127.0.0.0/8".parse().unwrap()]),
            true,
            None,
            ANSWER_WITHIN,
        )
        .unwrap();
        assert!(open.judge("http://127.0.0.1:80/").is_ok());
    }
}
