//! Serving a listener: HTTP/1 and HTTP/2 on one port, with a bound on everything a client may hold.

mod alarm;
mod descriptors;
mod pool;
mod preface;
mod watched;

use std::io;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use futures_util::{pending, poll};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinSet, yield_now};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use alarm::Alarm;
use pool::{Place, Usage};
use preface::PrefaceDeadline;
use watched::Watched;

pub(crate) use descriptors::{divide, raise as raise_descriptors};
pub(crate) use pool::Pool;
pub(crate) use watched::{Responder, WatchedBody};

/// How long accepting pauses when the system has no more file descriptors.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// Time in which a connection that must make room says goodbye: what can be written at once.
const GOODBYE: Duration = Duration::ZERO;

/// Bytes that a client may send on a connection before anybody reads them: what all of them together may make us
/// hold, whatever the room for requests.
const WINDOW: u32 = 256 << 10;

/// Most bytes of an HTTP/2 frame. The standard's least is 16 KiB; what one claims is reserved before it comes.
const FRAME: u32 = 64 << 10;

/// Bounds on connections. The defaults are the product's; the configuration may change them.
#[derive(Clone, Debug)]
pub struct ConnectionLimits {
    /// Connections at once; for the next one another must go, or it waits in the listener's backlog. Default 1024,
    /// less when there are few file descriptors.
    pub connections: usize,
    /// Connections at once from one address. Default 512, at most half of all.
    pub per_address: usize,
    /// Time for a request's head to arrive, counted from the connection or from the answer before: an HTTP/1
    /// connection that is idle for longer is closed. Default 10 s.
    pub header_time: Duration,
    /// Most bytes of a request's head. Default 16 KiB.
    pub header_bytes: u32,
    /// Requests at once on one HTTP/2 connection. Default 128.
    pub streams: u32,
    /// Time after which a silent HTTP/2 peer is pinged; one that does not answer in as long again is gone.
    /// Default 30 s.
    pub ping_every: Duration,
    /// Time in which open requests are finished when the server stops. Default 10 s.
    pub drain_time: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> ConnectionLimits {
        ConnectionLimits {
            connections: 1024,
            per_address: 512,
            header_time: Duration::from_secs(10),
            header_bytes: 16 << 10,
            streams: 128,
            ping_every: Duration::from_secs(30),
            drain_time: Duration::from_secs(10),
        }
    }
}

/// Has `responder` answer what comes on `listener` until `stop`; then accepts no more, finishes what is in flight, and
/// returns after at most the limits' `drain_time`.
pub(crate) async fn serve(
    listener: TcpListener,
    responder: impl Responder,
    pool: Pool,
    stop: CancellationToken,
) {
    let limits = pool.limits();
    let builder = builder(limits);
    let mut connections = JoinSet::new();
    let mut exhausted = false;
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = accept(&listener, &pool, &stop) => accepted,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok(Some((stream, place))) => {
                exhausted = false;
                let connection = Connection {
                    io: PrefaceDeadline::new(stream, limits.header_time),
                    place,
                    builder: builder.clone(),
                    responder: responder.clone(),
                    stop: stop.clone(),
                };
                connections.spawn(connection.run());
            }
            // Closed: its address has too many.
            Ok(None) => {}
            // The client's affair: it gave up before it was accepted.
            Err(error) if is_of_connection(&error) => {}
            Err(error) => {
                if !std::mem::replace(&mut exhausted, true) {
                    tracing::warn!(error = %error, "connections cannot be accepted; closing those that do least");
                }
                pool.shed_one();
                sleep(EXHAUSTED_PAUSE).await;
            }
        }
    }
    drop(listener);
    let drained = timeout(limits.drain_time, async {
        while connections.join_next().await.is_some() {}
    });
    if drained.await.is_err() {
        let left = connections.len();
        tracing::warn!(connections = left, "connections were cut off at shutdown");
    }
}

/// One more connection, when there is a place for it; none if its address may have no more.
async fn accept(
    listener: &TcpListener,
    pool: &Pool,
    stop: &CancellationToken,
) -> io::Result<Option<(TcpStream, Place)>> {
    let (stream, peer) = listener.accept().await?;
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(error = %error, "a connection goes without TCP_NODELAY");
    }
    let place = pool.admit(peer.ip(), stop).await;
    Ok(place.map(|place| (stream, place)))
}

/// Whether accepting failed for this one connection, and not for want of file descriptors or memory.
fn is_of_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}

/// One connection and what it needs.
struct Connection<R> {
    io: PrefaceDeadline<TcpStream>,
    place: Place,
    builder: auto::Builder<TokioExecutor>,
    responder: R,
    stop: CancellationToken,
}

impl<R: Responder> Connection<R> {
    /// Serves it to its end. Its errors are the client's affair: a reset, a timeout, a breach of the protocol.
    async fn run(self) {
        let service = Watched {
            responder: self.responder,
            usage: self.place.usage.clone(),
        };
        let mut builder = self.builder;
        builder.http1().timer(Alarm::default());
        let served = builder.serve_connection(TokioIo::new(self.io), service);
        let mut served = pin!(served);
        let ended = tokio::select! {
            biased;
            ended = unhurried(served.as_mut(), &self.place.usage) => ended,
            () = self.place.leave.cancelled() => {
                served.as_mut().graceful_shutdown();
                if self.stop.is_cancelled() {
                    unhurried(served, &self.place.usage).await
                } else {
                    timeout(GOODBYE, served).await.unwrap_or(Ok(()))
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(error = %error, "a connection ended early");
        }
        drop(self.place);
    }
}

/// Drives a connection with several requests under way only after everything else that is ready: a commit answers many
/// of them at once, and their answers go out in one write.
async fn unhurried<F: Future>(mut served: Pin<&mut F>, usage: &Usage) -> F::Output {
    loop {
        if let Poll::Ready(ended) = poll!(served.as_mut()) {
            return ended;
        }
        pending!();
        if usage.requests() > 1 {
            yield_now().await;
        }
    }
}

fn builder(limits: &ConnectionLimits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    let head = usize::try_from(limits.header_bytes).unwrap_or(usize::MAX);
    builder
        .http1()
        // By the alarm that each connection has.
        .header_read_timeout(limits.header_time)
        // Bounds the head too (431), but bodies are read through it: a small one would cost system calls.
        .max_buf_size(head.max(64 << 10));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(limits.header_bytes)
        .max_concurrent_streams(limits.streams)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        // Most batches in one frame: fewer reads, and a body that is not put together from pieces.
        .max_frame_size(FRAME)
        // The rapid-reset attack: streams opened and reset faster than they are accepted.
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(64)
        .keep_alive_interval(limits.ping_every)
        .keep_alive_timeout(limits.ping_every);
    builder
}
