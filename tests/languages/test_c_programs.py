"""C and C++ programs and Python on one ring: both ways, killed, lapped, held up, refused."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import posix_ipc
import pytest
from processes import GENEROUS, NOBODY, Child, eventually

import ringlog
from ringlog.liveness import seen_as
from ringlog.lock import semaphore_name
from ringlog.slots import writer_slot

Start = Callable[..., "subprocess.Popen[bytes]"]
CAPACITY = 1 << 16


@pytest.fixture
def start(built: Path) -> Iterator[Start]:
    """Start one of the programs; what still runs after the test is killed."""
    running: list[subprocess.Popen[bytes]] = []
    outputs: dict[int, BinaryIO] = {}

    def begin(name: str, *arguments: object, user: int | None = None) -> subprocess.Popen[bytes]:
        command = [str(built / name), *map(str, arguments)]
        output = tempfile.TemporaryFile()  # noqa: SIM115  # not a pipe: it would be full before anybody reads it
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, user=user, stdin=pipe, stdout=output, stderr=pipe)
        running.append(process)
        outputs[process.pid] = output
        process.output = output  # type: ignore[attr-defined]
        return process

    yield begin
    for process in running:
        process.kill()
        process.communicate()
        outputs[process.pid].close()


def finish(process: subprocess.Popen[bytes], data: bytes | None = None, code: int = 0) -> tuple[bytes, str]:
    _, errors = process.communicate(data, timeout=GENEROUS)
    assert process.returncode == code, errors.decode()
    output: BinaryIO = process.output  # type: ignore[attr-defined]
    output.seek(0)
    return output.read(), errors.decode()


def feed(process: subprocess.Popen[bytes], data: bytes, *, end: bool = True) -> None:
    assert process.stdin is not None
    process.stdin.write(data)
    process.stdin.flush()
    if end:
        process.stdin.close()
        process.stdin = None


def fill(writer: ringlog.Writer) -> None:
    for _ in range(3000):
        writer.append(bytes(100))


def ready(process: subprocess.Popen[bytes]) -> None:
    assert process.stderr is not None
    assert process.stderr.readline() == b"ready\n"


def lines(count: int, what: str = "line") -> list[bytes]:
    return [b"%s %d " % (what.encode(), k) + bytes([65 + k % 26]) * (k % 300) for k in range(count)]


# ---- both ways ----


def test_python_reads_what_c_wrote(start: Start, ring_path: str) -> None:
    ringlog.create(ring_path, CAPACITY)
    with ringlog.Reader(ring_path, lossless=True) as reader:
        writer = start("writer", "--end", ring_path)
        sent = lines(3000)
        feed(writer, b"".join(line + b"\n" for line in sent[:10]), end=False)
        assert [reader.read(timeout=GENEROUS).data for _ in range(10)] == sent[:10]
        [known] = ringlog.info(ring_path).writers
        assert (known.pid, known.state) == (writer.pid, "active")
        [slot] = [seen for k in range(64) if (seen := writer_slot(reader._mapping, k)).pid == writer.pid]
        assert seen_as(slot.identity) is not None  # its start time is right
        feeder = threading.Thread(target=feed, args=(writer, b"\n".join(sent[10:])))
        feeder.start()
        assert [event.data for event in reader] == sent[10:]
        feeder.join()
        _, said = finish(writer)
        assert said == "3000 events\n"
        assert ringlog.info(ring_path).writers == ()
    assert ringlog.verify(ring_path).ok


@pytest.mark.parametrize("options", [["--lossless"], ["--oldest"], []])
def test_cpp_reads_what_python_wrote(start: Start, ring_path: str, options: list[str]) -> None:
    sent = lines(2000 if "--lossless" in options else 100)
    with ringlog.Writer(ring_path, capacity=CAPACITY, timeout=GENEROUS) as writer:
        if options:
            writer.append(sent[0])
        reader = start("reader", *options, ring_path)
        ready(reader)
        if "--lossless" in options:
            assert [each.pid for each in ringlog.info(ring_path).readers] == [reader.pid]
        writer.append_many(sent[1:50])
        writer.append_array(memoryview(b"".join(sent[1:2])))
        for line in sent[50:]:
            writer.append(line)
        writer.end()
    said, errors = finish(reader)
    expected = [*sent[1:50], *(bytes([byte]) for byte in sent[1]), *sent[50:]]
    assert said == b"".join(line + b"\n" for line in (sent[:1] if "--oldest" in options else []) + expected)
    assert errors == ""
    assert ringlog.info(ring_path).readers == ()


def test_many_writers_take_turns(start: Start, ring_path: str) -> None:
    ringlog.create(ring_path, CAPACITY)
    with (
        ringlog.Reader(ring_path, lossless=True) as reader,
        ringlog.Writer(ring_path, timeout=0.01) as writer,
    ):
        rivals = [start("writer", ring_path) for _ in range(3)]
        for k, process in enumerate(rivals):
            feed(process, b"".join(b"%d %d\n" % (k, n) for n in range(5000)))
        counts, sent = [0, 0, 0, 0], 0
        while counts != [5000, 5000, 5000, sent] or not sent:
            with contextlib.suppress(ringlog.RingFull, ringlog.WriterBusy):
                writer.append(b"3 %d" % sent)
                sent += 1
            for event in reader.read_many(40, timeout=GENEROUS):
                who, number = map(int, event.data.split())
                assert number == counts[who]
                counts[who] += 1
        for process in rivals:
            finish(process)
    assert ringlog.verify(ring_path).ok


def lose(name: str) -> None:
    posix_ipc.unlink_semaphore(name)


def empty(name: str) -> None:
    semaphore = posix_ipc.Semaphore(name)
    semaphore.acquire(0)
    semaphore.close()


def overfill(name: str) -> None:
    semaphore = posix_ipc.Semaphore(name)
    for _ in range(300):
        semaphore.release()
    semaphore.close()


@pytest.mark.parametrize("spoil", [lose, empty, overfill])
def test_whatever_becomes_of_the_semaphore(
    start: Start, ring_path: str, spoil: Callable[[str], None]
) -> None:
    with ringlog.Writer(ring_path, capacity=1 << 20, timeout=GENEROUS) as writer:
        early = start("writer", ring_path)
        feed(early, b"first\n", end=False)
        eventually(lambda: ringlog.info(ring_path).event_count)
        spoil(semaphore_name(Path(ring_path).read_bytes()[144:160]))
        late = start("writer", ring_path)
        for k, process in enumerate((early, late)):
            feed(process, b"".join(b"%d %d\n" % (k, n) for n in range(2000)))
        for n in range(2000):
            writer.append(b"2 %d" % n)
        finish(early)
        finish(late)
    with ringlog.Reader(ring_path, start=1) as reader:
        events = [tuple(map(int, event.data.split())) for event in reader.read_many(10_000)]
    assert sorted(events) == [(who, n) for who in range(3) for n in range(2000)]
    for who in range(3):
        assert [n for each, n in events if each == who] == list(range(2000))
    assert ringlog.verify(ring_path).ok


# ---- killed ----


@pytest.mark.parametrize(
    ("point", "hits"),
    [("lock_taken", 0), ("entry_copied", 5), ("entry_sealed", 5), ("publish_counted", 5), ("head_invalid", 5),
     ("head_record", 5), ("head_stored", 5), ("tail_record", 1), ("tail_stored", 1), ("gate_sequence", 1),
     ("mark_invalid", 1), ("mark_written", 3)],
)  # fmt: skip
def test_a_killed_c_writer_is_succeeded(
    start: Start, ring_path: str, built: Path, point: str, hits: int
) -> None:
    if hits == 0:  # a point of the binding alone: the C writer never passes it
        ringlog.create(ring_path, CAPACITY)
        finish(start("doomed", ring_path, point, 1, 3))
        return
    ringlog.create(ring_path, CAPACITY)
    with ringlog.Reader(ring_path, on_overrun="skip") as reader:
        doomed = start("doomed", ring_path, point, hits, 10_000)
        said, _ = finish(doomed, code=-signal.SIGKILL)
        acknowledged = len(said.split())
        with ringlog.Writer(ring_path, timeout=GENEROUS) as heir:
            sequence = heir.append(b"next")
        assert sequence in (acknowledged, acknowledged + 1)
        events = reader.read_many(100_000)
        assert reader.lost + len(events) == sequence + 1
        assert [event.data for event in events[:-1]] == [
            b"doomed %d" % event.sequence for event in events[:-1]
        ]
        assert events[-1].data == b"next"
    assert ringlog.verify(ring_path).ok


@pytest.mark.parametrize("point", ["entry_copied", "head_record", "head_stored", "tail_stored"])
def test_a_c_writer_succeeds_a_killed_python_writer(start: Start, ring_path: str, point: str) -> None:
    from ringlog.testing import kill_writer_at

    ringlog.create(ring_path, CAPACITY)
    kill_writer_at(point, ring_path, hits=3)
    published = ringlog.info(ring_path).event_count
    finish(start("writer", ring_path), b"next\n")
    with ringlog.Reader(ring_path, start=published) as reader:
        assert reader.read(timeout=GENEROUS).data == b"next"
    assert ringlog.verify(ring_path).ok


def test_a_killed_cpp_reader_holds_nobody_up(start: Start, ring_path: str) -> None:
    with ringlog.Writer(ring_path, capacity=CAPACITY, timeout=GENEROUS) as writer:
        reader = start("reader", "--lossless", ring_path)
        ready(reader)
        reader.send_signal(signal.SIGSTOP)
        with ringlog.Writer(ring_path, timeout=0) as impatient, pytest.raises(ringlog.RingFull):
            fill(impatient)
        reader.kill()
        fill(writer)


def test_a_c_writer_is_not_held_up_by_a_dead_python_reader(
    start: Start, ring_path: str, spawn: Callable[..., Child]
) -> None:
    ringlog.create(ring_path, CAPACITY)
    child = spawn(
        'r = ringlog.Reader(path, start="oldest", name="gone"); say("in"); sys.stdin.read()', ring_path
    )
    assert child.line() == "in"
    sent = b"".join(line + b"\n" for line in lines(1000))
    _, said = finish(start("writer", "--timeout", "0.05", ring_path), sent, code=1)
    assert "timed out" in said
    full = ringlog.info(ring_path).event_count
    assert 0 < full < 1000
    child.kill()
    finish(start("writer", "--timeout", "20", ring_path), sent)
    assert ringlog.info(ring_path).event_count == full + 1000
    with ringlog.Reader(ring_path, name="gone") as reader, pytest.raises(ringlog.Overrun) as caught:
        reader.read(timeout=0)
    assert caught.value.first == 0


# ---- lapped, cut off, refused ----


def test_a_lapped_cpp_reader_says_exactly_what_it_lost(start: Start, ring_path: str) -> None:
    with ringlog.Writer(ring_path, capacity=CAPACITY, timeout=GENEROUS) as writer:
        reader = start("reader", ring_path)
        ready(reader)
        reader.send_signal(signal.SIGSTOP)
        sent = lines(2000)
        for line in sent:
            writer.append(line)
        writer.end()
        tail = ringlog.info(ring_path).tail_count
        assert tail > 1000
        reader.send_signal(signal.SIGCONT)
        said, errors = finish(reader)
    assert errors == f"lost {tail} from 0\n"
    assert said == b"".join(line + b"\n" for line in sent[tail:])


def test_one_that_is_lapped_again_and_again_misses_nothing_else(start: Start, ring_path: str) -> None:
    with ringlog.Writer(ring_path, capacity=CAPACITY, timeout=GENEROUS) as writer:
        reader = start("reader", ring_path)
        ready(reader)
        reader.send_signal(signal.SIGSTOP)  # once for sure
        for first in range(0, 200_000, 100):
            if first == 20_000:
                reader.send_signal(signal.SIGCONT)
            writer.append_many([b"%d" % k for k in range(first, first + 100)])
        writer.end()
        said, errors = finish(reader)
    expected = list(range(200_000))
    for line in reversed(errors.splitlines()):
        _, count, _, first = line.split()
        del expected[int(first) : int(first) + int(count)]
    assert errors
    assert [int(line) for line in said.split()] == expected


def test_a_removed_ring(start: Start, ring_path: str) -> None:
    ringlog.create(ring_path, CAPACITY)
    reader, writer = start("reader", ring_path), start("writer", ring_path)
    ready(reader)
    eventually(lambda: ringlog.info(ring_path).writers)
    ringlog.unlink(ring_path)
    _, errors = finish(reader, code=1)
    assert "Identifier removed" in errors
    _, errors = finish(writer, b"more\n", code=1)
    assert "Identifier removed" in errors


def test_with_read_permission_alone(start: Start, ring_path: str) -> None:
    with ringlog.Writer(ring_path, capacity=CAPACITY, timeout=GENEROUS) as writer:
        os.chmod(ring_path, 0o644)
        refused = [
            start("writer", ring_path, user=NOBODY),
            start("reader", "--lossless", ring_path, user=NOBODY),
        ]
        for each in refused:
            assert "Permission denied" in finish(each, code=1)[1]
        reader = start("reader", ring_path, user=NOBODY)
        ready(reader)
        writer.append(b"seen")
        writer.end()
    assert finish(reader)[0] == b"seen\n"


def test_what_is_no_ring(start: Start, ring_path: str, tmp_path: Path) -> None:
    ringlog.create(ring_path, CAPACITY)
    whole = Path(ring_path).read_bytes()
    files = {
        "missing": (None, "No such file"),
        "text": (b"hello" * 10_000, "Protocol error"),
        "newer": (whole[:72] + b"\x63" + whole[73:], "Protocol error"),
        "cut": (whole[:100_000], "Input/output error"),
        "damaged": (whole[:96] + b"\x01" + whole[97:], "Bad message"),
    }
    for name, (data, message) in files.items():
        if data is not None:
            (tmp_path / name).write_bytes(data)
        for program in ("writer", "reader"):
            assert message in finish(start(program, tmp_path / name), code=1)[1]


def test_after_a_restart_of_the_machine_python_goes_first(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "ring"
    with ringlog.Writer(path, capacity=CAPACITY, sync=3600.0) as writer:
        writer.append_many([b"%d" % k for k in range(100)])
        writer.sync()
    finish(start("writer", path), b"".join(line + b"\n" for line in lines(1000)))  # laps what a record names
    assert ringlog.verify(path).ok
    with path.open("r+b") as stream:
        stream.seek(160)
        stream.write(bytes(range(1, 17)))  # another boot
    for program in ("writer", "reader"):
        assert "Stale file handle" in finish(start(program, path), code=1)[1]
    with ringlog.Writer(path) as writer:
        writer.append(b"next")
    assert ringlog.verify(path).ok  # nothing was believed that had been overwritten
    finish(start("writer", path), b"again\n")
    with ringlog.Reader(path, start="oldest") as reader:
        assert [event.data for event in reader.read_many()][-2:] == [b"next", b"again"]
    ringlog.unlink(path)


def test_a_forked_child_may_not(start: Start, ring_path: str) -> None:
    ringlog.create(ring_path, CAPACITY)
    said, _ = finish(start("doomed", ring_path, "fork", 1, 1))
    assert said.split() == [b"-10", b"-10", b"0", b"0"]  # ECHILD twice; a sequence, an event
    assert ringlog.info(ring_path).event_count == 1


def test_an_event_over_half_a_ring(start: Start, ring_path: str) -> None:
    ringlog.create(ring_path, CAPACITY)
    _, errors = finish(start("writer", ring_path), b"x" * (CAPACITY // 2 - 15), code=1)
    assert "Message too long" in errors
    finish(start("writer", ring_path), b"x" * (CAPACITY // 2 - 16))
    assert ringlog.info(ring_path).event_count == 1
