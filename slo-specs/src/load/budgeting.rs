//! `budgetingMethod`, and what an objective says of its time slices.

use std::time::Duration;

use super::judged::Judged;
use super::meta::Meta;
use super::report::{Fields, Report};
use super::yaml::{Node, Value};
use crate::{Budgeting, EmptySlice, NumberError, SliceTarget, Slicing, Verdict};

const WITHOUT_DATA: &str = "slices-without-data";
const SLICE_HELP: &str = "say how long a slice is, such as `timeSliceWindow: 1m`";

/// An SLO's `budgetingMethod`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Method {
    kind: MethodKind,
    empty: EmptySlice,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MethodKind {
    Occurrences,
    Timeslices,
    RatioTimeslices,
}

impl Method {
    /// Reads what holds of all objectives of an SLO.
    pub(super) fn read(fields: &Fields<'_>, meta: &Meta) -> Option<Self> {
        let report = fields.report;
        let words = &["Occurrences", "Timeslices", "RatioTimeslices"];
        let word = if let Some(node) = fields.get("budgetingMethod") {
            report.word(node, "budgetingMethod", words)?
        } else {
            let message = format!(
                "{} has no `budgetingMethod`; its events are counted",
                fields.what
            );
            let help = "write `budgetingMethod: Occurrences`; `--strict` refuses to do without";
            report.warn(fields.place("budgetingMethod"), message, help);
            "Occurrences".to_owned()
        };
        let kind = match word.as_str() {
            "Occurrences" => MethodKind::Occurrences,
            "Timeslices" => MethodKind::Timeslices,
            _ => MethodKind::RatioTimeslices,
        };
        Some(Self {
            kind,
            empty: empty(report, meta, kind)?,
        })
    }

    /// Reads what one objective says of its slices.
    pub(super) fn of_objective(self, fields: &Fields<'_>, judged: Judged) -> Option<Budgeting> {
        let report = fields.report;
        let foreign: &[&str] = match self.kind {
            MethodKind::Occurrences => &["timeSliceTarget", "timeSliceWindow"],
            MethodKind::RatioTimeslices => &["timeSliceTarget"],
            MethodKind::Timeslices => &[],
        };
        let errors = report.errors();
        for name in foreign.iter().filter(|name| fields.has(name)) {
            let (method, other) = match self.kind {
                MethodKind::Occurrences => ("Occurrences", "Timeslices"),
                _ => ("RatioTimeslices", "Timeslices"),
            };
            let message = format!("`{name}` does not belong to `budgetingMethod: {method}`");
            let help = format!("remove it, or write `budgetingMethod: {other}`");
            report.error_with(fields.place(name), message, help);
        }
        if self.kind != MethodKind::Timeslices {
            judged.check_without_verdict(fields);
        }
        if self.kind == MethodKind::Occurrences {
            let budgeting = match judged {
                Judged::Shares => Budgeting::Shares,
                _ => Budgeting::Occurrences,
            };
            return (report.errors() == errors).then_some(budgeting);
        }
        let length = fields
            .require("timeSliceWindow", SLICE_HELP)
            .and_then(|node| length(report, node));
        let verdict = match self.kind {
            MethodKind::Timeslices => judged.verdict(fields),
            _ => Some(Verdict::Share),
        };
        Some(Budgeting::Timeslices(Slicing {
            length: length?,
            verdict: verdict?,
            empty: self.empty,
        }))
    }
}

/// `sloburn.dev/slices-without-data`.
fn empty(report: Report<'_>, meta: &Meta, kind: MethodKind) -> Option<EmptySlice> {
    let Some((text, at)) = meta.annotation(WITHOUT_DATA) else {
        return Some(EmptySlice::Unmeasured);
    };
    if kind == MethodKind::Occurrences {
        let message = format!("`sloburn.dev/{WITHOUT_DATA}` needs time slices");
        let help = "write `budgetingMethod: Timeslices`, or remove it: events that are not there are not counted";
        report.error_with(at, message, help);
        return None;
    }
    let node = Node {
        value: Value::Text(text.to_owned()),
        at,
    };
    match report
        .word(&node, WITHOUT_DATA, &["unmeasured", "bad", "good"])?
        .as_str()
    {
        "bad" => Some(EmptySlice::Bad),
        "good" => Some(EmptySlice::Good),
        _ => Some(EmptySlice::Unmeasured),
    }
}

/// A length of time, or a number of minutes.
fn length(report: Report<'_>, node: &Node) -> Option<Duration> {
    let Value::Number(text, _) = &node.value else {
        return report.window(node, "timeSliceWindow");
    };
    let in_minutes = Node {
        value: Value::Text(format!("{text}m")),
        at: node.at,
    };
    report.window(&in_minutes, "timeSliceWindow")
}

pub(super) fn slice_target(fields: &Fields<'_>) -> Option<SliceTarget> {
    let report = fields.report;
    let help = "say which share of a slice's events must be good, such as `timeSliceTarget: 0.95`";
    let node = fields.require("timeSliceTarget", help)?;
    let text = report.text(node, "timeSliceTarget")?;
    let why: NumberError = match text.parse() {
        Ok(target) => return Some(target),
        Err(why) => why,
    };
    let rule = match why {
        _ if text.starts_with('-') => "it must be 0 or above".to_owned(),
        NumberError::OutOfRange | NumberError::TooLarge => "it must be at most 1".to_owned(),
        NumberError::NotDecimal | NumberError::TooPrecise => {
            format!("it is a plain decimal: {why}")
        }
    };
    report.error_with(
        node.at,
        format!("`timeSliceTarget` is {text}; {rule}"),
        help,
    );
    None
}
