"""Other processes: objects that are pickled re-open by path; objects that are forked know it."""

from __future__ import annotations

import multiprocessing
import os
import pickle
from collections.abc import Callable

import pytest
from oracle import decode
from processes import run_forked

import ringlog


@pytest.fixture
def ring(ring_path: str) -> str:
    ringlog.create(ring_path, 65536)
    return ring_path


def fill_up(writer: ringlog.Writer) -> None:
    """To the last byte that a lossless reader leaves it."""
    with pytest.raises(ringlog.RingFull):
        [writer.append(bytes(10_000)) for _ in range(20)]


# ---- pickled ----


def echo(requests: ringlog.Reader, answers: ringlog.Writer) -> None:
    """Runs in a spawned process."""
    with requests, answers:
        for event in requests:
            answers.append(event.data.upper())
        answers.end()


def test_spawned_processes_get_objects_of_their_own(ring_folder: object, ring: str) -> None:
    back = ring + "-back"
    ringlog.create(back, 65536)
    with (
        ringlog.Writer(ring) as writer,
        ringlog.Reader(ring, start="oldest") as requests,
        ringlog.Writer(back, timeout=20) as answers,
        ringlog.Reader(back, start="oldest") as reader,
    ):
        process = multiprocessing.get_context("spawn").Process(target=echo, args=(requests, answers))
        process.start()
        writer.append_many([b"a", b"b", b"c"])
        writer.end()
        assert [reader.read(30).data for _ in range(3)] == [b"A", b"B", b"C"]
        with pytest.raises(ringlog.StreamEnded):
            reader.read(30)
        process.join(30)
        assert process.exitcode == 0
        process.close()
        assert answers.append(b"still ours") == 3


def test_arguments_travel_and_the_position_does_not(ring: str) -> None:
    with ringlog.Writer(ring) as writer, ringlog.Reader(ring, start="oldest", on_overrun="skip") as reader:
        writer.append_many([b"a", b"b"])
        reader.poll()
        with pickle.loads(pickle.dumps(reader)) as again:
            assert (again.sequence, reader.sequence) == (0, 1)
            for _ in range(200):
                writer.append(bytes(1000))
            assert again.poll().sequence == again.lost > 0
    with ringlog.Writer(ring, timeout=0, capacity=65536) as writer:
        state = pickle.dumps(writer)
    with ringlog.Reader(ring, lossless=True), pickle.loads(state) as again:
        fill_up(again)


def test_a_pickled_path_is_absolute(ring: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(os.path.dirname(ring))
    with ringlog.Reader("ring") as reader:
        state = pickle.dumps(reader)
    monkeypatch.chdir("/")
    pickle.loads(state).close()


def test_a_pickled_named_reader_needs_the_name_free(ring: str) -> None:
    with ringlog.Reader(ring, name="n") as reader:
        state = pickle.dumps(reader)
        with pytest.raises(ringlog.NameInUse):
            pickle.loads(state)
    pickle.loads(state).close()


# ---- forked ----


def raised(call: Callable[[], object]) -> str:
    try:
        call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "nothing"


@pytest.mark.parametrize("options", [{}, {"lock": "session"}])
def test_a_forked_writer(ring: str, options: dict[str, object]) -> None:
    with ringlog.Writer(ring, **options) as writer:
        writer.append(b"parent")

        def child() -> list[str]:
            found = [raised(lambda: writer.append(b"x")), raised(lambda: writer.append_many([b"x"]))]
            found += [raised(writer.sync), raised(writer.end)]
            writer.close()
            return found

        for error in run_forked(child):
            assert error.startswith("ClosedError: ")
            assert f"{os.getpid()}" in error
            assert "fork" in error
        assert ringlog.info(ring).writer.state == "active"  # the child's end was not ours
        assert writer.append(b"parent again") == 1
        assert [event.data for event in decode(ring)] == [b"parent", b"parent again"]


@pytest.mark.parametrize("options", [{"lossless": True}, {"name": "n"}])
def test_a_forked_reader_with_a_slot(ring: str, options: dict[str, object]) -> None:
    with ringlog.Writer(ring, timeout=0.5) as writer, ringlog.Reader(ring, **options) as reader:
        writer.append(b"x")

        def child() -> list[str]:
            calls = [reader.poll, reader.read, reader.read_many, reader.commit, lambda: next(reader)]
            calls += [lambda: reader.seek("oldest"), lambda: reader.lag]
            found = [raised(call) for call in calls]
            with reader:
                pass
            reader.close()
            return found

        for error in run_forked(child):
            assert error.startswith("ClosedError: ")
            assert f"{os.getpid()}" in error
            assert "fork" in error
        fill_up(writer)  # the child's end did not take the parent's slot away
        assert [event.sequence for event in reader.read_many()] == list(range(7))


@pytest.mark.parametrize("wait", ["adaptive", "sleep"])
def test_a_forked_lossy_reader_goes_on(ring: str, wait: str) -> None:
    with ringlog.Writer(ring) as writer, ringlog.Reader(ring, wait=wait) as reader:
        writer.append_many([b"a", b"b"])
        assert reader.poll().data == b"a"

        def child() -> list[bytes]:
            with reader, ringlog.Writer(ring) as own:
                own.append(b"from the child")
                return [reader.read(20).data for _ in range(2)]

        assert run_forked(child) == [b"b", b"from the child"]
        assert [event.data for event in reader.read_many()] == [b"b", b"from the child"]


def test_a_child_may_open_its_own(ring: str) -> None:
    with ringlog.Writer(ring, timeout=5) as writer, ringlog.Reader(ring, name="parent") as reader:

        def child() -> int:
            with ringlog.Writer(ring) as own, ringlog.Reader(ring, name="child", start="oldest") as mine:
                own.append(b"x")
                return len(mine.read_many()) + len(ringlog.info(ring).writers) * 10

        assert run_forked(child) == 21
        assert writer.append(b"y") == 1
        assert len(reader.read_many()) == 2


def test_a_child_that_outlives_its_parent_keeps_nothing_alive(ring: str) -> None:
    """Leases are not inherited, though the child still has everything mapped."""
    inward, outward = os.pipe()

    def parent() -> None:
        reader, writer = ringlog.Reader(ring, lossless=True), ringlog.Writer(ring)
        writer.append(b"x")
        if os.fork() == 0:
            os.closerange(3, inward)
            os.closerange(inward + 1, 1000)
            os.read(inward, 1)  # until the test closes its end
            assert reader.sequence == 0
            os._exit(0)

    try:
        run_forked(parent)
        os.close(inward)
        info = ringlog.info(ring)
        assert [writer.state for writer in info.writers] == ["dead"]
        assert [reader.state for reader in info.readers] == ["dead"]
        with ringlog.Writer(ring, timeout=20) as writer:
            assert [writer.append(bytes(30_000)) for _ in range(4)] == [1, 2, 3, 4]
    finally:
        os.close(outward)
