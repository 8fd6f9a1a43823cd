//! Damaged rows: how one is known, and what becomes of it.
//!
//! Every row of counts, alerts and pages carries a CRC32C over its other columns. One that does not match is never
//! used: it is left out of what a read returns, noted, and moved to the table `quarantine` with the time that is
//! incomplete without it. What can be known of it from elsewhere takes its place: single numbers at once
//! (`statements/meta`), pages and incidents by [`Store::mend_page`] and [`Store::mend_incident`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::rows::{JournalRow, SliceRow, TallyRow};
use super::{Engine, Store, StoreError};

/// Fingerprints of spans are kept by parts of so many seconds.
pub(super) const PART_S: i64 = 600;

/// Rows noted at most: a disk that decays must not fill the memory. The rest is found again.
const NOTED: usize = 1_000;

/// A row that may be damaged, by its key as found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowKey {
    /// Of the journal.
    Journal {
        /// Its number.
        seq: i64,
        /// When its requests came, at the earliest and at the latest; Unix seconds.
        received_s: (i64, i64),
    },
    /// Of the series ever seen.
    Series(i64),
    /// Of the metric streams.
    Stream(i64),
    /// Of the slices.
    Slice {
        /// Its length in seconds.
        tier: i64,
        /// Its end, Unix seconds.
        end_s: i64,
        /// `service.name`.
        service: String,
    },
    /// Of the tallies.
    Tally {
        /// Of the indicator.
        fingerprint: i64,
        /// Length of its slices in seconds.
        tier: i64,
        /// End of the hour, Unix seconds.
        hour_end_s: i64,
    },
    /// Of the class counters.
    Counter(String),
    /// No row: commits at the end of the log that cannot be read.
    Log {
        /// How many.
        commits: usize,
        /// When they were made, at the earliest and at the latest; Unix seconds.
        made_s: (i64, i64),
    },
    /// Of the alerts.
    Alert {
        /// Objective id.
        objective: String,
        /// Rule name.
        rule: String,
    },
    /// Of the incidents.
    Incident(i64),
    /// Of the outbox.
    Page(i64),
    /// Of the single numbers.
    Number(String),
}

/// A row in quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// The table it was in.
    pub place: String,
    /// Its key as found.
    pub row_key: String,
    /// What was wrong with it.
    pub why: String,
    /// When it was found, Unix seconds.
    pub found_s: i64,
    /// Whose data is incomplete without it; none: that of any service.
    pub service: Option<String>,
    /// Data is incomplete after this, Unix seconds …
    pub from_s: i64,
    /// … up to this. Equal if nothing is missing.
    pub to_s: i64,
}

/// The damaged rows that were read and not yet moved.
#[derive(Debug, Default)]
pub(super) struct Noted(Mutex<Notes>);

#[derive(Debug, Default)]
struct Notes {
    rows: BTreeMap<RowKey, String>,
    /// Rows whose key is damaged so that no statement comes to them: they are marked, and stay where they are.
    left: BTreeSet<RowKey>,
}

impl Noted {
    pub(super) fn add(&self, row: RowKey, why: String) {
        let Notes { rows: noted, left } = &mut *self.notes();
        if noted.len() < NOTED && !noted.contains_key(&row) && !left.contains(&row) {
            tracing::error!(
                store.table = row.table(),
                store.row = row.to_string(),
                error = why,
                "a stored row is damaged; it is not used, and goes to quarantine"
            );
            noted.insert(row, why);
        }
    }

    pub(super) fn all(&self) -> Vec<(RowKey, String)> {
        let notes = self.notes();
        notes
            .rows
            .iter()
            .map(|(row, why)| (row.clone(), why.clone()))
            .collect()
    }

