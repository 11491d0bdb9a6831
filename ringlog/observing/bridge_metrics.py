"""The figures of pushes and pulls as metrics: counted since each was started, as its process counts them.

Those of one that was killed stay as it left them, with `up` 0, until it is started again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ringlog.bridge.boards import STATES
from ringlog.observing.metric import Metric, Point, Unit
from ringlog.observing.sample import SEVERITIES, BridgeSample, Sample

_LABELS = ("ring", "direction", "name", "address")


def _bridges(sample: Sample) -> Iterator[tuple[tuple[str, ...], BridgeSample]]:
    """Each with the values of its labels."""
    for ring in sample.rings:
        for bridge in ring.bridges:
            yield (ring.path, bridge.direction, bridge.name, bridge.address), bridge


def _bridge(
    figure: str, unit: Unit, text: str, value: Callable[[BridgeSample], float], counts: bool = False
) -> Metric:
    def points(sample: Sample) -> Iterator[Point]:
        return ((labels, value(bridge)) for labels, bridge in _bridges(sample))

    return Metric("bridge", figure, counts, unit, text, _LABELS, points)


def _states(sample: Sample) -> Iterator[Point]:
    for labels, bridge in _bridges(sample):
        for state in STATES:
            yield (*labels, state), float(bridge.state == state)


_STATE = "1 for the state that the push or pull is in, 0 for the others: " + ", ".join(STATES) + "."
_SEVERITY = "0: nothing is wrong with it; 1: worth knowing; 2: events wait until a person does something."

BRIDGE_METRICS: tuple[Metric, ...] = (
    _bridge("up", "", "1 if it runs and is connected, else 0.", lambda one: float(one.up)),
    Metric("bridge", "state", False, "", _STATE, (*_LABELS, "state"), _states),
    _bridge("severity", "", _SEVERITY, lambda one: SEVERITIES.index(one.severity)),
    _bridge("events", "", "Events that it has passed on.", lambda one: one.events, True),
    _bridge(
        *("bytes", "bytes", "Bytes that it has passed on, with the 16 before each event."),
        lambda one: one.bytes,
        True,
    ),
    _bridge("messages", "", "Messages that it has passed on.", lambda one: one.messages, True),
    _bridge("in_flight", "", "Messages sent and not acknowledged yet.", lambda one: one.in_flight),
    _bridge("lag_events", "", "Events that are there and not passed on yet.", lambda one: one.lag_events),
    _bridge(
        *("lag", "seconds", "Age of the oldest event that is not passed on yet; 0: there is none."),
        lambda one: one.lag_seconds,
    ),
    _bridge("reconnects", "", "How often the connection was made again.", lambda one: one.reconnects, True),
    _bridge("gaps", "", "How often events were missing.", lambda one: one.gaps, True),
    _bridge("missing_events", "", "Events that were missing.", lambda one: one.missing, True),
    _bridge("duplicates", "", "Events that came again, and were left out.", lambda one: one.duplicates, True),
    _bridge(
        *(
            "figures_age",
            "seconds",
            "Time since it has last written its figures: a second, while it is well.",
        ),
        lambda one: one.age,
    ),
)
