//! What goes into the store and comes out of it: plain values.
//!
//! Names ending in `_s` are Unix seconds, in `_ms` Unix milliseconds.

use std::path::PathBuf;

use secrecy::SecretString;

/// Where a store lives.
#[derive(Clone, Debug)]
pub enum Location {
    /// SQLite, in this directory; made if it is missing.
    Directory(PathBuf),
    /// PostgreSQL, at this URL (`postgres://user:password@host:port/database`).
    Postgres(SecretString),
}

/// The resolution of a slice or a tally.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// 10 seconds.
    Ten,
    /// One minute.
    Minute,
    /// One hour.
    Hour,
}

impl Tier {
    /// The length of a slice of this tier, in seconds: what the store keeps.
    pub fn seconds(self) -> i64 {
        match self {
            Tier::Ten => 10,
            Tier::Minute => 60,
            Tier::Hour => 3600,
        }
    }

    /// The tier whose slices are that long, if there is one.
    pub fn of_seconds(seconds: i64) -> Option<Tier> {
        [Tier::Ten, Tier::Minute, Tier::Hour]
            .into_iter()
            .find(|tier| tier.seconds() == seconds)
    }
}

/// What one group commit makes durable.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Group {
    /// When the requests came, Unix seconds.
    pub received_s: i64,
    /// Hash of each request and the answer it gets (empty: full success). None may be counted already.
    pub requests: Vec<([u8; 16], Vec<u8>)>,
    /// Series not seen before: id and key. Those that are known are left as they are.
    pub series: Vec<(i64, Vec<u8>)>,
    /// What all of them together counted.
    pub delta: Vec<u8>,
    /// Fingerprints of the spans among it by part, 8 bytes each; no part twice.
    pub prints: Vec<(i64, Vec<u8>)>,
}

/// Names a chunk of sorted fingerprints: part, run, and the first fingerprint with its highest bit inverted.
pub type ChunkId = (i64, i64, i64);

/// Fingerprints of a row, 8 bytes each; none if the row is damaged.
pub type Prints = Option<Vec<u8>>;

/// What the store knows about fingerprints of spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanState {
    /// What they, and hashes of requests, are made with; never changes.
    pub secret: [u8; 16],
    /// Since when every counted span has one, Unix seconds; 0: spans are not told apart.
    pub since_s: i64,
    /// Those of parts before this one are gone.
    pub forgotten_part: i64,
}

/// What one group commit counted.
#[derive(Clone, Debug, PartialEq)]
pub struct JournalRow {
    /// Its number, which only grows.
    pub seq: i64,
    /// What was counted.
    pub delta: Vec<u8>,
    /// When its requests came, at the earliest and at the latest; Unix seconds.
    pub received_s: (i64, i64),
}

/// All series of one service over one slice.
#[derive(Clone, Debug, PartialEq)]
pub struct SliceRow {
    /// Its length.
    pub tier: Tier,
    /// Its end, Unix seconds.
    pub end_s: i64,
    /// `service.name`.
    pub service: String,
    /// Events counted.
    pub requests: i64,
    /// Of them with error status.
    pub failed: i64,
    /// The encoded series.
    pub pack: Vec<u8>,
}

/// Traces worth a look of one service and 10-second slice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExemplarRow {
    /// End of the slice, Unix seconds.
    pub end_s: i64,
    /// `service.name`.
    pub service: String,
    /// The encoded exemplars, which carry their checksum.
    pub traces: Vec<u8>,
}

/// A [`SliceRow`] without its pack.
#[derive(Clone, Debug, PartialEq)]
pub struct Demand {
    /// Its end, Unix seconds.
    pub end_s: i64,
    /// `service.name`.
    pub service: String,
    /// Events counted.
    pub requests: i64,
    /// Of them with error status.
    pub failed: i64,
}

/// A change of an objective, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecChangeRow {
    /// When it came into force, Unix seconds.
    pub at_s: i64,
    /// Its id.
    pub objective: String,
    /// Of the document then; 0 when the objective is gone.
    pub mark: i64,
    /// What changed, in words.
    pub what: String,
}

