//! Selectors in words.

use slo_specs::{
    Combine, Composite, CompositePart, EmptySlice, Indicator, Matcher, Objective, Op, Part, ReadAs,
    Scalar, Selector, Signal, Test, Verdict, window_words,
};

/// What an objective counts, for people.
pub(super) fn objective(objective: &Objective) -> dashboards::view::Indicator {
    let described = indicator(&objective.indicator);
    let verdict = objective.budgeting.slicing().map(|slicing| slicing.verdict);
    match (described, verdict) {
        (dashboards::view::Indicator::Threshold { of, .. }, Some(Verdict::AtMost(most))) => {
            dashboards::view::Indicator::Threshold {
                of,
                bound: format!("≤ {most} in a time slice").into(),
            }
        }
        (dashboards::view::Indicator::Threshold { of, .. }, Some(Verdict::AtLeast(least))) => {
            dashboards::view::Indicator::Threshold {
                of,
                bound: format!("≥ {least} in a time slice").into(),
            }
        }
        (described, _) => described,
    }
}

/// How long its time slices are, what makes one good, and what one without data is; `None` where none are counted.
pub(super) fn slices(objective: &Objective) -> Option<String> {
    let slicing = objective.budgeting.slicing()?;
    let counted = objective.indicator.noun();
    let is_composite = matches!(objective.indicator, Indicator::Composite(_));
    let good = match slicing.verdict {
        Verdict::Share if is_composite => "bad by the error ratios of its parts".to_owned(),
        Verdict::Share => format!("bad by the share of {counted} in it that are"),
        Verdict::Target(target) => {
            let percent = format!("{:.6}", target.as_f64() * 100.0);
            let percent = percent.trim_end_matches('0').trim_end_matches('.');
            match percent {
                "100" => format!("good when all {counted} in it are"),
                percent => format!("good when at least {percent}% of the {counted} in it are"),
            }
        }
        Verdict::AtMost(_) | Verdict::AtLeast(_) => "good by what it grew by".to_owned(),
    };
    let empty = match slicing.empty {
        EmptySlice::Unmeasured => "not measured",
        EmptySlice::Bad => "bad",
        EmptySlice::Good => "good",
    };
    let length = window_words(slicing.length);
    Some(format!("{length} long, {good}; without data {empty}"))
}

/// What an indicator counts, for people.
fn indicator(indicator: &Indicator) -> dashboards::view::Indicator {
    match indicator {
        Indicator::Ratio { part, total } => {
            let part = match part {
                Part::Good(good) => format!("good: {}", selector(good)),
                Part::Bad(bad) => format!("bad: {}", selector(bad)),
            };
            dashboards::view::Indicator::Ratio {
                part: part.into(),
                total: selector(total).into(),
            }
        }
        Indicator::Threshold { of, op, .. } if of.read_as == ReadAs::Share => {
            let events = if *op == Op::Gt { "good" } else { "bad" };
            dashboards::view::Indicator::Threshold {
                of: selector(of).into(),
                bound: format!("by the ratio of {events} events that each point holds").into(),
            }
        }
        Indicator::Threshold { of, op, bound } => {
            let unit = match (of.signal, of.read_as) {
                (Signal::Traces, _) => " ms",
                (Signal::Metrics, ReadAs::Age) => " s",
                (Signal::Metrics, _) => "",
            };
            let op = match op {
                Op::Lt => "<",
                Op::Lte => "≤",
                Op::Gt => ">",
                Op::Gte => "≥",
            };
            dashboards::view::Indicator::Threshold {
                of: selector(of).into(),
                bound: format!("{op} {bound}{unit}").into(),
            }
        }
        Indicator::Composite(Composite { combine, parts }) => {
            dashboards::view::Indicator::Composite {
                how: match combine {
                    Combine::Weighted => "mean of the parts by weight, slice by slice".into(),
                    Combine::Worst => "the worst part, slice by slice".into(),
                    Combine::All => "a slice is good when every part keeps its own target".into(),
                    Combine::Rest => "all but the segments that are told apart".into(),
                    Combine::Single => "one indicator".into(),
                },
                parts: parts
                    .iter()
                    .map(|part| composite_part(*combine, part))
                    .collect(),
            }
        }
    }
}

/// The same on one line: `bad: server spans, status error of server spans`.
pub(crate) fn words(of: &Indicator) -> String {
    match indicator(of) {
        dashboards::view::Indicator::Ratio { part, total } => format!("{part} of {total}"),
        dashboards::view::Indicator::Threshold { of, bound } => format!("{of} {bound}"),
        dashboards::view::Indicator::Composite { how, parts } => {
            let parts: Vec<String> = parts.iter().map(ToString::to_string).collect();
            format!("{how}: {}", parts.join("; "))
        }
    }
}

