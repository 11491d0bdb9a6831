"""LogReader: everything, once, in order; while it grows; and an error where something is missing."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from log_support import HEADER, build, numbered, parse, read_all, segments
from processes import Child

import ringlog


def fill(log: Path, count: int, *, segment_bytes: int = 2000) -> list[bytes]:
    with ringlog.LogWriter(log, segment_bytes=segment_bytes) as writer:
        for data in numbered(count):
            writer.append(data)
    return numbered(count)


def exhaust(reader: ringlog.LogReader) -> None:
    for _ in reader:
        pass


def test_every_way_of_reading(log: Path) -> None:
    expected = fill(log, 500)
    assert read_all(log) == expected
    with ringlog.LogReader(log) as reader:
        assert [reader.read(0).data for _ in expected] == expected
        with pytest.raises(ringlog.StreamEnded):
            reader.read(0)
        with pytest.raises(ringlog.StreamEnded):
            reader.poll()
    with ringlog.LogReader(log) as reader:
        seen = []
        while len(seen) < 500:
            seen += reader.read_many(64)
        assert [event.data for event in seen] == expected
        assert [event.sequence for event in seen] == list(range(500))
    with ringlog.LogReader(log) as reader:
        datas = []
        while len(datas) < len(expected):
            datas += [event.data for event in reader.read_batch(100)]
        assert datas == expected
        with pytest.raises(ringlog.StreamEnded):
            reader.read_batch(100)


def test_one_file_of_the_seed(log: Path) -> None:
    path = log.parent / "seed.bin"
    build(path, numbered(1000))
    assert read_all(path) == numbered(1000)
    with ringlog.LogReader(path, start=990) as reader:
        event = reader.read(0)
        assert (event.sequence, event.timestamp) == (990, 1_000 + 9900)


def test_an_empty_log(log: Path) -> None:
    ringlog.LogWriter(log).close()
    assert read_all(log) == []
    with ringlog.LogReader(log, follow=True) as reader:
        assert reader.poll() is None
        with pytest.raises(TimeoutError):
            reader.read(0.01)
    with pytest.raises(FileNotFoundError):
        ringlog.LogReader(log / "nothing")
    shutil.rmtree(log)
    log.mkdir()
    with pytest.raises(ringlog.NotARing):
        ringlog.LogReader(log)


def test_many_and_large_events(log: Path) -> None:
    """Over the piece that a reader is allowed at once, and an event that is larger than it."""
    datas = [bytes([k % 251]) * (k % 3000) for k in range(3000)] + [b"x" * (3 << 20), b"", b"y"]
    with ringlog.LogWriter(log) as writer:
        writer.append_many(datas[:1500])
        for data in datas[1500:]:
            writer.append(data)
    assert read_all(log) == datas
    with ringlog.LogReader(log) as reader:
        found: list[bytes] = []
        while len(found) < len(datas):
            found += [event.data for event in reader.read_batch()]
    assert found == datas


# ---- following ----


def test_it_follows_across_rolls(log: Path) -> None:
    with (
        ringlog.LogWriter(log, segment_bytes=500) as writer,
        ringlog.LogReader(log, follow=True) as reader,
    ):
        for k, data in enumerate(numbered(200)):
            assert reader.poll() is None
            assert writer.append(data) == k
            event = reader.poll()
            assert event is not None
            assert (event.sequence, event.data) == (k, data)
    assert len(segments(log)) > 10


def test_it_follows_another_process(log: Path, spawn: Callable[..., Child]) -> None:
    log.mkdir()  # nothing there yet
    with ringlog.LogReader(log, follow=True) as reader:
        child = spawn(
            """
            with ringlog.LogWriter(path, segment_bytes=20_000) as writer:
                for k in range(20_000):
                    writer.append(b"%d" % k)
            """,
            log,
        )
        assert [int(reader.read(20).data) for _ in range(20_000)] == list(range(20_000))
        child.finish()
        with pytest.raises(TimeoutError):
            reader.read(0.01)


def test_a_waiting_reader_can_be_closed(log: Path) -> None:
    ringlog.LogWriter(log).close()
    reader = ringlog.LogReader(log, follow=True)
    errors: list[BaseException] = []

    def wait() -> None:
        try:
            reader.read(20)
        except ringlog.ClosedError as error:
            errors.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.05)
    reader.close()
    thread.join(10)
    assert len(errors) == 1


def test_latest_is_what_comes(log: Path) -> None:
    fill(log, 100)
    with ringlog.LogReader(log, start="latest", follow=True) as reader:
        assert reader.sequence == 100
        with ringlog.LogWriter(log, segment_bytes=2000) as writer:
            writer.append(b"new")
        assert reader.read(1).data == b"new"


def test_it_sees_what_comes_after_the_end(log: Path) -> None:
    fill(log, 10)
    with ringlog.LogReader(log) as reader:
        assert len(list(reader)) == 10
        with ringlog.LogWriter(log) as writer:
            writer.append(b"more")
        assert [event.data for event in reader] == [b"more"]


# ---- what is missing, or wrong ----


def test_a_segment_that_is_gone(log: Path) -> None:
    fill(log, 300)
    files = segments(log)
    middle = int(files[2].stem), int(files[3].stem)
    files[2].unlink()
    with ringlog.LogReader(log) as reader:
        seen = [reader.read(0).sequence for _ in range(middle[0])]
        with pytest.raises(ringlog.Overrun, match=str(middle[1])) as caught:
            reader.read(0)
        assert (caught.value.first, caught.value.last) == (middle[0], middle[1] - 1)
        seen += [event.sequence for event in reader]
        assert reader.lost == middle[1] - middle[0]
    assert seen == [*range(middle[0]), *range(middle[1], 300)]


def test_what_retention_removed(log: Path) -> None:
    fill(log, 300)
    oldest = int(segments(log)[1].stem)
    with ringlog.LogReader(log) as reader:
        segments(log)[0].unlink()
        reader.seek(0)
        with pytest.raises(ringlog.Overrun, match=f"the oldest that is there from here on is {oldest}"):
            reader.read(0)
        assert reader.read(0).sequence == oldest
        reader.seek("oldest")
        assert reader.read(0).sequence == oldest


@pytest.mark.parametrize("verify", [True, False])
def test_a_damaged_event(log: Path, verify: bool) -> None:
    fill(log, 100, segment_bytes=1 << 20)
    (path,) = segments(log)
    raw = bytearray(path.read_bytes())
    raw[24 + 50 * 36 + 16] ^= 1
    path.write_bytes(raw)
    with ringlog.LogReader(log, verify=verify) as reader:
        for _ in range(50):
            reader.read(0)
        if verify:
            with pytest.raises(ringlog.CorruptStream, match="sequence 50"):
                reader.read(0)
            with pytest.raises(ringlog.CorruptStream, match="sequence 50"):
                reader.read(0)
            reader.seek(51)
        assert reader.read(0).sequence == (51 if verify else 50)


@pytest.mark.parametrize("value", [-1, 0, (1 << 32) - 1])
def test_a_damaged_size(log: Path, value: int) -> None:
    fill(log, 100, segment_bytes=1 << 20)
    (path,) = segments(log)
    raw = bytearray(path.read_bytes())
    raw[24 + 50 * 36 + 8 : 24 + 50 * 36 + 12] = (value & 0xFFFFFFFF).to_bytes(4, "little")
    path.write_bytes(raw)
    with ringlog.LogReader(log) as reader:
        for _ in range(50):
            reader.read(0)
        with pytest.raises(ringlog.CorruptStream):
            exhaust(reader)


def test_a_file_that_was_cut(log: Path) -> None:
    fill(log, 100, segment_bytes=1 << 20)
    (path,) = segments(log)
    with ringlog.LogReader(log) as reader:
        reader.read(0)
        with path.open("r+b") as file:
            file.truncate(1000)
        with pytest.raises((ringlog.StreamTruncated, ringlog.CorruptStream)):
            exhaust(reader)
    with pytest.raises(ringlog.StreamTruncated):
        ringlog.LogReader(log)


def test_a_header_that_goes_back(log: Path) -> None:
    fill(log, 100, segment_bytes=1 << 20)
    (path,) = segments(log)
    with ringlog.LogReader(log, follow=True) as reader:
        for _ in range(100):
            reader.read(0)
        with path.open("r+b") as file:
            file.write(HEADER.pack(24, 0, 0))
        with pytest.raises(ringlog.StreamTruncated):
            reader.read(1)


def test_counts_do_not_matter_to_a_reader(log: Path) -> None:
    expected = fill(log, 100, segment_bytes=1 << 20)
    (path,) = segments(log)
    raw = bytearray(path.read_bytes())
    raw[8:16] = (7).to_bytes(8, "little")
    path.write_bytes(raw)
    assert read_all(log) == expected
    ringlog.LogWriter(log).close()
    assert parse(path).event_count == 100


def test_little_of_a_large_file_is_mapped_in(log: Path) -> None:
    """However much was read: what stays resident is the last 16 MiB or so."""
    with ringlog.LogWriter(log) as writer:
        block = [bytes(1 << 16)] * 16
        for _ in range(160):
            writer.append_many(block)
    with ringlog.LogReader(log) as reader:
        before, most = shared_kib(), 0
        for k, _ in enumerate(reader):
            if k % 64 == 0:
                most = max(most, shared_kib())
    assert most - before < 40 << 10


def shared_kib() -> int:
    """The resident part of all shared mappings of files, in KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(("RssShmem:", "RssFile:")))
