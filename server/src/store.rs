//! What sloburn remembers: SQLite in a directory, or PostgreSQL.
//!
//! [`Store`] is a cheap-clone handle. One connection writes, one transaction at a time, and several read. What
//! a write has committed is on disk (`synchronous = full`), and every later read sees it. All statements are
//! written once (`store/statements`) and compiled for both databases; their queries are not checked by macros,
//! as those know one database only: the contract tests run each against both.
//!
//! A store belongs to one process: a lock on the directory, or on the PostgreSQL database, keeps a second one out.

mod damage;
mod error;
mod hashes;
mod postgres;
mod room;
mod rows;
mod sqlite;
mod wal;

#[cfg(test)]
mod contract;
#[cfg(test)]
pub(crate) mod testing;

use std::sync::Arc;
use std::time::Duration;

pub use damage::{Quarantined, RowKey};
pub use error::{OpenError, StoreError};
pub use mend::{FoundIncident, FoundPage, MendedPage};
pub use rows::{
    AlertChange, AlertRow, AttemptRow, Attempted, Backlog, ChunkId, Delivery, Demand, End,
    ExemplarRow, Fold, Group, History, HistoryRow, JournalRow, Kind, Location, Next, OutboxRow,
    Owed, Prints, SliceRow, SpanState, SpecChangeRow, TallyRow, Tier, Trim,
};

/// A PostgreSQL server that does not answer must not hold a caller longer. Each statement has 5 s there; a
/// call is a few of them. Retention is the exception: it is many transactions, each short.
const POSTGRES_LIMIT: Duration = Duration::from_secs(20);

/// The hashes of the requests of one commit, if they are whole, and when they came in Unix seconds.
pub type Batch = (i64, Result<Vec<[u8; 16]>, StoreError>);

/// The open store. Clones share it.
#[derive(Clone, Debug)]
pub struct Store {
    engine: Arc<Engine>,
}

#[derive(Debug)]
enum Engine {
    Sqlite(sqlite::Engine),
    Postgres(postgres::Engine),
}

/// Runs one of the shared functions on the engine at hand.
macro_rules! on_engine {
    ($self:ident, $file:ident :: $function:ident ( $($argument:expr),* )) => {
        match &*$self.engine {
            Engine::Sqlite(engine) => {
                sqlite::statements::$file::$function(engine, $($argument),*).await
            }
            Engine::Postgres(engine) => {
                within(postgres::statements::$file::$function(engine, $($argument),*)).await
            }
        }
    };
}

/// The same for a write that pages depend on: if the disk is full, it is made again with the room kept for it; if an
/// index is damaged, with indexes made anew.
macro_rules! kept {
    ($self:ident, $($call:tt)*) => {
        match on_engine!($self, $($call)*) {
            Err(error) if $self.makes_room(&error) || $self.makes_indexes(&error).await => {
                on_engine!($self, $($call)*)
            }
            outcome => outcome,
        }
    };
}

mod mend;

async fn within<T>(call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    tokio::time::timeout(POSTGRES_LIMIT, call)
        .await
        .unwrap_or(Err(StoreError::TimedOut {
            seconds: POSTGRES_LIMIT.as_secs(),
        }))
}

impl Store {
    /// Opens a store, making it if it is not there: takes the lock, refuses a newer schema, brings an older one
    /// up to date.
    pub async fn open(location: &Location) -> Result<Store, OpenError> {
        let engine = match location {
            Location::Directory(directory) => {
                Engine::Sqlite(sqlite::Engine::open(directory).await?)
            }
            Location::Postgres(url) => Engine::Postgres(postgres::Engine::open(url).await?),
        };
        Ok(Store {
            engine: Arc::new(engine),
        })
    }

    /// Opens a store to read it, also while another process has it: no lock is taken, nothing is made or brought up
    /// to date, and every write is refused ([`StoreError::Closed`]).
    pub async fn open_to_read(location: &Location) -> Result<Store, OpenError> {
        let engine = match location {
            Location::Directory(directory) => {
                Engine::Sqlite(sqlite::Engine::open_to_read(directory).await?)
            }
            Location::Postgres(url) => Engine::Postgres(postgres::Engine::open_to_read(url).await?),
        };
        Ok(Store {
            engine: Arc::new(engine),
        })
    }

