//! Reads the specs again on SIGHUP and when files change; a bad catalog never replaces a good one.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use slo_specs::{Catalog, Level, Problem};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::catalog;

/// How often the files are compared with what was last read.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// What is wrong with the spec files as they are now; shown on every page.
pub(crate) type SpecProblems = Arc<ArcSwap<Vec<Problem>>>;

/// Keeps the catalog in step with the folder of specs.
#[derive(Debug)]
pub(crate) struct Reloader {
    folder: PathBuf,
    proposed: mpsc::Sender<Arc<Catalog>>,
    problems: SpecProblems,
    /// Hash of the files as they were last read.
    seen: Option<blake3::Hash>,
}

impl Reloader {
    pub(crate) fn new(
        folder: PathBuf,
        proposed: mpsc::Sender<Arc<Catalog>>,
        problems: SpecProblems,
    ) -> Reloader {
        Reloader {
            seen: catalog::read(std::slice::from_ref(&folder))
                .ok()
                .map(|files| hash(&files)),
            folder,
            proposed,
            problems,
        }
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
            Err(error) => return self.refuse(vec![unreadable(&self.folder, &error)]),
        };
        let found = hash(&files);
        if !asked && self.seen == Some(found) {
            return;
        }
        self.seen = Some(found);
        let loaded = slo_specs::load(&files);
        if loaded.problems.iter().any(Problem::is_error) {
            return self.refuse(loaded.problems);
        }
        let objectives = loaded.catalog.objectives.len();
        // The ticker is the only receiver; it is gone when the server stops.
        if self.proposed.send(Arc::new(loaded.catalog)).await.is_ok() {
            tracing::info!(catalog.objectives = objectives, "the specs were read again");
            self.note(loaded.problems);
        }
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

fn hash(files: &[slo_specs::SourceFile]) -> blake3::Hash {
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
