//! tmp
#![allow(missing_docs, dead_code, unused)]
use std::sync::{Arc, Mutex};
pub struct State {
    pub store: crate::store::Store,
    pub live: Arc<Mutex<crate::live::Live>>,
    pub snapshots: crate::snapshot::Snapshots,
    pub base_url: String,
    pub clock: crate::clock::SystemClock,
    pub stop: tokio_util::sync::CancellationToken,
}
pub fn router(s: State) -> axum::Router {
    axum::Router::new()
}
