//! Live updates: what changed on a watched page, evaluation by evaluation.
//!
//! `tick` names the evaluation, `frag` carries one changed part of the page, `state` a sentence for those who
//! listen. A browser that comes back says what it has seen last, and gets all parts of the page once.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State as Shared};
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use dashboards::view::Status;
use futures_util::{Stream, stream};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::ask::Ask;
use super::pages::{Rendered, Web};
use super::views;
use crate::snapshot::Snapshot;

const HEARTBEAT: Duration = Duration::from_secs(15);
const RETRY: Duration = Duration::from_secs(3);

/// What a browser asks to be told of.
#[derive(Debug, Deserialize)]
pub(super) struct Watch {
    /// Path and query of its page.
    page: String,
    /// Evaluation that the page shows.
    since: Option<u64>,
}

/// `GET /events?page=…`
pub(super) async fn events(
    Shared(web): Shared<Web>,
    Query(watch): Query<Watch>,
    headers: HeaderMap,
) -> Response {
    let uri = watch.page.parse::<Uri>().ok();
    let Some(ask) = uri.as_ref().and_then(Ask::parse) else {
        return (StatusCode::NOT_FOUND, "there is no such page to watch\n").into_response();
    };
    let Ok(permit) = Arc::clone(&web.streams).try_acquire_owned() else {
        let wait = [(header::RETRY_AFTER, "10")];
        let why = "too many pages are being watched
";
        return (StatusCode::SERVICE_UNAVAILABLE, wait, why).into_response();
    };
    let last = headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok()?.parse().ok());
    let watcher = Watcher::new(web, ask, last.or(watch.since), permit).await;
    let events = Sse::new(watcher.stream())
        .keep_alive(KeepAlive::new().interval(HEARTBEAT).text("heartbeat"));
    let unbuffered = (HeaderName::from_static("x-accel-buffering"), "no");
    ([unbuffered, (header::CACHE_CONTROL, "no-store")], events).into_response()
}

/// One browser that watches one page.
struct Watcher {
    web: Web,
    ask: Ask,
    ticks: watch::Receiver<u64>,
    /// Hashes of the parts it has, by id.
    seen: BTreeMap<&'static str, blake3::Hash>,
    statuses: BTreeMap<String, Status>,
    waiting: VecDeque<Event>,
    _permit: OwnedSemaphorePermit,
}

impl Watcher {
    async fn new(web: Web, ask: Ask, since: Option<u64>, permit: OwnedSemaphorePermit) -> Watcher {
        let mut watcher = Watcher {
            ticks: web.state.snapshots.subscribe(),
            statuses: statuses(&web.state.snapshots.newest()),
            web,
            ask,
            seen: BTreeMap::new(),
            waiting: VecDeque::from([Event::default().retry(RETRY).comment("watching")]),
            _permit: permit,
        };
        watcher.ticks.mark_unchanged();
        if let Ok(page) = watcher.web.rendered(&watcher.ask).await {
            if since == Some(page.evaluation) {
                watcher.remember(&page);
            } else {
                watcher.tell(&page);
            }
        }
        watcher
    }

    fn stream(self) -> impl Stream<Item = Result<Event, Infallible>> {
        stream::unfold(self, |mut watcher| async {
            let event = watcher.next().await?;
            Some((Ok(event), watcher))
        })
    }

    /// The next event; `None` when the server stops.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            tokio::select! {
                () = self.web.state.stop.cancelled() => return None,
                changed = self.ticks.changed() => changed.ok()?,
            }
            // A page that cannot be made now is told again at the next tick.
            if let Ok(page) = self.web.rendered(&self.ask).await {
                self.tell(&page);
            }
        }
    }

    fn remember(&mut self, page: &Rendered) {
        for part in &page.fragments {
            self.seen
                .insert(part.id, blake3::hash(part.html.as_bytes()));
        }
    }

    fn tell(&mut self, page: &Rendered) {
        for part in &page.fragments {
            let hash = blake3::hash(part.html.as_bytes());
            if self.seen.insert(part.id, hash) != Some(hash) {
                let data = json!({"id": part.id, "html": part.html}).to_string();
                self.waiting
                    .push_back(Event::default().event("frag").data(data));
            }
        }
        let snapshot = self.web.state.snapshots.newest();
        let now = statuses(&snapshot);
        if let Some(sentence) = changes(&snapshot, &self.statuses, &now) {
            self.waiting
                .push_back(Event::default().event("state").data(sentence));
        }
        self.statuses = now;
        let id = page.evaluation.to_string();
        let tick = json!({"evaluation": page.evaluation, "at": snapshot.at}).to_string();
        self.waiting
            .push_back(Event::default().event("tick").id(id).data(tick));
    }
}

fn statuses(snapshot: &Snapshot) -> BTreeMap<String, Status> {
    let objectives = snapshot.objectives.iter();
    objectives
        .map(|one| (one.objective.id.clone(), views::status(one).0))
        .collect()
}

/// What became different, in a sentence: `Checkout requests succeed: paging.`
fn changes(
    snapshot: &Snapshot,
    before: &BTreeMap<String, Status>,
    now: &BTreeMap<String, Status>,
) -> Option<String> {
    let changed = snapshot.objectives.iter().filter_map(|one| {
        let id = &one.objective.id;
        let status = now
            .get(id)
            .filter(|status| before.get(id) != Some(status))?;
        let word = match status {
            Status::Paging => "paging",
            Status::Missed => "missed",
            Status::Ticket => "ticket",
            Status::NoData => "no data",
            Status::OnTrack => "on track",
        };
        // One line: a line break would end the event's data.
        Some(format!(
            "{}: {word}.",
            one.objective.title.replace(['\r', '\n'], " ")
        ))
    });
    let sentence = changed.collect::<Vec<_>>().join(" ");
    (!sentence.is_empty()).then_some(sentence)
}
