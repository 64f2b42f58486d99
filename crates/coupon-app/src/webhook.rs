//! Webhooks: endpoints of the shop that are told what happens, and the ports that keep and reach them.

mod parts;

pub use parts::{Secret, WebhookParts};

use crate::{ChannelOutcome, NotificationKind, Origin, Recipient, StoreError};
use async_trait::async_trait;
use coupon_core::{Span, Timestamp};
use std::fmt;
use std::str::FromStr;

/// The id of a webhook: counted from 1, never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WebhookId(u32);

/// The text or number is not the id of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a webhook's id is a whole number from 1 to {}", i32::MAX)]
pub struct WebhookIdError;

impl WebhookId {
    /// The id with this number.
    pub const fn new(number: u32) -> Result<Self, WebhookIdError> {
        if number >= 1 && number <= i32::MAX.unsigned_abs() {
            Ok(Self(number))
        } else {
            Err(WebhookIdError)
        }
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// What the channel of webhooks calls it.
    pub fn recipient(self) -> Recipient {
        Recipient::parse(self.0.to_string())
            .expect("a number of at most ten digits is the name of a recipient")
    }
}

impl fmt::Display for WebhookId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for WebhookId {
    type Err = WebhookIdError;

    /// Only the canonical form: digits without sign or leading zero.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with('0') || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(WebhookIdError);
        }
        text.parse()
            .map_err(|_too_large| WebhookIdError)
            .and_then(Self::new)
    }
}

/// Where a webhook is sent: an absolute `https` or `http` URL of at most 2,048 visible ASCII characters, without user,
/// password or fragment. Whether a server sends there is for [`WebhookPost::accepts`] to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookUrl(Box<str>);

/// Why a text is no URL of a webhook, or one that this server does not send to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum WebhookUrlError {
    /// Nothing that could be sent to.
    #[error("a webhook's URL is absolute, https or http, without user, password or fragment")]
    NotAUrl,
    /// Longer than 2,048 bytes.
    #[error("a webhook's URL has at most {} bytes", WebhookUrl::MAX_BYTES)]
    TooLong,
    /// `http`, where only `https` is allowed.
    #[error("this server sends webhooks by https only")]
    NotEncrypted,
    /// An address of a private, loopback or link-local network, which is not allowed.
    #[error("this server sends no webhooks to private, loopback or link-local addresses")]
    PrivateAddress,
}

impl WebhookUrl {
    /// Most bytes of a URL.
    pub const MAX_BYTES: usize = 2_048;

    /// Checks the form of a text, so far as that can be done without knowing names and networks.
    pub fn parse(text: impl Into<Box<str>>) -> Result<Self, WebhookUrlError> {
        let text = text.into();
        if text.len() > Self::MAX_BYTES {
            return Err(WebhookUrlError::TooLong);
        }
        let rest = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"))
            .ok_or(WebhookUrlError::NotAUrl)?;
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let plain = text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'#' && byte != b'\\');
        if authority.is_empty() || authority.contains('@') || !plain {
            return Err(WebhookUrlError::NotAUrl);
        }
        Ok(Self(text))
    }

    /// The text as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What webhooks are signed with: 32 random bytes. Shown to the administrator once; never in a log.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookSecret([u8; Self::BYTES]);

impl WebhookSecret {
    /// How long it is.
    pub const BYTES: usize = 32;

    /// The secret of these bytes, which must be random.
    pub const fn new(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes, for signing and keeping.
    pub const fn expose(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(..)")
    }
}

/// The secrets of a webhook: the newest one, and for a while the one before it, so that a receiver can change over
/// without missing anything. What is sent is signed with each that is live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookSecrets {
    /// The newest.
    pub current: WebhookSecret,
    /// The one before, and until when it is live.
    pub previous: Option<(WebhookSecret, Timestamp)>,
}

impl WebhookSecrets {
    /// Those that are live at `now`, newest first.
    pub fn live(&self, now: Timestamp) -> impl Iterator<Item = &WebhookSecret> {
        let previous = self
            .previous
            .as_ref()
            .filter(|(_, until)| now < *until)
            .map(|(secret, _)| secret);
        std::iter::once(&self.current).chain(previous)
    }

    /// With a new secret; the present one stays live for `overlap` more. There are never more than two: one that was
    /// replaced before is dead at once.
    #[must_use]
    pub fn rotated(self, fresh: WebhookSecret, now: Timestamp, overlap: Span) -> Self {
        Self {
            current: fresh,
            previous: Some((self.current, now.saturating_add(overlap))),
        }
    }
}

/// Which notifications a webhook is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookKinds {
    /// All, those that later versions add too.
    All,
    /// These, in the order of [`NotificationKind`], each once.
    Some(Vec<NotificationKind>),
}

impl WebhookKinds {
    /// These; `None` for no kind at all.
    pub fn some(kinds: impl IntoIterator<Item = NotificationKind>) -> Option<Self> {
        let mut kinds: Vec<_> = kinds.into_iter().collect();
        kinds.sort_unstable();
        kinds.dedup();
        (!kinds.is_empty()).then_some(Self::Some(kinds))
    }

