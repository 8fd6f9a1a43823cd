//! Which alert under one catalog is the same as which under the other.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use slo_specs::Severity;
use tokio_util::sync::CancellationToken;

use super::lane::Lane;
use super::result::{Alerts, Episode, Moved, Sum};

/// Alerts are about the same trouble if they overlap, or lie less than this apart, in seconds.
const APART_S: i64 = 3_600;

/// Compares the alerts of one severity. None if it was stopped.
pub(super) fn alerts(
    old: &Lane,
    new: &Lane,
    severity: Severity,
    stop: &CancellationToken,
) -> Option<Alerts> {
    let of = |lane: &Lane| -> Vec<Episode> {
        let of = lane.episodes.iter().filter(|(found, _)| *found == severity);
        of.map(|(_, episode)| episode.clone()).collect()
    };
    let (old, new) = (of(old), of(new));
    let pairs = pairs(&old, &new, stop)?;
    Some(compared(old, new, &pairs))
}

fn compared(old: Vec<Episode>, new: Vec<Episode>, pairs: &[Place]) -> Alerts {
    let mut sum = sums(&old, &new);
    let mut alerts = Alerts::default();
    let mut old: Vec<Option<Episode>> = old.into_iter().map(Some).collect();
    let mut new: Vec<Option<Episode>> = new.into_iter().map(Some).collect();
    let take = |side: &mut [Option<Episode>], place: usize| side.get_mut(place)?.take();
    for (mine, theirs) in pairs {
        let both = take(&mut old, *mine).zip(take(&mut new, *theirs));
        let Some((old, new)) = both else {
            continue;
        };
        if (&old.rule, old.fired_at, old.resolved_at) == (&new.rule, new.fired_at, new.resolved_at)
        {
            alerts.kept += 1;
        } else {
            alerts.moved.push(moved(old, new));
        }
    }
    alerts.moved.sort_by_key(|moved| moved.new.fired_at);
    alerts.added = new.into_iter().flatten().collect();
    alerts.removed = old.into_iter().flatten().collect();
    sum.added = alerts.added.len();
    sum.removed = alerts.removed.len();
    sum.moved = alerts.moved.len();
    let removed = alerts.removed.iter();
    sum.missed = removed.filter(|episode| !episode.is_false).count();
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

/// Which of the old and of the new are the same: the nearest first, those of the same rule before others. None
/// if it was stopped.
fn pairs(old: &[Episode], new: &[Episode], stop: &CancellationToken) -> Option<Vec<Place>> {
    let mut rules: BTreeMap<&str, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
    for (place, episode) in old.iter().enumerate() {
        rules.entry(&episode.rule).or_default().0.push(place);
    }
    for (place, episode) in new.iter().enumerate() {
        rules.entry(&episode.rule).or_default().1.push(place);
    }
    let mut found = Vec::new();
    for (mine, theirs) in rules.into_values() {
        found.extend(Sweep::new((old, mine), (new, theirs)).run(stop)?);
    }
    found.sort_unstable();
    let (olds, news): (BTreeSet<_>, BTreeSet<_>) = found.iter().map(|(_, place)| *place).unzip();
    let left = |all: &[Episode], taken: &BTreeSet<usize>| {
        let left = (0..all.len()).filter(|place| !taken.contains(place));
        left.collect()
    };
    // Two of the same rule that are left do not meet.
    let (mine, theirs) = (left(old, &olds), left(new, &news));
    found.extend(Sweep::new((old, mine), (new, theirs)).run(stop)?);
    Some(found.into_iter().map(|(_, place)| place).collect())
}

/// Where an old alert stands, and where a new one.
type Place = (usize, usize);
/// Two alerts that meet: seconds between their firing, and where they stand.
type Candidate = (i64, Place);

/// Pairs two sides, the nearest first. Of two that meet, the one that fires first looks forward to the other; it
/// meets what fires before it is over, so what it meets comes in order of nearness.
struct Sweep<'a> {
    old: Side<'a>,
    new: Side<'a>,
}

/// Alerts in the order they fired.
struct Side<'a> {
    all: &'a [Episode],
    places: Vec<usize>,
    taken: BTreeSet<usize>,
}

/// One alert, and how far it has looked.
struct Look {
    is_old: bool,
    place: usize,
    /// The next on the other side, among those in order.
    next: usize,
}

