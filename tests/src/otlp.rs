//! OTLP requests with chosen times and counts, and raw senders that tell exactly what was answered.

use std::io::Write;
use std::time::Duration;

use anyhow::Result;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;

use crate::{clock, http};

/// A number of spans that differ in their ids only.
#[derive(Debug, Clone)]
pub struct Spans {
    /// `service.name`.
    pub service: String,
    /// Span name.
    pub name: String,
    /// Spans without an error.
    pub good: usize,
    /// Spans with status ERROR.
    pub bad: usize,
    /// From start to end.
    pub duration: Duration,
    /// End of every span, nanoseconds since the Unix epoch.
    pub ended_at: u64,
    /// Attributes of every span.
    pub attributes: Vec<(String, String)>,
}

impl Spans {
    /// `good` and `bad` server spans of `service` that end now.
    pub fn now(service: &str, good: usize, bad: usize) -> Spans {
        Spans::ended_at(service, good, bad, clock::now_nanos())
    }

    /// The same, that end at `nanos`.
    pub fn ended_at(service: &str, good: usize, bad: usize, nanos: u64) -> Spans {
        Spans {
            service: service.to_owned(),
            name: "GET /".to_owned(),
            good,
            bad,
            duration: Duration::from_millis(20),
            ended_at: nanos,
            attributes: Vec::new(),
        }
    }

    /// The request that holds them.
    pub fn request(&self) -> ExportTraceServiceRequest {
        let spans = (0..self.good + self.bad)
            .map(|number| self.span(number >= self.good))
            .collect();
        ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(Resource {
                    attributes: vec![text("service.name", &self.service)],
                    ..Resource::default()
                }),
                scope_spans: vec![ScopeSpans {
                    spans,
                    ..ScopeSpans::default()
                }],
                ..ResourceSpans::default()
            }],
        }
    }

    /// The request's protobuf bytes.
    pub fn encode(&self) -> Vec<u8> {
        self.request().encode_to_vec()
    }

    fn span(&self, bad: bool) -> Span {
        let duration = u64::try_from(self.duration.as_nanos()).unwrap_or(u64::MAX);
        let code = if bad {
            StatusCode::Error
        } else {
            StatusCode::Unset
        };
        Span {
            trace_id: rand::random::<[u8; 16]>().to_vec(),
            span_id: rand::random::<[u8; 8]>().to_vec(),
            name: self.name.clone(),
            kind: 2, // SERVER
            start_time_unix_nano: self.ended_at.saturating_sub(duration),
            end_time_unix_nano: self.ended_at,
            attributes: self
                .attributes
                .iter()
                .map(|(key, value)| text(key, value))
                .collect(),
            status: Some(Status {
                code: code.into(),
                message: String::new(),
            }),
            ..Span::default()
        }
    }
}

/// A text attribute.
pub fn text(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue {
            value: Some(any_value::Value::StringValue(value.to_owned())),
        }),
        ..KeyValue::default()
    }
}

/// How a body is compressed on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// As it is.
    Identity,
    /// `content-encoding: gzip`.
    Gzip,
    /// `content-encoding: zstd`.
    Zstd,
}

/// Sends a body to `endpoint` + `path`; answers status and body.
pub async fn post(
    endpoint: &str,
    path: &str,
    content_type: &str,
    coding: Coding,
    body: &[u8],
) -> Result<(u16, Vec<u8>)> {
    let mut request = http::client()?
        .post(format!("{endpoint}{path}"))
        .header("content-type", content_type);
    let body = match coding {
        Coding::Identity => body.to_vec(),
        Coding::Gzip => {
            request = request.header("content-encoding", "gzip");
            let mut encoder =
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(body)?;
            encoder.finish()?
        }
        Coding::Zstd => {
            request = request.header("content-encoding", "zstd");
            zstd::encode_all(body, 0)?
        }
    };
    let response = request.body(body).send().await?;
    Ok((response.status().as_u16(), response.bytes().await?.to_vec()))
}

/// Sends spans as OTLP/HTTP protobuf; answers the status.
pub async fn send(endpoint: &str, spans: &Spans) -> Result<u16> {
    let body = spans.encode();
    let sent = post(
        endpoint,
        "/v1/traces",
        "application/x-protobuf",
        Coding::Identity,
        &body,
    );
    Ok(sent.await?.0)
}
