//! Traces worth a look: a few that failed, were slow, or are named by metric points.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State as Shared};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use collector::{Exemplars, Why};
use dashboards::view::{Range, Trace, TraceWhy};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::State;
use super::ask::Span;
use super::slices::Trouble;
use crate::store::{Store, StoreError};

/// Traces of each kind in one answer.
const MOST: usize = 5;

/// A trace in the JSON.
#[derive(Debug, Serialize)]
struct Told {
    trace_id: String,
    /// End of the 10-second slice it is from.
    at: Timestamp,
    /// How long the request took; null where a metric point names the trace.
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<f64>,
}

/// `GET /api/v1/services/{service}/traces`: the traces of a service, in the last hour or in the range
/// of `from` and `to`; 404 for a service that is not known, 503 if the store cannot be read.
pub(super) async fn traces(
    Shared(state): Shared<State>,
    Path(service): Path<String>,
    uri: Uri,
) -> Response {
    let range = Span::parse(&uri).resolve(state.snapshots.newest().at);
    match told(&state.store, &service, range).await {
        Ok(Some(told)) => Json(told).into_response(),
        Ok(None) => {
            let message = format!("no service is called `{service}`");
            (StatusCode::NOT_FOUND, Json(json!({"error": message}))).into_response()
        }
        Err(error) => {
            let Trouble(message) = Trouble::store(&error);
            let body = Json(json!({"error": message.as_str()}));
            (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
        }
    }
}

async fn told(
    store: &Store,
    service: &str,
    range: Range,
) -> Result<Option<serde_json::Value>, StoreError> {
    if !store.services().await?.iter().any(|known| known == service) {
        return Ok(None);
    }
    let found = read(store, service, range).await?;
    let of = |why| {
        let traces = found.iter().filter(|trace| trace.why == why);
        let told = traces.map(|trace| Told {
            trace_id: trace.id.clone(),
            at: trace.at,
            #[expect(clippy::cast_precision_loss, reason = "a shown time")]
            duration_ms: trace.took_us.map(|us| us as f64 / 1_000.0),
        });
        told.collect::<Vec<_>>()
    };
    Ok(Some(json!({
        "service": service,
        "from": range.from,
        "to": range.to,
        "failed": of(TraceWhy::Failed),
        "slow": of(TraceWhy::Slow),
        "metric_points": of(TraceWhy::Point),
    })))
}

/// At most five of each kind, each trace once in a kind: the newest that failed, the slowest that did not, the newest
/// that metric points name.
pub(super) async fn read(
    store: &Store,
    service: &str,
    range: Range,
) -> Result<Vec<Trace>, StoreError> {
    let (from, to) = (range.from.as_second(), range.to.as_second());
    let mut found: BTreeMap<(Why, u128), (i64, u64)> = BTreeMap::new();
    for row in store.exemplars(service, from, to).await? {
        // Damage costs a few traces to look at, and no count.
        for one in Exemplars::decode(&row.traces)
            .iter()
            .flat_map(Exemplars::iter)
        {
            let place = found.entry((one.why, one.trace)).or_default();
            *place = (row.end_s.max(place.0), one.nanos.max(place.1));
        }
    }
    let mut shown = Vec::new();
    for (why, kind) in [
        (Why::Failed, TraceWhy::Failed),
        (Why::Slow, TraceWhy::Slow),
        (Why::Point, TraceWhy::Point),
    ] {
        let of_kind = found.iter().filter(|((found, _), _)| *found == why);
        let mut of_kind: Vec<_> = of_kind
            .map(|((_, trace), (end_s, nanos))| (*end_s, *nanos, *trace))
            .collect();
        of_kind.sort_by_key(|(end_s, nanos, trace)| {
            let first = if why == Why::Slow { 0 } else { -end_s };
            (first, std::cmp::Reverse(*nanos), *trace)
        });
        shown.extend(
            of_kind
                .into_iter()
                .take(MOST)
                .map(|(end_s, nanos, trace)| Trace {
                    id: format!("{trace:032x}"),
                    why: kind,
                    took_us: (why != Why::Point).then_some(nanos / 1_000),
                    at: super::grid::instant(end_s),
                }),
        );
    }
    Ok(shown)
}
