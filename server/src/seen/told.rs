//! What a server tells of the telemetry it has seen: the JSON of `GET /api/v1/telemetry`, and back.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use collector::{
    AttributeValue, Reading, SeriesKey, Signal, SpanKind, SpanStatus, SparseHistogram, Value,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::Seen;
use crate::plan::instant;

/// Series told: several times as many as a server counts unless its limits are raised. Those with most events are.
const MOST_TOLD: usize = 50_000;

const SIGNALS: [(Signal, &str); 8] = [
    (Signal::Spans, "traces"),
    (Signal::Sum, "sum"),
    (Signal::Distribution, "histogram"),
    (Signal::Gauge, "gauge"),
    (Signal::Read(Reading::Growth), "increase"),
    (Signal::Read(Reading::Age), "age_s"),
    (Signal::Read(Reading::Share), "share"),
    (Signal::Read(Reading::Amount), "amount"),
];
const KINDS: [SpanKind; 6] = [
    SpanKind::Unspecified,
    SpanKind::Internal,
    SpanKind::Server,
    SpanKind::Client,
    SpanKind::Producer,
    SpanKind::Consumer,
];
const STATUSES: [SpanStatus; 3] = [SpanStatus::Unset, SpanStatus::Ok, SpanStatus::Error];

/// Telemetry over the last 30 days.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Told {
    /// Ends of the first and the last slice with events; null without any.
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    /// Those with most events first.
    series: Vec<Series>,
    /// How many further series there are.
    left_out: usize,
    durations: Vec<Durations>,
}

/// One series.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Series {
    /// `traces`, or how points of a metric are counted.
    signal: String,
    service: String,
    /// Of a span.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    /// Of the span or metric.
    name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    unit: String,
    /// Of a span, unless it is unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    /// Spans without a parent.
    #[serde(default, skip_serializing_if = "is_false")]
    root: bool,
    /// Stands for others that found no room.
    #[serde(default, skip_serializing_if = "is_false")]
    overflow: bool,
    /// Those that specs name. A number that JSON does not have is null.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<String, Json>,
    events: u64,
}

/// How long requests to a service take.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Durations {
    service: String,
    /// `server` or `consumer`.
    kind: String,
    /// A duration in µs and how many are as long, to three digits.
    counts: Vec<(u64, u64)>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes the field by reference"
)]
fn is_false(flag: &bool) -> bool {
    !*flag
}

impl Told {
    /// What was seen, as far as it is told.
    pub(crate) fn of(seen: &Seen) -> Told {
        Told::bounded(seen, MOST_TOLD)
    }

    fn bounded(seen: &Seen, most: usize) -> Told {
        let mut all: Vec<_> = seen.series.values().collect();
        // By events; the sort is stable, and series come in the order of their ids.
        all.sort_by_key(|(_, events)| Reverse(*events));
        let left_out = all.len().saturating_sub(most);
        let series = all.into_iter().take(most);
        let durations = seen.durations.iter();
        Told {
            from: seen.times.map(|(first, _)| instant(first)),
            to: seen.times.map(|(_, last)| instant(last)),
            series: series
                .map(|(key, events)| Series::of(key, *events))
                .collect(),
            left_out,
            durations: durations
                .map(|((service, kind), counts)| Durations {
                    service: service.to_string(),
                    kind: (*kind).to_owned(),
                    counts: counts.iter().map(|(low, _, count)| (low, count)).collect(),
                })
                .collect(),
        }
    }

    /// The telemetry that the server at this address tells of.
    pub(crate) fn seen(self, server: &str) -> anyhow::Result<Seen> {
        let mut seen = Seen {
            place: format!("what {server} keeps"),
            times: self
                .from
                .zip(self.to)
                .map(|(from, to)| (from.as_second(), to.as_second())),
            ..Seen::default()
        };
        if self.left_out > 0 {
            seen.place = format!(
                "the {} busiest series of {server} (it has {} more)",
                self.series.len(),
                self.left_out
            );
        }
        for series in self.series {
            let key = series
                .key()
                .context("the server tells of another kind of telemetry than this sloburn knows")?;
            seen.series.insert(key.id(), (Arc::new(key), series.events));
        }
        for Durations {
            service,
            kind,
            counts,
        } in self.durations
        {
            let kind = SpanKind::as_str(named(&KINDS, SpanKind::as_str, &kind)?);
            let counts = SparseHistogram::of_values(counts.into_iter());
            seen.durations.insert((service.into(), kind), counts);
        }
        Ok(seen)
    }
}

impl Series {
    fn of(key: &SeriesKey, events: u64) -> Series {
        let signal = SIGNALS.iter().find(|(signal, _)| *signal == key.signal);
        let spans = key.signal == Signal::Spans;
        let attributes = key.attributes.iter();
        Series {
            signal: signal.map_or("", |(_, name)| *name).to_owned(),
            service: key.service.to_string(),
            kind: spans.then(|| key.kind.as_str().to_owned()),
            name: key.name.to_string(),
            unit: key.unit.to_string(),
            status: (key.status != SpanStatus::Unset).then(|| key.status.as_str().to_owned()),
            root: key.root,
            overflow: key.overflow,
            attributes: attributes
                .map(|(name, value)| (name.to_string(), json(value.as_ref())))
                .collect(),
            events,
        }
    }

