//! `alertWhenBreaching`, `alertWhenResolved` and `alertWhenNoData` of an `AlertPolicy`.

use std::time::Duration;

use super::alerting::RuleDraft;
use super::condition::Draft;
use super::meta::Meta;
use super::report::Fields;
use crate::{Condition, Ending, Severity};

/// How long silence must last for `alertWhenNoData`, which OpenSLO does not say: longer where slices are.
const SILENCE: Duration = Duration::from_mins(10);

/// What a policy alerts on. OpenSLO does not say what holds when they are left out: breaches and
/// resolves are told then, silence is not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Switches {
    breaching: bool,
    resolved: bool,
    no_data: bool,
}

impl Switches {
    pub(super) fn read(fields: &Fields<'_>) -> Self {
        let switch = |name: &str, unless_told: bool| {
            let node = fields.get(name);
            node.and_then(|node| fields.report.bool(node, name))
                .unwrap_or(unless_told)
        };
        Self {
            breaching: switch("alertWhenBreaching", true),
            resolved: switch("alertWhenResolved", true),
            no_data: switch("alertWhenNoData", false),
        }
    }

    /// Leaves the rules that the switches leave, and adds the one on silence, as loud as the loudest
    /// condition.
    pub(super) fn apply(self, fields: &Fields<'_>, meta: &Meta, rules: &mut Vec<RuleDraft>) {
        let report = fields.report;
        let loudest = rules.iter().map(|rule| rule.severity).min();
        if !self.breaching {
            rules.clear();
        }
        let lasting = meta.node("no-data-for");
        let lasting_at = lasting.as_ref().map(|node| node.at);
        let silence = match lasting {
            Some(node) => report
                .window(&node, "no-data-for")
                .map(|lasting| Draft::Whole(Condition::NoData { lasting })),
            None => Some(Draft::Silence(SILENCE)),
        };
        if let (true, Some(condition)) = (self.no_data, silence) {
            rules.push(RuleDraft {
                name: format!("{}-no-data", meta.name),
                severity: loudest.unwrap_or(Severity::Ticket),
                condition,
                hold: Duration::ZERO,
                ending: Ending::Told,
                note: None,
                notifies: true,
                owner: None,
            });
        }
        if let (false, Some(at)) = (self.no_data, lasting_at) {
            let message = "`sloburn.dev/no-data-for` without `alertWhenNoData: true`";
            report.error_with(at, message, "add `alertWhenNoData: true` to the spec");
        }
        if !self.breaching && !self.no_data {
            let message = format!("{} never alerts", fields.what);
            let help = "leave `alertWhenBreaching` out, or add `alertWhenNoData: true`";
            report.warn(fields.place("alertWhenBreaching"), message, help);
        }
        if !self.resolved {
            for rule in rules {
                rule.ending = Ending::Quiet;
            }
        }
    }
}
