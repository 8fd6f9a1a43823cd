//! Ranges cut into the steps of a chart.

use std::time::Duration;

use dashboards::view::{Counts, Range, Steps};
use jiff::Timestamp;

/// Lengths of steps that charts are cut into, in seconds.
const STEPS_S: [i64; 8] = [10, 60, 300, 600, 900, 1_800, 3_600, 86_400];
/// Most steps of a chart.
const MOST_STEPS: i64 = 120;
/// A range cut into equal steps that end at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grid {
    /// Start, in Unix seconds, exclusive.
    pub(super) from_s: i64,
    pub(super) step_s: i64,
    pub(super) steps: usize,
}

impl Grid {
    /// At most 120 steps of a round length.
    pub(super) fn of(range: Range) -> Grid {
        Grid::with_step_from(range, 10)
    }

    /// As [`Grid::of`], with steps of at least `least_s`: what is stored is no finer.
    pub(super) fn with_step_from(range: Range, least_s: i64) -> Grid {
        let (from, to) = (range.from.as_second(), range.to.as_second());
        let length = (to - from).max(10);
        let fits = |step: &i64| *step >= least_s && length / step <= MOST_STEPS;
        let step_s = STEPS_S.into_iter().find(fits).unwrap_or(86_400);
        Grid::last(to, step_s, length.div_euclid(step_s).max(1))
    }

    /// So many steps that end at a moment.
    pub(super) fn last(to_s: i64, step_s: i64, steps: i64) -> Grid {
        Grid {
            from_s: to_s - step_s * steps,
            step_s,
            steps: usize::try_from(steps).unwrap_or(1),
        }
    }

    /// About the same time in steps of at least `least_s`, and whole ones of it.
    pub(super) fn no_finer_than(self, least_s: i64) -> Grid {
        if least_s == 0 || self.step_s % least_s == 0 {
            return self;
        }
        let step_s = self.step_s.max(least_s).div_euclid(least_s) * least_s;
        Grid::last(
            self.to_s(),
            step_s,
            ((self.to_s() - self.from_s) / step_s).max(1),
        )
    }

    pub(super) fn to_s(self) -> i64 {
        self.start_s(self.steps)
    }

    /// Start of a step.
    pub(super) fn start_s(self, step: usize) -> i64 {
        self.from_s + self.step_s * i64::try_from(step).unwrap_or(i64::MAX / 86_400)
    }

    /// The same steps, so much earlier.
    pub(super) fn earlier(self, by_s: i64) -> Grid {
        Grid {
            from_s: self.from_s - by_s,
            ..self
        }
    }

    /// The step that a slice belongs to, by its end.
    pub(super) fn step_of(self, end_s: i64) -> Option<usize> {
        let step = usize::try_from((end_s - 1 - self.from_s).div_euclid(self.step_s)).ok()?;
        (step < self.steps).then_some(step)
    }

    /// Steps from what is counted in each, asked with the step's ends: `(from, to]`.
    pub(super) fn steps(self, counts: impl Fn(i64, i64) -> Counts) -> Steps {
        let counts = (0..self.steps).map(|step| counts(self.start_s(step), self.start_s(step + 1)));
        self.with(counts.collect())
    }

    /// Steps with these counts.
    pub(super) fn with(self, counts: Vec<Counts>) -> Steps {
        Steps {
            from: instant(self.from_s),
            step: Duration::from_secs(self.step_s.unsigned_abs()),
            counts,
        }
    }
}

/// A moment by its Unix second.
pub(super) fn instant(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_hold_whole_slices() {
        for (case, step_s, steps, least_s, expected) in [
            ("events have no length", 10, 60, 0, (10, 60)),
            ("a minute holds a minute", 60, 60, 60, (60, 60)),
            ("ten seconds hold none", 10, 90, 60, (60, 15)),
            ("six minutes hold one of five", 360, 60, 300, (300, 72)),
            ("an hour at least", 360, 60, 3_600, (3_600, 6)),
            ("a slice longer than the chart", 10, 60, 3_600, (3_600, 1)),
        ] {
            let grid = Grid::last(7_200, step_s, steps).no_finer_than(least_s);
            assert_eq!(
                (grid.step_s, grid.steps, grid.to_s()),
                (expected.0, expected.1, 7_200),
                "{case}"
            );
        }
    }

    fn range(from_s: i64, to_s: i64) -> Range {
        Range {
            from: instant(from_s),
            to: instant(to_s),
            live: false,
        }
    }

    #[test]
    fn steps_are_round_and_end_where_the_range_ends() {
        for (length, step, steps) in [
            (900, 10, 90),
            (3_600, 60, 60),
            (21_600, 300, 72),
            (86_400, 900, 96),
        ] {
            let grid = Grid::of(range(1_000_000, 1_000_000 + length));
            assert_eq!(
                (grid.step_s, grid.steps, grid.to_s()),
                (step, steps, 1_000_000 + length)
            );
        }
        assert_eq!(Grid::with_step_from(range(0, 900), 60).step_s, 60);
    }

    #[test]
    fn a_slice_belongs_to_the_step_its_end_is_in() {
        let grid = Grid::last(600, 60, 10);
        assert_eq!(grid.step_of(0), None, "it ended before");
        assert_eq!(grid.step_of(10), Some(0));
        assert_eq!(grid.step_of(60), Some(0), "ends are part of their step");
        assert_eq!(grid.step_of(70), Some(1));
        assert_eq!(grid.step_of(600), Some(9));
        assert_eq!(grid.step_of(610), None);
    }
}
