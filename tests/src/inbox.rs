//! A webhook receiver: what a page is delivered to. Verifies signatures, and fails or dawdles when told to.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::{clock, wait};

/// How far a signature's timestamp may lie from now: what Standard Webhooks recommends.
const TOLERANCE_S: u64 = 300;

/// What the inbox does with one request instead of accepting it.
#[derive(Debug, Clone)]
pub enum Behaviour {
    /// Answers this status, with `Retry-After` in seconds where given.
    Refuse(u16, Option<u32>),
    /// Accepts after this time.
    Dawdle(Duration),
}

/// One delivery that the inbox accepted, its signature verified.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// `webhook-id`: the same in every attempt.
    pub id: String,
    /// The JSON body.
    pub body: Value,
}

/// A running receiver on a loopback port.
#[derive(Debug)]
pub struct Inbox {
    address: SocketAddr,
    shared: Arc<Shared>,
    _server: JoinSet<std::io::Result<()>>,
}

#[derive(Debug)]
struct Shared {
    key: Vec<u8>,
    tolerance_s: AtomicU64,
    state: Mutex<Received>,
}

#[derive(Debug, Default)]
struct Received {
    accepted: Vec<Delivery>,
    attempts: Vec<String>,
    forged: Vec<String>,
    plan: VecDeque<Behaviour>,
}

impl Inbox {
    /// Starts an inbox with a secret of its own.
    pub async fn start() -> Result<Inbox> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let key: [u8; 32] = rand::random();
        let shared = Arc::new(Shared {
            key: key.to_vec(),
            tolerance_s: AtomicU64::new(TOLERANCE_S),
            state: Mutex::default(),
        });
        let app = Router::new().fallback(receive).with_state(shared.clone());
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, app).await });
        Ok(Inbox {
            address,
            shared,
            _server: server,
        })
    }

    /// The address to deliver to.
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// The shared secret, as Standard Webhooks writes it.
    pub fn secret(&self) -> String {
        format!("whsec_{}", BASE64_STANDARD.encode(&self.shared.key))
    }

    /// Accepts a signature of any time: the sender's clock is not ours.
    pub fn ignore_time(&self) {
        self.shared.tolerance_s.store(u64::MAX, Ordering::Relaxed);
    }

    /// What is done with the next requests, in order, before those that are accepted.
    pub fn plan(&self, behaviours: impl IntoIterator<Item = Behaviour>) {
        self.state(|state| state.plan.extend(behaviours));
    }

    /// All accepted deliveries, a repeated one once.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.state(|state| {
            let mut seen = Vec::<Delivery>::new();
            for delivery in &state.accepted {
                if seen.iter().all(|known| known.id != delivery.id) {
                    seen.push(delivery.clone());
                }
            }
            seen
        })
    }

    /// `webhook-id` of every request, refused ones too.
    pub fn attempts(&self) -> Vec<String> {
        self.state(|state| state.attempts.clone())
    }

    /// Waits for at least `count` different deliveries; fails on any request that was not signed properly.
    pub async fn deliveries_at_least(
        &self,
        count: usize,
        limit: Duration,
    ) -> Result<Vec<Delivery>> {
        let what = format!("{count} deliveries");
        let found = wait::until(&what, limit, async || {
            let deliveries = self.deliveries();
            Ok((deliveries.len() >= count).then_some(deliveries))
        });
        let found = found
            .await
            .with_context(|| format!("the inbox has {:#?}", self.deliveries()));
        let forged = self.state(|state| state.forged.clone());
        ensure!(
            forged.is_empty(),
            "requests that were not signed properly: {forged:?}"
        );
        found
    }

    fn state<T>(&self, look: impl FnOnce(&mut Received) -> T) -> T {
        look(
            &mut self
                .shared
                .state
                .lock()
                .expect("no holder of this lock panics"),
        )
    }
}

async fn receive(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let tolerance_s = shared.tolerance_s.load(Ordering::Relaxed);
    let verified = verify(&shared.key, tolerance_s, &headers, &body);
    let behaviour = {
        let mut state = shared.state.lock().expect("no holder of this lock panics");
        match &verified {
            Err(problem) => {
                state.forged.push(format!("{problem:#}"));
                return StatusCode::UNAUTHORIZED.into_response();
            }
            Ok(delivery) => state.attempts.push(delivery.id.clone()),
        }
        state.plan.pop_front()
    };
    match behaviour {
        Some(Behaviour::Refuse(status, retry_after)) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            return match retry_after {
                Some(seconds) => (status, [("retry-after", seconds.to_string())]).into_response(),
                None => status.into_response(),
            };
        }
        Some(Behaviour::Dawdle(time)) => tokio::time::sleep(time).await,
        None => {}
    }
    if let Ok(delivery) = verified {
        shared
            .state
            .lock()
            .expect("no holder of this lock panics")
            .accepted
            .push(delivery);
    }
    StatusCode::NO_CONTENT.into_response()
}

/// Standard Webhooks: HMAC-SHA256 over `id.timestamp.body`, one of possibly several `v1,` signatures.
fn verify(key: &[u8], tolerance_s: u64, headers: &HeaderMap, body: &[u8]) -> Result<Delivery> {
    let header = |name: &str| -> Result<&str> {
        Ok(headers
            .get(name)
            .with_context(|| format!("no {name}"))?
            .to_str()?)
    };
    let (id, timestamp) = (header("webhook-id")?, header("webhook-timestamp")?);
    let age = (clock::now_nanos() / 1_000_000_000).abs_diff(timestamp.parse()?);
    ensure!(age <= tolerance_s, "the timestamp is {age} s off");
    let mut mac = Hmac::<Sha256>::new_from_slice(key).context("no key")?;
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    let signed = header("webhook-signature")?.split(' ').any(|signature| {
        let bytes = signature
            .strip_prefix("v1,")
            .and_then(|text| BASE64_STANDARD.decode(text).ok());
        bytes.is_some_and(|bytes| mac.clone().verify_slice(&bytes).is_ok())
    });
    ensure!(signed, "no signature of {id} fits");
    Ok(Delivery {
        id: id.to_owned(),
        body: serde_json::from_slice(body)?,
    })
}
