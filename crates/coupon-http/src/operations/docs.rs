//! `GET /docs`: Swagger UI. Its files are compiled in; nothing is fetched from anywhere.

use crate::error::Problem;
use crate::reply::Reply;
use axum::body::Body;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::response::{IntoResponse, Redirect, Response};
use http::HeaderValue;
use http::header::{
    CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use std::sync::{Arc, LazyLock};
use utoipa_swagger_ui::Config;

/// Nothing but this server's own files. Swagger UI sets styles on elements, so inline styles must be allowed; scripts
/// are not.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| Arc::new(Config::from("/openapi.json")));

/// The documentation's pages.
#[utoipa::path(
    get,
    path = "/docs",
    tag = "operations",
    operation_id = "docs",
    responses((status = 303, description = "To `/docs/`")),
)]
pub(crate) async fn docs() -> Redirect {
    Redirect::to("/docs/")
}

/// The documentation's first page.
#[utoipa::path(
    get,
    path = "/docs/",
    tag = "operations",
    operation_id = "docsIndex",
    responses((status = 200, description = "Swagger UI", body = String, content_type = "text/html")),
)]
pub(crate) async fn docs_index() -> Reply {
    serve("index.html")
}

/// A file of the documentation's pages.
#[utoipa::path(
    get,
    path = "/docs/{file}",
    tag = "operations",
    operation_id = "docsFile",
    params(("file" = String, Path, description = "Which file")),
    responses(
        (status = 200, description = "The file", body = String),
        (status = 404, description = "`unknown-path`", body = coupon_api::Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn docs_file(path: Result<Path<String>, PathRejection>) -> Reply {
    let Path(file) = path.map_err(|_not_utf_8| Problem::UnknownPath)?;
    serve(&file)
}

fn serve(file: &str) -> Reply {
    let found = utoipa_swagger_ui::serve(file, Arc::clone(&CONFIG));
    let file = found.ok().flatten().ok_or(Problem::UnknownPath)?;
    let mut response: Response = Body::from(file.bytes.into_owned()).into_response();
    let headers = response.headers_mut();
    if let Ok(kind) = HeaderValue::try_from(file.content_type) {
        headers.insert(CONTENT_TYPE, kind);
    }
    if file.gzpipped {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok(response)
}
