//! The audit log: what administrators did, who, when, by which request, and what it was before and after.

use crate::{KeyId, KeyRecord, Scope, StoreError};
use async_trait::async_trait;
use coupon_core::{Command, Coupon, CouponId, IssuedCoupon, IssuedCouponId, Timestamp};
use serde::{Deserialize, Serialize};

/// What is read of the audit log, and what every store that holds one MUST keep; `contract::store::audit` examines it.
///
/// 1. **Together.** An entry is written in the transaction that writes what it tells of: the revision of a coupon, the
///    making or revoking of a key, the step of an issued coupon. There is never one without the other.
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
            AuditedChange::Key { .. } => None,
        }
    }
}
