//! `/specs` in each state.

use super::objectives::all;
use super::pages::shell;
use super::{HOSTILE, State, ago};
use crate::Text;
use crate::view::{SpecChange, SpecDraft, SpecFile, SpecLine, SpecMark, SpecSource, SpecsView};

const SOURCE: &str = "apiVersion: openslo/v1
kind: SLO
metadata: { name: checkout-success }
spec:
  service: checkout
  timeWindow: [{ duration: 30d, isRolling: true }]
  budgetingMethod: Occurrences
  indicatorRef: checkout-success
  objectives: [{ target: 0.9995 }]";

/// `/specs`: healthy with warnings, while it pages with a pasted change.
pub fn specs(state: State) -> SpecsView {
    let (hostile, empty) = (state == State::Hostile, state == State::Empty);
    let path = if hostile {
        HOSTILE
    } else {
        "slo-specs/catalog/checkout.yaml"
    };
    let objectives = all(state);
    let rows = objectives
        .chunks(3)
        .enumerate()
        .map(|(index, some)| SpecFile {
            path: if index == 0 {
                path.to_owned()
            } else {
                format!("slo-specs/catalog/part-{index}.yaml")
            },
            objectives: some
                .iter()
                .map(|one| (one.id.clone(), one.title.clone(), one.status))
                .collect(),
            segments: index * 7,
            errors: usize::from(index == 0 && state == State::Missed),
            warnings: usize::from(index == 0 && !empty),
        })
        .collect();
    let draft = matches!(state, State::Paging | State::Hostile | State::NoData);
    SpecsView {
        shell: shell(state, "/specs"),
        files: rows,
        more_files: if hostile { 12 } else { 0 },
        source: (!empty).then(|| source(state, path)),
        changes: (state != State::NoData)
            .then(|| if empty { Vec::new() } else { changes(hostile) }),
        form: if empty {
            (String::new(), String::new())
        } else {
            (path.to_owned(), SOURCE.to_owned())
        },
        draft: draft.then(|| SpecDraft {
            elsewhere: if hostile {
                vec![Text::new(HOSTILE)]
            } else {
                Vec::new()
            },
            plan: if state == State::NoData {
                Err(Text::new("the store has no data yet"))
            } else {
                Ok(plan(hostile))
            },
        }),
    }
}

fn source(state: State, path: &str) -> SpecSource {
    let wrong = |line: usize| match (state, line) {
        (State::Missed, 8) => vec![SpecMark {
            error: true,
            text: Text::new(
                "objective `checkout-success` has target 1.0; a target must be below 1 — 99.9 % is `target: 0.999`",
            ),
        }],
        (State::Hostile, 2) => vec![SpecMark {
            error: true,
            text: Text::new(HOSTILE),
        }],
        (_, 2) => vec![SpecMark {
            error: false,
            text: Text::new("name `Checkout` is not an RFC 1123 label"),
        }],
        _ => Vec::new(),
    };
    let lines = SOURCE.lines().enumerate();
    SpecSource {
        path: Text::new(path),
        lines: lines
            .map(|(index, line)| SpecLine {
                text: Text::new(line),
                marks: wrong(index),
            })
            .collect(),
        more: if state == State::Hostile { 1_200 } else { 0 },
    }
}

fn changes(hostile: bool) -> Vec<SpecChange> {
    let change = |seconds, objective: &str, what: &str| SpecChange {
        at: ago(seconds),
        objective: objective.to_owned(),
        what: Text::new(what),
    };
    let name = if hostile { HOSTILE } else { "checkout-success" };
    vec![
        change(
            3_600,
            name,
            if hostile {
                HOSTILE
            } else {
                "target: 0.999 → 0.9995"
            },
        ),
        change(86_400 * 3, name, "first seen"),
    ]
}

fn plan(hostile: bool) -> Vec<Text> {
    [
        if hostile {
            HOSTILE
        } else {
            "plan: 2 pages added, none removed"
        },
        "past: what the store keeps, 8 Feb to 10 Mar",
        "",
        "checkout-success (checkout): changed",
        "  target: 0.999 → 0.9995",
        "  pages: 6 → 8",
    ]
    .map(Text::new)
    .to_vec()
}
