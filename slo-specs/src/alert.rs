//! An alert's life: inactive → pending → firing → inactive, one rule of one objective each.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::window::window_words;
use crate::{LateBreach, Reading, Rule};

/// Where the alert of one rule stands. Stored between ticks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// Nothing is wrong.
    Inactive {
        /// The latest time it fired, so that late data does not page for it again.
        last: Option<Episode>,
    },
    /// Breached, but not yet for as long as the rule holds.
    Pending {
        /// First tick of the unbroken breach.
        since: Timestamp,
        /// As in `Inactive`.
        last: Option<Episode>,
    },
    /// It has fired and not resolved.
    Firing {
        /// Tick at which it fired.
        since: Timestamp,
        /// The number its pages carry.
        incident: u64,
    },
}

/// A firing that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Episode {
    /// Tick at which it fired.
    pub fired_at: Timestamp,
    /// Tick at which it resolved.
    pub resolved_at: Timestamp,
}

/// What somebody must hear of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Fired or resolved.
    pub change: Change,
    /// The number of the incident that begins or ends.
    pub incident: u64,
    /// Why, in words: `burn rate 20.0 over 1 h and 24.1 over 5 min, threshold 14.4`.
    pub reason: String,
}

/// The two transitions that owe a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// The alert fires.
    Fired,
    /// The alert is over.
    Resolved,
}

impl Default for AlertState {
    fn default() -> Self {
        Self::Inactive { last: None }
    }
}

impl AlertState {
    /// The state after a tick, and what changed for somebody.
    ///
    /// `incident` numbers the incident that begins now, should one begin. A firing alert resolves
    /// only when its condition is known to be over, as its [`Reading`] tells: silence resolves nothing
    /// but an alert of silence, which ends when data is back. A breach that breaks off before the hold is over starts from the beginning.
    #[must_use]
    pub fn advance(
        self,
        rule: &Rule,
        reading: &Reading,
        now: Timestamp,
        incident: u64,
    ) -> (Self, Option<Transition>) {
        match self {
            Self::Firing { since, incident } => {
                if !reading.clear {
                    return (Self::Firing { since, incident }, None);
                }
                let last = Some(Episode {
                    fired_at: since,
                    resolved_at: now,
                });
                let reason = reading.resolved_reason(&rule.condition);
                let transition = Transition {
                    change: Change::Resolved,
                    incident,
                    reason,
                };
                (Self::Inactive { last }, Some(transition))
            }
            Self::Inactive { last } | Self::Pending { last, .. } if !reading.breached => {
                (Self::Inactive { last }, None)
            }
            Self::Inactive { last } => pend_or_fire(rule, reading, now, now, last, incident),
            Self::Pending { since, last } => {
                pend_or_fire(rule, reading, since, now, last, incident)
            }
        }
    }

    /// The state after late data showed a past breach: it fires now, unless it fires already or
    /// the breach belongs to the latest time it fired (from one look-back before it fired until
    /// it resolved). From then on [`advance`](Self::advance) resolves it as any other.
    #[must_use]
    pub fn fire_late(
        self,
        rule: &Rule,
        breach: &LateBreach,
        now: Timestamp,
        incident: u64,
    ) -> (Self, Option<Transition>) {
        let (Self::Inactive { last } | Self::Pending { last, .. }) = &self else {
            return (self, None);
        };
        let at = breach.reading.at;
        let known = last.is_some_and(|episode| {
            let long_s = i64::try_from(rule.condition.look_back().as_secs()).unwrap_or(i64::MAX);
            let begin = episode.fired_at.as_second().saturating_sub(long_s);
            at.as_second() >= begin && at <= episode.resolved_at
        });
        if known {
            return (self, None);
        }
        let reason = format!(
            "late data: {} at {at}",
            breach.reading.says(&rule.condition)
        );
        let transition = Transition {
            change: Change::Fired,
            incident,
            reason,
        };
        (
            Self::Firing {
                since: now,
                incident,
            },
            Some(transition),
        )
    }

    /// Whether it has fired and not resolved.
    pub fn is_firing(&self) -> bool {
        matches!(self, Self::Firing { .. })
    }
}

fn pend_or_fire(
    rule: &Rule,
    reading: &Reading,
    since: Timestamp,
    now: Timestamp,
    last: Option<Episode>,
    incident: u64,
) -> (AlertState, Option<Transition>) {
    let held_s = now.as_second().saturating_sub(since.as_second());
    let hold_s = i64::try_from(rule.hold.as_secs()).unwrap_or(i64::MAX);
    if held_s < hold_s {
        return (AlertState::Pending { since, last }, None);
    }
    let mut reason = reading.says(&rule.condition);
    if hold_s > 0 {
        reason = format!("{reason}, held for {}", window_words(rule.hold));
    }
    let transition = Transition {
        change: Change::Fired,
        incident,
        reason,
    };
    (
        AlertState::Firing {
            since: now,
            incident,
        },
        Some(transition),
    )
}
