//! Scenario files among the specs: what comes otherwise than they say is an error.

use slo_specs::{Catalog, Level, Problem, Scenario, SourceFile};

/// Runs every scenario; one without specs of its own is about an objective of the catalog.
pub(super) fn run(files: &[SourceFile], catalog: &Catalog) -> Vec<Problem> {
    files.iter().flat_map(|file| one(file, catalog)).collect()
}

fn one(file: &SourceFile, catalog: &Catalog) -> Vec<Problem> {
    let problem = |message: String, help: &str| Problem {
        file: file.path.clone(),
        line: 1,
        column: 1,
        severity: Level::Error,
        message,
        help: Some(help.to_owned()),
    };
    match Scenario::parse(&file.text).and_then(|scenario| scenario.run_in(catalog)) {
        Ok(differences) => differences
            .into_iter()
            .map(|difference| {
                let help = "correct what the scenario expects, or the specs that came to this";
                problem(format!("scenario came out otherwise: {difference}"), help)
            })
            .collect(),
        Err(error) => vec![problem(
            error.to_string(),
            "a scenario has the form of those in slo-specs/scenarios",
        )],
    }
}
