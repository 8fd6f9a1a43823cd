//! Streams: the state that makes running totals and deltas into counts, each once.

use std::hint::black_box;

use foldhash::fast::RandomState;
use indexmap::IndexMap;

use crate::classes::{Classes, Problems};
use crate::codec::CodecError;
use crate::delta::Entry;
use crate::point::{Point, Points, StreamId};
use crate::series::SeriesId;

mod buckets;
mod running;
mod spread;
mod state;
mod states;
mod sum;
mod unstarted;
mod way;
mod work;

use state::State;
pub use states::StreamStates;
pub use work::Increments;
use work::Work;

/// Streams that are remembered, some hundred bytes each; points of further ones are rejected by
/// name.
const MAX_STREAMS: usize = 200_000;

/// What is known about the time before a stream's first point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Counts from `observing_since_nanos` on: a running total that began earlier may have been
    /// counted elsewhere, so that its first point is only a base.
    Live {
        /// Unix nanoseconds since when this installation observes.
        observing_since_nanos: u64,
    },
    /// Trusts start times: the first point of a running total counts from zero at its start.
    Replay,
}

/// The state of all metric streams.
#[derive(Debug)]
pub struct Streams {
    origin: Origin,
    kept: ByStream<Kept>,
    /// Number of the latest checkpoint.
    checkpoint: u64,
    /// Whether changes can be rolled back to the checkpoint.
    saving: bool,
    /// Since the checkpoint: every stream that changed, as it was.
    undo: Vec<Changed>,
    /// Where the streams of the points at hand stand.
    at_hand: Vec<Option<usize>>,
}

/// Something of each stream, in the order in which streams came first.
pub type ByStream<V> = IndexMap<StreamId, V, RandomState>;

/// Where a stream stands. Points mostly come in the order in which they came the last time: so it is looked for first
/// behind its neighbour, which costs no memory that is far away.
pub fn place_after<V>(neighbour: Option<usize>, id: StreamId, all: &ByStream<V>) -> Option<usize> {
    let behind = neighbour.map_or(0, |neighbour| neighbour + 1);
    let is_there = all.get_index(behind).is_some_and(|(there, _)| *there == id);
    is_there.then_some(behind).or_else(|| all.get_index_of(&id))
}

/// A stream's state, and the checkpoint at which it was last saved; none yet is 0.
#[derive(Debug)]
struct Kept {
    state: State,
    saved_at: u64,
}

/// A stream that changed, and its state before; none if it is new.
#[derive(Debug)]
struct Changed {
    place: usize,
    before: Option<State>,
}

/// What points added.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Absorbed {
    /// The counts, sorted by slice and series, each pair once.
    pub entries: Vec<Entry>,
    /// The series of the counted points, sorted, each with how many it has.
    pub taken: Vec<(SeriesId, u64)>,
    /// Where the points went; nothing is `received` here, as decoding said that already.
    pub classes: Classes,
    /// What to tell the sender.
    pub problems: Problems,
}

impl Streams {
    /// No streams yet.
    pub fn new(origin: Origin) -> Streams {
        Streams {
            origin,
            kept: ByStream::default(),
            checkpoint: 0,
            saving: false,
            undo: Vec::new(),
            at_hand: Vec::new(),
        }
    }

    /// Takes points in commit order and says what they add.
    pub fn absorb(&mut self, points: &Points) -> Absorbed {
        let mut increments = Increments::default();
        let (classes, problems) = self.absorb_into(&mut increments, points);
        Absorbed {
            classes,
            problems,
            ..increments.finish()
        }
    }

    /// Takes one request's points in commit order, adds what they add, and says where they went.
    pub fn absorb_into(
        &mut self,
        increments: &mut Increments,
        points: &Points,
    ) -> (Classes, Problems) {
        let mut work = Work::new(increments);
        let at_hand = self.at_hand_of(points);
        for (point, known) in points.iter().zip(&at_hand) {
            let origin = match known {
                Some(_) => self.origin,
                None => self.origin_of(&point),
            };
            if let Some(place) = known.or_else(|| self.place(&point)) {
                let outcome = self.kept[place].state.advance(&point, origin);
                work.take(&point, outcome);
            } else {
                work.reject(&point, "too many metric streams");
            }
        }
        self.at_hand = at_hand;
        (work.classes, work.problems)
    }

    /// Where the points' streams stand, those that are known already, each saved to be rolled back. All are looked up
    /// before any changes, and all that is kept of them is asked for: memory is slow, and can be asked for many things
    /// at once.
    fn at_hand_of(&mut self, points: &Points) -> Vec<Option<usize>> {
        let mut at_hand = std::mem::take(&mut self.at_hand);
        at_hand.clear();
        let mut neighbour = None;
        at_hand.extend(points.streams().map(|id| {
            let place = place_after(neighbour, *id, &self.kept);
            neighbour = place.or(neighbour);
            place
        }));
        let saved_at = at_hand.iter().flatten();
        let saved_at = saved_at.map(|place| self.kept[*place].saved_at);
        black_box(saved_at.fold(0, |all, one| all ^ one));
        for place in at_hand.iter().flatten() {
            self.save(*place);
        }
        at_hand
    }

