"""``ringlog tail``."""

from __future__ import annotations

import base64
import json
import os
import shlex
import signal
import subprocess
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from cli_command import COMMAND, PATIENCE, Start, error, out, run, until, until_count

import ringlog
from ringlog.cli.errors import ExitCode


def test_raw(ring: str) -> None:
    content = bytes(range(256)) + b"\n\n\xff\n"
    out("write", ring, data=content)
    assert out("tail", "--no-follow", ring) == content


def test_json(ring: str) -> None:
    before = time.time_ns()
    out("write", ring, data='plain\nquote " \\ \x01\nä€\u2028😀\n\n'.encode() + b"\xff\x00\n")
    events = [json.loads(line) for line in out("tail", "--no-follow", "--format", "json", ring).splitlines()]
    assert [event["sequence"] for event in events] == [0, 1, 2, 3, 4]
    assert [event.get("data") for event in events] == ["plain", 'quote " \\ \x01', "ä€\u2028😀", "", None]
    assert base64.b64decode(events[4]["data_base64"]) == b"\xff\x00"
    assert "data_base64" not in events[0]
    for event in events:
        assert event["size"] == len(event.get("data", "12").encode())
        assert before <= event["timestamp"] <= time.time_ns()
        whole, fraction = event["time"].removesuffix("Z").split(".")
        seconds = datetime.fromisoformat(whole).replace(tzinfo=timezone.utc).timestamp()
        assert int(seconds) * 10**9 + int(fraction) == event["timestamp"]
        assert len(fraction) == 9


def test_hex(ring: str) -> None:
    out("write", ring, data=b"0123456789abcdefXY\x00\xff~\n\nz\n")
    lines = out("tail", "--no-follow", "--format", "hex", ring).decode().splitlines()
    assert lines[0].startswith("# 0  ")
    assert lines[0].endswith("Z  21 bytes")
    assert lines[1] == ("00000000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  |0123456789abcdef|")
    assert lines[2] == "00000010  58 59 00 ff 7e                                    |XY..~|"
    assert lines[3].endswith("Z  0 bytes")
    assert lines[4].endswith("Z  1 byte")
    assert lines[5] == "00000000  7a                                                |z|"
    assert len(lines) == 6


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "0123456789"),
        (("--from", "oldest"), "0123456789"),
        (("--from", "latest"), ""),
        (("--from", "0"), "0123456789"),
        (("--from", "7"), "789"),
        (("--from", "10"), ""),
        (("--from", "-2"), "89"),
        (("--from", "-100"), "0123456789"),
        (("--from", "-0"), ""),
        (("--from", "-1h"), "0123456789"),
        (("--from", "1h ago"), "0123456789"),
        (("--from", "2020-01-01T00:00:00Z"), "0123456789"),
        (("--count", "3"), "012"),
        (("--count", "30"), "0123456789"),
        (("--from", "4", "-n", "2"), "45"),
        (("--lossless", "--from", "8"), "89"),
    ],
)
def test_where_it_begins_and_ends(numbers: str, arguments: tuple[str, ...], expected: str) -> None:
    printed = out("tail", "--no-follow", *arguments, numbers)
    assert printed.decode().split() == list(expected)


def test_from_a_time(ring: str) -> None:
    out("write", ring, data=b"early\n")
    time.sleep(0.01)
    out("write", ring, data=b"late\n")
    with ringlog.Reader(ring, start="oldest") as reader:
        early, late = reader.read_many(2)
    middle = datetime.fromtimestamp((early.timestamp + late.timestamp) / 2e9)  # naive: local time
    assert out("tail", "--no-follow", "--from", middle.isoformat(), ring) == b"late\n"
    utc = middle.astimezone(timezone.utc)
    assert out("tail", "--no-follow", "--from", utc.isoformat().replace("+00:00", "Z"), ring) == b"late\n"
    elsewhere = utc.astimezone(timezone(timedelta(hours=-7)))
    assert out("tail", "--no-follow", "--from", elsewhere.isoformat(), ring) == b"late\n"
    assert out("tail", "--no-follow", "--from", utc.replace(year=2200).isoformat(), ring) == b""
    shown = json.loads(out("tail", "--no-follow", "--format", "json", "--from", "1", ring))["time"]
    assert out("tail", "--no-follow", "--from", shown, ring) == b"late\n"


def test_from_beyond_the_next_event(numbers: str) -> None:
    said = error("tail", "--from", "11", numbers, code=ExitCode.USAGE)
    assert "11" in said


def test_follows(ring: str, start: Start) -> None:
    out("create", ring, "--capacity", "64K")
    reader = start("tail", "--from", "oldest", ring, stdout=subprocess.PIPE)
    assert reader.stdout is not None
    for number in range(5):
        out("write", ring, data=b"%d\n" % number)
        assert reader.stdout.readline() == b"%d\n" % number  # at once, and not with the next one
    out("write", "--end", ring, data=b"end")
    assert reader.communicate(timeout=PATIENCE)[0] == b"end\n"
    assert reader.returncode == 0


def test_waits_for_the_ring(ring: str, start: Start) -> None:
    reader = start("tail", "--wait", "100", "--from", "oldest", ring, stdout=subprocess.PIPE)
    late = start("tail", "--wait", "100", "--from", "-5", ring, stdout=subprocess.PIPE)
    with pytest.raises(subprocess.TimeoutExpired):
        reader.wait(0.5)
    out("write", "--end", ring, data=b"one\n")
    assert reader.communicate(timeout=PATIENCE)[0] == b"one\n"
    assert late.communicate(timeout=PATIENCE)[0] == b"one\n"
    assert (reader.returncode, late.returncode) == (0, 0)


