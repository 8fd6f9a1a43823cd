//! Composites: several objectives of one SLO, each with an indicator of its own, judged together.

use std::time::Duration;

use super::meta::Meta;
use super::objective::Goal;
use super::report::Report;
use super::sli::Sli;
use super::slo::with_bound;
use super::yaml::{Node, Position, Value};
use crate::indicator::WEIGHT_UNITS;
use crate::{
    Budgeting, Combine, Composite, CompositePart, Indicator, Ratio, ReadAs, Slicing, Verdict,
};

/// Length of a composite's slices where its parts count events.
const SLICE: Duration = Duration::from_mins(1);
/// Decimal places of a target that follows from others.
const SCALE: u64 = 1_000_000_000_000;

/// An SLO's composite as its goal and what it counts; `None` if it is none, or wrong, which is told of.
pub(super) fn composite(
    report: Report<'_>,
    meta: &Meta,
    goals: &[Goal],
) -> Option<(Goal, Indicator)> {
    let weighted = goals.iter().find(|goal| goal.weight.is_some());
    let at = match (meta.annotation("composite"), weighted) {
        (Some((_, at)), _) => at,
        (None, Some(goal)) => goal.at,
        (None, None) => {
            if let Some((_, at)) = meta.annotation("composite-target") {
                let help = "say how the parts make it: `sloburn.dev/composite: weighted`";
                report.error_with(at, "there is no composite to have this target", help);
            }
            return None;
        }
    };
    let errors = report.errors();
    if let Some((_, at)) = meta.annotation("segments") {
        let help = "name the segments in SLOs of the parts";
        report.not_built(at, "a composite by segments", help);
    }
    let combine = combine(report, meta)?;
    check_parts(report, goals, combine, at);
    let length = length(report, goals, at);
    if report.errors() > errors {
        return None;
    }
    let parts: Option<Vec<CompositePart>> = goals.iter().map(part).collect();
    let parts = parts?;
    let target = target(report, meta, combine, &parts, at);
    let goal = Goal {
        id: meta.name.clone(),
        title: None,
        sli: None,
        own_indicator: false,
        weight: None,
        target: Some(target?),
        bound: None,
        budgeting: Some(Budgeting::Timeslices(Slicing {
            length: length?,
            verdict: Verdict::Share,
            empty: empty(goals),
        })),
        at: meta.at,
        one_of_several: false,
    };
    Some((goal, Indicator::Composite(Composite { combine, parts })))
}

fn combine(report: Report<'_>, meta: &Meta) -> Option<Combine> {
    let Some((text, at)) = meta.annotation("composite") else {
        return Some(Combine::Weighted);
    };
    let node = Node {
        value: Value::Text(text.to_owned()),
        at,
    };
    let words = &["weighted", "all-of", "worst-of"];
    match report.word(&node, "composite", words)?.as_str() {
        "all-of" => Some(Combine::All),
        "worst-of" => Some(Combine::Worst),
        _ => Some(Combine::Weighted),
    }
}

fn check_parts(report: Report<'_>, goals: &[Goal], combine: Combine, at: Position) {
    let apart = goals.iter().filter(|goal| goal.own_indicator).count();
    if apart < 2 || apart < goals.len() {
        let help = "give each of two or more objectives its `indicator` or `indicatorRef`";
        report.error_with(
            at,
            "a composite has parts with indicators of their own",
            help,
        );
    }
    for goal in goals {
        if goal.weight.is_some() && combine != Combine::Weighted {
            let message = format!("a composite that is {} has no weights", combine.name());
            report.error_with(goal.at, message, "remove `compositeWeight`");
        }
        let unfit = match &goal.sli {
            Some(Sli::Threshold { of, .. }) if of.read_as == ReadAs::Growth => {
                "the increase of a counter"
            }
            Some(Sli::Threshold {
                quantile: Some(_), ..
            }) => "a quantile",
            _ => continue,
        };
        let thing = format!("a composite of {unfit}");
        report.not_built(goal.at, &thing, "judge it by an SLO of its own");
    }
}

/// The length of its slices: that of its parts, which must agree.
fn length(report: Report<'_>, goals: &[Goal], at: Position) -> Option<Duration> {
    let lengths = goals.iter().filter_map(|goal| goal.budgeting);
    let lengths = lengths.map(|of| of.slicing().map_or(SLICE, |slicing| slicing.length));
    let mut lengths: Vec<Duration> = lengths.collect();
    lengths.dedup();
    match lengths.as_slice() {
        [length] => Some(*length),
        [] => None,
        _ => {
            let help = "give all of them the same `timeSliceWindow`";
            report.error_with(
                at,
                "the parts of a composite have slices of different lengths",
                help,
            );
            None
        }
    }
}

fn empty(goals: &[Goal]) -> crate::EmptySlice {
    let slicings = goals.iter().filter_map(|goal| goal.budgeting?.slicing());
    slicings
        .map(|slicing| slicing.empty)
        .next()
        .unwrap_or_default()
}

fn part(goal: &Goal) -> Option<CompositePart> {
    Some(CompositePart {
        indicator: with_bound(goal.sli.as_ref()?, goal)?,
        weight: goal.weight.unwrap_or(WEIGHT_UNITS),
        target: goal.target?,
    })
}

/// Its own target, or what follows from the targets of its parts: of weighted ones the mean, of the worst of
/// them the lowest.
fn target(
    report: Report<'_>,
    meta: &Meta,
    combine: Combine,
    parts: &[CompositePart],
    at: Position,
) -> Option<Ratio> {
    if let Some((text, at)) = meta.annotation("composite-target") {
        return match text.parse() {
            Ok(target) => Some(target),
            Err(why) => {
                let why: crate::NumberError = why;
                let message = format!("composite-target is {text}, {why}");
                report.error_with(at, message, "99.9 % is `0.999`");
                None
            }
        };
    }
    match combine {
        Combine::Weighted => mean(parts),
        Combine::Worst => parts
            .iter()
            .map(|part| part.target)
            .min_by(|a, b| lower(*a, *b)),
        Combine::All | Combine::Single | Combine::Rest => {
            let help = "say which share of time all parts must keep theirs: `sloburn.dev/composite-target: 0.99`";
            report.error_with(at, "a composite that is all-of has no target", help);
            None
        }
    }
}

fn lower(a: Ratio, b: Ratio) -> std::cmp::Ordering {
    let left = u128::from(a.numerator()) * u128::from(b.denominator());
    left.cmp(&(u128::from(b.numerator()) * u128::from(a.denominator())))
}

/// The mean of the targets by weight, rounded down to twelve places: targets have no more.
fn mean(parts: &[CompositePart]) -> Option<Ratio> {
    let scaled = |part: &CompositePart| {
        u128::from(part.target.numerator()) * u128::from(SCALE / part.target.denominator())
    };
    let weights: u128 = parts.iter().map(|part| u128::from(part.weight)).sum();
    let sum: u128 = parts
        .iter()
        .map(|part| u128::from(part.weight) * scaled(part))
        .sum();
    Ratio::new(u64::try_from(sum.checked_div(weights)?).ok()?, SCALE).ok()
}
