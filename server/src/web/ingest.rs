//! What was received, by signal and class, and whose clocks are off: the JSON.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State as Shared;
use axum::response::{IntoResponse as _, Response};
use collector::{Class, Classes};
use jiff::Timestamp;
use serde::Serialize;

use super::State;
use crate::senders::Standing;

/// Senders listed; those whose clocks are off most come first.
const MOST_SENDERS: usize = 1_000;

#[derive(Debug, Serialize)]
struct Ingest {
    evaluation: u64,
    at: Timestamp,
    /// Rejected and shed spans over all that were received and are no duplicates; null without any.
    drop_rate: Option<f64>,
    signals: BTreeMap<&'static str, Signal>,
    /// Services whose spans are sampled without saying by how much, and when the last such came.
    sampled_without_weight: BTreeMap<Arc<str>, Timestamp>,
    senders: Vec<Sender>,
    /// All senders that found no place in the list, told together.
    other_senders: Option<Sender>,
}

#[derive(Debug, Serialize)]
struct Signal {
    received: Counted,
    /// They sum to `received`.
    classes: BTreeMap<&'static str, Counted>,
    /// Of the measured ones.
    notes: BTreeMap<&'static str, Counted>,
}

#[derive(Debug, Serialize)]
struct Counted {
    total: u64,
    bad: u64,
    /// Of what was received; null without any.
    share: Option<f64>,
    /// Of the class; null if it is empty.
    bad_share: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Sender {
    service: String,
    instance: String,
    /// Least time from a span's end by the sender's clock to its arrival by ours, over five minutes;
    /// below 0 the sender's clock is ahead. Null without spans in that time.
    skew_seconds: Option<f64>,
    spans: u64,
    clamped: u64,
    future: u64,
}

/// `GET /api/v1/ingest`: the ledger as of the newest evaluation.
pub(super) async fn ingest(Shared(state): Shared<State>) -> Response {
    let snapshot = state.snapshots.newest();
    let signals = snapshot.classes.named();
    let senders = snapshot.senders.senders.iter().take(MOST_SENDERS);
    let unweighted = snapshot.unweighted.services.iter();
    let unweighted = unweighted.filter_map(|(service, end)| {
        let at = Timestamp::from_second(*end).ok()?;
        Some((Arc::clone(service), at))
    });
    Json(Ingest {
        evaluation: snapshot.id,
        at: snapshot.at,
        drop_rate: drop_rate(&snapshot.classes.spans),
        signals: signals.map(|(name, of)| (name, signal(of))).into(),
        sampled_without_weight: unweighted.collect(),
        senders: senders.map(sender).collect(),
        other_senders: snapshot.senders.rest.as_ref().map(sender),
    })
    .into_response()
}

/// Spans that were lost over all that should have been measured.
pub(super) fn drop_rate(spans: &Classes) -> Option<f64> {
    let lost = spans.rejected() + spans.shed.total;
    ratio(
        lost,
        spans.received.total.saturating_sub(spans.duplicate.total),
    )
}

fn signal(classes: &Classes) -> Signal {
    let all = classes.received.total;
    let counted = |(name, class)| (name, counted(class, all));
    Signal {
        received: self::counted(classes.received, all),
        classes: classes.divided().map(counted).collect(),
        notes: classes.notes().map(counted).collect(),
    }
}

fn counted(class: Class, all: u64) -> Counted {
    Counted {
        total: class.total,
        bad: class.bad,
        share: ratio(class.total, all),
        bad_share: ratio(class.bad, class.total),
    }
}

fn sender(standing: &Standing) -> Sender {
    Sender {
        service: standing.service.clone(),
        instance: standing.instance.clone(),
        skew_seconds: standing.skew_nanos.map(seconds),
        spans: standing.spans,
        clamped: standing.clamped,
        future: standing.future,
    }
}

#[expect(clippy::cast_precision_loss, reason = "a shown ratio")]
fn ratio(part: u64, all: u64) -> Option<f64> {
    (all > 0).then(|| part as f64 / all as f64)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a shown time, to the microsecond"
)]
fn seconds(nanos: i64) -> f64 {
    (nanos / 1_000) as f64 / 1e6
}
