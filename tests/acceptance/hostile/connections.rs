//! Connections that hold what they do not use.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use acceptance::footprint::Footprint;
use acceptance::raw::{self, frame};
use acceptance::wait;
use anyhow::{Result, ensure};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::{PATIENCE, honest_is_served, shop};

/// Where attackers come from.
fn attacker(number: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(127, 0, 9, number))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_streams_that_claim_64_mib_hold_nobody_up() -> Result<()> {
    let home = shop()?;
    let sloburn = home.start().await?;
    let process = Footprint(sloburn.pid()?);
    honest_is_served(&sloburn).await?;
    let (before, descriptors) = (process.resident()?, process.descriptors()?);
    let claim = [0, 0x04, 0, 0, 0];
    let mut held = Vec::new();
    for _ in 0..80 {
        let mut connection = raw::http2(sloburn.listeners().grpc, None, &[]).await?;
        for stream in (0..125).map(|n| n * 2 + 1) {
            let opened = raw::frame(frame::HEADERS, 4, stream, &raw::grpc_head());
            let begun = raw::frame(frame::DATA, 0, stream, &claim);
            connection.write_all(&[opened, begun].concat()).await?;
        }
        held.push(connection);
    }
    let head = raw::head(&["content-length: 67108864"]);
    for _ in 0..40 {
        let mut connection = raw::connect(sloburn.listeners().http, None).await?;
        connection.write_all(head.as_bytes()).await?;
        held.push(connection);
    }
    for _ in 0..3 {
        let sent = tokio::time::timeout(Duration::from_secs(3), honest_is_served(&sloburn)).await;
        sent??;
    }
    let growth = process.peak()?.saturating_sub(before);
    println!(
        "10 000 streams that claim 64 MiB each: {} KiB more",
        growth >> 10
    );
    ensure!(growth < 192 << 20, "{} KiB more", growth >> 10);
    drop(held);
    closed(process, descriptors).await
}

async fn closed(process: Footprint, descriptors: usize) -> Result<()> {
    wait::until(
        "the sockets are closed",
        Duration::from_secs(20),
        async || Ok((process.descriptors()? <= descriptors + 4).then_some(())),
    )
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_connections_on_256_descriptors_shut_nobody_out() -> Result<()> {
    let mut home = shop()?;
    home.open_files(256);
    let sloburn = home.start().await?;
    let process = Footprint(sloburn.pid()?);
    honest_is_served(&sloburn).await?;
    let descriptors = process.descriptors()?;
    let mut held: Vec<TcpStream> = Vec::new();
    let begun = raw::head(&["content-length: 100"]) + "x";
    let mut most = 0;
    for number in 0..1000_u32 {
        let from = attacker(u8::try_from(number % 5 + 1)?);
        let listeners = sloburn.listeners();
        let (to, words) = match number % 4 {
            0 => (listeners.grpc, ""),
            1 => (listeners.http, "POST /v1/tr"),
            2 => (listeners.http, begun.as_str()),
            _ => (listeners.web, "GET /oncall"),
        };
        let Ok(Ok(mut connection)) =
            tokio::time::timeout(Duration::from_millis(20), raw::connect(to, Some(from))).await
        else {
            continue;
        };
        // It may be closed already.
        drop(connection.write_all(words.as_bytes()).await);
        held.push(connection);
        most = most.max(process.descriptors()?);
    }
    ensure!(
        most < 240,
        "{most} descriptors, {descriptors} at first: {}",
        sloburn.told()
    );
    let cpu = process.cpu_seconds()?;
    for _ in 0..3 {
        honest_is_served(&sloburn).await?;
        let asked = tokio::time::timeout(PATIENCE, sloburn.get("/readyz")).await;
        ensure!(asked??.0 == 200);
    }
    let cpu = process.cpu_seconds()? - cpu;
    println!(
        "1 000 connections on 256 descriptors: {most} open, {cpu:.2} CPU-s for three honest requests"
    );
    ensure!(cpu < 2.0, "{cpu} CPU-s");
    let told = sloburn.told();
    ensure!(told.matches("those that do least").count() <= 4, "{told}");
    drop(held);
    closed(process, descriptors).await?;
    honest_is_served(&sloburn).await
}
