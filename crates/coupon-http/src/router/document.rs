//! What the document says of many operations alike: refusals that come before any handler, and the headers of answers.

use utoipa::openapi::path::Operation;
use utoipa::openapi::{
    ContentBuilder, Header, HeaderBuilder, Object, OpenApi, Ref, RefOr, Response, ResponseBuilder, Type,
};

/// What may be wrong with every request.
const REQUEST: &str = "`invalid-header`, `invalid-parameter`";
/// What may be wrong with one that begins somewhere.
const CURSOR: &str = "`invalid-cursor`";
/// What may be wrong with the syntax, types and fields of a body.
const BODY: &str = "`malformed-json`, `not-an-object`, `too-deep`, `number-too-large`, `wrong-type`, \
     `unknown-field`, `repeated-field`, `missing-field`, `incomplete-body`";

/// Adds to every operation of the interface what it does not say itself.
pub(super) fn complete(document: &mut OpenApi) {
    let paths = document.paths.paths.iter_mut();
    for (_, item) in paths.filter(|(path, _)| path.starts_with("/v1/")) {
        let operations = [
            &mut item.get,
            &mut item.put,
            &mut item.post,
            &mut item.patch,
            &mut item.delete,
        ];
        for operation in operations.into_iter().flatten() {
            add_refusals(operation);
            add_headers(operation);
        }
    }
}

fn takes(operation: &Operation, name: &str) -> bool {
    let mut parameters = operation.parameters.iter().flatten();
    parameters.any(|parameter| matches!(parameter, RefOr::T(parameter) if parameter.name == name))
}

fn is(operation: &Operation, id: &str) -> bool {
    operation.operation_id.as_deref() == Some(id)
}

fn add_refusals(operation: &mut Operation) {
    let mut wrong = Vec::new();
    let mut refusals = Vec::new();
    if operation.request_body.is_some() {
        wrong.push(BODY);
        refusals.extend([
            ("408", "`request-timeout`"),
            ("413", "`too-large`"),
            ("415", "`unsupported-media-type`"),
            (
                "422",
                if takes(operation, "Idempotency-Key") {
                    "`invalid-values`, `idempotency-key-reused`"
                } else {
                    "`invalid-values`"
                },
            ),
        ]);
    }
    wrong.push(REQUEST);
    if takes(operation, "cursor") {
        wrong.push(CURSOR);
    }
    let wrong = wrong.join(", ");
    refusals.push(("400", &wrong));
    if operation.security.is_some() {
        refusals.extend([
            (
                "401",
                "`authentication-required`, `invalid-credentials`, `token-expired`",
            ),
            ("403", "`wrong-scope`"),
        ]);
    }
    if is(operation, "lookUpIssuedCoupon") {
        refusals.push(("429", "`rate-limited`: too many wrong codes"));
    }
    for (status, codes) in refusals {
        let responses = &mut operation.responses.responses;
        let said = responses.entry(status.to_owned());
        said.or_insert_with(|| RefOr::T(refusal(codes)));
    }
}

fn refusal(codes: &str) -> Response {
    let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem")));
    ResponseBuilder::new()
        .description(codes)
        .content("application/problem+json", problem.build())
        .build()
}

fn add_headers(operation: &mut Operation) {
    let repeatable = takes(operation, "Idempotency-Key");
    let issues = is(operation, "issueCoupon");
    let limited = issues || is(operation, "lookUpIssuedCoupon");
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else {
            continue;
        };
        let done = status.starts_with('2');
        let tagged = done && response.description.contains("`ETag`");
        let waits = matches!(status.as_str(), "429" | "503") || (issues && status == "403");
        for (here, name, description) in [
            (tagged, "ETag", "The revision, for `If-Match`"),
            (tagged && status == "201", "Location", "The path of what was made"),
            (
                done && repeatable,
                "Idempotent-Replayed",
                "`true` if the answer to an earlier request with this key is given again",
            ),
            (
                waits,
                "Retry-After",
                "Seconds to wait; for 403 with `not-yet-open` only",
            ),
            (
                limited && (done || status == "429"),
                "RateLimit-Policy",
                "The limit, where there is one",
            ),
            (
                limited && (done || status == "429"),
                "RateLimit",
                "What is left of it",
            ),
        ] {
            if here {
                let known = response.headers.entry(name.to_owned());
                known.or_insert_with(|| RefOr::T(header(description)));
            }
        }
    }
}

fn header(description: &str) -> Header {
    HeaderBuilder::new()
        .schema(Some(Object::with_type(Type::String)))
        .description(Some(description))
        .build()
}
