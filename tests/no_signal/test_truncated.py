"""A file that is cut while it is mapped: StreamTruncated, whoever touches it, and whole events before."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import mmap
import os
import select
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
from no_signal_support import (
    APPENDS,
    DATA_START,
    PAGE,
    READS,
    SIZE,
    claim,
    fill,
    opened,
    payload,
    poll,
    read_all,
    read_batch,
    read_many,
    remove_semaphore,
    repeat,
    view,
)
from processes import Child, eventually, run_forked

import ringlog

EVENTS = 40
CUTS = {
    "all": 0,
    "in the header": PAGE,
    "the data": DATA_START,
    "half the data": DATA_START + 4 * PAGE,
    "within a page": DATA_START + 2 * PAGE + 1234,
}
cuts = pytest.mark.parametrize("size", CUTS.values(), ids=[name.replace(" ", "-") for name in CUTS])
reads = pytest.mark.parametrize("read", READS, ids=lambda read: read.__name__)
appends = pytest.mark.parametrize("append", APPENDS, ids=lambda append: append.__name__)


@reads
@cuts
@pytest.mark.parametrize("lossless", [False, True], ids=["lossy", "lossless"])
def test_a_reader_gets_what_is_whole_and_then_the_error(
    ring_path: str, read: Callable[[ringlog.Reader], Any], size: int, lossless: bool
) -> None:
    def scenario() -> None:
        with opened(ring_path, EVENTS, lossless=lossless) as (_, reader):
            os.truncate(ring_path, size)
            got, error = read_all(read, reader)
            assert isinstance(error, ringlog.StreamTruncated), error
            assert got == [(k, payload(k)) for k in range(len(got))]
            assert len(got) <= max(0, size - DATA_START) // SIZE
            with pytest.raises(ringlog.StreamTruncated):
                read(reader)

    run_forked(scenario)


@reads
def test_unverified_bytes_of_missing_pages_are_not_returned(
    ring_path: str, read: Callable[[ringlog.Reader], Any]
) -> None:
    def scenario() -> None:
        with opened(ring_path, EVENTS, verify=False) as (_, reader):
            os.truncate(ring_path, DATA_START + 4 * PAGE)
            got, error = read_all(read, reader)
            assert isinstance(error, ringlog.StreamTruncated), error
            assert got == [(k, payload(k)) for k in range(len(got))]

    run_forked(scenario)


@pytest.mark.parametrize("grown", [False, True], ids=["cut", "grown-again"])
@pytest.mark.parametrize("call", [poll, read_many, read_batch, view], ids=lambda call: call.__name__)
def test_zeros_behind_the_beginning_of_an_entry_are_no_event(
    ring_path: str, call: Callable[[ringlog.Reader], Any], grown: bool
) -> None:
    """A timestamp, or a piece of one, and then zeros would be an empty event with its right checksum."""

    def scenario() -> None:
        for kept in range(17):
            for inside in (0, 100):  # at a page's end, and within a page, where nothing faults
                first = b"A" * (PAGE - 16 - kept - inside)
                with opened(ring_path, 0) as (writer, reader):
                    writer.append(first)
                    writer.append_many([b"B" * 100] * 8)
                    whole = os.path.getsize(ring_path)
                    os.truncate(ring_path, DATA_START + PAGE - inside)
                    if grown:
                        os.truncate(ring_path, whole)
                    got, error = read_all(call, reader)
                    assert isinstance(error, (ringlog.StreamTruncated, ringlog.CorruptStream)), error
                    assert got in ([], [(0, first)])
                os.unlink(ring_path)

    run_forked(scenario)


def test_leaving_the_block_of_a_broken_named_reader_lets_its_name_go(ring_path: str) -> None:
    def scenario() -> None:
        with opened(ring_path, EVENTS) as (_, reader):
            reader.close()
            named = ringlog.Reader(ring_path, name="billing", start="oldest")
            named.__enter__()
            os.truncate(ring_path, DATA_START)
            with pytest.raises(ringlog.StreamTruncated):
                named.poll()
            with pytest.raises(ringlog.StreamTruncated):
                named.__exit__(None, None, None)
            with pytest.raises(ringlog.ClosedError):
                named.poll()

    run_forked(scenario)


def test_a_process_that_has_no_mappings_left(ring_path: str) -> None:
    """Each page of zeros is a mapping of its own. When the kernel gives no more, one has to do for all."""

    def scenario() -> None:
        with opened(ring_path, EVENTS) as (_, reader):
            libc = ctypes.CDLL(None, use_errno=True)
            libc.mmap.restype = ctypes.c_void_p
            libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
            most = int(Path("/proc/sys/vm/max_map_count").read_text())
            reserved = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000  # MAP_NORESERVE
            base = libc.mmap(None, ctypes.c_size_t(2 * most * PAGE), 1, reserved, -1, ctypes.c_size_t(0))
            for k in range(most):
                if libc.mprotect(base + PAGE * (2 * k + 1), PAGE, 0):
                    break
            os.truncate(ring_path, DATA_START + 2 * PAGE)
            got, error = read_all(poll, reader)
            assert isinstance(error, ringlog.StreamTruncated)
            assert got == [(k, payload(k)) for k in range(len(got))]

    if int(Path("/proc/sys/vm/max_map_count").read_text()) > 200_000:
        pytest.skip("this machine allows too many mappings to use them up")
    run_forked(scenario)


@appends
@cuts
def test_a_writer_gets_the_error_within_a_lap(
    ring_path: str, append: Callable[[ringlog.Writer], Any], size: int
) -> None:
    def scenario() -> None:
        with opened(ring_path, EVENTS) as (writer, _):
            append(writer)  # a mapping that only claims have is there, too
            os.truncate(ring_path, size)
            with pytest.raises(ringlog.StreamTruncated):
                repeat(append, writer, 200)
            for call in (lambda: append(writer), writer.end):
                with pytest.raises(ringlog.StreamTruncated):
                    call()

    run_forked(scenario)


@pytest.mark.parametrize("size", [0, DATA_START], ids=["all", "the-data"])
@pytest.mark.parametrize(
    "code",
    [
        "reader.read()",
        "reader.read_many(timeout=60)",
        "reader.read_batch(timeout=60)",
        "reader.view(timeout=60)",
        "list(reader)",
        "import select; select.select([reader.fileno()], [], [], 60); reader.poll()",
        "import asyncio\nasync def main():\n    async for event in reader: pass\nasyncio.run(main())",
    ],
    ids=["read", "read_many", "read_batch", "view", "for", "select", "async-for"],
)
def test_a_reader_that_waits_is_told(ring_path: str, code: str, size: int) -> None:
    with ringlog.Writer(ring_path, capacity=1 << 16):
        child = Child(
            "reader = ringlog.Reader(path)\nreader.fileno()\nsay('waits')\ntry:\n"
            + "".join(f"    {line}\n" for line in code.splitlines())
            + "except ringlog.StreamTruncated as error:\n    say('told', error)\nreader.close()\n",
            ring_path,
        )
        try:
            assert child.line() == "waits"
            whole = os.path.getsize(ring_path)
            os.truncate(ring_path, size)
            assert child.line().startswith("told")
            child.finish()
        finally:
            os.truncate(ring_path, whole)  # our own writer may close in peace
            child.close()


def test_what_is_made_on_a_view_stays_readable(ring_path: str) -> None:
    def scenario() -> int:
        with opened(ring_path, EVENTS) as (_, reader):
            for _ in range(30):
                reader.read()
            view = reader.view()
            assert view is not None
            array = numpy.frombuffer(view.__enter__().data, numpy.uint8)
            assert int(array.sum()) == sum(payload(30))
            os.truncate(ring_path, 0)
            seen = int(array.sum())
            del array
            with pytest.raises(ringlog.StreamTruncated):
                view.__exit__(None, None, None)
        return seen

    assert run_forked(scenario) == 0


def test_memory_that_is_held_beyond_everything_stays_readable(ring_path: str) -> None:
    def scenario() -> int:
        with opened(ring_path, 3) as (_, reader):
            view = reader.view()
            assert view is not None
            with pytest.raises(BufferError), view as event:
                array = numpy.frombuffer(event.data, numpy.uint8)
        del view, event, reader
        gc.collect()
        os.truncate(ring_path, 0)
        return int(array.sum())

    assert run_forked(scenario) == 0


def test_a_claim_in_missing_memory_is_not_published(ring_path: str) -> None:
    def scenario() -> None:
        with opened(ring_path, 20) as (writer, reader):
            whole = os.path.getsize(ring_path)
            block = writer.claim(4 * PAGE)
            memory = block.__enter__()
            os.truncate(ring_path, DATA_START + 4 * PAGE)
            memory[:] = bytes(4 * PAGE)
            os.truncate(ring_path, whole)  # it can be had again, but that is not what was written to
            with pytest.raises(ringlog.StreamTruncated):
                block.__exit__(None, None, None)
            assert ringlog.info(ring_path).event_count == 20
            with pytest.raises(ringlog.StreamTruncated):
                claim(writer)
            # The reader has touched nothing yet: what it reads is what is in the file, as far as it is whole.
            got, error = read_all(poll, reader)
            assert isinstance(error, ringlog.CorruptStream)
            assert got == [(k, payload(k)) for k in range(len(got))]

    run_forked(scenario)


def test_a_held_claim_in_missing_memory_becomes_private(ring_path: str) -> None:
    def scenario() -> int:
        with opened(ring_path, 20) as (writer, _):
            block = writer.claim(4 * PAGE)
            array = numpy.frombuffer(block.__enter__(), numpy.uint8)
            os.truncate(ring_path, DATA_START)
            with pytest.raises(BufferError):
                block.__exit__(None, None, None)
            array[:] = 7
            return int(array.sum())

    assert run_forked(scenario) == 7 * 4 * PAGE


def test_each_reader_and_writer_is_told_by_itself(ring_path: str) -> None:
    def scenario() -> None:
        with (
            opened(ring_path, EVENTS) as (writer, reader),
            ringlog.Reader(ring_path, start="oldest") as other,
        ):
            os.truncate(ring_path, DATA_START + 4 * PAGE)
            _, error = read_all(poll, reader)
            assert isinstance(error, ringlog.StreamTruncated)
            assert other.read().data == payload(0)
            with pytest.raises(ringlog.StreamTruncated):
                fill(writer, 200)

    run_forked(scenario)


def test_calls_that_read_no_event(ring_path: str) -> None:
    def scenario() -> None:
        with opened(ring_path, EVENTS) as (writer, reader):
            os.truncate(ring_path, 0)
            for call in (
                lambda: reader.seek("oldest"),
                lambda: reader.seek(3),
                writer.end,
                lambda: reader.lag,
            ):
                try:
                    call()
                except ringlog.StreamTruncated:
                    continue
            with pytest.raises(ringlog.StreamTruncated):
                reader.poll()
            with pytest.raises(ringlog.RinglogError):
                ringlog.info(ring_path)
            with pytest.raises(ringlog.RinglogError):
                ringlog.Reader(ring_path)

    run_forked(scenario)


def test_a_file_that_grew_again_is_not_taken_for_whole(ring_path: str) -> None:
    def scenario() -> None:
        with opened(ring_path, EVENTS) as (writer, reader):
            whole = os.path.getsize(ring_path)
            os.truncate(ring_path, 0)
            os.truncate(ring_path, whole)
            got, error = read_all(poll, reader)
            assert not got
            assert isinstance(error, ringlog.RinglogError)
            with pytest.raises(ringlog.RinglogError):
                fill(writer, 3)

    run_forked(scenario)


def test_a_forked_child_is_told_too(ring_path: str) -> None:
    def scenario() -> None:
        with opened(ring_path, EVENTS) as (_, reader):
            os.truncate(ring_path, DATA_START)

            def child() -> None:
                got, error = read_all(poll, reader)
                assert not got
                assert isinstance(error, ringlog.StreamTruncated)

            run_forked(child)
            child()

    run_forked(scenario)


def test_many_rings_in_one_process(tmp_path_factory: pytest.TempPathFactory) -> None:
    """More than the first table of watched mappings has room for; and its places are used again."""
    folder = tmp_path_factory.mktemp("rings")

    def scenario() -> None:
        for _ in range(2):
            pairs = []
            for k in range(60):
                path = str(folder / f"{k}.ring")
                writer = ringlog.Writer(path, capacity=1 << 16)
                writer.append(payload(k))
                pairs.append((path, writer, ringlog.Reader(path, start="oldest"), remove_semaphore(path)))
            for path, *_ in pairs:
                os.truncate(path, 0)
            for path, writer, reader, clean in pairs:
                with pytest.raises(ringlog.StreamTruncated):
                    reader.poll()
                with pytest.raises(ringlog.StreamTruncated):
                    writer.append(b"x")
                reader.close()
                writer.close()
                os.unlink(path)
                clean()

    run_forked(scenario)


def test_two_loops_listen_and_both_are_told(ring_path: str) -> None:
    def scenario() -> list[str]:
        async def wait(reader: ringlog.Reader) -> str:
            try:
                async for _ in reader:
                    pass
            except ringlog.StreamTruncated:
                return "told"
            return "ended"

        async def both() -> list[str]:
            with ringlog.Reader(ring_path) as one, ringlog.Reader(ring_path) as two:
                tasks = [asyncio.ensure_future(wait(reader)) for reader in (one, two)]
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                os.truncate(ring_path, 0)
                return list(await asyncio.wait_for(asyncio.gather(*tasks), 20))

        with opened(ring_path, 0):
            return asyncio.run(both())

    assert run_forked(scenario) == ["told", "told"]


def test_a_descriptor_becomes_readable(ring_path: str) -> None:
    def scenario() -> None:
        with opened(ring_path, 0) as (_, reader):
            fd = reader.fileno()
            assert not select.select([fd], [], [], 0)[0]
            os.truncate(ring_path, 0)
            eventually(lambda: select.select([fd], [], [], 0)[0])
            with pytest.raises(ringlog.StreamTruncated):
                reader.poll()

    run_forked(scenario)
