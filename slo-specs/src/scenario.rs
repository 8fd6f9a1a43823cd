//! Scenarios: scripted traffic, and what must come of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use crate::{
    AlertState, Catalog, Change, Counted, Derived, Evaluation, Objective, SourceFile, Tally,
    Timeline, evaluate, judge_again, load,
};

/// When scenarios begin: 2024-01-01T00:00:00Z, in Unix seconds.
const BEGIN_S: i64 = 1_704_067_200;
const TICK_S: i64 = 10;
/// Longest scenario.
const MAX_TICKS: i64 = 100_000;
/// How near a number must be.
const TOLERANCE: f64 = 1e-9;

/// Why a scenario cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file is not a scenario: see the position in the message.
    #[error("scenario is not written as one: {0}")]
    Malformed(String),
    /// Its specs have problems: `sloburn check` them.
    #[error("specs of the scenario have problems: {0}")]
    Specs(String),
    /// It asks for an objective that its specs do not have.
    #[error("specs of the scenario have no objective `{0}`")]
    Objective(String),
    /// A time is not hours, minutes and seconds such as `1h 2m 30s`, or is beyond 11 days.
    #[error("`{0}` is not a time within 11 days, such as `1h 2m 30s`")]
    Time(String),
}

/// Traffic of one objective from a quiet start, and what must come of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Scenario {
    /// What it shows.
    pub description: String,
    /// Spec documents, as in a file of their own; nothing if the objective is one of the catalog at hand.
    specs: Option<String>,
    /// Id of the objective it is about.
    objective: String,
    /// When it ends.
    until: String,
    traffic: Vec<Traffic>,
    #[serde(default)]
    expect: Vec<Expectation>,
    /// Every alert that fires, in order.
    alerts: Vec<Alert>,
}

/// Events at an even rate.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Traffic {
    /// End of the time before the first slice.
    from: String,
    /// End of the last slice.
    to: String,
    /// Events of each 10 seconds.
    total: u64,
    /// Bad ones among them.
    bad: u64,
    /// When they arrive, if not at once.
    arrives: Option<String>,
}

/// What an evaluation must say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Expectation {
    at: String,
    total: Option<u64>,
    bad: Option<u64>,
    budget_remaining: Option<f64>,
    /// Rule → burn rates of its long and short window.
    #[serde(default)]
    burn: BTreeMap<String, [f64; 2]>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Alert {
    rule: String,
    fired: String,
    /// Nothing, if it still fires at the end.
    resolved: Option<String>,
    /// Part of the reason it fired for.
    #[serde(default)]
    reason: String,
}

/// An alert as it came: rule, fired, resolved, reason. Seconds since the beginning.
struct Fired {
    rule: String,
    at: i64,
    resolved: Option<i64>,
    reason: String,
}