    pub(super) fn remove(&self, rows: &[(RowKey, String)]) {
        let mut notes = self.notes();
        for (row, _) in rows {
            notes.rows.remove(row);
            if row.is_out_of_reach() {
                notes.left.insert(row.clone());
            }
        }
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// Notes a row that cannot be used, for [`Store::quarantine`]. Rows whose checksum does not match are noted
    /// by the read itself, and left out of what it returns.
    pub fn damaged(&self, row: RowKey, why: &dyn std::error::Error) {
        self.noted().add(row, why.to_string());
    }

    /// The damaged rows that were noted and not yet moved.
    pub fn noted_damage(&self) -> Vec<RowKey> {
        self.noted().all().into_iter().map(|(row, _)| row).collect()
    }

    /// Whether the process before this one did not close the store. PostgreSQL looks after itself.
    pub fn was_unclean(&self) -> bool {
        match &*self.engine {
            Engine::Sqlite(engine) => engine.was_unclean(),
            Engine::Postgres(_) => false,
        }
    }

    /// Looks for commits of the last process that its log cannot give back, and marks their time as incomplete:
    /// from the last that is there to the last write.
    pub async fn mark_lost_commits(&self, now_s: i64) -> Result<(), StoreError> {
        let Engine::Sqlite(engine) = &*self.engine else {
            return Ok(());
        };
        let Some((commits, written_s)) = engine.lost() else {
            return Ok(());
        };
        let kept_s = self.newest().await?;
        let row = RowKey::Log {
            commits,
            made_s: (kept_s - 10, written_s.max(kept_s)),
        };
        self.noted().add(row, MISMATCH.to_owned());
        self.quarantine(now_s).await?;
        engine.restart_log().await
    }

    pub(super) fn noted(&self) -> &Noted {
        match &*self.engine {
            Engine::Sqlite(engine) => &engine.noted,
            Engine::Postgres(engine) => &engine.noted,
        }
    }
}

impl RowKey {
    /// The table it is in.
    pub fn table(&self) -> &'static str {
        match self {
            RowKey::Journal { .. } => "journal",
            RowKey::Series(_) => "series",
            RowKey::Stream(_) => "stream",
            RowKey::Slice { .. } => "slice",
            RowKey::Tally { .. } => "tally",
            RowKey::Counter(_) => "counter",
            RowKey::Log { .. } => "log",
            RowKey::Alert { .. } => "alert",
            RowKey::Incident(_) => "incident",
            RowKey::Page(_) => "outbox",
            RowKey::Number(_) => "meta",
        }
    }

    /// Whether its key holds bytes that are no text, or nothing.
    pub(super) fn is_out_of_reach(&self) -> bool {
        let damaged = |text: &str| text.is_empty() || text.contains(char::REPLACEMENT_CHARACTER);
        match self {
            RowKey::Slice { service, .. } => damaged(service),
            RowKey::Counter(name) | RowKey::Number(name) => damaged(name),
            RowKey::Alert { objective, rule } => damaged(objective) || damaged(rule),
            _ => false,
        }
    }

    /// Whether something is to be written in its place that the store does not know: see `store/mend`.
    pub(super) fn is_mended(&self) -> bool {
        matches!(self, RowKey::Incident(_) | RowKey::Page(_))
    }

    /// Whose data misses it, and when, in `(from, to]`, if it is found now.
    pub(super) fn missing(&self, now_s: i64) -> (Option<&str>, i64, i64) {
        match self {
            RowKey::Journal { received_s, .. } => (None, received_s.0, received_s.1),
            RowKey::Log { made_s, .. } => (None, made_s.0, made_s.1),
            RowKey::Slice {
                tier,
                end_s,
                service,
            } => (Some(service), end_s.saturating_sub(*tier), *end_s),
            // The next span with that name, the next point of that stream, makes it known again.
            RowKey::Series(_) | RowKey::Stream(_) => (None, now_s - 10, now_s),
            // What told spans apart is gone: those of the last minutes may come, and count, again.
            RowKey::Number(name) if name.starts_with("span_key") => (None, now_s - PART_S, now_s),
            // Counted again from slices; made again from the incident, the page, the alert, or other rows; a
            // figure of the debug page.
            RowKey::Tally { .. }
            | RowKey::Alert { .. }
            | RowKey::Counter(_)
            | RowKey::Incident(_)
            | RowKey::Page(_)
            | RowKey::Number(_) => (None, now_s, now_s),
        }
    }
}

