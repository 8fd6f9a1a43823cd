//! A page in words: impact before mechanism.

use std::sync::Arc;
use std::time::Duration;

use slo_specs::{
    Burn, BurnRate, BurnSeen, Condition, Correction, Exhaustion, Indicator, Op, ReadAs, Seen,
    Tally, window_words,
};

use super::notice::{NoticeInput, empty_at};
use super::text;
use crate::judge::Cause;
use crate::replay::uncorrected_left;

/// Fits a lock screen.
const TITLE_CHARS: usize = 80;

/// Who suffers and how much, in at most 80 characters.
pub(super) fn title(input: &NoticeInput<'_>) -> String {
    let cause = input.event.cause.as_ref();
    let promise = cause.map_or(&input.key.objective, |cause| &cause.objective.title);
    let said = match cause.and_then(impact) {
        _ if !input.event.fired() => format!("Resolved: {promise}"),
        _ if input.event.late => format!("Seen late, missed earlier: {promise}"),
        Some(impact) => impact,
        None => format!("Missed: {promise}"),
    };
    text::shorten(&said, TITLE_CHARS)
}

/// What the leading condition means for people.
fn impact(cause: &Cause) -> Option<String> {
    let promise = &cause.objective.title;
    if let Some(note) = &cause.rule.note {
        return Some(format!("Now {note}: {promise}"));
    }
    let (_, reading) = cause.reading.leading(&cause.rule.condition);
    match &reading.seen {
        Seen::Burn(seen) => failing(cause, seen.short),
        Seen::BudgetLeft { left, .. } => left.map(|left| {
            let left = text::budget_percent(left);
            format!("{left} of the error budget left: {promise}")
        }),
        Seen::BudgetDrop { spent, .. } => spent.map(|spent| {
            let spent = text::percent(spent);
            format!("{spent} of the error budget is gone: {promise}")
        }),
        Seen::TimeToEmpty { outlook, .. } => match outlook {
            Exhaustion::In(time) => {
                let time = text::span(*time);
                Some(format!("Error budget empty in {time}: {promise}"))
            }
            _ => Some(format!("Error budget empty: {promise}")),
        },
        Seen::NoData { silent } => silent.map(|silent| {
            let silent = text::span(silent);
            format!("No data for {silent}: {promise}")
        }),
        Seen::All(_) | Seen::Any(_) => None,
    }
}

fn failing(cause: &Cause, tally: Tally) -> Option<String> {
    let fails = match &cause.objective.indicator {
        Indicator::Ratio { .. } | Indicator::Composite(_) => "fails",
        Indicator::Threshold { of, op, .. } => match (of.read_as, op) {
            (ReadAs::AsSent, Op::Lt | Op::Lte) if of.is_of_durations() => "is too slow",
            (ReadAs::Age, Op::Lt | Op::Lte) => "is out of date",
            (ReadAs::Share, _) => "fails",
            _ => "is out of bounds",
        },
    };
    let noun = cause.objective.noun();
    let share = text::share_of(tally, noun)?;
    let of = if noun.is_time() { "in" } else { "for" };
    Some(format!("{} {fails} {of} {share}", cause.objective.service))
}

/// The numbers, in a few sentences.
pub(super) fn text(input: &NoticeInput<'_>) -> String {
    let mut sentences = Vec::new();
    match &input.event.cause {
        Some(cause) => sentences.extend(readings(input, cause)),
        None => sentences.push(format!("{}.", input.event.transition.reason)),
    }
    if let Some(resolved) = input.resolved() {
        let fired = input.event.fired_at;
        let lasted = Duration::try_from(resolved.duration_since(fired)).unwrap_or_default();
        let at = text::clock_time(fired, resolved);
        sentences.push(format!("Fired at {at}, lasted {}.", text::span(lasted)));
    }
    if let Some(cause) = &input.event.cause {
        sentences.push(outlook(cause));
        sentences.extend(corrected(cause));
    }
    sentences.join(" ")
}

/// What the rule saw: of two windows the counts and the rates, of anything else its own words; and of what is over, why.
fn readings(input: &NoticeInput<'_>, cause: &Cause) -> Vec<String> {
    let Cause { rule, reading, .. } = cause;
    let fired = input.event.fired();
    let mut sentences = Vec::new();
    if let (Condition::Burn(burn), Seen::Burn(seen)) = (&rule.condition, &reading.seen) {
        sentences.extend(burned(cause, burn, seen));
    } else if !fired {
        let reason = text::capitalised(&input.event.transition.reason);
        sentences.push(format!("{reason}."));
    } else {
        let said = reading.says(&rule.condition);
        sentences.push(format!("{}.", text::capitalised(&said)));
        if let Condition::All(_) | Condition::Any(_) = rule.condition {
            sentences.push(format!("Fires when {}.", rule.condition.when()));
        }
    }
    if let Some(note) = rule.note.as_ref().filter(|_| fired) {
        sentences.push(format!("What the error budget policy says now: {note}."));
    }
    sentences
}

