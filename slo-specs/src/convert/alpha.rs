//! OpenSLO v1alpha, whose sources are `PromQL`.

use super::draft::{self, Draft, quoted};
use super::query::{self, Found};
use super::sloth::{taken, told};
use super::{Output, only, promql};
use crate::field::Field;
use crate::{Ratio, parse_window, window_name};

/// Units of a window, and what v1 calls them.
const UNITS: [(&str, &str); 7] = [
    ("Minute", "m"),
    ("Hour", "h"),
    ("Day", "d"),
    ("Week", "w"),
    ("Month", "M"),
    ("Quarter", "Q"),
    ("Year", "Y"),
];

/// A `Service`.
pub(super) fn service(root: &Field<'_>, output: &mut Output) {
    only(root, &["apiVersion", "kind", "metadata", "spec"]);
    let metadata = root.field("metadata");
    only(&metadata, &["name", "displayName"]);
    only(&root.field("spec"), &["description"]);
    let name = metadata.field("name");
    if !name.required("give it a name") {
        return;
    }
    let title = metadata.field("displayName");
    let title = title
        .text()
        .map(|title| format!("  displayName: {}\n", quoted(title)));
    let description = root.field("spec").field("description");
    let text = format!(
        "apiVersion: openslo/v1\nkind: Service\nmetadata:\n  name: {}\n{}spec: {{ description: {} }}\n",
        quoted(&draft::name(&name, name.text().unwrap_or_default())),
        title.unwrap_or_default(),
        quoted(description.text().unwrap_or_default())
    );
    output.take(&name, text, &[]);
}

/// An `SLO`; each of its objectives has its own ratio, so each becomes an SLO.
pub(super) fn slo(root: &Field<'_>, output: &mut Output) {
    only(root, &["apiVersion", "kind", "metadata", "spec"]);
    let metadata = root.field("metadata");
    only(&metadata, &["name", "displayName"]);
    let spec = root.field("spec");
    only(
        &spec,
        &[
            "service",
            "description",
            "budgetingMethod",
            "objectives",
            "timeWindows",
            "indicator",
        ],
    );
    let indicator = spec.field("indicator");
    if indicator.says() {
        indicator.wrong(
            "is not converted: a threshold over a query has no events to count",
            "write a `thresholdMetric` over a histogram or spans",
        );
    }
    let (name, service) = (metadata.field("name"), spec.field("service"));
    let named = name.required("give it a name") & service.required("name the service");
    let window = window(&spec.field("timeWindows"));
    let objectives = spec.field("objectives");
    objectives.required("list its objectives");
    let objectives = objectives.items();
    for (index, objective) in objectives.iter().enumerate() {
        let budgeting = budgeting(&spec.field("budgetingMethod"), objective);
        let found = ratio(objective);
        let target = target(&objective.field("target"));
        let (Some(window), Some(found), Some(target), Some(budgeting), true) =
            (&window, found, target, budgeting, named)
        else {
            continue;
        };
        let plain = name.text().unwrap_or_default();
        let wanted = if objectives.len() > 1 {
            format!("{plain}-{index}")
        } else {
            plain.to_owned()
        };
        let draft = Draft {
            window: window.clone(),
            budgeting,
            target: format!("target: {target}"),
            name: draft::name(&name, &wanted),
            ..draft(root, objective, found)
        };
        output.add(&name, &draft);
    }
}

/// What needs no judgement.
fn draft(root: &Field<'_>, objective: &Field<'_>, (indicator, groups): Found) -> Draft {
    let (metadata, spec) = (root.field("metadata"), root.field("spec"));
    let owned = |field: Field<'_>| field.owned();
    let title = owned(objective.field("displayName"));
    let segments = (draft::SEGMENTS.to_owned(), groups.join(","));
    Draft {
        name: String::new(),
        title: title.or(owned(metadata.field("displayName"))),
        description: owned(spec.field("description")),
        service: owned(spec.field("service")).unwrap_or_default(),
        labels: Vec::new(),
        annotations: (!groups.is_empty())
            .then_some(segments)
            .into_iter()
            .collect(),
        window: String::new(),
        budgeting: (String::new(), String::new()),
        indicator,
        target: String::new(),
        policies: None,
    }
}

/// The method, and what an objective says of its slices.
fn budgeting(method: &Field<'_>, objective: &Field<'_>) -> Option<(String, String)> {
    only(
        objective,
        &[
            "displayName",
            "ratioMetrics",
            "target",
            "value",
            "op",
            "timeSliceTarget",
            "timeSliceWindow",
        ],
    );
    for name in ["value", "op"] {
        let field = objective.field(name);
        if field.says() {
            field.note(
                "is not converted: it says nothing about a ratio",
                "nothing is lost",
            );
        }
    }
    let text = method.text().unwrap_or("Occurrences");
    if text == "Occurrences" {
        for name in ["timeSliceTarget", "timeSliceWindow"] {
            let field = objective.field(name);
            if field.says() {
                let help = "write `budgetingMethod: Timeslices` if slices are meant";
                field.note("is not converted: Occurrences have no slices", help);
            }
        }
        return Some((text.to_owned(), String::new()));
    }
    if text != "Timeslices" {
        method.wrong(
            &format!("is `{text}`, which is not converted"),
            "it is Occurrences or Timeslices",
        );
        return None;
    }
    let (target, window) = (
        objective.field("timeSliceTarget"),
        objective.field("timeSliceWindow"),
    );
    let (target, window) = (self::target(&target), slice(&window));
    let (target, window) = (target?, window?);
    let slices = format!(", timeSliceTarget: {target}, timeSliceWindow: {window}");
    Some((text.to_owned(), slices))
}

