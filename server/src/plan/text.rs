//! A plan for people at a terminal.

use super::result::{Alerts, Plan, SloPlan};
use super::words;

impl Plan {
    /// The verdict, then an objective after the other.
    pub(crate) fn to_text(&self) -> String {
        let mut lines = vec![format!("plan: {}", words::verdict(self))];
        lines.extend(problems("old", &self.old_problems));
        lines.extend(problems("new", &self.new_problems));
        if self.is_refused() {
            return lines.join("\n");
        }
        lines.push(words::past(self));
        lines.push(words::scope(self));
        lines.extend(self.notes.iter().map(|note| format!("note: {note}")));
        for slo in &self.slos {
            lines.push(String::new());
            lines.extend(slo_lines(slo));
        }
        if self.pages.old_false + self.pages.new_false > 0 {
            lines.push(String::new());
            lines.push(format!(
                "false: less than {} of the window's budget was spent",
                words::significant(self)
            ));
        }
        lines.join("\n")
    }
}

fn problems(side: &str, problems: &[super::result::SpecProblem]) -> Vec<String> {
    let line = |problem: &super::result::SpecProblem| format!("{side}: {}", problem.text);
    problems.iter().map(line).collect()
}

fn slo_lines(slo: &SloPlan) -> Vec<String> {
    let mut lines = vec![format!("{} ({})", slo.id, words::fate(slo))];
    for change in &slo.changes {
        lines.push(format!("  {}: {}", change.what, words::change(change)));
    }
    if let Some(seam) = &slo.seam {
        lines.push(format!("  {}", seam_words(seam)));
    }
    lines.extend(alert_lines("pages", &slo.pages));
    lines.extend(alert_lines("tickets", &slo.tickets));
    let (old, new) = (
        slo.pages.sum.old_false_minutes,
        slo.pages.sum.new_false_minutes,
    );
    if old > 0.0 || new > 0.0 {
        let minutes = words::both(&words::minutes(old), &words::minutes(new));
        lines.push(format!("  minutes of false page: {minutes}"));
    }
    for (when, pair) in [("then", &slo.budget_then), ("now", &slo.budget_now)] {
        lines.push(format!(
            "  budget left {when}: {} ({})",
            words::budget(pair),
            words::counts(pair)
        ));
    }
    lines
}

fn alert_lines(kind: &str, alerts: &Alerts) -> Vec<String> {
    let sum = alerts.sum;
    let count = words::both(&sum.old, &sum.new);
    let what = if sum.differs() {
        format!(
            " ({} added, {} removed, {} moved)",
            sum.added, sum.removed, sum.moved
        )
    } else {
        String::new()
    };
    let line = format!("  {kind}: {count}{what}");
    let mut lines = vec![line];
    let added = alerts
        .added
        .iter()
        .map(|one| format!("    + {}", words::episode(one)));
    let removed = alerts
        .removed
        .iter()
        .map(|one| format!("    - {}", words::episode(one)));
    let moved = alerts
        .moved
        .iter()
        .map(|one| format!("    ~ {}", words::moved(one)));
    lines.extend(added.chain(removed).chain(moved));
    lines
}

/// Since when the new one has data.
pub(super) fn seam_words(seam: &super::result::Seam) -> String {
    let since = |at: Option<jiff::Timestamp>| at.map_or("no data".to_owned(), words::at);
    match seam.new_since {
        Some(new) => format!(
            "seam: what the new indicator counts is known since {}, what the old one counts since {}",
            words::at(new),
            since(seam.old_since)
        ),
        None => "seam: of what the new indicator counts there is no data in this past".to_owned(),
    }
}
