//! The audit log: what administrators did, who, when, by which request, and what it was before and after.

use crate::{DeliveryId, DeliveryState, KeyId, KeyRecord, Scope, StoreError, Webhook, WebhookState};
use async_trait::async_trait;
use coupon_core::{Command, Coupon, CouponId, IssuedCoupon, IssuedCouponId, Timestamp};
use serde::{Deserialize, Serialize};

/// What is read of the audit log, and what every store that holds one MUST keep; `contract::store::audit` examines it.
///
/// 1. **Together.** An entry is written in the transaction that writes what it tells of: the revision of a coupon, the
///    making or revoking of a key, the step of an issued coupon, every change of a webhook by an administrator, the
///    replay of a delivery that is named. There is never one without the other. Only of dead letters, most of which lie
///    elsewhere, the entry comes first ([`AuditLog::note_dead_letters`]): it tells what was asked for.
/// 2. **Once.** A redelivery, a replay, a refusal and what changed nothing leave no entry.
/// 3. **Whole.** An entry names the key that did it, never its secret, the request's id where there was one, and what it
///    was before and after.
/// 4. **For good.** Entries are neither changed nor removed.
///
/// Where a ledger decides ahead of its store, the entry arrives with the record: the journal and the stream carry the
/// [`Origin`], so that a crash in between loses neither.
#[async_trait]
pub trait AuditLog: Send + Sync + 'static {
    /// A page of the log, the newest first.
    async fn audit_log(&self, filter: &AuditFilter) -> Result<Vec<AuditEntry>, StoreError>;

    /// Writes that dead letters, up to this one, are about to be replayed ([`AuditAction::DeadLettersReplayed`]) or
    /// dismissed. Durable when it returns, so that none is touched without an entry.
    async fn note_dead_letters(
        &self,
        action: AuditAction,
        through: &str,
        at: Timestamp,
        origin: &Origin,
    ) -> Result<(), StoreError>;
}

/// Where a command came from. It goes with the command's record from the ledger to the store.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Origin {
    /// The key that gave it.
    #[serde(rename = "actor")]
    pub key: KeyId,
    /// The id of the request, if it came by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Box<str>>,
    /// What it was; unknown of records that were written before it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<AuditAction>,
    /// The coupon whose terms a new one took over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloned_from: Option<CouponId>,
}

impl Origin {
    /// Of a command that came by a request.
    pub fn of_request(key: KeyId, request: &str) -> Self {
        Self {
            key,
            request: Some(request.into()),
            action: None,
            cloned_from: None,
        }
    }

    /// The same, of this command.
    #[must_use]
    pub fn of_command(mut self, command: &Command, cloned_from: Option<CouponId>) -> Self {
        self.cloned_from = cloned_from;
        self.action = Some(match command {
            Command::Create(_) if cloned_from.is_some() => AuditAction::CouponCloned,
            Command::Create(_) => AuditAction::CouponCreated,
            Command::Change(_) => AuditAction::CouponChanged,
            Command::Pause => AuditAction::CouponPaused,
            Command::Resume => AuditAction::CouponResumed,
            Command::Close => AuditAction::CouponClosed,
            Command::Delete => AuditAction::CouponDeleted,
        });
        self
    }

    /// What was done to a coupon that it left as it is now: what the command said, or, if that was not kept, whether
    /// it was the first revision.
    pub fn action_on(&self, coupon: &Coupon) -> AuditAction {
        self.action.unwrap_or(if coupon.revision == 1 {
            AuditAction::CouponCreated
        } else {
            AuditAction::CouponChanged
        })
    }
}

impl From<&str> for Origin {
    /// Of a key, by no request.
    fn from(key: &str) -> Self {
        Self {
            key: key.into(),
            request: None,
            action: None,
            cloned_from: None,
        }
    }
}

impl From<String> for Origin {
    fn from(key: String) -> Self {
        Self::from(&*key)
    }
}

