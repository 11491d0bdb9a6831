"""The figures of a sample as metrics: the one table that Prometheus and OpenTelemetry are fed from.

Only what is counted and measured: rates are for whoever collects to make. A label is a path, a slot's number,
a reader's name or a server's address, so there are no more series than rings, slots and bridges; pids and the
names of processes, which change, are labels of the `info` metrics alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ringlog.observing.bridge_metrics import BRIDGE_METRICS
from ringlog.observing.metric import Metric, Point, Unit
from ringlog.observing.sample import SEVERITIES, ReaderSample, RingSample, Sample, WriterSample

WRITER_STATES = ("active", "idle", "waiting", "stopped", "dead")
READER_STATES = ("idle", "reading", "slow", "stuck", "stopped", "dead", "away")
_RING = ("ring",)
_WRITER = ("ring", "slot")
_READER = ("ring", "slot", "reader")


def _rings(sample: Sample) -> Iterator[RingSample]:
    return (ring for ring in sample.rings if ring.error is None)


def _ring(
    figure: str, unit: Unit, text: str, value: Callable[[RingSample], float], counts: bool = False
) -> Metric:
    def points(sample: Sample) -> Iterator[Point]:
        return (((ring.path,), value(ring)) for ring in _rings(sample))

    return Metric("ring", figure, counts, unit, text, _RING, points)


def _writer(
    figure: str, unit: Unit, text: str, value: Callable[[WriterSample], float | None], counts: bool = False
) -> Metric:
    def points(sample: Sample) -> Iterator[Point]:
        for ring in _rings(sample):
            for writer in ring.writers:
                if (number := value(writer)) is not None:
                    yield (ring.path, str(writer.slot)), number

    return Metric("writer", figure, counts, unit, text, _WRITER, points)


def _reader(
    figure: str, unit: Unit, text: str, value: Callable[[ReaderSample], float | None], counts: bool = False
) -> Metric:
    def points(sample: Sample) -> Iterator[Point]:
        for ring in _rings(sample):
            for reader in ring.readers:
                if (number := value(reader)) is not None:
                    yield (ring.path, str(reader.slot), reader.name or ""), number

    return Metric("reader", figure, counts, unit, text, _READER, points)


def _cpu(one: WriterSample | ReaderSample) -> float | None:
    return None if one.process is None else one.process.cpu_seconds


def _memory(one: WriterSample | ReaderSample) -> float | None:
    return None if one.process is None else one.process.memory


def _writer_states(sample: Sample) -> Iterator[Point]:
    for ring in _rings(sample):
        for writer in ring.writers:
            for state in WRITER_STATES:
                yield (ring.path, str(writer.slot), state), float(writer.state == state)


def _reader_states(sample: Sample) -> Iterator[Point]:
    for ring in _rings(sample):
        for reader in ring.readers:
            for state in READER_STATES:
                yield (ring.path, str(reader.slot), reader.name or "", state), float(reader.state == state)


def _writer_infos(sample: Sample) -> Iterator[Point]:
    for ring in _rings(sample):
        for writer in ring.writers:
            name = writer.process.name if writer.process else ""
            yield (ring.path, str(writer.slot), str(writer.pid), name), 1.0


def _reader_infos(sample: Sample) -> Iterator[Point]:
    for ring in _rings(sample):
        for reader in ring.readers:
            name = reader.process.name if reader.process else ""
            kind = "lossless" if reader.lossless else "lossy"
            yield (ring.path, str(reader.slot), reader.name or "", str(reader.pid), name, kind), 1.0


_STATE_OF_WRITER = (
    "1 for the state that the writer is in, 0 for the others: " + ", ".join(WRITER_STATES) + "."
)
_STATE_OF_READER = (
    "1 for the state that the reader is in, 0 for the others: " + ", ".join(READER_STATES) + "."
)
_SEVERITY = (
    "0: nothing is wrong with it; 1: worth knowing; 2: it holds somebody up until a person does something."
)

METRICS: tuple[Metric, ...] = (
    Metric(
        *(
            "ring",
            "up",
            False,
            "",
            "1 if the ring could be read, 0 if it is missing, damaged or not to be read.",
        ),
        _RING,
        lambda sample: (((ring.path,), float(ring.error is None)) for ring in sample.rings),
    ),
    _ring("events", "", "Events published since the stream began.", lambda ring: ring.events, True),
    _ring(
        *("published", "bytes", "Bytes published, with the 16 before each event."),
        lambda ring: ring.bytes,
        True,
    ),
    _ring(
        *("capacity", "bytes", "Its size; divided by the rate of published bytes: how much time it holds."),
        lambda ring: ring.capacity,
    ),
    _ring(
        *(
            "unread",
            "ratio",
            "Share of the capacity that lossless readers have not finished; at 1 the writer waits.",
        ),
        lambda ring: ring.unread,
    ),
    _ring("kept", "ratio", "Share of the capacity that holds events, read or not.", lambda ring: ring.kept),
    _ring(
        *("newest_event_timestamp", "seconds", "Unix time of the newest event; 0: there is none."),
        lambda ring: ring.newest / 1e9,
    ),
    _ring("ended", "", "1 if the stream has ended.", lambda ring: float(ring.ended)),
    Metric("writer", "state", False, "", _STATE_OF_WRITER, (*_WRITER, "state"), _writer_states),
    Metric(
        *("writer", "info", False, "", "Always 1: the writer's process."),
        (*_WRITER, "pid", "process"),
        _writer_infos,
    ),
    _writer("severity", "", _SEVERITY, lambda writer: SEVERITIES.index(writer.severity)),
    _writer(
        *("silence", "seconds", "Time since it last published, or opened the ring."),
        lambda writer: writer.age,
    ),
    _writer(
        "holds_lock", "", "1 if it has the write lock just now.", lambda writer: float(writer.holds_lock)
    ),
    _writer(
        *("cpu", "seconds", "Processor time of its process."),
        _cpu,
        True,
    ),
    _writer(
        *("memory", "bytes", "Memory that its process shares with nobody."),
        _memory,
    ),
    Metric("reader", "state", False, "", _STATE_OF_READER, (*_READER, "state"), _reader_states),
    Metric(
        *(
            "reader",
            "info",
            False,
            "",
            "Always 1: the reader's process, and its kind: lossless or lossy.",
        ),
        (*_READER, "pid", "process", "kind"),
        _reader_infos,
    ),
    _reader("severity", "", _SEVERITY, lambda reader: SEVERITIES.index(reader.severity)),
    _reader(
        *("finished_events", "", "The first event that it has not finished, from 0: how many lie behind it."),
        lambda reader: reader.sequence,
        True,
    ),
    _reader(
        "lag_events", "", "Events that are published, and not finished by it.", lambda reader: reader.lag
    ),
    _reader(
        *(
            "behind",
            "seconds",
            "Time since the first event was published that it has not finished; 0: there is none.",
        ),
        lambda reader: reader.behind,
    ),
    _reader(
        "unread", "ratio", "Share of the capacity that its unread bytes take.", lambda reader: reader.unread
    ),
    _reader(
        *("lost_events", "", "Events that are gone, and that it has not been told of yet."),
        lambda reader: reader.lost,
    ),
    _reader("holds_up", "", "1 if a writer waits for it just now.", lambda reader: float(reader.holds_up)),
    _reader(
        *("cpu", "seconds", "Processor time of its process."),
        _cpu,
        True,
    ),
    _reader(
        *("memory", "bytes", "Memory that its process shares with nobody."),
        _memory,
    ),
    *BRIDGE_METRICS,
    Metric(
        *(
            "exporter",
            "denied_files",
            False,
            "",
            "Folders, and files that may be rings, which may not be read.",
        ),
        (),
        lambda sample: [((), float(len(sample.denied)))],
    ),
)
