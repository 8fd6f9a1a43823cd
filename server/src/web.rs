//! Shows: the newest snapshot, and stored slices, as pages, fragments and JSON.

mod api;

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::get;
use tokio_util::sync::CancellationToken;

use crate::clock::SystemClock;
use crate::live::Live;
use crate::snapshot::Snapshots;
use crate::store::Store;

/// What the handlers read.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) store: Store,
    pub(crate) live: Arc<Mutex<Live>>,
    pub(crate) snapshots: Snapshots,
    pub(crate) base_url: String,
    pub(crate) clock: SystemClock,
    /// Ends the streams of live updates.
    pub(crate) stop: CancellationToken,
}

/// The routes of the web listener, without the probes.
pub(crate) fn router(state: State) -> Router {
    Router::new()
        .route("/api/v1/slos", get(api::slos))
        .route("/api/v1/slos/{id}", get(api::slo))
        .with_state(state)
}
