//! Every scenario of `scenarios/` comes out as it says.

use std::fs;
use std::path::Path;

use slo_specs::{Scenario, ScenarioError};

use crate::given;

#[test]
fn every_scenario_comes_out_as_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut run = 0;
    let mut wrong = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let outcome = Scenario::parse(&text).and_then(|scenario| scenario.run());
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        match outcome {
            Ok(differences) => wrong.extend(differences.iter().map(|d| format!("{name}: {d}"))),
            Err(error) => wrong.push(format!("{name}: {error}")),
        }
        run += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(run >= 8, "only {run} scenarios were found");
}

#[test]
fn a_scenario_that_is_wrong_says_so() {
    let text = include_str!("../../scenarios/low-traffic-does-not-page.yaml");
    let other = text.replace("burn: { page-fast: [100.0, 100.0] }", "total: 21");
    let differences = Scenario::parse(&other).unwrap().run().unwrap();
    assert_eq!(differences, ["at 31m 10s: total is 20, not Some(21)"]);
    let unknown = text.replace("objective: checkout", "objective: checkuot");
    assert!(matches!(
        Scenario::parse(&unknown).unwrap().run(),
        Err(ScenarioError::Objective(_))
    ));
    assert!(matches!(
        Scenario::parse("traffic: 1"),
        Err(ScenarioError::Malformed(_))
    ));
}

#[test]
fn a_scenario_without_specs_is_about_the_catalog_at_hand() {
    let whole = include_str!("../../scenarios/low-traffic-does-not-page.yaml");
    assert!(Scenario::is_one(whole));
    assert!(!Scenario::is_one("apiVersion: openslo/v1\nkind: SLO\n"));
    let (before, rest) = whole.split_once("specs: |\n").unwrap();
    let (specs, after) = rest.split_once("objective:").unwrap();
    let scenario = Scenario::parse(&format!("{before}objective:{after}")).unwrap();
    let loaded = given::read(specs.replace("\n  ", "\n").trim_start().to_owned());
    assert_eq!(loaded.problems, []);
    assert_eq!(scenario.run_in(&loaded.catalog).unwrap(), [""; 0]);
    assert!(matches!(scenario.run(), Err(ScenarioError::Objective(_))));
}
