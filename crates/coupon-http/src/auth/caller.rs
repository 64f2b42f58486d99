//! A caller whose credential has been checked.

use super::keys::LiveKey;
use super::token::CheckedToken;
use crate::error::Problem;
use crate::language::Language;
use coupon_app::Scope;
use coupon_core::UserId;
use std::sync::Arc;

/// Who calls.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    /// A user, by a token.
    User(Arc<CheckedToken>),
    /// A service or an administrator, by an API key.
    Key(Arc<LiveKey>),
}

/// What a request takes of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// A user, or a key with scope `issue`.
    Issue,
    /// A user, or a key with scope `issue` or `redeem`.
    See,
    /// A user, or a key with scope `redeem`.
    Redeem,
    /// A key with scope `redeem`.
    GiveBack,
    /// A key with scope `issue` or `redeem`.
    Service,
    /// A user.
    User,
    /// A key with scope `admin`.
    Admin,
}

impl Need {
    /// What it takes, in words.
    pub(crate) const fn in_words(self, language: Language) -> &'static str {
        let (en, ko) = match self {
            Self::Issue => (
                "a user's token or an API key with scope issue",
                "사용자 토큰 또는 issue 권한의 API 키",
            ),
            Self::See => (
                "a user's token or an API key with scope issue or redeem",
                "사용자 토큰 또는 issue나 redeem 권한의 API 키",
            ),
            Self::Redeem => (
                "a user's token or an API key with scope redeem",
                "사용자 토큰 또는 redeem 권한의 API 키",
            ),
            Self::GiveBack => ("an API key with scope redeem", "redeem 권한의 API 키"),
            Self::Service => (
                "an API key with scope issue or redeem",
                "issue나 redeem 권한의 API 키",
            ),
            Self::User => ("a user's token", "사용자 토큰"),
            Self::Admin => ("an API key with scope admin", "admin 권한의 API 키"),
        };
        match language {
            Language::English => en,
            Language::Korean => ko,
        }
    }

    const fn allows_user(self) -> bool {
        matches!(self, Self::Issue | Self::See | Self::Redeem | Self::User)
    }

    /// Scope `admin` includes the others.
    const fn scopes(self) -> &'static [Scope] {
        match self {
            Self::Issue => &[Scope::Admin, Scope::Issue],
            Self::See | Self::Service => &[Scope::Admin, Scope::Issue, Scope::Redeem],
            Self::Redeem | Self::GiveBack => &[Scope::Admin, Scope::Redeem],
            Self::User => &[],
            Self::Admin => &[Scope::Admin],
        }
    }
}

impl Caller {
    /// The user, unless a key calls.
    pub(crate) fn user(&self) -> Option<&UserId> {
        match self {
            Self::User(token) => Some(&token.user),
            Self::Key(_) => None,
        }
    }

    /// Whether the caller may.
    pub(crate) fn may(&self, need: Need) -> Result<(), Problem> {
        let permitted = match self {
            Self::User(_) => need.allows_user(),
            Self::Key(key) => need
                .scopes()
                .iter()
                .any(|scope| key.record.scopes.contains(scope)),
        };
        if permitted {
            Ok(())
        } else {
            Err(Problem::WrongScope { need })
        }
    }
}
