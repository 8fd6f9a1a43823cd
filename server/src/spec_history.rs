//! When objectives came, changed and went: what is noted of a catalog that comes into force.

use std::collections::BTreeMap;

use slo_specs::{Catalog, Objective};

use crate::builtin;
use crate::plan;
use crate::store::SpecChangeRow;

/// The mark of an objective that is gone.
const GONE: i64 = 0;

/// What differs between the catalog at the start and the one that was in force last, of which the newest marks are known.
pub(crate) fn at_start(
    marks: &[(String, i64)],
    catalog: &Catalog,
    at_s: i64,
) -> Vec<SpecChangeRow> {
    let marks: BTreeMap<&str, i64> = marks
        .iter()
        .map(|(id, mark)| (id.as_str(), *mark))
        .collect();
    let mut rows: Vec<SpecChangeRow> = ours(catalog)
        .filter_map(|objective| {
            let what = match marks.get(objective.id.as_str()) {
                None => "first seen",
                Some(&GONE) => "is back",
                Some(&known) if known == mark(objective) => return None,
                Some(_) => "its spec changed while sloburn did not run",
            };
            Some(row(at_s, &objective.id, mark(objective), what))
        })
        .collect();
    let gone = marks
        .into_iter()
        .filter(|(id, mark)| *mark != GONE && catalog.objective(id).is_none());
    rows.extend(gone.map(|(id, _)| row(at_s, id, GONE, "gone since sloburn ran last")));
    rows
}

/// What differs between the catalog that was in force and the next.
pub(crate) fn at_reload(old: &Catalog, new: &Catalog, at_s: i64) -> Vec<SpecChangeRow> {
    let mut rows = Vec::new();
    for told in plan::told(old, new) {
        let mark = new.objective(&told.id).map_or(GONE, mark);
        if let Some(old_id) = &told.old_id {
            rows.push(row(
                at_s,
                old_id,
                GONE,
                &format!("renamed to `{}`", told.id),
            ));
        }
        rows.push(row(at_s, &told.id, mark, &told.what));
    }
    // What is judged alike may be said otherwise.
    for objective in ours(new) {
        let other_words = old
            .objective(&objective.id)
            .is_some_and(|before| mark(before) != mark(objective));
        if other_words && !rows.iter().any(|row| row.objective == objective.id) {
            let what = "its document changed; it is judged as before";
            rows.push(row(at_s, &objective.id, mark(objective), what));
        }
    }
    rows
}

fn ours(catalog: &Catalog) -> impl Iterator<Item = &Objective> {
    catalog.objectives.iter().filter(|one| !builtin::is(one))
}

fn row(at_s: i64, objective: &str, mark: i64, what: &str) -> SpecChangeRow {
    SpecChangeRow {
        at_s,
        objective: objective.to_owned(),
        mark,
        what: what.to_owned(),
    }
}

/// A number that is equal for equal documents, and never that of what is gone.
fn mark(objective: &Objective) -> i64 {
    let hash = blake3::hash(objective.source.text.as_bytes());
    let (head, _) = hash
        .as_bytes()
        .split_first_chunk::<8>()
        .unwrap_or((&[0; 8], &[]));
    match i64::from_le_bytes(*head) {
        GONE => 1,
        mark => mark,
    }
}

#[cfg(test)]
mod tests {
    use slo_specs::{SourceFile, load};

    use super::*;

    fn catalog(slos: &[(&str, &str)]) -> Catalog {
        let document = |(name, target): &(&str, &str)| {
            format!(
                "apiVersion: openslo/v1\nkind: SLO\nmetadata: {{ name: {name} }}\nspec:\n  service: {name}\n  timeWindow: [{{ duration: \
                 30d, isRolling: true }}]\n  budgetingMethod: Occurrences\n  indicator:\n    spec:\n      thresholdMetric: {{ metricSource: {{ \
                 type: otlp, spec: {{ signal: traces, value: duration_ms, match: {{ service.name: {name} }} }} }} }}\n  objectives: [{{ op: lte, \
                 value: 100, target: {target} }}]\n"
            )
        };
        let text = slos.iter().map(document).collect::<Vec<_>>().join("---\n");
        let loaded = load(&[SourceFile {
            path: "a.yaml".into(),
            text,
        }]);
        assert_eq!(loaded.problems, []);
        loaded.catalog
    }

    fn said(rows: &[SpecChangeRow]) -> Vec<String> {
        rows.iter()
            .map(|row| format!("{}: {}", row.objective, row.what))
            .collect()
    }

    /// What a store would know after these rows.
    fn marks(rows: &[SpecChangeRow]) -> Vec<(String, i64)> {
        let newest: BTreeMap<_, _> = rows
            .iter()
            .map(|row| (row.objective.clone(), row.mark))
            .collect();
        newest.into_iter().collect()
    }

    #[test]
    fn what_came_changed_and_went_is_noted_once() {
        let first = catalog(&[("a", "0.99"), ("b", "0.99")]);
        let mut rows = at_start(&[], &first, 1);
        assert_eq!(said(&rows), ["a: first seen", "b: first seen"]);
        assert_eq!(
            said(&at_start(&marks(&rows), &first, 2)),
            [""; 0],
            "nothing changed"
        );

        let second = catalog(&[("a", "0.9950"), ("c", "0.99")]);
        let reloaded = at_reload(&first, &second, 3);
        assert_eq!(
            said(&reloaded),
            ["a: target: 0.99 → 0.995", "b: removed", "c: added"]
        );
        rows.extend(reloaded);
        assert_eq!(
            said(&at_start(&marks(&rows), &second, 4)),
            [""; 0],
            "a restart changes nothing"
        );

        let third = catalog(&[("a", "0.995"), ("b", "0.99")]);
        assert_eq!(
            said(&at_start(&marks(&rows), &third, 5)),
            [
                "a: its spec changed while sloburn did not run",
                "b: is back",
                "c: gone since sloburn ran last"
            ]
        );
        let words = at_reload(&second, &catalog(&[("a", "0.995"), ("c", "0.99")]), 6);
        assert_eq!(
            said(&words),
            ["a: its document changed; it is judged as before"]
        );
    }
}
