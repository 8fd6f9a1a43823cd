// Sends a known number of spans and metric points with the unmodified OpenTelemetry SDK for JavaScript.
//
// What was sent is printed as one JSON object on standard output, for the acceptance test to compare with
// what sloburn counted. Nothing here is tuned for sloburn: the exporters are as a user sets them up.

import { parseArgs } from 'node:util';
import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { OTLPMetricExporter as GrpcMetrics } from '@opentelemetry/exporter-metrics-otlp-grpc';
import { OTLPMetricExporter as JsonMetrics } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPMetricExporter as ProtoMetrics } from '@opentelemetry/exporter-metrics-otlp-proto';
import { OTLPTraceExporter as GrpcTraces } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as JsonTraces } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtoTraces } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AggregationTemporality,
  AggregationType,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';

const FLUSH_EVERY = 400; // spans: well below the batch processor's queue, so that the SDK itself drops none
const ROUNDS = 3; // exports of the same cumulative series
const THRESHOLD_S = 0.25; // of the histogram; one of its bucket bounds

const EXPORTERS = {
  grpc: [GrpcTraces, GrpcMetrics],
  http: [ProtoTraces, ProtoMetrics],
  'http-json': [JsonTraces, JsonMetrics],
};

/** The span and metric exporters of a protocol, as the SDK's documentation sets them up. */
function exporters(protocol, endpoint, temporalityPreference) {
  const [Traces, Metrics] = EXPORTERS[protocol];
  const url = (path) => (protocol === 'grpc' ? endpoint : `${endpoint}${path}`);
  return [
    new Traces({ url: url('/v1/traces') }),
    new Metrics({ url: url('/v1/metrics'), temporalityPreference }),
  ];
}

/** Ends `count` server spans, every seventh an error; returns how many were errors. */
async function sendSpans(resource, exporter, count) {
  const provider = new BasicTracerProvider({
    resource,
    spanProcessors: [new BatchSpanProcessor(exporter)],
  });
  const tracer = provider.getTracer('sloburn.acceptance');
  let errors = 0;
  for (let number = 0; number < count; number += 1) {
    const span = tracer.startSpan('GET /cart', {
      kind: SpanKind.SERVER,
      attributes: { 'http.route': '/cart' },
    });
    if (number % 7 === 0) {
      span.setStatus({ code: SpanStatusCode.ERROR, message: 'no answer' });
      errors += 1;
    }
    span.end();
    if (number % FLUSH_EVERY === FLUSH_EVERY - 1) await provider.forceFlush();
  }
  await provider.forceFlush();
  await provider.shutdown();
  return errors;
}

/** Records `count` orders and as many durations a round; returns the totals and the bad ones. */
async function sendMetrics(resource, exporter, count) {
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const provider = new MeterProvider({
    resource,
    readers: [reader],
    views: [
      {
        instrumentName: 'shop.basket.value',
        aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM },
      },
    ],
  });
  const meter = provider.getMeter('sloburn.acceptance');
  const orders = meter.createCounter('shop.orders', { unit: '{order}' });
  const duration = meter.createHistogram('shop.order.duration', {
    unit: 's',
    advice: { explicitBucketBoundaries: [0.05, 0.1, THRESHOLD_S, 0.5, 1.0] },
  });
  const value = meter.createHistogram('shop.basket.value', { unit: 'EUR' });
  const sent = {
    orders: 0,
    orders_failed: 0,
    durations: 0,
    durations_slow: 0,
    values: 0,
    values_high: 0,
  };
  for (let round = 0; round < ROUNDS; round += 1) {
    for (let number = 0; number < count; number += 1) {
      const failed = number % 5 === 0;
      orders.add(1, { outcome: failed ? 'failed' : 'placed' });
      sent.orders += 1;
      sent.orders_failed += Number(failed);
      const slow = number % 9 === 0;
      // Exactly on the threshold is within it.
      duration.record(slow ? 0.6 : THRESHOLD_S, { 'http.route': '/orders' });
      sent.durations += 1;
      sent.durations_slow += Number(slow);
      const high = number % 4 === 0;
      value.record(high ? 900 : 12.5);
      sent.values += 1;
      sent.values_high += Number(high);
    }
    // This SDK's clock has whole milliseconds, and a running total exported in the millisecond in which it began says,
    // by the data model, that its start is unknown: its first value is not counted. No service exports that early.
    const recorded = Date.now();
    while (Date.now() === recorded);
    await provider.forceFlush();
  }
  await provider.shutdown();
  return sent;
}

const { values: options } = parseArgs({
  options: {
    protocol: { type: 'string' },
    endpoint: { type: 'string' },
    service: { type: 'string' },
    temporality: { type: 'string' },
    spans: { type: 'string' },
    points: { type: 'string' },
  },
});
const resource = resourceFromAttributes({ 'service.name': options.service });
const [spanExporter, metricExporter] = exporters(
  options.protocol,
  options.endpoint,
  options.temporality === 'delta' ? AggregationTemporality.DELTA : AggregationTemporality.CUMULATIVE,
);
const spans = Number(options.spans);
const failed = await sendSpans(resource, spanExporter, spans);
const metrics = await sendMetrics(resource, metricExporter, Number(options.points));
process.stdout.write(`${JSON.stringify({ spans, spans_failed: failed, ...metrics })}\n`);
