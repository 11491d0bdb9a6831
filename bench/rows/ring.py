"""ringlog: `append` once per message and `append_many` with lists of 500, no reader attached.

The ring is larger than the messages of a pass together, so that they can be checked in its file afterwards.
500 messages a list are 0.5 MB: enough that the cost of a call vanishes, little enough for a core's own cache.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from bench.rows.check import WrongFile, check
from bench.rows.prefault import prefault
from bench.rows.row import Job, Row, Unavailable, timed, warmed
from bench.rows.stream import HEADER

if TYPE_CHECKING:
    import ringlog

CAPACITY = 16 << 20
BATCH = 500


def prepare() -> None:
    try:
        from ringlog import Writer  # noqa: F401
    except ImportError as error:
        raise Unavailable(f"ringlog can't be imported: {error}") from error


def capacity_for(job: Job) -> int:
    """16 MiB, and more only where a job of unusual size needs it: messages fill at most three quarters."""
    capacity = CAPACITY
    while capacity * 3 // 4 < job.stream_size:
        capacity *= 2
    return capacity


def one_pass(job: Job, write: Callable[[Job, ringlog.Writer], int]) -> int:
    import ringlog

    path = job.directory / "bench.ring"
    data_start = ringlog.create(path, capacity_for(job)).data_start
    try:
        with ringlog.Writer(path) as writer:
            prefault(path)
            taken = 0
            for _ in range(job.passes):  # the ring goes on where the pass before ended, and wraps
                taken = write(job, writer)
        check(last_pass(path.read_bytes(), job, data_start), job.messages)
    finally:
        ringlog.unlink(path)
    return taken


def last_pass(content: bytes, job: Job, data_start: int) -> bytes:
    """What the last pass wrote, as a stream of its own: position p stands at byte (p - 24) % capacity."""
    write_offset, event_count, started = HEADER.unpack_from(content)
    if event_count != job.passes * len(job.messages):
        raise WrongFile(f"the ring counts {event_count} events after {job.passes} passes")
    data = content[data_start:]
    size = job.stream_size - HEADER.size
    begin = (write_offset - HEADER.size - size) % len(data)
    header = HEADER.pack(job.stream_size, len(job.messages), started)
    return header + (data + data)[begin : begin + size]


def append(job: Job, writer: ringlog.Writer) -> int:
    return timed(job, writer.append, job.messages)


def append_many(job: Job, writer: ringlog.Writer) -> int:
    lists = [job.messages[start : start + BATCH] for start in range(0, len(job.messages), BATCH)]
    return timed(job, writer.append_many, lists)


ROWS = [
    Row("ringlog append", "one call a message", warmed(lambda job: one_pass(job, append)), prepare),
    Row(
        "ringlog append_many",
        f"one call for each list of {BATCH} messages",
        warmed(lambda job: one_pass(job, append_many)),
        prepare,
    ),
]