/// `3 × bad: server spans, … of server spans, … (target 0.999)`
fn composite_part(combine: Combine, part: &CompositePart) -> dashboards::Text {
    let counted = match indicator(&part.indicator) {
        dashboards::view::Indicator::Ratio { part, total } => format!("{part} of {total}"),
        dashboards::view::Indicator::Threshold { of, bound } => format!("{of} {bound}"),
        dashboards::view::Indicator::Composite { how, .. } => how.to_string(),
    };
    match combine {
        Combine::Weighted => format!("{} × {counted}", part.written_weight()),
        Combine::All => format!("{counted}, target {}", part.target),
        Combine::Single | Combine::Worst | Combine::Rest => counted,
    }
    .into()
}

/// `server spans, service.name = checkout, status error`
fn selector(selector: &Selector) -> String {
    let what = match (selector.signal, &selector.span_kind, &selector.metric) {
        (Signal::Traces, Some(kind), _) => format!("{kind} spans"),
        (Signal::Traces, None, _) => "spans".to_owned(),
        (Signal::Metrics, _, Some(metric)) => match selector.read_as {
            ReadAs::Growth => format!("increase of metric {metric}"),
            ReadAs::Age => format!("age of the time in metric {metric}"),
            ReadAs::AsSent | ReadAs::Share | ReadAs::Amount => format!("metric {metric}"),
        },
        (Signal::Metrics, _, None) => "metrics".to_owned(),
    };
    let names = selector
        .span_name
        .iter()
        .map(|name| format!("span name {}", test(name)));
    let status = selector
        .status
        .iter()
        .map(|status| format!("status {status}"));
    let matchers = selector
        .matchers
        .iter()
        .map(|Matcher { key, test: of }| format!("{key} {}", test(of)));
    let root = selector.root.then(|| "without a parent".to_owned());
    let parts: Vec<_> = std::iter::once(what)
        .chain(root)
        .chain(names)
        .chain(matchers)
        .chain(status)
        .collect();
    parts.join(", ")
}

fn test(test: &Test) -> String {
    match test {
        Test::In(values) => match values.as_slice() {
            [value] => format!("= {}", scalar(value)),
            _ => format!("in {}", list(values)),
        },
        Test::Not(values) => match values.as_slice() {
            [value] => format!("≠ {}", scalar(value)),
            _ => format!("not in {}", list(values)),
        },
        Test::Prefix(prefix) => format!("begins with {prefix}"),
        Test::Regex(pattern) => format!("matches {}", pattern.as_str()),
        Test::NotRegex(pattern) => format!("does not match {}", pattern.as_str()),
        Test::Gt(bound) => format!("> {bound}"),
        Test::Gte(bound) => format!("≥ {bound}"),
        Test::Lt(bound) => format!("< {bound}"),
        Test::Lte(bound) => format!("≤ {bound}"),
        Test::Exists(true) => "is there".to_owned(),
        Test::Exists(false) => "is missing".to_owned(),
    }
}

fn list(values: &[Scalar]) -> String {
    values.iter().map(scalar).collect::<Vec<_>>().join(", ")
}

fn scalar(value: &Scalar) -> String {
    match value {
        Scalar::Text(text) | Scalar::Number(text, _) => text.clone(),
        Scalar::Bool(flag) => flag.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_read_as_they_select() {
        let selector = Selector {
            signal: Signal::Traces,
            span_kind: Some("server".to_owned()),
            span_name: vec![Test::Prefix("POST ".to_owned())],
            status: Some("error".to_owned()),
            root: true,
            metric: None,
            read_as: ReadAs::AsSent,
            matchers: vec![Matcher {
                key: "service.name".to_owned(),
                test: Test::In(vec![Scalar::Text("checkout".to_owned())]),
            }],
        };
        assert_eq!(
            super::selector(&selector),
            "server spans, without a parent, span name begins with POST , service.name = checkout, status error"
        );
    }
    #[test]
    fn what_makes_a_time_slice_good_is_said() {
        let file = slo_specs::SourceFile {
            path: "platform.yaml".into(),
            text: include_str!("../../../slo-specs/catalog/platform.yaml").to_owned(),
        };
        let policies = slo_specs::SourceFile {
            path: "policies.yaml".into(),
            text: include_str!("../../../slo-specs/catalog/policies.yaml").to_owned(),
        };
        let catalog = slo_specs::load(&[file, policies]).catalog;
        let said = |id: &str| slices(catalog.objective(id).unwrap());
        for (id, expected) in [
            (
                "edge-p99",
                Some(
                    "1 min long, good when at least 99% of the requests in it are; without data not measured",
                ),
            ),
            (
                "checkout-replica-lag",
                Some("1 min long, good when all values in it are; without data not measured"),
            ),
            (
                "checkout-restarts",
                Some("1 min long, good by what it grew by; without data not measured"),
            ),
            ("buying-journey", None),
        ] {
            assert_eq!(said(id).as_deref(), expected, "{id}");
        }
    }
}
