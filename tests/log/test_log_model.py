"""A log against a plain list: appends, rolls, kills, retention, lost indexes, seeks, in any order."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from log_support import Event, moment, segments

import ringlog

DATA = st.binary(max_size=200)
LATER = st.integers(0, 2)  # microseconds behind the event before: often none, so that times are repeated
BEGINNING = 1_000_000_000  # of the events' times, in microseconds


class Log(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="ringlog-test-", dir="/dev/shm"))
        self.events: list[Event] = []  # all there ever were
        self.clock = BEGINNING
        self.follower: ringlog.LogReader | None = None
        self.followed = 0

    @initialize(size=st.integers(100, 2000), segments=st.none() | st.integers(1, 4), single=st.booleans())
    def open(self, size: int, segments: int | None, single: bool) -> None:
        self.single = single
        self.log = self.folder / ("log.events" if single else "log")
        self.options = {"segment_bytes": size, "keep_segments": segments}
        self.writer = ringlog.LogWriter(self.log, **self.options)  # type: ignore[arg-type]

    def files(self) -> list[Path]:
        return [self.log] if self.single else segments(self.log)

    @property
    def oldest(self) -> int:
        return 0 if self.single else int(self.files()[0].stem)

    # ---- writing ----

    def tick(self, later: int) -> int:
        """The time of the next events, in nanoseconds."""
        self.clock += later
        return self.clock * 1000

    def wrote(self, sequences: range, datas: list[bytes]) -> None:
        first = len(self.events)
        assert sequences == range(first, first + len(datas))
        self.events += [Event(first + k, self.clock * 1000, data) for k, data in enumerate(datas)]

    @rule(data=DATA, later=LATER)
    def append(self, data: bytes, later: int) -> None:
        sequence = self.writer.append(data, timestamp=self.tick(later))
        self.wrote(range(sequence, sequence + 1), [data])

    @rule(datas=st.lists(DATA, max_size=12), later=LATER)
    def append_many(self, datas: list[bytes], later: int) -> None:
        self.wrote(self.writer.append_many(datas, timestamp=self.tick(later)), datas)

    @rule(count=st.integers(0, 12), size=st.integers(1, 60), later=LATER)
    def append_array(self, count: int, size: int, later: int) -> None:
        rows = [bytes([k + size] * size) for k in range(count)]
        array = memoryview(b"".join(rows)).cast("B", (count, size)) if count else memoryview(b"")
        self.wrote(self.writer.append_array(array, timestamp=self.tick(later)), rows)

    @rule()
    def reopen(self) -> None:
        self.writer.close()
        self.writer = ringlog.LogWriter(self.log, **self.options)  # type: ignore[arg-type]
        assert self.writer.recovered == ""

    @rule(garbage=st.binary(max_size=30))
    def kill(self, garbage: bytes) -> None:
        """As the file looks when the process is gone: with its space, and half an entry behind the end."""
        path = self.files()[-1]
        image = path.read_bytes()
        self.writer.close()
        end = int.from_bytes(image[:8], "little")
        path.write_bytes(image[:end] + garbage + bytes(5000))
        path.with_suffix(".index").unlink(missing_ok=True)
        self.writer = ringlog.LogWriter(self.log, **self.options)  # type: ignore[arg-type]
        assert bool(self.writer.recovered) == bool(garbage.strip(b"\0"))

    @rule()
    def lose_indexes(self) -> None:
        for path in self.files():
            path.with_suffix(".index").unlink(missing_ok=True)

    # ---- reading ----

    @rule(data=st.data())
    def seek(self, data: st.DataObject) -> None:
        goal = data.draw(st.integers(0, len(self.events)))
        with ringlog.LogReader(self.log, start=goal, follow=True) as reader:
            try:
                event = reader.poll()
            except ringlog.Overrun as lost:
                missing = (lost.first, lost.last)
            else:
                missing = None
            if missing is not None:
                assert missing == (goal, self.oldest - 1)
                assert goal < self.oldest
                return
            if goal == len(self.events):
                assert event is None
            else:
                assert event == self.events[goal]

    @rule(data=st.data())
    def seek_by_time(self, data: st.DataObject) -> None:
        goal = data.draw(st.integers(BEGINNING - 1, self.clock + 1))
        there = self.events[self.oldest :]
        expected = [event for event in there if event.timestamp >= goal * 1000]
        with ringlog.LogReader(self.log, start=moment(goal)) as reader:
            assert list(reader) == expected
        with ringlog.LogReader(self.log) as reader:  # one that has read already
            for _ in itertools.islice(reader, 20):
                pass
            reader.seek(moment(goal))
            assert list(reader) == expected

    @rule()
    def follow(self) -> None:
        if self.follower is None:
            self.follower = ringlog.LogReader(self.log, follow=True)
            self.followed = self.oldest
        while True:
            try:
                event = self.follower.poll()
            except ringlog.Overrun as lost:
                event, missing = None, (lost.first, lost.last)
            else:
                missing = None
            if missing is not None:
                assert missing[0] == self.followed
                self.followed = missing[1] + 1
                continue
            if event is None:
                break
            assert event == self.events[self.followed]
            self.followed += 1
        assert self.followed == len(self.events)

    @precondition(lambda self: self.follower is not None)
    @rule()
    def stop_following(self) -> None:
        assert self.follower is not None
        self.follower.close()
        self.follower = None

    @invariant()
    def all_is_there(self) -> None:
        if not hasattr(self, "writer"):
            return
        with ringlog.LogReader(self.log) as reader:
            oldest = reader.sequence
            assert list(reader) == self.events[oldest:]
        assert ringlog.verify(self.log).ok

    def teardown(self) -> None:
        if self.follower is not None:
            self.follower.close()
        if hasattr(self, "writer"):
            self.writer.close()
        shutil.rmtree(self.folder)


Log.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
test_log = Log.TestCase
