//! Bytes of one hour: a version, then slots as varints, runs of empty slots as one.
//!
//! A slot with events is `total + 1`, `bad · 2 + (uncertain > 0)` and, if so, `uncertain`; a run of
//! `n` empty slots is `0`, `n`. `bad` needs one bit more than a `u64`, so varints carry `u128`.

use crate::Tally;

const VERSION: u8 = 1;
/// Bytes of the longest varint: 66 bits by 7.
const MAX_VARINT: usize = 10;

/// Why stored bytes are not an hour of tallies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// Written by a version of this program that we do not know: upgrade.
    #[error("chunk has version {0}, which is unknown here")]
    Version(u8),
    /// Cut short, too long, or not ours.
    #[error("chunk is damaged")]
    Damaged,
}

pub(super) fn encode(slots: &[Tally]) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    let mut empty: u128 = 0;
    for slot in slots {
        if *slot == Tally::EMPTY {
            empty += 1;
            continue;
        }
        flush_run(&mut bytes, &mut empty);
        put(&mut bytes, u128::from(slot.total) + 1);
        put(
            &mut bytes,
            u128::from(slot.bad) * 2 + u128::from(slot.uncertain > 0),
        );
        if slot.uncertain > 0 {
            put(&mut bytes, slot.uncertain.into());
        }
    }
    flush_run(&mut bytes, &mut empty);
    bytes
}

pub(super) fn decode(bytes: &[u8], count: usize) -> Result<Vec<Tally>, ChunkError> {
    let (&version, mut rest) = bytes.split_first().ok_or(ChunkError::Damaged)?;
    if version != VERSION {
        return Err(ChunkError::Version(version));
    }
    let mut slots = Vec::with_capacity(count);
    while slots.len() < count {
        let head = take(&mut rest)?;
        if head == 0 {
            let run = usize::try_from(take(&mut rest)?).map_err(|_| ChunkError::Damaged)?;
            if run == 0 || run > count - slots.len() {
                return Err(ChunkError::Damaged);
            }
            slots.resize(slots.len() + run, Tally::EMPTY);
            continue;
        }
        let bad = take(&mut rest)?;
        let uncertain = if bad % 2 == 1 { take(&mut rest)? } else { 0 };
        let whole = |number: u128| u64::try_from(number).map_err(|_| ChunkError::Damaged);
        slots.push(Tally {
            total: whole(head - 1)?,
            bad: whole(bad / 2)?,
            uncertain: whole(uncertain)?,
        });
    }
    if rest.is_empty() {
        Ok(slots)
    } else {
        Err(ChunkError::Damaged)
    }
}

fn flush_run(bytes: &mut Vec<u8>, empty: &mut u128) {
    if *empty > 0 {
        put(bytes, 0);
        put(bytes, std::mem::take(empty));
    }
}

fn put(bytes: &mut Vec<u8>, mut number: u128) {
    while number >= 0x80 {
        bytes.push(u8::try_from(number & 0x7f).unwrap_or(0) | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap_or(0));
}

fn take(rest: &mut &[u8]) -> Result<u128, ChunkError> {
    let mut number: u128 = 0;
    for place in 0..MAX_VARINT {
        let (&byte, tail) = rest.split_first().ok_or(ChunkError::Damaged)?;
        *rest = tail;
        number |= u128::from(byte & 0x7f) << (7 * place);
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(ChunkError::Damaged)
}