/// One hour of an indicator's tallies at one resolution.
#[derive(Clone, Debug, PartialEq)]
pub struct TallyRow {
    /// Of the indicator.
    pub fingerprint: i64,
    /// Length of the slices in the chunk.
    pub tier: Tier,
    /// End of the hour, Unix seconds.
    pub hour_end_s: i64,
    /// The encoded tallies.
    pub chunk: Vec<u8>,
}

/// What one fold moves from the journal into slices and tallies; each row replaces what is stored.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fold {
    /// The last journal row that is in these rows.
    pub upto: i64,
    /// Slices touched, whole.
    pub slices: Vec<SliceRow>,
    /// Exemplars of slices touched, whole.
    pub exemplars: Vec<ExemplarRow>,
    /// Chunks touched, whole.
    pub tallies: Vec<TallyRow>,
    /// Metric streams touched: id and state. An empty state removes the stream.
    pub streams: Vec<(i64, Vec<u8>)>,
    /// Counters by name, absolute.
    pub counters: Vec<(String, i64)>,
}

/// What [`Store::trim`](super::Store::trim) deletes: rows that ended before these Unix seconds; 0 keeps all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trim {
    /// 10-second slices.
    pub ten_before_s: i64,
    /// Minute slices.
    pub minute_before_s: i64,
    /// Hour slices.
    pub hour_before_s: i64,
    /// Request hashes and answers.
    pub request_before_s: i64,
    /// Chunks of 10-second tallies.
    pub tally_ten_before_s: i64,
    /// Chunks of minute tallies.
    pub tally_minute_before_s: i64,
    /// Chunks of hour tallies.
    pub tally_hour_before_s: i64,
    /// Incidents that are resolved.
    pub incident_before_s: i64,
    /// Pages delivered or abandoned, with their attempts, of incidents that were resolved before.
    pub outbox_before_s: i64,
    /// Damaged rows, by when they were found.
    pub quarantine_before_s: i64,
}

/// Writes the notice of a resolve from that of its fire, when the incident was resolved (Unix seconds), and why;
/// none if the fire's cannot be read.
pub type End = fn(&str, i64, &str) -> Option<String>;

/// The state of one alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertRow {
    /// Objective id.
    pub objective: String,
    /// Rule name.
    pub rule: String,
    /// JSON.
    pub state: String,
    /// Its incident, or 0.
    pub incident: i64,
    /// For the next [`AlertChange::expected_version`].
    pub version: i64,
}

/// A new state of one alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertChange {
    /// Objective id.
    pub objective: String,
    /// Rule name.
    pub rule: String,
    /// The version this change was decided on; 0: the alert is new. It becomes one more.
    pub expected_version: i64,
    /// JSON.
    pub state: String,
    /// Its incident, or 0.
    pub incident: i64,
    /// What to write into the incident's history, if anything.
    pub history: Option<History>,
}

/// What happened to the incident of an [`AlertChange`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum History {
    /// It began.
    Fired {
        /// `page` or `ticket`.
        severity: String,
        /// When, Unix seconds.
        fired_s: i64,
        /// Why.
        reason: String,
        /// Late data made it fire.
        late: bool,
    },
    /// It ended.
    Resolved {
        /// When, Unix seconds.
        resolved_s: i64,
        /// Why.
        reason: String,
    },
}

/// One incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryRow {
    /// Its number.
    pub incident: i64,
    /// Objective id.
    pub objective: String,
    /// Rule name.
    pub rule: String,
    /// `page` or `ticket`.
    pub severity: String,
    /// When it began, Unix seconds.
    pub fired_s: i64,
    /// When it ended; none while it fires.
    pub resolved_s: Option<i64>,
    /// Why it fired.
    pub reason: String,
    /// Why it ended.
    pub resolved_reason: Option<String>,
    /// Late data made it fire.
    pub late: bool,
}

