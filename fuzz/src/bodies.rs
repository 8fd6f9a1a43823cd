//! Compressed bodies: whatever the bytes, what comes out is what a plain decoder makes of them, or refused; no more memory
//! is taken than may come out; and what is sound comes back.

use std::io::{Read, Write};

use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;

use crate::steps::{Bounds, Broken, Compression, Inflating, STEP, Step, zstd_at_once};

/// Frames with larger windows are refused.
const ZSTD_WINDOW_LOG: u32 = 23;

/// Of the first byte, the lowest bit says how the rest is compressed, and the others how much may come out of it and
/// how much goes in in a turn.
pub(crate) fn inflate(bytes: &[u8]) {
    let Some((first, wire)) = bytes.split_first() else {
        return;
    };
    if wire.is_empty() {
        // No payload at all: nothing is inflated.
        return;
    }
    let compression = if first & 1 == 0 {
        Compression::Gzip
    } else {
        Compression::Zstd
    };
    let bounds = Bounds {
        most: [0, 1, 100, STEP - 1, STEP, STEP + 1, 3 * STEP, 40 * STEP]
            [usize::from(first >> 1 & 7)],
        turn_in: [1, 7, 20, 1000][usize::from(first >> 4 & 3)],
    };
    let plain = plain(compression, wire, bounds.most);
    let steps = in_steps(compression, wire, bounds);
    match (compression, &steps) {
        (Compression::Gzip, _) => assert_eq!(steps.is_ok(), plain.is_ok(), "{steps:?}, {plain:?}"),
        (Compression::Zstd, Ok(payload)) => at_once(wire, payload, bounds.most),
        (Compression::Zstd, Err(_)) => {}
    }
    if let Err(Broken::Corrupt(error)) = &steps {
        assert!(!error.to_string().is_empty(), "the sender is told why");
    }
    // What zstd overlooks in a broken frame depends on how much of it comes at a time.
    if let (Ok(steps), Ok(plain)) = (&steps, &plain) {
        assert_eq!(steps, plain);
    }
    whole_or_refused(compression, wire, bounds);
}

/// zstd inflated at once is the same.
fn at_once(wire: &[u8], payload: &Bytes, most: usize) {
    if let Ok(inflated) = zstd_at_once(wire, most) {
        assert!(inflated.is_none_or(|inflated| inflated == payload));
    }
}

/// The bytes themselves as a payload: they come back in two frames, unless they are too many, and never cut off.
fn whole_or_refused(compression: Compression, payload: &[u8], bounds: Bounds) {
    let (head, tail) = payload.split_at(payload.len() / 2);
    let wire = [compressed(compression, head), compressed(compression, tail)].concat();
    match in_steps(compression, &wire, bounds) {
        Ok(inflated) => assert_eq!(inflated, payload),
        Err(error) => assert!(
            matches!(error, Broken::TooLarge) && payload.len() > bounds.most,
            "{error:?}"
        ),
    }
    let cut = &wire[..wire.len() - 1];
    assert!(in_steps(compression, cut, bounds).is_err());
    if compression == Compression::Zstd {
        let inflated = zstd_at_once(&wire, payload.len()).expect("it is sound");
        assert_eq!(inflated.expect("there is room"), payload);
        assert!(zstd_at_once(cut, payload.len()).is_err());
    }
}

fn compressed(compression: Compression, payload: &[u8]) -> Vec<u8> {
    let written = match compression {
        Compression::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(payload).and_then(|()| encoder.finish())
        }
        Compression::Zstd => zstd::encode_all(payload, 1),
    };
    written.expect("memory takes it")
}

fn in_steps(compression: Compression, wire: &[u8], bounds: Bounds) -> Result<Bytes, Broken> {
    let mut inflating = Inflating::begin(compression, Bytes::copy_from_slice(wire), bounds)?;
    let (mut steps, mut turns) = (0, 0);
    loop {
        let needs = inflating.needs();
        assert!(needs <= bounds.most + STEP, "{needs} bytes for {bounds:?}");
        match inflating.step()? {
            Step::More => steps += 1,
            Step::TurnOver => turns += 1,
            Step::Whole => break,
        }
    }
    let payload = inflating.finish();
    assert!(steps <= payload.len(), "{steps} steps");
    assert!(turns <= wire.len() / bounds.turn_in + payload.len() / STEP);
    Ok(payload)
}

/// What a decoder without bounds makes of it, as far as it matters.
fn plain(compression: Compression, wire: &[u8], most: usize) -> Result<Bytes, Broken> {
    let mut payload = Vec::new();
    let enough = most as u64 + 1;
    let read = match compression {
        Compression::Gzip => MultiGzDecoder::new(wire)
            .take(enough)
            .read_to_end(&mut payload),
        Compression::Zstd => zstd::Decoder::with_buffer(wire).and_then(|mut decoder| {
            decoder.window_log_max(ZSTD_WINDOW_LOG)?;
            decoder.take(enough).read_to_end(&mut payload)
        }),
    };
    if payload.len() > most {
        return Err(Broken::TooLarge);
    }
    read.map_err(Broken::Corrupt)?;
    Ok(payload.into())
}
