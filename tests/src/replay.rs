//! Files for `sloburn replay`, and a naive recount of what it must answer.
//!
//! The recount knows nothing of series, slices or timelines: it goes over all events again for every number.

use serde_json::{Value, json};

/// Nanoseconds in a second.
pub const SECOND: u64 = 1_000_000_000;

/// One server span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// End, nanoseconds since the Unix epoch; also what its ids are made from.
    pub end: u64,
    /// Microseconds from start to end.
    pub duration_us: u64,
    /// Whether its status is ERROR.
    pub bad: bool,
}

/// One line as the OpenTelemetry Collector's file exporter writes it: a request with `events` of `service`.
pub fn line(service: &str, events: &[Event]) -> String {
    let spans: Vec<Value> = events.iter().map(span).collect();
    let request = json!({ "resourceSpans": [{
        "resource": { "attributes": [
            { "key": "service.name", "value": { "stringValue": service } },
        ] },
        "scopeSpans": [{ "scope": { "name": "shop" }, "spans": spans }],
    }] });
    format!("{request}\n")
}

fn span(event: &Event) -> Value {
    json!({
        "traceId": format!("{:032x}", u128::from(event.end) << 32 | u128::from(event.duration_us)),
        "spanId": format!("{:016x}", event.end),
        "name": "GET /cart",
        "kind": 2,
        "startTimeUnixNano": (event.end - event.duration_us * 1000).to_string(),
        "endTimeUnixNano": event.end.to_string(),
        "attributes": [
            { "key": "http.response.status_code", "value": { "intValue": if event.bad { "503" } else { "200" } } },
        ],
        "status": if event.bad { json!({ "code": 2 }) } else { json!({}) },
    })
}

/// One rule of the default policy: threshold is share of the budget × SLO window ÷ long window.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// As alerts name it.
    pub name: &'static str,
    /// `page` or `ticket`.
    pub severity: &'static str,
    /// Long window, seconds.
    pub long_s: u64,
    /// Short window, seconds.
    pub short_s: u64,
    /// Times the budget's rate, strictly above which it burns.
    pub threshold: f64,
    /// Bad events that the long window needs.
    pub minimum_bad: u64,
}

/// The default policy for an SLO over 30 days.
pub const DEFAULT_POLICY: [Rule; 4] = [
    rule("page-fast", "page", 3_600, 300, 14.4, 3),
    rule("page-slow", "page", 6 * 3_600, 1_800, 6.0, 3),
    rule("ticket-fast", "ticket", 86_400, 7_200, 3.0, 1),
    rule("ticket-slow", "ticket", 3 * 86_400, 6 * 3_600, 1.0, 1),
];

const fn rule(
    name: &'static str,
    severity: &'static str,
    long_s: u64,
    short_s: u64,
    threshold: f64,
    minimum_bad: u64,
) -> Rule {
    Rule {
        name,
        severity,
        long_s,
        short_s,
        threshold,
        minimum_bad,
    }
}

/// Bad and all events in `(to − seconds, to]`, the edges cut at 10-second slices.
pub fn recount(events: &[Event], to_s: u64, seconds: u64) -> (u64, u64) {
    let within = |event: &&Event| {
        let slice_s = event.end.div_ceil(10 * SECOND) * 10;
        slice_s > to_s - seconds && slice_s <= to_s
    };
    let (mut bad, mut total) = (0, 0);
    for event in events.iter().filter(within) {
        total += 1;
        bad += u64::from(event.bad);
    }
    (bad, total)
}

/// When a rule fires and resolves, as seconds since the epoch, over ticks in `(from, to]`, when every event has
/// arrived before the first tick after it.
pub fn episodes(
    events: &[Event],
    target: f64,
    rule: &Rule,
    from_s: u64,
    to_s: u64,
) -> Vec<(u64, Option<u64>)> {
    let mut episodes: Vec<(u64, Option<u64>)> = Vec::new();
    let mut tick = from_s + 10;
    // Prefix sums by slice: a naive recount of every window at every tick would take minutes.
    let sums = Sums::of(events, from_s, to_s);
    while tick <= to_s {
        let (long_bad, long_total) = sums.window(tick, rule.long_s);
        let (short_bad, short_total) = sums.window(tick, rule.short_s);
        let over = |bad: u64, total: u64| total > 0 && burn(bad, total, target) > rule.threshold;
        let short_over = over(short_bad, short_total);
        let firing = episodes
            .last()
            .is_some_and(|(_, resolved)| resolved.is_none());
        if firing {
            if short_total > 0
                && !short_over
                && let Some(last) = episodes.last_mut()
            {
                last.1 = Some(tick);
            }
        } else if short_over && over(long_bad, long_total) && long_bad >= rule.minimum_bad {
            episodes.push((tick, None));
        }
        tick += 10;
    }
    episodes
}

#[expect(
    clippy::cast_precision_loss,
    reason = "test data has far fewer events than 2^52"
)]
fn burn(bad: u64, total: u64, target: f64) -> f64 {
    bad as f64 / total as f64 / (1.0 - target)
}

struct Sums {
    from_s: u64,
    /// Bad and all events up to and with each slice.
    upto: Vec<(u64, u64)>,
}

impl Sums {
    fn of(events: &[Event], from_s: u64, to_s: u64) -> Sums {
        let mut upto = vec![(0, 0)];
        let mut slice_s = from_s + 10;
        let mut left = events;
        let (mut bad, mut total) = (0, 0);
        while slice_s <= to_s {
            let here = left.partition_point(|event| event.end <= slice_s * SECOND);
            bad += left[..here]
                .iter()
                .map(|event| u64::from(event.bad))
                .sum::<u64>();
            total += left[..here].len() as u64;
            left = &left[here..];
            upto.push((bad, total));
            slice_s += 10;
        }
        Sums { from_s, upto }
    }

    fn window(&self, to_s: u64, seconds: u64) -> (u64, u64) {
        let at = |second: u64| {
            let slices =
                usize::try_from(second.saturating_sub(self.from_s) / 10).unwrap_or_default();
            self.upto[slices.min(self.upto.len() - 1)]
        };
        let (end, start) = (at(to_s), at(to_s - seconds));
        (end.0 - start.0, end.1 - start.1)
    }
}
