//! `POST /api/v1/plan`: what other specs would have paged over the slices that are stored.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::State;
use crate::plan::{Asked, Plan, PlanError, plan_against_store};
use crate::remote::Refusal;
use crate::resume::locked;

/// Largest body: a catalog of ten thousand objectives.
pub(super) const BODY_BYTES: usize = 16 << 20;
/// Longest a plan may take.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);

/// Makes a plan; one at a time.
pub(super) async fn plan(
    Shared(state): Shared<State>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Err((status, error)) = same_site_json(&headers) {
        return refuse(status, error);
    }
    let asked = match serde_json::from_slice::<Asked>(&body) {
        Ok(asked) => asked,
        Err(error) => {
            return refuse(
                StatusCode::BAD_REQUEST,
                &format!("the body is no request for a plan: {error}"),
            );
        }
    };
    let Ok(turn) = Arc::clone(&state.planning).try_lock_owned() else {
        return refuse(
            StatusCode::SERVICE_UNAVAILABLE,
            "another plan is being made; ask again in a minute",
        );
    };
    // Reading goes on when nobody waits for it any more, and so does the turn.
    let turn = Arc::new(turn);
    let reading = Arc::clone(&turn);
    let snapshot = state.snapshots.newest();
    let known = Arc::clone(locked(&state.live).known());
    // Whoever goes away takes the work along, and so does the server.
    let stop = state.stop.child_token();
    let _guard = stop.clone().drop_guard();
    let planning = async {
        let in_force = Arc::clone(&snapshot.written);
        // Ten thousand objectives take a moment to read: not on this thread.
        let ask = tokio::task::spawn_blocking(move || {
            let _turn = reading;
            asked.resolve(&in_force)
        });
        let ask = ask.await;
        let ask = ask.unwrap_or_else(|_| Err("the specs could not be read".to_owned()));
        let ask = ask.map_err(|error| refuse(StatusCode::BAD_REQUEST, &error))?;
        let plan = plan_against_store(&state.store, Some(known), ask, snapshot.at, stop).await;
        plan.map_err(|error| failed(&error))
    };
    match tokio::time::timeout(PATIENCE, planning).await {
        Ok(Ok(plan)) => answer(&plan),
        Ok(Err(refusal)) => refusal,
        Err(_) => failed(&PlanError::Stopped),
    }
}

fn answer(plan: &Plan) -> Response {
    Json(plan).into_response()
}

fn failed(error: &PlanError) -> Response {
    match error {
        PlanError::Range(_) => refuse(StatusCode::BAD_REQUEST, &error.to_string()),
        PlanError::Stopped => refuse(
            StatusCode::SERVICE_UNAVAILABLE,
            "the plan took longer than a minute; ask for less with `from`",
        ),
        PlanError::Store(_) | PlanError::Recording(_) => {
            tracing::error!(error = %error, "cannot make a plan");
            refuse(
                StatusCode::SERVICE_UNAVAILABLE,
                "the store cannot be read; see the log",
            )
        }
    }
}

/// A page of another site must not make this server work: a form cannot send JSON, and browsers say where a
/// request comes from.
pub(super) fn same_site_json(headers: &HeaderMap) -> Result<(), (StatusCode, &'static str)> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let kind = text(header::CONTENT_TYPE.as_str()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err((status, "send JSON, with `content-type: application/json`"));
    }
    match text("sec-fetch-site") {
        None | Some("same-origin" | "none") => Ok(()),
        Some(_) => Err((
            StatusCode::FORBIDDEN,
            "requests from other sites are refused",
        )),
    }
}

pub(super) fn refuse(status: StatusCode, error: &str) -> Response {
    let error = error.to_owned();
    (status, Json(Refusal { error })).into_response()
}
