//! The web listener's answers, over a real store.

use std::sync::{Arc, Mutex};

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use axum::response::Response;
use collector::{Exemplar, Exemplars, Known, Why};
use slo_specs::{AlertState, SourceFile, evaluate};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::{State, router};
use crate::live::Live;
use crate::replay::{slo_report, windows};
use crate::snapshot::{ObjectiveSnapshot, Snapshot, Snapshots};
use crate::store::{ExemplarRow, Fold, Location, SliceRow, Store, Tier};

const SPEC: &str = r#"
apiVersion: openslo/v1
kind: SLO
metadata: { name: checkout, displayName: "Checkout <b>works</b>" }
spec:
  service: checkout
  timeWindow: [{ duration: 1d, isRolling: true }]
  budgetingMethod: Occurrences
  indicator:
    metadata: { name: success }
    spec:
      ratioMetric:
        counter: true
        bad: { metricSource: { type: otlp, spec: { signal: traces, match: { service.name: checkout }, status: error } } }
        total: { metricSource: { type: otlp, spec: { signal: traces, match: { service.name: checkout } } } }
  objectives: [{ displayName: available, target: 0.99 }]
"#;

/// A web listener with one objective, judged at a fixed tick over what it is given: `(slice end, total, bad)`.
struct Site {
    state: State,
    _directory: tempfile::TempDir,
}

impl Site {
    async fn with(tallies: &[(i64, u64, u64)]) -> Site {
        let directory = tempfile::tempdir().unwrap();
        let location = Location::Directory(directory.path().to_owned());
        let file = SourceFile {
            path: "checkout.yaml".to_owned(),
            text: SPEC.to_owned(),
        };
        let loaded = slo_specs::load(&[file]);
        assert_eq!(loaded.problems, [], "the spec is sound");
        let catalog = Arc::new(loaded.catalog);
        let mut live = Live::new(Arc::clone(&catalog), Arc::new(Known::new()));
        let indicator = catalog.objectives[0].indicator.fingerprint();
        for (end, total, bad) in tallies {
            let timeline = live.timeline_mut(indicator).unwrap();
            timeline.add(*end, slo_specs::Tally::new(*total, *bad));
        }
        let state = State {
            store: Store::open(&location).await.unwrap(),
            snapshots: Snapshots::new(snapshot(&live, 1_773_112_440)),
            live: Arc::new(Mutex::new(live)),
            stop: CancellationToken::new(),
            planning: Arc::default(),
            specs: directory.path().join("specs"),
        };
        Site {
            state,
            _directory: directory,
        }
    }

    async fn ask(&self, request: Request<Body>) -> Response {
        router(self.state.clone()).oneshot(request).await.unwrap()
    }

    /// Sends the form of `/specs` as a browser does that looks at a site of that kind.
    async fn post(&self, body: &str, site: &'static str) -> (StatusCode, String) {
        let request = Request::post("/specs")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("sec-fetch-site", site)
            .body(Body::from(body.to_owned()));
        let response = self.ask(request.unwrap()).await;
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await;
        (status, String::from_utf8(body.unwrap().to_vec()).unwrap())
    }

    async fn get(&self, path: &str) -> (StatusCode, String) {
        let response = self
            .ask(Request::get(path).body(Body::empty()).unwrap())
            .await;
        let status = response.status();
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }
}

fn snapshot(live: &Live, now_s: i64) -> Snapshot {
    let at = super::grid::instant(now_s);
    let objectives = live.objectives().into_iter().map(|objective| {
        let timeline = live.timeline(objective.indicator.fingerprint()).unwrap();
        let evaluation = evaluate(&objective, timeline, at);
        ObjectiveSnapshot {
            alerts: vec![AlertState::default(); objective.rules.len()],
            report: slo_report(
                &objective,
                &evaluation,
                windows(&objective, &evaluation, live),
                None,
            ),
            latency: None,
            evaluation,
            objective,
        }
    });
    Snapshot {
        objectives: objectives.collect(),
        id: u64::try_from(now_s / 10).unwrap(),
        ..Snapshot::empty(Arc::clone(live.catalog()), at)
    }
}

#[tokio::test]
async fn every_page_is_there_before_anything_was_received() {
    let site = Site::with(&[]).await;
    for path in [
        "/executive",
        "/oncall",
        "/slos",
        "/slos/checkout",
        "/debug/checkout",
    ] {
        let (status, page) = site.get(path).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert!(
            page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"),
            "{path}"
        );
        assert!(
            !page.contains("<b>works</b>"),
            "{path}: a name became markup"
        );
        assert!(page.contains("No data") || page.contains("No objective") || path == "/executive");
    }
    let home = site
        .ask(Request::get("/").body(Body::empty()).unwrap())
        .await;
    assert_eq!(home.headers()[header::LOCATION], "/oncall");
}

