"""Rings that nobody reads, that nobody has open, that are swapped out; readers that fall behind."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from oracle import RingFile
from processes import Child, eventually

import ringlog
from ringlog import doctor
from ringlog.doctor import usage

pytestmark = pytest.mark.once

HOUR = 3600 * 10**9
WRITER = """
w = ringlog.Writer(path)
say("ready")
while True:
    w.append(bytes(100))
    time.sleep(0.001)
"""
READER = """
r = ringlog.Reader(path)
say("ready")
time.sleep(300)
"""


def checks(path: str, between: float = 0.1) -> dict[str, doctor.Finding]:
    (seen,) = doctor.look([path], between)
    return {finding.check: finding for finding in doctor.check(seen)}


def test_nobody_reads(ring_path: str, spawn: Callable[..., Child]) -> None:
    writer = spawn(WRITER, ring_path)
    assert writer.line() == "ready"
    eventually(lambda: ringlog.info(ring_path).event_count > 10)
    finding = eventually(lambda: checks(ring_path).get("unread"))
    assert finding.severity == "note"
    assert finding.evidence["published"] > 0
    assert finding.evidence["writers"] == [writer.pid]
    lossy = spawn(READER, ring_path)  # it has no slot, and is seen all the same
    assert lossy.line() == "ready"
    assert "unread" not in checks(ring_path)
    lossy.kill()
    assert eventually(lambda: "unread" in checks(ring_path))
    writer.kill()
    assert "unread" not in checks(ring_path)  # and nothing is published either


def test_forgotten(ring_path: str, monkeypatch: pytest.MonkeyPatch, spawn: Callable[..., Child]) -> None:
    with ringlog.Writer(ring_path, capacity=65536) as writer:
        writer.append(b"x")
    assert checks(ring_path, 0) == {}
    with RingFile(ring_path) as file:
        file["last_timestamp"] -= 2 * HOUR
        file["start_timestamp"] -= 3 * HOUR
    monkeypatch.setattr(usage, "_in_memory", lambda path: True)  # wherever the tests' rings are
    finding = checks(ring_path, 0)["forgotten"]
    assert "for 2 h; it takes 128 KiB of memory and holds 1 events" in finding.text
    assert finding.advice == f"if nobody will read them any more: ringlog rm {ring_path}"
    reader = spawn(READER, ring_path)
    assert reader.line() == "ready"
    assert checks(ring_path, 0) == {}


def test_falling_behind(ring_path: str) -> None:
    ringlog.create(ring_path, 1 << 20)
    with ringlog.Writer(ring_path) as writer, ringlog.Reader(ring_path, lossless=True) as reader:
        before = doctor.look([ring_path], 0)[0]
        for _ in range(100):
            writer.append(bytes(1000))
        reader.read_many(10)
        after = doctor.look([ring_path], 0)[0]
        assert before.looks is not None
        seen = replace(after, looks=(before.last, after.last), seconds=0.5)
        (finding,) = [one for one in doctor.check(seen) if one.check == "falling-behind"]
        assert "in 0.5 s 100 events were published and it has finished 10" in finding.text
        # 90 events of 1016 bytes in half a second, of a MiB: 5.2 s
        assert re.search(r"the ring is full in 5\.\d s", finding.text)
        slow = replace(seen, seconds=30.0)  # in five minutes: no word yet
        assert not [one for one in doctor.check(slow) if one.check == "falling-behind"]
        reader.read_many(90)
        after = doctor.look([ring_path], 0)[0]
        seen = replace(after, looks=(before.last, after.last), seconds=0.5)
        assert not [one for one in doctor.check(seen) if one.check == "falling-behind"]


def test_swapped_out(ring_path: str, tmp_path: Path) -> None:
    ringlog.create(ring_path, 65536)
    assert usage.swapped_bytes(ring_path) == 0
    inode = os.stat(ring_path).st_ino
    smaps = tmp_path / "smaps"
    smaps.write_text(
        "7f00-7f01 r--s 00000000 00:1a 1  /other\nSize:  128 kB\nSwap:  64 kB\n"
        f"7f02-7f03 r--s 00000000 00:1a {inode}  /a ring\nSize:  128 kB\nSwap:  24 kB\nVmFlags: rd sh\n"
        "7f04-7f05 rw-p 00000000 00:00 0\nSwap:  4 kB\n"
    )
    assert usage.swapped_bytes(ring_path, str(smaps)) == 24 << 10
    assert usage.swapped_bytes(ring_path, str(tmp_path / "none")) == 0
    assert usage.swapped_bytes(str(tmp_path / "none")) == 0
