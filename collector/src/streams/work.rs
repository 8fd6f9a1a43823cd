//! What absorbing points has added so far.

use super::Absorbed;
use super::state::State;
use crate::point::Point;

#[derive(Debug, Default)]
pub(crate) struct Work {
    absorbed: Absorbed,
}

impl Work {
    pub(crate) fn observe(&mut self, state: &mut State, point: &Point) {
        state.latest = state.latest.max(point.time_nanos);
        self.absorbed.touched.push(point.stream);
    }

    pub(crate) fn finish(self) -> Absorbed {
        self.absorbed
    }
}
