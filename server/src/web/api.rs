//! The JSON API: the same objects that `replay` prints, from the newest snapshot.

use axum::Json;
use axum::extract::{Path, State as Shared};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use super::State;

/// `GET /api/v1/slos`: every SLO as of the newest evaluation.
pub(super) async fn slos(Shared(state): Shared<State>) -> Response {
    let snapshot = state.snapshots.newest();
    let slos: Vec<_> = snapshot.objectives.iter().map(|slo| &slo.report).collect();
    Json(json!({"evaluation": snapshot.id, "at": snapshot.at, "slos": slos})).into_response()
}

/// `GET /api/v1/slos/{id}`: one SLO; 404 with a message if there is none of that name.
pub(super) async fn slo(Shared(state): Shared<State>, Path(id): Path<String>) -> Response {
    let snapshot = state.snapshots.newest();
    let found = snapshot
        .objectives
        .iter()
        .find(|slo| slo.objective.id == id);
    if let Some(slo) = found {
        Json(&slo.report).into_response()
    } else {
        let message = format!("no SLO is called `{id}`; /api/v1/slos lists them");
        (StatusCode::NOT_FOUND, Json(json!({"error": message}))).into_response()
    }
}