macro_rules! actions {
    ($($(#[$doc:meta])* $action:ident = $name:literal,)*) => {
        /// What was done.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum AuditAction {
            $($(#[$doc])* #[serde(rename = $name)] $action,)*
        }

        impl AuditAction {
            /// Each of them.
            pub const ALL: &[Self] = &[$(Self::$action,)*];

            /// Its written form.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$action => $name,)*
                }
            }
        }
    };
}

actions! {
    /// A coupon was published.
    CouponCreated = "coupon.created",
    /// A coupon was published with the terms of another.
    CouponCloned = "coupon.cloned",
    /// Terms of a coupon were changed.
    CouponChanged = "coupon.changed",
    /// A coupon was paused.
    CouponPaused = "coupon.paused",
    /// A coupon was resumed.
    CouponResumed = "coupon.resumed",
    /// A coupon was closed for good.
    CouponClosed = "coupon.closed",
    /// A coupon was deleted.
    CouponDeleted = "coupon.deleted",
    /// An administrator redeemed an issued coupon for its holder.
    IssuedCouponRedeemed = "issued_coupon.redeemed",
    /// An administrator gave the use of an issued coupon back.
    RedemptionCancelled = "issued_coupon.redemption_cancelled",
    /// An issued coupon was taken back.
    IssuedCouponRevoked = "issued_coupon.revoked",
    /// An API key was made.
    KeyCreated = "key.created",
    /// An API key was revoked.
    KeyRevoked = "key.revoked",
    /// A webhook was made.
    WebhookCreated = "webhook.created",
    /// A webhook was changed, switched off or on.
    WebhookChanged = "webhook.changed",
    /// A webhook got another secret.
    WebhookSecretRotated = "webhook.secret_rotated",
    /// A webhook was deleted.
    WebhookDeleted = "webhook.deleted",
    /// A delivery that had come to an end is tried again.
    DeliveryReplayed = "delivery.replayed",
    /// Dead letters were to be brought again.
    DeadLettersReplayed = "dead_letters.replayed",
    /// Dead letters were to be taken off the list.
    DeadLettersDismissed = "dead_letters.dismissed",
}

impl AuditAction {
    /// The action with this written form.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|action| action.name() == name)
    }
}

impl From<&coupon_core::Step> for AuditAction {
    fn from(step: &coupon_core::Step) -> Self {
        match step {
            coupon_core::Step::Redeemed { .. } => Self::IssuedCouponRedeemed,
            coupon_core::Step::Cancelled { .. } => Self::RedemptionCancelled,
            coupon_core::Step::Revoked => Self::IssuedCouponRevoked,
        }
    }
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its number, which no other entry has. Numbers grow with the order of writing, but need not be without gap.
    pub number: u64,
    /// When it was done, by the clock that judged it.
    pub at: Timestamp,
    /// Which key did it.
    pub actor: KeyId,
    /// The id of the request.
    pub request: Option<Box<str>>,
    /// What was done.
    pub action: AuditAction,
    /// To what, and how it was before and after.
    pub change: AuditedChange,
}

/// What an action changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditedChange {
    /// A coupon.
    Coupon {
        /// As it was; nothing of a new one. A revision that has not arrived yet is missing here until it does.
        before: Option<Box<Coupon>>,
        /// As it was left.
        after: Box<Coupon>,
        /// How many were issued at that moment.
        issued: u32,
        /// The coupon whose terms it took over.
        cloned_from: Option<CouponId>,
    },
    /// An issued coupon.
    IssuedCoupon {
        /// Which.
        id: IssuedCouponId,
        /// As it was.
        before: AuditedUse,
        /// As it was left.
        after: AuditedUse,
    },
    /// An API key.
    Key {
        /// Which.
        id: KeyId,
        /// As it was; nothing of a new one.
        before: Option<AuditedKey>,
        /// As it was left.
        after: AuditedKey,
    },
    /// How notifications are brought, or what could not be.
    Matter(AuditedMatter),
}

/// What an action changed that is neither a coupon nor a key, in the form in which it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuditedMatter {
    /// A webhook.
    Webhook {
        /// Which.
        id: u32,
        /// As it was; nothing of a new one.
        before: Option<AuditedWebhook>,
        /// As it was left; nothing of a deleted one.
        after: Option<AuditedWebhook>,
    },
    /// A delivery, which waits to be tried from then on.
    Delivery {
        /// What it tells.
        notification: Box<str>,
        /// By which channel.
        channel: Box<str>,
        /// Whom.
        recipient: Box<str>,
        /// The state in which it was.
        before: Box<str>,
    },
    /// Dead letters.
    DeadLetters {
        /// The last of them.
        through: Box<str>,
    },
}

