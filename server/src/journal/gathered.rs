//! What the requests of one commit add up to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use collector::{
    Answer, Classes, Decoded, Delta, Entry, ExemplarSet, Increments, Kind, Known, Ledger, SeriesId,
    SeriesKey, Slice, Sorting, Spans, Streams, Summed,
};
use foldhash::fast::RandomState;

use crate::builtin::Ingest;
use crate::live::{Live, sum};
use crate::resume::locked;
use crate::store::Group;

/// What a group's requests add up to.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    entries: Vec<Entry>,
    classes: Ledger,
    /// What is owed if the group is not committed.
    pub(super) refused: Ledger,
    spans: Vec<Spans>,
    points: Increments,
    unweighted: Vec<(SeriesId, Slice)>,
    exemplars: ExemplarSet,
    pub(super) series: HashMap<SeriesId, Arc<SeriesKey>, RandomState>,
    pub(super) requests: Vec<([u8; 16], Vec<u8>)>,
}

impl Gathered {
    pub(super) fn of(requests: usize) -> Gathered {
        Gathered {
            spans: Vec::with_capacity(requests),
            requests: Vec::with_capacity(requests),
            ..Gathered::default()
        }
    }

    /// Notes a request with the same bytes as one of the group.
    pub(super) fn take_copy(&mut self, kind: Kind, classes: &Classes) {
        self.refuse(kind, classes);
        sum(
            self.classes
                .signal_mut(kind)
                .merge(&classes.all_duplicate()),
            "classes",
        );
    }

    /// Notes a request that is refused if the group is not committed.
    fn refuse(&mut self, kind: Kind, classes: &Classes) {
        sum(
            self.refused.signal_mut(kind).merge(&classes.all_shed()),
            "classes",
        );
    }

    /// Counts one request and returns its answer.
    pub(super) fn take(&mut self, kind: Kind, decoded: Decoded, streams: &mut Streams) -> Answer {
        self.refuse(kind, &decoded.classes);
        let (points, of_points) = streams.absorb_into(&mut self.points, &decoded.points);
        let mut classes = decoded.classes;
        sum(classes.merge(&points), "classes");
        let mut problems = decoded.problems;
        problems.merge(&of_points);
        self.series.extend(decoded.new_series);
        self.exemplars.merge(&decoded.exemplars);
        self.spans.push(decoded.spans);
        sum(self.classes.signal_mut(kind).merge(&classes), "classes");
        Answer::new(&classes, &problems)
    }

    /// Sums spans and points, and tells what an objective uses from what none does, by the catalog in force now.
    pub(super) fn sum_up(&mut self, sorting: &mut Sorting, live: &Mutex<Live>) {
        let spans = std::mem::take(&mut self.spans);
        let summed = Spans::sum(&spans, sorting).unwrap_or_else(|overflow| {
            sum(Err(overflow), "a group");
            Summed::default()
        });
        drop(spans);
        self.entries = summed.entries;
        self.unweighted = summed.unweighted;
        let points = std::mem::take(&mut self.points).finish();
        self.entries.extend(points.entries);
        let mut live = locked(live);
        let unmatched = live.unmatched(summed.taken);
        self.classes.spans.leave_unmatched(unmatched);
        let unmatched = live.unmatched(points.taken);
        self.classes.points.leave_unmatched(unmatched);
    }

    pub(super) fn add_owed(&mut self, owed: &Ledger) {
        sum(self.classes.merge(owed), "classes");
        sum(self.refused.merge(owed), "classes");
    }

    /// What is stored of it.
    pub(super) fn group(&mut self, received_s: i64, delta: &Delta) -> Group {
        let series = self.series.iter();
        Group {
            received_s,
            requests: std::mem::take(&mut self.requests),
            series: series
                .map(|(id, key)| (id.0.cast_signed(), key.encode()))
                .collect(),
            delta: delta.encode(),
            prints: Vec::new(),
        }
    }

    /// Counts where the spans went for sloburn's own objective, in the slice of their arrival.
    pub(super) fn add_ingest(&mut self, ingest: &Ingest, known: &Known, now_s: i64) {
        for (entry, key) in ingest.entries(&self.classes.spans, Slice::ending_at(now_s)) {
            if known.get(entry.series).is_none() {
                self.series.insert(entry.series, Arc::clone(key));
            }
            self.entries.push(entry);
        }
    }

    pub(super) fn delta(&mut self, streams: &Streams) -> Delta {
        let mut delta = Delta::default();
        sum(
            delta.add(std::mem::take(&mut self.entries), &self.classes),
            "a group",
        );
        delta.note_unweighted(std::mem::take(&mut self.unweighted));
        delta.exemplars = std::mem::take(&mut self.exemplars);
        delta.streams = streams.changed();
        delta
    }
}
