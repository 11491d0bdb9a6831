"""C and C++ programs and Python on one ring: both ways, lapped, cut off, refused."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from pathlib import Path

import pytest
from processes import GENEROUS, NOBODY, eventually
from programs import CAPACITY, Start, feed, finish, lines, ready

import ringlog
from ringlog.liveness import seen_as
from ringlog.slots import writer_slot

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
