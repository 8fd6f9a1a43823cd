//! Metrics in protobuf.

use super::{WRONG_TYPE, bytes, each, likely_items, readable, request};
use crate::decode::exemplars::{MOST_OF_POINT, SentExemplar};
use crate::decode::fold::Fold;
use crate::decode::metrics::{
    Data, MAX_BUCKETS, SentExponential, SentPoint, SentValue, temporality,
};
use crate::decode::protobuf::values::{key_of, value_in};
use crate::decode::spans::SentId;
use crate::decode::{Broken, Decoded, RequestError, lossy};
use crate::point::Number;
use crate::series::PlaceHash;
use crate::wire::{Field, Message, packed_fixed64, varint};

/// Decodes an `ExportMetricsServiceRequest`.
pub(crate) fn metrics(body: &[u8], mut fold: Fold<'_>) -> Result<Decoded, RequestError> {
    fold.identify_streams();
    fold.points.reserve(likely_items(body));
    let mut points = Points::default();
    request(body, fold, |of_scope, fold| {
        each(of_scope, 2, |bytes| metric(bytes, &mut points, fold))
    })
}

fn metric<'a>(
    of: &'a [u8],
    points: &mut Points<'a>,
    fold: &mut Fold<'_>,
) -> Result<(), RequestError> {
    let (mut name, mut unit, mut data) = (&[][..], &[][..], None);
    let mut message = Message::new(of);
    while let Some((number, field)) = message.next()? {
        match number {
            1 => name = bytes(field)?,
            3 => unit = bytes(field)?,
            5 | 7 | 9 | 10 | 11 => data = Some((number, bytes(field)?)),
            _ => {}
        }
    }
    let (number, of_points) = data.unwrap_or((0, &[]));
    let kind = data_of(number, of_points)?;
    fold.begin_metric(&lossy(name), &lossy(unit), kind)?;
    each(of_points, 1, |point| {
        fold.budget.item()?;
        points.read(point, kind, fold)?;
        if points.read == points.all.len() {
            points.hand_on(fold)?;
        }
        Ok(())
    })?;
    points.hand_on(fold)
}

/// Points that are handed on together, as where they belong is looked up together: memory is slow, and can be asked
/// for many things at once.
#[derive(Default)]
struct Points<'a> {
    all: [Sent<'a>; 16],
    /// So many of them are read.
    read: usize,
}

#[derive(Default)]
struct Sent<'a> {
    point: SentPoint,
    attributes: Attributes<'a>,
    hash: Option<PlaceHash>,
}

impl<'a> Points<'a> {
    fn read(&mut self, of: &'a [u8], kind: Data, fold: &mut Fold<'_>) -> Result<(), RequestError> {
        let Some(Sent {
            point, attributes, ..
        }) = self.all.get_mut(self.read)
        else {
            return Ok(());
        };
        point.clear();
        attributes.clear(fold);
        let read = match kind {
            Data::Histogram(_) => histogram(of, point, attributes, fold),
            Data::Exponential(_) => exponential(of, point, attributes, fold),
            Data::Gauge | Data::Sum { .. } => number_point(of, point, attributes),
            Data::Summary | Data::Absent => Ok(()),
        };
        point.mistaken = !readable(read)?;
        self.read += 1;
        Ok(())
    }

    fn hand_on(&mut self, fold: &mut Fold<'_>) -> Result<(), RequestError> {
        let all = &mut self.all[..self.read];
        self.read = 0;
        for sent in &mut *all {
            sent.hash = fold.hash_of_point(&sent.attributes.sent);
        }
        fold.fetch_places(all.iter().filter_map(|sent| sent.hash));
        for sent in all {
            let place = sent.hash.and_then(|hash| fold.place_of(hash));
            fold.begin_point(sent.hash, place);
            if place.is_none() && !sent.point.mistaken {
                sent.point.mistaken = !readable(sent.attributes.hand_to(fold))?;
            }
            fold.point(&sent.point);
        }
        Ok(())
    }
}

/// The attributes of a point as they were sent; buffers are reused.
#[derive(Default)]
struct Attributes<'a> {
    sent: Vec<&'a [u8]>,
    left: usize,
}

impl<'a> Attributes<'a> {
    fn clear(&mut self, fold: &Fold<'_>) {
        self.sent.clear();
        self.left = fold.measure.limits.max_attributes;
    }

    fn push(&mut self, attribute: &'a [u8]) {
        if self.left > 0 {
            self.left -= 1;
            self.sent.push(attribute);
        }
    }

