//! `POST /specs`: what a pasted change would do. Nothing is changed by it.

use std::sync::Arc;

use axum::Form;
use axum::extract::State as Shared;
use axum::extract::rejection::FormRejection;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse as _, Response};
use serde::Deserialize;
use slo_specs::{Problem, SourceFile};

use super::ask::Ask;
use super::pages::Web;
use super::plan::PATIENCE;
use super::views::{self, Source};
use crate::plan::{self, PlanError, Span, plan_against_store};
use crate::resume::locked;

/// Largest body: a file of 1 MiB, each byte of which may take three.
pub(super) const BODY_BYTES: usize = 4 << 20;
/// Longest name of a file.
const NAME_BYTES: usize = 500;

/// What the form sends.
#[derive(Debug, Deserialize)]
pub(super) struct Pasted {
    file: String,
    text: String,
}

/// Shows the problems of a change, and what it would have paged.
pub(super) async fn change(
    Shared(web): Shared<Web>,
    uri: Uri,
    headers: HeaderMap,
    pasted: Result<Form<Pasted>, FormRejection>,
) -> Response {
    let sorry = |status, head, detail: &str| web.sorry(status, "/specs", head, detail);
    if !same_site(&headers) {
        let detail = "Open /specs here, and paste it there.";
        return sorry(
            StatusCode::FORBIDDEN,
            "Forms of other sites are refused.",
            detail,
        );
    }
    let pasted = match pasted {
        Ok(Form(pasted)) => pasted,
        Err(rejection) => {
            return sorry(
                rejection.status(),
                "The form could not be read.",
                &rejection.body_text(),
            );
        }
    };
    let name = pasted.file.trim();
    if name.is_empty() || name.len() > NAME_BYTES {
        let detail = "Name the file that is changed, or that would be new.";
        return sorry(StatusCode::BAD_REQUEST, "The change has no file.", detail);
    }
    let Some(ask) = Ask::parse(&uri) else {
        return sorry(StatusCode::NOT_FOUND, "There is no such page.", uri.path());
    };
    let source = Source {
        state: &web.state,
        snapshot: web.state.snapshots.newest(),
    };
    // Browsers send lines as mail has them.
    let text = pasted.text.replace("\r\n", "\n");
    let files = views::spec_files(&source).await;
    let (changed, pasted) = put(&files, name, text);
    let (problems, plan) = tried(&source, changed).await;
    match views::tried(&source, &ask, &files, &pasted, &problems, plan).await {
        Ok(view) => {
            let page = Html(dashboards::render_specs(&view));
            ([(header::CACHE_CONTROL, "no-store")], page).into_response()
        }
        Err(error) => {
            tracing::error!(error = %error, "cannot show a change of specs");
            let status = StatusCode::SERVICE_UNAVAILABLE;
            sorry(
                status,
                "This page could not be made.",
                "The store cannot be read; see the log.",
            )
        }
    }
}

/// The files with one put in the place of that name, or added; and that one.
fn put(files: &[SourceFile], name: &str, text: String) -> (Vec<SourceFile>, SourceFile) {
    let mut changed = files.to_vec();
    let below = format!("/{name}");
    let known = changed
        .iter_mut()
        .find(|file| file.path == name || file.path.ends_with(&below));
    if let Some(file) = known {
        file.text = text;
        let pasted = file.clone();
        return (changed, pasted);
    }
    let pasted = SourceFile {
        path: name.to_owned(),
        text,
    };
    changed.push(pasted.clone());
    (changed, pasted)
}