    /// Of requests that were counted, the stored answers that are no full success, in no order.
    pub async fn answers(
        &self,
        hashes: &[[u8; 16]],
    ) -> Result<Vec<([u8; 16], Vec<u8>)>, StoreError> {
        on_engine!(self, journal::answers(hashes))
    }

    /// The hashes of requests that were counted in `[from_s, to_s)`, Unix seconds: for each commit when its requests
    /// came and what they are, or that it is damaged.
    pub async fn requests(&self, from_s: i64, to_s: i64) -> Result<Vec<Batch>, StoreError> {
        on_engine!(self, journal::requests(from_s, to_s))
    }

    /// In which parts of so many seconds of Unix time counted requests came.
    pub async fn request_parts(&self, length_s: i64) -> Result<Vec<i64>, StoreError> {
        on_engine!(self, journal::request_parts(length_s))
    }

    /// Makes a group durable, in one transaction; returns the seq of its journal row, which only grows.
    pub async fn commit(&self, group: &Group) -> Result<i64, StoreError> {
        self.space()?;
        let outcome = on_engine!(self, journal::commit(group));
        let seq = self.or_full(outcome)?;
        failpoint!(
            "store.commit.unanswered",
            StoreError::TimedOut { seconds: 0 }
        );
        Ok(seq)
    }

    /// The last journal row that slices and tallies hold; 0 before the first fold.
    pub async fn folded(&self) -> Result<i64, StoreError> {
        on_engine!(self, meta::folded())
    }

    /// Journal rows after `seq`, oldest first.
    pub async fn journal_after(&self, seq: i64) -> Result<Vec<JournalRow>, StoreError> {
        on_engine!(self, journal::journal_after(seq))
    }

