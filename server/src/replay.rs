//! `sloburn replay`: recorded telemetry through the same pipeline, with a clock that follows it.
//!
//! A line arrives at the latest event time in it, or at the clock if that is later. Before it is
//! taken, every 10-second tick up to then is evaluated without it; the end of input is one last tick.

mod allowance;
mod report;

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use collector::{
    Delta, Encoding, Entry, Kind, Known, Ledger, Limits, Measure, Origin, Pack, RequestHasher,
    Streams,
};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;
use slo_specs::{AlertState, Catalog, Condition, Evaluation, Objective};

pub(crate) use self::allowance::{AllowanceReport, allowances};
pub(crate) use self::report::{
    AlertReport, Incomplete, Report, SloReport, Windows, slo_report, uncorrected_left,
    unweighted_at, windows,
};
use crate::catalog;
use crate::cli::{ReplayArgs, ReplayFormat};
use crate::judge::{Judge, Step};
use crate::live::{Live, sum};
use crate::segments::{asks_for, told_apart};

/// Seconds between ticks.
const TICK_S: i64 = 10;
/// Longest line, in bytes: the size limit of a request.
const LINE_BYTES: u64 = 64 << 20;
/// How often what only is counted is cut, in seconds of the data.
const PACKED_EVERY_S: i64 = 3_600;
/// A line that is further ahead of the clock than this is taken for a mistake, not for a gap.
const LARGEST_GAP_S: i64 = 400 * 86_400;

/// Why recorded telemetry could not be judged.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// A file could not be read.
    #[error("cannot read `{file}`: {source}")]
    Read {
        /// Path as given.
        file: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A line is not what the file exporter writes.
    #[error("{file}:{line}: {message}")]
    Line {
        /// Path as given.
        file: String,
        /// Counted from 1.
        line: u64,
        /// What is wrong with it.
        message: String,
    },
}

/// Runs the subcommand; exit status 1 if the specs have errors.
pub fn main(args: &ReplayArgs) -> anyhow::Result<ExitCode> {
    let loaded = catalog::load(&args.specs)?;
    if loaded.problems.iter().any(slo_specs::Problem::is_error) {
        crate::check::print_problems(&loaded.problems, &mut std::io::stderr().lock())?;
        return Ok(ExitCode::FAILURE);
    }
    let catalog = with_segments(Arc::new(loaded.catalog), &args.files)?;
    let mut replay = Replay::new(catalog);
    for file in &args.files {
        replay.file(file)?;
    }
    let mut err = std::io::stderr().lock();
    for line in replay.rejected() {
        writeln!(err, "{line}")?;
    }
    let report = replay.finish();
    let mut out = std::io::stdout().lock();
    match args.format {
        ReplayFormat::Json => serde_json::to_writer(&mut out, &report)?,
        ReplayFormat::Text => out.write_all(report.to_text().as_bytes())?,
    }
    writeln!(out)?;
    Ok(ExitCode::SUCCESS)
}

/// The catalog with the segments that are in the files: they are read once more for that, if any are asked for.
pub(crate) fn with_segments(
    catalog: Arc<Catalog>,
    files: &[std::path::PathBuf],
) -> Result<Arc<Catalog>, ReplayError> {
    if !asks_for(&catalog) {
        return Ok(catalog);
    }
    let mut counting = Replay::counting(Arc::clone(&catalog));
    for file in files {
        counting.file(file)?;
    }
    Ok(told_apart(catalog, &[], &counting.known))
}

/// What is not in the result, and why: totals without it would look right.
fn rejected(ledger: &Ledger) -> Vec<String> {
    let reasons = [
        ("arrived more than 2 h late", "late"),
        ("lie in the future", "future"),
        ("are not usable", "invalid"),
        ("are of a kind that is not measured", "unsupported"),
    ];
    let mut lines = Vec::new();
    for (reason, rejected) in reasons {
        let classes = ledger.named().into_iter().flat_map(|(_, of)| of.divided());
        let rejected = classes.filter(|(name, _)| *name == rejected);
        let events: u64 = rejected.map(|(_, class)| class.total).sum();
        if events > 0 {
            lines.push(format!("{events} events are not counted: they {reason}"));
        }
    }
    lines
}