impl<'a> Sweep<'a> {
    fn new(old: (&'a [Episode], Vec<usize>), new: (&'a [Episode], Vec<usize>)) -> Sweep<'a> {
        let side = |(all, mut places): (&'a [Episode], Vec<usize>)| {
            places.sort_by_key(|place| (fired_s(all, *place), *place));
            let taken = BTreeSet::new();
            Side { all, places, taken }
        };
        Sweep {
            old: side(old),
            new: side(new),
        }
    }

    fn run(mut self, stop: &CancellationToken) -> Option<Vec<Candidate>> {
        let mut looks = self.looks();
        let mut nearest: BinaryHeap<Reverse<(Candidate, usize)>> = BinaryHeap::new();
        for (number, look) in looks.iter().enumerate() {
            let candidate = self.candidate(look);
            nearest.extend(candidate.map(|found| Reverse((found, number))));
        }
        let mut found = Vec::new();
        while let Some(Reverse((candidate, number))) = nearest.pop() {
            if stop.is_cancelled() {
                return None;
            }
            let (_, (mine, theirs)) = candidate;
            let is_taken = (
                self.old.taken.contains(&mine),
                self.new.taken.contains(&theirs),
            );
            let Some(look) = looks.get_mut(number) else {
                continue;
            };
            match (is_taken, look.is_old) {
                ((false, false), _) => {
                    self.old.taken.insert(mine);
                    self.new.taken.insert(theirs);
                    found.push(candidate);
                }
                // It is free, what it looked at is not.
                ((false, true), true) | ((true, false), false) => {
                    look.next += 1;
                    let candidate = self.candidate(look);
                    nearest.extend(candidate.map(|found| Reverse((found, number))));
                }
                _ => {}
            }
        }
        Some(found)
    }

    /// Every alert before it has looked at any.
    fn looks(&self) -> Vec<Look> {
        let of = |is_old: bool, side: &Side<'_>, other: &Side<'_>| -> Vec<Look> {
            let look = |place: &usize| {
                let fired = fired_s(side.all, *place);
                let is_before = |one: &usize| {
                    let theirs = fired_s(other.all, *one);
                    // Of two that fire at once, the old one looks.
                    theirs < fired || !is_old && theirs == fired
                };
                Look {
                    is_old,
                    place: *place,
                    next: other.places.partition_point(is_before),
                }
            };
            side.places.iter().map(look).collect()
        };
        let mut looks = of(true, &self.old, &self.new);
        looks.extend(of(false, &self.new, &self.old));
        looks
    }

    /// What an alert looks at, if it meets that: then it does not meet what comes after, either.
    fn candidate(&self, look: &Look) -> Option<Candidate> {
        let (side, other) = if look.is_old {
            (&self.old, &self.new)
        } else {
            (&self.new, &self.old)
        };
        let theirs = *other.places.get(look.next)?;
        let (one, another) = (side.all.get(look.place)?, other.all.get(theirs)?);
        let place = if look.is_old {
            (look.place, theirs)
        } else {
            (theirs, look.place)
        };
        let apart = later_s(one, another);
        begins_before_end(another, one).then_some((apart, place))
    }
}

fn fired_s(all: &[Episode], place: usize) -> Option<i64> {
    all.get(place).map(|episode| episode.fired_at.as_second())
}

fn begins_before_end(one: &Episode, other: &Episode) -> bool {
    let begin = one.fired_at.as_second() - APART_S;
    other.resolved_at.is_none_or(|end| begin < end.as_second())
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
    use proptest::prelude::*;

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

    fn paired(old: &Lane, new: &Lane) -> Alerts {
        alerts(old, new, Severity::Page, &CancellationToken::new()).unwrap()
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
            let alerts = paired(&lane(&old), &lane(&new));
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
        let sum = paired(&old, &Lane::default()).sum;
        assert_eq!((sum.removed, sum.old_false, sum.missed), (2, 1, 1));
        assert!((sum.old_false_minutes - 10.0).abs() < 1e-9);
    }

    /// The two that are most surely the same, by looking at all.
    fn nearest(old: &[Option<Episode>], new: &[Option<Episode>]) -> Option<Place> {
        let places = |side: &[Option<Episode>]| -> Vec<(usize, Episode)> {
            let places = side.iter().cloned().enumerate();
            places.filter_map(|(at, one)| Some((at, one?))).collect()
        };
        let mut best: Option<((bool, i64), Place)> = None;
        for (mine, old) in places(old) {
            for (theirs, new) in places(new) {
                let rank = (old.rule != new.rule, later_s(&old, &new).abs());
                let meet = begins_before_end(&old, &new) && begins_before_end(&new, &old);
                if meet && best.is_none_or(|(found, _)| rank < found) {
                    best = Some((rank, (mine, theirs)));
                }
            }
        }
        best.map(|(_, places)| places)
    }

    fn naive(old: &[Episode], new: &[Episode]) -> Vec<Place> {
        let some = |side: &[Episode]| side.iter().cloned().map(Some).collect::<Vec<_>>();
        let (mut old, mut new) = (some(old), some(new));
        let mut found = Vec::new();
        while let Some((mine, theirs)) = nearest(&old, &new) {
            old[mine] = None;
            new[theirs] = None;
            found.push((mine, theirs));
        }
        found
    }

    /// Alerts on a coarse grid, so that many fire at once or are as near as each other.
    fn side() -> impl Strategy<Value = Vec<Episode>> {
        let one = (
            0_i64..16,
            proptest::option::weighted(0.9, 0_i64..10),
            0_usize..3,
        );
        let one = one.prop_map(|(fired, lasts, rule)| {
            let fired = fired * 900;
            let resolved = lasts.map(|lasts| fired + lasts * 450);
            episode(["fast", "slow", "late"][rule], fired, resolved, false)
        });
        proptest::collection::vec(one, 0..14)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn a_sweep_pairs_as_looking_at_all_does(old in side(), new in side()) {
            let found = pairs(&old, &new, &CancellationToken::new());
            prop_assert_eq!(found, Some(naive(&old, &new)));
        }
    }

    #[test]
    fn pairing_ends_when_nobody_waits_for_it() {
        let one = lane(&[episode("fast", 0, Some(100), false)]);
        let stop = CancellationToken::new();
        stop.cancel();
        assert_eq!(alerts(&one, &one, Severity::Page, &stop), None);
    }

    #[test]
    fn a_hundred_thousand_alerts_are_paired_at_once() {
        // Looking at all pairs for each would take years.
        let all = |late: i64| -> Vec<Episode> {
            let fired = (0..100_000).map(|number| number * 120 + late);
            fired
                .map(|fired| episode("fast", fired, Some(fired + 60), false))
                .collect()
        };
        let sum = paired(&lane(&all(0)), &lane(&all(10))).sum;
        assert_eq!((sum.moved, sum.added, sum.removed), (100_000, 0, 0));
    }
}