    fn key(&self) -> anyhow::Result<SeriesKey> {
        let signal = SIGNALS.iter().find(|(_, name)| **name == self.signal);
        let Some((signal, _)) = signal else {
            bail!("`{}` is no signal", self.signal);
        };
        let kind = self.kind.as_deref().unwrap_or("unspecified");
        let status = self.status.as_deref().unwrap_or("unset");
        let attributes = self.attributes.iter();
        let attributes = attributes.map(|(name, json)| Ok((name.as_str().into(), value(json)?)));
        Ok(SeriesKey {
            signal: *signal,
            service: self.service.as_str().into(),
            kind: named(&KINDS, SpanKind::as_str, kind)?,
            name: self.name.as_str().into(),
            unit: self.unit.as_str().into(),
            status: named(&STATUSES, SpanStatus::as_str, status)?,
            root: self.root,
            attributes: attributes.collect::<anyhow::Result<_>>()?,
            overflow: self.overflow,
        })
    }
}

/// The one of these that has this name.
fn named<T: Copy>(all: &[T], name: impl Fn(T) -> &'static str, wanted: &str) -> anyhow::Result<T> {
    let found = all.iter().copied().find(|one| name(*one) == wanted);
    found.with_context(|| format!("`{wanted}` is not known"))
}

fn json(value: AttributeValue<'_>) -> Json {
    match value {
        AttributeValue::Text(text) => text.into(),
        AttributeValue::Bool(flag) => flag.into(),
        AttributeValue::Int(number) => number.into(),
        AttributeValue::Double(number) => number.into(),
    }
}

fn value(json: &Json) -> anyhow::Result<Value> {
    Ok(match json {
        Json::String(text) => Value::Text(text.as_str().into()),
        Json::Bool(flag) => Value::Bool(*flag),
        Json::Null => Value::Double(f64::NAN),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Value::Int(whole),
            (None, Some(number)) => Value::Double(number),
            (None, None) => bail!("`{number}` is no number of an attribute"),
        },
        Json::Array(_) | Json::Object(_) => bail!("an attribute is one value, not `{json}`"),
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Spans, seen};
    use super::*;

    fn shop() -> Seen {
        let spans = |service, kind, failed, milliseconds| Spans {
            service,
            kind,
            route: "/cart",
            count: 20,
            failed,
            milliseconds,
        };
        seen(
            &[
                spans("shop", 2, 3, 120),
                spans("mail", 5, 0, 900),
                spans("web", 3, 0, 1),
            ],
            &[10, 20, 30],
        )
    }

    fn over_the_wire(told: &Told) -> Seen {
        let text = serde_json::to_string(told).unwrap();
        let back: Told = serde_json::from_str(&text).unwrap();
        assert_eq!(back, *told);
        back.seen("http://a").unwrap()
    }

    #[test]
    fn what_is_told_is_what_was_seen() {
        let mut here = shop();
        let (key, _) = here.series.values().next().unwrap().clone();
        for value in [
            Value::Int(-5),
            Value::Double(5.0),
            Value::Double(0.1),
            Value::Bool(false),
            Value::Text("5".into()),
        ] {
            for (signal, _) in SIGNALS {
                let odd = SeriesKey {
                    signal,
                    unit: "µs".into(),
                    root: true,
                    overflow: true,
                    attributes: vec![("a.b".into(), value.clone()), ("c".into(), value.clone())],
                    ..(*key).clone()
                };
                here.series.insert(odd.id(), (Arc::new(odd), u64::MAX));
            }
        }
        let there = over_the_wire(&Told::of(&here));
        assert_eq!(there.place, "what http://a keeps");
        assert_eq!(there.times, here.times);
        assert_eq!(there.durations, here.durations);
        assert_eq!(there.durations.len(), 2, "of what is asked for");
        // A metric has no kind.
        let spans = |seen: &Seen| {
            let series = seen.series.values().cloned();
            series
                .map(|(key, events)| {
                    let kind = if key.signal == Signal::Spans {
                        key.kind
                    } else {
                        SpanKind::Unspecified
                    };
                    (
                        SeriesKey {
                            kind,
                            ..(*key).clone()
                        }
                        .id(),
                        events,
                    )
                })
                .collect::<BTreeMap<_, _>>()
        };
        assert_eq!(spans(&there), spans(&here));
    }

    #[test]
    fn what_is_told_is_bounded_and_says_so() {
        let told = Told::bounded(&shop(), 2);
        assert_eq!((told.series.len(), told.left_out), (2, 2));
        assert!(told.series.iter().all(|one| one.events == 60));
        let there = over_the_wire(&told);
        assert_eq!(
            there.place,
            "the 2 busiest series of http://a (it has 2 more)"
        );
    }

    #[test]
    fn nothing_seen_is_told_as_nothing() {
        let there = over_the_wire(&Told::of(&Seen::default()));
        assert_eq!((there.times, there.series().count()), (None, 0));
    }

    #[test]
    fn telemetry_of_another_kind_is_not_taken_for_this() {
        for (case, series) in [
            (
                "a signal",
                r#"{"signal":"profiles","service":"a","name":"b","events":1}"#,
            ),
            (
                "a kind",
                r#"{"signal":"traces","kind":"x","service":"a","name":"b","events":1}"#,
            ),
            (
                "a status",
                r#"{"signal":"traces","status":"x","service":"a","name":"b","events":1}"#,
            ),
            (
                "a value",
                r#"{"signal":"traces","attributes":{"a":[1]},"service":"a","name":"b","events":1}"#,
            ),
        ] {
            let text = format!(
                r#"{{"from":null,"to":null,"series":[{series}],"left_out":0,"durations":[]}}"#
            );
            let told: Told = serde_json::from_str(&text).unwrap();
            assert!(told.seen("http://a").is_err(), "{case}");
        }
    }
}
