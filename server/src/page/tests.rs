//! Delivery from the outbox to a real HTTP server, in made-up time.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use serde_json::Value;
use sha2::Sha256;
use tempfile::TempDir;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::receiver::Fallback;
use super::testing::{WEBHOOK_SECRET, environment, fired, resolved};
use super::watch::Watch;
use super::worker::Worker;
use super::{Receiver, ReceiverDocument, Workers, delivery};
use crate::clock::SystemClock;
use crate::metrics::Metrics;
use crate::store::{AlertChange, History, Kind, Location, OutboxRow, Store};

#[tokio::test]
async fn a_page_is_delivered_signed_and_written_down() {
    let house = House::new().await;
    let inbox = Inbox::start().await;
    let oncall = house.worker("oncall", &inbox.url, "");
    house.owe(1, Kind::Fire, &["oncall"]).await;

    assert_eq!(oncall.round(at(5)).await, None);

    let got = inbox.got();
    assert_eq!(got.len(), 1);
    assert_eq!(got[0].body["event"], "fire");
    assert_eq!(got[0].header("webhook-id"), fired().webhook_id);
    assert_eq!(got[0].header("content-type"), "application/json");
    let timestamp = at(5).as_second().to_string();
    assert_eq!(got[0].header("webhook-timestamp"), timestamp);
    assert_eq!(got[0].header("webhook-signature"), got[0].signature());
    let delivery = &house.store.deliveries(None, 9).await.unwrap()[0];
    assert_eq!(delivery.outcome.as_deref(), Some("accepted"));
    assert_eq!(delivery.attempts[0].status, Some(200));
}

#[tokio::test]
async fn a_failure_is_tried_again_with_the_same_id_until_accepted() {
    let house = House::new().await;
    let inbox = Inbox::start().await;
    inbox.plan([answer(500), answer(503)]);
    let oncall = house.worker("oncall", &inbox.url, "");
    house.owe(1, Kind::Fire, &["oncall"]).await;

    let second = oncall.round(at(0)).await.unwrap();
    assert!(seconds_until(second, 0) < 2.0, "{second}");
    let third = oncall.round(at(2)).await.unwrap();
    assert!(seconds_until(third, 2) < 3.0, "{third}");
    assert_eq!(oncall.round(at(5)).await, None);

    let got = inbox.got();
    assert_eq!(got.len(), 3);
    assert!(
        got.iter()
            .all(|one| one.header("webhook-id") == fired().webhook_id)
    );
    let attempts = &house.store.deliveries(None, 9).await.unwrap()[0].attempts;
    let statuses: Vec<_> = attempts.iter().map(|one| one.status).collect();
    assert_eq!(statuses, [Some(500), Some(503), Some(200)]);
    let detail = attempts[0].detail.as_deref();
    assert_eq!(detail, Some("answered 500 Internal Server Error"));
}

#[tokio::test]
async fn nothing_is_sent_before_retry_after() {
    let house = House::new().await;
    let inbox = Inbox::start().await;
    inbox.plan([(StatusCode::TOO_MANY_REQUESTS, Some("42"))]);
    let oncall = house.worker("oncall", &inbox.url, "");
    house.owe(1, Kind::Fire, &["oncall"]).await;

    let next = oncall.round(at(0)).await.unwrap();
    let wait = seconds_until(next, 0);
    assert!((42.0..44.0).contains(&wait), "{wait}");
    assert_eq!(oncall.round(at(41)).await, Some(next));
    assert_eq!(inbox.got().len(), 1);
    oncall.round(at(44)).await;
    assert_eq!(inbox.got().len(), 2);
}

#[tokio::test]
async fn a_resolve_waits_until_its_fire_is_accepted() {
    let house = House::new().await;
    let inbox = Inbox::start().await;
    inbox.plan([answer(500)]);
    let oncall = house.worker("oncall", &inbox.url, "");
    house.owe(1, Kind::Fire, &["oncall"]).await;
    house.owe(1, Kind::Resolve, &[]).await;

    oncall.round(at(0)).await;
    assert_eq!(inbox.events(), ["fire"]);
    oncall.round(at(60)).await;
    assert_eq!(inbox.events(), ["fire", "fire"]);
    oncall.round(at(60)).await;
    assert_eq!(inbox.events(), ["fire", "fire", "resolve"]);
}

