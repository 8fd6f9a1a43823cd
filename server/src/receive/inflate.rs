//! Decompression with a bound on what comes out, applied while it comes out.

mod steps;

use std::io;

use bytes::Bytes;

use self::steps::{Bounds, Broken, Compression, Inflating, Step};
use super::limits::ReceiveLimits;
use super::refusal::Refusal;
use super::room::Share;

/// Payloads up to this size, in bytes, are inflated in one go where that saves memory: some milliseconds.
const AT_ONCE: usize = 8 << 20;

/// Bytes of compressed input after which other tasks have their turn, as millions of empty gzip members and zstd frames
/// bring nothing out: some 2 ms at worst.
const TURN_IN: usize = 256 << 10;

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
    let compression = match coding {
        Coding::Identity => return Ok(wire),
        Coding::Zstd if most <= AT_ONCE => return at_once(&wire, most, share).await,
        Coding::Zstd => Compression::Zstd,
        Coding::Gzip => Compression::Gzip,
    };
    step_by_step(compression, wire, most, share).await
}

/// Inflates zstd straight into the payload, at the first try if it claims its true size.
async fn at_once(wire: &Bytes, most: usize, share: &mut Share) -> Result<Bytes, Refusal> {
    let claimed = steps::claimed(Compression::Zstd, wire, most);
    // The first of several frames claims for itself alone.
    for size in [claimed.unwrap_or(most), most] {
        share.grow_to(wire.len() + size).await?;
        let payload = steps::zstd_at_once(wire, size).map_err(|broken| refusal(broken, most))?;
        if let Some(payload) = payload {
            return Ok(payload);
        }
    }
    Err(Refusal::TooLarge { most })
}

/// Inflates in steps, between some of which other tasks have their turn.
async fn step_by_step(
    compression: Compression,
    wire: Bytes,
    most: usize,
    share: &mut Share,
) -> Result<Bytes, Refusal> {
    let refused = |broken| refusal(broken, most);
    let held = wire.len();
    let turn_in = TURN_IN;
    let bounds = Bounds { most, turn_in };
    let mut inflating = Inflating::begin(compression, wire, bounds).map_err(refused)?;
    loop {
        share.grow_to(held + inflating.needs()).await?;
        match inflating.step().map_err(refused)? {
            Step::More => {}
            Step::TurnOver => tokio::task::yield_now().await,
            Step::Whole => return Ok(inflating.finish()),
        }
    }
}

fn refusal(broken: Broken, most: usize) -> Refusal {
    match broken {
        Broken::Corrupt(error) => corrupt(&error),
        Broken::TooLarge => Refusal::TooLarge { most },
    }
}

fn corrupt(error: &io::Error) -> Refusal {
    Refusal::Malformed(format!("the compressed body is corrupt: {error}"))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::time::Duration;

    use futures_util::poll;
    use tokio::pin;

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

    /// How often inflating gives way, and what comes of it.
    async fn turns(coding: Coding, wire: Vec<u8>) -> (usize, Result<Bytes, Refusal>) {
        let inflating = inflated(coding, wire);
        pin!(inflating);
        let mut turns = 0;
        loop {
            if let std::task::Poll::Ready(inflated) = poll!(inflating.as_mut()) {
                return (turns, inflated);
            }
            turns += 1;
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn work_that_brings_little_or_nothing_gives_way_as_well() {
        let skipped = [0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0];
        let cases = [
            ("empty members", Coding::Gzip, gzip(b""), 0),
            ("members of a byte", Coding::Gzip, gzip(b"x"), 1),
            ("frames to be skipped", Coding::Zstd, skipped.to_vec(), 0),
            ("empty frames", Coding::Zstd, zstd(b""), 0),
            ("frames of a byte", Coding::Zstd, zstd(b"x"), 1),
        ];
        for (case, coding, unit, each) in cases {
            let times = (4 << 20) / unit.len();
            let (turns, payload) = turns(coding, unit.repeat(times)).await;
            assert_eq!(payload.unwrap().len(), times * each, "{case}");
            // 4 MiB in turns of 256 KiB.
            assert!((15..=16).contains(&turns), "{case}: {turns} turns");
        }
    }

    #[tokio::test]
    async fn what_is_cut_off_at_the_end_of_a_turn_is_cut_off() {
        let header = &gzip(b"x")[..10];
        let blocks = [0, 0, 0, 0xff, 0xff].repeat(60 << 10);
        let wire = [header, &blocks].concat();
        for len in TURN_IN - 3..TURN_IN + 3 {
            let cut = wire[..len].to_vec();
            let refusal = inflated(Coding::Gzip, cut).await.unwrap_err();
            assert!(matches!(refusal, Refusal::Malformed(_)), "{refusal}");
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
