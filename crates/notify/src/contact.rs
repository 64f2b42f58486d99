//! Asking the shop how a user is reached.

use crate::authority::Authorities;
use crate::limits::{LOOKUP_WITHIN, MAX_CONTACT_BYTES};
use crate::network::Reach;
use crate::post::{NoAnswer, Post};
use async_trait::async_trait;
use coupon_app::{Contacts, StoreError};
use coupon_core::{Contact, EmailAddress, Language, PersonName, UserId};
use reqwest::header::ACCEPT;
use reqwest::{Response, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

/// Where the shop answers.
#[derive(Clone, Debug)]
pub struct ContactLookupOptions {
    /// A URL with `{userId}` in its path or query, in whose place the user id is put, escaped.
    pub url: String,
    /// What is sent as a bearer token, if anything.
    pub token: Option<SecretString>,
    /// Whom to trust besides the system's authorities.
    pub authorities: Option<Authorities>,
}

/// The look-up cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum ContactLookupError {
    /// Not a URL with a place for the user.
    #[error("the look-up URL is http or https, with {USER_ID} in its path or query")]
    Url,
    /// The client cannot be set up.
    #[error("cannot set up the HTTP client for contacts: {0}")]
    Client(#[source] reqwest::Error),
}

const USER_ID: &str = "{userId}";
/// What stands in the place of the user while the URL is looked at.
const STAND_IN: &str = "stand-in-for-the-user";

/// Asks the shop by `GET`: 200 with `{"email", "name", "language"}`, of which the last two may be missing or null, or
/// 404 or 204 if the user has no address.
#[derive(Clone, Debug)]
pub struct ContactLookup {
    post: Post,
    before: String,
    after: String,
    token: Option<SecretString>,
}

/// An answer that is none; asking again may bring another.
#[derive(Debug, thiserror::Error)]
enum Unclear {
    #[error("the shop answered {0} to the question for an address")]
    Status(u16),
    #[error("the shop's answer to the question for an address is too long")]
    TooLong,
    #[error("the shop's answer to the question for an address is not as agreed")]
    Malformed,
    #[error("the shop's address is not one that mail can be sent to")]
    Address,
    #[error("the shop cannot be asked about a user with this id")]
    User,
    #[error("the shop was asked for an address: {0}")]
    NoAnswer(&'static str),
}

#[derive(Deserialize)]
struct Answer {
    email: Option<String>,
    name: Option<String>,
    language: Option<String>,
}

impl ContactLookup {
    /// A look-up there. The operator has named the place, so it may be in a private network.
    pub fn new(options: ContactLookupOptions) -> Result<Self, ContactLookupError> {
        let mut parts = options.url.split(USER_ID);
        let (Some(before), Some(after), None) = (parts.next(), parts.next(), parts.next()) else {
            return Err(ContactLookupError::Url);
        };
        let behind_the_host = before
            .split_once("://")
            .is_some_and(|(_scheme, rest)| rest.contains(['/', '?']));
        let everywhere = ["0.0.0.0/0", "::/0"].map(|all| all.parse().expect("everything is a network"));
        let post = Post::new(
            Reach::new(everywhere.to_vec()),
            true,
            options.authorities.as_ref(),
            LOOKUP_WITHIN,
        )
        .map_err(ContactLookupError::Client)?;
        let filled = post
            .judge(&format!("{before}{STAND_IN}{after}"))
            .map_err(|_no_url| ContactLookupError::Url)?;
        // As the parser writes it, so that a user id can be seen to have changed nothing else.
        match filled.as_str().split_once(STAND_IN) {
            Some((before, after)) if behind_the_host => Ok(Self {
                before: before.to_owned(),
                after: after.to_owned(),
                post,
                token: options.token,
            }),
            Some(_) | None => Err(ContactLookupError::Url),
        }
    }

    fn url(&self, user: &UserId) -> String {
        let mut url = self.before.clone();
        for byte in user.as_bytes() {
            if byte.is_ascii_alphanumeric() || b"-_~".contains(byte) {
                url.push(char::from(*byte));
            } else {
                url.push_str(&format!("%{byte:02X}"));
            }
        }
        url.push_str(&self.after);
        url
    }

    async fn ask(&self, user: &UserId) -> Result<Option<Contact>, Unclear> {
        let asked = self.url(user);
        let url = self.post.judge(&asked).map_err(|_no_url| Unclear::User)?;
        // A user called ".." would climb out of the path, even escaped.
        if url.as_str() != asked {
            return Err(Unclear::User);
        }
        let mut request = self.post.client().get(url).header(ACCEPT, "application/json");
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose_secret());
        }
        let response = request.send().await.map_err(|error| no_answer(&error))?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND | StatusCode::NO_CONTENT => return Ok(None),
            other => return Err(Unclear::Status(other.as_u16())),
        }
        let body = body(response).await?;
        let answer: Answer = serde_json::from_slice(&body).map_err(|_not_as_agreed| Unclear::Malformed)?;
        let Some(email) = answer.email else {
            return Ok(None);
        };
        Ok(Some(Contact {
            email: EmailAddress::parse(email).map_err(|_no_address| Unclear::Address)?,
            // A name that may not stand in a header is left out; the mail is worth more than the greeting.
            name: answer.name.and_then(|name| PersonName::parse(name).ok()),
            language: answer.language.and_then(|tag| Language::parse(&tag)),
        }))
    }
}

