"""What a reader takes as a run are its stream's bytes, whole, checked, and no more than was asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from oracle import RingFile
from processes import Child
from runs_support import Entry, packed, taken, unpacked

import ringlog
from ringlog import aio

SIZES = [0, 1, 2, 15, 16, 17, 100, 1000, 0, 4096, 30000, 32768 - 16, 0]


def test_a_run_is_the_streams_own_bytes(writer: ringlog.Writer, ring_path: str) -> None:
    data = [bytes([k]) * k for k in range(20)]
    for k, each in enumerate(data):
        writer.append(each, timestamp=1000 + k)
    with ringlog.Reader(ring_path, start="oldest") as reader:
        assert taken(reader) == b"".join(packed(each, 1000 + k) for k, each in enumerate(data))
        assert reader.position == ringlog.info(ring_path).write_offset
        assert reader._take_run(1000, True) is None


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize("limit", [1, 16, 17, 1000, 4112, 40000, 1 << 40])
def test_as_many_as_fit_but_one_at_least(ring_path: str, limit: int, verify: bool) -> None:
    """Of every size, several times around the ring."""
    with ringlog.Writer(ring_path, capacity=65536) as writer, ringlog.Reader(ring_path) as reader:
        for lap in range(6):
            for k, size in enumerate(SIZES):
                writer.append(bytes([lap, k]).ljust(size, b"x")[:size])
                if k % 4 != 3 and size < 20_000 and k + 1 < len(SIZES):
                    continue
                head = ringlog.info(ring_path).write_offset
                while reader.position < head:
                    run = taken(reader, limit, verify=verify)
                    following = reader.poll() if reader.position < head else None
                    sizes = [16 + len(entry.data) for entry in unpacked(run)]
                    assert len(run) <= limit or len(sizes) == 1
                    if following is not None:
                        assert len(run) + 16 + len(following.data) > limit


def test_nothing_is_returned_only_when_there_is_nothing(writer: ringlog.Writer, ring_path: str) -> None:
    """The head is looked at anew: a run is not cut where the last look ended."""
    with ringlog.Reader(ring_path) as reader:
        writer.append(b"a")
        writer.append(b"b")
        assert reader.read().data == b"a"
        writer.append(b"c")
        assert [entry.data for entry in unpacked(taken(reader))] == [b"b", b"c"]


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_is_at_least_a_byte(writer: ringlog.Writer, ring_path: str, limit: int) -> None:
    with ringlog.Reader(ring_path) as reader, pytest.raises(ValueError, match="limit"):
        reader._take_run(limit, True)


@pytest.mark.parametrize("verify", [True, False])
def test_what_is_whole_comes_before_the_error(writer: ringlog.Writer, ring_path: str, verify: bool) -> None:
    writer.append_many([b"%d" % k * 50 for k in range(5)])
    with ringlog.Reader(ring_path, start="oldest", verify=verify) as reader, RingFile(ring_path) as file:
        position = file.places()[3].position
        file.write(position, (0).to_bytes(8, "little"))  # a timestamp
        assert len(unpacked(taken(reader, verify=verify))) == 3
        for _ in range(2):
            with pytest.raises(ringlog.CorruptStream):
                reader._take_run(1 << 20, verify)
        assert (reader.position, reader.sequence) == (position, 3)


@pytest.mark.parametrize("verify", [True, False])
def test_a_hole_is_no_event(ring_folder: Path, verify: bool) -> None:
    """Where a page is missing an entry's end is zeros: an event without data, with its right checksum."""
    path, log = str(ring_folder / "ring"), str(ring_folder / "log")
    with ringlog.Writer(path, capacity=65536) as writer:
        writer.append(b"a" * (4096 - 8 - 16))  # the next entry has its time in one page, the rest in another
        writer.append(b"b" * 50)
        writer.append(b"c" * 50)
        with RingFile(path) as file:
            file.write(24 + 4096, bytes(4096))
        for start in (0, 1):
            with ringlog.Reader(path, start=start, verify=verify) as reader:
                if start == 0:
                    assert [len(entry.data) for entry in unpacked(taken(reader, verify=verify))] == [4072]
                for _ in range(2):
                    with pytest.raises(ringlog.CorruptStream):
                        reader._take_run(1 << 20, verify)
                assert reader.sequence == 1
        with pytest.raises(ringlog.CorruptStream):
            ringlog.record(path, log, verify=verify)
    with ringlog.LogReader(log) as copied:
        assert [len(event.data) for event in copied] == [4072]


