"""``ringlog tail`` as a lossless and as a named reader."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cli_command import COMMAND, PATIENCE, Start, error, out, run, until

import ringlog
from ringlog.cli.errors import ExitCode


def test_lossless_with_a_slow_output(ring: str, folder: Path, start: Start) -> None:
    out("create", ring, "--capacity", "64K")
    reader = start("tail", "--lossless", ring, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    until(lambda: ringlog.info(ring).readers, reader)
    content = b"".join(b"%d\n" % number for number in range(50_000))
    (folder / "numbers").write_bytes(content)
    writer = start("write", "--end", ring, str(folder / "numbers"))
    with pytest.raises(subprocess.TimeoutExpired):
        writer.wait(0.5)  # the pipe is full, the reader stands, the writer waits
    printed, said = reader.communicate(timeout=PATIENCE)
    assert printed == content
    assert said == b""
    assert (reader.returncode, writer.wait(PATIENCE)) == (0, 0)


def test_a_name_goes_on_where_it_left_off(numbers: str) -> None:
    assert out("tail", "--name", "ann", "--from", "oldest", "--count", "4", numbers).split() == [
        *(b"0", b"1", b"2", b"3")
    ]
    assert out("tail", "--name", "ann", "--no-follow", "--count", "2", numbers).split() == [b"4", b"5"]
    assert out("tail", "--name", "bob", "--from", "oldest", "--count", "1", numbers) == b"0\n"
    assert out("tail", "--name", "ann", "--no-follow", "--from", "0", numbers).split() == [
        *(b"6", b"7", b"8", b"9")
    ]
    assert out("tail", "--name", "ann", "--no-follow", numbers) == b""


def test_a_name_in_use(numbers: str, start: Start) -> None:
    reader = start("tail", "--name", "ann", numbers, stdout=subprocess.DEVNULL)
    until(lambda: ringlog.info(numbers).readers, reader)
    said = error("tail", "--name", "ann", numbers, code=ExitCode.WAITED)
    assert "ann" in said
    assert f"ringlog info {numbers}" in said


def test_what_a_name_could_not_write_is_not_finished(numbers: str) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*COMMAND, "tail", "--name", "ann", "--no-follow", numbers],
            check=False,
            stdout=full,
            stderr=subprocess.PIPE,
        )
    assert done.returncode == ExitCode.REFUSED
    assert done.stderr.decode() == "ringlog: standard output: No space left on device\n"
    assert len(out("tail", "--name", "ann", "--no-follow", numbers).split()) == 10


def test_a_killed_name_prints_again_what_was_not_finished(ring: str, start: Start) -> None:
    """At least once: all that was printed and finished is not repeated, nothing is missing."""
    out("create", ring, "--capacity", "64K")
    reader = start("tail", "--name", "ann", ring, stdout=subprocess.PIPE)
    assert reader.stdout is not None
    until(lambda: ringlog.info(ring).readers, reader)
    out("write", ring, data=b"one\ntwo\n")
    assert reader.stdout.readline() == b"one\n"
    assert reader.stdout.readline() == b"two\n"
    until(lambda: ringlog.info(ring).readers[0].sequence == 2, reader)  # finished
    reader.kill()
    reader.wait()
    out("write", "--end", ring, data=b"three\n")
    assert out("tail", "--name", "ann", ring) == b"three\n"


def test_too_many_readers(ring: str) -> None:
    out("create", ring, "--capacity", "64K", "--max-readers", "1")
    with ringlog.Reader(ring, lossless=True):
        assert f"ringlog info {ring}" in error("tail", "--lossless", ring, code=ExitCode.WAITED)
    assert out("tail", "--lossless", "--no-follow", ring) == b""


def test_a_name_that_fills_the_ring_is_found_and_dropped(ring: str) -> None:
    """From "all slots are taken" to a free one, by what the commands themselves say."""
    out("create", ring, "--capacity", "64K", "--max-readers", "1")
    with ringlog.Reader(ring, name="billing"):
        pass
    assert "all 1 reader slots are taken" in error("tail", ring, "--lossless", code=ExitCode.WAITED)
    found = run("doctor", ring, code=1).stdout.decode()
    assert "no lossless or named reader can be opened" in found
    assert f"ringlog forget {ring} billing" in " ".join(found.split())
    assert out("forget", ring, "billing") == b""
    assert ringlog.info(ring).readers == ()
    said = error("forget", ring, "billing", code=ExitCode.NO_RING)
    assert said == f"ringlog: {ring}: no reader named 'billing'\n"
    out("doctor", ring)


def test_a_name_in_use_is_not_forgotten(ring: str) -> None:
    out("create", ring, "--capacity", "64K")
    with ringlog.Reader(ring, name="billing"):
        assert "in use" in error("forget", ring, "billing", code=ExitCode.WAITED)
