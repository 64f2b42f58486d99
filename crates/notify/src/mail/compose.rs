//! A letter: headers and the two forms of its text.

use super::{Composed, Mailbox};
use coupon_app::NotificationId;
use coupon_core::{Contact, EmailAddress, Language, PersonName, Timestamp};
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox as Address, MultiPart};
use lettre::{Address as BareAddress, Message};
use std::time::{Duration, UNIX_EPOCH};

/// Everything that a letter is made of.
pub(super) struct Letter<'a> {
    pub(super) from: &'a Mailbox,
    pub(super) reply_to: Option<&'a Mailbox>,
    pub(super) to: &'a Contact,
    pub(super) id: NotificationId,
    pub(super) at: Timestamp,
    pub(super) language: Language,
    pub(super) composed: Composed,
}

/// No letter could be made of it.
#[derive(Debug, thiserror::Error)]
pub(super) enum LetterError {
    #[error("the address is not one that mail can be sent to")]
    Address,
    #[error("the message cannot be built")]
    Message,
}

impl Letter<'_> {
    /// The message. Its id is the notification's, so that a mailbox that gets it twice can tell.
    pub(super) fn message(self) -> Result<Message, LetterError> {
        let micros = u64::try_from(self.at.as_micros()).map_err(|_before_1970| LetterError::Message)?;
        let message_id = format!("<{}@{}>", self.id, self.from.email.domain());
        let mut builder = Message::builder()
            .from(address(&self.from.email, self.from.name.as_ref())?)
            .to(address(&self.to.email, self.to.name.as_ref())?)
            .date(UNIX_EPOCH + Duration::from_micros(micros))
            .message_id(Some(message_id))
            .subject(self.composed.subject)
            // No out-of-office answers to a machine (RFC 3834).
            .raw_header(plain("Auto-Submitted", "auto-generated"))
            .raw_header(plain("Content-Language", self.language.code()));
        if let Some(reply_to) = self.reply_to {
            builder = builder.reply_to(address(&reply_to.email, reply_to.name.as_ref())?);
        }
        builder
            .multipart(MultiPart::alternative_plain_html(
                self.composed.text,
                self.composed.html,
            ))
            .map_err(|_why| LetterError::Message)
    }
}

fn plain(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

fn address(email: &EmailAddress, name: Option<&PersonName>) -> Result<Address, LetterError> {
    let (local, domain) = email.as_str().split_once('@').ok_or(LetterError::Address)?;
    let bare = BareAddress::new(local, domain).map_err(|_why| LetterError::Address)?;
    Ok(Address::new(name.map(|name| name.as_str().to_owned()), bare))
}