impl std::fmt::Display for RowKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RowKey::Journal { seq, .. } => write!(f, "seq {seq}"),
            RowKey::Series(id) | RowKey::Stream(id) => write!(f, "id {id}"),
            RowKey::Slice {
                tier,
                end_s,
                service,
            } => write!(f, "{tier} s to {end_s} of {service}"),
            RowKey::Tally {
                fingerprint,
                tier,
                hour_end_s,
            } => write!(f, "{tier} s in the hour to {hour_end_s} of {fingerprint}"),
            RowKey::Counter(name) | RowKey::Number(name) => f.write_str(name),
            RowKey::Incident(number) => write!(f, "incident {number}"),
            RowKey::Page(id) => write!(f, "page {id}"),
            RowKey::Log { commits, .. } => write!(f, "{commits} commits"),
            RowKey::Alert { objective, rule } => write!(f, "{rule} of {objective}"),
        }
    }
}

impl JournalRow {
    /// To be told as damaged.
    pub fn key(&self) -> RowKey {
        RowKey::Journal {
            seq: self.seq,
            received_s: self.received_s,
        }
    }
}

impl SliceRow {
    /// To be told as damaged.
    pub fn key(&self) -> RowKey {
        RowKey::Slice {
            tier: self.tier.seconds(),
            end_s: self.end_s,
            service: self.service.clone(),
        }
    }
}

impl TallyRow {
    /// To be told as damaged.
    pub fn key(&self) -> RowKey {
        RowKey::Tally {
            fingerprint: self.fingerprint,
            tier: self.tier.seconds(),
            hour_end_s: self.hour_end_s,
        }
    }
}

/// The checksum of one row: CRC32C over its columns, each with its kind and length, so that no two rows of
/// different columns look alike.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowSum(u32);

impl RowSum {
    pub(super) fn of(table: &str) -> RowSum {
        RowSum(0).text(table)
    }

    pub(super) fn number(self, value: i64) -> RowSum {
        self.part(b'i', &value.to_le_bytes())
    }

    pub(super) fn text(self, value: &str) -> RowSum {
        self.part(b't', value.as_bytes())
    }

    pub(super) fn bytes(self, value: &[u8]) -> RowSum {
        self.part(b'b', value)
    }

    pub(super) fn optional_number(self, value: Option<i64>) -> RowSum {
        match value {
            Some(value) => self.number(value),
            None => self.part(b'n', &[]),
        }
    }

    pub(super) fn optional_text(self, value: Option<&str>) -> RowSum {
        match value {
            Some(value) => self.text(value),
            None => self.part(b'n', &[]),
        }
    }

    /// As it is stored.
    pub(super) fn value(self) -> i64 {
        i64::from(self.0)
    }

    /// Whether a row that was stored with this checksum is whole; one stored before there were any may be.
    pub(super) fn matches(self, stored: Option<i64>) -> bool {
        stored.is_none_or(|stored| stored == self.value())
    }

    fn part(self, kind: u8, bytes: &[u8]) -> RowSum {
        let length = (bytes.len() as u64).to_le_bytes();
        let sum = crc32c::crc32c_append(self.0, &[kind]);
        let sum = crc32c::crc32c_append(sum, &length);
        RowSum(crc32c::crc32c_append(sum, bytes))
    }
}

/// What is told of a row whose checksum does not match.
pub(super) const MISMATCH: &str = "checksum does not match";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_a_row_is_in_its_checksum() {
        let row = |number, text, bytes| {
            RowSum::of("slice")
                .number(number)
                .text(text)
                .bytes(bytes)
                .value()
        };
        let whole = row(7, "checkout", b"pack");
        for other in [
            row(6, "checkout", b"pack"),
            row(7, "checkouu", b"pack"),
            row(7, "checkout", b"pacj"),
            row(7, "checkoutp", b"ack"),
        ] {
            assert_ne!(whole, other);
        }
        assert_ne!(
            whole,
            RowSum::of("tally")
                .number(7)
                .text("checkout")
                .bytes(b"pack")
                .value()
        );
    }

    #[test]
    fn a_row_without_a_checksum_is_taken_as_it_is() {
        let sum = RowSum::of("stream").number(1);
        assert!(sum.matches(None));
        assert!(sum.matches(Some(sum.value())));
        assert!(!sum.matches(Some(sum.value() ^ 1)));
    }
}