#[tokio::test]
async fn a_refusal_goes_to_the_fallback_at_once_and_is_tried_again_later() {
    let house = House::new().await;
    let (oncall_inbox, backup_inbox) = (Inbox::start().await, Inbox::start().await);
    oncall_inbox.plan([answer(403)]);
    let oncall = house.worker("oncall", &oncall_inbox.url, "backup");
    let backup = house.worker("backup", &backup_inbox.url, "");
    house.owe(1, Kind::Fire, &["oncall"]).await;

    let next = oncall.round(at(0)).await.unwrap();
    let wait = seconds_until(next, 0);
    assert!((300.0..302.0).contains(&wait), "{wait}");
    backup.round(at(1)).await;
    assert_eq!(backup_inbox.events(), ["fire"]);

    house.owe(1, Kind::Resolve, &[]).await;
    backup.round(at(2)).await;
    assert_eq!(backup_inbox.events(), ["fire", "resolve"]);
    oncall.round(at(302)).await;
    assert_eq!(oncall_inbox.events(), ["fire", "fire"]);
}

#[tokio::test]
async fn a_page_not_accepted_for_a_minute_goes_to_the_fallback_too() {
    let house = House::new().await;
    let inbox = Inbox::start().await;
    let backup = house.worker("backup", &inbox.url, "");
    let watch = house.watch();
    house.owe(1, Kind::Fire, &["oncall"]).await;

    let next = watch.round(at(59)).await.unwrap();
    assert_eq!(next, Some(at(60).as_millisecond()));
    backup.round(at(59)).await;
    assert_eq!(inbox.got().len(), 0);
    assert_eq!(watch.round(at(60)).await.unwrap(), None);
    assert_eq!(watch.round(at(61)).await.unwrap(), None);
    backup.round(at(61)).await;
    assert_eq!(inbox.events(), ["fire"]);
}

#[tokio::test]
async fn a_pager_that_hears_late_of_what_is_over_hears_of_its_end_too() {
    let house = House::new().await;
    let inbox = Inbox::start().await;
    let told = |expected_version, history| AlertChange {
        objective: "checkout-availability".to_owned(),
        rule: "page-fast".to_owned(),
        expected_version,
        state: String::new(),
        incident: 1,
        history: Some(history),
    };
    let fire = told(
        0,
        History::Fired {
            severity: "page".to_owned(),
            fired_s: at(0).as_second(),
            reason: String::new(),
            late: false,
        },
    );
    let resolve = told(
        1,
        History::Resolved {
            resolved_s: at(30).as_second(),
            reason: "burn rate 0.5 over 5m".to_owned(),
        },
    );
    house.owe(1, Kind::Fire, &["oncall"]).await;
    // Its policy has `alertWhenResolved: false`: no resolve is owed to a webhook.
    for change in [fire, resolve] {
        house.store.transition(&[change], &[]).await.unwrap();
    }
    let watch = house.watch();
    watch.round(at(60)).await.unwrap();
    let backup = house.worker("backup", &inbox.url, "");
    backup.round(at(61)).await;
    backup.round(at(62)).await;
    assert_eq!(inbox.events(), ["fire", "resolve"]);
    let got = inbox.got().pop().unwrap();
    assert_eq!(got.body["resolved"], at(30).to_string());
    assert_eq!(got.header("webhook-id"), resolved().webhook_id);
}

#[tokio::test]
async fn a_page_is_given_up_after_a_week_and_not_before_72_hours() {
    let house = House::new().await;
    let inbox = Inbox::start().await;
    inbox.plan([answer(500), answer(500)]);
    let oncall = house.worker("oncall", &inbox.url, "");
    house.owe(1, Kind::Fire, &["oncall"]).await;
    house.owe(1, Kind::Resolve, &[]).await;

    assert!(oncall.round(at(72 * 3_600)).await.is_some());
    assert_eq!(oncall.round(at(7 * 86_400)).await, None);
    assert_eq!(inbox.events(), ["fire", "fire"]);
    assert_eq!(house.store.pending("oncall").await.unwrap(), 0);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let house = House::new().await;
    let inbox = Inbox::start().await;
    inbox.plan([answer(307)]);
    let oncall = house.worker("oncall", &inbox.url, "");
    house.owe(1, Kind::Fire, &["oncall"]).await;

    oncall.round(at(0)).await;
    assert_eq!(inbox.got().len(), 1);
    let attempts = &house.store.deliveries(None, 9).await.unwrap()[0].attempts;
    assert_eq!(attempts[0].outcome.as_deref(), Some("refused"));
}

#[tokio::test]
async fn a_receiver_that_cannot_be_reached_is_told_without_its_url() {
    let house = House::new().await;
    let oncall = house.worker("oncall", "http://127.0.0.1:1/token-4711", "");
    house.owe(1, Kind::Fire, &["oncall"]).await;

    assert!(oncall.round(at(0)).await.is_some());
    let attempts = &house.store.deliveries(None, 9).await.unwrap()[0].attempts;
    let detail = attempts[0].detail.as_deref().unwrap();
    assert!(detail.starts_with("no connection: "), "{detail}");
    assert!(!detail.contains("4711"), "{detail}");
}

