//! `sloburn explain`: the counts behind one objective's numbers at one tick, and every step from them to the
//! result, so that anyone can recompute it.

mod command;
mod result;
mod series;
mod stored;
mod text;

use jiff::Timestamp;
use slo_specs::{
    Burn, BurnRate, BurnSeen, Evaluation, Objective, Reading, Tally, evaluate, far_edge,
    window_name,
};

pub use self::command::main;
pub(crate) use self::command::{moment, named};
pub(crate) use self::result::Explanation;
use self::result::{Budget, Correction, Counts, Rule, Share, Slices, Window};
pub(crate) use self::stored::explain_stored;
use crate::live::Live;
use crate::plan::instant;
use crate::replay::allowances;
use crate::web::describe;

/// Everything that can be said from the counts of an objective; series are told apart elsewhere. None if the objective's history is
/// not counted.
fn explain(objective: &Objective, live: &Live, at: Timestamp) -> Option<Explanation> {
    let evaluation = evaluate(objective, live.account(objective)?, at);
    let uncorrected = live.uncorrected(objective, at.as_second());
    let budget = objective.target.complement();
    let share = |ratio: slo_specs::Ratio| Share {
        value: ratio.as_f64(),
        numerator: ratio.numerator(),
        denominator: ratio.denominator(),
    };
    let window = window(objective, &evaluation);
    Some(Explanation {
        slo: objective.id.clone(),
        title: objective.title.clone(),
        service: objective.service.clone(),
        at,
        indicator: describe::words(&objective.indicator),
        budgeting: objective.budgeting.name().to_owned(),
        units: objective.budgeting.units(),
        target: share(objective.target),
        allowed_share: share(budget),
        counts: evaluation.window.into(),
        uncorrected: uncorrected.map(Counts::from),
        budget: budget_of(objective, &evaluation),
        slices: slices(objective, &evaluation, &window),
        corrections: corrections(objective, &window),
        error_budget_policy: allowances(objective, &evaluation.budget),
        rules: rules(objective, &evaluation),
        measured_since: evaluation.measured_since,
        last_event: evaluation.last_event,
        window,
        series: Vec::new(),
        rest: None,
        series_sum: None,
        incomplete: Vec::new(),
        notes: Vec::new(),
    })
}

fn window(objective: &Objective, evaluation: &Evaluation) -> Window {
    let now = evaluation.at.as_second();
    Window {
        name: objective.window.name(),
        from: instant(objective.window.from(now)),
        counted_from: instant(far_edge(now, objective.window.look_back(now))),
        to: evaluation.at,
    }
}

fn budget_of(objective: &Objective, evaluation: &Evaluation) -> Budget {
    let (budget, counts) = (&evaluation.budget, evaluation.window);
    let share = objective.target.complement();
    let working = budget.remaining().map(|left| {
        format!(
            "1 − {} ÷ ({} · {}) = 1 − {} ÷ {} = {left}",
            counts.bad,
            share,
            counts.total,
            counts.bad,
            budget.allowed_events()
        )
    });
    Budget {
        formula: "1 − bad ÷ ((1 − target) · total)".to_owned(),
        working,
        allowed: budget.allowed_events(),
        spent: counts.bad,
        left: budget.remaining_events(),
        remaining: budget.remaining(),
    }
}

fn slices(objective: &Objective, evaluation: &Evaluation, window: &Window) -> Option<Slices> {
    let slicing = objective.budgeting.slicing()?;
    let length_s = i64::try_from(slicing.length.as_secs())
        .unwrap_or(i64::MAX)
        .max(1);
    let (from, to) = (window.counted_from.as_second(), window.to.as_second());
    let all = to.div_euclid(length_s) - from.div_euclid(length_s);
    let all = u64::try_from(all).unwrap_or_default();
    let units = objective.budgeting.units();
    let measured = evaluation.window.total / units;
    Some(Slices {
        length: window_name(slicing.length),
        measured,
        unmeasured: all.saturating_sub(measured),
        without_events: slicing.empty.name().to_owned(),
    })
}

