//! Spec files: every problem is told with its place, and what resolves does so every time.

use std::collections::BTreeSet;

use slo_specs::{Scenario, SourceFile, load};

pub(crate) fn spec(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    drop(Scenario::parse(text));
    let file = SourceFile {
        path: "fuzz.yaml".to_owned(),
        text: text.to_owned(),
    };
    let files = [file];
    let loaded = load(&files);
    for problem in &loaded.problems {
        assert!(
            problem.line >= 1 && problem.column >= 1,
            "a problem in no place: {problem:?}"
        );
        assert!(!problem.message.is_empty());
    }
    let objectives = &loaded.catalog.objectives;
    let ids: BTreeSet<_> = objectives.iter().map(|objective| &objective.id).collect();
    assert_eq!(ids.len(), objectives.len(), "an id names one objective");
    let prints = |loaded: &slo_specs::Loaded| -> Vec<_> {
        let objectives = loaded.catalog.objectives.iter();
        objectives
            .map(|one| (one.id.clone(), one.indicator.fingerprint()))
            .collect()
    };
    assert_eq!(prints(&loaded), prints(&load(&files)));
}
