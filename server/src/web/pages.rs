//! Pages: made once an evaluation and address, however many people look.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse as _, Response};
use bytes::Bytes;
use dashboards::{Fragment, Text};
use tokio::sync::{OnceCell, Semaphore};

use super::ask::{Ask, Page};
use super::slices::Trouble;
use super::views::{self, Source};
use super::{State, is_fresh};
use crate::store::StoreError;

/// Pages kept of one evaluation; beyond that the cache starts anew.
const MOST_PAGES: usize = 200;
/// Live streams at once: each is one browser that looks.
const MOST_STREAMS: usize = 1_000;

/// What page handlers share.
#[derive(Debug, Clone)]
pub(super) struct Web {
    pub(super) state: State,
    cache: Arc<Mutex<Cache>>,
    pub(super) streams: Arc<Semaphore>,
}

/// Pages of one evaluation, by address.
#[derive(Debug, Default)]
struct Cache {
    evaluation: u64,
    pages: HashMap<String, Arc<OnceCell<Arc<Rendered>>>>,
}

/// A page as of an evaluation.
#[derive(Debug)]
pub(super) struct Rendered {
    pub(super) evaluation: u64,
    pub(super) fragments: Vec<Fragment>,
    html: Bytes,
    etag: String,
}

/// Why there is no page.
#[derive(Debug)]
pub(super) enum Missing {
    /// No objective or service has this name.
    Nothing(&'static str, String),
    /// The store could not be read; the reference is in the log.
    Store(Trouble),
}

impl From<StoreError> for Missing {
    fn from(error: StoreError) -> Missing {
        Missing::Store(Trouble::store(&error))
    }
}

impl Web {
    pub(super) fn new(state: State) -> Web {
        Web {
            state,
            cache: Arc::default(),
            streams: Arc::new(Semaphore::new(MOST_STREAMS)),
        }
    }

    /// The page as of the newest evaluation.
    pub(super) async fn rendered(&self, ask: &Ask) -> Result<Arc<Rendered>, Missing> {
        let source = Source {
            state: &self.state,
            snapshot: self.state.snapshots.newest(),
        };
        let cell = self.cell(source.snapshot.id, ask.url());
        let made = cell.get_or_try_init(|| async { render(&source, ask).await.map(Arc::new) });
        made.await.cloned()
    }

    fn cell(&self, evaluation: u64, url: String) -> Arc<OnceCell<Arc<Rendered>>> {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.evaluation != evaluation || cache.pages.len() >= MOST_PAGES {
            *cache = Cache {
                evaluation,
                pages: HashMap::new(),
            };
        }
        Arc::clone(cache.pages.entry(url).or_default())
    }

    /// A page that says what went wrong.
    pub(super) fn sorry(
        &self,
        status: StatusCode,
        path: &str,
        head: &str,
        detail: &str,
    ) -> Response {
        let source = Source {
            state: &self.state,
            snapshot: self.state.snapshots.newest(),
        };
        let shell = views::error_shell(&source, path);
        let page = dashboards::render_error(&shell, head, &Text::new(detail));
        (status, [(header::CACHE_CONTROL, "no-store")], Html(page)).into_response()
    }
}

/// `GET` of a page.
pub(super) async fn page(Shared(web): Shared<Web>, uri: Uri, headers: HeaderMap) -> Response {
    let Some(ask) = Ask::parse(&uri) else {
        return not_found(Shared(web), uri).await;
    };
    match web.rendered(&ask).await {
        Ok(page) if is_fresh(&headers, &page.etag) => (
            StatusCode::NOT_MODIFIED,
            [(header::ETAG, page.etag.clone())],
        )
            .into_response(),
        Ok(page) => {
            let answer = [
                (header::CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
                (header::CACHE_CONTROL, "no-cache".to_owned()),
                (header::ETAG, page.etag.clone()),
            ];
            (answer, page.html.clone()).into_response()
        }
        Err(Missing::Nothing(kind, name)) => {
            let head = format!("There is no {kind} of this name.");
            web.sorry(StatusCode::NOT_FOUND, uri.path(), &head, &name)
        }
        Err(Missing::Store(Trouble(text))) => {
            let head = "This page could not be made.";
            web.sorry(
                StatusCode::SERVICE_UNAVAILABLE,
                uri.path(),
                head,
                text.as_str(),
            )
        }
    }
}

/// The answer to any other address.
pub(super) async fn not_found(Shared(web): Shared<Web>, uri: Uri) -> Response {
    if uri.path().starts_with("/api/") {
        let message = serde_json::json!({"error": "there is no such resource; see /api/v1/slos"});
        return (StatusCode::NOT_FOUND, axum::Json(message)).into_response();
    }
    web.sorry(
        StatusCode::NOT_FOUND,
        uri.path(),
        "There is no such page.",
        uri.path(),
    )
}

async fn render(source: &Source<'_>, ask: &Ask) -> Result<Rendered, Missing> {
    let (html, fragments) = match &ask.page {
        Page::Executive => {
            let view = views::executive(source, ask).await?;
            (
                dashboards::render_executive(&view),
                dashboards::executive_fragments(&view),
            )
        }
        Page::Oncall => {
            let view = views::oncall(source, ask).await?;
            (
                dashboards::render_oncall(&view),
                dashboards::oncall_fragments(&view),
            )
        }
        Page::Slos => {
            let view = views::slos(source, ask).await?;
            (
                dashboards::render_slos(&view),
                dashboards::slos_fragments(&view),
            )
        }
        Page::Slo(id) => {
            let view = views::slo(source, ask, id).await?;
            let view = view.ok_or_else(|| Missing::Nothing("objective", id.clone()))?;
            (
                dashboards::render_slo(&view),
                dashboards::slo_fragments(&view),
            )
        }
        Page::Specs(file) => {
            let view = views::specs(source, ask, file.as_deref()).await?;
            let view = view
                .ok_or_else(|| Missing::Nothing("spec file", file.clone().unwrap_or_default()))?;
            (
                dashboards::render_specs(&view),
                dashboards::specs_fragments(&view),
            )
        }
        Page::Debug(service) => {
            let view = views::debug(source, ask, service).await?;
            let view = view.ok_or_else(|| Missing::Nothing("service", service.clone()))?;
            (
                dashboards::render_debug(&view),
                dashboards::debug_fragments(&view),
            )
        }
    };
    Ok(Rendered {
        evaluation: source.snapshot.id,
        fragments,
        etag: etag(source.snapshot.id, &html),
        html: Bytes::from(html),
    })
}

/// Names a page of an evaluation.
fn etag(evaluation: u64, html: &str) -> String {
    let hash = blake3::hash(html.as_bytes()).to_hex();
    format!("\"{evaluation}-{}\"", hash.get(..16).unwrap_or_default())
}
