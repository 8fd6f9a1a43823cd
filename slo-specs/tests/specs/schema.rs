//! The JSON schema for editors.

use serde_json::Value;
use slo_specs::schema;

use crate::given;

const WRITTEN: &str = include_str!("../../schema/spec.json");

#[test]
fn the_schema_is_not_stale() {
    assert!(
        WRITTEN == schema(),
        "schema/spec.json is stale: run `cargo run -p slo-specs --example schema`"
    );
}

/// The parser names the fields it knows when it meets one that it does not.
#[test]
fn the_schema_has_the_fields_that_the_parser_knows() {
    let schema: Value = serde_json::from_str(WRITTEN).unwrap();
    for (definition, document) in [
        ("Slo", "kind: SLO\nmetadata: { name: a }\nspec: { zzzz: 1 }"),
        ("Sli", "kind: SLI\nmetadata: { name: a }\nspec: { zzzz: 1 }"),
        (
            "RatioMetric",
            "kind: SLI\nmetadata: { name: a }\nspec: { ratioMetric: { zzzz: 1 } }",
        ),
        (
            "Metadata",
            "kind: SLI\nmetadata: { name: a, zzzz: 1 }\nspec: {}",
        ),
        (
            "Service",
            "kind: Service\nmetadata: { name: a }\nspec: { zzzz: 1 }",
        ),
        (
            "DataSource",
            "kind: DataSource\nmetadata: { name: a }\nspec: { zzzz: 1 }",
        ),
        (
            "AlertPolicy",
            "kind: AlertPolicy\nmetadata: { name: a }\nspec: { zzzz: 1 }",
        ),
        (
            "AlertCondition",
            "kind: AlertCondition\nmetadata: { name: a }\nspec: { zzzz: 1 }",
        ),
        (
            "Condition",
            "kind: AlertCondition\nmetadata: { name: a }\nspec: { condition: { zzzz: 1 } }",
        ),
        (
            "Objective",
            "kind: SLO\nmetadata: { name: a }\nspec: { objectives: [{ zzzz: 1 }] }",
        ),
        (
            "Otlp",
            "kind: SLI\nmetadata: { name: a }\nspec: { thresholdMetric: { metricSource: { type: otlp, spec: { zzzz: 1 } } } }",
        ),
        (
            "MetricSource",
            "kind: SLI\nmetadata: { name: a }\nspec: { thresholdMetric: { metricSource: { zzzz: 1 } } }",
        ),
        (
            "Operators",
            "kind: SLI\nmetadata: { name: a }\nspec: { thresholdMetric: { metricSource: { type: otlp, spec: { signal: traces, match: { a: { zzzz: 1 } } } } } }",
        ),
    ] {
        let text = format!("apiVersion: openslo/v1\n{document}\n");
        assert_eq!(
            known_fields(&text),
            properties(&schema, definition),
            "{definition}"
        );
    }
    let rule = "apiVersion: sloburn/v1\nkind: BurnPolicy\nmetadata: { name: a }\nspec: { rules: [{ zzzz: 1 }] }";
    assert_eq!(known_fields(rule), properties(&schema, "Rule"));
}

#[test]
fn the_schema_has_the_fields_of_every_condition() {
    let schema: Value = serde_json::from_str(WRITTEN).unwrap();
    let rule = "apiVersion: sloburn/v1\nkind: BurnPolicy\nmetadata: { name: a }\nspec: { rules: [{ zzzz: 1 }] }";
    for (definition, condition) in [
        ("Part", "all: [{ zzzz: 1 }]"),
        ("BudgetLeft", "budgetLeft: { zzzz: 1 }"),
        ("BudgetDrop", "budgetDrop: { zzzz: 1 }"),
        ("TimeToEmpty", "timeToEmpty: { zzzz: 1 }"),
        ("NoData", "noData: { zzzz: 1 }"),
    ] {
        let rule = rule.replace("zzzz: 1", condition);
        assert_eq!(known_fields(&rule), properties(&schema, definition));
    }
}

#[test]
fn the_schema_has_the_fields_of_windows_and_corrections() {
    let schema: Value = serde_json::from_str(&slo_specs::schema()).expect("JSON");
    for (definition, kind, spec) in [
        (
            "TimeWindow",
            "openslo/v1, kind: SLO",
            "timeWindow: [{ zzzz: 1 }]",
        ),
        (
            "Calendar",
            "openslo/v1, kind: SLO",
            "timeWindow: [{ calendar: { zzzz: 1 } }]",
        ),
        ("Correction", "sloburn/v1, kind: Correction", "zzzz: 1"),
        (
            "Recurrence",
            "sloburn/v1, kind: Correction",
            "recurrence: { zzzz: 1 }",
        ),
    ] {
        let text = format!("{{ apiVersion: {kind}, metadata: {{ name: a }}, spec: {{ {spec} }} }}");
        let expected = properties(&schema, definition);
        assert_eq!(known_fields(&text), expected, "{definition}");
    }
}

/// Every kind of map that a file may have, compared above or here; envelopes and references have the same few fields each.
#[test]
fn no_definition_of_the_schema_is_compared_with_nothing() {
    let schema: Value = serde_json::from_str(&slo_specs::schema()).expect("JSON");
    let further = [
        (
            "AlertNotificationTarget",
            "openslo/v1, kind: AlertNotificationTarget",
            "zzzz: 1",
        ),
        ("BurnPolicy", "sloburn/v1, kind: BurnPolicy", "zzzz: 1"),
        (
            "InlineSli",
            "openslo/v1, kind: SLO",
            "indicator: { zzzz: 1 }, objectives: [{ target: 0.9 }]",
        ),
        (
            "Measured",
            "openslo/v1, kind: SLI",
            "thresholdMetric: { zzzz: 1 }",
        ),
    ];
    for (definition, kind, spec) in further {
        let text = format!("{{ apiVersion: {kind}, metadata: {{ name: a }}, spec: {{ {spec} }} }}");
        assert_eq!(
            known_fields(&text),
            properties(&schema, definition),
            "{definition}"
        );
    }
    let source = include_str!("schema.rs");
    let definitions = schema["$defs"].as_object().expect("definitions").iter();
    for (name, _) in definitions.filter(|(_, one)| one["properties"].is_object()) {
        let plain = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let envelope = matches!(plain, "Object" | "Inline") || name.ends_with("Ref");
        let compared = source.contains(&format!("\"{name}\""));
        assert!(envelope || compared, "`{name}` is compared with nothing");
    }
}

fn known_fields(text: &str) -> Vec<String> {
    let loaded = given::read(text);
    let problem = loaded
        .problems
        .iter()
        .find(|p| p.message.ends_with("unknown field `zzzz`"));
    let help = problem
        .and_then(|problem| problem.help.clone())
        .expect("help");
    let (_, known) = help.split_once("known here: ").expect("the known fields");
    let mut known: Vec<String> = known.split(", ").map(str::to_owned).collect();
    known.sort();
    known
}

fn properties(schema: &Value, definition: &str) -> Vec<String> {
    let properties = schema["$defs"][definition]["properties"].as_object();
    let mut names: Vec<String> = properties.expect("a definition").keys().cloned().collect();
    names.sort();
    names
}