#[tokio::test]
async fn tile_table_and_api_say_the_same() {
    // 5 of 1 000 bad against 1 %: half of the budget.
    let site = Site::with(&[(1_773_112_400, 1_000, 5)]).await;
    let (_, page) = site.get("/slos/checkout").await;
    let (_, table) = site.get("/slos").await;
    let (_, api) = site.get("/api/v1/slos/checkout").await;
    assert!(page.contains("50<small>%</small>"), "the tile");
    assert!(page.contains("50.0% left"), "the chart's last point");
    assert!(table.contains(">50%</span>"), "the table");
    let api: serde_json::Value = serde_json::from_str(&api).unwrap();
    assert_eq!(api["budget_remaining"], 0.5);
    assert_eq!((&api["total"], &api["bad"]), (&1_000.into(), &5.into()));
}

fn traces_of(end_s: i64, sent: &[(Why, u128, u64)]) -> ExemplarRow {
    let mut exemplars = Exemplars::default();
    for (why, trace, nanos) in sent {
        exemplars.note(Exemplar {
            why: *why,
            trace: *trace,
            nanos: *nanos,
        });
    }
    ExemplarRow {
        end_s,
        service: "checkout".to_owned(),
        traces: exemplars.encode(),
    }
}

/// A slice of `checkout` and traces, of a day before too; some are damaged.
fn traced() -> Fold {
    let torn = ExemplarRow {
        traces: vec![1, 2, 3],
        ..traces_of(1_773_112_430, &[])
    };
    Fold {
        slices: vec![SliceRow {
            tier: Tier::Ten,
            end_s: 1_773_112_400,
            service: "checkout".to_owned(),
            requests: 0,
            failed: 0,
            pack: collector::Pack::default().encode(),
        }],
        exemplars: vec![
            traces_of(1_773_100_000, &[(Why::Failed, 9, 1)]),
            traces_of(
                1_773_112_400,
                &[(Why::Failed, 1, 7_000_000), (Why::Slow, 3, 9_500_000)],
            ),
            traces_of(
                1_773_112_410,
                &[(Why::Failed, 2, 5_000), (Why::Slow, 4, 20_000_000)],
            ),
            traces_of(
                1_773_112_420,
                &[(Why::Point, 0xab << 120, 0), (Why::Failed, 1, 6_000_000)],
            ),
            torn,
        ],
        ..Fold::default()
    }
}

