//! Sloth: `prometheus/v1` files and `PrometheusServiceLevel` resources, which differ in how fields are spelt.

use super::draft::{self, Draft};
use super::query::{self, Found};
use super::{Output, only, promql};
use crate::Ratio;
use crate::field::Field;

/// The policy of an SLO whose pages are disabled and whose tickets are not; and the other way round.
const ONLY: [(&str, &str); 2] = [
    ("page", "converted-pages-only"),
    ("ticket", "converted-tickets-only"),
];

/// How a spelling names the fields.
struct Names {
    error_query: &'static str,
    total_query: &'static str,
    error_ratio_query: &'static str,
    page_alert: &'static str,
    ticket_alert: &'static str,
}

const PLAIN: Names = Names {
    error_query: "error_query",
    total_query: "total_query",
    error_ratio_query: "error_ratio_query",
    page_alert: "page_alert",
    ticket_alert: "ticket_alert",
};
const RESOURCE: Names = Names {
    error_query: "errorQuery",
    total_query: "totalQuery",
    error_ratio_query: "errorRatioQuery",
    page_alert: "pageAlert",
    ticket_alert: "ticketAlert",
};

/// A file of `version: prometheus/v1`.
pub(super) fn plain(root: &Field<'_>, output: &mut Output) {
    only(
        root,
        &["version", "service", "labels", "slos", "slo_plugins"],
    );
    slos(root, &PLAIN, output);
}

/// A `PrometheusServiceLevel`.
pub(super) fn resource(root: &Field<'_>, output: &mut Output) {
    only(root, &["apiVersion", "kind", "metadata", "spec"]);
    let metadata = root.field("metadata");
    only(&metadata, &["name", "namespace", "labels", "annotations"]);
    for name in ["namespace", "labels", "annotations"] {
        let field = metadata.field(name);
        if field.says() {
            field.note(
                "is not converted: it is about the Kubernetes resource",
                "the labels of the SLO are those of its `spec`",
            );
        }
    }
    let spec = root.field("spec");
    only(&spec, &["service", "labels", "slos", "sloPlugins"]);
    slos(&spec, &RESOURCE, output);
}

fn slos(holder: &Field<'_>, names: &Names, output: &mut Output) {
    let service = holder.field("service");
    if !service.required("name the service") {
        return;
    }
    let slos = holder.field("slos");
    if slos.items().is_empty() {
        slos.wrong("lists no SLO", "there is nothing to convert");
    }
    for name in ["slo_plugins", "sloPlugins"] {
        refuse_plugins(&holder.field(name));
    }
    for slo in slos.items() {
        if let Some(draft) = one(&slo, holder, names, output) {
            output.add(&slo.field("name"), &draft);
        }
    }
}

fn refuse_plugins(plugins: &Field<'_>) {
    if plugins.says() {
        plugins.wrong(
            "is not converted: a plugin is a program of Sloth's",
            "say in the converted file what it adds, if anything here does",
        );
    }
}

fn one(slo: &Field<'_>, holder: &Field<'_>, names: &Names, output: &mut Output) -> Option<Draft> {
    only(
        slo,
        &[
            "name",
            "objective",
            "description",
            "labels",
            "sli",
            "alerting",
            "plugins",
        ],
    );
    refuse_plugins(&slo.field("plugins"));
    let service = holder.field("service").text()?.to_owned();
    let field = slo.field("name");
    let named = field.required("name the SLO");
    let mut labels = Vec::new();
    let mut annotations = Vec::new();
    draft::labels(&holder.field("labels"), &mut labels, &mut annotations);
    draft::labels(&slo.field("labels"), &mut labels, &mut annotations);
    let policies = alerting(&slo.field("alerting"), names, &mut annotations, output);
    let target = target(&slo.field("objective"));
    let (indicator, groups) = sli(&slo.field("sli"), names)?;
    if !named {
        return None;
    }
    if !groups.is_empty() {
        draft::set(&mut annotations, draft::SEGMENTS, groups.join(","));
    }
    Some(Draft {
        name: draft::name(&field, &format!("{service}-{}", field.text()?)),
        title: None,
        description: slo.field("description").owned(),
        service,
        labels,
        annotations,
        window: "{ duration: 30d, isRolling: true }".to_owned(),
        budgeting: ("Occurrences".to_owned(), String::new()),
        indicator,
        target: format!("target: {}", target?),
        policies,
    })
}

/// A target of percents, as a ratio.
pub(super) fn target(field: &Field<'_>) -> Option<Ratio> {
    if !field.required("say which share must be good, in percent") {
        return None;
    }
    let text = field.text().unwrap_or_default();
    match Ratio::from_percent(text) {
        Ok(target) => Some(target),
        Err(why) => {
            let what = format!("is `{text}`, which is no target: {why}");
            field.wrong(&what, "a target is above 0 and below 100 percent");
            None
        }
    }
}

