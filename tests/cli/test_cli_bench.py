"""``ringlog bench``: that it measures, that what it says adds up, and that it leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest
from cli_command import COMMAND, PATIENCE, environment, error, out, until

import ringlog
from ringlog.cli.bench import text_of
from ringlog.cli.errors import ExitCode
from ringlog.measuring import Latency, Result, Throughput, machine
from ringlog.measuring.run import ROUNDS, SIZES

pytestmark = pytest.mark.once


def left() -> set[str]:
    return {name for name in os.listdir("/dev/shm") if name.startswith("ringlog-bench-")}


def test_json() -> None:
    said = json.loads(out("bench", "--seconds", "0.5", "--json"))
    assert said["machine"] == {**machine(), "load": said["machine"]["load"]}
    assert [one["size"] for one in said["throughput"]] == [size for size in SIZES for _ in range(3)]
    for one in said["throughput"]:
        assert len(one["rates"]) == ROUNDS
        assert min(one["rates"]) <= one["median"] <= max(one["rates"])
        assert min(one["rates"]) > 0
    assert len(said["latency"]) == (3 if said["machine"]["cores"] > 1 else 2)
    for one in said["latency"]:
        assert one["samples"] >= 100
        assert 0 < one["p50"] <= one["p99"]


def test_interrupted(start: Callable[..., subprocess.Popen[bytes]]) -> None:
    before = left()
    process = start("bench", "--seconds", "60", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    until(lambda: left() - before, process)
    (mine,) = left() - before
    until(lambda: len(list(Path("/dev/shm", mine).iterdir())) == 3, process)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == ExitCode.INTERRUPTED
    assert mine not in left()


def test_interrupted_in_a_terminal() -> None:
    """There Ctrl-C reaches both processes: one of them says nothing."""
    before = left()
    child = pexpect.spawn(
        COMMAND[0], [*COMMAND[1:], "bench"], env=environment(), encoding="utf-8", timeout=PATIENCE
    )
    try:
        child.expect("round 1 of")
        (mine,) = left() - before
        child.sendintr()
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == ExitCode.INTERRUPTED
        assert "Traceback" not in str(child.before)
        assert mine not in left()
    finally:
        child.close(force=True)


def test_killed(start: Callable[..., subprocess.Popen[bytes]]) -> None:
    """Its other process does not stay behind."""
    before = left()
    process = start("bench", "--seconds", "60", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: left() - before, process)
    (mine,) = left() - before
    stream = f"/dev/shm/{mine}/stream"
    until(lambda: os.path.exists(stream) and ringlog.info(stream).readers, process)
    (reader,) = ringlog.info(stream).readers
    assert reader.pid != process.pid
    process.kill()
    process.wait()
    until(lambda: not any(one.leased for one in ringlog.info(stream).readers))
    for path in Path("/dev/shm", mine).iterdir():
        ringlog.unlink(path)
    Path("/dev/shm", mine).rmdir()


def test_its_tables() -> None:
    facts = {"processor": "P", "cores": 2, "load": 0.1, "kernel": "6", "python": "CPython 3", "ringlog": "0"}
    rates = [1e6, 3e6, 2e6]
    result = Result(
        [Throughput("ringlog", 64, 10, rates), Throughput("pipe", 1024, 10, [999_600.0])],
        [Latency("ringlog", 1500, 40.12e-6, 1.414e-3, [493e-9, 41e-6])],
        1.0,
    )
    text = text_of(facts, result)
    assert max(map(len, text.splitlines())) <= 80
    assert re.search(
        r"messages of 64 bytes a second +median +lowest to highest\n  ringlog +2 M +1 M to 3 M\n", text
    )
    assert re.search(r"messages of 1 KiB .*\n  pipe +1 M ", text)
    assert re.search(r"1500 messages each.*\n  ringlog +40\.1 µs +493 ns to 41 µs +1\.41 ms\n", text)
    assert "other processes were busy" in text_of({**facts, "load": 2.0}, result)
    assert "one core only" in text_of({**facts, "cores": 1}, result)


def test_how_long() -> None:
    assert "0.5" in error("bench", "--seconds", "0", code=ExitCode.USAGE)