#[tokio::test]
async fn a_services_traces_are_in_the_api_and_on_its_page() {
    let site = Site::with(&[]).await;
    site.state.store.fold(&traced()).await.unwrap();
    let (status, api) = site.get("/api/v1/services/checkout/traces").await;
    assert_eq!(status, StatusCode::OK);
    let api: serde_json::Value = serde_json::from_str(&api).unwrap();
    let of = |kind: &str| {
        let traces = api[kind].as_array().unwrap().iter();
        let told = traces.map(|one| {
            (
                one["trace_id"].as_str().unwrap(),
                one["duration_ms"].as_f64(),
            )
        });
        told.collect::<Vec<_>>()
    };
    let id = |number: u128| format!("{number:032x}");
    assert_eq!(
        of("failed"),
        [(&*id(1), Some(7.0)), (&*id(2), Some(0.005))],
        "the newest first"
    );
    assert_eq!(
        of("slow"),
        [(&*id(4), Some(20.0)), (&*id(3), Some(9.5))],
        "the slowest first"
    );
    assert_eq!(
        of("metric_points"),
        [("ab000000000000000000000000000000", None)]
    );
    let (_, page) = site.get("/debug/checkout").await;
    assert!(page.contains(&id(4)) && page.contains("ab000000000000000000000000000000"));
    assert!(!page.contains(&id(9)), "older than what is looked at");
    let (_, earlier) = site
        .get("/api/v1/services/checkout/traces?from=2026-03-09T23:00:00Z&to=2026-03-10T00:00:00Z")
        .await;
    assert!(
        earlier.contains(&id(9)) && !earlier.contains(&id(1)),
        "{earlier}"
    );
    let (status, _) = site.get("/api/v1/services/none/traces").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_is_not_there_is_said_so_with_all_headers() {
    let site = Site::with(&[]).await;
    for path in [
        "/slos/none",
        "/debug/none",
        "/nothing",
        "/static/app.css",
        "/api/v1/slos/none",
        "/api/x",
    ] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = site.ask(request).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap();
        assert!(
            policy.contains("default-src 'none'") && !policy.contains("script-src 'unsafe"),
            "{path}"
        );
        assert_eq!(
            response.headers()[header::X_CONTENT_TYPE_OPTIONS],
            "nosniff",
            "{path}"
        );
    }
    let (_, page) = site.get("/debug/%3Cscript%3E").await;
    assert!(page.contains("&#60;script&#62;") && !page.contains("<script>"));
    let post = site
        .ask(Request::post("/oncall").body(Body::empty()).unwrap())
        .await;
    assert_eq!(post.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_page_is_sent_once_an_evaluation() {
    let site = Site::with(&[]).await;
    let app = router(site.state.clone());
    let first = app
        .clone()
        .oneshot(Request::get("/oncall").body(Body::empty()).unwrap())
        .await
        .unwrap();
    let etag = first.headers()[header::ETAG].clone();
    let again = Request::get("/oncall")
        .header(header::IF_NONE_MATCH, etag)
        .body(Body::empty())
        .unwrap();
    let again = app.oneshot(again).await.unwrap();
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn static_files_live_for_a_year_under_their_hashed_names() {
    let site = Site::with(&[]).await;
    let (_, page) = site.get("/oncall").await;
    for file in dashboards::static_files() {
        let path = format!("/static/{}", file.name);
        assert!(page.contains(&path), "{path}");
        let response = site
            .ask(Request::get(&path).body(Body::empty()).unwrap())
            .await;
        assert_eq!(response.headers()[header::CONTENT_TYPE], file.content_type);
        assert!(
            response.headers()[header::CACHE_CONTROL]
                .to_str()
                .unwrap()
                .contains("immutable")
        );
    }
}

#[tokio::test]
async fn a_watched_page_hears_of_the_next_evaluation_and_of_nothing_unchanged() {
    let site = Site::with(&[(1_773_112_400, 1_000, 5)]).await;
    let since = 1_773_112_440 / 10;
    let request = Request::get(format!("/events?page=/slos&since={since}"));
    let response = site.ask(request.body(Body::empty()).unwrap()).await;
    assert_eq!(
        response.headers()[header::CONTENT_TYPE],
        "text/event-stream"
    );
    let next = snapshot(&site.state.live.lock().unwrap(), 1_773_112_450);
    site.state.snapshots.publish(next);
    let stop = site.state.stop.clone();
    let mut body = response.into_body().into_data_stream();
    let mut heard = String::new();
    while !heard.contains("event: tick") {
        let chunk = futures_util::StreamExt::next(&mut body)
            .await
            .unwrap()
            .unwrap();
        heard.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    assert!(
        heard.contains("retry: 3000") && heard.contains("id: 177311245"),
        "{heard}"
    );
    assert!(
        heard.contains(r#"{"html":"<span class=\"live"#),
        "the time of evaluation: {heard}"
    );
    assert!(
        !heard.contains(r#""id":"strip""#),
        "the strip did not change: {heard}"
    );
    stop.cancel();
    assert!(
        futures_util::StreamExt::next(&mut body).await.is_none(),
        "the stream ends with the server"
    );
}

#[tokio::test]
async fn a_page_that_does_not_exist_cannot_be_watched() {
    let site = Site::with(&[]).await;
    let (status, _) = site.get("/events?page=/nothing").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn specs_are_shown_and_a_pasted_change_is_only_looked_at() {
    let site = Site::with(&[]).await;
    let folder = site.state.specs.clone();
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("checkout.yaml"), SPEC).unwrap();
    let (status, page) = site.get("/specs").await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        page.contains("budgetingMethod") && page.contains("Nothing changed yet."),
        "{page}"
    );
    assert_eq!(site.get("/specs/other.yaml").await.0, StatusCode::NOT_FOUND);

    for (body, site_of, status, said) in [
        (
            "file=checkout.yaml&text=kind%3A+SLO",
            "same-origin",
            200,
            "has no `apiVersion`",
        ),
        (
            "file=new.yaml&text=%23+nothing",
            "same-origin",
            200,
            "There is no plan.",
        ),
        (
            "file=&text=x",
            "same-origin",
            400,
            "The change has no file.",
        ),
        (
            "file=a.yaml",
            "same-origin",
            422,
            "The form could not be read.",
        ),
        (
            "file=a.yaml&text=x",
            "cross-site",
            403,
            "Forms of other sites are refused.",
        ),
    ] {
        let (found, page) = site.post(body, site_of).await;
        assert_eq!(found.as_u16(), status, "{body}");
        assert!(page.replace("&#39;", "'").contains(said), "{body}: {page}");
    }
    let turn = Arc::clone(&site.state.planning).lock_owned().await;
    let (_, page) = site
        .post("file=a.yaml&text=kind%3A+SLO", "same-origin")
        .await;
    assert!(
        page.contains("Another plan is being made") && !page.contains("has no `apiVersion`"),
        "what is pasted while another is looked at is not read: {page}"
    );
    drop(turn);
    assert_eq!(
        std::fs::read_to_string(folder.join("checkout.yaml")).unwrap(),
        SPEC
    );
}
