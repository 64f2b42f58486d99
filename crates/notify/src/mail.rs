//! The channel of mail: to the holder of an issued coupon, and to administrators.

mod compose;
mod conversation;
mod money;
mod templates;
mod variables;

pub use templates::{Composed, TemplateError, Templates};

use crate::authority::Authorities;
use crate::limits::SMTP_WITHIN;
use crate::outcome::{delivered, later, refused, undeliverable};
use async_trait::async_trait;
use compose::Letter;
use conversation::{PostOffice, Trouble};
use coupon_app::{
    About, Attempt, Channel, ChannelOutcome, CodeKey, Contacts, Notification, Patience, Recipient, StoreError,
};
use coupon_core::{Contact, EmailAddress, Language, PersonName};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::TlsParameters;
use lettre::transport::smtp::extension::ClientId;
use secrecy::{ExposeSecret as _, SecretString};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use variables::variables;

/// Who a mail is from, or whom an answer goes to: `name <address>` or an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// The address.
    pub email: EmailAddress,
    /// The name before it.
    pub name: Option<PersonName>,
}

/// The text is no mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a mailbox is an address such as shop@example.com, or Shop <shop@example.com>")]
pub struct MailboxError;

impl FromStr for Mailbox {
    type Err = MailboxError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim_matches(' ');
        let (name, email) = match text.strip_suffix('>').and_then(|text| text.split_once('<')) {
            Some((name, email)) => (name.trim_matches(' '), email),
            None => ("", text),
        };
        let name = match name {
            "" => None,
            name => Some(PersonName::parse(name).map_err(|_no_name| MailboxError)?),
        };
        Ok(Self {
            email: EmailAddress::parse(email).map_err(|_no_address| MailboxError)?,
            name,
        })
    }
}

/// How the connection to the mail server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailSecurity {
    /// TLS from the first byte, usually on port 465.
    Tls,
    /// TLS after `STARTTLS`, which is insisted on; usually on port 587.
    StartTls,
    /// None: for a relay on this machine.
    None,
}

/// How mail is sent.
#[derive(Clone, Debug)]
pub struct MailOptions {
    /// The mail server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: MailSecurity,
    /// Whom to trust besides the system's authorities.
    pub authorities: Option<Authorities>,
    /// User and password, if it asks for them.
    pub credentials: Option<(String, SecretString)>,
    /// Who the mail is from.
    pub from: Mailbox,
    /// Whom answers go to, if not there.
    pub reply_to: Option<Mailbox>,
    /// Who is told when a coupon is sold out.
    pub administrators: Vec<EmailAddress>,
    /// The language of those whose own is not known.
    pub language: Language,
    /// Longest that the whole conversation with the mail server may take; never more than
    /// [`crate::limits::SMTP_WITHIN`].
    pub answer_within: Duration,
    /// The waits between attempts.
    pub patience: Patience,
}

/// The mail client could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// TLS could not be set up.
    #[error("cannot set up TLS to the mail server: {0}")]
    Tls(#[source] lettre::transport::smtp::Error),
}

/// Tells people by mail.
pub struct MailChannel {
    contacts: Arc<dyn Contacts>,
    codes: CodeKey,
    templates: Templates,
    office: PostOffice,
    from: Mailbox,
    reply_to: Option<Mailbox>,
    administrators: Vec<EmailAddress>,
    language: Language,
    answer_within: Duration,
    patience: Patience,
}

impl std::fmt::Debug for MailChannel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MailChannel")
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

/// What the holder of the issued coupon is called among recipients.
const HOLDER: &str = "holder";
/// What administrators are called, with the place in the configuration, counted from 1.
const ADMINISTRATOR: &str = "administrator-";

impl MailChannel {
    /// A channel that looks addresses up in `contacts`.
    pub fn new(
        contacts: Arc<dyn Contacts>,
        codes: CodeKey,
        templates: Templates,
        options: MailOptions,
    ) -> Result<Self, MailError> {
        let mut tls = TlsParameters::builder(options.host.clone());
        if let Some(authorities) = &options.authorities {
            tls = tls.add_root_certificate(authorities.for_mail().map_err(MailError::Tls)?);
        }
        let credentials = options.credentials;
        let office = PostOffice {
            tls: tls.build().map_err(MailError::Tls)?,
            host: options.host,
            port: options.port,
            security: options.security,
            hello: ClientId::Domain(options.from.email.domain().to_owned()),
            credentials: credentials
                .map(|(user, password)| Credentials::new(user, password.expose_secret().to_owned())),
        };
        Ok(Self {
            contacts,
            codes,
            templates,
            office,
            from: options.from,
            reply_to: options.reply_to,
            administrators: options.administrators,
            language: options.language,
            answer_within: options.answer_within.min(SMTP_WITHIN),
            patience: options.patience,
        })
    }