/// What a page says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// An incident began.
    Fire,
    /// It ended.
    Resolve,
}

impl Kind {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Fire => "fire",
            Kind::Resolve => "resolve",
        }
    }

    /// From what is stored.
    pub fn parse(text: &str) -> Option<Kind> {
        [Kind::Fire, Kind::Resolve]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// A notice to owe. The same incident, rule and kind is owed to a receiver once, however often it is added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// Names of the receivers, for a [`Kind::Fire`]. A [`Kind::Resolve`] goes to all who are owed or had the
    /// fire of its incident, and to nobody else: leave it empty.
    pub receivers: Vec<String>,
    /// Of those who are owed a [`Kind::Resolve`], the only ones who get it; `None` for all of them.
    pub only: Option<Vec<String>>,
    /// Incident number.
    pub incident: i64,
    /// Objective id.
    pub objective: String,
    /// Rule name.
    pub rule: String,
    /// What it says.
    pub kind: Kind,
    /// JSON.
    pub notice: String,
    /// When it was decided, Unix milliseconds; due at once.
    pub created_ms: i64,
}

/// A page that a receiver is owed and that no earlier page of its incident holds up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owed {
    /// Its row.
    pub id: i64,
    /// Incident number.
    pub incident: i64,
    /// What it says.
    pub kind: Kind,
    /// JSON.
    pub notice: String,
    /// When it was decided, Unix milliseconds.
    pub created_ms: i64,
    /// Not before this, Unix milliseconds.
    pub due_ms: i64,
    /// Attempts made so far.
    pub attempts: i64,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempted {
    /// The attempt.
    pub attempt: i64,
    /// The page it was for.
    pub outbox: i64,
    /// When it ended, Unix milliseconds.
    pub ended_ms: i64,
    /// HTTP status, if there was an answer.
    pub status: Option<i64>,
    /// What went wrong, without secrets.
    pub detail: Option<String>,
    /// What follows.
    pub next: Next,
}

/// What follows an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing: the receiver has it.
    Accepted,
    /// Another attempt.
    Retry {
        /// Not before, Unix milliseconds.
        due_ms: i64,
    },
    /// Another attempt, although the receiver refuses what we send.
    Refused {
        /// Not before, Unix milliseconds.
        due_ms: i64,
    },
    /// Nothing more is tried, for this page and for those of the same incident that wait behind it.
    Abandoned,
}

/// A page and every attempt to deliver it, newest attempt last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its row.
    pub id: i64,
    /// Name of the receiver.
    pub receiver: String,
    /// The receiver it is the fallback for.
    pub fallback_of: Option<String>,
    /// Incident number.
    pub incident: i64,
    /// Objective id.
    pub objective: String,
    /// Rule name.
    pub rule: String,
    /// What it says.
    pub kind: Kind,
    /// JSON.
    pub notice: String,
    /// When it was decided, Unix milliseconds.
    pub created_ms: i64,
    /// When it was accepted or abandoned; none while it is owed.
    pub done_ms: Option<i64>,
    /// `accepted`, `abandoned`, or none while it is owed.
    pub outcome: Option<String>,
    /// Every try.
    pub attempts: Vec<AttemptRow>,
}

/// One try to deliver a page.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct AttemptRow {
    /// The page.
    pub outbox: i64,
    /// When it began, Unix milliseconds.
    pub started_ms: i64,
    /// When it ended; none while it is in flight.
    pub ended_ms: Option<i64>,
    /// `accepted`, `retry`, `refused` or `interrupted`.
    pub outcome: Option<String>,
    /// HTTP status, if there was an answer.
    pub status: Option<i64>,
    /// What went wrong.
    pub detail: Option<String>,
}

/// What a receiver is owed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// Name of the receiver.
    pub receiver: String,
    /// Pages owed.
    pub pages: i64,
    /// When the oldest was decided, Unix milliseconds.
    pub oldest_ms: i64,
}
