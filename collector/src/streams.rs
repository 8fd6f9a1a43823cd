//! Streams: the state that makes running totals and deltas into counts, each once.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Place;

use foldhash::fast::RandomState;

use crate::classes::{Classes, Problems};
use crate::codec::CodecError;
use crate::delta::Entry;
use crate::point::{Point, StreamId};
use crate::series::SeriesId;

mod buckets;
mod running;
mod spread;
mod state;
mod sum;
mod unstarted;
mod work;

use state::State;
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
    states: HashMap<StreamId, Kept, RandomState>,
    /// Number of the latest checkpoint.
    checkpoint: u64,
    /// Since the checkpoint, if there is one: every stream that changed, as it was.
    undo: Option<Vec<(StreamId, Option<State>)>>,
}

/// A stream's state, and the checkpoint at which it was last saved; none yet is 0.
#[derive(Debug)]
struct Kept {
    state: State,
    saved_at: u64,
}

impl From<State> for Kept {
    fn from(state: State) -> Kept {
        Kept { state, saved_at: 0 }
    }
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
    /// Streams whose state changed, sorted.
    pub touched: Vec<StreamId>,
}

impl Streams {
    /// No streams yet.
    pub fn new(origin: Origin) -> Streams {
        Streams {
            origin,
            states: HashMap::default(),
            checkpoint: 0,
            undo: None,
        }
    }

    /// Takes points in commit order and says what they add.
    pub fn absorb(&mut self, points: &[Point]) -> Absorbed {
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
        points: &[Point],
    ) -> (Classes, Problems) {
        let mut work = Work::new(increments);
        for point in points {
            let origin = self.origin_of(point);
            if let Some(state) = self.state(point) {
                let outcome = state.advance(point, origin);
                work.take(point, outcome);
            } else {
                work.reject(point, "too many metric streams");
            }
        }
        (work.classes, work.problems)
    }

    /// What is known about the time before a point. A reading that is new where the points themselves are not was not
    /// asked for until now: its first point is a base, whenever the total began.
    fn origin_of(&self, point: &Point) -> Origin {
        let seen = |id: &StreamId| self.states.contains_key(id);
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
        self.undo = Some(Vec::new());
    }

    /// Undoes everything since the checkpoint: the commit failed.
    pub fn rollback(&mut self) {
        for (id, state) in self.undo.take().unwrap_or_default() {
            match state {
                Some(state) => self.states.insert(id, state.into()),
                None => self.states.remove(&id),
            };
        }
    }

    /// Keeps everything since the checkpoint: the commit succeeded.
    pub fn keep(&mut self) {
        self.undo = None;
    }

    /// The stored form of a stream's state; `None` if there is no such stream.
    pub fn encode_state(&self, id: StreamId) -> Option<Vec<u8>> {
        self.states.get(&id).map(|kept| kept.state.encode())
    }

    /// Takes back a state that [`Streams::encode_state`] gave.
    pub fn restore(&mut self, id: StreamId, bytes: &[u8]) -> Result<(), CodecError> {
        self.states.insert(id, State::decode(bytes)?.into());
        Ok(())
    }

    /// Forgets streams without a point since `older_than_nanos`, and says which. If one comes back,
    /// it cannot be known what of its total was counted: from then on a stream that is unknown and
    /// began before that time begins with a base, as if observing had begun then.
    pub fn trim(&mut self, older_than_nanos: u64) -> Vec<StreamId> {
        let old = self
            .states
            .iter()
            .filter(|(_, kept)| kept.state.latest() < older_than_nanos);
        let mut old: Vec<_> = old.map(|(id, _)| *id).collect();
        old.sort_unstable();
        for id in &old {
            self.states.remove(id);
        }
        if let Origin::Live {
            observing_since_nanos,
        } = &mut self.origin
            && !old.is_empty()
        {
            *observing_since_nanos = older_than_nanos.max(*observing_since_nanos);
        }
        old
    }

    /// The state of a point's stream, saved to be rolled back; none if there is no room for a new one.
    fn state(&mut self, point: &Point) -> Option<&mut State> {
        let Streams {
            states,
            checkpoint,
            undo,
            ..
        } = self;
        let room = states.len() < MAX_STREAMS;
        let kept = match states.entry(point.stream) {
            Place::Occupied(place) => place.into_mut(),
            Place::Vacant(place) if room => {
                if let Some(undo) = undo {
                    undo.push((point.stream, None));
                }
                let state = State::new(&point.value);
                let saved_at = *checkpoint;
                return Some(&mut place.insert(Kept { state, saved_at }).state);
            }
            Place::Vacant(_) => return None,
        };
        if let Some(undo) = undo
            && kept.saved_at != *checkpoint
        {
            kept.saved_at = *checkpoint;
            undo.push((point.stream, Some(kept.state.clone())));
        }
        Some(&mut kept.state)
    }

    /// Number of streams.
    pub fn len(&self) -> usize {
        self.states.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.states.is_empty()
    }
}