    /// Their written form: `all`, or names of events with a comma between.
    pub fn written(&self) -> String {
        match self {
            Self::All => "all".to_owned(),
            Self::Some(kinds) => {
                let names: Vec<&str> = kinds.iter().map(|kind| kind.event()).collect();
                names.join(",")
            }
        }
    }

    /// Those of this written form.
    pub fn parse(written: &str) -> Option<Self> {
        if written == "all" {
            return Some(Self::All);
        }
        let kinds: Option<Vec<_>> = written.split(',').map(NotificationKind::parse).collect();
        Self::some(kinds?)
    }

    /// Whether this kind is among them.
    pub fn contains(&self, kind: NotificationKind) -> bool {
        match self {
            Self::All => true,
            Self::Some(kinds) => kinds.contains(&kind),
        }
    }
}

/// Whether a webhook is sent anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookState {
    /// It is.
    Enabled,
    /// It is not, since then.
    Disabled {
        /// Since when.
        at: Timestamp,
        /// Why.
        reason: DisabledReason,
    },
}

/// Why a webhook is sent nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DisabledReason {
    /// An administrator wants it so.
    ByHand,
    /// The receiver answered 410: it wants nothing any more.
    Gone,
}

impl DisabledReason {
    /// Its written form.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ByHand => "by-hand",
            Self::Gone => "gone",
        }
    }

    /// The one with this written form.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::ByHand, Self::Gone]
            .into_iter()
            .find(|one| one.name() == name)
    }
}

/// What an administrator says of a new webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookDraft {
    /// Where to.
    pub url: WebhookUrl,
    /// What for, in the administrator's words; at most [`crate::limits::MAX_WEBHOOK_DESCRIPTION_CHARS`] characters.
    pub description: Box<str>,
    /// What it is sent.
    pub kinds: WebhookKinds,
    /// What it is signed with.
    pub secret: WebhookSecret,
}

/// An endpoint that is told what happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Which one.
    pub id: WebhookId,
    /// 1 when created, one more with every change.
    pub revision: u32,
    /// Where to.
    pub url: WebhookUrl,
    /// What for.
    pub description: Box<str>,
    /// What it is sent.
    pub kinds: WebhookKinds,
    /// What it is signed with.
    pub secrets: WebhookSecrets,
    /// Whether it is sent anything.
    pub state: WebhookState,
    /// When it was created.
    pub created_at: Timestamp,
}

impl Webhook {
    /// A new one.
    pub fn new(id: WebhookId, draft: WebhookDraft, created_at: Timestamp) -> Self {
        Self {
            id,
            revision: 1,
            url: draft.url,
            description: draft.description,
            kinds: draft.kinds,
            secrets: WebhookSecrets {
                current: draft.secret,
                previous: None,
            },
            state: WebhookState::Enabled,
            created_at,
        }
    }

    /// Whether it is told of this kind.
    pub fn wants(&self, kind: NotificationKind) -> bool {
        self.state == WebhookState::Enabled && self.kinds.contains(kind)
    }

    /// The next revision, disabled; one that is disabled already keeps its time and reason.
    #[must_use]
    pub fn disabled(mut self, at: Timestamp, reason: DisabledReason) -> Self {
        if self.state == WebhookState::Enabled {
            self.state = WebhookState::Disabled { at, reason };
        }
        self.next()
    }

    /// The next revision, enabled.
    #[must_use]
    pub fn enabled(mut self) -> Self {
        self.state = WebhookState::Enabled;
        self.next()
    }

    /// The next revision, with another secret.
    #[must_use]
    pub fn rotated(mut self, fresh: WebhookSecret, now: Timestamp, overlap: Span) -> Self {
        self.secrets = self.secrets.rotated(fresh, now, overlap);
        self.next()
    }

    /// The same as the next revision.
    #[must_use]
    pub fn next(mut self) -> Self {
        self.revision = self.revision.saturating_add(1);
        self
    }
}

/// Keeps webhooks, with their secrets.
///
/// Every implementation MUST keep these, and `contract::addresses` examines each:
///
/// 1. **Durable.** When a method returns, what it changed is durable; when it fails, nothing or everything of it is.
/// 2. **Exact.** What is read is what was written, to the last byte.
/// 3. **Ids.** Each is given once; that of a deleted webhook is not given again.
/// 4. **One change at a time.** Of several who change the same revision, one succeeds.
/// 5. **Bounded.** There are never more than [`crate::limits::MAX_WEBHOOKS`].
/// 6. **Logged.** What an administrator did is in the [`crate::AuditLog`] by the same transaction; what nobody ordered (a
///    receiver that wants nothing any more) is not.
#[async_trait]
pub trait WebhookStore: Send + Sync + 'static {
    /// Keeps a new webhook and gives it an id; `None` when there are as many as may be.
    async fn add_webhook(
        &self,
        draft: &WebhookDraft,
        created_at: Timestamp,
        origin: &Origin,
    ) -> Result<Option<Webhook>, StoreError>;

    /// All, in order of id.
    async fn webhooks(&self) -> Result<Vec<Webhook>, StoreError>;

    /// One; `None` when there is no such webhook.
    async fn webhook(&self, id: WebhookId) -> Result<Option<Webhook>, StoreError>;

    /// Puts `next` in the place of the revision before it. Says whether that one was there. `by` is who ordered it when,
    /// if anybody did.
    async fn change_webhook(
        &self,
        next: &Webhook,
        by: Option<(&Origin, Timestamp)>,
    ) -> Result<bool, StoreError>;

    /// Deletes one. Says whether it was there.
    async fn delete_webhook(
        &self,
        id: WebhookId,
        deleted_at: Timestamp,
        origin: &Origin,
    ) -> Result<bool, StoreError>;
}

