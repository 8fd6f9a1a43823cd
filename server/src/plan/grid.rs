//! The ticks at which a past is judged: every 10 s, and where it is kept coarser, every minute or hour.

use super::result::Plan;

/// Seconds of a minute, and of an hour.
const MINUTE_S: i64 = 60;
const HOUR_S: i64 = 3_600;

/// Where a past begins and ends, and how finely it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grid {
    /// Nothing before this is told of.
    pub(super) from: i64,
    /// Judging begins this long before, so that what fires at `from` is known.
    pub(super) warm_up_s: i64,
    /// The last tick.
    pub(super) to: i64,
    /// Up to this it is kept by the hour.
    pub(super) hours_until: i64,
    /// Up to this it is kept by the minute.
    pub(super) minutes_until: i64,
}

impl Grid {
    /// Every tick, in order.
    pub(super) fn ticks(&self) -> Vec<i64> {
        let mut ticks = Vec::new();
        let mut tick = self.from.saturating_sub(self.warm_up_s);
        while tick < self.to {
            let step = if tick < self.hours_until {
                HOUR_S
            } else if tick < self.minutes_until {
                MINUTE_S
            } else {
                10
            };
            tick = (tick.div_euclid(step) + 1) * step;
            ticks.push(tick.min(self.to));
        }
        ticks
    }

    /// Says in a plan which past was judged, and how finely.
    pub(super) fn describe(&self, plan: &mut Plan) {
        plan.from = super::instant(self.from);
        plan.to = super::instant(self.to);
        let until = |end: i64| {
            let end = end.min(self.to);
            (end > self.from).then(|| super::instant(end))
        };
        plan.hourly_until = until(self.hours_until);
        plan.minutely_until =
            until(self.minutes_until).filter(|end| Some(*end) > plan.hourly_until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_as_fine_as_the_past() {
        let grid = Grid {
            from: 7_200,
            warm_up_s: 3_600,
            to: 14_420,
            hours_until: 10_800,
            minutes_until: 14_400,
        };
        let ticks = grid.ticks();
        assert_eq!(&ticks[..3], &[7_200, 10_800, 10_860]);
        assert_eq!(&ticks[ticks.len() - 3..], &[14_400, 14_410, 14_420]);
        assert_eq!(ticks.len(), 2 + 60 + 2);
        let still = Grid { to: 3_600, ..grid };
        assert_eq!(still.ticks(), Vec::<i64>::new());
    }
}
