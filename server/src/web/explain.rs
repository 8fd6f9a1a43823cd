//! `GET /api/v1/slos/{id}/explain`: the counts behind an objective's numbers, step by step.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Query, State as Shared};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;

use super::State;
use super::plan::refuse;
use crate::explain::{explain_stored, moment, named};
use crate::plan::{Edge, PlanError};
use crate::resume::locked;

/// Longest it may take: a month of hours and two of minutes are read.
const PATIENCE: Duration = Duration::from_secs(20);

/// When.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    at: Option<String>,
}

/// Explains an objective of the catalog in force, at the last tick unless asked otherwise.
pub(super) async fn explain(
    Shared(state): Shared<State>,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Response {
    let snapshot = state.snapshots.newest();
    let objective = match named(&snapshot.catalog, &id) {
        Ok(objective) => objective,
        Err(error) => return refuse(StatusCode::NOT_FOUND, &error),
    };
    let at = match asked.at.map(|text| text.parse::<Edge>()).transpose() {
        Ok(at) => at.map(|edge| moment(edge, snapshot.at)),
        Err(error) => return refuse(StatusCode::BAD_REQUEST, &error),
    };
    let known = Arc::clone(locked(&state.live).known());
    let explaining = explain_stored(&state.store, Some(known), objective, at, snapshot.at);
    match tokio::time::timeout(PATIENCE, explaining).await {
        Ok(Ok(explanation)) => Json(explanation).into_response(),
        Ok(Err(error @ PlanError::Range(_))) => refuse(StatusCode::BAD_REQUEST, &error.to_string()),
        Ok(Err(error)) => {
            tracing::error!(error = %error, "cannot explain an objective");
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