/// The pipeline with a simulated clock.
#[derive(Debug)]
pub(crate) struct Replay {
    live: Live,
    known: Arc<Known>,
    streams: Streams,
    measure: Measure,
    judge: Judge,
    seen: HashSet<[u8; 16]>,
    hasher: RequestHasher,
    /// Nanoseconds since the epoch; none before the first line.
    clock: Option<u64>,
    next_tick: i64,
    applied: i64,
    alerts: Vec<AlertReport>,
    /// Nothing is judged on the way, and nothing is too late.
    counts_only: bool,
    /// Begin of the first slice with events.
    begin: Option<i64>,
    /// What each series measured in the slices that end in `(from, to]`, if that is asked for.
    watched: Option<((i64, i64), Pack)>,
}

/// Which request a line holds.
#[derive(Deserialize)]
struct Head {
    #[serde(rename = "resourceSpans")]
    spans: Option<IgnoredAny>,
    #[serde(rename = "resourceMetrics")]
    metrics: Option<IgnoredAny>,
    #[serde(rename = "resourceLogs")]
    logs: Option<IgnoredAny>,
}

impl Replay {
    pub(crate) fn new(catalog: Arc<Catalog>) -> Replay {
        let measure = catalog::measure(&catalog, &Limits::default(), None);
        let known = Arc::new(Known::default());
        let mut live = Live::new(catalog, Arc::clone(&known));
        live.keep_minutes();
        Replay {
            live,
            known,
            streams: Streams::new(Origin::Replay),
            measure,
            judge: Judge::default(),
            seen: HashSet::new(),
            hasher: RequestHasher::default(),
            clock: None,
            next_tick: 0,
            applied: 0,
            alerts: Vec::new(),
            counts_only: false,
            begin: None,
            watched: None,
        }
    }

    /// One that only counts, as finely as it can, for a past that is judged afterwards. Files may come in any
    /// order: no event is late.
    pub(crate) fn counting(catalog: Arc<Catalog>) -> Replay {
        let mut replay = Replay::new(catalog);
        replay.counts_only = true;
        replay.measure.limits.max_late = Duration::MAX;
        replay
    }

    /// One that counts series by series, in the slices that end in `(from, to]`.
    pub(crate) fn watching(catalog: Arc<Catalog>, span: (i64, i64)) -> Replay {
        let mut replay = Replay::counting(catalog);
        replay.watched = Some((span, Pack::default()));
        replay
    }

    /// What each series measured in the time that was watched.
    pub(crate) fn into_series(self) -> (Pack, Arc<Known>) {
        let pack = self.watched.map(|(_, pack)| pack);
        (pack.unwrap_or_default(), self.known)
    }

    /// What was counted.
    pub(crate) fn into_live(mut self) -> Live {
        if let Some((begin, end)) = self.times() {
            // A time before all of it: nothing becomes coarser.
            drop(self.live.cut(begin));
            if self.live.counts_silence() {
                (begin..=end)
                    .step_by(10)
                    .for_each(|tick| self.live.note_up(tick));
            }
            self.live.derive(end);
        }
        self.live
    }

    /// Begin of the first slice with events, and the tick after the last line, in Unix seconds.
    pub(crate) fn times(&self) -> Option<(i64, i64)> {
        let last = seconds(self.clock?).div_euclid(TICK_S) + 1;
        Some((self.begin?, last * TICK_S))
    }

    /// What is not counted, and why.
    pub(crate) fn rejected(&self) -> Vec<String> {
        rejected(self.live.classes())
    }

    pub(crate) fn file(&mut self, path: &Path) -> Result<(), ReplayError> {
        let file = path.display().to_string();
        let read = |source| ReplayError::Read {
            file: file.clone(),
            source,
        };
        let mut reader = BufReader::with_capacity(1 << 20, File::open(path).map_err(read)?);
        let mut line = Vec::new();
        let mut number = 0;
        loop {
            line.clear();
            let mut bounded = reader.by_ref().take(LINE_BYTES + 1);
            if bounded.read_until(b'\n', &mut line).map_err(read)? == 0 {
                return Ok(());
            }
            number += 1;
            let outcome = if line.len() as u64 > LINE_BYTES {
                Err("the line is longer than 64 MiB".to_owned())
            } else {
                self.line(line.trim_ascii())
            };
            outcome.map_err(|message| ReplayError::Line {
                file: file.clone(),
                line: number,
                message,
            })?;
        }
    }

