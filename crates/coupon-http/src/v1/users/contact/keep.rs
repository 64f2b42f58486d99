//! `PUT /v1/users/{userId}/contact`.

use super::{user, writing_failed};
use crate::auth::Service;
use crate::error::{Problem, Wrong, WrongRule};
use crate::extract::{NoQuery, SmallBody};
use crate::reply::Reply;
use crate::station::Station;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::IntoResponse as _;
use coupon_api::ContactBody;
use coupon_core::limits::MAX_PERSON_NAME_BYTES;
use coupon_core::{Contact, EmailAddress, Language, PersonName};
use http::StatusCode;
use std::borrow::Cow;
use std::sync::Arc;

/// Say how a user is reached by mail, for a service; best before issuing. What was said before is forgotten.
///
/// It counts where this server is not set to ask the shop instead.
#[utoipa::path(
    put,
    path = "/v1/users/{userId}/contact",
    tag = "wallet",
    operation_id = "keepContact",
    security(("apiKey" = ["issue", "redeem"])),
    params(("userId" = String, Path, description = "Which user, percent-encoded")),
    request_body(content = ContactBody, content_type = "application/json"),
    responses(
        (status = 204, description = "Kept"),
        (status = "4XX", description = "Refused", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 500, description = "`indeterminate`", body = coupon_api::Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = coupon_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn keep_contact(
    _: Service,
    _: NoQuery,
    State(station): State<Arc<Station>>,
    path: Result<Path<String>, PathRejection>,
    SmallBody(body): SmallBody<ContactBody>,
) -> Reply {
    let user = user(path)?;
    let contact = contact(body)?;
    let kept = station.hall.contacts.keep_contact(&user, &contact).await;
    kept.map_err(|error| writing_failed(&error))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn contact(body: ContactBody) -> Result<Contact, Problem> {
    let mut wrong = Vec::new();
    let mut add = |field, rule| {
        wrong.push(Wrong {
            field: Cow::Borrowed(field),
            rule,
        });
    };
    let email = EmailAddress::parse(body.email)
        .map_err(|_no_address| add("email", WrongRule::NotAnAddress))
        .ok();
    let name = body.name.map(PersonName::parse).transpose();
    let name = name.unwrap_or_else(|_no_name| {
        let (min, max) = (1, MAX_PERSON_NAME_BYTES);
        add("name", WrongRule::PersonName { min, max });
        None
    });
    let language = body.language.map(|language| match language {
        coupon_api::Language::English => Language::English,
        coupon_api::Language::Korean => Language::Korean,
    });
    match email {
        Some(email) if wrong.is_empty() => Ok(Contact {
            email,
            name,
            language,
        }),
        Some(_) | None => Err(Problem::InvalidValues(wrong)),
    }
}
