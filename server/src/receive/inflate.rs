//! Decompression with a bound on what comes out, applied while it comes out.

use std::io::{self, Cursor, Read};

use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use zstd::stream::read::Decoder as ZstdDecoder;

use super::limits::ReceiveLimits;
use super::refusal::Refusal;
use super::room::{STEP, Share};

/// Largest window a zstd frame may ask for, as a power of two: 8 MiB, which RFC 8878 tells decoders to support and
/// which every compression level up to 19 keeps to.
const ZSTD_WINDOW_LOG: u32 = 23;

/// Payloads up to this size, in bytes, are inflated in one go where that saves memory: some milliseconds.
const AT_ONCE: usize = 8 << 20;

/// What zstd says when more comes out than there is room for: it has no other way to tell.
const NO_ROOM: &str = "Destination buffer is too small";

/// Steps of output after which other tasks have their turn: 1 MiB, some milliseconds.
const STEPS_A_TURN: usize = 16;

/// How a payload is compressed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Coding {
    Identity,
    Gzip,
    Zstd,
}

impl Coding {
    /// Reads a `Content-Encoding` or `grpc-encoding`; absent and empty mean identity.
    pub(super) fn parse(name: &[u8]) -> Result<Coding, Refusal> {
        let name = name.trim_ascii();
        if name.is_empty() || name.eq_ignore_ascii_case(b"identity") {
            Ok(Coding::Identity)
        } else if name.eq_ignore_ascii_case(b"gzip") || name.eq_ignore_ascii_case(b"x-gzip") {
            Ok(Coding::Gzip)
        } else if name.eq_ignore_ascii_case(b"zstd") {
            Ok(Coding::Zstd)
        } else {
            let name = String::from_utf8_lossy(name).into_owned();
            Err(Refusal::UnsupportedEncoding(name))
        }
    }
}

/// The payload within `wire`. Room for what comes out is taken before it comes out.
pub(super) async fn inflate(
    coding: Coding,
    wire: Bytes,
    limits: &ReceiveLimits,
    share: &mut Share,
) -> Result<Bytes, Refusal> {
    let most = limits.inflated_bytes(wire.len());
    if wire.is_empty() {
        // No bytes are no payload: an empty request, which OTLP accepts.
        return Ok(wire);
    }
    // What claims more than it may become is found out when it comes, as it may be cut off or broken instead.
    let claimed = claimed(coding, &wire).filter(|size| *size <= most);
    let sizes = (wire.len(), most);
    match coding {
        Coding::Identity => Ok(wire),
        Coding::Gzip => {
            let reader = MultiGzDecoder::new(Cursor::new(wire));
            step_by_step(reader, claimed, sizes, share).await
        }
        Coding::Zstd if most <= AT_ONCE => at_once(&wire, claimed, most, share).await,
        Coding::Zstd => {
            let reader = zstd_reader(wire).map_err(|error| corrupt(&error))?;
            step_by_step(reader, claimed, sizes, share).await
        }
    }
}

/// Inflates zstd straight into the payload: what comes in steps goes through a window of the decoder's own, which
/// may be as large as the payload.
async fn at_once(
    wire: &Bytes,
    claimed: Option<usize>,
    most: usize,
    share: &mut Share,
) -> Result<Bytes, Refusal> {
    let inflated = |size: usize| {
        // Costs when it is written to, not when it is reserved.
        let mut payload = Vec::with_capacity(size);
        let mut decoder = zstd::bulk::Decompressor::new()?;
        decoder.decompress_to_buffer(wire, &mut payload)?;
        io::Result::Ok(payload)
    };
    // The first of several frames claims for itself alone.
    for size in [claimed.unwrap_or(most), most] {
        share.grow_to(wire.len() + size).await?;
        match inflated(size) {
            Ok(mut payload) => {
                payload.shrink_to_fit();
                return Ok(payload.into());
            }
            Err(error) if error.to_string() != NO_ROOM => return Err(corrupt(&error)),
            Err(_) => {}
        }
    }
    Err(Refusal::TooLarge { most })
}

/// Inflates in steps between which other tasks have their turn.
async fn step_by_step(
    mut reader: impl Read,
    claimed: Option<usize>,
    (held, most): (usize, usize),
    share: &mut Share,
) -> Result<Bytes, Refusal> {
    // Reserved memory costs nothing until it is written to. So what a sender claims is reserved, and if that proves
    // too little, all that it may have: the payload never moves from one buffer to the next by doubling.
    let mut payload = Vec::with_capacity(claimed.map_or(STEP, |size| size + 1));
    for step in 1_usize.. {
        let filled = payload.len();
        let next = match claimed {
            // One byte more than claimed finds the end.
            Some(size) if filled <= size => STEP.min(size + 1 - filled),
            _ => STEP,
        };
        share.grow_to(held + filled + next).await?;
        if payload.capacity() < filled + next {
            payload.reserve_exact(most + STEP - filled);
        }
        payload.resize(filled + next, 0);
        let more = reader
            .read(&mut payload[filled..])
            .map_err(|error| corrupt(&error))?;
        payload.truncate(filled + more);
        if more == 0 {
            break;
        }
        if payload.len() > most {
            return Err(Refusal::TooLarge { most });
        }
        if step.is_multiple_of(STEPS_A_TURN) {
            tokio::task::yield_now().await;
        }
    }
    payload.shrink_to_fit();
    Ok(payload.into())
}

