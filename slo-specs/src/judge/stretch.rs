//! Whether a condition can hold anywhere in a stretch of ticks, without judging each.

use std::time::Duration;

use crate::{BurnRate, Condition, Objective, Ratio, Tally, Timeline, Window};

/// Ticks of an objective, both ends included, in Unix seconds.
pub(super) struct Stretch<'a> {
    pub(super) objective: &'a Objective,
    pub(super) timeline: &'a Timeline,
    pub(super) first: i64,
    pub(super) last: i64,
}

impl Stretch<'_> {
    /// False only if the condition holds at no tick.
    pub(super) fn may_breach(&self, condition: &Condition) -> bool {
        match condition {
            Condition::Burn(burn) => {
                let enough = self.extremes(burn.long).0 >= burn.minimum_bad;
                let over = |window| self.may_burn(window, |rate| burn.is_over(rate));
                enough && over(burn.long) && over(burn.short)
            }
            Condition::BudgetLeft { below, .. } => {
                let mark = below.map_or(Some(BurnRate::ONE), |below| share(below.complement()));
                match self.objective.window {
                    Window::Rolling(window) => self.may_burn(window, |rate| Some(rate) >= mark),
                    // How far it reaches back differs from tick to tick.
                    Window::Calendar(_) => true,
                }
            }
            Condition::BudgetDrop {
                share: mark,
                within,
                ..
            } => {
                let Window::Rolling(window) = self.objective.window else {
                    return true;
                };
                let (bad, total) = (self.extremes(*within).0, self.extremes(window).1);
                self.may_be(bad, total, |spent| Some(spent) > share(*mark))
            }
            Condition::TimeToEmpty { look_back, .. } => {
                self.may_burn(*look_back, |rate| rate > BurnRate::ONE)
            }
            // Where events are in all windows of the length, none is silent.
            Condition::NoData { lasting } => self.extremes(*lasting).1 == 0,
            Condition::All(parts) => parts.iter().all(|part| self.may_breach(part)),
            Condition::Any(parts) => parts.iter().any(|part| self.may_breach(part)),
        }
    }

    fn extremes(&self, window: Duration) -> (u64, u64) {
        self.timeline.extremes(window, self.first, self.last)
    }

    fn may_burn(&self, window: Duration, is_over: impl Fn(BurnRate) -> bool) -> bool {
        let (bad, total) = self.extremes(window);
        self.may_be(bad, total, is_over)
    }

    /// Of at most `bad` events of at least `total`.
    fn may_be(&self, bad: u64, total: u64, is_over: impl Fn(BurnRate) -> bool) -> bool {
        let most = Tally {
            total,
            bad,
            uncertain: 0,
        };
        // Where no event is in all of the windows, a bad one may be all that there is in one of them.
        let most = match BurnRate::of(most, self.objective.target) {
            Some(burn) => Some(burn),
            None if bad > 0 => return true,
            None => BurnRate::new(0, 1),
        };
        most.is_some_and(is_over)
    }
}

fn share(ratio: Ratio) -> Option<BurnRate> {
    BurnRate::new(ratio.numerator(), ratio.denominator())
}