def test_an_empty_event_is_none_for_the_next_ones_sake(writer: ringlog.Writer, ring_path: str) -> None:
    writer.append_many([b"a", b"", b"", b"b", b""])
    with ringlog.Reader(ring_path, start=0) as reader:
        assert [entry.data for entry in unpacked(taken(reader))] == [b"a", b"", b"", b"b", b""]


def test_data_is_checked_only_if_asked_for(writer: ringlog.Writer, ring_path: str) -> None:
    writer.append_many([b"first", b"second"])
    with ringlog.Reader(ring_path, start="oldest") as reader, RingFile(ring_path) as file:
        file.write(file.places()[1].position + 16, b"SECOND")
        assert [entry.data for entry in unpacked(taken(reader))] == [b"first"]
        with pytest.raises(ringlog.CorruptStream):
            reader._take_run(1000, True)
        got = reader._take_run(1000, False)
        assert got is not None
        assert got[0].endswith(b"SECOND")


def test_a_lapped_reader_is_told_and_takes_nothing_of_it(writer: ringlog.Writer, ring_path: str) -> None:
    writer.append_many([bytes([k]) * 100 for k in range(10)])
    with ringlog.Reader(ring_path, start="oldest") as reader, RingFile(ring_path) as file:
        taken(reader, 116)
        file.move_tail(4)
        file.write(24 + 116, bytes(3 * 116))  # the writer is at work there
        with pytest.raises(ringlog.Overrun) as caught:
            reader._take_run(1 << 20, True)
        assert (caught.value.first, caught.value.last) == (1, 3)
        assert [entry.data[0] for entry in unpacked(taken(reader))] == [4, 5, 6, 7, 8, 9]


def test_with_skip_a_loss_is_counted(writer: ringlog.Writer, ring_path: str) -> None:
    writer.append_many([bytes([k]) for k in range(10)])
    with ringlog.Reader(ring_path, start=0, on_overrun="skip") as reader, RingFile(ring_path) as file:
        file.move_tail(7)
        got = reader._take_run(1000, True)
        assert got is not None
        assert [entry.data[0] for entry in unpacked(got[0])] == [7, 8, 9]
        assert (got[1], reader.lost) == (3, 7)


def test_at_the_end_and_without_a_ring(ring_path: str) -> None:
    with ringlog.Writer(ring_path) as writer, ringlog.Reader(ring_path) as reader:
        writer.append(b"last")
        writer.end()
        assert unpacked(taken(reader))[0].data == b"last"
        with pytest.raises(ringlog.StreamEnded):
            reader._take_run(1000, True)
        with ringlog.Writer(ring_path) as later:
            later.append(b"more")
            ringlog.unlink(ring_path)
            assert unpacked(taken(reader))[0].data == b"more"
            with pytest.raises(ringlog.RingRemoved):
                reader._take_run(1000, True)
    with pytest.raises(ringlog.ClosedError):
        reader._take_run(1000, True)


def test_a_time_to_start_from(writer: ringlog.Writer, ring_path: str) -> None:
    from datetime import datetime, timezone

    second = 1_000_000_000
    for k in range(10):
        writer.append(bytes([k]), timestamp=(k + 1) * second)
    start = datetime.fromtimestamp(5, timezone.utc)
    with ringlog.Reader(ring_path, start=start) as reader:
        assert [entry.data[0] for entry in unpacked(taken(reader))] == [4, 5, 6, 7, 8, 9]