/// The size that a payload claims to become, if it says so; it may be a lie.
fn claimed(coding: Coding, wire: &[u8]) -> Option<usize> {
    let claimed = match coding {
        Coding::Identity => None,
        // The last four bytes: of the last member, if there are several.
        Coding::Gzip => wire
            .last_chunk::<4>()
            .map(|size| u64::from(u32::from_le_bytes(*size))),
        Coding::Zstd => zstd::zstd_safe::get_frame_content_size(wire).ok().flatten(),
    };
    claimed.map(|size| usize::try_from(size).unwrap_or(usize::MAX))
}

fn zstd_reader(wire: Bytes) -> io::Result<ZstdDecoder<'static, Cursor<Bytes>>> {
    let mut decoder = ZstdDecoder::with_buffer(Cursor::new(wire))?;
    decoder.window_log_max(ZSTD_WINDOW_LOG)?;
    Ok(decoder)
}

fn corrupt(error: &io::Error) -> Refusal {
    Refusal::Malformed(format!("the compressed body is corrupt: {error}"))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::time::Duration;

    use super::super::room::Room;
    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 3).unwrap()
    }

    async fn inflated(coding: Coding, wire: Vec<u8>) -> Result<Bytes, Refusal> {
        let room = Room::new(256 << 20, Duration::from_secs(1));
        let limits = ReceiveLimits::default();
        inflate(coding, wire.into(), &limits, &mut room.share()).await
    }

    /// Bytes that do not compress.
    fn noise(len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        blake3::Hasher::new().finalize_xof().fill(&mut bytes);
        bytes
    }

    #[tokio::test]
    async fn what_was_compressed_comes_back_in_one_frame_or_several() {
        let payload = noise(300_000);
        let (head, tail) = payload.split_at(100_000);
        let cases = [
            (Coding::Identity, payload.clone()),
            (Coding::Gzip, gzip(&payload)),
            (Coding::Zstd, zstd(&payload)),
            (Coding::Gzip, [gzip(head), gzip(tail)].concat()),
            (Coding::Zstd, [zstd(head), zstd(tail)].concat()),
        ];
        for (coding, wire) in cases {
            assert_eq!(inflated(coding, wire).await.unwrap(), payload, "{coding:?}");
        }
        assert!(inflated(Coding::Gzip, Vec::new()).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_corrupt_or_truncated_body_is_malformed() {
        let payload = noise(10_000);
        let mut flipped = gzip(&payload);
        flipped[6000] ^= 1;
        let mut greedy = zstd::Encoder::new(Vec::new(), 3).unwrap();
        greedy.window_log(27).unwrap();
        greedy.write_all(&noise(100_000)).unwrap();
        let cases = [
            ("a flipped bit", Coding::Gzip, flipped),
            ("cut gzip", Coding::Gzip, gzip(&payload)[..9000].to_vec()),
            ("cut zstd", Coding::Zstd, zstd(&payload)[..9000].to_vec()),
            ("no gzip", Coding::Gzip, b"not compressed at all".to_vec()),
            ("no zstd", Coding::Zstd, b"not compressed at all".to_vec()),
            (
                "a window of 128 MiB",
                Coding::Zstd,
                greedy.finish().unwrap(),
            ),
        ];
        for (case, coding, wire) in cases {
            let refusal = inflated(coding, wire).await.unwrap_err();
            assert!(
                matches!(refusal, Refusal::Malformed(_)),
                "{case}: {refusal}"
            );
        }
    }

    #[tokio::test]
    async fn a_claimed_size_is_used_and_not_trusted() {
        let payload = noise(300_000);
        for claim in [0_u32, 1, 299_999, 300_001, u32::MAX] {
            let mut last = gzip(b"x");
            let at = last.len() - 4;
            last.splice(at.., claim.to_le_bytes());
            let refused = inflated(Coding::Gzip, [gzip(&payload), last].concat()).await;
            assert_eq!(refused.is_err(), claim != 1, "{claim}");
        }
        let honest = inflated(Coding::Gzip, gzip(&payload)).await.unwrap();
        assert_eq!(honest, payload);
    }

    #[tokio::test]
    async fn a_bomb_is_cut_off_at_its_share_of_growth() {
        let zeros = vec![0; 50 << 20];
        for (coding, wire) in [(Coding::Gzip, gzip(&zeros)), (Coding::Zstd, zstd(&zeros))] {
            assert!(wire.len() < 64 << 10);
            let most = ReceiveLimits::default().inflated_bytes(wire.len());
            let room = Room::new(8 << 20, Duration::from_secs(1));
            let limits = ReceiveLimits::default();
            let mut share = room.share();
            let refusal = inflate(coding, wire.into(), &limits, &mut share).await;
            assert!(most < 8 << 20);
            assert!(
                matches!(refusal, Err(Refusal::TooLarge { most: cut }) if cut == most),
                "{coding:?}: {refusal:?}"
            );
        }
    }
}
