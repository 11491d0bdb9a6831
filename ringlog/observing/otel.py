"""Rings as metrics for OpenTelemetry: the same table as for Prometheus, as asynchronous instruments.

    observe(opentelemetry.metrics.get_meter("ringlog"), Sampler())

Needs nothing itself: who has a meter has OpenTelemetry.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from ringlog.observing import metrics
from ringlog.observing.metric import Metric
from ringlog.observing.sample import Sample
from ringlog.observing.sampler import Sampler

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, Meter, Observation

FRESH = 0.1  # seconds: the instruments that are asked within share one look
_UNITS = {"": "1", "bytes": "By", "seconds": "s", "ratio": "1"}


def observe(meter: Meter, sampler: Sampler) -> None:
    """Make the instruments, named as `ringlog.reader.lag_events`. The rings are looked at when the meter's
    reader collects, once for all of them."""
    looking = _Looking(sampler)
    for metric in metrics.METRICS:
        create = meter.create_observable_counter if metric.counts else meter.create_observable_gauge
        create(
            f"ringlog.{metric.subject}.{metric.figure}",
            callbacks=[_callback(metric, looking)],
            unit=_UNITS[metric.unit],
            description=metric.text,
        )


class _Looking:
    """One look for all that ask at the same time."""

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler
        self._lock = threading.Lock()
        self._when = 0.0
        self._sample: Sample | None = None

    def sample(self) -> Sample:
        with self._lock:
            if self._sample is None or time.monotonic() >= self._when + FRESH:
                self._sample = self._sampler.sample()
                self._when = time.monotonic()
            return self._sample


def _callback(metric: Metric, looking: _Looking) -> Callable[[CallbackOptions], Iterable[Observation]]:
    from opentelemetry.metrics import Observation

    def points(_options: CallbackOptions) -> Iterable[Observation]:
        for labels, value in metric.points(looking.sample()):
            yield Observation(value, dict(zip(metric.labels, labels, strict=True)))

    return points
