//! Reads the specs again on SIGHUP and when files change; a bad catalog never replaces a good one.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use slo_specs::{Catalog, Level, Objective, Problem, SourceFile};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::builtin;
use crate::catalog;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::spec_history;
use crate::store::{SpecChangeRow, Store};

/// How often the files are compared with what was last read.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// What is wrong with the spec files as they are now; shown on every page.
pub(crate) type SpecProblems = Arc<ArcSwap<Vec<Problem>>>;

/// Largest share of the objectives that a change of the files may remove without being asked for:
/// an emptied folder or a wrong branch is a mistake, not a catalog.
const REMOVED_PERCENT: usize = 30;

/// Keeps the catalog in step with the folder of specs.
#[derive(Debug)]
pub(crate) struct Reloader {
    folder: PathBuf,
    /// Whether sloburn's own objective is judged too.
    ingest_slo: bool,
    proposed: mpsc::Sender<Arc<Catalog>>,
    problems: SpecProblems,
    /// Where changes are noted, for people.
    store: Store,
    /// The catalog in force, or about to be.
    catalog: Arc<Catalog>,
    /// Hash of the files as they were last judged.
    seen: Option<blake3::Hash>,
    /// Hash of the files at the last look: a file may be half written.
    last_look: Option<blake3::Hash>,
}

impl Reloader {
    /// Watches the folder of specs that was read as `files` and resolved to `catalog`; returns also where the
    /// next catalogs come out.
    pub(crate) fn new(
        config: &Config,
        files: &[SourceFile],
        catalog: Arc<Catalog>,
        problems: &SpecProblems,
        store: Store,
    ) -> (Reloader, mpsc::Receiver<Arc<Catalog>>) {
        let (proposed, taken) = mpsc::channel(1);
        let reloader = Reloader {
            folder: config.specs.clone(),
            ingest_slo: config.ingest_slo,
            proposed,
            problems: Arc::clone(problems),
            store,
            catalog,
            seen: Some(hash(files)),
            last_look: None,
        };
        (reloader, taken)
    }

    /// Watches until stopped.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        use tokio::signal::unix::{SignalKind, signal};
        let mut hangup = match signal(SignalKind::hangup()) {
            Ok(hangup) => hangup,
            Err(error) => {
                tracing::error!(error = %error, "cannot wait for SIGHUP; specs are not reloaded");
                return;
            }
        };
        self.note_start().await;
        let mut look = tokio::time::interval(LOOK_EVERY);
        loop {
            let asked = tokio::select! {
                () = stop.cancelled() => return,
                _ = hangup.recv() => true,
                _ = look.tick() => false,
            };
            self.look(asked).await;
        }
    }

    async fn look(&mut self, asked: bool) {
        let files = match catalog::read(std::slice::from_ref(&self.folder)) {
            Ok(files) => files,
            Err(error) => {
                self.seen = None;
                return self.refuse(vec![unreadable(&self.folder, &error)]);
            }
        };
        let found = hash(&files);
        let settled = self.last_look.replace(found) == Some(found);
        if !asked && (self.seen == Some(found) || !settled) {
            return;
        }
        self.seen = Some(found);
        let loaded = catalog::resolve(&files, self.ingest_slo);
        if loaded.problems.iter().any(Problem::is_error) {
            return self.refuse(loaded.problems);
        }
        if !asked && let Some(problem) = self.removes_too_much(&loaded.catalog) {
            return self.refuse(vec![problem]);
        }
        let before = std::mem::replace(&mut self.catalog, Arc::new(loaded.catalog));
        // The ticker is the only receiver; it is gone when the server stops.
        if self.proposed.send(Arc::clone(&self.catalog)).await.is_ok() {
            let objectives = self.catalog.objectives.len();
            tracing::info!(catalog.objectives = objectives, "the specs were read again");
            self.note(loaded.problems);
            let rows =
                spec_history::at_reload(&before, &self.catalog, SystemClock.now().as_second());
            self.keep(&rows).await;
        }
    }

    /// Notes what is new since the process before.
    async fn note_start(&self) {
        let now = SystemClock.now().as_second();
        match self.store.spec_marks().await {
            Ok(marks) => {
                self.keep(&spec_history::at_start(&marks, &self.catalog, now))
                    .await;
            }
            Err(error) => tracing::warn!(error = %error, "changes of specs are not noted"),
        }
    }

    /// History is for people: without it everything is judged all the same.
    async fn keep(&self, rows: &[SpecChangeRow]) {
        if let Err(error) = self.store.note_spec_changes(rows).await {
            tracing::warn!(error = %error, "changes of specs are not noted");
        }
    }

    fn removes_too_much(&self, catalog: &Catalog) -> Option<Problem> {
        let of_files = self
            .catalog
            .objectives
            .iter()
            .filter(|one| !builtin::is(one));
        let before = of_files.clone().count();
        let gone = |objective: &&Objective| catalog.objective(&objective.id).is_none();
        let removed = of_files.filter(gone).count();
        (removed * 100 > before * REMOVED_PERCENT).then(|| Problem {
            file: self.folder.display().to_string(),
            line: 1,
            column: 1,
            severity: Level::Error,
            message: format!("the changed files remove {removed} of {before} objectives"),
            help: Some("send SIGHUP to confirm; until then the old ones stay in force".to_owned()),
        })
    }

    /// The old catalog stays, and everyone is told.
    fn refuse(&self, problems: Vec<Problem>) {
        let first = problems
            .first()
            .map(ToString::to_string)
            .unwrap_or_default();
        tracing::error!(
            specs.problems = problems.len(),
            specs.first = first,
            "the changed specs have problems; the old ones stay in force"
        );
        self.note(problems);
    }

    fn note(&self, problems: Vec<Problem>) {
        self.problems.store(Arc::new(problems));
    }
}

fn hash(files: &[SourceFile]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for file in files {
        hasher.update(file.path.as_bytes());
        hasher.update(&[0]);
        hasher.update(file.text.as_bytes());
        hasher.update(&[0]);
    }
    hasher.finalize()
}

fn unreadable(folder: &std::path::Path, error: &catalog::ReadError) -> Problem {
    Problem {
        file: folder.display().to_string(),
        line: 1,
        column: 1,
        severity: Level::Error,
        message: error.to_string(),
        help: None,
    }
}
