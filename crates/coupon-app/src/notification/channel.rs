//! The channel port: one way of telling, such as mail or webhooks.

use super::{Notification, NotificationId, Patience};
use crate::StoreError;
use async_trait::async_trait;
use coupon_core::{Span, Timestamp};
use std::fmt;

/// Brings one notification to one recipient.
///
/// Whoever calls it keeps the notification and what became of each delivery, and MUST call `deliver` at least once for
/// every recipient of every notification, until the outcome is a final one or the [`Patience`] of the channel is at an
/// end. Every channel MUST keep these:
///
/// 1. **Who.** `recipients` names everyone who is to be told as things stand now, each once, and at most
///    [`crate::limits::MAX_RECIPIENTS`]. None is an answer: nobody is to be told by this channel. It is asked once for
///    a notification; its answer is kept beside the notification in one transaction, and then each recipient is
///    delivered to, tried again and given up alone. A recipient that has gone since is refused by `deliver`.
/// 2. **At least once.** [`ChannelOutcome::Delivered`] is answered only when the recipient has taken it. Anything that
///    leaves this open is [`ChannelOutcome::RetryLater`], and the recipient may then be told again.
/// 3. **The same again.** Every attempt of one delivery carries the same [`NotificationId`] and tells the same, so that
///    the recipient can tell that it has had it. A replay by hand is one more attempt of the same delivery.
/// 4. **Bounded.** `deliver` answers within [`crate::limits::LONGEST_ATTEMPT`], whatever the other side does, takes in
///    no more than a fixed amount of what it answers, and leaves nothing behind when it is dropped.
/// 5. **Nothing is thrown away in silence.** What cannot be brought is answered with the outcome that says why: no
///    address is [`ChannelOutcome::Undeliverable`], and is kept and shown, not lost.
/// 6. **Discreet.** A [`Report`] says what an operator needs and neither an address of a person nor a secret.
#[async_trait]
pub trait Channel: Send + Sync + 'static {
    /// Its name in the store, in metrics and in settings: lower-case letters, such as `mail` or `webhook`. One channel
    /// of each name.
    fn name(&self) -> &'static str;

    /// How long it waits between attempts, and when it gives up.
    fn patience(&self) -> &Patience;

    /// Who is to be told of it. See the contract above.
    async fn recipients(&self, notification: &Notification) -> Result<Vec<Recipient>, StoreError>;

    /// Tries once. See the contract above.
    async fn deliver(&self, attempt: &Attempt) -> ChannelOutcome;
}

/// One attempt of one delivery.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// What is to be told.
    pub notification: Notification,
    /// Whom.
    pub recipient: Recipient,
    /// Counted from 1 for each delivery.
    pub number: u32,
    /// The time of the attempt, by the caller's clock.
    pub now: Timestamp,
}

impl Attempt {
    /// The delivery that is tried.
    pub fn delivery(&self, channel: &'static str) -> DeliveryId {
        DeliveryId {
            notification: self.notification.id(),
            channel: channel.into(),
            recipient: self.recipient.clone(),
        }
    }
}

/// One notification to one recipient by one channel: the key under which what becomes of it is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId {
    /// What is told.
    pub notification: NotificationId,
    /// [`Channel::name`].
    pub channel: Box<str>,
    /// To whom.
    pub recipient: Recipient,
}

/// Whom a channel tells: a name that the channel itself gives, 1 to 64 lower-case letters, digits and hyphens, such as
/// the id of a webhook endpoint, or `holder`. Never an address of a person: that is looked up at each attempt.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Recipient(Box<str>);

/// The text is not the name of a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a recipient has 1 to 64 lower-case letters, digits and hyphens")]
pub struct RecipientError;

impl Recipient {
    /// Checks a text and makes it a recipient.
    pub fn parse(text: impl Into<Box<str>>) -> Result<Self, RecipientError> {
        let text = text.into();
        let fits = (1..=64).contains(&text.len());
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if fits && text.bytes().all(plain) {
            Ok(Self(text))
        } else {
            Err(RecipientError)
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What became of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelOutcome {
    /// The recipient has it. Final.
    Delivered(Report),
    /// It did not work, or it cannot be said whether it did, and it may work later.
    RetryLater {
        /// What the other side asked to wait at least, as it said; [`Patience::wait`] puts a bound to it.
        after: Option<Span>,
        /// Why.
        report: Report,
    },
    /// It will not be taken, however often it is tried. Final: a dead letter.
    Refused(Report),
    /// The recipient wants nothing any more, and the channel has already seen to it that nothing new goes there. Final
    /// for this delivery, and every other one to the same recipient will be refused: a dead letter.
    DisableEndpoint(Report),
    /// There is nowhere to bring it. Final until somebody replays it: kept and shown.
    Undeliverable(Report),
}

impl ChannelOutcome {
    /// What is to be kept of it.
    pub const fn report(&self) -> &Report {
        match self {
            Self::Delivered(report)
            | Self::RetryLater { report, .. }
            | Self::Refused(report)
            | Self::DisableEndpoint(report)
            | Self::Undeliverable(report) => report,
        }
    }
}

/// What an operator is told of an attempt. Neither an address of a person nor a secret stands in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What the other side answered: an HTTP status, an SMTP reply code; `None` without an answer.
    pub status: Option<u16>,
    /// In words, at most 200 bytes; English, as logs are.
    pub text: Box<str>,
}

impl Report {
    /// Most bytes of its text.
    pub const MAX_TEXT: usize = 200;

    /// A report; a longer text is cut between two characters, and control characters become spaces.
    pub fn new(status: Option<u16>, text: &str) -> Self {
        let mut end = text.len().min(Self::MAX_TEXT);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let plain: String = text[..end]
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        // A control character of two bytes becomes one, so the text never grows.
        Self {
            status,
            text: plain.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipient_is_a_short_plain_name() {
        let longest = "a".repeat(64);
        for accepted in ["holder", "administrator", "7", "we-17", longest.as_str()] {
            assert_eq!(Recipient::parse(accepted).unwrap().as_str(), accepted);
        }
        let too_long = "a".repeat(65);
        for refused in ["", "a b", "A", "a@example.com", "a/b", "é", too_long.as_str()] {
            assert_eq!(Recipient::parse(refused), Err(RecipientError), "{refused:?}");
        }
    }

    #[test]
    fn a_report_is_cut_between_characters_and_stays_on_one_line() {
        assert_eq!(&*Report::new(None, "a\r\nb\u{85}c").text, "a  b c");
        let report = Report::new(Some(500), &"쿠".repeat(100));
        assert_eq!(report.text.len(), 198);
    }
}