fn sli(sli: &Field<'_>, names: &Names) -> Option<Found> {
    only(sli, &["events", "raw", "plugin"]);
    sli.required("say what is measured");
    let plugin = sli.field("plugin");
    if plugin.says() {
        plugin.wrong(
            "is not converted: a plugin is a program of Sloth's that makes queries",
            "let Sloth write the queries, and convert those, or write an indicator over spans",
        );
        return None;
    }
    let (events, raw) = (sli.field("events"), sli.field("raw"));
    if raw.says() && events.says() {
        sli.exclusive(&["events", "raw"], true);
        return None;
    }
    if raw.says() {
        only(&raw, &[names.error_ratio_query]);
        let field = raw.field(names.error_ratio_query);
        let read = query(&field).and_then(|expr| query::quotient(&expr));
        return told(&field, taken(&field, read));
    }
    only(&events, &[names.error_query, names.total_query]);
    let (error, total) = (
        events.field(names.error_query),
        events.field(names.total_query),
    );
    let all = taken(&total, query(&total));
    let some = taken(&error, query(&error));
    told(&error, taken(&error, query::ratio("bad", &some?, &all?)))
}

/// What was found; told of where a `_count` was taken for that of a histogram, as a plain counter may be named so too.
pub(super) fn told(field: &Field<'_>, found: Option<Found>) -> Option<Found> {
    for (metric, histogram) in found
        .iter()
        .flat_map(|(indicator, _)| indicator.histograms())
    {
        let what =
            format!("counts the values of the histogram `{histogram}`, as it names `{metric}`");
        let help = format!(
            "if `{metric}` is a plain counter, write `metric: {metric}` in the converted file"
        );
        field.note(&what, &help);
    }
    found
}

fn query(field: &Field<'_>) -> Result<promql::Expr, String> {
    promql::parse(field.text().unwrap_or_default())
}

/// What a query says, or why it cannot be counted.
pub(super) fn taken<T>(field: &Field<'_>, read: Result<T, String>) -> Option<T> {
    match read {
        Ok(read) => Some(read),
        Err(why) => {
            let help = "count events by a rate of one metric over another's, or, better, by spans";
            field.wrong(&format!("is not converted: {why}"), help);
            None
        }
    }
}

/// The policies that stand for Sloth's two alerts; nothing when both are as usual.
fn alerting(
    alerting: &Field<'_>,
    names: &Names,
    annotations: &mut Vec<(String, String)>,
    output: &mut Output,
) -> Option<Vec<String>> {
    only(
        alerting,
        &[
            "name",
            "labels",
            "annotations",
            names.page_alert,
            names.ticket_alert,
        ],
    );
    for name in ["name", "labels"] {
        for_alertmanager(&alerting.field(name));
    }
    draft::annotations(&alerting.field("annotations"), annotations);
    let mut disabled = [false; 2];
    for (name, disabled) in [names.page_alert, names.ticket_alert]
        .into_iter()
        .zip(&mut disabled)
    {
        let alert = alerting.field(name);
        only(&alert, &["disable", "labels", "annotations"]);
        for name in ["labels", "annotations"] {
            for_alertmanager(&alert.field(name));
        }
        alert.field("disable").boolean();
        *disabled = alert.field("disable").is_true();
    }
    match disabled {
        [false, false] => None,
        [true, true] => Some(Vec::new()),
        [no_pages, _] => {
            let (severity, name) = ONLY[usize::from(no_pages)];
            output
                .policies
                .insert(name.to_owned(), only_severity(name, severity));
            Some(vec![name.to_owned()])
        }
    }
}

fn for_alertmanager(field: &Field<'_>) {
    if field.says() {
        field.note(
            "is not converted: it is for Alertmanager",
            "alerts go to the `receivers` of sloburn.toml by their severity, page or ticket",
        );
    }
}

/// The rules of the default policy that have one severity; they are Sloth's.
fn only_severity(name: &str, severity: &str) -> String {
    let rules = include_str!("../../policies/default.yaml")
        .lines()
        .filter(|line| line.trim_start().starts_with("- {"))
        .filter(|line| line.contains(&format!("severity: {severity},")));
    let rules: Vec<&str> = rules.collect();
    format!(
        "# The {severity}s of the default policy.\napiVersion: sloburn/v1\nkind: BurnPolicy\nmetadata: {{ name: {name} \
         }}\nspec:\n  rules:\n{}\n",
        rules.join("\n")
    )
}
