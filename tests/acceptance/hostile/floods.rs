//! HTTP/2 as nobody should speak it.

use std::net::SocketAddr;

use acceptance::footprint::Footprint;
use acceptance::raw::{self, frame};
use anyhow::{Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::{honest_is_served, shop};

/// What a flood on some connections may add to the resident memory.
const GROWTH: u64 = 48 << 20;

/// Connections of one attacker.
const CONNECTIONS: usize = 8;

/// What an attacker sends: a number of times this, as it is for each stream.
type Attack = fn(stream: u32) -> Vec<u8>;

const ATTACKS: [(&str, Attack); 8] = [
    ("streams that are reset at once", |stream| {
        let opened = frame_of(frame::HEADERS, 4, stream, &raw::grpc_head());
        [
            opened,
            frame_of(frame::RST_STREAM, 0, stream, &[0, 0, 0, 8]),
        ]
        .concat()
    }),
    ("streams that are never finished", |stream| {
        frame_of(frame::HEADERS, 4, stream, &raw::grpc_head())
    }),
    ("pings", |_| frame_of(frame::PING, 0, 0, &[1; 8])),
    ("settings", |_| frame_of(frame::SETTINGS, 0, 0, &[])),
    ("settings that change", |stream| {
        let window = 65_535 + (stream % 1000);
        frame_of(
            frame::SETTINGS,
            0,
            0,
            &[&[0, 4][..], &window.to_be_bytes()].concat(),
        )
    }),
    ("a head without end", |stream| {
        if stream == 1 {
            return frame_of(frame::HEADERS, 0, 1, &raw::grpc_head());
        }
        let mut block = Vec::new();
        for _ in 0..8 {
            raw::literal(&mut block, "x-more", &"y".repeat(100));
        }
        frame_of(frame::CONTINUATION, 0, 1, &block)
    }),
    ("empty parts of a body", |stream| {
        if stream == 1 {
            return frame_of(frame::HEADERS, 4, 1, &raw::grpc_head());
        }
        frame_of(frame::DATA, 0, 1, &[])
    }),
    ("frames of no known type", |stream| {
        frame_of(0xfa, 0, stream, &[0; 64])
    }),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_of_frames_cost_a_bounded_amount_and_honest_senders_are_served() -> Result<()> {
    let home = shop()?;
    let sloburn = home.start().await?;
    let process = Footprint(sloburn.pid()?);
    for _ in 0..5 {
        honest_is_served(&sloburn).await?;
    }
    let (first, descriptors) = (process.resident()?, process.descriptors()?);
    for (name, attack) in ATTACKS {
        process.forget_peak()?;
        let cpu = process.cpu_seconds()?;
        let mut attackers = JoinSet::new();
        for _ in 0..CONNECTIONS {
            attackers.spawn(flood(sloburn.listeners().grpc, attack));
        }
        for _ in 0..3 {
            honest_is_served(&sloburn).await?;
        }
        attackers.join_all().await;
        honest_is_served(&sloburn).await?;
        let growth = process.peak()?.saturating_sub(first);
        let cpu = process.cpu_seconds()? - cpu;
        println!(
            "{name}: {} KiB more than at first, {cpu:.2} CPU-s",
            growth >> 10
        );
        ensure!(
            growth < GROWTH,
            "{name}: {} KiB more than at first",
            growth >> 10
        );
    }
    acceptance::wait::until("the sockets are closed", super::PATIENCE, async || {
        Ok((process.descriptors()? <= descriptors + 4).then_some(()))
    })
    .await
}

fn frame_of(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    raw::frame(kind, flags, stream, payload)
}

/// Sends ten thousand of them on one connection, or as many as are taken, and reads what it is told.
async fn flood(to: SocketAddr, attack: Attack) {
    let Ok(stream) = raw::http2(to, None, &[]).await else {
        return;
    };
    let (mut reads, mut writes) = stream.into_split();
    let reading = async {
        let mut buffer = vec![0; 16 << 10];
        while let Ok(1..) = reads.read(&mut buffer).await {}
    };
    let writing = async {
        for part in 0..100 {
            let frames: Vec<u8> = (0..100)
                .flat_map(|n| attack((part * 100 + n) * 2 + 1))
                .collect();
            if writes.write_all(&frames).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = reading => {}
        () = writing => {}
    }
}

#[tokio::test]
async fn answers_into_a_closed_window_are_bounded() -> Result<()> {
    let home = shop()?;
    let sloburn = home.start().await?;
    let process = Footprint(sloburn.pid()?);
    honest_is_served(&sloburn).await?;
    let before = process.resident()?;
    let mut held: Vec<TcpStream> = Vec::new();
    for _ in 0..20 {
        // A window of 0: no answer's body may be sent.
        let mut connection = raw::http2(sloburn.listeners().web, None, &[(4, 0)]).await?;
        for stream in 0..120 {
            let mut block = vec![0x82, 0x86]; // GET, http
            raw::literal(&mut block, ":path", "/oncall");
            raw::literal(&mut block, ":authority", "sloburn");
            let head = frame_of(frame::HEADERS, 5, stream * 2 + 1, &block);
            connection.write_all(&head).await?;
        }
        held.push(connection);
    }
    honest_is_served(&sloburn).await?;
    ensure!(sloburn.get("/oncall").await?.0 == 200);
    let growth = process.resident()?.saturating_sub(before);
    println!("2 400 pages that nobody reads: {} KiB more", growth >> 10);
    ensure!(growth < 64 << 20, "{} KiB more", growth >> 10);
    Ok(())
}
