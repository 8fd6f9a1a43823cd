//! What a rule sees at a tick.

use std::cell::OnceCell;
use std::time::Duration;

use jiff::Timestamp;

use super::{Burn, Condition, Confidence};
use crate::judge::{measured_s, outlook, seconds};
use crate::{BurnRate, ErrorBudget, Exhaustion, Objective, Ratio, Tally, Timeline, excluded};

/// A budget's share below a mark is over when a fiftieth more of the budget is left again.
const MARGIN: u128 = 50;
/// Farther back than this no silence is looked for: nothing is kept from before.
const LONGEST_S: i64 = 400 * 86_400;

/// What one condition sees at one tick.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The tick.
    pub at: Timestamp,
    /// The figures.
    pub seen: Seen,
    /// It holds: the rule may fire.
    pub breached: bool,
    /// It is known to be over: a firing alert resolves. Without data neither this nor `breached`,
    /// so that silence resolves nothing.
    pub clear: bool,
}

/// The figures of a reading.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    /// Of [`Condition::Burn`].
    Burn(BurnSeen),
    /// Of [`Condition::BudgetLeft`].
    BudgetLeft {
        /// The objective's window.
        window: Tally,
        /// Share of its budget that is left; `None` without events.
        left: Option<f64>,
    },
    /// Of [`Condition::BudgetDrop`].
    BudgetDrop {
        /// The time that is looked at.
        recent: Tally,
        /// Share of the window's budget that was spent within it; `None` without events.
        spent: Option<f64>,
    },
    /// Of [`Condition::TimeToEmpty`].
    TimeToEmpty {
        /// The look-back.
        recent: Tally,
        /// When the budget is empty at its rate.
        outlook: Exhaustion,
    },
    /// Of [`Condition::NoData`].
    NoData {
        /// How long ago the last event was; `None` if there was none ever.
        silent: Option<Duration>,
    },
    /// Of [`Condition::All`], part by part.
    All(Vec<Reading>),
    /// Of [`Condition::Any`], part by part.
    Any(Vec<Reading>),
}

/// The figures of two windows.
#[derive(Clone, Debug, PartialEq)]
pub struct BurnSeen {
    /// The long window.
    pub long: Tally,
    /// The short window.
    pub short: Tally,
    /// `None` without events.
    pub long_burn: Option<BurnRate>,
    /// `None` without events.
    pub short_burn: Option<BurnRate>,
    /// Whether the long window burns above the threshold.
    pub long_over: bool,
    /// Whether the short window burns above the threshold.
    pub short_over: bool,
    /// How sure it is that the long window's true burn rate is beyond the threshold, where the rule
    /// asks for it and the window is over.
    pub confidence: Option<Confidence>,
}

/// What a rule looks like, for display.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RuleState {
    /// Neither window is over; the condition does not hold.
    Calm,
    /// Only the short window is over: it fires if this goes on.
    Rising,
    /// Both are over; the condition holds.
    Firing,
    /// Only the long window is over: it is getting better.
    Recovering,
}

/// An objective at a tick, and since when somebody listened.
#[derive(Debug)]
pub(crate) struct Moment<'a> {
    objective: &'a Objective,
    timeline: &'a Timeline,
    now: Timestamp,
    listening_since: Option<Timestamp>,
    budget: OnceCell<ErrorBudget>,
}

impl<'a> Moment<'a> {
    /// `listening_since`: silence before it proves nothing; `None` if somebody always listened.
    pub(crate) fn new(
        objective: &'a Objective,
        timeline: &'a Timeline,
        now: Timestamp,
        listening_since: Option<Timestamp>,
    ) -> Self {
        Self {
            objective,
            timeline,
            now,
            listening_since,
            budget: OnceCell::new(),
        }
    }

    /// What happened within the objective's window, and the budget of that.
    pub(crate) fn budget(&self) -> ErrorBudget {
        *self.budget.get_or_init(|| ErrorBudget {
            target: self.objective.target,
            tally: self
                .objective
                .window
                .tally(self.timeline, self.now.as_second()),
        })
    }

    /// What a condition sees.
    pub(crate) fn read(&self, condition: &Condition) -> Reading {
        match condition {
            Condition::Burn(burn) => self.burn(burn),
            Condition::BudgetLeft { below, minimum_bad } => self.left(*below, *minimum_bad),
            Condition::BudgetDrop {
                share,
                within,
                minimum_bad,
            } => self.drop(*share, *within, *minimum_bad),
            Condition::TimeToEmpty {
                within,
                look_back,
                minimum_bad,
            } => self.time_to_empty(*within, *look_back, *minimum_bad),
            Condition::NoData { lasting } => self.no_data(*lasting),
            Condition::All(parts) => {
                let parts = self.parts(parts);
                let breached = parts.iter().all(|part| part.breached);
                let clear = parts.iter().any(|part| part.clear);
                self.reading(Seen::All(parts), breached, clear)
            }
            Condition::Any(parts) => {
                let parts = self.parts(parts);
                let breached = parts.iter().any(|part| part.breached);
                let clear = parts.iter().all(|part| part.clear);
                self.reading(Seen::Any(parts), breached, clear)
            }
        }
    }