    /// Every series ever committed: id and key.
    pub async fn series(&self) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        on_engine!(self, journal::series())
    }

    /// Every metric stream: id and state as of the last fold.
    pub async fn streams(&self) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        on_engine!(self, journal::streams())
    }

    /// Counters by name, as of the last fold.
    pub async fn counters(&self) -> Result<Vec<(String, i64)>, StoreError> {
        on_engine!(self, journal::counters())
    }

    /// Replaces what a fold touched and drops the journal up to [`Fold::upto`], in one transaction.
    pub async fn fold(&self, fold: &Fold) -> Result<(), StoreError> {
        kept!(self, journal::fold(fold))?;
        failpoint!("store.fold.unanswered", StoreError::TimedOut { seconds: 0 });
        Ok(())
    }

    /// What is known about fingerprints of spans.
    pub async fn span_state(&self) -> Result<SpanState, StoreError> {
        on_engine!(self, spans::span_state())
    }

    /// Notes since when every counted span has a fingerprint, Unix seconds.
    pub async fn set_spans_since(&self, since_s: i64) -> Result<(), StoreError> {
        on_engine!(self, spans::set_spans_since(since_s))
    }

    /// Forgets all fingerprints: spans are no longer told apart.
    pub async fn clear_spans(&self) -> Result<(), StoreError> {
        on_engine!(self, spans::clear_spans())
    }

    /// Parts with fingerprints as committed.
    pub async fn span_parts(&self) -> Result<Vec<i64>, StoreError> {
        on_engine!(self, spans::span_parts())
    }

    /// Fingerprints of a part as committed, by seq, oldest first.
    pub async fn span_commits(&self, part: i64) -> Result<Vec<(i64, Prints)>, StoreError> {
        on_engine!(self, spans::span_commits(part))
    }

    /// Every chunk of sorted fingerprints, in order.
    pub async fn span_chunk_ids(&self) -> Result<Vec<ChunkId>, StoreError> {
        on_engine!(self, spans::span_chunk_ids())
    }

    /// Those of the named chunks that exist; their fingerprints rise.
    pub async fn span_chunks(
        &self,
        wanted: &[ChunkId],
    ) -> Result<Vec<(ChunkId, Prints)>, StoreError> {
        on_engine!(self, spans::span_chunks(wanted))
    }

    /// Inserts or replaces chunks of sorted fingerprints.
    pub async fn put_span_chunks(&self, chunks: &[(ChunkId, Vec<u8>)]) -> Result<(), StoreError> {
        on_engine!(self, spans::put_span_chunks(chunks))
    }

    /// Deletes fingerprints of a part as committed up to a seq: they are sorted now. Returns the number of rows.
    pub async fn drop_span_commits(&self, part: i64, upto_seq: i64) -> Result<u64, StoreError> {
        match &*self.engine {
            Engine::Sqlite(engine) => {
                sqlite::statements::spans::drop_span_commits(engine, part, upto_seq).await
            }
            Engine::Postgres(engine) => {
                postgres::statements::spans::drop_span_commits(engine, part, upto_seq).await
            }
        }
    }

    /// Deletes all fingerprints of parts before this one, and remembers, first, that they are gone. Returns the
    /// number of rows.
    pub async fn forget_spans(&self, before_part: i64) -> Result<u64, StoreError> {
        match &*self.engine {
            Engine::Sqlite(engine) => {
                sqlite::statements::spans::forget_spans(engine, before_part).await
            }
            Engine::Postgres(engine) => {
                postgres::statements::spans::forget_spans(engine, before_part).await
            }
        }
    }

    /// Slices with `after_s < end_s <= upto_s`, of all services or of these, by end and service.
    pub async fn slices(
        &self,
        tier: Tier,
        services: Option<&[String]>,
        after_s: i64,
        upto_s: i64,
    ) -> Result<Vec<SliceRow>, StoreError> {
        on_engine!(self, slices::slices(tier, services, after_s, upto_s))
    }

    /// Those of the named slices that exist.
    pub async fn slices_at(
        &self,
        wanted: &[(Tier, i64, String)],
    ) -> Result<Vec<SliceRow>, StoreError> {
        on_engine!(self, slices::slices_at(wanted))
    }

    /// Exemplars of one service in slices with `after_s < end_s <= upto_s`, by end.
    pub async fn exemplars(
        &self,
        service: &str,
        after_s: i64,
        upto_s: i64,
    ) -> Result<Vec<ExemplarRow>, StoreError> {
        on_engine!(self, exemplars::exemplars(service, after_s, upto_s))
    }

    /// Exemplars of those of the named slices (end and service) that have any.
    pub async fn exemplars_at(
        &self,
        wanted: &[(i64, String)],
    ) -> Result<Vec<ExemplarRow>, StoreError> {
        on_engine!(self, exemplars::exemplars_at(wanted))
    }

    /// Counts of the slices with `after_s < end_s <= upto_s`, by end and service, without their packs.
    pub async fn demand(
        &self,
        tier: Tier,
        after_s: i64,
        upto_s: i64,
    ) -> Result<Vec<Demand>, StoreError> {
        on_engine!(self, slices::demand(tier, after_s, upto_s))
    }

    /// End of the oldest slice of a tier, Unix seconds.
    pub async fn first_end(&self, tier: Tier) -> Result<Option<i64>, StoreError> {
        on_engine!(self, slices::first_end(tier))
    }

    /// End of the newest slice of a tier, Unix seconds.
    pub async fn last_end(&self, tier: Tier) -> Result<Option<i64>, StoreError> {
        on_engine!(self, slices::last_end(tier))
    }

    /// Notes changes of objectives, in their order.
    pub async fn note_spec_changes(&self, rows: &[SpecChangeRow]) -> Result<(), StoreError> {
        self.space()?;
        let outcome = on_engine!(self, specs::note_spec_changes(rows));
        self.or_full(outcome)
    }

    /// The newest mark of every objective that was noted, by its id.
    pub async fn spec_marks(&self) -> Result<Vec<(String, i64)>, StoreError> {
        on_engine!(self, specs::spec_marks())
    }

    /// The newest changes of objectives, newest first.
    pub async fn spec_changes(&self, most: i64) -> Result<Vec<SpecChangeRow>, StoreError> {
        on_engine!(self, specs::spec_changes(most))
    }

    /// Forgets the tallies of all other indicators: what is not kept up to date must not be found again.
    pub async fn keep_tallies(&self, fingerprints: &[i64]) -> Result<(), StoreError> {
        kept!(self, tallies::keep_tallies(fingerprints))
    }

    /// Every service ever seen, by name.
    pub async fn services(&self) -> Result<Vec<String>, StoreError> {
        on_engine!(self, slices::services())
    }

    /// Chunks of these indicators that end after `after_hour_end_s`, by fingerprint, tier and hour.
    pub async fn tallies(
        &self,
        fingerprints: &[i64],
        after_hour_end_s: i64,
    ) -> Result<Vec<TallyRow>, StoreError> {
        on_engine!(self, tallies::tallies(fingerprints, after_hour_end_s))
    }

    /// Inserts or replaces chunks.
    pub async fn put_tallies(&self, rows: &[TallyRow]) -> Result<(), StoreError> {
        kept!(self, tallies::put_tallies(rows))
    }

    /// Inserts or replaces minute and hour slices, and remembers up to when (Unix seconds) they are complete.
    pub async fn seal(&self, slices: &[SliceRow], sealed_until_s: i64) -> Result<(), StoreError> {
        kept!(self, slices::seal(slices, sealed_until_s))
    }

    /// Up to when minutes and hours are complete, Unix seconds; 0 before the first seal.
    pub async fn sealed_until(&self) -> Result<i64, StoreError> {
        on_engine!(self, meta::sealed_until())
    }

    /// Deletes what is older than asked, in small transactions; returns the number of rows.
    pub async fn trim(&self, trim: &Trim) -> Result<u64, StoreError> {
        match &*self.engine {
            Engine::Sqlite(engine) => sqlite::statements::retention::trim(engine, trim).await,
            Engine::Postgres(engine) => postgres::statements::retention::trim(engine, trim).await,
        }
    }

    /// The state of every alert, by objective and rule.
    pub async fn alerts(&self) -> Result<Vec<AlertRow>, StoreError> {
        on_engine!(self, alerts::alerts())
    }

    /// Advances alerts, writes their history and owes their pages: all of it, or, when one of the alerts is not
    /// at the version expected ([`StoreError::Conflict`]), nothing.
    pub async fn transition(
        &self,
        changes: &[AlertChange],
        pages: &[OutboxRow],
    ) -> Result<(), StoreError> {
        kept!(self, alerts::transition(changes, pages))?;
        failpoint!(
            "store.transition.unanswered",
            StoreError::TimedOut { seconds: 0 }
        );
        Ok(())
    }

    /// Incidents, newest first, of all objectives or of one.
    pub async fn history(
        &self,
        objective: Option<&str>,
        limit: i64,
    ) -> Result<Vec<HistoryRow>, StoreError> {
        on_engine!(self, alerts::history(objective, limit))
    }

    /// Incidents that are not resolved: objective, rule, number, and when it fired (Unix seconds).
    pub async fn open_incidents(&self) -> Result<Vec<(String, String, i64, i64)>, StoreError> {
        on_engine!(self, alerts::open_incidents())
    }

    /// The number of the next incident: one more than any that was stored. A transition takes it.
    pub async fn next_incident(&self) -> Result<i64, StoreError> {
        on_engine!(self, meta::next_incident())
    }

    /// What `receiver` is owed now: of each incident the oldest page it has not accepted, the one due first at
    /// the front, whether due yet or not.
    pub async fn owed(&self, receiver: &str, limit: i64) -> Result<Vec<Owed>, StoreError> {
        on_engine!(self, outbox::owed(receiver, limit))
    }

    /// Writes down, before the call, that an attempt begins; the page is not due again before `lease_until_ms`.
    /// Returns the attempt.
    pub async fn begin_attempt(
        &self,
        outbox: i64,
        started_ms: i64,
        lease_until_ms: i64,
    ) -> Result<i64, StoreError> {
        kept!(
            self,
            outbox::begin_attempt(outbox, started_ms, lease_until_ms)
        )
    }

    /// Writes down how an attempt ended and what follows.
    pub async fn end_attempt(&self, ended: &Attempted) -> Result<(), StoreError> {
        kept!(self, outbox::end_attempt(ended))
    }

    /// To call once after a start: pages whose attempt the last process did not finish are due at once. Returns
    /// their number.
    pub async fn resume(&self, now_ms: i64) -> Result<u64, StoreError> {
        kept!(self, outbox::resume(now_ms))
    }

    /// Fires that `receiver` has not accepted and no fallback was given yet: row and when decided (Unix
    /// milliseconds), oldest first.
    pub async fn unaccepted(
        &self,
        receiver: &str,
        limit: i64,
    ) -> Result<Vec<(i64, i64)>, StoreError> {
        on_engine!(self, outbox::unaccepted(receiver, limit))
    }

    /// Owes a fire, and its resolve if there is one, to `fallback` too. If the incident is over and its end was
    /// told to nobody, `end` writes the resolve, for a receiver that must have one.
    pub async fn escalate(
        &self,
        outbox: i64,
        fallback: &str,
        end: Option<End>,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        kept!(self, outbox::escalate(outbox, fallback, end, now_ms))
    }

    /// Number of pages that `receiver` is owed.
    pub async fn pending(&self, receiver: &str) -> Result<i64, StoreError> {
        on_engine!(self, outbox::pending(receiver))
    }

    /// What each receiver is owed.
    pub async fn backlog(&self) -> Result<Vec<Backlog>, StoreError> {
        on_engine!(self, outbox::backlog())
    }

    /// Pages and their attempts, newest page first, of all incidents or of one.
    pub async fn deliveries(
        &self,
        incident: Option<i64>,
        limit: i64,
    ) -> Result<Vec<Delivery>, StoreError> {
        on_engine!(self, outbox::deliveries(incident, limit))
    }

    /// Moves the damaged rows that were noted to quarantine, in one transaction; returns their number.
    pub async fn quarantine(&self, now_s: i64) -> Result<u64, StoreError> {
        let mut rows = self.noted().all();
        rows.retain(|(row, _)| !row.is_mended());
        if rows.is_empty() {
            return Ok(0);
        }
        let moved = kept!(self, quarantine::quarantine(&rows, now_s))?;
        self.noted().remove(&rows);
        Ok(moved)
    }

    /// Reads the whole database and says what is wrong with its structure, for as long as that takes.
    pub async fn check(&self) -> Result<Vec<String>, StoreError> {
        match &*self.engine {
            Engine::Sqlite(engine) => engine.check().await,
            Engine::Postgres(_) => Ok(Vec::new()),
        }
    }

    pub(crate) async fn newest(&self) -> Result<i64, StoreError> {
        on_engine!(self, quarantine::newest())
    }

    /// What is in quarantine, oldest first.
    pub async fn quarantined(&self) -> Result<Vec<Quarantined>, StoreError> {
        on_engine!(self, quarantine::quarantined())
    }

    /// Whether a request could be committed now: commits something of no meaning, without the room kept for pages.
    pub async fn trial(&self) -> Result<(), StoreError> {
        self.space()?;
        let outcome = on_engine!(self, meta::ping_write());
        self.or_full(outcome)
    }

    /// Commits something of no meaning: it waits for what an earlier connection may still be doing.
    pub async fn ping_write(&self) -> Result<(), StoreError> {
        kept!(self, meta::ping_write())
    }

    /// Waits for the write in progress and closes; other clones get [`StoreError::Closed`] or a closed pool.
    pub async fn close(self) {
        match &*self.engine {
            Engine::Sqlite(engine) => engine.close().await,
            Engine::Postgres(engine) => engine.close().await,
        }
    }
}