    /// Takes one line, already trimmed; an empty one is nothing.
    pub(crate) fn line(&mut self, line: &[u8]) -> Result<(), String> {
        if line.is_empty() {
            return Ok(());
        }
        let Some(kind) = kind_of(line)? else {
            return Ok(());
        };
        if !self.seen.insert(self.hasher.hash(kind, line)) {
            return Ok(());
        }
        // Only the times are wanted yet: nothing is late and nothing ahead of this clock.
        let unbounded = Measure {
            limits: Limits {
                max_late: Duration::MAX,
                ..self.measure.limits.clone()
            },
            ..self.measure.clone()
        };
        let first = collector::decode(
            kind,
            Encoding::Json,
            line,
            &unbounded,
            &self.known,
            u64::MAX,
        )
        .map_err(|error| error.to_string())?;
        let Some(latest) = first.latest_event_nanos else {
            return Ok(());
        };
        let arrival = self.clock.map_or(latest, |clock| clock.max(latest));
        self.tick_until(arrival)?;
        self.take(kind, line, arrival)
    }

    /// Evaluates every tick up to and with an arrival, and moves the clock there.
    fn tick_until(&mut self, arrival: u64) -> Result<(), String> {
        let arrival_s = seconds(arrival);
        if self.clock.is_none() {
            self.next_tick = (arrival_s.div_euclid(TICK_S) + 1) * TICK_S;
        } else if arrival_s - self.next_tick > LARGEST_GAP_S {
            return Err(format!(
                "its latest event is at {}, more than 400 days after what came before; is its clock right?",
                timestamp(arrival_s)
            ));
        }
        if self.counts_only {
            if arrival_s >= self.next_tick {
                self.next_tick = arrival_s + PACKED_EVERY_S;
                if let Some(begin) = self.begin {
                    drop(self.live.cut(begin));
                }
            }
            self.clock = Some(arrival);
            return Ok(());
        }
        while self.next_tick <= arrival_s {
            let step = self.tick();
            if step.changes.is_empty() && self.is_still() {
                // No tick of the gap can differ from this one.
                self.next_tick = (arrival_s.div_euclid(TICK_S) + 1) * TICK_S;
            }
        }
        self.clock = Some(arrival);
        Ok(())
    }

    /// No event lies in any look-back, and no alert waits for its hold.
    fn is_still(&self) -> bool {
        let tick = self.next_tick - TICK_S;
        !self.live.counts_silence()
            && self.live.objectives().iter().all(|objective| {
                let timeline = self.live.account(objective);
                let last = timeline.and_then(slo_specs::Timeline::last_event);
                objective.rules.iter().all(|rule| {
                    let mut look_back = rule.condition.look_back();
                    if rule.condition.needs_window() {
                        look_back = look_back.max(objective.window.longest());
                    }
                    let look_back = i64::try_from(look_back.as_secs()).unwrap_or(i64::MAX);
                    let state = self.judge.state(&objective.id, &rule.name);
                    // Where time is left out, silence needs longer than its look-back.
                    let may_come = !objective.corrections.is_empty()
                        && !state.is_firing()
                        && rule.condition.leaves().into_iter().any(is_silence);
                    last.is_none_or(|last| last <= tick.saturating_sub(look_back))
                        && !matches!(state, AlertState::Pending { .. })
                        && !may_come
                })
            })
    }