#[tokio::test]
async fn a_name_that_leads_into_our_network_is_not_called() {
    let house = House::new().await;
    let inbox = Inbox::start().await;
    let url = inbox.url.replace("http://127.0.0.1", "https://localhost");
    let document = document("oncall", &url, "", false);
    let oncall = house.worker_of(&resolve(&[document]).remove(0));
    house.owe(1, Kind::Fire, &["oncall"]).await;

    oncall.round(at(0)).await;
    assert_eq!(inbox.got().len(), 0);
    let attempts = &house.store.deliveries(None, 9).await.unwrap()[0].attempts;
    let detail = attempts[0].detail.as_deref().unwrap();
    assert!(detail.contains("is not public"), "{detail}");
    assert_eq!(attempts[0].outcome.as_deref(), Some("refused"));
}

#[tokio::test]
async fn running_workers_deliver_what_is_owed_and_do_not_wait_for_each_other() {
    let house = House::new().await;
    let (slow, fast) = (Inbox::start().await, Inbox::start().await);
    let held = slow.hold();
    let running = house.run(&[("slow", &slow), ("fast", &fast)]);

    for incident in 1..=9 {
        house.owe(incident, Kind::Fire, &["slow", "fast"]).await;
        running.owed.notify_waiters();
    }
    fast.wait_for(9).await;
    assert_eq!(slow.answered(), 0);
    drop(held);
    slow.wait_for(9).await;
    running.stop().await;
    assert_eq!(fast.got().len(), 9, "nothing was sent twice");
    assert_eq!(slow.got().len(), 9, "nothing was sent twice");
}

#[tokio::test]
async fn a_restart_goes_on_where_the_last_process_was() {
    let house = House::new().await;
    let inbox = Inbox::start().await;
    house.owe(1, Kind::Fire, &["oncall"]).await;
    house.owe(1, Kind::Resolve, &[]).await;
    // The last process began an attempt, and ended before it did.
    let page = house.store.owed("oncall", 1).await.unwrap().remove(0);
    let far = SystemClock.now() + Duration::from_hours(1);
    let lease = far.as_millisecond();
    house.store.begin_attempt(page.id, 0, lease).await.unwrap();

    let running = house.run(&[("oncall", &inbox)]);
    inbox.wait_for(2).await;
    running.stop().await;
    assert_eq!(inbox.events(), ["fire", "resolve"]);
}

/// Seconds after the pages were decided, which is long ago.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_000_000_000 + seconds).unwrap()
}

#[expect(clippy::cast_precision_loss, reason = "seconds of a test")]
fn seconds_until(due_ms: i64, from: i64) -> f64 {
    (due_ms - at(from).as_millisecond()) as f64 / 1_000.0
}

fn answer(status: u16) -> (StatusCode, Option<&'static str>) {
    (StatusCode::from_u16(status).unwrap(), None)
}

fn document(name: &str, url: &str, fallback: &str, allow_private: bool) -> ReceiverDocument {
    ReceiverDocument {
        name: name.to_owned(),
        kind: "webhook".to_owned(),
        url: Some(url.into()),
        secret: Some("env:WEBHOOK".into()),
        severities: None,
        allow_private,
        fallback: (!fallback.is_empty()).then(|| fallback.to_owned()),
    }
}

fn resolve(documents: &[ReceiverDocument]) -> Vec<Receiver> {
    Receiver::resolve_all(documents, &environment).unwrap()
}

/// A store, and what a worker needs beside it.
struct House {
    store: Store,
    _directory: TempDir,
}

impl House {
    async fn new() -> House {
        // The first of a process wins; they are all the same.
        drop(rustls::crypto::ring::default_provider().install_default());
        let directory = tempfile::tempdir().unwrap();
        let location = Location::Directory(directory.path().to_owned());
        House {
            store: Store::open(&location).await.unwrap(),
            _directory: directory,
        }
    }

    async fn owe(&self, incident: i64, kind: Kind, receivers: &[&str]) {
        let notice = match kind {
            Kind::Fire => fired(),
            Kind::Resolve => resolved(),
        };
        let page = OutboxRow {
            receivers: receivers.iter().map(|&name| name.to_owned()).collect(),
            only: None,
            incident,
            objective: "checkout-availability".to_owned(),
            rule: "page-fast".to_owned(),
            kind,
            notice: notice.to_json(),
            created_ms: at(0).as_millisecond(),
        };
        self.store.transition(&[], &[page]).await.unwrap();
    }

    fn worker(&self, name: &str, url: &str, fallback: &str) -> Worker {
        let mut documents = vec![document(name, url, fallback, true)];
        if !fallback.is_empty() {
            documents.push(document(fallback, url, "", true));
        }
        self.worker_of(&resolve(&documents).remove(0))
    }

