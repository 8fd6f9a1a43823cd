//! What telemetry there is: every series with its events, and how long what services are asked for takes; for `check`,
//! `init` and `GET /api/v1/telemetry`.

mod told;

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use collector::{
    Encoding, Entry, Known, Limits, Measure, Measured, Origin, RequestHasher, SeriesId, SeriesKey,
    Signal, SpanKind, SparseHistogram, Streams,
};
use slo_specs::Catalog;

pub(crate) use self::told::Told;
use crate::catalog;
use crate::cli::SeenArgs;
use crate::clock::SystemClock;
use crate::history::{each_slice, spans};
use crate::remote::Remote;
use crate::replay::{ReplayError, kind_of};
use crate::resume::load_series;
use crate::serve;
use crate::store::{Location, Store, StoreError};

/// Longest line, in bytes: the size limit of a request.
const LINE_BYTES: u64 = 64 << 20;
/// Seconds of the shortest slice.
const SLICE_S: i64 = 10;
/// How far back a store is asked, in seconds.
const KEPT_S: i64 = 30 * 86_400;
/// Longest wait for a server.
const PATIENCE: Duration = Duration::from_secs(30);
/// Where a server tells what it has seen.
const TELEMETRY: &str = "/api/v1/telemetry";
/// The attribute that tells routes apart.
pub(crate) const ROUTE: &str = "http.route";

/// Telemetry over some time.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Every series with its events.
    series: BTreeMap<SeriesId, (Arc<SeriesKey>, u64)>,
    /// How long requests take, by service and [what they are](request_kind).
    durations: BTreeMap<(Arc<str>, &'static str), SparseHistogram>,
    /// Ends of the first and the last slice with events, Unix seconds.
    times: Option<(i64, i64)>,
    /// Where it is from, for people.
    pub(crate) place: String,
}

impl Seen {
    /// What the options name; nothing if they name nothing. A recording is measured as the catalog asks, and by route.
    pub(crate) fn of(args: &SeenArgs, specs: &Catalog) -> anyhow::Result<Option<Seen>> {
        if let Some(server) = &args.server {
            return Ok(Some(serve::runtime()?.block_on(Seen::of_server(server))?));
        }
        let location = match (&args.data, &args.database_url) {
            (Some(directory), _) => Some(Location::Directory(directory.clone())),
            (None, url) => url.clone().map(|url| Location::Postgres(url.into())),
        };
        if let Some(location) = location {
            let now = SystemClock.now().as_second();
            let seen = serve::runtime()?.block_on(async {
                let store = Store::open_to_read(&location).await?;
                let known = Known::default();
                load_series(&store, &known).await?;
                let seen = Seen::of_store(&store, &known, now).await;
                store.close().await;
                anyhow::Ok(seen?)
            })?;
            return Ok(Some(seen));
        }
        if args.recording.is_empty() {
            return Ok(None);
        }
        let names = args.recording.iter().map(|file| file.display().to_string());
        let mut reading = Reading::new(specs);
        reading.seen.place = names.collect::<Vec<_>>().join(", ");
        for file in &args.recording {
            reading.file(file)?;
        }
        Ok(Some(reading.seen))
    }

    /// What a running server keeps.
    async fn of_server(address: &str) -> anyhow::Result<Seen> {
        let remote = Remote::new(address, PATIENCE)?;
        let told: Told = match remote.get(TELEMETRY, "telemetry").await {
            Err(error) if error.is_unknown() => {
                let older = format!(
                    "{} does not tell what it has seen: it is an older sloburn than this one, or none",
                    remote.shown()
                );
                return Err(anyhow::Error::new(error).context(older));
            }
            told => told?,
        };
        told.seen(&remote.shown())
    }

    /// What a store keeps of the 30 days before `now`. Attributes that no spec named are not kept.
    pub(crate) async fn of_store(
        store: &Store,
        known: &Known,
        now: i64,
    ) -> Result<Seen, StoreError> {
        let mut seen = Seen {
            place: "what the store keeps".to_owned(),
            ..Seen::default()
        };
        for (tier, from, upto) in spans(store, now, now - KEPT_S, now).await? {
            each_slice(store, tier, None, (from, upto), |end, pack| {
                seen.reach(end - tier.seconds() + SLICE_S, end);
                for (id, measured) in &pack.series {
                    seen.count(known, *id, measured);
                }
            })
            .await?;
        }
        Ok(seen)
    }

    /// Every series with its events.
    pub(crate) fn series(&self) -> impl Iterator<Item = (&SeriesKey, u64)> {
        self.series.values().map(|(key, events)| (&**key, *events))
    }

    /// How long requests of a [kind](request_kind) to a service took.
    pub(crate) fn durations(&self, service: &str, kind: &'static str) -> SparseHistogram {
        let durations = self.durations.get(&(service.into(), kind));
        durations.cloned().unwrap_or_default()
    }

    /// How long it was, in seconds; at least a slice.
    pub(crate) fn seconds(&self) -> u64 {
        let length = self.times.map_or(0, |(first, last)| last - first);
        u64::try_from(length + SLICE_S).unwrap_or_default()
    }

    /// Notes that there are events in the slices that end at these times.
    fn reach(&mut self, begin: i64, end: i64) {
        let (first, last) = self.times.unwrap_or((begin, end));
        self.times = Some((first.min(begin), last.max(end)));
    }

