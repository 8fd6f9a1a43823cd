//! Metrics in JSON.

use super::{Names, request};
use crate::decode::exemplars::{MOST_OF_POINT, SentExemplar};
use crate::decode::fold::Fold;
use crate::decode::json::values::{any, attributes};
use crate::decode::metrics::{
    Data, MAX_BUCKETS, SentExponential, SentHistogram, SentPoint, SentValue, temporality,
};
use crate::decode::spans::SentId;
use crate::decode::{Broken, Decoded, RequestError};
use crate::json::Json;
use crate::point::Number;

const TEMPORALITIES: [(&str, u64); 3] = [
    ("AGGREGATION_TEMPORALITY_UNSPECIFIED", 0),
    ("AGGREGATION_TEMPORALITY_DELTA", 1),
    ("AGGREGATION_TEMPORALITY_CUMULATIVE", 2),
];

/// Decodes an `ExportMetricsServiceRequest`.
pub(crate) fn metrics(body: &[u8], mut fold: Fold<'_>) -> Result<Decoded, RequestError> {
    fold.identify_streams();
    let names = Names {
        resources: "resourceMetrics",
        scopes: "scopeMetrics",
        items: "metrics",
    };
    request(body, fold, names, metric)
}

fn metric(json: &mut Json<'_>, fold: &mut Fold<'_>) -> Result<(), RequestError> {
    let (mut name, mut unit, mut data) = (None, None, None);
    json.object::<Broken>(|key, json| {
        match key {
            "name" => name = json.text()?,
            "unit" => unit = json.text()?,
            "gauge" | "sum" | "histogram" | "exponentialHistogram" | "summary" => {
                let captured = json.capture()?;
                data = Some((data_named(key), captured));
            }
            _ => json.skip()?,
        }
        Ok(())
    })?;
    let (kind, of_points) = data.unwrap_or((Data::Absent, Json::new("null")));
    let (kind, points) = data_of(kind, of_points)?;
    fold.begin_metric(&name.unwrap_or_default(), &unit.unwrap_or_default(), kind)?;
    for mut points in points {
        points.array(|json| {
            fold.begin_item()?;
            let sent = point(json, kind, fold)?;
            fold.point(&sent);
            Ok::<(), RequestError>(())
        })?;
    }
    Ok(())
}

fn data_named(key: &str) -> Data {
    match key {
        "gauge" => Data::Gauge,
        "sum" => Data::Sum {
            temporality: None,
            monotonic: false,
        },
        "histogram" => Data::Histogram(None),
        "exponentialHistogram" => Data::Exponential(None),
        "summary" => Data::Summary,
        _ => Data::Absent,
    }
}

/// What kind of data a metric has, and its points, which must wait until that is known.
fn data_of(kind: Data, mut of: Json<'_>) -> Result<(Data, Vec<Json<'_>>), Broken> {
    let (mut of_time, mut monotonic, mut points) = (0, false, Vec::new());
    of.object::<Broken>(|key, json| {
        match key {
            "aggregationTemporality" => {
                of_time = json.enumeration(&TEMPORALITIES)?.unwrap_or_default();
            }
            "isMonotonic" => monotonic = json.boolean()?.unwrap_or_default(),
            "dataPoints" => points.push(json.capture()?),
            _ => json.skip()?,
        }
        Ok(())
    })?;
    let temporality = temporality(of_time);
    let kind = match kind {
        Data::Sum { .. } => Data::Sum {
            temporality,
            monotonic,
        },
        Data::Histogram(_) => Data::Histogram(temporality),
        Data::Exponential(_) => Data::Exponential(temporality),
        Data::Gauge | Data::Summary | Data::Absent => kind,
    };
    Ok((kind, points))
}

fn point(json: &mut Json<'_>, kind: Data, fold: &mut Fold<'_>) -> Result<SentPoint, RequestError> {
    let mut sent = SentPoint {
        value: empty(kind),
        ..SentPoint::default()
    };
    let before = json.mistakes();
    if !json.begins(b'{')? {
        sent.mistaken = true;
        return Ok(sent);
    }
    json.object::<RequestError>(|key, json| {
        match key {
            "startTimeUnixNano" => sent.start_nanos = json.integer()?.unwrap_or_default(),
            "timeUnixNano" => sent.time_nanos = json.integer()?.unwrap_or_default(),
            "flags" => sent.flags = json.integer()?.unwrap_or_default(),
            "attributes" => {
                attributes(json, fold.measure.limits.max_attributes, |key, value| {
                    fold.own_attribute(key.as_bytes(), || any(value))
                })?;
            }
            "exemplars" => exemplars(json.capture()?, &mut sent.exemplars)?,
            _ => match &mut sent.value {
                SentValue::Histogram(histogram) => histogram_field(key, json, histogram)?,
                SentValue::Exponential(sent) => exponential_field(key, json, sent)?,
                SentValue::Absent | SentValue::Number(_) => {
                    number_field(key, json, &mut sent.value)?;
                }
            },
        }
        Ok(())
    })?;
    sent.mistaken = json.mistakes() != before;
    let buckets = match &sent.value {
        SentValue::Histogram(histogram) => histogram.bucket_counts.len(),
        SentValue::Exponential(sent) => sent.positive.1.len() + sent.negative.1.len(),
        SentValue::Absent | SentValue::Number(_) => 0,
    };
    fold.budget.buckets(buckets)?;
    Ok(sent)
}