    /// Over a receiver whose fallback is a pager.
    fn watch(&self) -> Watch {
        Watch {
            receiver: "oncall".to_owned(),
            fallback: Fallback {
                name: "backup".to_owned(),
                holds_incidents: true,
            },
            store: self.store.clone(),
            owed: Arc::new(Notify::new()),
        }
    }

    fn worker_of(&self, receiver: &Receiver) -> Worker {
        Worker {
            client: delivery::client(receiver).unwrap(),
            receiver: receiver.clone(),
            store: self.store.clone(),
            owed: Arc::new(Notify::new()),
            metrics: Metrics::new("0", at(0)),
        }
    }

    fn run(&self, inboxes: &[(&str, &Inbox)]) -> Running {
        let documents: Vec<_> = inboxes
            .iter()
            .map(|(name, inbox)| document(name, &inbox.url, "", true))
            .collect();
        let receivers = Arc::new(resolve(&documents));
        let owed = Arc::new(Notify::new());
        let (store, ring) = (self.store.clone(), Arc::clone(&owed));
        let workers = Workers::new(
            store,
            receivers,
            ring,
            Metrics::new("0", at(0)),
            SystemClock,
        )
        .unwrap();
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(workers.run(stop.clone()));
        Running { owed, stop, tasks }
    }
}

struct Running {
    owed: Arc<Notify>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Running {
    async fn stop(mut self) {
        self.stop.cancel();
        self.tasks.join_next().await.unwrap().unwrap();
    }
}

/// A webhook receiver that does as planned, then accepts.
struct Inbox {
    url: String,
    shared: Arc<Shared>,
    _server: JoinSet<std::io::Result<()>>,
}

struct Shared {
    got: Mutex<Vec<Got>>,
    plan: Mutex<VecDeque<(StatusCode, Option<&'static str>)>>,
    gate: Semaphore,
    answered: watch::Sender<usize>,
}

#[derive(Clone)]
struct Got {
    headers: HeaderMap,
    raw: Bytes,
    body: Value,
}

/// Answers are held back until this goes.
struct Held(Arc<Shared>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.gate.add_permits(1);
    }
}

impl Inbox {
    async fn start() -> Inbox {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            got: Mutex::default(),
            plan: Mutex::default(),
            gate: Semaphore::new(1),
            answered: watch::Sender::new(0),
        });
        let app = axum::Router::new()
            .fallback(receive)
            .with_state(Arc::clone(&shared));
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, app).await });
        Inbox {
            url,
            shared,
            _server: server,
        }
    }

    fn plan(&self, answers: impl IntoIterator<Item = (StatusCode, Option<&'static str>)>) {
        self.shared.plan.lock().unwrap().extend(answers);
    }

    fn hold(&self) -> Held {
        self.shared.gate.try_acquire().unwrap().forget();
        Held(Arc::clone(&self.shared))
    }

    fn got(&self) -> Vec<Got> {
        self.shared.got.lock().unwrap().clone()
    }

    fn events(&self) -> Vec<String> {
        let event = |got: &Got| got.body["event"].as_str().unwrap().to_owned();
        self.got().iter().map(event).collect()
    }

    fn answered(&self) -> usize {
        *self.shared.answered.borrow()
    }

    async fn wait_for(&self, count: usize) {
        let mut answered = self.shared.answered.subscribe();
        answered
            .wait_for(|&answered| answered >= count)
            .await
            .unwrap();
    }
}

impl Got {
    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    /// Computed as a receiver would.
    fn signature(&self) -> String {
        let key = BASE64.decode(WEBHOOK_SECRET.replace("whsec_", "")).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        let (id, timestamp) = (self.header("webhook-id"), self.header("webhook-timestamp"));
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(&self.raw);
        format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()))
    }
}

async fn receive(State(shared): State<Arc<Shared>>, headers: HeaderMap, raw: Bytes) -> Response {
    let body = serde_json::from_slice(&raw).unwrap();
    shared.got.lock().unwrap().push(Got { headers, raw, body });
    drop(shared.gate.acquire().await);
    let planned = shared.plan.lock().unwrap().pop_front();
    let (status, retry_after) = planned.unwrap_or((StatusCode::OK, None));
    shared.answered.send_modify(|answered| *answered += 1);
    let headers = retry_after.map(|value| [("retry-after", value)]);
    match (status, headers) {
        (status, Some(headers)) => (status, headers).into_response(),
        (StatusCode::TEMPORARY_REDIRECT, None) => {
            (status, [("location", "/elsewhere")]).into_response()
        }
        (status, None) => status.into_response(),
    }
}
