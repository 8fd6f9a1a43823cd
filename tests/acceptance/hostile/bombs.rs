//! Requests of at most 64 KiB on the wire that would like to be much more.

mod json;
mod protobuf;

use std::io::Write;

use acceptance::footprint::Footprint;
use acceptance::home::Home;
use acceptance::otlp::Spans;
use acceptance::{http, specs};
use anyhow::{Result, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;

/// Most bytes of a bomb on the wire.
const WIRE: usize = 64 << 10;

/// What a bomb may add to the peak of resident memory: the payload that it becomes (7.25 MiB), what is decoded of it,
/// and what an allocator takes beside or kept from the bomb before.
const GROWTH: u64 = 24 << 20;

/// The same for 99 000 metric points in one request, 200 bytes each when they are decoded.
const GROWTH_OF_POINTS: u64 = 64 << 20;

/// As large as decompression lets 64 KiB become.
const LARGE: usize = 7 << 20;

/// One bomb, and what it is answered.
struct Bomb {
    name: &'static str,
    path: &'static str,
    content_type: &'static str,
    coding: &'static str,
    wire: Vec<u8>,
    /// The HTTP status.
    answered: u16,
    /// What it may add to the peak of resident memory, in bytes.
    growth: u64,
}

impl Bomb {
    fn new(name: &'static str, coding: &'static str, wire: Vec<u8>, answered: u16) -> Bomb {
        Bomb {
            name,
            path: "/v1/traces",
            content_type: "application/x-protobuf",
            coding,
            wire,
            answered,
            growth: GROWTH,
        }
    }

    /// Protobuf, compressed with zstd, and as large on the wire as a bomb may be.
    fn protobuf(name: &'static str, payload: &[u8], answered: u16) -> Bomb {
        Bomb::new(name, "zstd", padded(zstd(payload)), answered)
    }

    fn json(name: &'static str, payload: &[u8], answered: u16) -> Bomb {
        Bomb {
            content_type: "application/json",
            ..Bomb::protobuf(name, payload, answered)
        }
    }
}

fn zstd(payload: &[u8]) -> Vec<u8> {
    zstd::encode_all(payload, 19).expect("zstd")
}

/// As many bytes on the wire as a bomb has, so that it may become the more: the rest is a frame to be skipped.
fn padded(mut wire: Vec<u8>) -> Vec<u8> {
    if let Some(more) = WIRE.checked_sub(wire.len() + 8) {
        wire.extend(0x184d_2a50_u32.to_le_bytes());
        wire.extend(u32::try_from(more).unwrap_or(0).to_le_bytes());
        wire.resize(WIRE, 0);
    }
    wire
}

fn gzip(payload: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(payload).expect("gzip");
    encoder.finish().expect("gzip")
}

fn compression_bombs() -> Vec<Bomb> {
    let zeros = vec![0; 60 << 20];
    let mut window = zstd::Encoder::new(Vec::new(), 3).expect("zstd");
    window.window_log(27).expect("a window");
    window.write_all(&zeros).expect("zstd");
    let window = window.finish().expect("zstd");
    let member = gzip(&vec![0; 200 << 10]);
    let members = member.repeat(WIRE / member.len());
    let nothing = gzip(&[]).repeat(WIRE / 20);
    vec![
        Bomb::new("gzip", "gzip", gzip(&zeros), 413),
        Bomb::new("zstd", "zstd", zstd(&zeros), 413),
        Bomb::new("a zstd window of 128 MiB", "zstd", window, 413),
        Bomb::new("gzip in many members", "gzip", members, 413),
        Bomb::new("gzip in thousands of empty members", "gzip", nothing, 200),
    ]
}

/// A home whose specs look at an attribute, and which keeps no bodies.
fn home() -> Result<Home> {
    let mut home = Home::new()?;
    // glibc's allocator would keep what one bomb used and hide the next one's need in it.
    for name in ["MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"] {
        home.env(name, "65536");
    }
    home.env("MALLOC_ARENA_MAX", "1");
    let shop = specs::availability("shop", "shop", 0.99, "1d");
    let of_route = "service.name: shop, http.route: /cart }";
    home.spec("shop.yaml", &shop.replace("service.name: shop }", of_route))?;
    home.config("[limits]\nring_bytes = 0\n")?;
    Ok(home)
}

#[tokio::test]
async fn a_bomb_costs_a_bounded_amount_and_gets_the_right_answer() -> Result<()> {
    let home = home()?;
    let sloburn = home.start().await?;
    let process = Footprint(sloburn.pid()?);
    let send = async |bomb: &Bomb| -> Result<u16> {
        let request = http::client()?
            .post(format!("{}{}", sloburn.http(), bomb.path))
            .header("content-type", bomb.content_type)
            .header("content-encoding", bomb.coding)
            .body(bomb.wire.clone());
        Ok(request.send().await?.status().as_u16())
    };
    // What every process takes once: threads, statements, the buffers of the first requests.
    let warm = Bomb::new("warm", "", Spans::now("cart", 2000, 0).encode(), 200);
    for _ in 0..3 {
        ensure!(send(&warm).await? == 200);
    }
    let first = process.resident()?;
    let mut failures = Vec::new();
    let sets = [
        compression_bombs(),
        protobuf::of_nothing(),
        protobuf::of_one_span(),
        protobuf::of_points(),
        json::of_one_span(),
        json::of_structure(),
    ];
    for bomb in sets.iter().flatten() {
        ensure!(
            bomb.wire.len() <= WIRE,
            "{}: {} bytes",
            bomb.name,
            bomb.wire.len()
        );
        let before = process.resident()?;
        process.forget_peak()?;
        let status = send(bomb).await?;
        let growth = process.peak()?.saturating_sub(before);
        let line = format!(
            "{}: {} bytes, answered {status}, {} KiB more, then {} KiB more than at first",
            bomb.name,
            bomb.wire.len(),
            growth >> 10,
            process.resident()?.saturating_sub(first) >> 10
        );
        println!("{line}");
        if status != bomb.answered || growth > bomb.growth {
            failures.push(line);
        }
    }
    ensure!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}
