//! A plan's numbers in words, as text and Markdown say them alike.

use jiff::Timestamp;

use super::result::{Change, Episode, Fate, Moved, Pair, Plan, SloPlan, Standing, Sum};

/// One line that says it all: `2 pages added, 1 removed; 1 ticket moved`.
pub(super) fn verdict(plan: &Plan) -> String {
    if plan.is_refused() {
        let errors = plan.new_problems.iter().filter(|problem| problem.error);
        return format!(
            "nothing was judged: the new specs have {}",
            counted(errors.count(), "problem")
        );
    }
    let kinds = [("page", plan.pages), ("ticket", plan.tickets)];
    let said: Vec<String> = kinds
        .into_iter()
        .filter(|(_, sum)| sum.differs())
        .map(|(kind, sum)| deltas(kind, sum))
        .collect();
    if !said.is_empty() {
        return said.join("; ");
    }
    match plan.slos.len() {
        0 => "every objective is judged as before".to_owned(),
        _ => "the same pages and tickets".to_owned(),
    }
}

/// `2 pages added, 1 removed, 3 moved`
fn deltas(kind: &str, sum: Sum) -> String {
    let parts = [
        (sum.added, "added"),
        (sum.removed, "removed"),
        (sum.moved, "moved"),
    ];
    let mut said: Vec<String> = Vec::new();
    for (count, what) in parts.into_iter().filter(|(count, _)| *count > 0) {
        let number = if said.is_empty() {
            counted(count, kind)
        } else {
            count.to_string()
        };
        said.push(format!("{number} {what}"));
    }
    said.join(", ")
}

/// `1 page`, `2 pages`
pub(super) fn counted(count: usize, what: &str) -> String {
    let end = if count == 1 { "" } else { "s" };
    format!("{count} {what}{end}")
}

/// Where the past comes from, and how finely it was judged.
pub(super) fn past(plan: &Plan) -> String {
    let mut said = vec![format!(
        "{}, {} to {}",
        plan.past,
        at(plan.from),
        at(plan.to)
    )];
    if let Some(until) = plan.hourly_until {
        said.push(format!("; by the hour only until {}", at(until)));
    }
    if let Some(until) = plan.minutely_until {
        said.push(format!("; by the minute only until {}", at(until)));
    }
    said.concat()
}

/// `3 objectives differ, 97 are judged alike`
pub(super) fn scope(plan: &Plan) -> String {
    let differ = if plan.slos.len() == 1 {
        "differs"
    } else {
        "differ"
    };
    format!(
        "{} {differ}, {} judged alike",
        counted(plan.slos.len(), "objective"),
        plan.unchanged
    )
}

/// What became of an objective.
pub(super) fn fate(slo: &SloPlan) -> String {
    match (slo.fate, &slo.old_id) {
        (Fate::Added, _) => "added".to_owned(),
        (Fate::Removed, _) => "removed".to_owned(),
        (Fate::Renamed, Some(old)) => format!("renamed, was {old}"),
        (Fate::Changed, Some(old)) => format!("changed, was {old}"),
        (Fate::Renamed | Fate::Changed, None) => "changed".to_owned(),
    }
}

/// `0.999 → 0.9995`
pub(super) fn change(change: &Change) -> String {
    match (&change.old, &change.new) {
        (Some(old), Some(new)) => format!("{old} → {new}"),
        (Some(old), None) => format!("removed: {old}"),
        (None, Some(new)) => format!("new: {new}"),
        (None, None) => "differs".to_owned(),
    }
}

/// `1 → 3`, or one number where nothing differs.
pub(super) fn both(old: &impl std::fmt::Display, new: &impl std::fmt::Display) -> String {
    let (old, new) = (old.to_string(), new.to_string());
    if old == new {
        new
    } else {
        format!("{old} → {new}")
    }
}

/// Old and new budget: `41.0 % → 12.0 %`.
pub(super) fn budget(pair: &Pair<Standing>) -> String {
    let left = |standing: &Option<Standing>| {
        standing.as_ref().map_or("–".to_owned(), |standing| {
            standing
                .budget_remaining
                .map_or("no data".to_owned(), percent)
        })
    };
    both(&left(&pair.old), &left(&pair.new))
}

/// The counts behind a budget: `5 bad of 1234`.
pub(super) fn counts(pair: &Pair<Standing>) -> String {
    let counts = |standing: &Option<Standing>| {
        standing.as_ref().map_or("–".to_owned(), |standing| {
            let [bad, total] =
                [standing.bad, standing.total].map(|count| amount(count, standing.units));
            format!("{bad} bad of {total}")
        })
    };
    both(&counts(&pair.old), &counts(&pair.new))
}

/// A count of events or slices, with up to two digits.
#[expect(clippy::cast_precision_loss, reason = "for people")]
fn amount(count: u64, units: u64) -> String {
    if units <= 1 {
        return count.to_string();
    }
    let hundredths = (count as f64 * 100.0 / units as f64).round();
    (hundredths / 100.0).to_string()
}

/// `2026-11-02T03:10:00Z page-fast for 14 min, spent 3.1 % of the budget`
pub(super) fn episode(episode: &Episode) -> String {
    let spent = episode.spent.map_or(String::new(), |spent| {
        format!(", {} bad, {} of the budget", episode.bad, percent(spent))
    });
    let end = match episode.resolved_at {
        Some(_) => String::new(),
        None => ", still firing".to_owned(),
    };
    let is_false = if episode.is_false { ", false" } else { "" };
    format!(
        "{} {} for {} min{end}{spent}{is_false}",
        at(episode.fired_at),
        episode.rule,
        minutes(episode.minutes)
    )
}

/// The new episode, and how it differs from the old one.
pub(super) fn moved(moved: &Moved) -> String {
    let mut said = vec![episode(&moved.new)];
    if moved.old.rule != moved.new.rule {
        said.push(format!("; was {}", moved.old.rule));
    }
    if moved.fires_later_s != 0 {
        said.push(format!("; fires {}", later(moved.fires_later_s)));
    }
    match (moved.resolves_later_s, moved.new.resolved_at) {
        (Some(0), _) => {}
        (Some(later_s), _) => said.push(format!("; resolves {}", later(later_s))),
        (None, None) if moved.old.resolved_at.is_some() => {
            said.push("; no longer resolves".to_owned());
        }
        (None, Some(_)) => said.push("; resolves now".to_owned()),
        (None, None) => {}
    }
    said.concat()
}

/// `4 min 10 s later`
fn later(seconds: i64) -> String {
    let word = if seconds < 0 { "earlier" } else { "later" };
    format!("{} {word}", length(seconds.abs()))
}

fn length(seconds: i64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let mut left = seconds;
    let mut parts = Vec::new();
    for (unit, name) in units {
        if left >= unit {
            parts.push(format!("{} {name}", left / unit));
            left %= unit;
        }
    }
    parts.truncate(2);
    parts.join(" ")
}

/// With one digit, and none where it is a whole number.
pub(super) fn minutes(minutes: f64) -> String {
    let text = format!("{minutes:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// `2 %`: the share below which a page was false.
pub(super) fn significant(plan: &Plan) -> String {
    let share: f64 = plan.significant.parse().unwrap_or_default();
    let text = percent(share);
    text.replace(".0 %", " %")
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// RFC 3339 in UTC, to the second: ticks are on whole seconds.
pub(super) fn at(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