fn burned(cause: &Cause, rule: &Burn, seen: &BurnSeen) -> Vec<String> {
    let (long, short) = (window_words(rule.long), window_words(rule.short));
    let counted = cause.objective.noun();
    let amount = |count: u64| cause.objective.budgeting.amount(count);
    let burn = |burn: Option<BurnRate>| burn.map_or("unknown".to_owned(), |burn| burn.to_string());
    let mut sentences = vec![
        format!(
            "{} of {} {counted} were bad in {short}, {} of {} in {long}.",
            amount(seen.short.bad),
            amount(seen.short.total),
            amount(seen.long.bad),
            amount(seen.long.total),
        ),
        format!(
            "Burn rate {} and {}, threshold {}.",
            burn(seen.short_burn),
            burn(seen.long_burn),
            rule.threshold,
        ),
    ];
    if let Some(sure) = rule.says_how_sure(seen) {
        sentences.push(format!("{}.", text::capitalised(&sure)));
    }
    sentences
}

fn outlook(cause: &Cause) -> String {
    let evaluation = &cause.evaluation;
    let Some(left) = evaluation.budget.remaining() else {
        return "No events in the window of the objective.".to_owned();
    };
    let period = cause
        .objective
        .window
        .period_words(evaluation.at.as_second());
    let period = period.map_or_else(String::new, |words| format!(" of the period {words}"));
    let left = format!(
        "{} of the error budget left{period}",
        text::budget_percent(left)
    );
    match (evaluation.exhaustion, empty_at(evaluation)) {
        (Exhaustion::In(time), Some(at)) => format!(
            "{left}, at this rate empty at {} (in {}).",
            text::clock_time(at, evaluation.at),
            text::span(time),
        ),
        _ => format!("{left}."),
    }
}

/// What is left out of the window, and what would be left with it.
fn corrected(cause: &Cause) -> Option<String> {
    let left = uncorrected_left(&cause.objective, &cause.evaluation)?;
    let now_s = cause.evaluation.at.as_second();
    let from_s = cause.objective.window.from(now_s);
    let in_window = |correction: &&Arc<Correction>| !correction.spans(from_s, now_s).is_empty();
    let corrections = cause.objective.corrections.iter().filter(in_window);
    let titles: Vec<&str> = corrections.map(|one| one.title.as_str()).collect();
    (!titles.is_empty()).then(|| {
        format!(
            "Left out: {}; with it {} left.",
            titles.join(", "),
            text::budget_percent(left)
        )
    })
}

#[cfg(test)]
mod tests {
    use slo_specs::{Selector, Signal};

    use super::*;
    use crate::page::testing::{fired, notice, removed, resolved, selector};

    #[test]
    fn a_fire_says_who_suffers_how_much_and_until_when() {
        let notice = fired();
        assert_eq!(notice.title, "checkout fails for 1 in 4 requests");
        assert_eq!(
            notice.text,
            "100 of 400 requests were bad in 5 min, 120 of 4000 in 1 h. \
             Burn rate 250.0 and 30.0, threshold 14.4. \
             41% of the error budget left, at this rate empty at 08:14 UTC (in 5 h 20 min)."
        );
    }

    #[test]
    fn a_resolve_says_how_long_it_lasted() {
        let notice = resolved();
        assert_eq!(notice.title, "Resolved: Checkout requests succeed");
        let lasted = "Fired at 02:54 UTC, lasted 23 min.";
        assert!(notice.text.contains(lasted), "{}", notice.text);
        let removed = removed();
        assert_eq!(removed.title, "Resolved: checkout-availability");
        assert_eq!(removed.text, format!("the objective was removed. {lasted}"));
    }

    #[test]
    fn a_title_fits_a_lock_screen() {
        let long = notice(|objective, _| objective.service = "ö".repeat(300));
        assert_eq!(long.title.chars().count(), TITLE_CHARS);
    }

    #[test]
    fn a_title_says_what_kind_of_trouble_it_is() {
        let slow = notice(|objective, _| {
            objective.indicator = Indicator::Threshold {
                of: selector(Signal::Traces),
                op: Op::Lte,
                bound: 300.0,
            };
        });
        assert_eq!(slow.title, "checkout is too slow for 1 in 4 requests");
        let low = notice(|objective, _| {
            objective.indicator = Indicator::Threshold {
                of: selector(Signal::Metrics),
                op: Op::Gt,
                bound: 1.0,
            };
        });
        assert_eq!(low.title, "checkout is out of bounds for 1 in 4 values");
        for (read_as, op, title) in [
            (
                ReadAs::Growth,
                Op::Lte,
                "checkout is out of bounds for 1 in 4 values",
            ),
            (
                ReadAs::Age,
                Op::Lte,
                "checkout is out of date for 1 in 4 values",
            ),
            (ReadAs::Share, Op::Gt, "checkout fails for 1 in 4 points"),
        ] {
            let of = Selector {
                read_as,
                ..selector(Signal::Metrics)
            };
            let indicator = Indicator::Threshold { of, op, bound: 0.0 };
            let read = notice(|objective, _| objective.indicator = indicator.clone());
            assert_eq!(read.title, title);
        }
        let late = notice(|_, event| event.late = true);
        assert_eq!(
            late.title,
            "Seen late, missed earlier: Checkout requests succeed"
        );
    }
}
