//! Which alert under one catalog is the same as which under the other.

use slo_specs::Severity;

use super::lane::Lane;
use super::result::{Alerts, Episode, Moved, Sum};

/// Alerts are about the same trouble if they overlap, or lie less than this apart, in seconds.
const APART_S: i64 = 3_600;

/// Compares the alerts of one severity.
pub(super) fn alerts(old: &Lane, new: &Lane, severity: Severity) -> Alerts {
    let of = |lane: &Lane| -> Vec<Episode> {
        let of = lane.episodes.iter().filter(|(found, _)| *found == severity);
        of.map(|(_, episode)| episode.clone()).collect()
    };
    let (mut old, mut new) = (of(old), of(new));
    let mut sum = sums(&old, &new);
    let mut alerts = Alerts::default();
    // The nearest first, those of the same rule before others.
    while let Some((mine, theirs)) = nearest(&old, &new) {
        let (old, new) = (old.remove(mine), new.remove(theirs));
        if (&old.rule, old.fired_at, old.resolved_at) == (&new.rule, new.fired_at, new.resolved_at)
        {
            alerts.kept += 1;
        } else {
            alerts.moved.push(moved(old, new));
        }
    }
    alerts.moved.sort_by_key(|moved| moved.new.fired_at);
    sum.added = new.len();
    sum.removed = old.len();
    sum.moved = alerts.moved.len();
    sum.missed = old.iter().filter(|episode| !episode.is_false).count();
    alerts.added = new;
    alerts.removed = old;
    alerts.sum = sum;
    alerts
}

fn sums(old: &[Episode], new: &[Episode]) -> Sum {
    let count = |side: &[Episode]| side.iter().filter(|episode| episode.is_false).count();
    let minutes = |side: &[Episode]| -> f64 {
        let of = side.iter().filter(|episode| episode.is_false);
        // An empty sum of floats is -0.
        of.fold(0.0, |sum, episode| sum + episode.minutes)
    };
    Sum {
        old: old.len(),
        new: new.len(),
        old_false: count(old),
        new_false: count(new),
        old_false_minutes: minutes(old),
        new_false_minutes: minutes(new),
        ..Sum::default()
    }
}

/// The two that are most surely the same.
fn nearest(old: &[Episode], new: &[Episode]) -> Option<(usize, usize)> {
    let mut best: Option<((bool, i64), (usize, usize))> = None;
    for (mine, old) in old.iter().enumerate() {
        for (theirs, new) in new.iter().enumerate() {
            let rank = (old.rule != new.rule, later_s(old, new).abs());
            if meet(old, new) && best.is_none_or(|(found, _)| rank < found) {
                best = Some((rank, (mine, theirs)));
            }
        }
    }
    best.map(|(_, places)| places)
}

fn meet(old: &Episode, new: &Episode) -> bool {
    let begins_before_end = |one: &Episode, other: &Episode| {
        let begin = one.fired_at.as_second() - APART_S;
        other.resolved_at.is_none_or(|end| begin < end.as_second())
    };
    begins_before_end(old, new) && begins_before_end(new, old)
}

fn later_s(old: &Episode, new: &Episode) -> i64 {
    new.fired_at.as_second() - old.fired_at.as_second()
}

fn moved(old: Episode, new: Episode) -> Moved {
    let ends = old.resolved_at.zip(new.resolved_at);
    Moved {
        fires_later_s: later_s(&old, &new),
        resolves_later_s: ends.map(|(old, new)| new.as_second() - old.as_second()),
        old,
        new,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn episode(rule: &str, fired: i64, resolved: Option<i64>, is_false: bool) -> Episode {
        Episode {
            rule: rule.to_owned(),
            fired_at: crate::plan::instant(fired),
            resolved_at: resolved.map(crate::plan::instant),
            minutes: 10.0,
            bad: 1,
            spent: Some(0.1),
            is_false,
        }
    }

    fn lane(episodes: &[Episode]) -> Lane {
        Lane {
            episodes: episodes
                .iter()
                .map(|e| (Severity::Page, e.clone()))
                .collect(),
            ..Lane::default()
        }
    }

    #[test]
    fn alerts_are_paired_by_rule_and_time() {
        let one = |fired, resolved| episode("fast", fired, Some(resolved), false);
        let cases = [
            (
                "the same",
                vec![one(0, 100)],
                vec![one(0, 100)],
                (0, 0, 0, 1),
            ),
            ("later", vec![one(0, 100)], vec![one(50, 100)], (0, 0, 1, 0)),
            (
                "less than an hour apart",
                vec![one(0, 100)],
                vec![one(3_000, 4_000)],
                (0, 0, 1, 0),
            ),
            (
                "more than an hour apart",
                vec![one(0, 100)],
                vec![one(3_701, 4_000)],
                (1, 1, 0, 0),
            ),
            ("nothing before", vec![], vec![one(0, 100)], (1, 0, 0, 0)),
            ("nothing after", vec![one(0, 100)], vec![], (0, 1, 0, 0)),
            (
                "one of another rule is taken only when none of the same is there",
                vec![one(0, 100)],
                vec![episode("slow", 0, Some(100), false), one(60, 100)],
                (1, 0, 1, 0),
            ),
            (
                "one that still fires meets whatever comes",
                vec![episode("fast", 0, None, false)],
                vec![one(90_000, 90_100)],
                (0, 0, 1, 0),
            ),
        ];
        for (case, old, new, expected) in cases {
            let alerts = alerts(&lane(&old), &lane(&new), Severity::Page);
            let found = (
                alerts.added.len(),
                alerts.removed.len(),
                alerts.moved.len(),
                alerts.kept,
            );
            assert_eq!(found, expected, "{case}");
            assert_eq!(
                alerts.sum.old + alerts.sum.added,
                alerts.sum.new + alerts.sum.removed,
                "{case}: every alert is in one class"
            );
        }
    }

    #[test]
    fn what_is_removed_was_false_or_is_missed() {
        let old = lane(&[
            episode("fast", 0, Some(100), true),
            episode("fast", 90_000, Some(90_100), false),
        ]);
        let sum = alerts(&old, &Lane::default(), Severity::Page).sum;
        assert_eq!((sum.removed, sum.old_false, sum.missed), (2, 1, 1));
        assert!((sum.old_false_minutes - 10.0).abs() < 1e-9);
    }
}
