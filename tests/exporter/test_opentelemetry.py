"""The same figures by way of OpenTelemetry's own SDK."""

from __future__ import annotations

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricsData, NumberDataPoint, Sum
from planted_boards import ADDRESS, bridge

import ringlog
from ringlog.observing import Sample, Sampler
from ringlog.observing.metrics import METRICS
from ringlog.observing.otel import observe


class CountingSampler(Sampler):
    """Counts the looks."""

    looks = 0

    def sample(self) -> Sample:
        self.looks += 1
        return super().sample()


def test_observable_instruments(ring_path: str) -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    sampler = CountingSampler([ring_path])
    observe(provider.get_meter("ringlog"), sampler)
    assert sampler.looks == 0
    with (
        ringlog.Writer(ring_path, capacity=65536) as writer,
        ringlog.Reader(ring_path, name="billing", start="oldest"),
        bridge(ring_path, events=7),
    ):
        writer.append_many([bytes(48)] * 10)
        data = reader.get_metrics_data()
    provider.shutdown()
    assert isinstance(data, MetricsData)
    found = {one.name: one for one in data.resource_metrics[0].scope_metrics[0].metrics}
    assert set(found) == {f"ringlog.{metric.subject}.{metric.figure}" for metric in METRICS}
    events = found["ringlog.ring.events"].data
    assert isinstance(events, Sum)
    assert events.is_monotonic
    (point,) = found["ringlog.reader.lag_events"].data.data_points
    assert isinstance(point, NumberDataPoint)
    assert (point.value, point.attributes) == (10, {"ring": ring_path, "slot": "0", "reader": "billing"})
    assert found["ringlog.ring.capacity"].unit == found["ringlog.bridge.bytes"].unit == "By"
    (point,) = found["ringlog.bridge.events"].data.data_points
    assert isinstance(point, NumberDataPoint)
    labels = {"ring": ring_path, "direction": "push", "name": "bridge", "address": ADDRESS}
    assert (point.value, point.attributes) == (7, labels)
    assert 1 <= sampler.looks < len(METRICS)  # not one for each instrument