    fn count(&mut self, known: &Known, id: SeriesId, measured: &Measured) {
        let Some(key) = known.get(id) else {
            return;
        };
        if let Some(kind) = request_kind(&key) {
            let of = (Arc::clone(&key.service), kind);
            let durations = self.durations.entry(of).or_default();
            durations.merge(measured.histogram());
        }
        let (_, events) = self.series.entry(id).or_insert((key, 0));
        *events = events.saturating_add(measured.count());
    }
}

/// What a service is asked for: spans of servers and of consumers.
pub(crate) fn request_kind(key: &SeriesKey) -> Option<&'static str> {
    match (key.signal, key.kind) {
        (Signal::Spans, SpanKind::Server) => Some(SpanKind::Server.as_str()),
        (Signal::Spans, SpanKind::Consumer) => Some(SpanKind::Consumer.as_str()),
        _ => None,
    }
}

/// A recording on its way in.
struct Reading {
    seen: Seen,
    /// Those that were read: exporters send again what they got no answer for.
    lines: HashSet<[u8; 16]>,
    hasher: RequestHasher,
    known: Known,
    streams: Streams,
    measure: Measure,
}

impl Reading {
    fn new(specs: &Catalog) -> Reading {
        // The times are what they are: nothing is late.
        let limits = Limits {
            max_late: Duration::MAX,
            ..Limits::default()
        };
        let mut measure = catalog::measure(specs, &limits, None);
        measure.dimensions.push(ROUTE.to_owned());
        measure.dimensions.sort();
        measure.dimensions.dedup();
        Reading {
            seen: Seen::default(),
            lines: HashSet::default(),
            hasher: RequestHasher::default(),
            known: Known::default(),
            streams: Streams::new(Origin::Replay),
            measure,
        }
    }

    fn file(&mut self, path: &Path) -> Result<(), ReplayError> {
        let file = path.display().to_string();
        let read = |source| ReplayError::Read {
            file: file.clone(),
            source,
        };
        let mut reader = BufReader::with_capacity(1 << 20, File::open(path).map_err(read)?);
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            let mut bounded = reader.by_ref().take(LINE_BYTES);
            if bounded.read_until(b'\n', &mut line).map_err(read)? == 0 {
                break;
            }
            let at = |message| ReplayError::Line {
                file: file.clone(),
                line: number,
                message,
            };
            self.line(line.trim_ascii()).map_err(at)?;
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8]) -> Result<(), String> {
        let kind = if line.is_empty() {
            None
        } else {
            kind_of(line)?
        };
        let Some(kind) = kind else {
            return Ok(());
        };
        if !self.lines.insert(self.hasher.hash(kind, line)) {
            return Ok(());
        }
        let decoded = collector::decode(
            kind,
            Encoding::Json,
            line,
            &self.measure,
            &self.known,
            u64::MAX,
        )
        .map_err(|error| error.to_string())?;
        for (id, key) in decoded.new_series {
            self.known.insert(id, key);
        }
        let mut entries = decoded.spans.summed().entries;
        entries.extend(self.streams.absorb(&decoded.points).entries);
        for Entry {
            series,
            slice,
            measured,
        } in entries
        {
            self.seen.reach(slice.end_seconds(), slice.end_seconds());
            self.seen.count(&self.known, series, &measured);
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use serde_json::json;

    use slo_specs::Catalog;

    use super::{Reading, Seen};

    /// Spans of a service that all take as long: kind (2 server, 3 client, 5 consumer), route, how many, how many of them failed.
    pub(crate) struct Spans {
        pub(crate) service: &'static str,
        pub(crate) kind: u8,
        pub(crate) route: &'static str,
        pub(crate) count: u64,
        pub(crate) failed: u64,
        pub(crate) milliseconds: u64,
    }

    /// What was seen when each came once at each of the seconds.
    pub(crate) fn seen(all: &[Spans], seconds: &[u64]) -> Seen {
        seen_for(&Catalog::default(), all, seconds)
    }

    /// The same, measured as specs ask.
    pub(crate) fn seen_for(specs: &Catalog, all: &[Spans], seconds: &[u64]) -> Seen {
        let mut reading = Reading::new(specs);
        reading.seen.place = "recording.jsonl".to_owned();
        for (second, spans) in seconds
            .iter()
            .flat_map(|s| all.iter().map(move |spans| (s, spans)))
        {
            reading.line(&line(spans, *second)).unwrap();
        }
        reading.seen
    }

    fn line(spans: &Spans, second: u64) -> Vec<u8> {
        let end = (1_704_067_200 + second) * 1_000_000_000;
        let one = |n: u64| {
            json!({
                "traceId": format!("{:032x}", n + second * 1_000 + 1),
                "spanId": format!("{:016x}", n + 1),
                "name": "handle",
                "kind": spans.kind,
                "startTimeUnixNano": (end - spans.milliseconds * 1_000_000).to_string(),
                "endTimeUnixNano": end.to_string(),
                "attributes": [{"key": "http.route", "value": {"stringValue": spans.route}}],
                "status": if n < spans.failed { json!({"code": 2}) } else { json!({}) },
            })
        };
        let request = json!({"resourceSpans": [{
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": spans.service}}]},
            "scopeSpans": [{"spans": (0..spans.count).map(one).collect::<Vec<_>>()}],
        }]});
        serde_json::to_vec(&request).unwrap()
    }
}