    /// What is known about the time before a point. A reading that is new where the points themselves are not was not
    /// asked for until now: its first point is a base, whenever the total began.
    fn origin_of(&self, point: &Point<'_>) -> Origin {
        let seen = |id: &StreamId| self.kept.contains_key(id);
        match &point.beside {
            Some(beside) if seen(beside) && !seen(&point.stream) => Origin::Live {
                observing_since_nanos: u64::MAX,
            },
            _ => self.origin,
        }
    }

    /// From here on changes can be [rolled back](Streams::rollback); an earlier checkpoint is
    /// forgotten.
    pub fn checkpoint(&mut self) {
        self.checkpoint += 1;
        self.saving = true;
        self.undo.clear();
    }

    /// Undoes everything since the checkpoint: the commit failed.
    pub fn rollback(&mut self) {
        // From the latest on, so that new streams leave in the order in which they came last.
        while let Some(Changed { place, before }) = self.undo.pop() {
            match before {
                Some(state) => self.kept[place].state = state,
                None => drop(self.kept.swap_remove_index(place)),
            }
        }
        self.saving = false;
    }

    /// Keeps everything since the checkpoint: the commit succeeded.
    pub fn keep(&mut self) {
        self.undo.clear();
        self.saving = false;
    }

    /// The stored form of every state that changed since the checkpoint.
    pub fn changed(&self) -> StreamStates {
        let mut states = StreamStates::with_room(self.undo.len());
        let mut encoded = Vec::new();
        let mut last = None;
        let changed = self.undo.iter();
        for (id, kept) in changed.filter_map(|changed| self.kept.get_index(changed.place)) {
            if last == Some(&kept.state) {
                states.push_same(*id);
                continue;
            }
            encoded.clear();
            kept.state.encode_into(&mut encoded);
            states.push(*id, &encoded);
            last = Some(&kept.state);
        }
        states
    }

    /// The stored form of a stream's state; `None` if there is no such stream.
    pub fn encode_state(&self, id: StreamId) -> Option<Vec<u8>> {
        let kept = self.kept.get(&id)?;
        let mut encoded = Vec::new();
        kept.state.encode_into(&mut encoded);
        Some(encoded)
    }

    /// Takes back a state that [`Streams::changed`] gave.
    pub fn restore(&mut self, id: StreamId, bytes: &[u8]) -> Result<(), CodecError> {
        let state = State::decode(bytes)?;
        match self.kept.get_mut(&id) {
            Some(kept) => kept.state = state,
            None => drop(self.insert(id, state)),
        }
        Ok(())
    }

    /// Forgets streams without a point since `older_than_nanos`, and says which. If one comes back,
    /// it cannot be known what of its total was counted: from then on a stream that is unknown and
    /// began before that time begins with a base, as if observing had begun then.
    pub fn trim(&mut self, older_than_nanos: u64) -> Vec<StreamId> {
        let is_old = |kept: &Kept| kept.state.latest() < older_than_nanos;
        let old = self.kept.extract_if(.., |_, kept| is_old(kept));
        let mut old: Vec<StreamId> = old.map(|(id, _)| id).collect();
        old.sort_unstable();
        if let Origin::Live {
            observing_since_nanos,
        } = &mut self.origin
            && !old.is_empty()
        {
            *observing_since_nanos = older_than_nanos.max(*observing_since_nanos);
        }
        old
    }

    /// Where a point's stream stands, saved to be rolled back; none if there is no room for a new one.
    fn place(&mut self, point: &Point<'_>) -> Option<usize> {
        if let Some(place) = self.kept.get_index_of(&point.stream) {
            self.save(place);
            return Some(place);
        }
        if self.kept.len() >= MAX_STREAMS {
            return None;
        }
        let place = self.insert(point.stream, State::new(&point.value));
        if self.saving {
            self.undo.push(Changed {
                place,
                before: None,
            });
            self.kept[place].saved_at = self.checkpoint;
        }
        Some(place)
    }

    /// Saves a state as it was at the checkpoint, if there is one and it is not saved yet.
    fn save(&mut self, place: usize) {
        let kept = &mut self.kept[place];
        if self.saving && kept.saved_at != self.checkpoint {
            kept.saved_at = self.checkpoint;
            let before = Some(kept.state.clone());
            self.undo.push(Changed { place, before });
        }
    }

    fn insert(&mut self, id: StreamId, state: State) -> usize {
        self.kept.insert_full(id, Kept { state, saved_at: 0 }).0
    }

    /// Number of streams.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }
}
