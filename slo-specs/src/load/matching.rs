//! `match` of an `otlp` source: attribute → scalar or operators.

use super::report::{Fields, Known, Report};
use super::yaml::{Node, Value};
use crate::selector::{Matcher, Pattern, Scalar, Test};

const OPERATORS: Known = Known {
    fields: &[
        "in", "not", "prefix", "regex", "notRegex", "gt", "gte", "lt", "lte", "exists",
    ],
};

/// Reads `match`, sorted by key. Several operators of one key must all hold.
pub(super) fn matchers(report: Report<'_>, node: &Node) -> Vec<Matcher> {
    let Value::Map(entries) = &node.value else {
        report.error(
            node.at,
            format!("`match` must be a map, not {}", node.value.kind()),
        );
        return Vec::new();
    };
    if entries.is_empty() {
        let help = "name an attribute, such as `service.name: checkout`, or leave `match` out";
        report.error_with(node.at, "`match` is empty", help);
    }
    let mut matchers = Vec::new();
    for (key, value) in entries {
        let Some(key) = report.text(key, "match") else {
            continue;
        };
        let tests = tests(report, value, &key);
        matchers.extend(tests.into_iter().map(|test| Matcher {
            key: key.clone(),
            test,
        }));
    }
    matchers.sort_by(|a, b| a.key.cmp(&b.key));
    matchers
}

/// Reads what one value must be like: a scalar, or a map of operators.
pub(super) fn tests(report: Report<'_>, node: &Node, key: &str) -> Vec<Test> {
    match &node.value {
        Value::Map(_) => operators(report, node, key),
        Value::List(_) => {
            let message = format!("`{key}` must be a value or an operator, not a list");
            report.error_with(
                node.at,
                message,
                "for one of several write `{ in: [a, b] }`",
            );
            Vec::new()
        }
        _ => scalar(report, node, key)
            .map(|scalar| Test::In(vec![scalar]))
            .into_iter()
            .collect(),
    }
}

fn operators(report: Report<'_>, node: &Node, key: &str) -> Vec<Test> {
    let what = format!("`{key}`");
    let Some(fields) = Fields::of(report, node, &what, OPERATORS) else {
        return Vec::new();
    };
    if matches!(&node.value, Value::Map(entries) if entries.is_empty()) {
        report.error_with(
            node.at,
            format!("{what} has no operator"),
            "such as `{ gte: 500 }`",
        );
    }
    let mut tests = Vec::new();
    for name in OPERATORS.fields {
        if let Some(operand) = fields.get(name) {
            tests.extend(operator(report, name, operand));
        } else if fields.has(name) {
            report.error(
                fields.place(name),
                format!("operator `{name}` of {what} has no value"),
            );
        }
    }
    tests
}

fn operator(report: Report<'_>, name: &str, operand: &Node) -> Option<Test> {
    let number = || report.number(operand, name);
    match name {
        "in" => scalars(report, report.list(operand, name), operand, name).map(Test::In),
        "not" => match &operand.value {
            Value::List(items) => scalars(report, items, operand, name).map(Test::Not),
            _ => scalar(report, operand, name).map(|scalar| Test::Not(vec![scalar])),
        },
        "prefix" => report.text(operand, name).map(Test::Prefix),
        "regex" => pattern(report, name, operand).map(Test::Regex),
        "notRegex" => pattern(report, name, operand).map(Test::NotRegex),
        "gt" => number().map(Test::Gt),
        "gte" => number().map(Test::Gte),
        "lt" => number().map(Test::Lt),
        "lte" => number().map(Test::Lte),
        _ => report.bool(operand, name).map(Test::Exists),
    }
}

fn pattern(report: Report<'_>, name: &str, operand: &Node) -> Option<Pattern> {
    let text = report.text(operand, name)?;
    match Pattern::new(&text) {
        Ok(pattern) => Some(pattern),
        Err(why) => {
            let message = format!("{name} `{text}` is not valid: {why}");
            let help = "the syntax is that of Rust's regex crate: no look-around";
            report.error_with(operand.at, message, help);
            None
        }
    }
}

fn scalars(report: Report<'_>, items: &[Node], list: &Node, name: &str) -> Option<Vec<Scalar>> {
    if items.is_empty() && matches!(list.value, Value::List(_)) {
        report.error(list.at, format!("list of `{name}` is empty"));
    }
    let scalars: Vec<Scalar> = items
        .iter()
        .filter_map(|i| scalar(report, i, name))
        .collect();
    (!scalars.is_empty()).then_some(scalars)
}

fn scalar(report: Report<'_>, node: &Node, name: &str) -> Option<Scalar> {
    match &node.value {
        Value::Text(text) => Some(Scalar::Text(text.clone())),
        Value::Bool(value) => Some(Scalar::Bool(*value)),
        Value::Number(text, value) => Some(Scalar::Number(text.clone(), *value)),
        other @ (Value::Null | Value::List(_) | Value::Map(_)) => {
            let message = format!(
                "`{name}` must be text, a number, true or false, not {}",
                other.kind()
            );
            report.error_with(
                node.at,
                message,
                "for an attribute that is missing write `{ exists: false }`",
            );
            None
        }
    }
}