impl Scenario {
    /// Reads a scenario file.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        serde_yaml::from_str(text)
            .map_err(|error| ScenarioError::Malformed(error.without_snippet().to_string()))
    }

    /// Whether a file means to be a scenario: it scripts `traffic` and is no document of a spec.
    pub fn is_one(text: &str) -> bool {
        let begins = |name: &str| text.lines().any(|line| line.starts_with(name));
        begins("traffic:") && begins("objective:") && !begins("apiVersion:")
    }

    /// Runs it with its own specs, tick by tick; the answer is what came otherwise than expected.
    pub fn run(&self) -> Result<Vec<String>, ScenarioError> {
        self.run_in(&Catalog::default())
    }

    /// Runs it; without specs of its own it is about an objective of that catalog.
    pub fn run_in(&self, catalog: &Catalog) -> Result<Vec<String>, ScenarioError> {
        let objective = self.load(catalog)?;
        let counted = objective.indicator.counted();
        let slices = self.slices(counted)?;
        let expected = self.expectations()?;
        let until = ticks(&self.until)?;
        let mut events = Timeline::counting(counted);
        let mut up = Timeline::new();
        let account = objective.account();
        let mut derived = (!account.is_plain()).then(|| Derived::new(account));
        let mut states = vec![AlertState::default(); objective.rules.len()];
        let mut fired: Vec<Fired> = Vec::new();
        let mut wrong = Vec::new();
        for now in (0..=until).step_by(10) {
            let arrived = slices.get(&now).map_or(&[][..], Vec::as_slice);
            for (end, tally) in arrived {
                events.add(BEGIN_S + end, *tally);
            }
            up.add(BEGIN_S + now, Tally::new(1, 0));
            let mut late = arrived.iter().map(|(end, _)| *end).min();
            if let Some(derived) = &mut derived {
                for (end, _) in arrived {
                    derived.touch(BEGIN_S + end);
                }
                let changed = derived.update(|_| Some(&events), &up, BEGIN_S + now);
                late = changed.map(|end| end - BEGIN_S);
            }
            let late = late.filter(|end| *end < now);
            let timeline = derived.as_ref().map_or(&events, Derived::timeline);
            let evaluation = evaluate(&objective, timeline, instant(now));
            step(
                &objective,
                timeline,
                &evaluation,
                late,
                &mut states,
                &mut fired,
            );
            for expectation in expected.get(&now).into_iter().flatten() {
                compare(expectation, &objective, &evaluation, &mut wrong);
            }
            events.advance(BEGIN_S + now);
            if let Some(derived) = &mut derived {
                derived.timeline_mut().advance(BEGIN_S + now);
            }
        }
        self.compare_alerts(&fired, &mut wrong)?;
        Ok(wrong)
    }

    fn load(&self, catalog: &Catalog) -> Result<Objective, ScenarioError> {
        let unknown = || ScenarioError::Objective(self.objective.clone());
        let Some(specs) = &self.specs else {
            return catalog
                .objective(&self.objective)
                .cloned()
                .ok_or_else(unknown);
        };
        let file = SourceFile {
            path: "specs".to_owned(),
            text: specs.clone(),
        };
        let loaded = load(&[file]);
        if let Some(problem) = loaded.problems.first() {
            return Err(ScenarioError::Specs(problem.to_string()));
        }
        let objective = loaded.catalog.objective(&self.objective).cloned();
        objective.ok_or_else(unknown)
    }

    /// Arrival → slices.
    fn slices(&self, counted: Counted) -> Result<BTreeMap<i64, Vec<(i64, Tally)>>, ScenarioError> {
        let mut slices: BTreeMap<i64, Vec<(i64, Tally)>> = BTreeMap::new();
        for traffic in &self.traffic {
            let arrives = traffic.arrives.as_deref().map(ticks).transpose()?;
            let mut end = ticks(&traffic.from)? + TICK_S;
            while end <= ticks(&traffic.to)? {
                let part = match counted {
                    Counted::Bad => traffic.bad,
                    Counted::Good => traffic.total.saturating_sub(traffic.bad),
                };
                let tally = Tally::new(traffic.total, part);
                slices
                    .entry(arrives.unwrap_or(end).max(end))
                    .or_default()
                    .push((end, tally));
                end += TICK_S;
            }
        }
        Ok(slices)
    }

    fn expectations(&self) -> Result<BTreeMap<i64, Vec<&Expectation>>, ScenarioError> {
        let mut by_tick: BTreeMap<i64, Vec<&Expectation>> = BTreeMap::new();
        for expectation in &self.expect {
            by_tick
                .entry(ticks(&expectation.at)?)
                .or_default()
                .push(expectation);
        }
        Ok(by_tick)
    }

    fn compare_alerts(
        &self,
        fired: &[Fired],
        wrong: &mut Vec<String>,
    ) -> Result<(), ScenarioError> {
        let came: Vec<String> = fired
            .iter()
            .map(
                |Fired {
                     rule, at, resolved, ..
                 }| alert_text(rule, *at, *resolved),
            )
            .collect();
        let mut expected = Vec::new();
        for alert in &self.alerts {
            let resolved = alert.resolved.as_deref().map(ticks).transpose()?;
            expected.push(alert_text(&alert.rule, ticks(&alert.fired)?, resolved));
        }
        if came != expected {
            wrong.push(format!("alerts: expected {expected:?}, came {came:?}"));
        }
        for (alert, fired) in self.alerts.iter().zip(fired) {
            if !fired.reason.contains(&alert.reason) {
                wrong.push(format!(
                    "reason: expected `{}`, came `{}`",
                    alert.reason, fired.reason
                ));
            }
        }
        Ok(())
    }
}

