"""``ringlog write``."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from cli_command import PATIENCE, Start, count, error, events, out, run, until, until_count

import ringlog
from ringlog.cli.errors import ExitCode


def test_each_line_is_an_event(ring: str) -> None:
    assert out("write", ring, data=b"one\n\ntwo three\n  four  \n") == b""
    assert events(ring) == [b"one", b"", b"two three", b"  four  "]
    assert ringlog.info(ring).capacity == 16 << 20


def test_lines_are_bytes(ring: str) -> None:
    lines = [bytes(byte for byte in range(256) if byte != 10), b"\r", b"\xff\xfe", b"\0", "ä\u2028".encode()]
    out("write", ring, data=b"".join(line + b"\n" for line in lines))
    assert events(ring) == lines


def test_the_last_line_needs_no_newline(ring: str) -> None:
    out("write", ring, data=b"one\ntwo")
    assert events(ring) == [b"one", b"two"]


def test_no_input_is_no_event(ring: str) -> None:
    out("write", ring, data=b"")
    assert events(ring) == []


def test_a_file(ring: str, folder: Path) -> None:
    file = folder / "words"
    file.write_bytes(b"one\ntwo\n")
    out("write", ring, str(file))
    out("write", ring, "-", data=b"three\n")
    assert events(ring) == [b"one", b"two", b"three"]


def test_the_newline_can_be_kept(ring: str) -> None:
    content = b"one\r\n\ntwo"
    out("write", "--keep-newline", ring, data=content)
    assert events(ring) == [b"one\r\n", b"\n", b"two"]
    assert out("tail", "--no-follow", "--no-newline", ring) == content


def test_lines_that_end_with_nul(ring: str) -> None:
    out("write", "--null", ring, data=b"one\ntwo\0three\0")
    assert events(ring) == [b"one\ntwo", b"three"]
    assert out("tail", "--no-follow", "--print0", ring) == b"one\ntwo\0three\0"


def test_a_line_is_published_before_the_next_one_comes(ring: str, start: Start) -> None:
    writer = start("write", ring, stdin=subprocess.PIPE)
    assert writer.stdin is not None
    for number in range(1, 6):
        writer.stdin.write(b"line\nhalf")
        writer.stdin.flush()
        until_count(ring, number, writer)
    writer.stdin.close()
    assert writer.wait(PATIENCE) == 0
    assert events(ring) == [b"line", *[b"halfline"] * 4, b"half"]


def test_much_input_through_a_small_ring(ring: str, folder: Path, start: Start) -> None:
    content = b"".join(b"%d " % number + b"x" * (number % 300) + b"\n" for number in range(20_000))
    out("create", ring, "--capacity", "64K")
    printed = folder / "printed"
    with printed.open("wb") as file:
        reader = start("tail", "--lossless", "--from", "oldest", ring, stdout=file)
    until(lambda: ringlog.info(ring).readers, reader)
    out("write", "--end", ring, data=content)
    assert reader.wait(PATIENCE) == 0
    assert printed.read_bytes() == content


def test_a_line_too_large(ring: str, folder: Path) -> None:
    file = folder / "words"
    file.write_bytes(b"one\ntwo\n" + b"x" * 40_000 + b"\nfour\n")
    said = error("write", "--capacity", "64K", ring, str(file), code=ExitCode.BAD_DATA)
    assert f"{file}: line 3 is too large" in said
    assert "at most 32752 bytes" in said
    assert events(ring) == [b"one", b"two"]


def test_the_largest_line(ring: str) -> None:
    line = b"x" * 32752
    out("write", "--capacity", "64K", ring, data=line + b"\n")
    assert events(ring) == [line]


def test_a_batch_larger_than_the_ring_takes_is_divided(ring: str) -> None:
    out("write", "--capacity", "64K", ring, data=b"\n" * 7000)
    assert ringlog.info(ring).event_count == 7000


def test_repeat(ring: str, folder: Path) -> None:
    file = folder / "words"
    file.write_bytes(b"one\ntwo")
    out("write", "--repeat", "3", ring, str(file))
    assert events(ring) == [b"one", b"two"] * 3


def test_repeat_for_ever_until_interrupted(ring: str, folder: Path, start: Start) -> None:
    file = folder / "words"
    file.write_bytes(b"one\ntwo\n")
    writer = start("write", "--repeat", "inf", "--capacity", "64K", "--end", ring, str(file))
    until_count(ring, 10_000, writer)
    writer.send_signal(signal.SIGINT)
    assert writer.wait(PATIENCE) == ExitCode.INTERRUPTED
    assert ringlog.info(ring).ended


def test_an_empty_file_is_not_repeated_for_ever(ring: str, folder: Path) -> None:
    file = folder / "empty"
    file.touch()
    assert "nothing to repeat" in error("write", "--repeat", "inf", ring, str(file), code=ExitCode.FAILED)


def test_rate_writes_all_of_it(ring: str) -> None:
    lines = b"".join(b"%d\n" % number for number in range(500))
    out("write", "--rate", "2k", ring, data=lines)
    assert out("tail", "--no-follow", ring) == lines
    with ringlog.Reader(ring, start="oldest") as reader:
        stamps = [event.timestamp for event in reader.read_many(500)]
    assert stamps[-1] - stamps[0] >= 0.2e9  # 499 / 2000 s, however slow the machine is


def test_end(ring: str) -> None:
    out("write", "--end", ring, data=b"one\n")
    assert ringlog.info(ring).ended
    assert out("tail", "--from", "oldest", ring) == b"one\n"
    out("write", ring, data=b"two\n")
    assert not ringlog.info(ring).ended
    assert out("tail", "--no-follow", ring) == b"one\ntwo\n"


def test_another_capacity(ring: str) -> None:
    out("write", "--capacity", "64K", ring, data=b"one\n")
    out("write", "--capacity", "64K", ring, data=b"two\n")
    error("write", "--capacity", "128K", ring, data=b"three\n", code=ExitCode.USAGE)
    assert events(ring) == [b"one", b"two"]


def test_sync_in_memory_is_refused(ring: str) -> None:
    error("write", "--sync", "always", ring, data=b"one\n", code=ExitCode.USAGE)


@pytest.mark.parametrize("sync", ["always", "0.01"])
def test_sync_on_disk(tmp_path: Path, sync: str) -> None:
    ring = str(tmp_path / "ring")
    try:
        ringlog.create(ring, 65536)
        ringlog.Writer(ring, sync="always").close()
    except (ValueError, OSError) as refused:
        pytest.skip(f"no disk here: {refused}")
    try:
        out("write", "--sync", sync, ring, data=b"one\ntwo\n")
        assert events(ring) == [b"one", b"two"]
    finally:
        ringlog.unlink(ring)


def test_a_file_that_is_not_there_makes_no_ring(ring: str, folder: Path) -> None:
    said = error("write", ring, str(folder / "words"), code=ExitCode.FAILED)
    assert said == f"ringlog: {folder}/words: No such file or directory\n"
    assert not Path(ring).exists()
    assert "directory" in error("write", ring, str(folder), code=ExitCode.FAILED)


def test_closed_standard_input(ring: str) -> None:
    said = error("write", ring, code=ExitCode.FAILED, stdin=None, preexec_fn=lambda: os.close(0))
    assert said.startswith("ringlog: standard input: ")


def test_a_lossless_reader_in_the_way(ring: str, start: Start) -> None:
    out("create", ring, "--capacity", "64K")
    with ringlog.Reader(ring, start="oldest", lossless=True):
        said = error("write", "--timeout", "0.2", ring, data=b"x" * 999 + b"\n" + b"\n" * 9000, code=6)
    assert f"ringlog info {ring}" in said
    assert "events were published before" in said
    published = ringlog.info(ring).event_count
    assert f"; {published} events were published" in said


def test_verbose_sums_up(ring: str) -> None:
    said = run("write", "-v", ring, data=b"one\ntwo\n").stderr.decode()
    assert said.startswith(f"ringlog: {ring}: 2 events, 8 bytes in ")
    assert said.count("\n") == 1


def test_follow_a_growing_file(ring: str, folder: Path, start: Start) -> None:
    file = folder / "log"
    file.write_bytes(b"one\n")
    writer = start("write", "--follow", ring, str(file))
    until_count(ring, 1, writer)
    with file.open("ab", buffering=0) as log:
        for number in range(2, 6):
            log.write(b"ha")
            log.write(b"lf\n")
            until_count(ring, number, writer)
    assert events(ring) == [b"one", *[b"half"] * 4]


def test_follow_a_file_that_is_truncated(ring: str, folder: Path, start: Start) -> None:
    file = folder / "log"
    file.write_bytes(b"one\ntwo\nthree\n")
    writer = start("write", "--follow", ring, str(file), stderr=subprocess.PIPE)
    until_count(ring, 3, writer)
    os.truncate(file, 0)
    with file.open("ab") as log:
        log.write(b"four\n")
    until_count(ring, 4, writer)
    assert events(ring) == [b"one", b"two", b"three", b"four"]
    writer.send_signal(signal.SIGTERM)
    said = writer.communicate(timeout=PATIENCE)[1].decode()
    assert writer.returncode == ExitCode.TERMINATED
    assert said == f"ringlog: {file}: truncated, going on from its beginning\n"


def test_follow_a_file_that_is_rotated(ring: str, folder: Path, start: Start) -> None:
    file = folder / "log"
    file.write_bytes(b"one\n")
    writer = start("write", "--follow", "--end", ring, str(file), stderr=subprocess.PIPE)
    until_count(ring, 1, writer)
    with file.open("ab", buffering=0) as old:
        file.rename(folder / "log.1")
        old.write(b"two\n")  # whoever has the old file open may write for a while
        until_count(ring, 2, writer)
        old.write(b"three")
        file.write_bytes(b"four\nfi")
        until_count(ring, 4, writer)
    with file.open("ab") as new:
        new.write(b"ve\n")
    until_count(ring, 5, writer)
    assert events(ring) == [b"one", b"two", b"three", b"four", b"five"]
    writer.send_signal(signal.SIGINT)
    said = writer.communicate(timeout=PATIENCE)[1].decode()
    assert writer.returncode == ExitCode.INTERRUPTED
    assert said == f"ringlog: {file}: replaced, going on with the new file\n"
    assert ringlog.info(ring).ended


def test_follow_waits_for_the_file(ring: str, folder: Path, start: Start) -> None:
    file = folder / "log"
    writer = start("write", "--follow", ring, str(file), stderr=subprocess.PIPE)
    assert writer.stderr is not None
    assert b"not there yet" in writer.stderr.readline()
    file.write_bytes(b"one\n")
    until_count(ring, 1, writer)


def test_follow_takes_a_file(ring: str) -> None:
    assert "not a regular file" in error("write", "--follow", ring, "/dev/null", code=ExitCode.FAILED)


def test_a_killed_writer_is_followed_by_another(ring: str, folder: Path, start: Start) -> None:
    lines = [b"%06d" % number for number in range(60_000)]
    printed = folder / "printed"
    out("create", ring, "--capacity", "64K")
    with printed.open("wb") as file:
        reader = start("tail", "--lossless", "--from", "oldest", ring, stdout=file)
    until(lambda: ringlog.info(ring).readers, reader)
    part = folder / "part"
    for goal in range(10_000, 60_000, 10_000):
        begun = count(ring)
        part.write_bytes(b"".join(line + b"\n" for line in lines[begun:]))
        writer = start("write", "--rate", "50k", ring, str(part))
        until_count(ring, goal, writer)
        writer.kill()
        assert writer.wait() == -signal.SIGKILL
    part.write_bytes(b"".join(line + b"\n" for line in lines[count(ring) :]))
    out("write", "--end", ring, str(part))
    assert reader.wait(PATIENCE) == 0
    assert printed.read_bytes().split() == lines