    fn take(&mut self, kind: Kind, line: &[u8], arrival: u64) -> Result<(), String> {
        let decoded = collector::decode(
            kind,
            Encoding::Json,
            line,
            &self.measure,
            &self.known,
            arrival,
        )
        .map_err(|error| error.to_string())?;
        for (id, key) in decoded.new_series {
            self.known.insert(id, key);
        }
        let absorbed = self.streams.absorb(&decoded.points);
        let mut classes = decoded.classes;
        sum(classes.merge(&absorbed.classes), "classes");
        let spans = decoded.spans.summed();
        let mut entries = spans.entries;
        entries.extend(absorbed.entries);
        self.watch(&entries);
        let first = entries
            .iter()
            .map(|entry| entry.slice.end_seconds() - TICK_S);
        self.begin = self.begin.into_iter().chain(first).min();
        let mut delta = Delta::default();
        sum(delta.add(entries, &Ledger::of(kind, classes)), "a line");
        delta.note_unweighted(spans.unweighted);
        self.applied += 1;
        self.live.apply(self.applied, delta);
        Ok(())
    }

    fn watch(&mut self, entries: &[Entry]) {
        let Some(((from, to), pack)) = &mut self.watched else {
            return;
        };
        for entry in entries {
            let end = entry.slice.end_seconds();
            if *from < end && end <= *to {
                sum(pack.add(entry.series, &entry.measured), "a series");
            }
        }
    }

    fn tick(&mut self) -> Step {
        let now = timestamp(self.next_tick);
        self.next_tick += TICK_S;
        let cut = self.live.cut(now.as_second());
        drop(cut);
        let step = self.judge.propose(&mut self.live, now);
        self.judge.accept(&step);
        for change in &step.changes {
            if let Some(event) = &change.event {
                self.record(event, &change.key.objective, &change.key.rule, now);
            }
        }
        step
    }

    fn record(&mut self, event: &crate::judge::Event, slo: &str, rule: &str, now: Timestamp) {
        if event.fired() {
            self.alerts.push(AlertReport {
                slo: slo.to_owned(),
                severity: event.severity().name(),
                rule: rule.to_owned(),
                fired_at: now,
                resolved_at: None,
            });
        } else if let Some(alert) = self
            .alerts
            .iter_mut()
            .rev()
            .find(|alert| alert.slo == slo && alert.rule == rule)
        {
            alert.resolved_at = Some(now);
        }
    }

    /// The last tick, and what stands then.
    pub(crate) fn finish(mut self) -> Report {
        let slos = if self.clock.is_some() {
            let step = self.tick();
            let live = &self.live;
            step.evaluations
                .iter()
                .map(|(objective, evaluation)| reported(objective, evaluation, live))
                .collect()
        } else {
            let live = &mut self.live;
            let step = self.judge.propose(live, Timestamp::UNIX_EPOCH);
            step.evaluations
                .iter()
                .map(|(objective, evaluation)| reported(objective, evaluation, &self.live))
                .collect()
        };
        let mut alerts = self.alerts;
        alerts.sort_by(|a, b| (a.fired_at, &a.slo, &a.rule).cmp(&(b.fired_at, &b.slo, &b.rule)));
        Report { alerts, slos }
    }
}

fn is_silence(condition: &Condition) -> bool {
    matches!(condition, Condition::NoData { .. })
}

fn reported(objective: &Objective, evaluation: &Evaluation, live: &Live) -> SloReport {
    let latency = live.quantiles(objective, evaluation.at.as_second());
    let windows = windows(objective, evaluation, live);
    SloReport {
        sampled_without_weight_at: unweighted_at(objective, evaluation, live),
        ..slo_report(objective, evaluation, windows, latency)
    }
}

pub(crate) fn kind_of(line: &[u8]) -> Result<Option<Kind>, String> {
    let head: Head =
        serde_json::from_slice(line).map_err(|error| format!("not OTLP/JSON: {error}"))?;
    let kinds = [
        (head.spans, Kind::Traces),
        (head.metrics, Kind::Metrics),
        (head.logs, Kind::Logs),
    ];
    let mut present = kinds.into_iter().filter(|(field, _)| field.is_some());
    let kind = present.next().map(|(_, kind)| kind);
    if present.next().is_some() {
        return Err("one line holds one request, but this has more than one of resourceSpans, resourceMetrics and resourceLogs".to_owned());
    }
    Ok(kind)
}

fn seconds(nanos: u64) -> i64 {
    i64::try_from(nanos / 1_000_000_000).unwrap_or(i64::MAX)
}

/// A tick as a time; beyond the calendar it is the calendar's end.
fn timestamp(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