def test_does_not_wait_for_ever(ring: str) -> None:
    for wait in ("0", "0.1"):
        assert "no such ring" in error("tail", "--wait", wait, ring, code=ExitCode.NO_RING)


def test_timeout(numbers: str) -> None:
    assert out("tail", "--timeout", "0.1", numbers) == b""
    assert len(out("tail", "--timeout", "0.1", "--from", "oldest", numbers).split()) == 10
    assert len(out("tail", "--timeout", "100", "--count", "9", "--from", "oldest", numbers).split()) == 9


def test_timeout_before_the_count(numbers: str) -> None:
    done = run("tail", "--timeout", "0.1", "--count", "12", "--from", "oldest", numbers, code=ExitCode.WAITED)
    assert len(done.stdout.split()) == 10
    assert done.stderr.decode() == f"ringlog: {numbers}: no event for 0.1 s, 2 more events expected\n"


def test_no_follow_stops_though_the_writer_does_not(ring: str, folder: Path, start: Start) -> None:
    file = folder / "words"
    file.write_bytes(b"word\n" * 100)
    writer = start("write", "--repeat", "inf", "--capacity", "1M", ring, str(file))
    until_count(ring, 1000, writer)
    done = run("tail", "--no-follow", "--from", "-100", ring)
    assert done.stdout == b"word\n" * 100


def test_overrun_is_told_and_reading_goes_on(ring: str) -> None:
    out("write", "--capacity", "64K", ring, data=b"x\n" * 10_000)
    info = ringlog.info(ring)
    assert info.tail_count > 5
    done = run("tail", "--no-follow", "--from", "5", ring)
    lost = info.tail_count - 5
    last = info.tail_count - 1
    assert done.stderr.decode() == f"ringlog: {ring}: overrun, lost {lost} events: 5 to {last}\n"
    assert len(done.stdout.split()) == 10_000 - info.tail_count


def test_overrun_while_nobody_takes_the_output(ring: str, start: Start) -> None:
    out("create", ring, "--capacity", "64K")
    reader = start(
        "tail", "--from", "oldest", "-o", "json", ring, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert reader.stdout is not None
    out("write", ring, data=b"first\n")
    first = reader.stdout.readline()
    out("write", "--end", ring, data=b"x" * 500 + b"\n" + b"line\n" * 100_000)
    printed, said = reader.communicate(timeout=PATIENCE)
    assert reader.returncode == 0
    seen = {json.loads(line)["sequence"] for line in [first, *printed.splitlines()]}
    assert len(seen) == 1 + len(printed.splitlines())
    lost: set[int] = set()
    for line in said.decode().splitlines():
        words = line.replace(":", "").split()
        assert words[-3].isdigit() or "lost 1 event" in line
        low, high = (int(words[-1]),) * 2 if "lost 1 event:" in line else (int(words[-3]), int(words[-1]))
        gap = set(range(low, high + 1))
        assert f"lost {len(gap)} event" in line
        assert not gap & lost
        lost |= gap
    assert lost, "a pipe holds less than was written"
    assert seen | lost == set(range(100_002))
    assert not seen & lost


def test_interrupt_and_terminate(numbers: str, start: Start) -> None:
    for number, code in ((signal.SIGINT, ExitCode.INTERRUPTED), (signal.SIGTERM, ExitCode.TERMINATED)):
        reader = start("tail", "--from", "oldest", numbers, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert reader.stdout is not None
        assert reader.stdout.readline() == b"0\n"
        reader.send_signal(number)
        assert reader.wait(PATIENCE) == code
        assert len(reader.stdout.read().split()) == 9
        assert reader.stderr is not None
        assert reader.stderr.read() == b""


def test_a_pipe_that_closes(numbers: str) -> None:
    command = f"set -o pipefail; {shlex.join(COMMAND)} tail --from oldest {numbers} | head -n 1"
    done = subprocess.run(["bash", "-c", command], check=False, capture_output=True, timeout=PATIENCE)
    assert done.stdout == b"0\n"
    assert done.stderr == b""
    assert done.returncode == ExitCode.CLOSED_PIPE


def test_a_pipe_that_closes_while_no_event_comes(numbers: str, start: Start) -> None:
    reader = start("tail", "--lossless", numbers, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    until(lambda: ringlog.info(numbers).readers, reader)
    assert reader.stdout is not None
    reader.stdout.close()
    assert reader.wait(PATIENCE) == ExitCode.CLOSED_PIPE
    assert reader.stderr is not None
    assert reader.stderr.read() == b""
    assert not ringlog.info(numbers).readers


def test_standard_output_that_is_closed(numbers: str) -> None:
    done = subprocess.run(
        [*COMMAND, "tail", "--no-follow", numbers],
        check=False,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: os.close(1),
    )
    assert done.returncode == ExitCode.FAILED
    assert done.stderr.startswith(b"ringlog: standard output: ")
    assert len(out("tail", "--no-follow", numbers).split()) == 10  # and not written into the ring


def test_large_events(ring: str) -> None:
    lines = [bytes([65 + number]) * 500_000 for number in range(20)]
    out("write", ring, data=b"\n".join(lines))
    assert out("tail", "--no-follow", ring).split() == lines
