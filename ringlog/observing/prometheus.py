"""Rings as metrics for Prometheus, by its own client library (the extra `metrics`).

    prometheus_client.REGISTRY.register(RingCollector(Sampler()))

puts them beside a program's own metrics; `ringlog exporter` serves them alone.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator

try:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
    from prometheus_client.core import Metric as Family
    from prometheus_client.registry import Collector
except ImportError as error:
    raise ImportError(
        f"metrics for Prometheus need prometheus_client: pip install 'ringlog[metrics]' ({error})"
    ) from error

from ringlog.observing import metrics
from ringlog.observing.metric import Metric
from ringlog.observing.sampler import Sampler


class RingCollector(Collector):
    """Looks at the rings whenever it is asked, and never else. Several threads may ask; they take turns."""

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler
        self._lock = threading.Lock()

    def describe(self) -> Iterable[Family]:
        """The metrics without figures, so that registering it looks at no ring."""
        return [_family(metric) for metric in metrics.METRICS]

    def collect(self) -> Iterator[Family]:
        """The metrics of this moment. What goes wrong with a ring is told by ringlog_ring_up."""
        with self._lock:
            sample = self._sampler.sample()
        for metric in metrics.METRICS:
            family = _family(metric)
            for labels, value in metric.points(sample):
                family.add_metric([_text(label) for label in labels], value)
            yield family


def _family(metric: Metric) -> CounterMetricFamily | GaugeMetricFamily:
    kind = CounterMetricFamily if metric.counts else GaugeMetricFamily
    return kind(metric.name, metric.text, labels=metric.labels)


def _text(label: str) -> str:
    """Paths can be any bytes, what is exposed is UTF-8."""
    return label.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