fn slice(field: &Field<'_>) -> Option<String> {
    if !field.required("such as `timeSliceWindow: 1m`") {
        return None;
    }
    let text = field.text().unwrap_or_default();
    let window = parse_window(text).ok();
    if window.is_none() {
        let what = format!("is `{text}`, which is no window of a slice");
        field.wrong(&what, "write a number and m or h, such as `1m`");
    }
    window.map(window_name)
}

fn target(field: &Field<'_>) -> Option<Ratio> {
    if !field.required("say which share must be good") {
        return None;
    }
    let text = field.text().unwrap_or_default();
    let target: Result<Ratio, _> = text.parse();
    if target.is_err() {
        field.wrong(
            &format!("is `{text}`, which is no target"),
            "a target is above 0 and below 1",
        );
    }
    target.ok()
}

fn ratio(objective: &Field<'_>) -> Option<Found> {
    let ratio = objective.field("ratioMetrics");
    if !ratio.required("only objectives with a ratio are converted") {
        return None;
    }
    only(&ratio, &["good", "bad", "total", "incremental", "counter"]);
    if ratio.field("good").says() && ratio.field("bad").says() {
        ratio.exclusive(&["good", "bad"], true);
        return None;
    }
    for name in ["incremental", "counter"] {
        let field = ratio.field(name);
        if field.says() && !field.is_true() {
            let help = "count events by counters, and write `true`, or count spans";
            field.wrong("is not converted: its queries do not count up", help);
            return None;
        }
    }
    let part = if ratio.field("bad").says() {
        "bad"
    } else {
        "good"
    };
    let field = ratio.field(part);
    let (some, all) = (query(&field), query(&ratio.field("total")));
    let field = field.field("query");
    told(&field, taken(&field, query::ratio(part, &some?, &all?)))
}

fn query(source: &Field<'_>) -> Option<promql::Expr> {
    only(source, &["source", "queryType", "query"]);
    let query = source.field("query");
    if !query.required("say what is counted") {
        return None;
    }
    let kind = source.field("queryType");
    if kind
        .text()
        .is_some_and(|kind| !kind.eq_ignore_ascii_case("promql"))
    {
        kind.wrong(
            "is not converted: it is not PromQL",
            "write a source of type `otlp`",
        );
        return None;
    }
    taken(&query, promql::parse(query.text().unwrap_or_default()))
}

fn window(field: &Field<'_>) -> Option<String> {
    if !field.required("such as `[{ count: 30, unit: Day }]`") {
        return None;
    }
    let items = field.items();
    let [window] = items.as_slice() else {
        field.wrong(
            "is not converted: it has not exactly one window",
            "keep one of them",
        );
        return None;
    };
    only(window, &["count", "unit", "isRolling", "calendar"]);
    let (count, unit) = (window.field("count"), window.field("unit"));
    let known = UNITS.iter().find(|(name, _)| Some(*name) == unit.text());
    let Some((_, short)) = known else {
        unit.wrong("is not converted: it is no unit", "such as `unit: Day`");
        return None;
    };
    let number = count.text().and_then(|text| text.parse::<u32>().ok());
    let Some(count) = number.filter(|number| *number > 0) else {
        count.wrong(
            "is not converted: it is no whole number above 0",
            "such as `count: 30`",
        );
        return None;
    };
    let (calendar, rolling) = (window.field("calendar"), window.field("isRolling"));
    if rolling.says() && rolling.is_true() == calendar.says() {
        let help = "write `isRolling: true` and no calendar, or `false` and a calendar";
        rolling.wrong(
            "is not converted: a window rolls, or else has a calendar",
            help,
        );
        return None;
    }
    if calendar.says() {
        only(&calendar, &["startTime", "timeZone"]);
        let part = |name: &str| quoted(calendar.field(name).text().unwrap_or_default());
        return Some(format!(
            "{{ duration: {count}{short}, isRolling: false, calendar: {{ startTime: {}, timeZone: {} }} }}",
            part("startTime"),
            part("timeZone")
        ));
    }
    if matches!(*short, "M" | "Q" | "Y") {
        unit.wrong(
            "is not converted: a window that rolls has no months",
            "write `count: 30, unit: Day`, or a calendar",
        );
        return None;
    }
    Some(format!("{{ duration: {count}{short}, isRolling: true }}"))
}
