//! The demo's inbox: a webhook receiver on a port of its own that checks signatures and shows what it was sent.

mod page;
mod signature;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use jiff::Timestamp;
use serde_json::Value;

use crate::clock::SystemClock;

/// Deliveries kept; the oldest go first.
const KEPT: usize = 100;

/// Largest message taken, in bytes. Ours are a few KiB.
const MAX_BODY_BYTES: usize = 256 * 1024;

/// The inbox: cheap to clone, all clones are one.
#[derive(Clone, Debug)]
pub(crate) struct Inbox {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    secret: Vec<u8>,
    /// Where relative links of a message lead, without a slash at the end.
    dashboards: String,
    clock: SystemClock,
    kept: Mutex<Kept>,
}

/// What the page shows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept {
    /// Newest first.
    deliveries: VecDeque<Delivery>,
    taken: u64,
    refused: u64,
    last_refusal: Option<String>,
}

/// One message.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    received: Timestamp,
    /// `webhook-id`: the same when a message is sent again.
    id: String,
    /// How often it came.
    times: u64,
    body: Value,
}

impl Inbox {
    /// An inbox that takes messages signed with these secret bytes.
    pub(crate) fn new(secret: Vec<u8>, dashboards: String, clock: SystemClock) -> Self {
        let kept = Mutex::default();
        Self {
            shared: Arc::new(Shared {
                secret,
                dashboards,
                clock,
                kept,
            }),
        }
    }

    /// `POST /hook` takes messages; `/` shows them, `/deliveries` is the same as JSON.
    pub(crate) fn router(&self) -> Router {
        Router::new()
            .route("/", get(show))
            .route("/deliveries", get(list))
            .route("/hook", post(take))
            .route(
                "/inbox.css",
                get(async || asset("text/css; charset=utf-8", page::STYLE)),
            )
            .route(
                "/inbox.js",
                get(async || asset("text/javascript; charset=utf-8", page::SCRIPT)),
            )
            .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
            .with_state(self.clone())
    }

    fn take(&self, headers: &HeaderMap, body: &[u8]) -> StatusCode {
        let received = self.shared.clock.now();
        let checked = signature::verify(&self.shared.secret, headers, body, received.as_second());
        let mut kept = self.kept();
        let id = match checked {
            Ok(id) => id,
            Err(refusal) => {
                kept.refused += 1;
                kept.last_refusal = Some(refusal.to_string());
                return StatusCode::UNAUTHORIZED;
            }
        };
        let Ok(body) = serde_json::from_slice(body) else {
            kept.refused += 1;
            kept.last_refusal = Some("the body is not JSON".to_owned());
            return StatusCode::BAD_REQUEST;
        };
        kept.put(Delivery {
            received,
            id,
            times: 1,
            body,
        });
        StatusCode::NO_CONTENT
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        // Nothing that holds the lock panics; if something did, what is kept is still worth showing.
        self.shared
            .kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn put(&mut self, delivery: Delivery) {
        self.taken += 1;
        if let Some(known) = self
            .deliveries
            .iter_mut()
            .find(|known| known.id == delivery.id)
        {
            known.times += 1;
            return;
        }
        self.deliveries.push_front(delivery);
        self.deliveries.truncate(KEPT);
    }
}

async fn take(State(inbox): State<Inbox>, headers: HeaderMap, body: Bytes) -> StatusCode {
    inbox.take(&headers, &body)
}

async fn show(State(inbox): State<Inbox>) -> Response {
    let kept = inbox.kept().clone();
    let page = page::render(&kept, &inbox.shared.dashboards);
    let headers = [
        (
            CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(page::CONTENT_POLICY),
        ),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, Html(page)).into_response()
}

async fn list(State(inbox): State<Inbox>) -> axum::Json<Vec<Value>> {
    axum::Json(
        inbox
            .kept()
            .deliveries
            .iter()
            .map(|delivery| delivery.body.clone())
            .collect(),
    )
}

fn asset(kind: &'static str, text: &'static str) -> impl IntoResponse {
    ([(CONTENT_TYPE, kind)], text)
}

#[cfg(test)]
mod tests;