/// Takes exemplars; one that cannot be read costs only itself.
fn exemplars(mut json: Json<'_>, into: &mut Vec<SentExemplar>) -> Result<(), Broken> {
    if !json.begins(b'[')? {
        return Ok(());
    }
    json.array::<Broken>(|json| {
        if into.len() >= MOST_OF_POINT {
            return json.skip();
        }
        if !json.begins(b'{')? {
            return Ok(());
        }
        let mut sent = SentExemplar::default();
        json.object::<Broken>(|key, json| {
            match key {
                "timeUnixNano" => sent.time_nanos = json.integer()?.unwrap_or_default(),
                "traceId" => {
                    let text = json.text()?.unwrap_or_default();
                    sent.trace = SentId::of_hex(&text, 16);
                }
                _ => json.skip()?,
            }
            Ok(())
        })?;
        into.push(sent);
        Ok(())
    })
}

fn empty(kind: Data) -> SentValue {
    match kind {
        Data::Histogram(_) => SentValue::Histogram(SentHistogram::default()),
        Data::Exponential(_) => SentValue::Exponential(SentExponential::default()),
        Data::Gauge | Data::Sum { .. } | Data::Summary | Data::Absent => SentValue::Absent,
    }
}

fn number_field(key: &str, json: &mut Json<'_>, value: &mut SentValue) -> Result<(), Broken> {
    let number = match key {
        "asInt" => json.integer()?.map(Number::Int),
        "asDouble" => json.double()?.map(Number::Double),
        _ => return json.skip(),
    };
    if let Some(number) = number {
        *value = SentValue::Number(number);
    }
    Ok(())
}

fn histogram_field(key: &str, json: &mut Json<'_>, sent: &mut SentHistogram) -> Result<(), Broken> {
    match key {
        "count" => sent.count = json.integer()?.unwrap_or_default(),
        "bucketCounts" => sent.too_many |= numbers(json, &mut sent.bucket_counts, Json::integer)?,
        "explicitBounds" => sent.too_many |= numbers(json, &mut sent.bounds, Json::double)?,
        "min" => sent.min = json.double()?,
        "max" => sent.max = json.double()?,
        _ => json.skip()?,
    }
    Ok(())
}

fn exponential_field(
    key: &str,
    json: &mut Json<'_>,
    sent: &mut SentExponential,
) -> Result<(), Broken> {
    match key {
        "count" => sent.count = json.integer()?.unwrap_or_default(),
        "scale" => sent.scale = json.integer()?.unwrap_or_default(),
        "zeroCount" => sent.zero_count = json.integer()?.unwrap_or_default(),
        "zeroThreshold" => sent.zero_threshold = json.double()?.unwrap_or_default(),
        "positive" => sent.too_many |= side(json, &mut sent.positive)?,
        "negative" => sent.too_many |= side(json, &mut sent.negative)?,
        "min" => sent.min = json.double()?,
        "max" => sent.max = json.double()?,
        _ => json.skip()?,
    }
    Ok(())
}

fn side(json: &mut Json<'_>, side: &mut (i32, Vec<u64>)) -> Result<bool, Broken> {
    let mut too_many = false;
    if !json.begins(b'{')? {
        return Ok(false);
    }
    json.object::<Broken>(|key, json| {
        match key {
            "offset" => side.0 = json.integer()?.unwrap_or_default(),
            "bucketCounts" => too_many |= numbers(json, &mut side.1, Json::integer)?,
            _ => json.skip()?,
        }
        Ok(())
    })?;
    Ok(too_many)
}

/// Takes an array of numbers; whether there are too many of them.
fn numbers<'a, T: Default>(
    json: &mut Json<'a>,
    into: &mut Vec<T>,
    read: impl Fn(&mut Json<'a>) -> Result<Option<T>, Broken>,
) -> Result<bool, Broken> {
    if !json.begins(b'[')? {
        return Ok(false);
    }
    json.array::<Broken>(|json| {
        if into.len() > MAX_BUCKETS {
            return json.skip();
        }
        into.push(read(json)?.unwrap_or_default());
        Ok(())
    })?;
    let too_many = into.len() > MAX_BUCKETS;
    if too_many {
        into.clear();
    }
    Ok(too_many)
}
