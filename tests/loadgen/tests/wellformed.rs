//! Every payload must decode with the official types, also after a refresh.
use loadgen::{Encoding, Refresh, gen_metrics, gen_traces};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use prost::Message;

#[test]
fn traces_decode_and_refresh() {
    let cfg = gen_traces::TraceCfg {
        error_ratio: 0.2,
        resources_per_request: 3,
        ..Default::default()
    };
    let ts = gen_traces::templates(&cfg, Encoding::Proto, 8);
    let mut ids = std::collections::HashSet::new();
    let mut traces = std::collections::HashSet::new();
    for (n, t) in ts.iter().enumerate() {
        for round in 0..2u64 {
            let b = t.body(
                Refresh::ALL,
                n as u64 * 2 + round,
                7,
                true,
                loadgen::Compression::None,
                1,
            );
            let m = ExportTraceServiceRequest::decode(&b[5..]).unwrap();
            assert_eq!(m.encoded_len(), b.len() - 5);
            let mut count = 0;
            assert_eq!(m.resource_spans.len(), 3);
            for rs in &m.resource_spans {
                assert_eq!(
                    rs.resource.as_ref().unwrap().attributes[0].key,
                    "service.name"
                );
                for s in rs.scope_spans.iter().flat_map(|s| &s.spans) {
                    count += 1;
                    assert_eq!((s.trace_id.len(), s.span_id.len()), (16, 8));
                    assert!(ids.insert(s.span_id.clone()), "span id repeated");
                    traces.insert(s.trace_id.clone());
                    assert!(s.end_time_unix_nano >= s.start_time_unix_nano);
                    assert!(loadgen::now_ns() - s.end_time_unix_nano < 200_000_000_000);
                    if s.kind == 2 {
                        assert_eq!(s.attributes.len(), 10);
                    }
                    if !s.events.is_empty() {
                        assert_eq!(s.status.as_ref().unwrap().code, 2);
                        assert_eq!(s.events[0].time_unix_nano, s.end_time_unix_nano);
                    }
                }
            }
            assert_eq!(count, 100);
            assert_eq!(t.items, 100);
        }
    }
    assert!(traces.len() > 16 * 20);
}

#[test]
fn json_is_the_same_shape() {
    let cfg = gen_traces::TraceCfg {
        error_ratio: 0.2,
        ..Default::default()
    };
    let t = &gen_traces::templates(&cfg, Encoding::Json, 1)[0];
    let b = t.body(Refresh::ALL, 1, 7, false, loadgen::Compression::None, 1);
    let m: serde_json::Value = serde_json::from_slice(&b).unwrap();
    let spans = m["resourceSpans"][0]["scopeSpans"][0]["spans"]
        .as_array()
        .unwrap();
    assert_eq!(spans.len(), 100);
    assert_eq!(spans[0]["traceId"].as_str().unwrap().len(), 32);
    let end: u64 = spans[0]["endTimeUnixNano"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!(loadgen::now_ns() - end < 200_000_000_000);
}

#[test]
fn metrics_decode_and_count_up() {
    for cumulative in [false, true] {
        let cfg = gen_metrics::MetricCfg {
            cumulative,
            points_per_request: 20,
            ..Default::default()
        };
        let t = &gen_metrics::templates(&cfg, 2)[0];
        let mut last = (0u64, 0u64);
        for round in 0..3u64 {
            let b = t.body(Refresh::ALL, round, 7, false, loadgen::Compression::None, 1);
            let m = ExportMetricsServiceRequest::decode(&b[..]).unwrap();
            let ms = &m.resource_metrics[0].scope_metrics[0].metrics;
            assert_eq!(ms.len(), 3);
            let mut now = (0, 0);
            for x in ms {
                match x.data.as_ref().unwrap() {
                    Data::Sum(s) => assert_eq!(s.data_points.len(), 20),
                    Data::Histogram(h) => {
                        let p = &h.data_points[0];
                        assert_eq!(p.bucket_counts.iter().sum::<u64>(), p.count);
                        assert_eq!(p.bucket_counts.len(), p.explicit_bounds.len() + 1);
                        now.0 = p.count;
                    }
                    Data::ExponentialHistogram(h) => {
                        let p = &h.data_points[0];
                        assert_eq!(
                            p.positive
                                .as_ref()
                                .unwrap()
                                .bucket_counts
                                .iter()
                                .sum::<u64>(),
                            p.count
                        );
                        assert!(p.start_time_unix_nano < p.time_unix_nano);
                        now.1 = p.count;
                    }
                    _ => unreachable!(),
                }
            }
            if cumulative {
                assert!(now.0 > last.0 && now.1 > last.1);
            } else if round > 0 {
                assert_eq!(now, last);
            }
            last = now;
        }
    }
}
