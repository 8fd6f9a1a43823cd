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

/// The payload within `wire`. Room for what comes out is taken step by step, before it comes out.
pub(super) async fn inflate(
    coding: Coding,
    wire: Bytes,
    limits: &ReceiveLimits,
    share: &mut Share,
) -> Result<Bytes, Refusal> {
    let held = wire.len();
    let most = limits.inflated_bytes(held);
    let mut reader: Box<dyn Read + Send> = match coding {
        Coding::Identity => return Ok(wire),
        // No bytes are no payload: an empty request, which OTLP accepts.
        Coding::Gzip | Coding::Zstd if wire.is_empty() => return Ok(wire),
        Coding::Gzip => Box::new(MultiGzDecoder::new(Cursor::new(wire))),
        Coding::Zstd => Box::new(zstd_reader(wire).map_err(|error| corrupt(&error))?),
    };
    let mut payload = Vec::new();
    for step in 1_usize.. {
        let filled = payload.len();
        share.grow_to(held + filled + STEP).await?;
        payload.resize(filled + STEP, 0);
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
        greedy.write_all(&payload).unwrap();
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