fn no_answer(error: &reqwest::Error) -> Unclear {
    Unclear::NoAnswer(NoAnswer::from(error).text)
}

async fn body(mut response: Response) -> Result<Vec<u8>, Unclear> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| no_answer(&error))? {
        if body.len() + chunk.len() > MAX_CONTACT_BYTES {
            return Err(Unclear::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

#[async_trait]
impl Contacts for ContactLookup {
    async fn contact(&self, user: &UserId) -> Result<Option<Contact>, StoreError> {
        self.ask(user).await.map_err(|unclear| match unclear {
            // The shop has an answer, and it will be the same tomorrow.
            Unclear::Address | Unclear::User => StoreError::lasting(unclear),
            Unclear::Status(_) | Unclear::TooLong | Unclear::Malformed | Unclear::NoAnswer(_) => {
                StoreError::passing(unclear)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(url: &str) -> Result<ContactLookup, ContactLookupError> {
        ContactLookup::new(ContactLookupOptions {
            url: url.to_owned(),
            token: None,
            authorities: None,
        })
    }

    #[test]
    fn a_user_id_stays_where_it_is_put() {
        let lookup = lookup("http://shop.internal/users/{userId}/contact").unwrap();
        for (user, expected) in [
            ("u-1", "u-1"),
            ("../admin", "%2E%2E%2Fadmin"),
            ("a?b#c", "a%3Fb%23c"),
            ("김", "%EA%B9%80"),
        ] {
            let user = UserId::parse(user).unwrap();
            assert_eq!(
                lookup.url(&user),
                format!("http://shop.internal/users/{expected}/contact")
            );
        }
    }

    #[tokio::test]
    async fn a_user_whose_id_is_a_step_in_a_path_is_not_asked_about() {
        let lookup = lookup("http://shop.internal:80/users/{userId}/contact").unwrap();
        for user in [".", ".."] {
            let error = lookup.contact(&UserId::parse(user).unwrap()).await.unwrap_err();
            assert!(!error.retriable, "{user}");
        }
    }

    #[test]
    fn the_place_for_the_user_is_in_the_path_or_the_query_and_there_is_one() {
        for accepted in [
            "https://shop.example/c/{userId}",
            "http://10.0.0.1:80/c?u={userId}",
        ] {
            assert!(lookup(accepted).is_ok(), "{accepted}");
        }
        for refused in [
            "",
            "https://shop.example/",
            "https://{userId}.example/",
            "https://{userId}/",
            "ftp://shop.example/{userId}",
            "https://shop.example/{userId}/{userId}",
            "{userId}",
        ] {
            assert!(lookup(refused).is_err(), "{refused}");
        }
    }
}