fn corrections(objective: &Objective, window: &Window) -> Vec<Correction> {
    let (from, to) = (window.counted_from.as_second(), window.to.as_second());
    let told = |correction: &std::sync::Arc<slo_specs::Correction>| Correction {
        name: correction.name.clone(),
        reason: correction.reason.clone(),
        author: correction.author.clone(),
        excluded: slo_specs::excluded(std::slice::from_ref(correction), from, to)
            .into_iter()
            .map(|(from, to)| (instant(from), instant(to)))
            .collect(),
    };
    let told = objective.corrections.iter().map(told);
    told.filter(|correction| !correction.excluded.is_empty())
        .collect()
}

fn rules(objective: &Objective, evaluation: &Evaluation) -> Vec<Rule> {
    let rules = objective.rules.iter().zip(&evaluation.readings);
    let told = |(rule, reading): (&slo_specs::Rule, &Reading)| {
        let burn = rule.burn().zip(reading.burn());
        let in_words = burn.is_none_or(|(burn, _)| burn.confidence.is_some());
        Rule {
            name: rule.name.clone(),
            severity: rule.severity.name().to_owned(),
            threshold: burn.map(|(burn, _)| burn.threshold.as_f64()),
            threshold_from: burn.map(|(burn, _)| threshold_words(objective, burn)),
            minimum_bad: burn.map(|(burn, _)| burn.minimum_bad),
            when: in_words.then(|| rule.condition.when()),
            sees: in_words.then(|| reading.says(&rule.condition)),
            hold: (!rule.hold.is_zero()).then(|| window_name(rule.hold)),
            windows: burn.map_or_else(Vec::new, |(burn, seen)| {
                burn_windows(evaluation.at, burn, seen, objective)
            }),
            breached: reading.breached,
        }
    };
    rules.map(told).collect()
}

fn burn_windows(
    at: Timestamp,
    burn: &Burn,
    seen: &BurnSeen,
    objective: &Objective,
) -> Vec<result::BurnWindow> {
    let long = (seen.long, seen.long_burn, seen.long_over);
    let short = (seen.short, seen.short_burn, seen.short_over);
    [(burn.long, long), (burn.short, short)]
        .map(|(length, figures)| burn_window(at, burn, length, figures, objective))
        .into()
}

fn burn_window(
    at: Timestamp,
    rule: &Burn,
    length: std::time::Duration,
    (tally, burn, over): (Tally, Option<BurnRate>, bool),
    objective: &Objective,
) -> result::BurnWindow {
    let share = objective.target.complement();
    let working = burn.map(|burn| {
        let sign = if over { ">" } else { "≤" };
        format!(
            "{} ÷ {} ÷ {share} = {} {sign} {}",
            tally.bad,
            tally.total,
            burn.as_f64(),
            rule.threshold.as_f64()
        )
    });
    result::BurnWindow {
        name: window_name(length),
        from: instant(far_edge(at.as_second(), length)),
        to: at,
        counts: tally.into(),
        burn: burn.map(BurnRate::as_f64),
        working,
        over,
    }
}

/// `14.4 = 2 % of the window's budget · 30d ÷ 1h`
fn threshold_words(objective: &Objective, rule: &Burn) -> String {
    let window = objective.window.nominal();
    let threshold = rule.threshold.as_f64();
    let share = threshold * rule.long.as_secs_f64() / window.as_secs_f64();
    let percent = (share * 1e6).round() / 1e4;
    let floor = if rule.threshold == BurnRate::ONE {
        ", as none is below 1"
    } else {
        ""
    };
    format!(
        "{threshold} = {percent} % of the window's budget · {} ÷ {}{floor}",
        window_name(window),
        window_name(rule.long)
    )
}
