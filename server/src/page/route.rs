//! Who hears of an alert. There is no silent nowhere: what nobody is meant to take is told.

use slo_specs::{Catalog, Problem, Severity};

use super::Receiver;
use crate::builtin;

/// The receivers of an alert: those its policy names, else those that take its severity. A name that
/// is not configured does not lose the page: it goes to those that take the severity then.
pub(crate) fn route(receivers: &[Receiver], severity: Severity, wanted: &[String]) -> Vec<String> {
    let known = |name: &String| receivers.iter().any(|receiver| receiver.name() == name);
    let by_severity = wanted.is_empty() || !wanted.iter().all(known);
    receivers
        .iter()
        .filter(|receiver| {
            receiver.takes(severity, wanted) || (by_severity && receiver.takes(severity, &[]))
        })
        .map(|receiver| receiver.name().to_owned())
        .collect()
}

/// Alerts of a catalog that would reach nobody, or not whom their policy names. sloburn's own
/// objective asks for no receiver: it pages when there is one.
pub(crate) fn unrouted(receivers: &[Receiver], catalog: &Catalog) -> Vec<Problem> {
    let mut problems = Vec::new();
    let theirs = catalog.objectives.iter().filter(|one| !builtin::is(one));
    for objective in theirs {
        let nobody = objective
            .rules
            .iter()
            .filter(|rule| rule.severity == Severity::Page)
            .find(|rule| route(receivers, rule.severity, &rule.receivers).is_empty());
        if let Some(rule) = nobody {
            problems.push(warning(
                objective,
                format!(
                    "nobody would get the pages of rule `{}` of objective `{}`",
                    rule.name, objective.id
                ),
                "configure a receiver with `severities = [\"page\"]` under [[receivers]]",
            ));
        }
        let names = objective.rules.iter().flat_map(|rule| &rule.receivers);
        let mut unknown: Vec<&String> = names
            .filter(|name| !receivers.iter().any(|receiver| receiver.name() == *name))
            .collect();
        unknown.sort();
        unknown.dedup();
        for name in unknown {
            problems.push(warning(
                objective,
                format!("objective `{}` pages `{name}`, which is not configured", objective.id),
                "its alerts go to the receivers of their severity until [[receivers]] has that name",
            ));
        }
    }
    problems
}

fn warning(objective: &slo_specs::Objective, message: String, help: &str) -> Problem {
    Problem {
        file: objective.source.file.clone(),
        line: objective.source.line,
        column: 1,
        severity: slo_specs::Level::Warning,
        message,
        help: Some(help.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::ReceiverDocument;
    use crate::page::testing::environment;

    fn receivers(named: &[(&str, &[&str])]) -> Vec<Receiver> {
        let document = |(name, severities): &(&str, &[&str])| ReceiverDocument {
            name: (*name).to_owned(),
            kind: "webhook".to_owned(),
            url: Some("https://hooks.example/x".to_owned().into()),
            secret: Some("env:WEBHOOK".to_owned().into()),
            severities: Some(
                severities
                    .iter()
                    .map(|severity| (*severity).to_owned())
                    .collect(),
            ),
            allow_private: false,
            fallback: None,
        };
        let documents: Vec<ReceiverDocument> = named.iter().map(document).collect();
        Receiver::resolve_all(&documents, &environment).unwrap()
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_policy_that_names_a_receiver_nobody_configured_loses_no_page() {
        let receivers = receivers(&[("phone", &["page"]), ("chat", &["ticket"])]);
        let cases: [(Severity, &[&str], &[&str]); 5] = [
            (Severity::Page, &[], &["phone"]),
            (Severity::Ticket, &[], &["chat"]),
            (Severity::Page, &["chat"], &["chat"]),
            (Severity::Page, &["nobody"], &["phone"]),
            (Severity::Page, &["chat", "nobody"], &["phone", "chat"]),
        ];
        for (severity, wanted, expected) in cases {
            let found = route(&receivers, severity, &names(wanted));
            assert_eq!(found, names(expected), "{severity:?} to {wanted:?}");
        }
        assert!(route(&[], Severity::Page, &[]).is_empty());
    }
}