impl AuditedMatter {
    /// What was done to a webhook, of which one is missing that is new or deleted.
    pub fn of_webhook(before: Option<&Webhook>, after: Option<&Webhook>) -> (AuditAction, Self) {
        let action = match (before, after) {
            (None, _) => AuditAction::WebhookCreated,
            (Some(_), None) => AuditAction::WebhookDeleted,
            (Some(before), Some(after)) if before.secrets.current != after.secrets.current => {
                AuditAction::WebhookSecretRotated
            }
            (Some(_), Some(_)) => AuditAction::WebhookChanged,
        };
        let matter = Self::Webhook {
            id: after.or(before).map_or(0, |webhook| webhook.id.get()),
            before: before.map(AuditedWebhook::from),
            after: after.map(AuditedWebhook::from),
        };
        (action, matter)
    }

    /// That a delivery which stood so is tried again.
    pub fn of_delivery(delivery: &DeliveryId, before: DeliveryState) -> (AuditAction, Self) {
        let matter = Self::Delivery {
            notification: delivery.notification.to_string().into(),
            channel: delivery.channel.clone(),
            recipient: delivery.recipient.as_str().into(),
            before: before.name().into(),
        };
        (AuditAction::DeliveryReplayed, matter)
    }
}

/// A webhook without anything that could be used: no secret, and of its URL nothing behind the path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditedWebhook {
    /// Where to, without the query: that is where receivers like to put a token.
    pub url: Box<str>,
    /// What for.
    pub description: Box<str>,
    /// What it is sent, as [`crate::WebhookKinds::written`].
    pub kinds: Box<str>,
    /// Until when the secret before the present one is live.
    pub previous_secret_until: Option<Timestamp>,
    /// Since when it is sent nothing, if it is not.
    pub disabled_at: Option<Timestamp>,
    /// Why.
    pub disabled_reason: Option<Box<str>>,
}

impl From<&Webhook> for AuditedWebhook {
    fn from(webhook: &Webhook) -> Self {
        let url = webhook.url.as_str();
        let (disabled_at, disabled_reason) = match webhook.state {
            WebhookState::Enabled => (None, None),
            WebhookState::Disabled { at, reason } => (Some(at), Some(reason.name().into())),
        };
        Self {
            url: url.split('?').next().unwrap_or(url).into(),
            description: webhook.description.clone(),
            kinds: webhook.kinds.written().into(),
            previous_secret_until: webhook.secrets.previous.as_ref().map(|(_, until)| *until),
            disabled_at,
            disabled_reason,
        }
    }
}

/// What has become of an issued coupon. Its holder is not named: the log is kept for good.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditedUse {
    /// When it was redeemed, if it is.
    pub redeemed_at: Option<Timestamp>,
    /// On which order.
    pub order: Option<Box<str>>,
    /// When it was revoked, if it is.
    pub revoked_at: Option<Timestamp>,
}

impl From<&IssuedCoupon> for AuditedUse {
    fn from(issued: &IssuedCoupon) -> Self {
        let redemption = issued.redemption.as_ref();
        Self {
            redeemed_at: redemption.map(|redemption| redemption.redeemed_at),
            order: redemption.map(|redemption| redemption.order.id.as_str().into()),
            revoked_at: issued.revoked_at,
        }
    }
}

/// An API key without anything that could be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditedKey {
    /// What administrators call it.
    pub name: Box<str>,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
}

impl From<&KeyRecord> for AuditedKey {
    fn from(key: &KeyRecord) -> Self {
        Self {
            name: key.name.clone(),
            scopes: key.scopes.clone(),
            expires_at: key.expires_at,
            revoked_at: key.revoked_at,
        }
    }
}

/// Where a page of the log begins: after this entry, in the order newest first, then highest number first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditCursor {
    /// The last one's time.
    pub at: Timestamp,
    /// The last one's number.
    pub number: u64,
}

/// Which entries are asked for: those to which everything that is given applies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Only those about this coupon and what was issued of it.
    pub coupon: Option<CouponId>,
    /// Only what this key did.
    pub actor: Option<KeyId>,
    /// Only this.
    pub action: Option<AuditAction>,
    /// Only from this instant on.
    pub from: Option<Timestamp>,
    /// Only before this instant.
    pub until: Option<Timestamp>,
    /// Only those after this one.
    pub after: Option<AuditCursor>,
    /// At most so many.
    pub limit: usize,
}

impl AuditEntry {
    /// The coupon that it is about, if it is about one.
    pub fn coupon(&self) -> Option<CouponId> {
        match &self.change {
            AuditedChange::Coupon { after, .. } => Some(after.id),
            AuditedChange::IssuedCoupon { id, .. } => Some(id.coupon),
            AuditedChange::Key { .. } | AuditedChange::Matter(_) => None,
        }
    }
}