    /// Reads them.
    fn hand_to(&self, fold: &mut Fold<'_>) -> Result<(), RequestError> {
        for attribute in &self.sent {
            let (key, rest) = key_of(attribute)?;
            fold.own_attribute(key, || value_in(rest))?;
        }
        Ok(())
    }
}

/// What kind of data a metric has; a sum says it beside its points.
fn data_of(number: u32, of_points: &[u8]) -> Result<Data, Broken> {
    let (mut of_time, mut monotonic) = (0, false);
    let mut message = Message::new(of_points);
    while let Some((number, field)) = message.next()? {
        match (number, field) {
            (2, Field::Varint(value)) => of_time = value,
            (3, Field::Varint(value)) => monotonic = value != 0,
            (2 | 3, _) => return Err(WRONG_TYPE),
            _ => {}
        }
    }
    let temporality = temporality(of_time);
    Ok(match number {
        5 => Data::Gauge,
        7 => Data::Sum {
            temporality,
            monotonic,
        },
        9 => Data::Histogram(temporality),
        10 => Data::Exponential(temporality),
        11 => Data::Summary,
        _ => Data::Absent,
    })
}

fn number_point<'a>(
    of: &'a [u8],
    point: &mut SentPoint,
    attributes: &mut Attributes<'a>,
) -> Result<(), RequestError> {
    let mut message = Message::new(of);
    usual_times(&mut message, point);
    if let Some(bits) = message.next_fixed64(4) {
        point.value = double(bits);
    }
    if let Some(bits) = message.next_fixed64(6) {
        point.value = int(bits);
    }
    loop {
        while let Some(attribute) = message.next_short(7) {
            attributes.push(attribute);
        }
        let Some((number, field)) = message.next()? else {
            return Ok(());
        };
        match (number, field) {
            (2, Field::Fixed64(start)) => point.start_nanos = start,
            (3, Field::Fixed64(time)) => point.time_nanos = time,
            (4, Field::Fixed64(bits)) => point.value = double(bits),
            (6, Field::Fixed64(bits)) => point.value = int(bits),
            (5, Field::Bytes(sent)) => exemplar(sent, point),
            (7, Field::Bytes(attribute)) => attributes.push(attribute),
            (8, Field::Varint(flags)) => point.flags = flags,
            (2 | 3 | 4 | 6 | 7 | 8, _) => return Err(WRONG_TYPE.into()),
            _ => {}
        }
    }
}

/// Reads the times, if the point begins with them, as nearly all do: see [`Message::next_fixed64`].
#[inline]
fn usual_times(message: &mut Message<'_>, point: &mut SentPoint) {
    if let Some(start) = message.next_fixed64(2) {
        point.start_nanos = start;
    }
    if let Some(time) = message.next_fixed64(3) {
        point.time_nanos = time;
    }
}

fn double(bits: u64) -> SentValue {
    SentValue::Number(Number::Double(f64::from_bits(bits)))
}

fn int(bits: u64) -> SentValue {
    SentValue::Number(Number::Int(bits.cast_signed()))
}

fn histogram<'a>(
    of: &'a [u8],
    point: &mut SentPoint,
    attributes: &mut Attributes<'a>,
    fold: &mut Fold<'_>,
) -> Result<(), RequestError> {
    let mut sent = point.empty_histogram();
    let mut message = Message::new(of);
    usual_times(&mut message, point);
    loop {
        while let Some(attribute) = message.next_short(9) {
            attributes.push(attribute);
        }
        let Some((number, field)) = message.next()? else {
            break;
        };
        match (number, field) {
            (2, Field::Fixed64(start)) => point.start_nanos = start,
            (3, Field::Fixed64(time)) => point.time_nanos = time,
            (4, Field::Fixed64(count)) => sent.count = count,
            (6, field) => {
                sent.too_many |= doubles(field, &mut sent.bucket_counts, |bits| bits)?;
            }
            (7, field) => {
                sent.too_many |= doubles(field, &mut sent.bounds, f64::from_bits)?;
            }
            (8, Field::Bytes(sent)) => exemplar(sent, point),
            (9, Field::Bytes(attribute)) => attributes.push(attribute),
            (10, Field::Varint(flags)) => point.flags = flags,
            (11, Field::Fixed64(bits)) => sent.min = Some(f64::from_bits(bits)),
            (12, Field::Fixed64(bits)) => sent.max = Some(f64::from_bits(bits)),
            (2 | 3 | 4 | 9..=12, _) => return Err(WRONG_TYPE.into()),
            _ => {}
        }
        sent.too_many |= sent.bucket_counts.len().max(sent.bounds.len()) > MAX_BUCKETS;
        if sent.too_many {
            sent.bucket_counts.clear();
            sent.bounds.clear();
        }
    }
    fold.budget.buckets(sent.bucket_counts.len())?;
    point.value = SentValue::Histogram(sent);
    Ok(())
}