/// The problems of the catalog these files make, and the plan of it, or why there is none.
async fn tried(
    source: &Source<'_>,
    files: Vec<SourceFile>,
) -> (Vec<Problem>, Result<String, String>) {
    let state = source.state;
    // Before anything is read: what several changes take must not add up. Reading goes on when nobody waits for
    // it any more, and so does the turn.
    let Ok(turn) = Arc::clone(&state.planning).try_lock_owned() else {
        let why = "Another plan is being made; ask again in a minute.";
        return (Vec::new(), Err(why.to_owned()));
    };
    let turn = Arc::new(turn);
    let reading = Arc::clone(&turn);
    let in_force = Arc::clone(&source.snapshot.written);
    // Ten thousand objectives take a moment to read: not on this thread.
    let files: Vec<SourceFile> = files
        .into_iter()
        .filter(|file| *file != crate::builtin::file())
        .collect();
    let ask = tokio::task::spawn_blocking(move || {
        let _turn = reading;
        plan::Ask::change(&in_force, &files, Span::default())
    });
    let Ok(ask) = ask.await else {
        return (Vec::new(), Err("The specs could not be read.".to_owned()));
    };
    let problems = ask.new.problems.clone();
    if problems.iter().any(Problem::is_error) {
        let why = "The change has errors, so it would not come into force: they are marked below.";
        return (problems, Err(why.to_owned()));
    }
    let known = Arc::clone(locked(&state.live).known());
    // Whoever goes away takes the work along, and so does the server.
    let stop = state.stop.child_token();
    let _guard = stop.clone().drop_guard();
    let planning = plan_against_store(&state.store, Some(known), ask, source.snapshot.at, stop);
    let plan = match tokio::time::timeout(PATIENCE, planning).await {
        Ok(Ok(plan)) => Ok(plan.to_text()),
        Ok(Err(PlanError::Range(why))) => Err(why),
        Ok(Err(PlanError::Stopped)) | Err(_) => {
            Err("The plan took longer than a minute.".to_owned())
        }
        Ok(Err(error @ (PlanError::Store(_) | PlanError::Recording(_)))) => {
            tracing::error!(error = %error, "cannot make a plan");
            Err("The store cannot be read; see the log.".to_owned())
        }
    };
    (problems, plan)
}

/// A page of another site must not make this server work: browsers say where a form comes from.
fn same_site(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => {
            let host = origin.split_once("://").map(|(_, host)| host);
            host.is_some() && host == text("host")
        }
        (None, None) => true,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn forms_of_other_sites_are_refused() {
        for (headers, expected) in [
            (&[][..], true),
            (
                &[
                    ("sec-fetch-site", "same-origin"),
                    ("origin", "https://evil.example"),
                ],
                true,
            ),
            (&[("sec-fetch-site", "none")], true),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "cross-site")], false),
            (
                &[
                    ("origin", "http://a.example:8080"),
                    ("host", "a.example:8080"),
                ],
                true,
            ),
            (
                &[("origin", "http://b.example"), ("host", "a.example:8080")],
                false,
            ),
            (&[("origin", "null"), ("host", "a.example:8080")], false),
        ] {
            let named = headers.iter().map(|(name, value)| {
                (
                    header::HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            });
            assert_eq!(same_site(&named.collect()), expected, "{headers:?}");
        }
    }

    #[test]
    fn a_pasted_file_takes_the_place_of_the_one_it_names() {
        let file = |path: &str, text: &str| SourceFile {
            path: path.into(),
            text: text.into(),
        };
        let files = [file("specs/a.yaml", "1"), file("specs/b/a.yaml", "2")];
        for (name, expected) in [
            (
                "specs/b/a.yaml",
                vec![("specs/a.yaml", "1"), ("specs/b/a.yaml", "new")],
            ),
            (
                "a.yaml",
                vec![("specs/a.yaml", "new"), ("specs/b/a.yaml", "2")],
            ),
            (
                "c.yaml",
                vec![
                    ("specs/a.yaml", "1"),
                    ("specs/b/a.yaml", "2"),
                    ("c.yaml", "new"),
                ],
            ),
        ] {
            let (changed, pasted) = put(&files, name, "new".to_owned());
            let found: Vec<_> = changed
                .iter()
                .map(|f| (f.path.as_str(), f.text.as_str()))
                .collect();
            assert_eq!(found, expected, "{name}");
            assert!(changed.contains(&pasted));
        }
    }
}