    fn parts(&self, parts: &[Condition]) -> Vec<Reading> {
        parts.iter().map(|part| self.read(part)).collect()
    }

    fn burn(&self, burn: &Burn) -> Reading {
        let target = self.objective.target;
        let (long, short) = (self.tally(burn.long), self.tally(burn.short));
        let rates = [long, short].map(|tally| BurnRate::of(tally, target));
        let [long_over, short_over] = rates.map(|rate| rate.is_some_and(|rate| burn.is_over(rate)));
        let confidence = burn.confidence.filter(|_| long_over).map(|_| {
            let of = self.whole(long);
            Confidence::that(of, target, burn.threshold)
        });
        let sure = burn
            .confidence
            .is_none_or(|asked| confidence.is_some_and(|confidence| confidence.is_at_least(asked)));
        let breached = long_over && short_over && long.bad >= burn.minimum_bad && sure;
        let [long_burn, short_burn] = rates;
        let seen = BurnSeen {
            long,
            short,
            long_burn,
            short_burn,
            long_over,
            short_over,
            confidence,
        };
        let clear = !short_over && !short.is_empty();
        self.reading(Seen::Burn(seen), breached, clear)
    }

    fn left(&self, below: Option<Ratio>, minimum_bad: u64) -> Reading {
        let budget = self.budget();
        let spent = BurnRate::of(budget.tally, budget.target);
        let breached = is_below(&budget, below);
        let clear = spent.is_some() && spent <= relieved(spendable(below));
        let seen = Seen::BudgetLeft {
            window: budget.tally,
            left: budget.remaining(),
        };
        self.reading(seen, breached && budget.tally.bad >= minimum_bad, clear)
    }

    fn drop(&self, share: Ratio, within: Duration, minimum_bad: u64) -> Reading {
        // What was spent before a period of the calendar is not of its budget.
        let reach = self.objective.window.look_back(self.now.as_second());
        let (recent, budget) = (self.tally(within.min(reach)), self.budget());
        let of_window = Tally {
            bad: recent.bad,
            ..budget.tally
        };
        let spent = BurnRate::of(of_window, budget.target);
        let mark = BurnRate::new(share.numerator(), share.denominator());
        let over = spent > mark;
        let seen = Seen::BudgetDrop {
            recent,
            spent: spent.map(BurnRate::as_f64),
        };
        let known = spent.is_some() && !recent.is_empty();
        self.reading(seen, over && recent.bad >= minimum_bad, known && !over)
    }

    fn time_to_empty(&self, within: Duration, look_back: Duration, minimum_bad: u64) -> Reading {
        let (recent, budget) = (self.tally(look_back), self.budget());
        let now_s = self.now.as_second();
        let burns = BurnRate::of(recent, budget.target).is_some_and(|rate| rate > BurnRate::ONE);
        let span_s = seconds(look_back).min(measured_s(self.timeline, now_s));
        let period = self.objective.window.period(now_s);
        let reset_s = period.map(|period| period.until_s.saturating_sub(now_s));
        let soon = burns && empties_within(&budget, recent, span_s, within, reset_s);
        let seen = Seen::TimeToEmpty {
            recent,
            outlook: outlook(self.objective, &budget, self.timeline, now_s, look_back),
        };
        let breached = soon && recent.bad >= minimum_bad;
        self.reading(seen, breached, !recent.is_empty() && !soon)
    }

    /// Silence counts from when somebody listened, and only once something was ever measured.
    fn no_data(&self, lasting: Duration) -> Reading {
        let now_s = self.now.as_second();
        let begin = self.silent_from(seconds(lasting));
        let begin_s = begin.unwrap_or_else(|| now_s.saturating_sub(seconds(lasting)));
        let silent = self.timeline.between(begin_s, now_s).is_empty();
        let measured = self.timeline.measured_since();
        let known = begin.is_some()
            && measured.is_some_and(|since| since < begin_s)
            && self
                .listening_since
                .is_none_or(|since| since.as_second() <= begin_s);
        let last_event = self.timeline.last_event();
        let ago = |last: i64| Duration::from_secs(now_s.saturating_sub(last).max(0).unsigned_abs());
        let seen = Seen::NoData {
            silent: last_event.map(ago),
        };
        self.reading(seen, silent && known, !silent)
    }

