//! A plan as a comment on a pull request: the verdict, a table, and what is behind it folded.

use super::result::{Alerts, Plan, SloPlan, Sum};
use super::text::seam_words;
use super::words;

/// Characters that the comment has at most: GitHub takes 65 536.
const LONGEST: usize = 60_000;
/// Of them, for the table and what stands before it.
const LONGEST_TABLE: usize = 30_000;
/// Alerts listed of one kind and objective.
const MOST_LISTED: usize = 20;

impl Plan {
    /// GitHub-flavoured Markdown of less than 60 000 characters.
    pub(crate) fn to_markdown(&self) -> String {
        let mut out = Bounded::default();
        out.push(&format!(
            "### sloburn plan: {}\n\n",
            escaped(&words::verdict(self))
        ));
        self.push_problems(&mut out);
        if self.is_refused() {
            return out.text;
        }
        if !self.slos.is_empty() {
            self.push_table(&mut out);
            self.push_details(&mut out);
        }
        for note in &self.notes {
            out.push(&format!("> {}\n\n", escaped(note)));
        }
        let below = format!(
            "<sub>{}. {}. A page is false if less than {} of its window's budget was spent.</sub>\n",
            escaped(&words::scope(self)),
            escaped(&words::past(self)),
            words::significant(self)
        );
        out.text + &below
    }

    fn push_problems(&self, out: &mut Bounded) {
        for (side, problems) in [("old", &self.old_problems), ("new", &self.new_problems)] {
            for problem in problems {
                let text = escaped(&problem.text.replace("\n    help: ", " – "));
                if !out.push_within(LONGEST_TABLE / 2, &format!("* {side} specs: {text}\n")) {
                    break;
                }
            }
            if !problems.is_empty() {
                out.push("\n");
            }
        }
    }

    fn push_table(&self, out: &mut Bounded) {
        out.push("| SLO | change | pages | tickets | minutes of false page | budget left |\n");
        out.push("|---|---|---|---|---|---|\n");
        for (shown, slo) in self.slos.iter().enumerate() {
            if !out.push_within(LONGEST_TABLE, &row(slo)) {
                let more = self.slos.len() - shown;
                out.push(&format!("| … and {more} more | | | | | |\n"));
                break;
            }
        }
        out.push("\n");
    }

    fn push_details(&self, out: &mut Bounded) {
        for (shown, slo) in self.slos.iter().enumerate() {
            if !out.push_within(LONGEST - 2_000, &details(slo)) {
                let more = self.slos.len() - shown;
                let what = words::counted(more, "objective");
                out.push(&format!("Details of {what} do not fit here.\n\n"));
                return;
            }
        }
    }
}

/// Text that is never too long.
#[derive(Default)]
struct Bounded {
    text: String,
    characters: usize,
}

impl Bounded {
    fn push(&mut self, more: &str) {
        self.push_within(LONGEST - 1_000, more);
    }

    /// False if it does not fit: then nothing of it is there.
    fn push_within(&mut self, most: usize, more: &str) -> bool {
        let characters = self.characters + more.chars().count();
        let fits = characters <= most;
        if fits {
            self.text += more;
            self.characters = characters;
        }
        fits
    }
}

fn row(slo: &SloPlan) -> String {
    let changes: Vec<String> = slo.changes.iter().map(brief).collect();
    let change = match changes.as_slice() {
        [] => escaped(&words::fate(slo)),
        changes if slo.old_id.is_some() => {
            format!("{}: {}", escaped(&words::fate(slo)), changes.join(", "))
        }
        changes => changes.join(", "),
    };
    let false_minutes = words::both(
        &words::minutes(slo.pages.sum.old_false_minutes),
        &words::minutes(slo.pages.sum.new_false_minutes),
    );
    format!(
        "| {} | {change} | {} | {} | {false_minutes} | {} |\n",
        code(&slo.id),
        cell(slo.pages.sum),
        cell(slo.tickets.sum),
        words::budget(&slo.budget_now)
    )
}

/// Short values as they are; long ones only by name.
fn brief(change: &super::result::Change) -> String {
    let values = words::change(change);
    if values.chars().count() <= 40 {
        format!("{} {}", escaped(&change.what), escaped(&values))
    } else {
        escaped(&change.what)
    }
}

/// `1 → 3 (+2 −0 ~1)`
fn cell(sum: Sum) -> String {
    let both = words::both(&sum.old, &sum.new);
    if sum.differs() {
        format!("{both} (+{} −{} ~{})", sum.added, sum.removed, sum.moved)
    } else {
        both
    }
}

fn details(slo: &SloPlan) -> String {
    let mut lines = Vec::new();
    for change in &slo.changes {
        lines.push(format!("{}: {}", change.what, words::change(change)));
    }
    lines.extend(slo.seam.as_ref().map(seam_words));
    for (kind, alerts) in [("page", &slo.pages), ("ticket", &slo.tickets)] {
        lines.extend(listed(kind, alerts));
    }
    for (when, pair) in [("then", &slo.budget_then), ("now", &slo.budget_now)] {
        let (budget, counts) = (words::budget(pair), words::counts(pair));
        lines.push(format!("budget left {when}: {budget} ({counts})"));
    }
    let lines: Vec<String> = lines.iter().map(|line| escaped(line)).collect();
    let list = lines.join("\n* ");
    format!(
        "<details><summary><code>{}</code></summary>\n\n* {list}\n\n</details>\n\n",
        escaped(&slo.id)
    )
}

fn listed(kind: &str, alerts: &Alerts) -> Vec<String> {
    let added = alerts
        .added
        .iter()
        .map(|one| ("added", words::episode(one)));
    let removed = alerts
        .removed
        .iter()
        .map(|one| ("removed", words::episode(one)));
    let moved = alerts.moved.iter().map(|one| ("moved", words::moved(one)));
    let all: Vec<String> = added
        .chain(removed)
        .chain(moved)
        .map(|(what, words)| format!("{kind} {what}: {words}"))
        .collect();
    let more = all.len().saturating_sub(MOST_LISTED);
    let mut shown: Vec<String> = all.into_iter().take(MOST_LISTED).collect();
    if more > 0 {
        shown.push(format!(
            "and {}",
            words::counted(more, &format!("more {kind}"))
        ));
    }
    shown
}

/// A name as code, in a cell of a table.
fn code(text: &str) -> String {
    format!("<code>{}</code>", escaped(text))
}

/// Text that is text wherever it stands: names come from the files of a pull request.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        out.push_str(match character {
            '<' => "&lt;",
            '>' => "&gt;",
            '&' => "&amp;",
            '\n' | '\r' => " ",
            '|' => "&#124;",
            '`' => "&#96;",
            '*' => "&#42;",
            '_' => "&#95;",
            '[' => "&#91;",
            ']' => "&#93;",
            '\\' => "&#92;",
            '#' => "&#35;",
            '!' => "&#33;",
            '~' => "&#126;",
            '@' => "&#64;",
            other => {
                out.push(other);
                continue;
            }
        });
    }
    out
}