/// One tick: every rule advances, then what late data showed fires.
fn step(
    objective: &Objective,
    timeline: &Timeline,
    evaluation: &Evaluation,
    late: Option<i64>,
    states: &mut [AlertState],
    fired: &mut Vec<Fired>,
) {
    let now = evaluation.at;
    let breaches = late
        .map(|end| judge_again(objective, timeline, instant(end), now))
        .unwrap_or_default();
    for (index, (rule, state)) in objective.rules.iter().zip(states).enumerate() {
        let Some(reading) = evaluation.readings.get(index) else {
            continue;
        };
        let (mut next, mut transition) = std::mem::take(state).advance(rule, reading, now, 1);
        let breach = breaches.iter().find(|breach| breach.rule == index);
        if let (Some(breach), None) = (breach, &transition) {
            (next, transition) = next.fire_late(rule, breach, now, 1);
        }
        *state = next;
        let Some(transition) = transition else {
            continue;
        };
        let at = now.as_second() - BEGIN_S;
        match transition.change {
            Change::Fired => {
                let rule = rule.name.clone();
                fired.push(Fired {
                    rule,
                    at,
                    resolved: None,
                    reason: transition.reason,
                });
            }
            Change::Resolved => {
                let open = fired.iter_mut().rev().find(|fired| fired.rule == rule.name);
                if let Some(open) = open {
                    open.resolved = Some(at);
                }
            }
        }
    }
}

fn compare(
    expectation: &Expectation,
    objective: &Objective,
    evaluation: &Evaluation,
    wrong: &mut Vec<String>,
) {
    let Expectation {
        at,
        total,
        bad,
        budget_remaining,
        burn,
    } = expectation;
    let window = evaluation.window;
    if total.is_some_and(|total| total != window.total) {
        wrong.push(format!("at {at}: total is {}, not {total:?}", window.total));
    }
    if bad.is_some_and(|bad| bad != window.bad) {
        wrong.push(format!("at {at}: bad is {}, not {bad:?}", window.bad));
    }
    let differs = |expected: f64, came: Option<f64>| {
        came.is_none_or(|came| (came - expected).abs() > TOLERANCE)
    };
    let left = evaluation.budget.remaining();
    if budget_remaining.is_some_and(|expected| differs(expected, left)) {
        wrong.push(format!(
            "at {at}: budget left is {left:?}, not {budget_remaining:?}"
        ));
    }
    for (name, [long, short]) in burn {
        let rules = objective.rules.iter().zip(&evaluation.readings);
        let reading = rules
            .filter(|(rule, _)| rule.name == *name)
            .map(|(_, reading)| reading)
            .next();
        let came = reading.and_then(crate::Reading::burn).map(|reading| {
            [reading.long_burn, reading.short_burn].map(|burn| burn.map(crate::BurnRate::as_f64))
        });
        let [came_long, came_short] = came.unwrap_or_default();
        if differs(*long, came_long) || differs(*short, came_short) {
            wrong.push(format!(
                "at {at}: {name} burns at {came_long:?} and {came_short:?}, not {long} and {short}"
            ));
        }
    }
}

fn alert_text(rule: &str, fired: i64, resolved: Option<i64>) -> String {
    let end = resolved.map_or("still firing".to_owned(), |at| {
        format!("resolved {}", clock(at))
    });
    format!("{rule} fired {} {end}", clock(fired))
}

fn clock(seconds: i64) -> String {
    format!(
        "{}h {}m {}s",
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// Seconds since the beginning, up to the tick.
fn ticks(text: &str) -> Result<i64, ScenarioError> {
    let wrong = || ScenarioError::Time(text.to_owned());
    let mut seconds = 0_i64;
    for part in text.split_whitespace() {
        let unit_at = part.len().checked_sub(1).ok_or_else(wrong)?;
        let (count, unit) = part.split_at_checked(unit_at).ok_or_else(wrong)?;
        let unit = match unit {
            "h" => 3_600,
            "m" => 60,
            "s" => 1,
            _ => return Err(wrong()),
        };
        let count: i64 = count.parse().map_err(|_| wrong())?;
        let part = count.checked_mul(unit).ok_or_else(wrong)?;
        seconds = seconds.checked_add(part).ok_or_else(wrong)?;
    }
    let fits = (0..=MAX_TICKS * TICK_S).contains(&seconds) && seconds % TICK_S == 0;
    if fits { Ok(seconds) } else { Err(wrong()) }
}

fn instant(seconds: i64) -> Timestamp {
    Timestamp::from_second(BEGIN_S + seconds).unwrap_or(Timestamp::UNIX_EPOCH)
}