    /// Whom `recipient` of this notification is, or the outcome that says why nobody.
    async fn whom(&self, attempt: &Attempt) -> Result<Contact, ChannelOutcome> {
        let recipient = attempt.recipient.as_str();
        if let Some(place) = recipient.strip_prefix(ADMINISTRATOR) {
            let index = place.parse::<usize>().ok().and_then(|place| place.checked_sub(1));
            let address = index.and_then(|index| self.administrators.get(index));
            return match address {
                Some(email) => Ok(Contact {
                    email: email.clone(),
                    name: None,
                    language: None,
                }),
                None => Err(undeliverable("no such administrator is configured any more")),
            };
        }
        let About::IssuedCoupon { issued, .. } = &attempt.notification.about else {
            return Err(refused(None, "nobody holds what it tells of"));
        };
        match self.contacts.contact(&issued.user).await {
            Ok(Some(contact)) => Ok(contact),
            Ok(None) => Err(undeliverable("the user has no address")),
            Err(error) if error.retriable => Err(later(None, &error.to_string())),
            Err(error) => Err(undeliverable(&error.to_string())),
        }
    }
}

#[async_trait]
impl Channel for MailChannel {
    fn name(&self) -> &'static str {
        "mail"
    }

    fn patience(&self) -> &Patience {
        &self.patience
    }

    async fn recipients(&self, notification: &Notification) -> Result<Vec<Recipient>, StoreError> {
        let names: Vec<String> = match notification.about {
            About::IssuedCoupon { .. } => vec![HOLDER.to_owned()],
            About::SoldOut { .. } => (1..=self.administrators.len())
                .map(|place| format!("{ADMINISTRATOR}{place}"))
                .collect(),
        };
        names
            .into_iter()
            .map(|name| Recipient::parse(name).map_err(StoreError::lasting))
            .collect()
    }

    async fn deliver(&self, attempt: &Attempt) -> ChannelOutcome {
        let contact = match self.whom(attempt).await {
            Ok(contact) => contact,
            Err(outcome) => return outcome,
        };
        let language = contact.language.unwrap_or(self.language);
        let kind = attempt.notification.kind();
        let variables = variables(&attempt.notification, contact.name.as_ref(), &self.codes);
        let composed = match self.templates.compose(kind, language, &variables) {
            Ok(composed) => composed,
            // Somebody can mend a template while this waits.
            Err(error) => return later(None, &error.to_string()),
        };
        let letter = Letter {
            from: &self.from,
            reply_to: self.reply_to.as_ref(),
            to: &contact,
            id: attempt.notification.id(),
            at: attempt.now,
            language,
            composed,
        };
        let message = match letter.message() {
            Ok(message) => message,
            Err(error) => return refused(None, &error.to_string()),
        };
        // Dropping it ends the conversation wherever it is.
        match tokio::time::timeout(self.answer_within, self.office.hand_in(&message)).await {
            Ok(Ok(response)) => delivered(
                response.code().to_string().parse().ok(),
                "taken by the mail server",
            ),
            Ok(Err(Trouble::Smtp(error))) => judge_failure(&error),
            Ok(Err(Trouble::Unreachable)) => later(None, NO_CONNECTION),
            Ok(Err(Trouble::TooMuch)) => {
                later(None, "the mail server says more than a mail server has to say")
            }
            Err(_elapsed) => later(None, "the mail server did not finish in time"),
        }
    }
}

const NO_CONNECTION: &str = "no connection to the mail server, or it broke";

/// What a failed conversation means. The server's own words may name the address, so they are left out.
fn judge_failure(error: &lettre::transport::smtp::Error) -> ChannelOutcome {
    let status = error.status().and_then(|code| code.to_string().parse().ok());
    match status {
        // Our credentials, or what the server demands of us: the operator's to mend, and no fault of the mail.
        Some(530 | 534 | 535 | 538) => later(status, "the mail server does not let us in"),
        Some(500..600) => refused(status, "the mail server refuses it"),
        Some(_) => later(status, "the mail server asks to try again"),
        None if error.is_tls() => later(None, "no secure connection to the mail server"),
        None if error.is_timeout() => later(None, "the mail server does not answer in time"),
        None if error.is_response() => later(None, "the mail server answers what cannot be understood"),
        None => later(None, NO_CONNECTION),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mailbox_is_an_address_with_or_without_a_name() {
        let plain: Mailbox = "shop@example.com".parse().unwrap();
        assert_eq!((plain.email.as_str(), plain.name), ("shop@example.com", None));
        let named: Mailbox = " 쿠폰 가게 <shop@example.com> ".parse().unwrap();
        assert_eq!(named.name.unwrap().as_str(), "쿠폰 가게");
        for refused in [
            "",
            "shop",
            "Shop <shop>",
            "Shop <a@b> <c@d>",
            "Shop\r\n <a@b>",
            "Shop <a@b>, c@d",
        ] {
            assert_eq!(refused.parse::<Mailbox>(), Err(MailboxError), "{refused:?}");
        }
    }
}
