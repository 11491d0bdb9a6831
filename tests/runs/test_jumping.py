"""Across a jump: every reader is told exactly what was left out, and goes on; nobody sleeps on."""

from __future__ import annotations

import asyncio
import threading

import pytest
from disk_place import disk_folder
from oracle import RingFile, decode
from processes import eventually
from runs_support import append_whole, jump, lost, run_of
from writer_support import crash

import ringlog
from ringlog.ring import _create_copy


def test_a_reader_at_the_head(reader: ringlog.Reader, writer: ringlog.Writer, ring_path: str) -> None:
    writer.append(b"a")
    reader.read()
    reader.commit()
    assert jump(writer, 1000) == -1
    assert ringlog.verify(ring_path).first_bad is None
    assert (ringlog.info(ring_path).event_count, ringlog.info(ring_path).tail_count) == (1000, 1000)
    assert lost(reader) == (1, 999)
    assert reader.poll() is None
    assert reader.lag == 0
    assert writer.append(b"b") == 1000
    assert reader.read()[0] == 1000
    assert ringlog.verify(ring_path).first_bad is None


def test_a_reader_behind(reader: ringlog.Reader, writer: ringlog.Writer, ring_path: str) -> None:
    """A lossy one loses what it had not read too; the others stand in the way until they have read it."""
    writer.append_many([b"a", b"b", b"c"])
    reader.read()
    reader.commit()
    before = ringlog.info(ring_path)
    if jump(writer, 50) == -1:
        assert lost(reader) == (1, 49)
        return
    after = ringlog.info(ring_path)
    assert (after.write_offset, after.tail_offset) == (before.write_offset, before.tail_offset)
    with RingFile(ring_path) as file:
        assert file.pair("gate") == file.pair("tail")
    assert [event.data for event in reader.read_many()] == [b"b", b"c"]
    reader.commit()
    assert jump(writer, 50) == -1
    assert lost(reader) == (3, 49)


def test_by_one_event_and_as_far_as_it_goes(writer: ringlog.Writer, ring_path: str) -> None:
    with ringlog.Reader(ring_path) as reader:
        assert jump(writer, 1) == -1
        assert lost(reader) == (0, 0)
        furthest = (1 << 57) - (1 << 20)
        assert jump(writer, furthest) == -1
        assert lost(reader) == (1, furthest - 1)
        assert writer.append(b"x") == furthest
        assert reader.read().data == b"x"
    assert ringlog.verify(ring_path).first_bad is None


@pytest.mark.parametrize("sequence", [-1, 0, 2, 3, 1 << 57, 1 << 62, 1 << 80])
def test_where_no_jump_leads(writer: ringlog.Writer, ring_path: str, sequence: int) -> None:
    writer.append_many([b"a", b"b", b"c"])
    with RingFile(ring_path) as file:
        before = file.memory[:16384]
        with pytest.raises(ValueError, match="no jump"):
            jump(writer, sequence)
        known = {offset for k in range(64) for offset in range(320, 336)}  # the owner's words
        assert [k for k in range(16384) if k not in known and file.memory[k] != before[k]] == []


def test_only_with_the_lock(writer: ringlog.Writer) -> None:
    with pytest.raises(ValueError, match="holds the lock"):
        writer._jump(5)


def test_on_an_ended_ring(ring_path: str) -> None:
    with ringlog.Writer(ring_path) as first, ringlog.Reader(ring_path) as reader:
        first.append(b"a")
        first.end()
        with pytest.raises(ringlog.StreamEnded):
            jump(first, 5)
        with ringlog.Writer(ring_path) as second:
            assert jump(second, 5) == -1
            assert not ringlog.info(ring_path).ended
            assert lost(reader) == (0, 4)
            assert reader.poll() is None


def test_in_a_session(ring_path: str) -> None:
    with ringlog.Writer(ring_path, lock="session") as writer, ringlog.Reader(ring_path) as reader:
        assert jump(writer, 7) == -1
        assert writer.append(b"a") == 7
        assert lost(reader) == (0, 6)


def test_full_laps_behind_it(reader: ringlog.Reader, writer: ringlog.Writer, ring_path: str) -> None:
    jump(writer, 1_000_003)
    assert lost(reader) == (0, 1_000_002)
    for k in range(3000):
        sequence = writer.append(b"x" * (k % 100))
        event = reader.read()
        assert (event.sequence, len(event.data)) == (sequence, k % 100)
    assert len(decode(ring_path)) > 500
    reader.seek(1_000_003 + 2900)
    assert len(reader.read().data) == 2900 % 100
    assert ringlog.verify(ring_path).first_bad is None


