//! What holds, but may surprise its author: warnings with a name each.

use std::collections::BTreeSet;

use collector::SeriesKey;
use slo_specs::{
    BurnRate, Catalog, Confidence, Indicator, Level, Matcher, Objective, Problem, Rule, Selector,
    Severity, Tally, Test,
};

use crate::seen::Seen;
use crate::sli::selects;

/// Seconds of the shortest slice.
const SLICE_S: u64 = 10;

/// The lints of a catalog; those about traffic if some was seen.
pub(super) fn lints(catalog: &Catalog, seen: Option<&Seen>) -> Vec<Problem> {
    let mut all = Vec::new();
    for objective in &catalog.objectives {
        let pages = |rule: &&Rule| rule.severity == Severity::Page;
        if objective.runbook.is_none() && objective.rules.iter().any(|rule| pages(&rule)) {
            all.push(warning(
                objective,
                "no-runbook",
                &format!(
                    "objective `{}` pages, and nothing says what to do then",
                    objective.id
                ),
                "add the annotation `sloburn.dev/runbook: https://…`",
            ));
        }
        if let Some(seen) = seen {
            all.extend(of_traffic(objective, seen));
        }
    }
    all
}

/// Problems of another place, as lints of that name.
pub(super) fn named(name: &str, problems: Vec<Problem>) -> Vec<Problem> {
    let named = |problem: Problem| Problem {
        message: format!("{} [{name}]", problem.message),
        ..problem
    };
    problems.into_iter().map(named).collect()
}

/// The name that a lint's message ends with.
pub(super) fn name(message: &str) -> Option<&str> {
    let (_, name) = message.strip_suffix(']')?.rsplit_once(" [")?;
    let plain = |c: char| c.is_ascii_lowercase() || c == '-';
    name.chars().all(plain).then_some(name)
}

fn of_traffic(objective: &Objective, seen: &Seen) -> Vec<Problem> {
    let mut all = Vec::new();
    for (index, selector) in objective.indicator.selectors().enumerate() {
        // That nothing failed yet is no mistake: of the part that is told apart only what it must have in common counts.
        let selector = if index == 0 {
            selector.clone()
        } else {
            loosened(selector)
        };
        if !seen.series().any(|(key, _)| selects(&selector, key)) {
            all.extend(matches_nothing(objective, &selector, seen));
        }
    }
    all.dedup();
    // Budgets of slices and of several indicators together are not of events.
    let of_events = !matches!(objective.indicator, Indicator::Composite(_))
        && objective.budgeting.slicing().is_none();
    let total = objective.indicator.selectors().next();
    let Some(total) = total.filter(|_| of_events) else {
        return all;
    };
    let selected = seen.series().filter(|(key, _)| selects(total, key));
    let events: u64 = selected.map(|(_, events)| events).sum();
    if events == 0 {
        return all;
    }
    let traffic = Traffic {
        events,
        seconds: seen.seconds(),
    };
    all.extend(no_budget(objective, traffic));
    let pages = objective
        .rules
        .iter()
        .filter(|rule| rule.severity == Severity::Page);
    let surprises = pages.filter_map(|rule| surprise(objective, rule, traffic));
    all.extend(surprises);
    all
}

/// How many events came in what time.
#[derive(Clone, Copy, Debug)]
struct Traffic {
    events: u64,
    seconds: u64,
}

impl Traffic {
    /// Events of so many seconds, rounded up: at least one.
    fn within(self, seconds: u64) -> u64 {
        let events = u128::from(self.events) * u128::from(seconds);
        let events = events.div_ceil(u128::from(self.seconds.max(1))).max(1);
        u64::try_from(events).unwrap_or(u64::MAX)
    }
}

/// A target that at this traffic allows no bad event in the whole window.
fn no_budget(objective: &Objective, traffic: Traffic) -> Option<Problem> {
    let window = objective.window.nominal().as_secs();
    let events = traffic.within(window);
    // Burning at 1 is spending exactly the budget: with one bad event it must be possible not to.
    let burn = BurnRate::of(Tally::new(events, 1), objective.target)?;
    let whole = BurnRate::new(1, 1)?;
    (burn > whole).then(|| {
        let message = format!(
            "objective `{}` has no budget: at the traffic seen some {events} events come in its window, of which \
             target {} lets none fail",
            objective.id, objective.target
        );
        warning(objective, "no-budget", &message, "lower the target, lengthen the window, or count more events")
    })
}

/// A page for one failed event, or for one slice of 10 seconds in which all failed.
fn surprise(objective: &Objective, rule: &Rule, traffic: Traffic) -> Option<Problem> {
    let burn = rule.burn()?;
    let pages = |bad: u64| {
        let of = |window: std::time::Duration| {
            let total = traffic.within(window.as_secs()).max(bad);
            Tally::new(total, bad)
        };
        let is_over = |window| {
            BurnRate::of(of(window), objective.target).is_some_and(|rate| burn.is_over(rate))
        };
        let sure = burn.confidence.is_none_or(|asked| {
            Confidence::that(of(burn.long), objective.target, burn.threshold).is_at_least(asked)
        });
        bad >= burn.minimum_bad && sure && is_over(burn.long) && is_over(burn.short)
    };
    let slice = traffic.within(SLICE_S);
    let (name, what) = if pages(1) {
        ("one-failure-pages", "one failed event".to_owned())
    } else if pages(slice) && rule.hold.is_zero() {
        (
            "one-slice-pages",
            format!("a failure of 10 seconds ({slice} events)"),
        )
    } else {
        return None;
    };
    let message = format!(
        "rule `{}` of objective `{}` pages for {what} at the traffic seen, some {} events in {}",
        rule.name,
        objective.id,
        traffic.within(burn.long.as_secs()),
        slo_specs::window_name(burn.long)
    );
    let help =
        "raise `sloburn.dev/minimum-bad-events`, or attach a policy with longer windows or a hold";
    Some(warning(objective, name, &message, help))
}

