//! Shows: the newest snapshot, and stored slices, as pages, fragments and JSON.

mod allowed;
mod api;
mod ask;
pub(crate) mod describe;
mod events;
mod explain;
mod grid;
mod ingest;
mod pages;
mod plan;
mod slices;
mod specs;
mod telemetry;
mod traces;
mod views;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;

use crate::live::Live;
use crate::snapshot::Snapshots;
use crate::store::Store;

/// Nothing is loaded from elsewhere; style attributes carry positions computed from numbers.
const CONTENT_SECURITY: &str = "default-src 'none'; style-src 'self'; style-src-attr 'unsafe-inline'; \
     script-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; \
     frame-ancestors 'none'";

/// What the handlers read.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) store: Store,
    pub(crate) live: Arc<Mutex<Live>>,
    pub(crate) snapshots: Snapshots,
    /// Ends the streams of live updates.
    pub(crate) stop: CancellationToken,
    /// Held while a plan is made: one at a time.
    pub(crate) planning: Arc<tokio::sync::Mutex<()>>,
    /// Folder of the spec files.
    pub(crate) specs: PathBuf,
}

/// The routes of the web listener, without the probes.
pub(crate) fn router(state: State) -> Router {
    let api = Router::new()
        .route("/api/v1/ingest", get(ingest::ingest))
        .route(
            "/api/v1/plan",
            post(plan::plan).layer(DefaultBodyLimit::max(plan::BODY_BYTES)),
        )
        .route("/api/v1/services/{service}/traces", get(traces::traces))
        .route("/api/v1/slos", get(api::slos))
        .route("/api/v1/slos/{id}", get(api::slo))
        .route("/api/v1/slos/{id}/explain", get(explain::explain))
        .route("/api/v1/telemetry", get(telemetry::telemetry))
        .with_state(state.clone());
    let web = pages::Web::new(state);
    Router::new()
        .route("/", get(async || Redirect::to("/oncall")))
        .route("/executive", get(pages::page))
        .route("/oncall", get(pages::page))
        .route("/slos", get(pages::page))
        .route("/slos/{id}", get(pages::page))
        .route("/debug/{service}", get(pages::page))
        .route(
            "/specs",
            get(pages::page)
                .post(specs::change)
                .layer(DefaultBodyLimit::max(specs::BODY_BYTES)),
        )
        .route("/specs/{file}", get(pages::page))
        .route("/events", get(events::events))
        .route("/static/{name}", get(static_file))
        .fallback(pages::not_found)
        .with_state(web)
        .merge(api)
        .layer(CompressionLayer::new())
        .layer(CatchPanicLayer::new())
        .layer(map_response(secured))
}

/// A style sheet or the script, by its hashed name: it never changes under that name.
async fn static_file(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some(file) = dashboards::static_files()
        .iter()
        .find(|file| file.name == name)
    else {
        return (StatusCode::NOT_FOUND, "there is no such file\n").into_response();
    };
    let etag = format!("\"{}\"", file.hash);
    if is_fresh(&headers, &etag) {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    let answer = [
        (header::CONTENT_TYPE, file.content_type.to_owned()),
        (
            header::CACHE_CONTROL,
            "public, max-age=31536000, immutable".to_owned(),
        ),
        (header::ETAG, etag),
    ];
    (answer, file.bytes).into_response()
}

/// Whether the asker has this version already.
fn is_fresh(headers: &HeaderMap, etag: &str) -> bool {
    let asked = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok());
    asked.is_some_and(|tags| {
        tags.split(',')
            .any(|tag| tag.trim().trim_start_matches("W/") == etag)
    })
}

/// Headers that every answer has, errors too.
async fn secured(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests;
