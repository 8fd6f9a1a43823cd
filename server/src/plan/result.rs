//! What a plan says: plain values, the JSON of `sloburn plan` and of `POST /api/v1/plan`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The same past, judged by two catalogs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// Where the past comes from, in words.
    pub(crate) past: String,
    /// Episodes that end before this are not told of.
    pub(crate) from: Timestamp,
    /// The last tick that was judged.
    pub(crate) to: Timestamp,
    /// Until when ticks were judged by the hour only, as the past is no longer kept finer.
    pub(crate) hourly_until: Option<Timestamp>,
    /// Until when ticks were judged by the minute only.
    pub(crate) minutely_until: Option<Timestamp>,
    /// Share of a window's budget below which a page was false, as it was asked for: `0.02`.
    pub(crate) significant: String,
    /// All objectives that differ, taken together.
    pub(crate) pages: Sum,
    /// The same of tickets.
    pub(crate) tickets: Sum,
    /// Objectives that both catalogs judge alike: their pages are the same.
    pub(crate) unchanged: usize,
    /// The others, by id.
    pub(crate) slos: Vec<SloPlan>,
    /// What is wrong with the old specs, and what to do, one text each.
    pub(crate) old_problems: Vec<SpecProblem>,
    /// What is wrong with the new specs.
    pub(crate) new_problems: Vec<SpecProblem>,
    /// What the reader must know to trust the numbers.
    pub(crate) notes: Vec<String>,
}

/// One problem of a spec file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SpecProblem {
    /// Whether the document does not hold.
    pub(crate) error: bool,
    /// `file:line:column: problem`, with the help on a line of its own.
    pub(crate) text: String,
}

/// One objective that differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SloPlan {
    /// Its id in the new catalog, or the old one if it is removed.
    pub(crate) id: String,
    /// Its id in the old catalog, if it is another one.
    pub(crate) old_id: Option<String>,
    /// Service it belongs to.
    pub(crate) service: String,
    /// What became of it.
    pub(crate) fate: Fate,
    /// What differs; empty if it is added, removed, or only renamed.
    pub(crate) changes: Vec<Change>,
    /// What the new objective counts has no data before this, although the old one has.
    pub(crate) seam: Option<Seam>,
    /// Pages under both.
    pub(crate) pages: Alerts,
    /// Tickets under both.
    pub(crate) tickets: Alerts,
    /// The budget at `from`: old and new.
    pub(crate) budget_then: Pair<Standing>,
    /// The budget at `to`: old and new.
    pub(crate) budget_now: Pair<Standing>,
}

/// What became of an objective.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fate {
    /// Only the new catalog has it.
    Added,
    /// Only the old catalog has it.
    Removed,
    /// It has another name, and is otherwise the same.
    Renamed,
    /// It is judged in another way, maybe under another name.
    Changed,
}

/// One thing that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Change {
    /// What: `target`, `window`, `indicator`, `rule page-fast` …
    pub(crate) what: String,
    /// Before; none if there was nothing of the kind.
    pub(crate) old: Option<String>,
    /// After; none if there is nothing of the kind.
    pub(crate) new: Option<String>,
}

/// Since when there is data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seam {
    /// Of the old indicator.
    pub(crate) old_since: Option<Timestamp>,
    /// Of the new indicator; none if it has none at all.
    pub(crate) new_since: Option<Timestamp>,
}

/// Old and new.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pair<T> {
    /// None if the old catalog has nothing of the kind.
    pub(crate) old: Option<T>,
    /// None if the new catalog has nothing of the kind.
    pub(crate) new: Option<T>,
}

/// An error budget at one tick.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Standing {
    /// What is counted within the SLO's window: events, or time slices.
    pub(crate) total: u64,
    /// Those that count against it.
    pub(crate) bad: u64,
    /// How many of a count are one event or one slice: more than 1 where slices count by their error ratio.
    pub(crate) units: u64,
    /// Share of the budget that is left; negative when overspent, null without events.
    pub(crate) budget_remaining: Option<f64>,
}

/// Alerts of one severity and one objective under both catalogs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Alerts {
    /// Only the new catalog has them.
    pub(crate) added: Vec<Episode>,
    /// Only the old catalog has them.
    pub(crate) removed: Vec<Episode>,
    /// Both have them, at other times or by another rule.
    pub(crate) moved: Vec<Moved>,
    /// Both have them, from the same tick to the same tick.
    pub(crate) kept: usize,
    /// Their counts and minutes.
    pub(crate) sum: Sum,
}

/// An alert that both catalogs have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Moved {
    /// As it was.
    pub(crate) old: Episode,
    /// As it would have been.
    pub(crate) new: Episode,
    /// Detection: seconds that it fires later; negative if earlier.
    pub(crate) fires_later_s: i64,
    /// Reset: seconds that it resolves later; negative if earlier, null if either still fires.
    pub(crate) resolves_later_s: Option<i64>,
}

/// An alert from its firing to its resolve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Episode {
    /// Of the objective.
    pub(crate) rule: String,
    /// The tick it fired at; before `from` if it was firing then.
    pub(crate) fired_at: Timestamp,
    /// The tick it resolved at; null if it still fires at `to`.
    pub(crate) resolved_at: Option<Timestamp>,
    /// Minutes it was firing between `from` and `to`.
    pub(crate) minutes: f64,
    /// Bad events, or whole bad time slices, from one long window before it fired until it resolved.
    pub(crate) bad: u64,
    /// They, as a share of the window's budget; null without events.
    pub(crate) spent: Option<f64>,
    /// Whether that is less than what was asked for: nobody needed to get up.
    #[serde(rename = "false")]
    pub(crate) is_false: bool,
}

/// Counts and minutes of alerts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sum {
    /// Alerts under the old catalog.
    pub(crate) old: usize,
    /// Alerts under the new catalog.
    pub(crate) new: usize,
    /// Only under the new one.
    pub(crate) added: usize,
    /// Only under the old one.
    pub(crate) removed: usize,
    /// Under both, at other times or by another rule.
    pub(crate) moved: usize,
    /// Under the old catalog, false ones.
    pub(crate) old_false: usize,
    /// Under the new catalog, false ones.
    pub(crate) new_false: usize,
    /// Minutes that false ones fired under the old catalog.
    pub(crate) old_false_minutes: f64,
    /// Minutes that false ones fired under the new catalog.
    pub(crate) new_false_minutes: f64,
    /// Removed ones that were not false: nobody would hear of them.
    pub(crate) missed: usize,
}

impl Sum {
    pub(crate) fn plus(self, other: Sum) -> Sum {
        Sum {
            old: self.old + other.old,
            new: self.new + other.new,
            added: self.added + other.added,
            removed: self.removed + other.removed,
            moved: self.moved + other.moved,
            old_false: self.old_false + other.old_false,
            new_false: self.new_false + other.new_false,
            old_false_minutes: self.old_false_minutes + other.old_false_minutes,
            new_false_minutes: self.new_false_minutes + other.new_false_minutes,
            missed: self.missed + other.missed,
        }
    }

    /// Whether the two catalogs alert differently.
    pub(crate) fn differs(self) -> bool {
        self.added + self.removed + self.moved > 0
    }
}

impl Plan {
    /// Whether the new specs have errors: then nothing was judged.
    pub(crate) fn is_refused(&self) -> bool {
        self.new_problems.iter().any(|problem| problem.error)
    }
}
