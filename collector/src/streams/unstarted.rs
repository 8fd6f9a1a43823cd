//! Running totals that do not say when they started: only the next points tell a restart from another sender.
//!
//! A fall waits for the next point. Goes the total on from there, it was a restart, and all of the new total counts.
//! Goes it on from before the fall, then several senders share the stream: the highest total alone counts, the
//! others are rejected by name until it has been silent for a while. What is counted then is never more than what
//! happened, but for the level of a sender that looked like a restart, or like growth, once.

use super::running::{Running, Total, Writer};
use super::state::{Amount, Outcome};
use crate::point::Point;

/// How long a total that is not sent any more is waited for, in nanoseconds.
const WAIT: u64 = 300_000_000_000;

/// A warning, and the reason of rejections.
pub(super) const SHARED: &str =
    "several senders share one stream without start times; give each its own service.instance.id";

/// What a total is to its stream. Totals with a start all count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Its growth counts.
    Counts,
    /// Begins with a fall that the next point must confirm.
    Unsure,
    /// Counted before a fall that was confirmed.
    Former,
    /// Another sender's, below the one that counts.
    Rival,
}

impl Role {
    pub(super) fn code(self) -> u8 {
        match self {
            Role::Counts => 0,
            Role::Unsure => 1,
            Role::Former => 2,
            Role::Rival => 3,
        }
    }

    pub(super) fn of(code: u8) -> Option<Role> {
        let all = [Role::Counts, Role::Unsure, Role::Former, Role::Rival];
        all.get(usize::from(code)).copied()
    }
}

impl Running {
    pub(super) fn advance_without_start<'p>(&mut self, point: &Point<'p>) -> Outcome<'p> {
        let time = point.time_nanos;
        let lines = self.writers.iter().filter(|writer| writer.start == 0);
        if lines
            .map(|writer| writer.time)
            .max()
            .is_some_and(|latest| time <= latest)
        {
            return Outcome::Duplicate;
        }
        let silent = |writer: &Writer| writer.role != Role::Unsure && time - writer.time > WAIT;
        if self
            .line(Role::Rival)
            .is_some_and(|at| !silent(&self.writers[at]))
            && self
                .line(Role::Counts)
                .is_some_and(|at| silent(&self.writers[at]))
        {
            // The highest is gone: of the others one counts from where it is.
            self.writers
                .retain(|writer| writer.start != 0 || writer.role == Role::Rival);
            self.turn(Role::Rival, Role::Counts);
        }
        self.writers
            .retain(|writer| writer.start != 0 || writer.role == Role::Counts || !silent(writer));
        if let Some(grown) = self.grow(Role::Former, point) {
            self.turn(Role::Counts, Role::Rival);
            self.turn(Role::Unsure, Role::Rival);
            self.turn(Role::Former, Role::Counts);
            return shared(grown);
        }
        if let Some(grown) = self.grow(Role::Counts, point) {
            self.turn(Role::Unsure, Role::Rival);
            let rival = self.line(Role::Rival).is_some();
            return if rival { shared(grown) } else { grown };
        }
        if let Some(at) = self.line(Role::Rival) {
            self.writers[at].time = time;
            self.writers[at].total = Total::new(&point.value, false);
            return Outcome::Rejected(SHARED);
        }
        self.confirm(point)
    }

    /// A point below what counts: the second one of a restart, or the first.
    fn confirm<'p>(&mut self, point: &Point<'p>) -> Outcome<'p> {
        let unsure = self.line(Role::Unsure).map(|at| self.writers.remove(at));
        let goes_on = unsure.as_ref().and_then(|writer| {
            let grown = writer.total.clone().grow(&point.value)?;
            (grown.count() > 0).then_some(writer.time)
        });
        let first = self.line(Role::Counts).is_none() && unsure.is_none();
        let role = if first || goes_on.is_some() {
            Role::Counts
        } else {
            Role::Unsure
        };
        if goes_on.is_some() {
            self.writers
                .retain(|writer| writer.start != 0 || writer.role != Role::Former);
            self.turn(Role::Counts, Role::Former);
        }
        self.remember(Writer {
            start: 0,
            time: point.time_nanos,
            total: Total::new(&point.value, goes_on.is_some()),
            role,
        });
        match (goes_on, Amount::whole(&point.value)) {
            (Some(from), Some(amount)) => Outcome::Adds {
                amount,
                from,
                to: point.time_nanos,
            },
            _ => Outcome::Baseline,
        }
    }

    fn grow(&mut self, role: Role, point: &Point<'_>) -> Option<Outcome<'static>> {
        let at = self.line(role)?;
        let writer = &mut self.writers[at];
        let amount = writer.total.grow(&point.value)?;
        let from = std::mem::replace(&mut writer.time, point.time_nanos);
        Some(Outcome::Adds {
            amount,
            from,
            to: point.time_nanos,
        })
    }

    fn line(&self, role: Role) -> Option<usize> {
        let mut writers = self.writers.iter();
        writers.position(|writer| writer.start == 0 && writer.role == role)
    }

    /// Gives a line another role, in place of one that has it.
    fn turn(&mut self, role: Role, into: Role) {
        if self.line(role).is_some() {
            if let Some(gone) = self.line(into) {
                self.writers.remove(gone);
            }
            if let Some(at) = self.line(role) {
                self.writers[at].role = into;
            }
        }
    }
}

fn shared(outcome: Outcome<'_>) -> Outcome<'_> {
    match outcome {
        Outcome::Adds { amount, from, to } => Outcome::Shared { amount, from, to },
        other => other,
    }
}
