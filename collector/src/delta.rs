//! Deltas: what one group commit writes to the journal.

use crate::classes::Ledger;
use crate::codec::{CodecError, CountOverflow, Reader, put_varint, sealed, unseal, versioned};
use crate::exemplar::ExemplarSet;
use crate::measured::{BoundsRead, BoundsWritten, Measured};
use crate::series::SeriesId;
use crate::slice::Slice;
use crate::streams::StreamStates;

const VERSION: u8 = 3;
/// The form before, in which every state of a stream stands whole. It reads as the present one; who knows only that
/// form does not read this one.
const WHOLE_STATES: u8 = 2;
/// The first form, whose classes did not tell signals apart. It is still read: it is what an older
/// version left in the journal when it was killed.
const WITHOUT_SIGNALS: u8 = 1;

/// What one series measured in one slice.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The series.
    pub series: SeriesId,
    /// The slice of the events' time.
    pub slice: Slice,
    /// What was measured.
    pub measured: Measured,
}

/// What a group of requests adds to the counts, and the stream states after it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Delta {
    /// Sorted by slice and series, each pair once. [`Delta::add`] keeps it so.
    pub entries: Vec<Entry>,
    /// Where the requests' events went.
    pub classes: Ledger,
    /// Series with spans that were sampled, but not known by how much, and the latest slice of those;
    /// sorted by series.
    pub unweighted: Vec<(SeriesId, Slice)>,
    /// The state of every stream that was touched, after the last touch.
    pub streams: StreamStates,
    /// Traces worth a look.
    pub exemplars: ExemplarSet,
}

impl Delta {
    /// Adds what one request measured: entries in any order. On overflow nothing is changed.
    pub fn add(&mut self, entries: Vec<Entry>, classes: &Ledger) -> Result<(), CountOverflow> {
        let mut sum = self.classes;
        sum.merge(classes)?;
        self.entries = if self.entries.is_empty() {
            merged(entries)?
        } else {
            merged(self.entries.iter().cloned().chain(entries).collect())?
        };
        self.classes = sum;
        Ok(())
    }

    /// Notes that spans of these series in these slices were sampled without a weight.
    pub fn note_unweighted(&mut self, unweighted: Vec<(SeriesId, Slice)>) {
        self.unweighted.extend(unweighted);
        // Of one series the latest slice stands first, and stays.
        self.unweighted
            .sort_unstable_by_key(|(series, slice)| (*series, std::cmp::Reverse(*slice)));
        self.unweighted.dedup_by_key(|(series, _)| *series);
    }

    /// The stored form: versioned, with a checksum.
    pub fn encode(&self) -> Vec<u8> {
        let mut bounds = BoundsWritten::default();
        for entry in &self.entries {
            entry.measured.note_bounds(&mut bounds);
        }
        let mut body = versioned(
            VERSION,
            self.entries.len() * 64 + self.streams.bytes() + 1024,
        );
        bounds.encode_into(&mut body);
        put_varint(&mut body, self.entries.len() as u64);
        let mut previous = 0;
        for entry in &self.entries {
            put_varint(
                &mut body,
                u64::from(entry.slice.raw().wrapping_sub(previous)),
            );
            previous = entry.slice.raw();
            body.extend_from_slice(&entry.series.0.to_le_bytes());
            entry.measured.encode_into(&mut bounds, &mut body);
        }
        self.classes.encode_into(&mut body);
        self.streams.encode_into(&mut body);
        put_varint(&mut body, self.unweighted.len() as u64);
        for (series, slice) in &self.unweighted {
            body.extend_from_slice(&series.0.to_le_bytes());
            put_varint(&mut body, u64::from(slice.raw()));
        }
        self.exemplars.encode_into(&mut body);
        sealed(body)
    }

    /// Reads the stored form.
    pub fn decode(bytes: &[u8]) -> Result<Delta, CodecError> {
        let (version, mut reader) = match unseal(VERSION, bytes) {
            Err(CodecError::Version(before @ (WITHOUT_SIGNALS | WHOLE_STATES))) => {
                (before, unseal(before, bytes)?)
            }
            unsealed => (VERSION, unsealed?),
        };
        let bounds = BoundsRead::decode_from(&mut reader)?;
        let entries = decode_entries(&bounds, &mut reader)?;
        let classes = match version {
            WITHOUT_SIGNALS => Ledger::decode_undivided(&mut reader)?,
            _ => Ledger::decode_from(&mut reader)?,
        };
        let streams = StreamStates::decode_from(&mut reader)?;
        let unweighted = match version {
            WITHOUT_SIGNALS => Vec::new(),
            _ => decode_unweighted(&mut reader)?,
        };
        // An older version left none.
        let exemplars = if reader.is_empty() {
            ExemplarSet::default()
        } else {
            ExemplarSet::decode_from(&mut reader)?
        };
        reader.done()?;
        Ok(Delta {
            entries,
            classes,
            unweighted,
            streams,
            exemplars,
        })
    }
}

fn decode_unweighted(reader: &mut Reader<'_>) -> Result<Vec<(SeriesId, Slice)>, CodecError> {
    let length = reader.length()?;
    let mut unweighted = Vec::with_capacity(length.min(1024));
    for _ in 0..length {
        let series = SeriesId(reader.fixed()?);
        unweighted.push((series, Slice::from_raw(reader.small()?)));
    }
    if !unweighted.is_sorted_by(|a, b| a.0 < b.0) {
        return Err(CodecError::Invalid("order"));
    }
    Ok(unweighted)
}

fn decode_entries(bounds: &BoundsRead, reader: &mut Reader<'_>) -> Result<Vec<Entry>, CodecError> {
    let length = reader.length()?;
    let mut entries = Vec::with_capacity(length.min(1024));
    let mut previous = 0_u32;
    for _ in 0..length {
        let slice = previous.wrapping_add(reader.small()?);
        let series = SeriesId(reader.fixed()?);
        let measured = Measured::decode_from(bounds, reader)?;
        entries.push(Entry {
            series,
            slice: Slice::from_raw(slice),
            measured,
        });
        previous = slice;
    }
    if !entries.is_sorted_by(|a, b| place(a) < place(b)) {
        return Err(CodecError::Invalid("order"));
    }
    Ok(entries)
}

/// Entries sorted by slice and series, each pair once.
pub(crate) fn merged(mut entries: Vec<Entry>) -> Result<Vec<Entry>, CountOverflow> {
    entries.sort_by_key(place);
    if entries.is_sorted_by(|one, next| place(one) < place(next)) {
        return Ok(entries);
    }
    let mut merged: Vec<Entry> = Vec::with_capacity(entries.len());
    for entry in entries {
        match merged.last_mut() {
            Some(last) if place(last) == place(&entry) => last.measured.merge(&entry.measured)?,
            _ => merged.push(entry),
        }
    }
    Ok(merged)
}

pub(crate) fn place(entry: &Entry) -> (Slice, SeriesId) {
    (entry.slice, entry.series)
}