fn exponential<'a>(
    of: &'a [u8],
    point: &mut SentPoint,
    attributes: &mut Attributes<'a>,
    fold: &mut Fold<'_>,
) -> Result<(), RequestError> {
    let mut sent = SentExponential::default();
    let mut message = Message::new(of);
    while let Some((number, field)) = message.next()? {
        match (number, field) {
            (1, Field::Bytes(attribute)) => attributes.push(attribute),
            (2, Field::Fixed64(start)) => point.start_nanos = start,
            (3, Field::Fixed64(time)) => point.time_nanos = time,
            (4, Field::Fixed64(count)) => sent.count = count,
            (6, Field::Varint(scale)) => sent.scale = zigzag(scale),
            (7, Field::Fixed64(count)) => sent.zero_count = count,
            (8, Field::Bytes(buckets)) => sent.too_many |= side(buckets, &mut sent.positive)?,
            (9, Field::Bytes(buckets)) => sent.too_many |= side(buckets, &mut sent.negative)?,
            (10, Field::Varint(flags)) => point.flags = flags,
            (11, Field::Bytes(sent)) => exemplar(sent, point),
            (12, Field::Fixed64(bits)) => sent.min = Some(f64::from_bits(bits)),
            (13, Field::Fixed64(bits)) => sent.max = Some(f64::from_bits(bits)),
            (14, Field::Fixed64(bits)) => sent.zero_threshold = f64::from_bits(bits),
            (1..=4 | 6..=10 | 12..=14, _) => return Err(WRONG_TYPE.into()),
            _ => {}
        }
    }
    fold.budget
        .buckets(sent.positive.1.len() + sent.negative.1.len())?;
    point.value = SentValue::Exponential(sent);
    Ok(())
}

/// Takes an exemplar; one that cannot be read costs only itself.
fn exemplar(of: &[u8], point: &mut SentPoint) {
    if point.exemplars.len() >= MOST_OF_POINT {
        return;
    }
    let mut sent = SentExemplar::default();
    let mut message = Message::new(of);
    while let Ok(Some((number, field))) = message.next() {
        match (number, field) {
            (2, Field::Fixed64(time)) => sent.time_nanos = time,
            (5, Field::Bytes(trace)) => sent.trace = SentId::of(trace, 16),
            _ => {}
        }
    }
    point.exemplars.push(sent);
}

/// One side's offset and counts; whether there are too many of them.
fn side(of: &[u8], (offset, counts): &mut (i32, Vec<u64>)) -> Result<bool, Broken> {
    let mut message = Message::new(of);
    while let Some((number, field)) = message.next()? {
        match (number, field) {
            (1, Field::Varint(value)) => *offset = zigzag(value),
            (2, Field::Varint(count)) => counts.push(count),
            (2, Field::Bytes(mut packed)) => {
                while !packed.is_empty() {
                    let (count, rest) = varint(packed)?;
                    if counts.len() > MAX_BUCKETS {
                        break;
                    }
                    counts.push(count);
                    packed = rest;
                }
            }
            (1 | 2, _) => return Err(WRONG_TYPE),
            _ => {}
        }
        if counts.len() > MAX_BUCKETS {
            counts.clear();
            return Ok(true);
        }
    }
    Ok(false)
}

/// Takes 8-byte numbers, packed or single; whether there are too many of them.
fn doubles<T>(field: Field<'_>, into: &mut Vec<T>, read: fn(u64) -> T) -> Result<bool, Broken> {
    match field {
        Field::Fixed64(bits) => into.push(read(bits)),
        Field::Bytes(packed) if packed.len() > MAX_BUCKETS * 8 => return Ok(true),
        Field::Bytes(packed) => into.extend(packed_fixed64(packed)?.map(read)),
        Field::Varint(_) | Field::Fixed32(_) => return Err(WRONG_TYPE),
    }
    Ok(false)
}

/// A `sint32`.
fn zigzag(value: u64) -> i32 {
    let low = u32::try_from(value & u64::from(u32::MAX)).unwrap_or_default();
    (low >> 1).cast_signed() ^ -(low & 1).cast_signed()
}
