//! Requests that are broken somewhere: a broken frame counts nothing, a broken span costs itself.

use acceptance::otlp::{Coding, Spans, post};
use acceptance::raw;
use anyhow::{Result, ensure};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use tokio::io::AsyncWriteExt;

use super::shop;

const PROTOBUF: &str = "application/x-protobuf";

#[tokio::test]
async fn a_request_cut_at_any_byte_counts_nothing() -> Result<()> {
    let home = shop()?;
    let sloburn = home.start().await?;
    let (whole, address) = (Spans::now("shop", 2, 1).encode(), sloburn.listeners().http);
    // As a sender that lost the rest: the body ends where it says, but the message does not.
    let mut connection = raw::connect(address, None).await?;
    for length in 1..whole.len() {
        let last = length + 1 == whole.len();
        let then = if last {
            "connection: close"
        } else {
            "connection: keep-alive"
        };
        let head = raw::head(&[&format!("content-length: {length}"), then]);
        connection.write_all(head.as_bytes()).await?;
        connection.write_all(&whole[..length]).await?;
    }
    let answers = raw::listen(&mut connection).await;
    let refused = answers.matches("HTTP/1.1 400").count();
    ensure!(
        refused == whole.len() - 1,
        "{refused} refused of {}",
        whole.len() - 1
    );
    ensure!(!answers.contains("HTTP/1.1 200"), "{answers}");
    // As a connection that broke: the body ends before it says.
    let head = raw::head(&[&format!("content-length: {}", whole.len())]);
    for length in (0..whole.len()).step_by(7) {
        let mut connection = raw::connect(address, None).await?;
        connection
            .write_all(&[head.as_bytes(), &whole[..length]].concat())
            .await?;
    }
    let (status, _) = post(
        &sloburn.http(),
        "/v1/traces",
        PROTOBUF,
        Coding::Gzip,
        &whole,
    )
    .await?;
    ensure!(status == 200);
    let slo = sloburn.slo_that("shop", |slo| slo.total > 0).await?;
    ensure!((slo.total, slo.bad) == (3, 1), "{slo:?}");
    Ok(())
}

#[tokio::test]
async fn one_poisoned_span_in_five_hundred_costs_itself() -> Result<()> {
    let home = shop()?;
    let sloburn = home.start().await?;
    let mut sent = 0;
    // Each makes one span unreadable, or of no use, where it lies within its neighbours.
    let poisons: [fn(&mut Vec<u8>); 7] = [
        |span| span.extend([0x28, 1]),
        |span| span.extend([0x40, 1]),
        |span| span.extend([0x4a, 4, 0x12, 9, 1, 1]),
        |span| span.push(0x0f),
        |span| span.truncate(span.len() - 3),
        |span| span.truncate(20),
        Vec::clear,
    ];
    for poison in poisons {
        let mut request = Spans::now("shop", 499, 1).request();
        let spans = std::mem::take(&mut request.resource_spans[0].scope_spans[0].spans);
        let mut encoded: Vec<Vec<u8>> = spans.iter().map(Message::encode_to_vec).collect();
        poison(&mut encoded[250]);
        let spans = encoded.iter().map(|span| field(2, span));
        let of_resource = request.resource_spans[0]
            .resource
            .as_ref()
            .map(Message::encode_to_vec);
        let of_resource = field(1, &of_resource.unwrap_or_default());
        let scope = field(2, &spans.collect::<Vec<_>>().concat());
        let body = field(1, &[of_resource, scope].concat());
        let (status, answer) = post(
            &sloburn.http(),
            "/v1/traces",
            PROTOBUF,
            Coding::Identity,
            &body,
        )
        .await?;
        ensure!(status == 200, "{status}");
        let partial = ExportTraceServiceResponse::decode(answer.as_slice())?.partial_success;
        let partial = partial.unwrap_or_default();
        ensure!(partial.rejected_spans == 1, "{partial:?}");
        ensure!(!partial.error_message.is_empty());
        sent += 499;
    }
    let slo = sloburn.slo_that("shop", |slo| slo.total >= sent).await?;
    ensure!((slo.total, slo.bad) == (sent, sent / 499), "{slo:?}");
    Ok(())
}

/// A field that holds bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    prost::encoding::encode_varint(bytes.len() as u64, &mut field);
    field.extend_from_slice(bytes);
    field
}
