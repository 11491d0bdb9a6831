"""Opening and closing: blocks, twice, forgotten; and the errors' family."""

from __future__ import annotations

import contextlib
import gc
import inspect
import os
import threading
import warnings
from collections.abc import Callable

import pytest

import ringlog

PARENTS: dict[str, tuple[type[BaseException], ...]] = {
    "NotARing": (ValueError,),
    "VersionMismatch": (),
    "CorruptStream": (),
    "StreamTruncated": (),
    "StreamEnded": (EOFError,),
    "Overrun": (),
    "RingRemoved": (),
    "WriterBusy": (TimeoutError,),
    "RingFull": (TimeoutError,),
    "NameInUse": (),
    "TooManyReaders": (),
    "EventTooLarge": (ValueError,),
    "ClosedError": (),
}


@pytest.fixture
def ring(ring_path: str) -> str:
    ringlog.create(ring_path, 65536)
    return ring_path


@pytest.mark.parametrize("name", PARENTS)
def test_errors(name: str) -> None:
    error = getattr(ringlog, name)
    assert issubclass(error, ringlog.RinglogError)
    for builtin in (ValueError, EOFError, TimeoutError, OSError, KeyError):
        expected = any(issubclass(parent, builtin) for parent in PARENTS[name])
        assert issubclass(error, builtin) == expected
    assert error.__doc__


def test_public_names() -> None:
    assert set(PARENTS) | {"RinglogError"} <= set(ringlog.__all__)
    for name in ringlog.__all__:
        thing = getattr(ringlog, name)
        assert inspect.getdoc(thing), name


def test_a_closed_writer(ring: str) -> None:
    writer = ringlog.Writer(ring)
    writer.append(b"x")
    writer.close()
    writer.close()
    calls: list[Callable[[], object]] = [
        lambda: writer.append(b"y"),
        lambda: writer.append_many([b"y"]),
        lambda: writer.append_many([]),
        writer.sync,
        writer.end,
    ]
    for call in calls:
        with pytest.raises(ringlog.ClosedError, match="closed"):
            call()
    assert "closed" in repr(writer)
    assert ringlog.info(ring).event_count == 1
    assert not ringlog.info(ring).ended


@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"name": "n"}])
def test_a_closed_reader(ring: str, options: dict[str, object]) -> None:
    reader = ringlog.Reader(ring, **options)
    reader.close()
    reader.close()
    calls: list[Callable[[], object]] = [
        reader.poll,
        reader.read,
        reader.read_many,
        reader.commit,
        lambda: next(reader),
        lambda: reader.seek("oldest"),
        lambda: reader.lag,
    ]
    for call in calls:
        with pytest.raises(ringlog.ClosedError, match="closed"):
            call()
    assert "closed" in repr(reader)


def test_with_closes(ring: str) -> None:
    with ringlog.Writer(ring) as writer, ringlog.Reader(ring) as reader:
        pass
    with pytest.raises(ringlog.ClosedError):
        writer.append(b"x")
    with pytest.raises(ringlog.ClosedError):
        reader.poll()
    with pytest.raises(LookupError), ringlog.Writer(ring) as writer:
        raise LookupError
    with pytest.raises(ringlog.ClosedError):
        writer.append(b"x")


@pytest.mark.parametrize("options", [{}, {"lock": "session"}])
def test_a_forgotten_writer_warns_and_lets_go(ring: str, options: dict[str, object]) -> None:
    writer = ringlog.Writer(ring, **options)
    writer.append(b"x")
    forgotten = [writer]
    del writer
    with pytest.warns(ResourceWarning, match=r"unclosed <ringlog.Writer .*ring"):
        forgotten.clear()
    assert ringlog.info(ring).writers == ()
    with ringlog.Writer(ring, lock="session", timeout=0) as writer:
        assert writer.append(b"x") == 1


@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"name": "n"}])
def test_a_forgotten_reader_warns_and_lets_go(ring: str, options: dict[str, object]) -> None:
    reader = ringlog.Reader(ring, **options)
    forgotten = [reader]
    del reader
    with pytest.warns(ResourceWarning, match=r"unclosed <ringlog.Reader .*ring"):
        forgotten.clear()
    assert all(reader.state == "dead" for reader in ringlog.info(ring).readers)


def test_what_could_not_be_opened_does_not_warn(ring: str) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for attempt in (
            lambda: ringlog.Writer(ring, lock="x"),
            lambda: ringlog.Writer(ring, timeout=-1),
            lambda: ringlog.Reader(ring, start=7),
            lambda: ringlog.Reader(ring, start=7, lossless=True),
            lambda: ringlog.Reader(ring + "-", open_timeout=0),
        ):
            with pytest.raises((ValueError, FileNotFoundError)):
                attempt()
        gc.collect()
    assert [str(warning.message) for warning in caught] == []
    assert ringlog.info(ring).writers == ()


def test_descriptors_and_mappings_are_given_back(ring: str) -> None:
    def used() -> tuple[int, int]:
        with open("/proc/self/maps") as maps:
            return len(os.listdir("/proc/self/fd")), sum(ring in line for line in maps)

    def use() -> None:
        with ringlog.Writer(ring) as writer, ringlog.Reader(ring, lossless=True) as reader:
            writer.append(b"x")
            reader.poll()
        ringlog.info(ring)
        with pytest.raises(ValueError, match="beyond"):
            ringlog.Reader(ring, start=1 << 40)

    use()
    before = used()
    for _ in range(10):
        use()
    assert used() == before == (before[0], 0)


def test_threads_share_objects(ring: str) -> None:
    """They take turns: every event is appended once and read once."""
    with ringlog.Writer(ring) as writer, ringlog.Reader(ring, lossless=True) as reader:
        seen: list[bytes] = []

        def write(k: int) -> None:
            for j in range(500):
                writer.append(b"%d %d" % (k, j))

        def read() -> None:
            with contextlib.suppress(TimeoutError):
                while len(seen) < 2000:
                    seen.append(reader.read(0.5).data)

        threads = [threading.Thread(target=write, args=(k,)) for k in range(4)]
        threads += [threading.Thread(target=read) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()
        assert sorted(seen) == sorted(b"%d %d" % (k, j) for k in range(4) for j in range(500))
