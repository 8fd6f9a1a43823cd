//! Packs: all series of one service in one slice, as one blob of the store.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Place;

use crate::codec::{CodecError, CountOverflow, put_varint, sealed, unseal, versioned};
use crate::measured::{BoundsRead, BoundsWritten, Measured};
use crate::series::SeriesId;

const VERSION: u8 = 1;

/// What several series measured in the same time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pack {
    /// By series.
    pub series: BTreeMap<SeriesId, Measured>,
}

impl Pack {
    /// Adds what one series measured. On overflow nothing is changed.
    pub fn add(&mut self, series: SeriesId, measured: &Measured) -> Result<(), CountOverflow> {
        match self.series.entry(series) {
            Place::Vacant(place) => {
                place.insert(measured.clone());
                Ok(())
            }
            Place::Occupied(mut place) => place.get_mut().merge(measured),
        }
    }

    /// Adds the other's measurements. On overflow nothing is changed.
    pub fn merge(&mut self, other: &Pack) -> Result<(), CountOverflow> {
        let fits = |(id, theirs): (&SeriesId, &Measured)| {
            self.series
                .get(id)
                .is_none_or(|mine| mine.count().checked_add(theirs.count()).is_some())
        };
        if !other.series.iter().all(fits) {
            return Err(CountOverflow);
        }
        other
            .series
            .iter()
            .try_for_each(|(id, measured)| self.add(*id, measured))
    }

    /// The stored form: versioned, with a checksum.
    pub fn encode(&self) -> Vec<u8> {
        let mut bounds = BoundsWritten::default();
        for measured in self.series.values() {
            measured.note_bounds(&mut bounds);
        }
        let mut body = versioned(VERSION, self.series.len() * 32 + 64);
        bounds.encode_into(&mut body);
        put_varint(&mut body, self.series.len() as u64);
        let mut previous = 0;
        for (id, measured) in &self.series {
            put_varint(&mut body, id.0 - previous);
            previous = id.0;
            measured.encode_into(&mut bounds, &mut body);
        }
        sealed(body)
    }

    /// Reads the stored form.
    pub fn decode(bytes: &[u8]) -> Result<Pack, CodecError> {
        let mut reader = unseal(VERSION, bytes)?;
        let bounds = BoundsRead::decode_from(&mut reader)?;
        let mut series = BTreeMap::new();
        let mut previous = 0_u64;
        for _ in 0..reader.length()? {
            let step = reader.varint()?;
            let id = previous
                .checked_add(step)
                .ok_or(CodecError::Invalid("series"))?;
            let measured = Measured::decode_from(&bounds, &mut reader)?;
            if series.insert(SeriesId(id), measured).is_some() {
                return Err(CodecError::Invalid("series"));
            }
            previous = id;
        }
        reader.done()?;
        Ok(Pack { series })
    }
}