/// The same, whatever the values are: only the service must be the one, and the attributes be there.
fn loosened(selector: &Selector) -> Selector {
    let loosened = |matcher: &Matcher| {
        let exact = matcher.key == "service.name";
        let absent = matches!(
            matcher.test,
            Test::Exists(false) | Test::Not(_) | Test::NotRegex(_)
        );
        let test = if exact || absent {
            matcher.test.clone()
        } else {
            Test::Exists(true)
        };
        Matcher {
            test,
            ..matcher.clone()
        }
    };
    Selector {
        status: None,
        matchers: selector.matchers.iter().map(loosened).collect(),
        ..selector.clone()
    }
}

fn matches_nothing(objective: &Objective, selector: &Selector, seen: &Seen) -> Option<Problem> {
    // That nothing failed is no mistake of the selector: without the status something must match.
    let any_status = Selector {
        status: None,
        ..selector.clone()
    };
    if seen.series().any(|(key, _)| selects(&any_status, key)) {
        return None;
    }
    let message = format!(
        "a selector of objective `{}` matches nothing in {}",
        objective.id, seen.place
    );
    Some(warning(
        objective,
        "matches-nothing",
        &message,
        &nearest(selector, seen),
    ))
}

/// What the author may have meant: the one condition without which something matches, and the nearest value there is.
fn nearest(selector: &Selector, seen: &Seen) -> String {
    if let Some(metric) = &selector.metric {
        let others = Selector {
            metric: None,
            ..selector.clone()
        };
        let names = values(&others, seen, |key| Some(key.name.to_string()));
        if let Some(help) = suggestion("metric", metric, &names) {
            return help;
        }
    }
    for (index, matcher) in selector.matchers.iter().enumerate() {
        let mut others = selector.clone();
        others.status = None;
        others.matchers.remove(index);
        let found = values(&others, seen, |key| value(key, &matcher.key));
        let wanted = match &matcher.test {
            Test::In(wanted) => wanted.first().map(scalar),
            _ => None,
        };
        if let Some(help) = suggestion(&matcher.key, &wanted.unwrap_or_default(), &found) {
            return help;
        }
    }
    let absent = |key: &&str| {
        !seen
            .series()
            .any(|(series, _)| value(series, key).is_some())
    };
    let mut keys = selector.matchers.iter().map(|matcher| matcher.key.as_str());
    if let Some(key) = keys.find(absent) {
        return format!(
            "nothing seen has `{key}`; a store keeps the attributes that specs name, so with a new one look again once the \
             spec is in force"
        );
    }
    let services = values_of_all(seen);
    format!(
        "nothing is like it; there are the services {}",
        listed(&services)
    )
}

fn suggestion(key: &str, wanted: &str, found: &BTreeSet<String>) -> Option<String> {
    if found.is_empty() {
        return None;
    }
    let words: Vec<&str> = found.iter().map(String::as_str).collect();
    let help = match slo_specs::closest(wanted, &words) {
        Some(word) => format!("did you mean `{key}: {word}`?"),
        None => format!("seen for `{key}`: {}", listed(found)),
    };
    Some(help)
}

fn values(
    selector: &Selector,
    seen: &Seen,
    value: impl Fn(&SeriesKey) -> Option<String>,
) -> BTreeSet<String> {
    let matching = seen.series().filter(|(key, _)| selects(selector, key));
    matching.filter_map(|(key, _)| value(key)).collect()
}

fn values_of_all(seen: &Seen) -> BTreeSet<String> {
    seen.series()
        .map(|(key, _)| key.service.to_string())
        .collect()
}

fn value(key: &SeriesKey, attribute: &str) -> Option<String> {
    key.attribute(attribute).map(|value| match value {
        collector::AttributeValue::Text(text) => text.to_owned(),
        collector::AttributeValue::Bool(value) => value.to_string(),
        collector::AttributeValue::Int(value) => value.to_string(),
        collector::AttributeValue::Double(value) => value.to_string(),
    })
}

fn scalar(scalar: &slo_specs::Scalar) -> String {
    match scalar {
        slo_specs::Scalar::Text(text) | slo_specs::Scalar::Number(text, _) => text.clone(),
        slo_specs::Scalar::Bool(value) => value.to_string(),
    }
}

/// The first few.
fn listed(values: &BTreeSet<String>) -> String {
    let shown: Vec<&str> = values.iter().take(8).map(String::as_str).collect();
    let more = if values.len() > shown.len() {
        ", …"
    } else {
        ""
    };
    format!("{}{more}", shown.join(", "))
}

fn warning(objective: &Objective, name: &str, message: &str, help: &str) -> Problem {
    Problem {
        file: objective.source.file.clone(),
        line: objective.source.line,
        column: 1,
        severity: Level::Warning,
        message: format!("{message} [{name}]"),
        help: Some(help.to_owned()),
    }
}

#[cfg(test)]
mod tests;
