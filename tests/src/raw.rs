//! HTTP as bytes on a socket, to say what no client library would say.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// What every HTTP/2 connection begins with.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Types of HTTP/2 frames.
pub mod frame {
    /// A part of a body.
    pub const DATA: u8 = 0;
    /// A request's or answer's head.
    pub const HEADERS: u8 = 1;
    /// The end of a stream without an answer.
    pub const RST_STREAM: u8 = 3;
    /// What a peer accepts.
    pub const SETTINGS: u8 = 4;
    /// Is anybody there?
    pub const PING: u8 = 6;
    /// The peer takes no more streams.
    pub const GOAWAY: u8 = 7;
    /// The rest of a head.
    pub const CONTINUATION: u8 = 9;
}

/// A connection from a source address of the loopback network, or from any.
pub async fn connect(to: SocketAddr, from: Option<IpAddr>) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if let Some(from) = from {
        socket.bind(SocketAddr::new(from, 0))?;
    }
    let stream = timeout(PATIENCE, socket.connect(to)).await;
    let stream = stream.context("no connection in time")??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The head of an OTLP/HTTP request with these further lines.
pub fn head(more: &[&str]) -> String {
    let mut head = "POST /v1/traces HTTP/1.1\r\nhost: sloburn\r\n\
                    content-type: application/x-protobuf\r\n"
        .to_owned();
    for line in more {
        head.push_str(line);
        head.push_str("\r\n");
    }
    head + "\r\n"
}

/// Says `bytes` and listens until the server closes; answers what it said.
pub async fn exchange(to: SocketAddr, bytes: &[u8]) -> Result<String> {
    let mut stream = connect(to, None).await?;
    // The server may answer and close before it has read everything.
    drop(stream.write_all(bytes).await);
    Ok(listen(&mut stream).await)
}

/// Everything until the connection ends or nothing more comes.
pub async fn listen(stream: &mut TcpStream) -> String {
    let mut said = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(Ok(read @ 1..)) = timeout(PATIENCE, stream.read(&mut buffer)).await {
        said.extend_from_slice(buffer.get(..read).unwrap_or_default());
    }
    String::from_utf8_lossy(&said).into_owned()
}

/// A frame of HTTP/2.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len())
        .unwrap_or(u32::MAX)
        .to_be_bytes();
    let mut frame = length.get(1..).unwrap_or_default().to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// The head of a gRPC export of traces, as a header block.
pub fn grpc_head() -> Vec<u8> {
    let mut block = vec![0x83, 0x86]; // :method POST, :scheme http
    for (name, value) in [
        (
            ":path",
            "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        ),
        (":authority", "sloburn"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ] {
        literal(&mut block, name, value);
    }
    block
}

/// Appends a header that no table remembers; name and value below 127 bytes.
pub fn literal(block: &mut Vec<u8>, name: &str, value: &str) {
    block.push(0);
    for text in [name, value] {
        block.push(u8::try_from(text.len()).unwrap_or(0) & 0x7f);
        block.extend_from_slice(text.as_bytes());
    }
}

/// An HTTP/2 connection that has sent its preface, with the given settings.
pub async fn http2(
    to: SocketAddr,
    from: Option<IpAddr>,
    settings: &[(u16, u32)],
) -> Result<TcpStream> {
    let mut payload = Vec::new();
    for (name, value) in settings {
        payload.extend(name.to_be_bytes());
        payload.extend(value.to_be_bytes());
    }
    let mut stream = connect(to, from).await?;
    let hello = [PREFACE, &frame(frame::SETTINGS, 0, 0, &payload)].concat();
    stream.write_all(&hello).await?;
    Ok(stream)
}
