//! Every route, and the document made of them.
//!
//! `POST /v1/coupons/{couponId}/issues` is answered before the router is asked (see `issue::fast_path`); its route here
//! documents it and takes the odd spellings of its path.

mod document;

use crate::error::Problem;
use crate::operations::{docs, live, metrics, openapi, ready};
use crate::station::Station;
use crate::v1::admin::{
    audit_log, coupons as admin_coupons, dead_letters, issued_coupons as admin_issued_coupons, keys,
    reconciliation, webhooks,
};
use crate::v1::{coupons, issued_coupons, me, users};
use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use std::sync::{Arc, LazyLock};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, OpenApi as Document};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "firstcome",
        description = "Issues limited coupons, first come, first served.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
        version = "1"
    ),
    tags(
        (name = "coupons", description = "Coupons, and issuing them"),
        (name = "wallet", description = "What users hold"),
        (name = "redemption", description = "Using what users hold"),
        (name = "admin", description = "For administrators"),
        (name = "operations", description = "For operators"),
    ),
    modifiers(&Securities),
)]
struct Head;

struct Securities;

impl Modify for Securities {
    fn modify(&self, document: &mut Document) {
        let bearer = |format: &str, description: &str| {
            let scheme = HttpBuilder::new()
                .scheme(HttpAuthScheme::Bearer)
                .bearer_format(format)
                .description(Some(description));
            SecurityScheme::Http(scheme.build())
        };
        let components = document.components.get_or_insert_with(Components::new);
        components.add_security_scheme(
            "userToken",
            bearer("JWT", "A user's token: `sub` is the user id, `exp` is required."),
        );
        components.add_security_scheme(
            "apiKey",
            bearer(
                "API key",
                "`fck_<id>_<secret>`, with the scopes issue, redeem or admin.",
            ),
        );
    }
}

fn routes() -> OpenApiRouter<Arc<Station>> {
    OpenApiRouter::with_openapi(Head::openapi())
        .routes(routes!(coupons::issue::issue_coupon))
        .routes(routes!(coupons::read::get_coupon))
        .routes(routes!(coupons::time::get_coupon_time))
        .routes(routes!(coupons::events::watch_coupon))
        .routes(routes!(me::list_coupons::list_my_coupons))
        .routes(routes!(users::list_coupons::list_user_coupons))
        .routes(routes!(
            users::contact::keep::keep_contact,
            users::contact::forget::forget_contact
        ))
        .routes(routes!(issued_coupons::read::get_issued_coupon))
        .routes(routes!(issued_coupons::lookup::look_up_issued_coupon))
        .routes(routes!(issued_coupons::history::get_history))
        .routes(routes!(issued_coupons::quote::quote))
        .routes(routes!(issued_coupons::redeem::redeem))
        .routes(routes!(issued_coupons::cancel::cancel_redemption))
        .routes(routes!(admin_issued_coupons::revoke::revoke_issued_coupon))
        .routes(routes!(
            admin_coupons::create::create_coupon,
            admin_coupons::list::list_coupons
        ))
        .routes(routes!(
            admin_coupons::read::get_admin_coupon,
            admin_coupons::change::change_coupon,
            admin_coupons::delete::delete_coupon
        ))
        .routes(routes!(admin_coupons::clone::clone_coupon))
        .routes(routes!(admin_coupons::pause::pause_coupon))
        .routes(routes!(admin_coupons::resume::resume_coupon))
        .routes(routes!(admin_coupons::close::close_coupon))
        .routes(routes!(admin_coupons::stats::get_coupon_stats))
        .routes(routes!(admin_coupons::events::watch_coupon_stats))
        .routes(routes!(admin_coupons::list_issued::list_issued_coupons))
        .routes(routes!(admin_coupons::export_issued::export_issued_coupons))
        .routes(routes!(audit_log::list::list_audit_log))
        .routes(routes!(keys::create::create_key, keys::list::list_keys))
        .routes(routes!(keys::revoke::revoke_key))
        .routes(routes!(
            webhooks::create::create_webhook,
            webhooks::list::list_webhooks
        ))
        .routes(routes!(
            webhooks::read::get_webhook,
            webhooks::change::change_webhook,
            webhooks::delete::delete_webhook
        ))
        .routes(routes!(webhooks::rotate::rotate_webhook_secret))
        .routes(routes!(webhooks::ping::ping_webhook))
        .routes(routes!(reconciliation::list::list_reconciliation))
        .routes(routes!(reconciliation::repair::repair_reconciliation))
        .routes(routes!(webhooks::deliveries::list_webhook_deliveries))
        .routes(routes!(webhooks::replay::replay_webhook_delivery))
        .routes(routes!(dead_letters::list::list_dead_letters))
        .routes(routes!(dead_letters::read::get_dead_letter))
        .routes(routes!(dead_letters::replay::replay_dead_letters))
        .routes(routes!(dead_letters::dismiss::dismiss_dead_letters))
        .routes(routes!(live::live))
        .routes(routes!(ready::ready))
        .routes(routes!(metrics::get_metrics))
        .routes(routes!(openapi::get_openapi))
        .routes(routes!(docs::docs))
        .routes(routes!(docs::docs_index))
        .routes(routes!(docs::docs_file))
}

/// The document as text.
pub(crate) static DOCUMENT: LazyLock<String> = LazyLock::new(document_text);

/// The document as it is committed, with a final line break.
pub(crate) fn document_text() -> String {
    let mut document = routes().into_openapi();
    document::complete(&mut document);
    let mut text = document
        .to_pretty_json()
        .expect("a document of maps with texts as keys can be written as JSON");
    text.push('\n');
    text
}

/// Every path, in a fixed order.
pub(crate) fn paths() -> Vec<String> {
    routes().into_openapi().paths.paths.into_keys().collect()
}

/// The router of one loop.
pub(crate) fn router(station: Arc<Station>) -> Router {
    let (router, _) = routes().split_for_parts();
    router
        .layer(from_fn(remember_route))
        .fallback(async || Problem::UnknownPath)
        .method_not_allowed_fallback(async || Problem::MethodNotAllowed)
        .with_state(station)
}

/// Leaves the matched route with the answer, for counting.
async fn remember_route(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).await;
    if let Some(route) = route {
        response.extensions_mut().insert(route);
    }
    response
}
