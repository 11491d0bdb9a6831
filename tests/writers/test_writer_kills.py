"""G4, G7: kill -9 at random moments and at every instruction, and no kernel on the way. Small doses here.

More of it: RINGLOG_KILLS, RINGLOG_STEP_STRIDE, or the scripts beside this file.
"""

from __future__ import annotations

import os
import shutil

import count_syscalls
import kill_writers
import pytest
import step_kills
from writer_support import assert_consistent

import ringlog

pytestmark = pytest.mark.once
KILLS = int(os.environ.get("RINGLOG_KILLS", "40"))
STRIDE = int(os.environ.get("RINGLOG_STEP_STRIDE", "29"))


def test_killed_writers_lose_nothing(ring_path: str) -> None:
    ringlog.create(ring_path, 1 << 24)
    outcome = kill_writers.kill_again_and_again(ring_path, KILLS)
    print(outcome)
    assert not outcome.wrong
    assert outcome.lost == outcome.duplicates == 0
    assert max(outcome.delays) < 5
    assert_consistent(ring_path)


@pytest.mark.skipif(not step_kills.possible(), reason="needs ptrace, on x86-64")
@pytest.mark.parametrize("call", step_kills.CALLS)
def test_killed_at_any_instruction(ring_path: str, call: str) -> None:
    stride = STRIDE * {"append_many": 3, "recover": 90}.get(call, 1)
    outcome = step_kills.kill_at_every_step(ring_path, call, stride)
    print(dict(outcome))
    assert outcome["not published"]
    assert outcome["published"] or call == "recover"


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
@pytest.mark.parametrize("batch", [0, 100])
def test_more_events_cost_no_more_system_calls(batch: int) -> None:
    more, capacity = 30_000, 1 << 20
    writer, reader = count_syscalls.difference(capacity, 2000, more, batch)
    print(+writer, +reader)
    # Python's own memory is a few calls now and then; one a stride is the look at the file's name.
    assert count_syscalls.total(writer) <= count_syscalls.strides(capacity, more) + 20
    assert count_syscalls.total(reader) <= 20
