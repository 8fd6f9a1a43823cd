//! How the promises stand, and how the segments do.

use crate::format;
use crate::view::{ExecutiveView, Objective};

/// How the promises stand. Somebody wrote each of them down, so that there are as many whatever happens; segments,
/// which come and go with what is seen, are counted apart.
pub(crate) struct Standing<'a> {
    pub(crate) promises: Vec<&'a Objective>,
    pub(crate) kept: usize,
    silent: usize,
    segments_missed: usize,
}

impl Standing<'_> {
    pub(crate) fn of(view: &ExecutiveView) -> Standing<'_> {
        let (segments, promises): (Vec<_>, Vec<_>) = view
            .objectives
            .iter()
            .partition(|one| one.segment.is_some());
        let missed = |one: &&&Objective| one.budget.left.is_some_and(|left| left <= 0.0);
        let kept = |one: &&&Objective| one.budget.left.is_some_and(|left| left > 0.0);
        Standing {
            kept: promises.iter().filter(kept).count(),
            silent: promises
                .iter()
                .filter(|one| one.budget.left.is_none())
                .count(),
            segments_missed: segments.iter().filter(missed).count(),
            promises,
        }
    }

    fn missed(&self) -> usize {
        self.promises.len() - self.kept - self.silent
    }

    pub(crate) fn sentence(&self) -> String {
        let written = self.promises.len();
        match (written, self.kept) {
            (0, _) => "No promise is written down yet.".to_owned(),
            (silent, 0) if silent == self.silent => "Nothing has been measured yet.".to_owned(),
            (1, 0) => "The one promise is not being kept.".to_owned(),
            (1, _) => "The one promise is being kept.".to_owned(),
            (_, kept) if kept == written => {
                format!("All {} promises are being kept.", format::words(written))
            }
            (_, 0) => format!("None of {} promises is being kept.", format::words(written)),
            (_, kept) => format!(
                "{} of {} promises {} being kept.",
                format::capitalised(&format::words(kept)),
                format::words(written),
                if kept == 1 { "is" } else { "are" }
            ),
        }
    }

    /// Why not all are kept, and how the segments stand.
    pub(crate) fn note(&self, segments: usize) -> String {
        let mut notes = Vec::new();
        if self.missed() > 0 {
            notes.push(format!("{} missed", self.missed()));
        }
        if self.silent > 0 {
            notes.push(format!("{} not measured", self.silent));
        }
        if notes.is_empty() && !self.promises.is_empty() {
            notes.push("all measured, none missed".to_owned());
        }
        if segments > 0 {
            let missed = match self.segments_missed {
                0 => "none".to_owned(),
                missed => missed.to_string(),
            };
            notes.push(format!("{missed} of {segments} segments missed"));
        }
        notes.join(" · ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Text;
    use crate::samples::{self, State};
    use crate::view::Segment;

    /// Promises and segments with this budget left.
    fn view(promises: &[Option<f64>], segments: &[Option<f64>]) -> ExecutiveView {
        let mut view = samples::executive(State::Healthy);
        let one = view.objectives.first().unwrap().clone();
        let with = |left: &Option<f64>, segment: Option<Segment>| {
            let mut one = one.clone();
            (one.budget.left, one.segment) = (*left, segment);
            one
        };
        let part = Segment {
            whole: "whole".to_owned(),
            name: Text::new("region = eu"),
        };
        let promises = promises.iter().map(|left| with(left, None));
        let parts = segments.iter().map(|left| with(left, Some(part.clone())));
        view.objectives = promises.chain(parts).collect();
        view
    }

    #[test]
    fn as_many_promises_are_told_of_as_were_written() {
        let (kept, missed, silent) = (Some(0.4), Some(-0.1), None);
        for (promises, segments, sentence, note) in [
            (
                [kept, kept, kept].as_slice(),
                [].as_slice(),
                "All three promises are being kept.",
                "all measured, none missed · none of 9 segments missed",
            ),
            (
                &[kept, kept, kept],
                &[missed, missed],
                "All three promises are being kept.",
                "all measured, none missed · 2 of 9 segments missed",
            ),
            (
                &[kept, missed, silent],
                &[missed],
                "One of three promises is being kept.",
                "1 missed · 1 not measured · 1 of 9 segments missed",
            ),
            (
                &[kept, kept, silent],
                &[],
                "Two of three promises are being kept.",
                "1 not measured · none of 9 segments missed",
            ),
            (
                &[missed, silent],
                &[],
                "None of two promises is being kept.",
                "1 missed · 1 not measured · none of 9 segments missed",
            ),
            (
                &[silent, silent],
                &[],
                "Nothing has been measured yet.",
                "2 not measured · none of 9 segments missed",
            ),
            (
                &[missed],
                &[],
                "The one promise is not being kept.",
                "1 missed · none of 9 segments missed",
            ),
        ] {
            let view = view(promises, segments);
            let standing = Standing::of(&view);
            assert_eq!(standing.sentence(), sentence);
            assert_eq!(standing.note(9), note);
        }
    }
}