/// Reaches webhooks out of turn, for administrators.
#[async_trait]
pub trait WebhookPost: Send + Sync + 'static {
    /// Whether this server sends to such a URL, as far as can be told without asking for names: a name may lead to an
    /// address that is refused when it is sent to.
    fn accepts(&self, url: &WebhookUrl) -> Result<(), WebhookUrlError>;

    /// Sends a ping, whatever the state of the webhook, and says what came of it. A ping is tried once and kept
    /// nowhere. `id` is its `webhook-id`: lower-case letters, digits and hyphens, another one for each ping.
    async fn ping(&self, webhook: &Webhook, id: &str, now: Timestamp) -> ChannelOutcome;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_absolute_and_carries_no_credentials() {
        let longest = format!("https://example.com/{}", "a".repeat(2_028));
        for accepted in [
            "https://example.com",
            "http://127.0.0.1:8080/hook?a=b",
            "https://[::1]/",
            longest.as_str(),
        ] {
            assert_eq!(WebhookUrl::parse(accepted).unwrap().as_str(), accepted);
        }
        let too_long = format!("{longest}a");
        assert_eq!(WebhookUrl::parse(too_long), Err(WebhookUrlError::TooLong));
        for refused in [
            "",
            "example.com",
            "ftp://example.com/",
            "HTTPS://example.com/",
            "https://",
            "https:///path",
            "https://user:password@example.com/",
            "https://example.com@evil.example/",
            "https://example.com/#top",
            "https://example.com\\@evil.example/",
            "https://example.com/a b",
            "https://example.com/\r\nx-header: 1",
            "https://쿠폰.example/",
        ] {
            assert_eq!(
                WebhookUrl::parse(refused),
                Err(WebhookUrlError::NotAUrl),
                "{refused:?}"
            );
        }
    }

    #[test]
    fn after_a_rotation_two_secrets_are_live_and_never_three() {
        let at = Timestamp::saturating_from_micros;
        let secret = |byte| WebhookSecret::new([byte; 32]);
        let secrets = WebhookSecrets {
            current: secret(1),
            previous: None,
        };
        let live = |secrets: &WebhookSecrets, now| secrets.live(at(now)).cloned().collect::<Vec<_>>();
        assert_eq!(live(&secrets, 0), [secret(1)]);

        let overlap = Span::from_micros(10).unwrap();
        let secrets = secrets.rotated(secret(2), at(100), overlap);
        assert_eq!(live(&secrets, 109), [secret(2), secret(1)]);
        assert_eq!(live(&secrets, 110), [secret(2)]);

        let secrets = secrets.rotated(secret(3), at(105), overlap);
        assert_eq!(live(&secrets, 105), [secret(3), secret(2)]);
    }

    #[test]
    fn a_secret_shows_itself_in_no_debug_output() {
        let secret = WebhookSecret::new([0xab; 32]);
        assert_eq!(format!("{secret:?}"), "WebhookSecret(..)");
    }

    #[test]
    fn a_disabled_webhook_keeps_its_first_reason_and_wants_nothing() {
        let draft = WebhookDraft {
            url: WebhookUrl::parse("https://example.com/").unwrap(),
            description: "".into(),
            kinds: WebhookKinds::some([NotificationKind::Redeemed, NotificationKind::Issued]).unwrap(),
            secret: WebhookSecret::new([1; 32]),
        };
        let at = Timestamp::saturating_from_micros;
        let webhook = Webhook::new(WebhookId::new(1).unwrap(), draft, at(1));
        assert!(webhook.wants(NotificationKind::Issued) && !webhook.wants(NotificationKind::SoldOut));

        let gone = webhook.disabled(at(2), DisabledReason::Gone);
        assert!(!gone.wants(NotificationKind::Issued));
        let again = gone.disabled(at(3), DisabledReason::ByHand);
        let (revision, state) = (again.revision, again.state);
        assert_eq!(
            (revision, state),
            (
                3,
                WebhookState::Disabled {
                    at: at(2),
                    reason: DisabledReason::Gone
                }
            )
        );
        assert!(again.enabled().wants(NotificationKind::Redeemed));
    }
}