    /// Where a silence of that length begins that lasts until now. What corrections leave out is neither
    /// silence nor data: it does not count. None if too much is left out to tell.
    fn silent_from(&self, lasting_s: i64) -> Option<i64> {
        let now_s = self.now.as_second();
        let mut begin_s = now_s.saturating_sub(lasting_s);
        let corrections = &self.objective.corrections;
        if corrections.is_empty() {
            return Some(begin_s);
        }
        let mut reach_s = lasting_s;
        let left_out = loop {
            let left_out = excluded(corrections, now_s.saturating_sub(reach_s), now_s);
            let out_s: i64 = left_out.iter().map(|(start, end)| end - start).sum();
            if reach_s.saturating_sub(out_s) >= lasting_s {
                break left_out;
            }
            if reach_s > LONGEST_S {
                return None;
            }
            reach_s = reach_s.saturating_mul(2);
        };
        for (start, end) in left_out.into_iter().rev() {
            if end <= begin_s {
                break;
            }
            begin_s = begin_s.saturating_sub(end - start);
        }
        Some(begin_s)
    }

    /// Whole events or slices; what is left over of a slice proves nothing.
    fn whole(&self, tally: Tally) -> Tally {
        let units = self.objective.budgeting.units();
        Tally::new(tally.total.div_ceil(units), tally.bad / units)
    }

    fn tally(&self, look_back: Duration) -> Tally {
        self.timeline.tally(self.now.as_second(), look_back)
    }

    fn reading(&self, seen: Seen, breached: bool, clear: bool) -> Reading {
        Reading {
            at: self.now,
            seen,
            breached,
            clear,
        }
    }
}

impl Reading {
    /// What the rule looks like.
    pub fn state(&self) -> RuleState {
        match self.burn() {
            Some(seen) => match (seen.long_over, seen.short_over) {
                (true, true) => RuleState::Firing,
                (false, true) => RuleState::Rising,
                (true, false) => RuleState::Recovering,
                (false, false) => RuleState::Calm,
            },
            None if self.breached => RuleState::Firing,
            None => RuleState::Calm,
        }
    }

    /// The condition that speaks for the whole: of several the first that holds, or else the first.
    pub fn leading<'a>(&'a self, condition: &'a Condition) -> (&'a Condition, &'a Self) {
        match (condition, &self.seen) {
            (
                Condition::All(conditions) | Condition::Any(conditions),
                Seen::All(readings) | Seen::Any(readings),
            ) => {
                let mut pairs = conditions.iter().zip(readings);
                let holds = pairs.clone().find(|(_, reading)| reading.breached);
                holds
                    .or_else(|| pairs.next())
                    .map_or((condition, self), |(part, reading)| reading.leading(part))
            }
            _ => (condition, self),
        }
    }

    /// The two windows, if that is all there is to the rule.
    pub fn burn(&self) -> Option<&BurnSeen> {
        match &self.seen {
            Seen::Burn(seen) => Some(seen),
            _ => None,
        }
    }
}

/// Whether less than a share of the budget is left; of `None`, nothing. Without events nothing is known.
pub(super) fn is_below(budget: &ErrorBudget, below: Option<Ratio>) -> bool {
    let (numerator, denominator) = spendable(below);
    let mark = BurnRate::fraction(numerator, denominator);
    // The share that is spent is the burn rate of the whole window.
    let spent = BurnRate::of(budget.tally, budget.target);
    spent.is_some()
        && match below {
            Some(_) => spent > mark,
            None => spent >= mark,
        }
}

/// The share of the budget that may be spent before less than `below` is left.
fn spendable(below: Option<Ratio>) -> (u128, u128) {
    below.map_or((1, 1), |below| {
        let rest = below.complement();
        (rest.numerator().into(), rest.denominator().into())
    })
}

/// The share that may be spent for an alert at `mark` to be over: a fiftieth of the budget less, or
/// half of the mark where that is nearer, so that single events do not make the alert come and go.
fn relieved((numerator, denominator): (u128, u128)) -> Option<BurnRate> {
    let less = BurnRate::fraction(
        (MARGIN * numerator).saturating_sub(denominator),
        MARGIN * denominator,
    );
    less.max(BurnRate::fraction(numerator, 2 * denominator))
}

/// `remaining ÷ (bad ÷ span) ≤ within`, exactly; a budget that is spent is empty now. The budget of a
/// period of the calendar grows with its events, and is whole again after `reset_s`.
fn empties_within(
    budget: &ErrorBudget,
    recent: Tally,
    span_s: i64,
    within: Duration,
    reset_s: Option<i64>,
) -> bool {
    let share = budget.target.complement();
    let allowed = |tally: Tally| u128::from(tally.total) * u128::from(share.numerator());
    let spent = |tally: Tally| u128::from(tally.bad) * u128::from(share.denominator());
    let grown = reset_s.map_or(0, |_| allowed(recent));
    let left = allowed(budget.tally).saturating_sub(spent(budget.tally));
    if left == 0 {
        return true;
    }
    let span = u128::from(span_s.unsigned_abs());
    let second = |count: u64| BurnRate::fraction(count.into(), span);
    let Some(lasts) = BurnRate::fraction(left, spent(recent).saturating_sub(grown)) else {
        return false;
    };
    let ends_before = |reset_s: i64| Some(lasts) < second(reset_s.unsigned_abs());
    Some(lasts) <= second(within.as_secs()) && reset_s.is_none_or(ends_before)
}
