"""A log against a plain list: appends, rolls, kills, retention, lost indexes, seeks, in any order."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from log_support import segments

import ringlog

DATA = st.binary(max_size=200)


class Log(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="ringlog-test-", dir="/dev/shm"))
        self.log = self.folder / "log"
        self.events: list[bytes] = []  # all there ever were
        self.follower: ringlog.LogReader | None = None
        self.followed = 0

    @initialize(size=st.integers(100, 2000), segments=st.none() | st.integers(1, 4))
    def open(self, size: int, segments: int | None) -> None:
        self.options = {"segment_bytes": size, "keep_segments": segments}
        self.writer = ringlog.LogWriter(self.log, **self.options)  # type: ignore[arg-type]

    @property
    def oldest(self) -> int:
        return int(segments(self.log)[0].stem)

    @rule(data=DATA)
    def append(self, data: bytes) -> None:
        assert self.writer.append(data) == len(self.events)
        self.events.append(data)

    @rule(datas=st.lists(DATA, max_size=12))
    def append_many(self, datas: list[bytes]) -> None:
        assert self.writer.append_many(datas) == range(len(self.events), len(self.events) + len(datas))
        self.events += datas

    @rule()
    def reopen(self) -> None:
        self.writer.close()
        self.writer = ringlog.LogWriter(self.log, **self.options)  # type: ignore[arg-type]
        assert self.writer.recovered == ""

    @rule(garbage=st.binary(max_size=30))
    def kill(self, garbage: bytes) -> None:
        """As the file looks when the process is gone: with its space, and half an entry behind the end."""
        path = segments(self.log)[-1]
        image = path.read_bytes()
        self.writer.close()
        end = int.from_bytes(image[:8], "little")
        path.write_bytes(image[:end] + garbage + bytes(5000))
        for index in self.log.glob(f"{path.stem}.index"):
            index.unlink()
        self.writer = ringlog.LogWriter(self.log, **self.options)  # type: ignore[arg-type]
        assert bool(self.writer.recovered) == bool(garbage.strip(b"\0"))

    @rule()
    def lose_indexes(self) -> None:
        for path in self.log.glob("*.index"):
            path.unlink()

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
                assert event is not None
                assert (event.sequence, event.data) == (goal, self.events[goal])

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
            assert (event.sequence, event.data) == (self.followed, self.events[self.followed])
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
            assert [event.data for event in reader] == self.events[oldest:]
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
