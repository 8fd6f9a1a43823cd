//! What an exporter tells in points is what is counted, whatever becomes of the points on the way.

use std::collections::BTreeSet;

use collector::{Measured, Streams};
use proptest::prelude::*;

use crate::exporter::{Event, Export, Exporter, Shape, exporters};
use crate::points::{LIVE, total};

/// The events that these points tell of and that may be counted, each once, by sender's run.
fn told(exporter: &Exporter, arrived: &[Export]) -> Vec<Vec<Event>> {
    let events = exporter.events();
    let arrived = || arrived.iter().filter(|export| !export.no_value);
    if !exporter.cumulative {
        let of: BTreeSet<_> = arrived().flat_map(|export| export.of.clone()).collect();
        return vec![of.into_iter().map(|number| events[number]).collect()];
    }
    let runs: BTreeSet<_> = arrived().map(|export| export.run).collect();
    let of_run = |run| {
        let ends = || {
            arrived()
                .filter(move |export| export.run == run)
                .map(|export| &export.of)
        };
        // What began before us is a base first.
        let base = ends().next().map(|of| {
            if run == 0 && exporter.old {
                of.end
            } else {
                of.start
            }
        });
        let last = ends().map(|of| of.end).max();
        base.zip(last)
            .map(|(base, last)| events[base..last.max(base)].to_vec())
    };
    runs.into_iter().filter_map(of_run).collect()
}

fn count(exporter: &Exporter, told: &[Vec<Event>]) -> u64 {
    let of_run = |run: &Vec<Event>| match exporter.shape {
        Shape::Sum => {
            run.iter()
                .map(|event| u64::from(event.quarters))
                .sum::<u64>()
                / 4
        }
        Shape::Explicit | Shape::Exponential => run.len() as u64,
    };
    told.iter().map(of_run).sum()
}

fn check_values(
    exporter: &Exporter,
    arrived: &[Export],
    counted: &Measured,
) -> Result<(), TestCaseError> {
    let values: Vec<_> = told(exporter, arrived)
        .concat()
        .iter()
        .map(|event| event.value)
        .collect();
    for bound in [-1.0, 0.0, 0.2, 2.0, 90.0, 100.0, 250.0, 1000.0, 1e8] {
        let truth = values.iter().filter(|value| **value <= bound).count() as u64;
        let within = counted.within(bound, true).expect("values");
        prop_assert!(
            (within.lo..=within.hi).contains(&truth),
            "{} values up to {}: {:?}",
            truth,
            bound,
            within
        );
    }
    let tells = |export: &Export| export.no_value || export.has_the_threshold();
    if matches!(exporter.shape, Shape::Explicit) && arrived.iter().all(tells) {
        let within = counted.within(100.0, true).expect("values");
        prop_assert_eq!(
            within.lo,
            within.hi,
            "the threshold is a bound of all points"
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn points_count_what_they_tell_to_the_unit(exporter in exporters(), our_restart in 0_usize..40) {
        let exports = exporter.exports();
        let mut streams = Streams::new(LIVE);
        let mut counted = Measured::default();
        let (mut rejected, mut taken) = (0, 0);
        // Further runs of one sender that come in disorder may be forgotten, and are not counted then.
        let exact = exports.iter().all(|export| export.run < 4);
        for (number, export) in exports.iter().enumerate() {
            let points = exporter.points(export);
            prop_assert_eq!(points.len(), usize::from(!export.no_value));
            let absorbed = streams.absorb(&points);
            counted.merge(&total(&absorbed)).expect("small counts");
            rejected += absorbed.classes.rejected();
            taken += absorbed.classes.counted.total + absorbed.classes.duplicate.total;
            let truth = count(&exporter, &told(&exporter, &exports[..=number]));
            prop_assert!(counted.count() <= truth, "{} of {}", counted.count(), truth);
            if exact {
                prop_assert_eq!((counted.count(), rejected), (truth, 0), "{}", absorbed.problems);
            }
            if number == our_restart && let Some(point) = points.iter().next() {
                let stored = streams.encode_state(point.stream).expect("a state");
                streams = Streams::new(LIVE);
                streams.restore(point.stream, &stored).expect("a sound state");
            }
        }
        prop_assert_eq!(taken + rejected, exports.iter().filter(|export| !export.no_value).count() as u64);
        if exact && !matches!(exporter.shape, Shape::Sum) {
            check_values(&exporter, &exports, &counted)?;
        }
    }
}
