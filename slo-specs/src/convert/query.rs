//! `PromQL` → what is counted: series of a metric, a ratio of two, or a share of a histogram.

use std::collections::BTreeMap;

use super::draft::quoted;
use super::promql::{Expr, MatchOp, Matcher, Selector};
use crate::Pattern;

/// Labels of Prometheus that the collector's prometheus receiver makes resource attributes of.
const RESOURCE: [(&str, &str); 2] = [("job", "service.name"), ("instance", "service.instance.id")];

/// An indicator as it is written.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Indicator {
    /// `bad` or `good`, and of what.
    Ratio {
        part: &'static str,
        events: Source,
        total: Source,
    },
    /// Values of a histogram up to a bound, in its own unit.
    Within { of: Source, bound: String },
}

impl Indicator {
    /// Each `_count` that a ratio is of, and the histogram that it is taken for. Of a share of values it is known.
    pub(super) fn histograms(&self) -> BTreeMap<&str, &str> {
        let Self::Ratio { events, total, .. } = self else {
            return BTreeMap::new();
        };
        [events, total]
            .into_iter()
            .filter_map(|of| Some((of.count.as_deref()?, of.metric.as_str())))
            .collect()
    }
}

/// An `otlp` source of metrics.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Source {
    metric: String,
    /// The metric as it was written, if it is a histogram's `_count`.
    count: Option<String>,
    /// Attribute → operators as YAML.
    matches: Vec<(String, Vec<(&'static str, String)>)>,
}

/// The indicator, and the labels that the queries group by.
pub(super) type Found = (Indicator, Vec<String>);

/// An error ratio of two queries.
pub(super) fn ratio(part: &'static str, events: &Expr, total: &Expr) -> Result<Found, String> {
    let (all, mut groups) = counted(total)?;
    if let Expr::Binary('-', whole, some) = events {
        let ((whole, _), (some, more)) = (counted(whole)?, counted(some)?);
        if whole != all {
            return Err("it takes something away from other events than all".to_owned());
        }
        let other = if part == "bad" { "good" } else { "bad" };
        groups.extend(more);
        return Ok((of_selectors(other, &some, &all)?, unique(groups)));
    }
    let (some, more) = counted(events)?;
    groups.extend(more);
    Ok((of_selectors(part, &some, &all)?, unique(groups)))
}

/// A single query that is a quotient, or 1 less a quotient.
pub(super) fn quotient(expr: &Expr) -> Result<Found, String> {
    match expr {
        Expr::Binary('/', some, all) => ratio("bad", some, all),
        Expr::Binary('-', one, quotient) if **one == Expr::Number(1.0) => match &**quotient {
            Expr::Binary('/', some, all) => ratio("good", some, all),
            _ => Err("it is not a quotient of two rates".to_owned()),
        },
        _ => Err("it is not a quotient of two rates".to_owned()),
    }
}

/// A ratio of two selectors; a bucket of a histogram over its count is a share of its values.
pub(super) fn of_selectors(
    part: &'static str,
    some: &Selector,
    all: &Selector,
) -> Result<Indicator, String> {
    if let Some(name) = some.metric.strip_suffix("_bucket") {
        return within(part, name, some, all);
    }
    if all.metric.ends_with("_bucket") {
        return Err("all events are counted by a `_count`, not by a `_bucket`".to_owned());
    }
    Ok(Indicator::Ratio {
        part,
        events: Source::new(some)?,
        total: Source::new(all)?,
    })
}

fn within(
    part: &'static str,
    name: &str,
    some: &Selector,
    all: &Selector,
) -> Result<Indicator, String> {
    let is_bound = |m: &&Matcher| m.label == "le";
    let bounds: Vec<&Matcher> = some.matchers.iter().filter(is_bound).collect();
    let [
        Matcher {
            op: MatchOp::Equal,
            value: bound,
            ..
        },
    ] = bounds.as_slice()
    else {
        return Err("a `_bucket` needs one matcher `le=\"…\"`".to_owned());
    };
    if !bound.parse::<f64>().is_ok_and(f64::is_finite) {
        return Err(format!("`le=\"{bound}\"` is no bound"));
    }
    let others = some.matchers.iter().filter(|m| !is_bound(m));
    let same = all.metric == format!("{name}_count") && others.eq(all.matchers.iter());
    if !same {
        return Err(format!(
            "the bucket is held against other events than those of `{name}_count` with the same labels: a share of \
             values has one selection"
        ));
    }
    if part == "bad" {
        return Err("it calls the values up to the bound bad".to_owned());
    }
    let bound = bound.clone();
    Ok(Indicator::Within {
        of: Source::new(all)?,
        bound,
    })
}

/// A histogram of its own kind, without buckets in the name.
pub(super) fn native(of: &Selector, bound: String) -> Result<Indicator, String> {
    Ok(Indicator::Within {
        of: Source::new(of)?,
        bound,
    })
}

/// What a rate or an increase counts, summed or not, and the labels it is grouped by.
fn counted(expr: &Expr) -> Result<(Selector, Vec<String>), String> {
    match expr {
        Expr::Call(name, groups, inner) => match (name.as_str(), inner.as_slice()) {
            ("sum", [inner]) => {
                let (selector, mut more) = counted(inner)?;
                more.extend(groups.iter().cloned());
                Ok((selector, more))
            }
            ("rate" | "increase" | "irate", [Expr::Select(selector, true)]) => {
                Ok((selector.clone(), Vec::new()))
            }
            _ => Err(format!("`{name}` does not count events here")),
        },
        Expr::Select(selector, _) => Err(format!(
            "`{}` stands without a rate, so it is a level and not a count",
            selector.metric
        )),
        Expr::Number(_) => Err("a number counts nothing".to_owned()),
        Expr::Binary(op, ..) => Err(format!("`{op}` of rates is not one selection of events")),
    }
}

fn unique(mut labels: Vec<String>) -> Vec<String> {
    labels.sort();
    labels.dedup();
    labels.into_iter().map(attribute).collect()
}

/// The attribute that a label is.
pub(super) fn attribute(label: String) -> String {
    let known = RESOURCE.iter().find(|(known, _)| *known == label);
    known.map_or(label, |(_, attribute)| (*attribute).to_owned())
}

impl Source {
    fn new(selector: &Selector) -> Result<Self, String> {
        let Selector { metric, matchers } = selector;
        if metric.ends_with("_sum") {
            return Err(format!("`{metric}` adds up values and counts no events"));
        }
        let mut matches: Vec<(String, Vec<(&'static str, String)>)> = Vec::new();
        for matcher in matchers {
            let key = attribute(matcher.label.clone());
            let (name, operand) = operator(matcher)?;
            match matches.iter_mut().find(|(known, _)| *known == key) {
                Some((_, tests)) if tests.iter().any(|(known, _)| kind(known) == kind(name)) => {
                    return Err(format!(
                        "label `{}` has two matchers of one kind",
                        matcher.label
                    ));
                }
                Some((_, tests)) => tests.push((name, operand)),
                None => matches.push((key, vec![(name, operand)])),
            }
        }
        let histogram = metric.strip_suffix("_count");
        Ok(Self {
            metric: histogram.unwrap_or(metric).to_owned(),
            count: histogram.map(|_| metric.clone()),
            matches,
        })
    }

    /// The one service that it selects, if it does.
    pub(super) fn service(&self) -> Option<&str> {
        let (_, tests) = self.matches.iter().find(|(key, _)| key == "service.name")?;
        match tests.as_slice() {
            [("equal", value)] => Some(value.trim_matches('"')),
            _ => None,
        }
    }

    /// As a flow map of YAML.
    pub(super) fn yaml(&self) -> String {
        let tests = |tests: &[(&str, String)]| match tests {
            [("equal", value)] => value.clone(),
            several => {
                let named = several.iter().map(|(name, operand)| match *name {
                    "equal" => format!("in: [{operand}]"),
                    name => format!("{name}: {operand}"),
                });
                format!("{{ {} }}", named.collect::<Vec<_>>().join(", "))
            }
        };
        let matches: Vec<String> = self
            .matches
            .iter()
            .map(|(key, operators)| format!("{}: {}", quoted(key), tests(operators)))
            .collect();
        let matches = match matches.as_slice() {
            [] => String::new(),
            some => format!(", match: {{ {} }}", some.join(", ")),
        };
        let metric = quoted(&self.metric);
        format!("{{ type: otlp, spec: {{ signal: metrics, metric: {metric}{matches} }} }}")
    }
}

/// What an operator is beside others of one label, where a word is a list of one.
fn kind(operator: &str) -> &str {
    if operator == "equal" { "in" } else { operator }
}

/// Prometheus takes a missing label for an empty one, and its expressions for the whole value.
fn operator(matcher: &Matcher) -> Result<(&'static str, String), String> {
    let Matcher { label, op, value } = matcher;
    let text = format!("\"{}\"", escaped(value));
    let whole = format!("^(?:{value})$");
    let empty = |whole: &str| match regex::Regex::new(whole) {
        Ok(regex) => Ok(regex.is_match("")),
        Err(_) => Err(Pattern::new(value).err().unwrap_or_default()),
    };
    let wrong = |why: String| format!("the expression of label `{label}` is not valid: {why}");
    Ok(match op {
        MatchOp::Equal if value.is_empty() => ("exists", "false".to_owned()),
        MatchOp::NotEqual if value.is_empty() => ("exists", "true".to_owned()),
        MatchOp::Equal => ("equal", text),
        MatchOp::NotEqual => ("not", text),
        MatchOp::Regex if empty(&whole).map_err(wrong)? => {
            return Err(format!(
                "label `{label}` may also be missing (`{value}`), which no single `match` says"
            ));
        }
        MatchOp::NotRegex if empty(&whole).map_err(wrong)? => {
            return Err(format!(
                "label `{label}` must also be there (`{value}`), which no single `match` says"
            ));
        }
        MatchOp::Regex => match words(value) {
            Some(words) => ("in", words),
            None => ("regex", format!("\"{}\"", escaped(&whole))),
        },
        MatchOp::NotRegex => match words(value) {
            Some(words) => ("not", words),
            None => ("notRegex", format!("\"{}\"", escaped(&whole))),
        },
    })
}

/// An expression that only lists words, as a list.
fn words(expression: &str) -> Option<String> {
    let plain =
        |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '/' | ' ' | '|' | '<' | '>');
    let listed: Vec<String> = expression
        .split('|')
        .map(|word| format!("\"{}\"", escaped(word)))
        .collect();
    expression
        .chars()
        .all(plain)
        .then(|| format!("[{}]", listed.join(", ")))
}

fn escaped(text: &str) -> String {
    super::draft::escaped(text)
}
