//! `GET /api/v1/telemetry`: what was seen in the last 30 days, for `sloburn check` and `sloburn init`.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use super::State;
use super::plan::refuse;
use crate::resume::locked;
use crate::seen::{Seen, Told};

/// Longest it may take: a month of hours is read.
const PATIENCE: Duration = Duration::from_secs(20);

/// Tells every series with its events, and the durations of what services are asked for.
pub(super) async fn telemetry(Shared(state): Shared<State>) -> Response {
    let now = state.snapshots.newest().at.as_second();
    let known = Arc::clone(locked(&state.live).known());
    match tokio::time::timeout(PATIENCE, Seen::of_store(&state.store, &known, now)).await {
        Ok(Ok(seen)) => Json(Told::of(&seen)).into_response(),
        Ok(Err(error)) => {
            tracing::error!(error = %error, "cannot tell what was seen");
            refuse(
                StatusCode::SERVICE_UNAVAILABLE,
                "the store cannot be read; see the log",
            )
        }
        Err(_) => refuse(
            StatusCode::SERVICE_UNAVAILABLE,
            "reading the store took longer than 20 s",
        ),
    }
}
