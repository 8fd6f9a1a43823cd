//! Requests as a connection's usage sees them: whose turn it is, theirs or ours.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::{Frame, Incoming, SizeHint};
use tower::Service as _;

use super::pool::{USEFUL_BYTES, Usage};

/// What answers the requests of a listener: a cheap handle.
pub(crate) trait Responder: Clone + Send + 'static {
    /// The answer to a request.
    fn respond(self, request: Request<WatchedBody>) -> impl Future<Output = Response<Body>> + Send;
}

/// A responder on one connection.
#[derive(Clone, Debug)]
pub(super) struct Watched<R> {
    pub(super) responder: R,
    pub(super) usage: Arc<Usage>,
}

/// A request's body.
#[derive(Debug)]
pub(crate) struct WatchedBody {
    body: Incoming,
    usage: Arc<Usage>,
    awaited: bool,
    /// Bytes that came since it was last of use.
    bytes: u64,
}

/// A request from its head to its answer, also if nobody waits for that.
struct UnderWay(Arc<Usage>);

impl Responder for Router {
    async fn respond(mut self, request: Request<WatchedBody>) -> Response<Body> {
        let Ok(answer) = self.call(request).await;
        answer
    }
}

impl<R: Responder> hyper::service::Service<Request<Incoming>> for Watched<R> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let usage = &self.usage;
        usage.request_began();
        let under_way = UnderWay(Arc::clone(usage));
        let request = request.map(|body| WatchedBody::new(body, Arc::clone(usage)));
        let responder = self.responder.clone();
        Box::pin(async move {
            let answer = responder.respond(request).await;
            under_way.0.was_useful();
            Ok(answer)
        })
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.request_ended();
    }
}

impl WatchedBody {
    fn new(body: Incoming, usage: Arc<Usage>) -> WatchedBody {
        let awaited = !body.is_end_stream();
        if awaited {
            usage.body_is_awaited();
        }
        WatchedBody {
            body,
            usage,
            awaited,
            bytes: 0,
        }
    }

    fn ended(&mut self) {
        if std::mem::take(&mut self.awaited) {
            self.usage.body_ended();
        }
    }
}

impl HttpBody for WatchedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let mut next = self.body.frame();
        let frame = ready!(Pin::new(&mut next).poll(cx));
        if let Some(Ok(frame)) = &frame {
            let length = frame.data_ref().map_or(0, Bytes::len);
            self.bytes += u64::try_from(length).unwrap_or_default();
            if self.bytes >= USEFUL_BYTES {
                self.bytes = 0;
                self.usage.was_useful();
            }
        }
        if !matches!(frame, Some(Ok(_))) || self.body.is_end_stream() {
            self.ended();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for WatchedBody {
    fn drop(&mut self) {
        self.ended();
    }
}
