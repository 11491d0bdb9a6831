"""A disk that fails: told, not forgotten, and nothing is published that is not there.

The recorder lets a sync fail with EIO, and does not do it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from processes import GENEROUS

PREAMBLE = """
import ctypes, errno, os, sys
import ringlog

library = ctypes.CDLL(os.environ["LD_PRELOAD"])
assert library.recorder_begin(sys.argv[2].encode(), b"".join(map(os.fsencode, sys.argv[3:]))) == 0
path = sys.argv[1]

def refused(call, *arguments):
    try:
        call(*arguments)
    except OSError as error:
        assert error.errno == errno.EIO, error
    else:
        raise AssertionError("the failed sync was not told")

def fail(more):
    library.recorder_fail_sync(ctypes.c_uint64(more))

def count():
    return ringlog.info(path).event_count
"""


def run(library: Path, disk: Path, tmp_path: Path, code: str, log: str = "") -> None:
    ring = disk / tmp_path.name
    ring.mkdir()
    log_folder = [os.path.realpath(ring / log)] if log else []
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PREAMBLE + code, ring / "ring", tmp_path / "log", *log_folder],
        env={**os.environ, "LD_PRELOAD": str(library)},
        capture_output=True,
        text=True,
        timeout=GENEROUS,
        cwd="/",
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("which", [1, 2], ids=["the data", "the record"])
def test_an_append_that_is_not_on_disk_is_not_published(
    library: Path, disk: Path, tmp_path: Path, which: int
) -> None:
    code = f"""
writer = ringlog.Writer(path, capacity=65536, sync="always")
writer.append(b"kept")
fail({which})
refused(writer.append, b"lost")
assert count() == 1
refused(writer.append, b"from here on too")
refused(writer.sync)
assert count() == 1
refused(writer.close)
with ringlog.Writer(path, sync="always") as another:
    assert another.append(b"next") == 1
with ringlog.Reader(path, start="oldest") as reader:
    assert [event.data for event in reader.read_many()] == [b"kept", b"next"]
"""
    run(library, disk, tmp_path, code)


def test_an_interval_tells_it_at_the_next_call(library: Path, disk: Path, tmp_path: Path) -> None:
    code = """
import time
writer = ringlog.Writer(path, capacity=65536, sync=0.01)
fail(1)
writer.append(b"published, and not on disk")
deadline = time.monotonic() + 10
while writer._syncer.error is None:
    assert time.monotonic() < deadline
    time.sleep(0.01)
refused(writer.sync)
refused(writer.sync)
refused(writer.close)
"""
    run(library, disk, tmp_path, code)


def test_a_record_that_may_not_be_on_disk_is_tried_again(library: Path, disk: Path, tmp_path: Path) -> None:
    """A writer without sync has to have a record shortened on disk before it overwrites what that names."""
    code = """
with ringlog.Writer(path, capacity=65536, sync=60.0) as writer:
    for _ in range(10):
        writer.append(bytes(5000))
with ringlog.Writer(path) as writer:
    while True:
        fail(1)
        try:
            writer.append(bytes(5000))
        except OSError:
            break
    fail(1)
    refused(writer.append, bytes(5000))
    before = count()
    fail(0)
    assert writer.append(bytes(5000)) == before
"""
    run(library, disk, tmp_path, code)


def test_a_clean_mark_that_may_be_on_disk_is_taken_back(library: Path, disk: Path, tmp_path: Path) -> None:
    code = """
ringlog.Writer(path, capacity=65536, sync=60.0).close()
fail(1)
refused(ringlog.Writer, path)
with open(path, "rb") as file:
    assert file.read(248)[244:] == b"\\1\\0\\0\\0"
with ringlog.Writer(path) as writer, open(path, "rb") as file:
    assert file.read(248)[244:] == bytes(4)
"""
    run(library, disk, tmp_path, code)


def test_a_log_that_could_not_be_synced_says_so_ever_after(library: Path, disk: Path, tmp_path: Path) -> None:
    """Also when it has another mapping by then, and in the next segment."""
    code = """
path = sys.argv[3]
for which, sizes in ((1, [100]), (1, [30_000]), (1, [9000, 9000, 9000])):
    writer = ringlog.LogWriter(path, segment_bytes=20_000)
    writer.append(b"published, and not on disk")
    fail(which)
    refused(writer.sync)
    for size in sizes:
        writer.append(bytes(size))
    refused(writer.sync)
    writer.close()
"""
    run(library, disk, tmp_path, code, log="log")
