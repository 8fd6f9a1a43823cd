//! The probes: `/livez`, `/readyz` and `/metrics`.
//!
//! Alive is a process whose event loop answers and whose journal writer and evaluator still turn: one that is not
//! should be restarted. Ready is one that can commit: one that is not should get no traffic. Trouble with paging
//! changes neither, as a restart would not help it.

use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::time::Instant;

use crate::metrics::{self, Metrics};

/// Silence of the journal's writer after which the process is not alive. It beats even when there is nothing to do.
const WRITER_SILENCE: Duration = Duration::from_secs(10);

/// Silence of the evaluator after which the process is not alive: three ticks of 10 s.
const EVALUATOR_SILENCE: Duration = Duration::from_secs(30);

/// Time without a commit, or a trial of one, after which the process is not ready.
const COMMIT_SILENCE: Duration = Duration::from_secs(15);

/// What the tasks report of themselves. Clones share one. All times are monotonic: a clock that is set does not
/// make a process look dead.
#[derive(Clone, Debug)]
pub(crate) struct Health {
    pulse: Arc<Mutex<Pulse>>,
}

#[derive(Debug)]
struct Pulse {
    /// Start of the process at first, so that recovery has its time.
    writer: Instant,
    evaluator: Instant,
    committed: Option<Instant>,
    /// What keeps commits from succeeding, and since when.
    trouble: Option<(&'static str, Instant)>,
    /// Damaged rows in quarantine.
    quarantined: usize,
    /// A check of the whole database found it damaged.
    unsound: bool,
    stopping: bool,
}

/// One check's name, and what is wrong; `None` when nothing is.
type Check = (&'static str, Option<String>);

impl Health {
    /// The health of a process that starts now: alive, not yet ready.
    pub(crate) fn new() -> Health {
        let now = Instant::now();
        let pulse = Pulse {
            writer: now,
            evaluator: now,
            committed: None,
            trouble: None,
            quarantined: 0,
            unsound: false,
            stopping: false,
        };
        Health {
            pulse: Arc::new(Mutex::new(pulse)),
        }
    }

    /// The journal's writer turned, be it idle. At least every few seconds.
    pub(crate) fn writer_beat(&self) {
        self.set(|pulse| pulse.writer = Instant::now());
    }

    /// A tick was evaluated, or one is being caught up.
    pub(crate) fn evaluator_beat(&self) {
        self.set(|pulse| pulse.evaluator = Instant::now());
    }

    /// A commit, or a trial of one (`Store::trial`), succeeded.
    pub(crate) fn committed(&self) {
        self.set(|pulse| {
            pulse.committed = Some(Instant::now());
            pulse.trouble = None;
        });
    }

    /// A commit, or a trial of one, failed. `why` is shown to whoever asks the probe: no secrets, no paths.
    pub(crate) fn commit_failed(&self, why: &'static str) {
        self.set(|pulse| {
            let since = pulse.trouble.map_or_else(Instant::now, |(_, since)| since);
            pulse.trouble = Some((why, since));
        });
    }

    /// What keeps commits from succeeding, and for how long.
    pub(crate) fn trouble(&self) -> Option<(&'static str, Duration)> {
        let pulse = self.pulse.lock().unwrap_or_else(PoisonError::into_inner);
        pulse.trouble.map(|(why, since)| (why, since.elapsed()))
    }

    /// A check of the whole database found it damaged.
    pub(crate) fn unsound(&self) {
        self.set(|pulse| pulse.unsound = true);
    }

    /// Whether a check of the whole database found it damaged.
    pub(crate) fn is_unsound(&self) -> bool {
        self.pulse
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .unsound
    }

    /// So many damaged rows are in quarantine: told, and no reason to turn traffic away.
    pub(crate) fn quarantined(&self, rows: usize) {
        self.set(|pulse| pulse.quarantined = rows);
    }

    /// The server stops: not ready from now on, so that load balancers turn away.
    pub(crate) fn stopping(&self) {
        self.set(|pulse| pulse.stopping = true);
    }

    fn set(&self, change: impl FnOnce(&mut Pulse)) {
        change(&mut self.pulse.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn alive(&self) -> [Check; 2] {
        let pulse = self.pulse.lock().unwrap_or_else(PoisonError::into_inner);
        [
            ("writer", silent(pulse.writer, WRITER_SILENCE)),
            ("evaluator", silent(pulse.evaluator, EVALUATOR_SILENCE)),
        ]
    }

    fn ready(&self) -> [Check; 2] {
        let pulse = self.pulse.lock().unwrap_or_else(PoisonError::into_inner);
        let commit = match (&pulse.trouble, pulse.committed) {
            (Some((why, _)), _) => Some((*why).to_owned()),
            (None, None) => Some("nothing committed yet".to_owned()),
            (None, Some(at)) => silent(at, COMMIT_SILENCE),
        };
        let running = pulse.stopping.then(|| "stopping".to_owned());
        [("commit", commit), ("running", running)]
    }
}

/// The probes' routes.
pub(crate) fn router(health: Health, metrics: Metrics) -> Router {
    let probes = Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .with_state(health);
    let exposition = Router::new()
        .route("/metrics", get(exposition))
        .with_state(metrics);
    probes.merge(exposition)
}

async fn livez(State(health): State<Health>) -> Response {
    verdict(&health.alive(), "")
}

async fn readyz(State(health): State<Health>) -> Response {
    let quarantined = health
        .pulse
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .quarantined;
    let note = match quarantined {
        0 => String::new(),
        rows => format!("stored data: {rows} damaged rows in quarantine\n"),
    };
    verdict(&health.ready(), &note)
}

async fn exposition(State(metrics): State<Metrics>) -> Response {
    match metrics.encode() {
        Ok(text) => ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(error) => {
            tracing::error!(error = %error, "the metrics could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// 200 when every check passes, else 503; a line per check either way.
fn verdict(checks: &[Check], note: &str) -> Response {
    let mut status = StatusCode::OK;
    let mut text = String::new();
    for (name, wrong) in checks {
        let said = wrong.as_deref().unwrap_or("ok");
        if wrong.is_some() {
            status = StatusCode::SERVICE_UNAVAILABLE;
        }
        writeln!(text, "{name}: {said}").unwrap_or_default();
    }
    text.push_str(note);
    let headers = [(header::CACHE_CONTROL, "no-store")];
    (status, headers, text).into_response()
}

fn silent(since: Instant, at_most: Duration) -> Option<String> {
    let silence = since.elapsed();
    (silence > at_most).then(|| format!("silent for {} s", silence.as_secs()))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    async fn probe(health: &Health, path: &str) -> (StatusCode, String) {
        let metrics = Metrics::new("0", jiff::Timestamp::UNIX_EPOCH);
        let router = router(health.clone(), metrics);
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = router.oneshot(request).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn alive_while_the_writer_and_the_evaluator_turn() {
        let health = Health::new();
        assert_eq!(probe(&health, "/livez").await.0, StatusCode::OK);

        tokio::time::advance(Duration::from_secs(11)).await;
        let (status, text) = probe(&health, "/livez").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(text, "writer: silent for 11 s\nevaluator: ok\n");

        health.writer_beat();
        assert_eq!(probe(&health, "/livez").await.0, StatusCode::OK);
        tokio::time::advance(Duration::from_secs(20)).await;
        health.writer_beat();
        let (status, text) = probe(&health, "/livez").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(text, "writer: ok\nevaluator: silent for 31 s\n");
        health.evaluator_beat();
        assert_eq!(probe(&health, "/livez").await.0, StatusCode::OK);
    }

    #[tokio::test(start_paused = true)]
    async fn ready_while_a_commit_succeeded_lately() {
        let health = Health::new();
        let (status, text) = probe(&health, "/readyz").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(text, "commit: nothing committed yet\nrunning: ok\n");

        health.committed();
        assert_eq!(probe(&health, "/readyz").await.0, StatusCode::OK);
        health.commit_failed("the disk is full");
        let (status, text) = probe(&health, "/readyz").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(text, "commit: the disk is full\nrunning: ok\n");

        health.committed();
        tokio::time::advance(Duration::from_secs(16)).await;
        assert_eq!(
            probe(&health, "/readyz").await.0,
            StatusCode::SERVICE_UNAVAILABLE
        );
        health.committed();
        health.stopping();
        let (_, text) = probe(&health, "/readyz").await;
        assert_eq!(text, "commit: ok\nrunning: stopping\n");
    }

    #[tokio::test]
    async fn metrics_are_served_as_openmetrics() {
        let health = Health::new();
        let (status, text) = probe(&health, "/metrics").await;
        assert_eq!(status, StatusCode::OK);
        assert!(text.ends_with("# EOF\n"), "{text}");
    }
}
