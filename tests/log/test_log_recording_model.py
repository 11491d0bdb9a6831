"""Recordings of a small ring against a plain list: what was lapped with nobody there is a gap, exactly."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from log_support import Event, moment

import ringlog

CAPACITY = 1 << 16
COUNTS, SIZES = st.sampled_from([30, 1, 8]), st.sampled_from([5000, 0, 7, 300, 3000])  # a few, or laps
LATER = st.integers(0, 2)  # microseconds
BEGINNING = 1_000_000_000  # of the events' times, in microseconds


class Recording(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="ringlog-test-", dir="/dev/shm"))
        self.ring, self.log = self.folder / "ring", self.folder / "log"
        self.published: list[Event] = []
        self.recorded: list[Event] = []
        self.gaps: list[tuple[int, int]] = []
        self.end = 0  # of the log
        self.clock = BEGINNING
        self.writer: ringlog.Writer | None = None

    @initialize(size=st.integers(300, 50_000))
    def create(self, size: int) -> None:
        self.segment_bytes = size
        ringlog.create(self.ring, CAPACITY)
        self.writer = ringlog.Writer(self.ring, timeout=20)
        self.record(1, 10, 0, True, True)  # a log of nothing has no place from which something is missing

    @rule(count=COUNTS, size=SIZES, later=LATER)
    def publish(self, count: int, size: int, later: int) -> None:
        """As much as twice what the ring holds."""
        assert self.writer is not None
        for _ in range(count):
            self.clock += later
            sequence = len(self.published)
            data = (b"%d " % sequence).ljust(size, b".")
            assert self.writer.append(data, timestamp=self.clock * 1000) == sequence
            self.published.append(Event(sequence, self.clock * 1000, data))

    @rule(count=COUNTS, size=SIZES, later=LATER, lossless=st.booleans(), verify=st.booleans())
    def record(self, count: int, size: int, later: int, lossless: bool, verify: bool) -> None:
        """To the ring's end as it is then. Nobody writes meanwhile."""
        self.publish(count, size, later)
        self.run(lossless, verify, [])

    @rule(bursts=st.lists(COUNTS, min_size=1, max_size=4), size=SIZES)
    def record_what_runs_away(self, bursts: list[int], size: int) -> None:
        """Behind each run the writer goes on, by so much that it may lap the recorder."""
        self.run(False, True, [lambda count=count: self.publish(count, size, 1) for count in bursts])

    def run(self, lossless: bool, verify: bool, bursts: list[Callable[[], None]]) -> None:
        def more(events: int, _bytes: int) -> None:
            self.recorded += self.published[self.end : self.end + events]
            self.end += events
            if bursts:
                bursts.pop()()
            self.lapped()

        before = len(self.recorded)
        self.lapped()
        count = ringlog.record(
            self.ring,
            self.log,
            segment_bytes=self.segment_bytes,
            stop=lambda: True,
            lossless=lossless,
            verify=verify,
            progress=more,
        )
        assert count == len(self.recorded) - before
        assert self.end == len(self.published)

    def lapped(self) -> None:
        """What the log has not, and the ring has no longer, is a gap."""
        oldest = ringlog.info(self.ring).tail_count
        if oldest > self.end:
            self.gaps.append((self.end, oldest - 1))
            self.end = oldest

    @rule()
    def forget(self) -> None:
        if any(reader.name for reader in ringlog.info(self.ring).readers):
            ringlog.forget(self.ring, "recorder")

    @rule()
    def lose_indexes(self) -> None:
        for path in self.log.glob("*.index"):
            path.unlink()

    # ---- reading ----

    def gap_before(self, sequence: int) -> tuple[int, int] | None:
        return next((gap for gap in self.gaps if gap[1] + 1 == sequence), None)

    @rule(data=st.data())
    def seek(self, data: st.DataObject) -> None:
        goal = data.draw(st.integers(0, self.recorded[-1].sequence))
        expected = next(event for event in self.recorded if event.sequence >= goal)
        with ringlog.LogReader(self.log, start=goal) as reader:
            if expected.sequence > goal:
                told = overrun(reader)
                assert told == (goal, expected.sequence - 1)
            assert reader.poll() == expected

    @rule(data=st.data())
    def seek_by_time(self, data: st.DataObject) -> None:
        """A gap right in front of the first event not before that time may be told of, and no other."""
        goal = data.draw(st.integers(BEGINNING - 1, self.recorded[-1].timestamp // 1000))
        expected = [event for event in self.recorded if event.timestamp >= goal * 1000]
        with ringlog.LogReader(self.log, start=moment(goal)) as reader:
            try:
                first = reader.poll()
            except ringlog.Overrun as lost:
                told = lost.first, lost.last
                first = reader.poll()
            else:
                told = None
            assert first == expected[0]
            assert told in (None, self.gap_before(expected[0].sequence))

    @invariant()
    def all_is_there(self) -> None:
        if not self.recorded:
            return
        events, gaps = [], []
        with ringlog.LogReader(self.log) as reader:
            while True:
                try:
                    events += reader.read_many()
                except ringlog.Overrun as lost:
                    gaps.append((lost.first, lost.last))
                except ringlog.StreamEnded:
                    break
        assert events == self.recorded
        assert gaps == self.gaps
        report = ringlog.verify(self.log)
        assert report.ok
        assert bool(report.notes) == bool(gaps)

    def teardown(self) -> None:
        if self.writer is not None:
            self.writer.close()
            ringlog.unlink(self.ring)
        shutil.rmtree(self.folder)


def overrun(reader: ringlog.LogReader) -> tuple[int, int]:
    try:
        event = reader.poll()
    except ringlog.Overrun as lost:
        return lost.first, lost.last
    raise AssertionError(f"nothing was told to be lost, but this came: {event}")


Recording.TestCase.settings = settings(
    max_examples=50,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
test_recording = Recording.TestCase
