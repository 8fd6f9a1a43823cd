//! What decides whether a time slice is good, by the kind of the indicator.

use super::budgeting::slice_target;
use super::report::Fields;
use super::sli::Sli;
use crate::{Op, ReadAs, SliceTarget, Verdict};

/// The largest increase that a bound may name: beyond, doubles are no longer whole numbers.
const LARGEST: f64 = 9_007_199_254_740_992.0;

/// What is counted, as far as it decides what makes a time slice good.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Judged {
    /// It cannot be known, and that was told of.
    Unknown,
    /// Events: the share of good ones, held against the slice's target.
    Events,
    /// The same of ratios that were sent as such.
    Shares,
    /// Events: the share that a quantile is about.
    Quantile(SliceTarget),
    /// The increase of a total, held against the objective's bound; `None` if that is wrong.
    Increase(Option<(Op, f64)>),
}

impl Judged {
    pub(super) fn of(sli: Option<&Sli>, bound: Option<(Op, f64)>) -> Self {
        match sli {
            None => Self::Unknown,
            Some(Sli::Ratio { .. }) => Self::Events,
            Some(Sli::Raw { .. }) => Self::Shares,
            Some(Sli::Threshold { of, .. }) if of.read_as == ReadAs::Growth => {
                Self::Increase(bound)
            }
            Some(Sli::Threshold { quantile, .. }) => quantile.map_or(Self::Events, Self::Quantile),
        }
    }

    /// Tells of what has no meaning where no slice is good or bad as a whole.
    pub(super) fn check_without_verdict(self, fields: &Fields<'_>) {
        let (thing, help) = match self {
            Self::Quantile(quantile) => (
                "a `quantile`",
                format!(
                    "write `budgetingMethod: Timeslices`: a slice is good when {quantile} of its values \
                     hold. To promise it of all events, remove `quantile` and write `target: {quantile}`"
                ),
            ),
            Self::Increase(_) => (
                "`value: increase`",
                "write `budgetingMethod: Timeslices`: a slice is good when the increase in it holds"
                    .to_owned(),
            ),
            Self::Unknown | Self::Events | Self::Shares => return,
        };
        let message = format!("{} has {thing}, which needs time slices", fields.what);
        fields.report.error_with(fields.at, message, help);
    }

    /// Reads what makes a slice good.
    pub(super) fn verdict(self, fields: &Fields<'_>) -> Option<Verdict> {
        match self {
            Self::Events | Self::Shares => slice_target(fields).map(Verdict::Target),
            Self::Unknown if fields.has("timeSliceTarget") => {
                slice_target(fields).map(Verdict::Target)
            }
            Self::Unknown => None,
            Self::Quantile(quantile) => {
                Self::check_target(fields, quantile, "the `quantile` says it")?;
                Some(Verdict::Target(quantile))
            }
            Self::Increase(bound) => {
                let whole: SliceTarget = "1".parse().ok()?;
                Self::check_target(fields, whole, "an increase is good or bad as a whole")?;
                let (op, value) = bound?;
                increase(fields, op, value)
            }
        }
    }

    /// A `timeSliceTarget` may be there if it says the same.
    fn check_target(fields: &Fields<'_>, same: SliceTarget, why: &str) -> Option<()> {
        if !fields.has("timeSliceTarget") {
            return Some(());
        }
        let target = slice_target(fields)?;
        if target != same {
            let message = format!("`timeSliceTarget` is {target}, but {why}");
            let help = format!("remove it, or write {same}");
            fields
                .report
                .error_with(fields.place("timeSliceTarget"), message, help);
            return None;
        }
        Some(())
    }
}

/// An increase is a whole number, and so is what it is held against.
fn increase(fields: &Fields<'_>, op: Op, value: f64) -> Option<Verdict> {
    let report = fields.report;
    let never_below = |what: &str| {
        let message = format!("an increase is never below 0, so that {what}");
        let help = "no increase at all is `op: lte, value: 0`; at least one is `op: gte, value: 1`";
        report.error_with(fields.place("value"), message, help);
    };
    if value > LARGEST {
        let message = format!("`value` is {value}; an increase is held against at most 2^53");
        report.error(fields.place("value"), message);
        return None;
    }
    match op {
        Op::Lte if value >= 0.0 => Some(Verdict::AtMost(whole(value.floor()))),
        Op::Lt if value > 0.0 => Some(Verdict::AtMost(whole(value.ceil() - 1.0))),
        Op::Gte if value > 0.0 => Some(Verdict::AtLeast(whole(value.ceil()))),
        Op::Gt if value >= 0.0 => Some(Verdict::AtLeast(whole(value.floor() + 1.0))),
        Op::Lte | Op::Lt => {
            never_below("no slice would be good");
            None
        }
        Op::Gte | Op::Gt => {
            never_below("every slice would be good");
            None
        }
    }
}

fn whole(value: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole, not negative and at most 2^53"
    )]
    let whole = value as u64;
    whole
}