def test_a_view_over_it(writer: ringlog.Writer, ring_path: str) -> None:
    writer.append(b"seen")
    with ringlog.Reader(ring_path, start="oldest") as reader:
        view = reader.view()
        assert view is not None
        with pytest.raises(ringlog.Overrun), view:
            jump(writer, 10)


def test_a_sleeper_is_woken(writer: ringlog.Writer, ring_path: str) -> None:
    with ringlog.Reader(ring_path, wait="sleep") as reader:
        told: list[tuple[int, int]] = []

        def wait() -> None:
            try:
                reader.read(timeout=20)
            except ringlog.Overrun as error:
                told.append((error.first, error.last))

        thread = threading.Thread(target=wait)
        thread.start()
        with RingFile(ring_path) as file:
            eventually(lambda: file["sleepers"])
        jump(writer, 9)
        thread.join()
        assert told == [(0, 8)]


def test_an_async_reader_is_woken(reader: ringlog.Reader, writer: ringlog.Writer) -> None:
    async def receive() -> bytes:
        asyncio.get_running_loop().call_later(0.01, jump, writer, 9)
        with pytest.raises(ringlog.Overrun) as caught:
            await asyncio.wait_for(anext(reader), 20)
        assert (caught.value.first, caught.value.last) == (0, 8)
        asyncio.get_running_loop().call_later(0.01, writer.append, b"behind")
        return (await asyncio.wait_for(anext(reader), 20)).data

    assert asyncio.run(receive()) == b"behind"


def test_a_ring_for_a_copy_that_starts_late(ring_path: str) -> None:
    made = _create_copy(ring_path, bytes(range(16)), 1234, 65536, mode=0o640)
    assert (made.stream_id, made.start_timestamp) == (bytes(range(16)).hex(), 1234)
    assert (made.event_count, made.capacity) == (0, 65536)
    with RingFile(ring_path) as file:
        assert file.raw("stream_id") == bytes(range(16))
        assert file.raw("file_id") not in (bytes(16), bytes(range(16)))
        assert file["created"] > 1234
    with pytest.raises(FileExistsError):
        _create_copy(ring_path, bytes(range(16)), 1234)
    for wrong in ((b"short", 1), (bytes(16), 0), (bytes(16), 1 << 63)):
        with pytest.raises(ValueError, match=r"stream's id|start_timestamp"):
            _create_copy(ring_path + "2", *wrong)
    with ringlog.Writer(ring_path) as writer, ringlog.Reader(ring_path, start="oldest") as reader:
        assert jump(writer, 5_000_000) == -1
        append_whole(writer, run_of((2000, b"first"), (2001, b"second")), 5_000_000)
        assert lost(reader) == (0, 4_999_999)
        assert [event.sequence for event in reader.read_many()] == [5_000_000, 5_000_001]


@pytest.mark.parametrize("sync", ["none", "always", 3600.0])
@pytest.mark.parametrize("appended", [0, 3])
def test_a_crash_of_the_machine_behind_it(sync: str | float, appended: int) -> None:
    """The ring goes back to a place that was on disk, whole; what sync="always" returned is there."""
    folder = disk_folder()
    if folder is None:
        pytest.skip("no disk")
    path = str(folder / "ring")
    try:
        with ringlog.Writer(path, capacity=65536, sync=sync) as writer:
            writer.append_many([b"a", b"b"])
            if sync != "none":
                writer.sync()
            jump(writer, 100)
            for k in range(appended):
                writer.append(b"%d" % k)
            with RingFile(path) as file:
                image = file.memory[:]
        with open(path, "r+b") as stream:
            stream.write(image)
        crash(path)
        with ringlog.Writer(path) as writer:
            report = ringlog.verify(path)
            assert report.first_bad is None
            kept = [event.sequence for event in decode(path)]
            if sync == "always" and appended:
                assert kept == [100, 101, 102]
            else:
                assert kept == []
            with RingFile(path) as file:
                assert (file["jump"], file["jumped"]) == (0, 0)
                next_one = file["event_count"]
            assert writer.append(b"on") == next_one
    finally:
        ringlog.unlink(path)
        folder.rmdir()
