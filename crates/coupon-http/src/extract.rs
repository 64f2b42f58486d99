//! What handlers take: ids in paths, bodies, and administrators' commands.

use crate::auth::{Administrator, Caller, Need};
use crate::body;
use crate::error::{Problem, Wrong, WrongRule};
use crate::idempotency;
use crate::json;
use crate::limits::{ADMIN_BODY_BYTES, ISSUE_BODY_BYTES};
use crate::media;
use crate::page::no_query;
use crate::request_id::RequestId;
use crate::serve::Watch;
use crate::station::Station;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use coupon_app::{CommandToken, Origin, RedemptionAction, RedemptionRequest};
use coupon_core::{Actor, CouponId, IssuedCouponId, UserId};
use http::HeaderMap;
use http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// The id of a coupon in the path. What is none is a coupon that does not exist.
pub(crate) struct CouponPath(pub(crate) CouponId);

/// The id of an issued coupon in the path.
pub(crate) struct IssuedPath(pub(crate) IssuedCouponId);

async fn only_path_parameter(parts: &mut Parts, station: &Arc<Station>) -> Option<String> {
    let path = Path::<String>::from_request_parts(parts, station).await;
    path.ok().map(|Path(text)| text)
}

impl FromRequestParts<Arc<Station>> for CouponPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, station: &Arc<Station>) -> Result<Self, Problem> {
        let text = only_path_parameter(parts, station).await;
        text.and_then(|text| text.parse().ok())
            .map(Self)
            .ok_or(Problem::UnknownCoupon)
    }
}

impl FromRequestParts<Arc<Station>> for IssuedPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, station: &Arc<Station>) -> Result<Self, Problem> {
        let text = only_path_parameter(parts, station).await;
        text.and_then(|text| text.parse().ok())
            .map(Self)
            .ok_or(Problem::UnknownIssuedCoupon)
    }
}

/// No query string.
pub(crate) struct NoQuery;

impl FromRequestParts<Arc<Station>> for NoQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Station>) -> Result<Self, Problem> {
        no_query(parts.uri.query()).map(|()| Self)
    }
}

/// A small JSON body.
pub(crate) struct SmallBody<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Arc<Station>> for SmallBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Arc<Station>) -> Result<Self, Problem> {
        let (head, body) = request.into_parts();
        let bytes = read_body(&head, body, ISSUE_BODY_BYTES).await?;
        if !bytes.is_empty() {
            media::require_json(&head.headers)?;
        }
        json::read(&bytes).map(Self)
    }
}

/// The body of a command that says everything by its path.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoFields {}

/// An administrator's command: who, what, and the headers that go with it.
pub(crate) struct Command<T> {
    /// Who, and by which request.
    pub(crate) origin: Origin,
    /// What.
    pub(crate) body: T,
    /// The idempotency key, if one came.
    pub(crate) token: Option<CommandToken>,
    /// For `If-Match`.
    pub(crate) headers: HeaderMap,
}

impl<T: DeserializeOwned> FromRequest<Arc<Station>> for Command<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, station: &Arc<Station>) -> Result<Self, Problem> {
        let (mut head, body) = request.into_parts();
        let Administrator { id } = Administrator::from_request_parts(&mut head, station).await?;
        no_query(head.uri.query())?;
        let bytes = read_body(&head, body, ADMIN_BODY_BYTES).await?;
        if !bytes.is_empty() {
            if head.method == http::Method::PATCH {
                media::require_json_or_merge_patch(&head.headers)?;
            } else {
                media::require_json(&head.headers)?;
            }
        }
        let token = idempotency::token(&head, &bytes, &id)?;
        Ok(Self {
            origin: Origin::of_request(id, &RequestId::of(&head.extensions)),
            body: json::read(&bytes)?,
            token,
            headers: head.headers,
        })
    }
}

/// Who asks to use an issued coupon, to give the use back, or to take it away, and for whom.
pub(crate) struct Asked {
    /// A user, who has their own only; nobody for a key, which acts for all.
    pub(crate) user: Option<UserId>,
    /// For the history.
    pub(crate) actor: Actor,
    /// For the audit log, if it is an administrator: the id of the request.
    audit: Option<Box<str>>,
    /// The idempotency key, if one came.
    pub(crate) token: Option<CommandToken>,
}

impl Asked {
    /// Reads a request and its body, in the order of the issue path: credential, scope, headers and body.
    pub(crate) async fn read<T: DeserializeOwned>(
        request: Request,
        station: &Station,
        need: Need,
    ) -> Result<(Self, T), Problem> {
        let (head, body) = request.into_parts();
        let caller = station.authenticate(&head.headers)?;
        caller.may(need)?;
        no_query(head.uri.query())?;
        let bytes = read_body(&head, body, ISSUE_BODY_BYTES).await?;
        if !bytes.is_empty() {
            media::require_json(&head.headers)?;
        }
        // A user's id and a key's are told apart, however alike they look.
        let (actor, token) = match &caller {
            Caller::User(checked) => {
                let who = format!("user {}", checked.user.as_str());
                (Actor::Holder, idempotency::token(&head, &bytes, &who)?)
            }
            Caller::Key(key) => {
                let id = &key.record.id;
                (Actor::Key(id.clone()), idempotency::token(&head, &bytes, id)?)
            }
        };
        let user = caller.user().cloned();
        let audit = caller
            .may(Need::Admin)
            .is_ok()
            .then(|| RequestId::of(&head.extensions));
        let asked = Self {
            user,
            actor,
            audit,
            token,
        };
        Ok((asked, json::read_fast(&bytes)?))
    }

    /// For whom. A user's token says it, and the body must not; the body of whoever acts for all may. What is no user's
    /// id is put among what is `wrong`.
    pub(crate) fn user_or(
        &self,
        named: Option<Box<str>>,
        wrong: &mut Vec<Wrong>,
    ) -> Result<Option<UserId>, Problem> {
        let field = "userId";
        match (&self.user, named) {
            (user, None) => Ok(user.clone()),
            (Some(_), Some(_)) => Err(Problem::UnknownField {
                field: field.to_owned(),
            }),
            (None, Some(text)) => {
                let user = UserId::parse(text).map_err(|error| {
                    wrong.push(Wrong {
                        field: field.into(),
                        rule: WrongRule::from(error),
                    });
                });
                Ok(user.ok())
            }
        }
    }

    /// The request to the store that this is.
    pub(crate) fn request(
        self,
        id: IssuedCouponId,
        user: Option<UserId>,
        action: RedemptionAction,
    ) -> RedemptionRequest {
        RedemptionRequest {
            id,
            user,
            action,
            actor: self.actor,
            audit: self.audit,
            token: self.token,
        }
    }
}

async fn read_body(head: &Parts, body: axum::body::Body, limit: usize) -> Result<bytes::Bytes, Problem> {
    let bytes = body::read(body, limit).await?;
    if let Some(watch) = head.extensions.get::<Arc<Watch>>() {
        watch.body_read();
    }
    Ok(bytes)
}

impl<T> Command<T> {
    /// The command without its body, and the body.
    pub(crate) fn take(self) -> (Command<()>, T) {
        let command = Command {
            origin: self.origin,
            body: (),
            token: self.token,
            headers: self.headers,
        };
        (command, self.body)
    }
}
