//! An explanation for people at a terminal.

use jiff::Timestamp;

use super::result::{BurnWindow, Counts, Explanation, Rule, Series};
use crate::replay::AllowanceReport;

impl Explanation {
    /// From the counts to the result, a step a line.
    pub(crate) fn to_text(&self) -> String {
        let mut lines = vec![
            format!("{} at {}", self.slo, at(self.at)),
            format!("  counts: {}", self.indicator),
            format!(
                "  window {}: slices that end after {} and up to {}",
                self.window.name,
                at(self.window.counted_from),
                at(self.window.to)
            ),
            format!("  {}", counts(&self.counts)),
        ];
        self.push_exclusions(&mut lines);
        lines.push(format!(
            "  allowed: (1 − {}) · {} = {}",
            self.target.value, self.counts.total, self.budget.allowed
        ));
        lines.push(match &self.budget.working {
            Some(working) => format!("  budget left: {} = {working}", self.budget.formula),
            None => "  budget left: no events, so nothing is known".to_owned(),
        });
        lines.extend(self.error_budget_policy.iter().map(allowance));
        lines.extend(self.rules.iter().flat_map(rule));
        self.push_series(&mut lines);
        for (from, to) in &self.incomplete {
            lines.push(format!("  incomplete: {} to {}", at(*from), at(*to)));
        }
        lines.extend(self.notes.iter().map(|note| format!("  note: {note}")));
        lines.join("\n")
    }

    fn push_exclusions(&self, lines: &mut Vec<String>) {
        if let Some(uncorrected) = &self.uncorrected {
            lines.push(format!("  without corrections: {}", counts(uncorrected)));
        }
        for correction in &self.corrections {
            for (from, to) in &correction.excluded {
                lines.push(format!(
                    "  left out: {} to {} by {} ({})",
                    at(*from),
                    at(*to),
                    correction.name,
                    correction.reason
                ));
            }
        }
        if let Some(slices) = &self.slices {
            lines.push(format!(
                "  slices of {}: {} count, {} do not (without events: {})",
                slices.length, slices.measured, slices.unmeasured, slices.without_events
            ));
        }
        if self.units > 1 {
            lines.push(format!("  {} of a count are one slice", self.units));
        }
    }

    fn push_series(&self, lines: &mut Vec<String>) {
        if let Some(sum) = &self.series_sum {
            lines.push(format!("  series, together {}:", counts(sum)));
        } else if !self.series.is_empty() {
            lines.push("  series:".to_owned());
        }
        let line = |one: &Series| {
            format!(
                "    {}: {} of {} selected as {}",
                one.name, one.selected, one.total, one.part
            )
        };
        lines.extend(self.series.iter().chain(&self.rest).map(line));
    }
}

/// `error budget policy: below 0.25 left: only fixes (the product owners); holds`
fn allowance(one: &AllowanceReport) -> String {
    let owner = one.owner.as_ref().map(|owner| format!(" ({owner})"));
    format!(
        "  error budget policy: below {} left: {}{}{}",
        one.below,
        one.allows,
        owner.unwrap_or_default(),
        if one.holds { "; holds" } else { "" }
    )
}

fn rule(rule: &Rule) -> Vec<String> {
    let verdict = if rule.breached {
        "breached"
    } else {
        "not breached"
    };
    let hold = rule
        .hold
        .as_ref()
        .map_or(String::new(), |hold| format!(", held for {hold}"));
    let Rule { name, severity, .. } = rule;
    let against = match (&rule.threshold_from, rule.minimum_bad) {
        (Some(threshold), Some(least)) => format!("threshold {threshold}, at least {least} bad"),
        _ => format!("fires when {}", rule.when.as_deref().unwrap_or_default()),
    };
    let mut lines = vec![format!("  {name} ({severity}): {verdict}; {against}{hold}")];
    lines.extend(rule.windows.iter().map(window));
    lines.extend(rule.sees.iter().map(|sees| format!("    {sees}")));
    lines
}

fn window(window: &BurnWindow) -> String {
    let working = window.working.clone();
    let working = working.unwrap_or_else(|| "no events".to_owned());
    format!(
        "    {} after {}: {}: {working}",
        window.name,
        at(window.from),
        counts(&window.counts)
    )
}

fn counts(counts: &Counts) -> String {
    let uncertain = if counts.uncertain > 0 {
        format!(", {} of them uncertain", counts.uncertain)
    } else {
        String::new()
    };
    format!("{} bad of {}{uncertain}", counts.bad, counts.total)
}

fn at(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
