//! The numbered faults.

use crate::chaos::wire::Cut;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// SIGKILL at a random moment under load.
    Kill,
    /// SIGKILL at a named point, under load; reached at the latest by a stop.
    KillAt(&'static str),
    /// SIGTERM under load.
    Terminate,
    /// An operation of the store is done and its answer lost; sloburn goes on.
    Doubt(&'static str),
    /// A network that loses, cuts, delays and doubles.
    LostAnswers,
    /// One request many times at the same moment, and again after a crash.
    Copies,
    /// The machine's clock jumps, forwards and backwards.
    Clock,
    /// A request that ends early, at every byte.
    Truncation,
    /// One span of 500 is not usable.
    Poison,
    /// Bursts of two hours ago and of the future.
    LateAndFuture,
    /// Payloads that are small on the wire and large in memory.
    Bombs,
    /// Running totals whose senders start again, over crashes of sloburn.
    Resets,
    /// SIGKILL at a named point while the specs are read again.
    Reload(&'static str),
    /// A fault at a named point while an alert fires.
    Page(&'static str),
    /// PostgreSQL ends every connection under load.
    Connections,
    /// The disk is full for a while.
    DiskFull,
    /// PostgreSQL refuses what sloburn writes for a while, with this SQLSTATE.
    Refused(&'static str),
    /// The connection to PostgreSQL is cut at the commit of a transaction with a statement that begins like this.
    Commit(&'static str, Cut),
    /// The same while an alert fires.
    PageCommit(&'static str, Cut),
}

/// Every fault, numbered from 1 by its place.
pub const FAULTS: [Fault; 45] = [
    Fault::Kill,
    Fault::KillAt("journal.gathered"),
    Fault::KillAt("store.commit.halfway"),
    Fault::KillAt("store.commit.unanswered"),
    Fault::KillAt("journal.applied"),
    Fault::KillAt("store.fold.halfway"),
    Fault::KillAt("store.fold.unanswered"),
    Fault::KillAt("tick.folded"),
    Fault::KillAt("stop.drained"),
    Fault::KillAt("start.loaded"),
    Fault::Terminate,
    Fault::Doubt("store.commit.unanswered"),
    Fault::Doubt("store.fold.unanswered"),
    Fault::LostAnswers,
    Fault::Copies,
    Fault::Clock,
    Fault::Truncation,
    Fault::Poison,
    Fault::LateAndFuture,
    Fault::Bombs,
    Fault::Resets,
    Fault::Reload("reload.measured"),
    Fault::Reload("reload.changed"),
    Fault::Page("tick.folded:kill@2"),
    Fault::Page("store.transition.halfway:kill"),
    Fault::Page("store.transition.unanswered:kill"),
    Fault::Page("store.transition.unanswered:error"),
    Fault::Page("page.begun:kill"),
    Fault::Page("page.answered:kill"),
    Fault::Connections,
    Fault::DiskFull,
    Fault::Refused("53100"),
    Fault::Refused("53200"),
    Fault::Refused("57014"),
    Fault::Refused("40001"),
    Fault::Commit("insert into journal", Cut::Unsent),
    Fault::Commit("insert into journal", Cut::Unanswered),
    Fault::Commit("insert into journal", Cut::Silent),
    Fault::Commit("insert into slice", Cut::Unsent),
    Fault::Commit("insert into slice", Cut::Unanswered),
    Fault::PageCommit("insert into incident", Cut::Unsent),
    Fault::PageCommit("insert into incident", Cut::Unanswered),
    Fault::PageCommit("insert into attempt", Cut::Unanswered),
    Fault::PageCommit("update attempt", Cut::Unsent),
    Fault::PageCommit("update attempt", Cut::Unanswered),
];

impl Fault {
    /// Its number, from 1.
    pub fn number(self) -> usize {
        let place = FAULTS.iter().position(|fault| *fault == self);
        place.map_or(0, |place| place + 1)
    }

    /// Whether it can strike a sloburn on PostgreSQL, or on SQLite.
    pub fn strikes(self, postgres: bool) -> bool {
        match self {
            Fault::Connections | Fault::Refused(_) | Fault::Commit(..) | Fault::PageCommit(..) => {
                postgres
            }
            Fault::DiskFull => !postgres,
            _ => true,
        }
    }
}
