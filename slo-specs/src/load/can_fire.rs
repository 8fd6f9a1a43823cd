//! Rules that can never fire. They would be silent for ever, and nobody would know.

use super::condition::{Frame, UNDER_WAY};
use super::report::Report;
use super::yaml::Position;
use crate::window::window_words;
use crate::{BurnRate, Condition, EmptySlice, Ratio, Rule};

/// What a rule guards.
#[derive(Clone, Copy, Debug)]
pub(super) struct Promise<'a> {
    /// Id of the objective.
    pub(super) id: &'a str,
    pub(super) target: Ratio,
    pub(super) frame: Frame,
}

/// Why a condition never holds.
struct Never {
    why: String,
    /// Whatever the traffic; else only while it is even.
    certain: bool,
}

/// Tells of a rule that can never fire, or of a part of one. An author who attached it expects
/// otherwise; of the default policy the slower rules still guard a low target.
pub(super) fn check(
    report: Report<'_>,
    at: Position,
    rule: &Rule,
    promise: &Promise<'_>,
    asked_for: bool,
) {
    let of = format!("rule `{}` of objective `{}`", rule.name, promise.id);
    let mut problems = Vec::new();
    if let Some(Never { why, certain }) = never(&rule.condition, promise) {
        problems.push((format!("{of} can never fire: {why}"), certain));
    } else {
        idle(
            &rule.condition,
            promise,
            &mut |part, Never { why, certain }| {
                let when = part.when();
                let message = format!("{of} has a part that never holds, `{when}`: {why}");
                problems.push((message, certain));
            },
        );
    }
    too_soon(report, at, rule, promise);
    let help = match rule.burn() {
        Some(_) => "attach a policy with a lower burn rate or budget share, or raise the target",
        None => "lower what it asks for, or remove it",
    };
    for (message, certain) in problems {
        if asked_for && certain {
            report.error_with(at, message, help);
        } else {
            report.warn(at, message, help);
        }
    }
}

/// Tells of silence that is no longer than the time between two slices: it would be told again and again.
fn too_soon(report: Report<'_>, at: Position, rule: &Rule, promise: &Promise<'_>) {
    let slicing = promise.frame.budgeting.slicing();
    let Some((slicing, known)) = slicing.zip(promise.frame.next_known()) else {
        return;
    };
    let silences = rule.condition.leaves().into_iter();
    let silences = silences.filter_map(|leaf| match leaf {
        Condition::NoData { lasting } if slicing.empty == EmptySlice::Unmeasured => Some(*lasting),
        _ => None,
    });
    for lasting in silences.filter(|lasting| *lasting < known) {
        let message = format!(
            "rule `{}` of objective `{}` would take the time between two slices for silence: it waits {}, and \
             slices of {} are known up to {} after their end",
            rule.name,
            promise.id,
            window_words(lasting),
            window_words(slicing.length),
            window_words(UNDER_WAY),
        );
        let minutes = known.as_secs().div_ceil(60);
        report.error_with(at, message, format!("wait `{minutes}m` at least"));
    }
}

/// Why a condition can never hold, if so.
fn never(condition: &Condition, promise: &Promise<'_>) -> Option<Never> {
    let certainly = |why| Never { why, certain: true };
    let target = promise.target;
    match condition {
        Condition::Burn(burn) => {
            let ceiling = BurnRate::ceiling(target);
            (!burn.is_over(ceiling)).then(|| {
                let threshold = burn.threshold;
                certainly(format!(
                    "its threshold is {threshold}, and with target {target} nothing burns faster \
                     than {ceiling}"
                ))
            })
        }
        Condition::BudgetDrop { share, within, .. } => {
            // Of the budget (1 − T) · W, total failure spends w.
            let budget = target.complement();
            let most = BurnRate::fraction(
                u128::from(within.as_secs()) * u128::from(budget.denominator()),
                u128::from(promise.frame.window.as_secs()) * u128::from(budget.numerator()),
            );
            (most <= BurnRate::new(share.numerator(), share.denominator())).then(|| {
                let within = window_words(*within);
                Never {
                    why: format!(
                        "at even traffic not even total failure spends more than {share} of the \
                         budget within {within}"
                    ),
                    certain: false,
                }
            })
        }
        Condition::All(parts) => parts
            .iter()
            .find_map(|part| never(part, promise))
            .or_else(|| contradiction(parts).map(certainly)),
        Condition::Any(parts) => {
            let all: Option<Vec<Never>> = parts.iter().map(|part| never(part, promise)).collect();
            all.map(|all| Never {
                certain: all.iter().all(|one| one.certain),
                why: all
                    .into_iter()
                    .map(|one| one.why)
                    .collect::<Vec<_>>()
                    .join("; "),
            })
        }
        Condition::NoData { .. } => {
            let empty = promise.frame.budgeting.slicing()?.empty;
            let counts = match empty {
                EmptySlice::Unmeasured => return None,
                EmptySlice::Bad | EmptySlice::Good => empty.name(),
            };
            let why = format!("time without data counts as {counts}, so there always is some");
            Some(certainly(why))
        }
        Condition::BudgetLeft { .. } | Condition::TimeToEmpty { .. } => None,
    }
}

/// No data, and something that only data can show, at once.
fn contradiction(parts: &[Condition]) -> Option<String> {
    let silence = parts.iter().find_map(|part| match part {
        Condition::NoData { lasting } => Some(*lasting),
        _ => None,
    })?;
    let needs = parts.iter().find(|part| match part {
        Condition::Burn(burn) => burn.short <= silence,
        Condition::TimeToEmpty { look_back, .. } => *look_back <= silence,
        Condition::BudgetDrop { within, .. } => *within <= silence,
        _ => false,
    })?;
    Some(format!(
        "without data for {} it is not known whether {}",
        window_words(silence),
        needs.when()
    ))
}

/// Parts of an `any` that never hold while others do.
fn idle(condition: &Condition, promise: &Promise<'_>, tell: &mut dyn FnMut(&Condition, Never)) {
    match condition {
        Condition::Any(parts) => {
            for part in parts {
                match never(part, promise) {
                    Some(why) => tell(part, why),
                    None => idle(part, promise, tell),
                }
            }
        }
        Condition::All(parts) => parts.iter().for_each(|part| idle(part, promise, tell)),
        _ => {}
    }
}
