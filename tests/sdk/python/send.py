"""Sends a known number of spans and metric points with the unmodified OpenTelemetry SDK for Python.

What was sent is printed as one JSON object on standard output, for the acceptance test to compare
with what sloburn counted. Nothing here is tuned for sloburn: the exporters are as a user sets them up.
"""

import argparse
import json

from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode

FLUSH_EVERY = 400  # spans: well below the batch processor's queue, so that the SDK itself drops none
ROUNDS = 3  # exports of the same cumulative series
THRESHOLD_S = 0.25  # of the histogram; one of its bucket bounds


def exporters(protocol, endpoint, preferred_temporality):
    """The span and metric exporters of a protocol, as the SDK's documentation sets them up."""
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        return (
            OTLPSpanExporter(endpoint=endpoint, insecure=True),
            OTLPMetricExporter(
                endpoint=endpoint, insecure=True, preferred_temporality=preferred_temporality
            ),
        )
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return (
        OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces", compression=Compression.Gzip),
        OTLPMetricExporter(
            endpoint=f"{endpoint}/v1/metrics",
            compression=Compression.Gzip,
            preferred_temporality=preferred_temporality,
        ),
    )


def send_spans(resource, exporter, count):
    """Ends `count` server spans, every seventh an error; returns how many were errors."""
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("sloburn.acceptance")
    errors = 0
    for number in range(count):
        with tracer.start_as_current_span("GET /cart", kind=SpanKind.SERVER) as span:
            span.set_attribute("http.route", "/cart")
            if number % 7 == 0:
                span.set_status(Status(StatusCode.ERROR, "no answer"))
                errors += 1
        if number % FLUSH_EVERY == FLUSH_EVERY - 1 and not provider.force_flush():
            raise SystemExit("spans were not flushed in time")
    if not provider.force_flush():
        raise SystemExit("spans were not flushed in time")
    provider.shutdown()
    return errors


def send_metrics(resource, exporter, count):
    """Records `count` orders and as many durations a round; returns the totals and the bad ones."""
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
    exponential = View(
        instrument_name="shop.basket.value", aggregation=ExponentialBucketHistogramAggregation()
    )
    provider = MeterProvider(resource=resource, metric_readers=[reader], views=[exponential])
    meter = provider.get_meter("sloburn.acceptance")
    orders = meter.create_counter("shop.orders", unit="{order}")
    duration = meter.create_histogram(
        "shop.order.duration",
        unit="s",
        explicit_bucket_boundaries_advisory=[0.05, 0.1, THRESHOLD_S, 0.5, 1.0],
    )
    value = meter.create_histogram("shop.basket.value", unit="EUR")
    sent = {"orders": 0, "orders_failed": 0, "durations": 0, "durations_slow": 0, "values": 0, "values_high": 0}
    for _ in range(ROUNDS):
        for number in range(count):
            failed = number % 5 == 0
            orders.add(1, {"outcome": "failed" if failed else "placed"})
            sent["orders"] += 1
            sent["orders_failed"] += failed
            slow = number % 9 == 0
            # Exactly on the threshold is within it.
            duration.record(0.6 if slow else THRESHOLD_S, {"http.route": "/orders"})
            sent["durations"] += 1
            sent["durations_slow"] += slow
            high = number % 4 == 0
            value.record(900.0 if high else 12.5)
            sent["values"] += 1
            sent["values_high"] += high
        if not provider.force_flush():
            raise SystemExit("metrics were not flushed in time")
    provider.shutdown()
    return sent


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--protocol", choices=["grpc", "http"], required=True)
    parser.add_argument("--endpoint", required=True, help="http://host:port, without a path")
    parser.add_argument("--service", required=True, help="service.name of everything sent")
    parser.add_argument("--temporality", choices=["cumulative", "delta"], required=True)
    parser.add_argument("--spans", type=int, required=True)
    parser.add_argument("--points", type=int, required=True, help="recordings of each instrument a round")
    arguments = parser.parse_args()

    resource = Resource.create({"service.name": arguments.service})
    delta = arguments.temporality == "delta"
    temporality = AggregationTemporality.DELTA if delta else AggregationTemporality.CUMULATIVE
    span_exporter, metric_exporter = exporters(
        arguments.protocol, arguments.endpoint, {Counter: temporality, Histogram: temporality}
    )
    errors = send_spans(resource, span_exporter, arguments.spans)
    metrics = send_metrics(resource, metric_exporter, arguments.points)
    print(json.dumps({"spans": arguments.spans, "spans_failed": errors, **metrics}))


if __name__ == "__main__":
    main()
