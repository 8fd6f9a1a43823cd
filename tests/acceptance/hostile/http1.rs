//! HTTP/1 as nobody should speak it.

use acceptance::footprint::Footprint;
use acceptance::raw;
use anyhow::{Result, ensure};
use tokio::io::AsyncWriteExt;

use super::{honest_is_served, shop};

const CHUNKED: &str = "transfer-encoding: chunked";

/// A body that is another request as well, for who reads the head otherwise.
const SMUGGLED: &str = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: sloburn\r\n\r\n";

/// Lines of a head, a body, and the status that they get.
const WRONG: [(&[&str], &str, u16); 11] = [
    // Chunks win, and nothing more is read from such a connection.
    (&["content-length: 49", CHUNKED], SMUGGLED, 200),
    (&[CHUNKED, "content-length: 49"], SMUGGLED, 200),
    (&["content-length: 0", "content-length: 49"], SMUGGLED, 400),
    (&["content-length: 0, 49"], SMUGGLED, 400),
    (&["content-length: +5"], "12345", 400),
    (&["transfer-encoding: chunked, identity"], "", 400),
    (&["x: a\r\n folded"], "", 400),
    (&["content-length : 5"], "12345", 400),
    (&["x\0y: z"], "", 400),
    (&[CHUNKED], "10000000000000000\r\nx", 400),
    (&[CHUNKED], "xyz\r\n\r\n", 400),
];

#[tokio::test]
async fn a_request_has_one_end_or_is_refused() -> Result<()> {
    let home = shop()?;
    let sloburn = home.start().await?;
    let wrong = WRONG
        .iter()
        .map(|(lines, body, status)| (raw::head(lines) + body, *status));
    let lines: Vec<String> = (0..2000).map(|n| format!("x-{n}: y")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let large = [
        (raw::head(&[&format!("x: {}", "y".repeat(200 << 10))]), 431),
        (raw::head(&lines), 431),
        (raw::head(&[CHUNKED]) + "5;" + &"x".repeat(100 << 10), 400),
        ("SSH-2.0-hello\r\n\r\n".to_owned(), 400),
    ];
    for (request, status) in wrong.chain(large) {
        let answer = raw::exchange(sloburn.listeners().http, request.as_bytes()).await?;
        let case = format!("{request:.300}\nwas answered\n{answer}");
        ensure!(answer.matches("HTTP/1.1 ").count() <= 1, "{case}");
        // A client that is still writing when the server closes may see a reset instead.
        let told = answer.is_empty() || answer.starts_with(&format!("HTTP/1.1 {status}"));
        ensure!(told, "{case}");
    }
    honest_is_served(&sloburn).await
}

#[tokio::test]
async fn requests_without_end_and_answers_that_nobody_reads_are_bounded() -> Result<()> {
    let home = shop()?;
    let sloburn = home.start().await?;
    let process = Footprint(sloburn.pid()?);
    honest_is_served(&sloburn).await?;
    let before = process.resident()?;
    let flood = "GET / HTTP/1.1\r\nhost: sloburn\r\n\r\n".repeat(2000);
    let mut held = Vec::new();
    for address in [sloburn.listeners().http, sloburn.listeners().web] {
        for _ in 0..40 {
            let mut connection = raw::connect(address, None).await?;
            let writing = connection.write_all(flood.as_bytes());
            // What the server does not take stays with the client.
            drop(tokio::time::timeout(std::time::Duration::from_millis(50), writing).await);
            held.push(connection);
        }
    }
    honest_is_served(&sloburn).await?;
    let growth = process.resident()?.saturating_sub(before);
    ensure!(growth < 64 << 20, "{} KiB more", growth >> 10);
    println!("80 connections that never read: {} KiB more", growth >> 10);
    Ok(())
}
