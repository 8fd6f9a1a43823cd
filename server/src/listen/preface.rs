//! A deadline for the first bytes of a connection, which tell HTTP/1 from HTTP/2: hyper's header timeout begins only
//! after them.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// What every HTTP/2 connection begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A stream whose reads fail when it has not said by the deadline which protocol it speaks.
#[derive(Debug)]
pub(super) struct PrefaceDeadline<S> {
    stream: S,
    /// `None` once the protocol is known.
    undecided: Option<Undecided>,
}

#[derive(Debug)]
struct Undecided {
    deadline: Pin<Box<Sleep>>,
    /// Bytes that came, all of them as the preface has them.
    matched: usize,
}

impl<S> PrefaceDeadline<S> {
    /// Gives the stream `time` from now.
    pub(super) fn new(stream: S, time: Duration) -> PrefaceDeadline<S> {
        let deadline = Box::pin(sleep(time));
        PrefaceDeadline {
            stream,
            undecided: Some(Undecided {
                deadline,
                matched: 0,
            }),
        }
    }

    /// Notes bytes that were read.
    fn saw(&mut self, bytes: &[u8]) {
        let Some(undecided) = &mut self.undecided else {
            return;
        };
        let rest = &PREFACE[undecided.matched..];
        let differs = bytes
            .iter()
            .zip(rest)
            .any(|(byte, expected)| byte != expected);
        if differs || bytes.len() >= rest.len() {
            self.undecided = None;
        } else {
            undecided.matched += bytes.len();
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for PrefaceDeadline<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(undecided) = &mut self.undecided
            && undecided.deadline.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let bytes = buf.filled().get(before..).unwrap_or_default();
        self.saw(bytes);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for PrefaceDeadline<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::Instant;

    use super::*;

    const TIME: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn an_undecided_connection_times_out_however_it_trickles() {
        for sent in ["", "P", "PRI * HTTP/2.0\r\n\r\nSM\r\n"] {
            let (mut client, server) = duplex(64);
            let mut server = PrefaceDeadline::new(server, TIME);
            let started = Instant::now();
            let reading = async {
                let mut bytes = Vec::new();
                server.read_to_end(&mut bytes).await.unwrap_err().kind()
            };
            let trickling = async {
                for byte in sent.bytes() {
                    client.write_u8(byte).await.unwrap();
                    tokio::time::advance(Duration::from_millis(100)).await;
                }
            };
            let (kind, ()) = tokio::join!(reading, trickling);
            assert_eq!(kind, io::ErrorKind::TimedOut, "{sent:?}");
            assert_eq!(started.elapsed().as_secs(), TIME.as_secs(), "{sent:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_decided_connection_has_no_deadline() {
        let http1 = "GET / HTTP/1.1\r\n";
        let http2 = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        for sent in [http1, http2, "POST"] {
            let (mut client, server) = duplex(64);
            let mut server = PrefaceDeadline::new(server, TIME);
            client.write_all(sent.as_bytes()).await.unwrap();
            let mut bytes = vec![0; sent.len()];
            server.read_exact(&mut bytes).await.unwrap();
            tokio::time::advance(TIME * 10).await;
            client.write_u8(b'x').await.unwrap();
            assert_eq!(server.read_u8().await.unwrap(), b'x', "{sent:?}");
        }
    }
}
