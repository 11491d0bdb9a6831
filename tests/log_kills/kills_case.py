"""One case: a log, a victim that dies at a step, a reader that follows meanwhile, and what must hold then."""

from __future__ import annotations

import atexit
import functools
import itertools
import json
import os
import shutil
import signal
import tempfile
import time
import traceback
from pathlib import Path

import disk_place
from kills_programmes import PROGRAMMES, Acknowledged, Programme
from kills_steps import Step, found, watch
from log_support import parse, segments

import ringlog
from ringlog import _core

HANGS = 20.0
OUT_OF_THE_WAY = "/dev/shm" if os.path.isdir("/dev/shm") else None


@functools.cache
def a_disk() -> Path:
    folder = disk_place.disk_folder()
    assert folder is not None, "no disk to be found: RINGLOG_DISK may name a place"
    atexit.register(folder.rmdir)
    return folder


class Follower:
    """Reads a log from its beginning on, while others write it."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._reader: ringlog.LogReader | None = None
        self.seen: list[tuple[int, bytes]] = []
        self.lost: list[tuple[int, int]] = []

    def catch_up(self) -> None:
        if self._reader is None:
            if not self._log.exists():
                return
            self._reader = ringlog.LogReader(self._log, follow=True)
        while True:
            try:
                event = self._reader.poll()
            except ringlog.Overrun as lost:
                self.lost.append((lost.first, lost.last))
                continue
            if event is None:
                return
            self.seen.append((event.sequence, event.data))

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()

    def each_once(self) -> None:
        """What it saw and what it was told to be lost lie one behind the other."""
        ranges = sorted([(sequence, sequence) for sequence, _ in self.seen] + self.lost)
        for (_, last), (first, _) in itertools.pairwise(ranges):
            assert first == last + 1, f"the follower: {first} came behind {last}"
        sequences = [sequence for sequence, _ in self.seen]
        assert sequences == sorted(sequences)


class Case:
    """A place for one victim. `steps` finds the steps, `run` kills at one of them."""

    def __init__(self, programme: str) -> None:
        kind = PROGRAMMES[programme]
        place = a_disk() if kind.disk else OUT_OF_THE_WAY
        self.folder = Path(tempfile.mkdtemp(prefix="ringlog-test-", dir=place))
        self.programme: Programme = kind(self.folder)

    def close(self) -> None:
        self.programme.clean()
        shutil.rmtree(self.folder)

    def steps(self) -> list[Step]:
        self.programme.plan()
        assert self.victim(None, Follower(self.programme.log)) == 0, self.failure()
        return [Step(*step) for step in json.loads((self.folder / "steps").read_text())]

    def run(self, step: Step) -> None:
        """Raises AssertionError if anything does not hold."""
        self.programme.plan()
        follower = Follower(self.programme.log)
        try:
            follower.catch_up()
            status = self.victim(step, follower)
            assert os.WIFSIGNALED(status), f"it was not reached, and the victim left: {self.failure()}"
            assert os.WTERMSIG(status) == signal.SIGKILL
            follower.catch_up()
            self.check(follower)
        finally:
            follower.close()

    # ---- the victim ----

    def victim(self, step: Step | None, follower: Follower) -> int:
        """Its status when it has ended."""
        self.said = Acknowledged()
        pid = os.fork()
        if pid == 0:
            self.die_at(step)
        deadline = time.monotonic() + HANGS
        while True:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                return status
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                raise AssertionError(f"the victim hangs; it said {self.said.last()}")
            follower.catch_up()
            time.sleep(0.0002)

    def die_at(self, step: Step | None) -> None:
        """In the victim, which does not return."""
        code = 1
        try:
            before = _core.point_hits()
            calls = watch(step)
            self.programme.run(self.said)
            steps = found(calls, before)
            (self.folder / "steps").write_text(json.dumps(steps))
            code = 0
        except BaseException:
            (self.folder / "failed").write_text(traceback.format_exc())
        finally:
            os._exit(code)

    def failure(self) -> str:
        failed = self.folder / "failed"
        return failed.read_text() if failed.exists() else "by itself"

    # ---- what must hold ----

    def check(self, follower: Follower) -> None:
        programme, log = self.programme, self.programme.log
        said = self.said.last()
        if log.exists() and (log.is_file() or segments(log)):
            report = ringlog.verify(log)
            assert report.ok, f"verify: {report.why}"
        end = self.read_end()
        if said is not None and not programme.shortens and not programme.gaps:
            begun, done = said
            assert done <= end <= begun, f"{done} were acknowledged, {begun} begun, and {end} are there"
        self.forget_litter()
        goes_to = programme.go_on(end)
        assert ringlog.verify(log).ok
        events = self.parsed()
        assert events[-1][0] == goes_to - 1
        for sequence, data in events + follower.seen:
            assert data == programme.data(sequence), f"at {sequence}: {data[:40]!r}"
        follower.catch_up()
        follower.each_once()
        assert follower.seen[-1][0] == goes_to - 1
        self.complete([sequence for sequence, _ in events], follower)
        assert not self.litter(), "left behind by the victim, and by who went on"

    def read_end(self) -> int:
        """Where the log ends, as a reader finds it that comes now."""
        log = self.programme.log
        if not log.exists() or (log.is_dir() and not segments(log)):
            return 0
        with ringlog.LogReader(log, start="latest") as reader:
            return reader.sequence

    def parsed(self) -> list[tuple[int, bytes]]:
        """All events, by the seed's format."""
        log = self.programme.log
        found = []
        for path in [log] if log.is_file() else segments(log):
            parsed = parse(path, 0 if log.is_file() else int(path.stem))
            assert path.stat().st_size == parsed.write_offset, f"{path.name} is not cut to its length"
            found += [(sequence, data) for sequence, _, data in parsed.events]
        return found

    def complete(self, there: list[int], follower: Follower) -> None:
        expected = list(range(there[0], there[-1] + 1))
        for first, last in self.programme.gaps:
            expected = [sequence for sequence in expected if not first <= sequence <= last]
        assert there == expected, f"a gap, or twice: {there}"
        if self.programme.shortens:
            return
        assert there[0] == 0
        assert follower.lost == list(self.programme.gaps)
        assert [sequence for sequence, _ in follower.seen] == there

    def litter(self) -> list[Path]:
        """Files of the log that are no segments, and no indexes of those."""
        log = self.programme.log
        if not log.is_dir():
            return [path for path in self.folder.glob("*log.*") if path.suffix not in (".events", ".index")]
        own = {path.with_suffix(suffix) for path in segments(log) for suffix in (".events", ".index")}
        return sorted(set(log.iterdir()) - own)

    def forget_litter(self) -> None:
        """A minute later: then nobody can be about to give these a name any more."""
        for path in self.litter():
            os.utime(path, (1, 1))