def test_an_unnamed_readers_cursor_moves_and_a_names_does_not(writer: ringlog.Writer, ring_path: str) -> None:
    with ringlog.Reader(ring_path, lossless=True) as plain, ringlog.Reader(ring_path, name="n") as named:
        writer.append_many([b"a", b"b"])
        taken(plain)
        taken(named)
        assert [seen.sequence for seen in ringlog.info(ring_path).readers] == [2, 0]
        named.commit()
        assert [seen.sequence for seen in ringlog.info(ring_path).readers] == [2, 2]


def test_large_runs_and_one_large_event(ring_path: str) -> None:
    """Over the size from which the GIL is let go."""
    large = bytes(range(256)) * 8192
    with ringlog.Writer(ring_path, capacity=8 << 20) as writer, ringlog.Reader(ring_path) as reader:
        writer.append(large)
        writer.append_many([large[k : k + 1000] for k in range(1000)])
        assert unpacked(taken(reader, 100))[0].data == large
        assert [entry.data for entry in unpacked(taken(reader, 1 << 20))] == [
            large[k : k + 1000] for k in range(1000)
        ]


def test_a_loop_can_wait_after_none(writer: ringlog.Writer, ring_path: str) -> None:
    async def receive(reader: ringlog.Reader) -> list[Entry]:
        loop = asyncio.get_running_loop()
        bell = reader._bells[loop] = aio.Bell(reader, loop)
        assert reader._take_run(1000, True) is None
        assert reader._quiet
        loop.call_later(0.01, writer.append, b"news")
        while (run := reader._take_run(1000, True)) is None:
            await asyncio.wait_for(bell.wait(), 20)
        return unpacked(run[0])

    with ringlog.Reader(ring_path) as reader:
        assert [entry.data for entry in asyncio.run(receive(reader))] == [b"news"]


def test_of_a_log_across_its_files(ring_folder: Path) -> None:
    path = str(ring_folder / "log")
    with ringlog.LogWriter(path, segment_bytes=1 << 16) as log:
        for k in range(5000):
            log.append(b"%d" % k * 10, timestamp=k + 1)
    found: list[Entry] = []
    with ringlog.LogReader(path) as reader:
        while True:
            try:
                run = taken(reader, 20_000)
            except ringlog.StreamEnded:
                break
            found += unpacked(run)
    assert found == [Entry(k + 1, b"%d" % k * 10) for k in range(5000)]


def test_of_a_log_that_is_written_meanwhile(ring_folder: Path, spawn: Callable[..., Child]) -> None:
    path = str(ring_folder / "log")
    with ringlog.LogWriter(path) as log, ringlog.LogReader(path, follow=True) as reader:
        assert reader._take_run(1000, True) is None
        log.append_many([b"a", b"b"])
        assert [entry.data for entry in unpacked(taken(reader))] == [b"a", b"b"]
        assert reader._take_run(1000, False) is None


def test_while_a_writer_laps(ring_path: str, spawn: Callable[..., Child]) -> None:
    """Every run is whole and in order, whatever was lost."""
    ringlog.create(ring_path, 65536)
    with ringlog.Reader(ring_path) as reader:
        child = spawn(
            "with ringlog.Writer(path) as w:\n"
            "    for k in range(60000): w.append(k.to_bytes(4, 'little') * (k % 40 + 1))\n"
            "    w.end()",
            ring_path,
        )
        seen = gone = 0
        while True:
            first = reader.sequence
            try:
                got = reader._take_run(10_000, seen % 2 == 0)
            except ringlog.Overrun as error:
                gone += error.last + 1 - first
                continue
            except ringlog.StreamEnded:
                break
            for k, entry in enumerate(unpacked(got[0]) if got else [], first):
                assert entry.data == k.to_bytes(4, "little") * (k % 40 + 1)
                seen += 1
        assert seen + gone == 60000
        child.finish()
