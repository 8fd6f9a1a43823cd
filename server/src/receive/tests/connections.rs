//! What a connection may hold, and how it ends.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

const HEAD: &str = "POST /v1/traces HTTP/1.1\r\nhost: sloburn\r\n\
                    content-type: application/x-protobuf\r\ncontent-length: 100\r\n\r\n";

async fn said(served: &Served, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

async fn answered(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn a_head_that_does_not_come_closes_the_connection() {
    let connections = ConnectionLimits {
        header_time: Duration::from_millis(50),
        ..ConnectionLimits::default()
    };
    let served = Served::with(ReceiveLimits::default(), connections).await;
    for head in [
        "",
        "PRI * HT",
        "POST /v1/tr",
        "POST /v1/traces HTTP/1.1\r\nhost: slo",
    ] {
        let answer = answered(said(&served, head).await).await;
        assert!(!answer.contains("200"), "{head:?}: {answer}");
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_is_answered_503() {
    let limits = ReceiveLimits {
        body_time: Duration::from_millis(50),
        ..ReceiveLimits::default()
    };
    let served = Served::with(limits, ConnectionLimits::default()).await;
    let answer = answered(said(&served, HEAD).await).await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("retry-after: 2"), "{answer}");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_not_submitted() {
    let mut served = Served::start().await;
    let mut submitted = served.journal_answers(Ok(Answer::default()));
    let mut stream = said(&served, HEAD).await;
    stream.write_all(&one_span(5)[..20]).await.unwrap();
    stream.shutdown().await.unwrap();
    let answer = answered(stream).await;
    assert!(!answer.contains("200 OK"), "{answer}");

    let reply = served.post_protobuf(&[], one_span(5)).await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(submitted.recv().await.unwrap().items, 1);
    assert!(submitted.try_recv().is_err());
}

#[tokio::test]
async fn a_head_larger_than_the_limit_is_refused() {
    let served = Served::start().await;
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nx: {}\r\n\r\n",
        "y".repeat(80 << 10)
    );
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    // The server may close before it has read all.
    stream.write_all(head.as_bytes()).await.unwrap_or_default();
    let mut start = [0; 12];
    match stream.read_exact(&mut start).await {
        Ok(_) => assert_eq!(&start, b"HTTP/1.1 431"),
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
    }
}

#[tokio::test]
async fn stopping_finishes_what_is_in_flight_and_takes_no_more() {
    let mut served = Served::start().await;
    let mut queue = served.queue.take().unwrap();
    let request = served
        .client
        .post(served.url("/v1/traces"))
        .header("content-type", "application/x-protobuf")
        .body(one_span(5));
    let (reply, address) = tokio::join!(request.send(), async {
        let queued = queue.requests.recv().await.unwrap();
        served.stop.cancel();
        while TcpStream::connect(served.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        queued.reply.send(Ok(Answer::default())).unwrap();
        served.address
    });
    assert_eq!(reply.unwrap().status(), StatusCode::OK);
    served.tasks.join_next().await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn stopping_cuts_off_what_does_not_end() {
    let connections = ConnectionLimits {
        drain_time: Duration::from_millis(50),
        ..ConnectionLimits::default()
    };
    let mut served = Served::with(ReceiveLimits::default(), connections).await;
    let mut stream = said(&served, HEAD).await;
    stream.write_all(&[0; 10]).await.unwrap();
    served.stop.cancel();
    served.tasks.join_next().await.unwrap().unwrap();
    let mut answer = Vec::new();
    if let Err(error) = stream.read_to_end(&mut answer).await {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
    assert!(answer.is_empty());
}
