//! `objectives` of an SLO: targets and bounds.

use super::alerting::has_key;
use super::budgeting::Method;
use super::judged::Judged;
use super::library::Library;
use super::meta::Meta;
use super::report::{Fields, Known, Report};
use super::sli::Sli;
use super::slo::indicator;
use super::yaml::{Node, Position, Value};
use crate::decimal::decimal;
use crate::indicator::WEIGHT_UNITS;
use crate::{Budgeting, NumberError, Op, Ratio, Signal};

const OBJECTIVE: Known = Known {
    fields: &[
        "displayName",
        "op",
        "value",
        "target",
        "targetPercent",
        "timeSliceTarget",
        "timeSliceWindow",
        "indicator",
        "indicatorRef",
        "compositeWeight",
    ],
};

/// Most objectives of one SLO.
const MAX_OBJECTIVES: usize = 100;
/// Largest weight of a composite's part: a million.
const HEAVIEST: u64 = 1_000_000 * WEIGHT_UNITS;

/// The indicator of an SLO as a whole.
enum Shared {
    Is(Box<Sli>),
    /// It is wrong, and told of.
    Wrong,
    /// Its objectives have indicators of their own.
    None,
}

impl Shared {
    /// Reads it, unless it is the objectives that have indicators.
    fn read(fields: &Fields<'_>, items: &[Node], library: &Library) -> Self {
        let own = |item: &Node| has_key(item, "indicator") || has_key(item, "indicatorRef");
        let has = fields.has("indicator") || fields.has("indicatorRef");
        if items.iter().any(own) && !has {
            return Self::None;
        }
        let sli = indicator(fields, library);
        sli.map_or(Self::Wrong, |sli| Self::Is(Box::new(sli)))
    }
}

/// One of an SLO's objectives.
#[derive(Clone, Debug)]
pub(super) struct Goal {
    pub(super) id: String,
    pub(super) title: Option<String>,
    /// Its own indicator, or else the SLO's; `None` when it is wrong, and told of.
    pub(super) sli: Option<Sli>,
    /// Whether the indicator is its own.
    pub(super) own_indicator: bool,
    /// How much it weighs in the SLO's composite, if it says so.
    pub(super) weight: Option<u64>,
    /// `None` when it is wrong, and told of.
    pub(super) target: Option<Ratio>,
    /// Of a threshold.
    pub(super) bound: Option<(Op, f64)>,
    /// `None` when it is wrong, and told of.
    pub(super) budgeting: Option<Budgeting>,
    pub(super) at: Position,
    pub(super) one_of_several: bool,
}

/// Reads `objectives`. A single one is named as the SLO, several as `slo.slug`, where the slug is
/// of the display name, or else of the target: not of the place in the list, so that history stays
/// with its objective when the list is sorted otherwise.
pub(super) fn goals(fields: &Fields<'_>, meta: &Meta, library: &Library) -> Vec<Goal> {
    let report = fields.report;
    let method = Method::read(fields, meta);
    let help = "write `objectives: [{ target: 0.999 }]`";
    let node = fields.require("objectives", help);
    let items = node.map_or(Some(&[][..]), |node| {
        report.list_of_at_most(node, "objectives", MAX_OBJECTIVES)
    });
    let Some(items) = items else {
        return Vec::new();
    };
    if let Some(node) =
        node.filter(|node| matches!(&node.value, Value::List(items) if items.is_empty()))
    {
        report.error_with(node.at, "`objectives` is empty", help);
    }
    let several = items.len() > 1;
    let shared = Shared::read(fields, items, library);
    let mut goals: Vec<Goal> = items
        .iter()
        .filter_map(|item| goal(report, item, meta, (&shared, library), method, several))
        .collect();
    goals.sort_by(|a, b| a.id.cmp(&b.id));
    for pair in goals.windows(2) {
        if let [first, second] = pair
            && first.id == second.id
            && second.target.is_some()
        {
            let message = format!("two objectives are named `{}`", first.id);
            let help = "give each its own displayName";
            report.error_with(second.at, message, help);
        }
    }
    goals
}

fn goal(
    report: Report<'_>,
    node: &Node,
    meta: &Meta,
    (shared, library): (&Shared, &Library),
    method: Option<Method>,
    several: bool,
) -> Option<Goal> {
    let what = format!("objective of SLO `{}`", meta.name);
    let fields = Fields::of(report, node, &what, OBJECTIVE)?;
    let title = fields.text("displayName");
    let target = target(&fields, meta);
    let (sli, own_indicator) = own_or(&fields, shared, library);
    let sli = sli.as_ref();
    let weight = fields.get("compositeWeight");
    let weight = weight.and_then(|node| weight_of(report, node));
    let bound = bound(&fields, sli);
    let budgeting = method.and_then(|method| method.of_objective(&fields, Judged::of(sli, bound)));
    let id = if several {
        let slug = title.as_deref().map(slug).filter(|slug| !slug.is_empty());
        let slug = slug.unwrap_or_else(|| plain_slug(target, bound));
        format!("{}.{slug}", meta.name)
    } else {
        meta.name.clone()
    };
    Some(Goal {
        id,
        title,
        sli: sli.cloned(),
        own_indicator,
        weight,
        target,
        bound,
        budgeting,
        at: node.at,
        one_of_several: several,
    })
}

/// The objective's indicator, and whether it is its own.
fn own_or(fields: &Fields<'_>, shared: &Shared, library: &Library) -> (Option<Sli>, bool) {
    let name = if fields.has("indicator") {
        "indicator"
    } else {
        "indicatorRef"
    };
    match shared {
        Shared::None => (indicator(fields, library), true),
        Shared::Is(_) | Shared::Wrong if fields.has(name) => {
            let message = format!("{} has an `{name}` beside that of its SLO", fields.what);
            let help = "keep one of them: an SLO's indicator is for all its objectives";
            fields.report.error_with(fields.place(name), message, help);
            (None, true)
        }
        Shared::Is(sli) => (Some((**sli).clone()), false),
        Shared::Wrong => (None, false),
    }
}

/// A weight in millionths.
fn weight_of(report: Report<'_>, node: &Node) -> Option<u64> {
    let text = report.text(node, "compositeWeight")?;
    let weight = decimal(&text).ok().and_then(|(digits, scale)| {
        let scaled = digits.checked_mul(WEIGHT_UNITS)?;
        (scaled % scale == 0).then_some(scaled / scale)
    });
    let weight = weight.filter(|weight| (1..=HEAVIEST).contains(weight));
    if weight.is_none() {
        let message = format!("`compositeWeight` is {text}");
        let help =
            "a weight is above 0, at most a million, and has at most six digits after the point";
        report.error_with(node.at, message, help);
    }
    weight
}

fn target(fields: &Fields<'_>, meta: &Meta) -> Option<Ratio> {
    let report = fields.report;
    let (name, node) = match (fields.get("target"), fields.get("targetPercent")) {
        (Some(node), None) => ("target", node),
        (None, Some(node)) => ("targetPercent", node),
        (Some(_), Some(_)) => {
            let message = format!("{} has both `target` and `targetPercent`", fields.what);
            report.error_with(fields.place("targetPercent"), message, "keep one of them");
            return None;
        }
        (None, None) => {
            fields.require("target", "write `target: 0.999`");
            return None;
        }
    };
    let text = report.text(node, name)?;
    let parsed = if name == "target" {
        text.parse()
    } else {
        Ratio::from_percent(&text)
    };
    let why: NumberError = match parsed {
        Ok(target) => return Some(target),
        Err(why) => why,
    };
    let whole = if name == "target" { "1" } else { "100" };
    let below_zero = text.starts_with('-') || matches!(text.parse(), Ok(0.0_f64));
    let rule = match why {
        _ if below_zero => "must be above 0".to_owned(),
        NumberError::OutOfRange | NumberError::TooLarge => format!("must be below {whole}"),
        NumberError::NotDecimal | NumberError::TooPrecise => format!("is a plain decimal: {why}"),
    };
    let message = format!(
        "objective `{}` has {name} {text}; a {name} {rule}",
        meta.name
    );
    let help = "99.9 % is `target: 0.999` or `targetPercent: 99.9`";
    report.error_with(node.at, message, help);
    None
}

/// `op` and `value`, which a threshold needs and a ratio must not have.
fn bound(fields: &Fields<'_>, sli: Option<&Sli>) -> Option<(Op, f64)> {
    let report = fields.report;
    match sli {
        None => None,
        Some(Sli::Ratio { .. } | Sli::Raw { .. }) => {
            if fields.has("op") {
                let help = "remove it: a ratio's good and bad events are told apart by its indicator; \
                            `--strict` refuses it";
                let message = "`op` belongs to a `thresholdMetric`; it says nothing about a ratio";
                report.warn(fields.place("op"), message, help);
            }
            if fields.has("value") {
                let message = "`value` belongs to a `thresholdMetric`";
                let help = "a ratio's good and bad events are told apart by its indicator";
                report.error_with(fields.place("value"), message, help);
            }
            None
        }
        Some(Sli::Threshold { of, .. }) => {
            let op = fields.require("op", "write `op: lte`: values up to `value` are good");
            let op = op.and_then(|node| report.word(node, "op", &["lt", "lte", "gt", "gte"]));
            let value = fields.require("value", "write the bound, such as `value: 250`");
            let value = value.and_then(|node| {
                let value = report.number(node, "value")?;
                if of.signal == Signal::Traces && value <= 0.0 {
                    report.error(
                        node.at,
                        format!("`value` is {value}; a duration is above 0 ms"),
                    );
                }
                Some(value)
            });
            let op = match op?.as_str() {
                "lt" => Op::Lt,
                "lte" => Op::Lte,
                "gt" => Op::Gt,
                _ => Op::Gte,
            };
            Some((op, value?))
        }
    }
}

fn plain_slug(target: Option<Ratio>, bound: Option<(Op, f64)>) -> String {
    let target = target.map_or_else(String::new, |target| target.to_string());
    match bound {
        Some((op, value)) => slug(&format!("{target}-{}-{value}", op.name())),
        None => slug(&target),
    }
}

/// Lower-case letters, digits and single hyphens.
fn slug(text: &str) -> String {
    let words = text.to_lowercase();
    let words: Vec<&str> = words
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    words.join("-")
}
