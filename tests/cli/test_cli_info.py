"""``ringlog info``."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from cli_command import Start, error, out, run, run_as_nobody, until

import ringlog
from ringlog.cli.errors import ExitCode


def test_plain_text(ring: str) -> None:
    run("write", ring, "--capacity", "64K", data=b"one\ntwo\nthree\n")
    text = out("info", ring).decode()
    assert "\x1b" not in text
    assert text.startswith(ring + "\n")
    assert "  capacity  64 KiB (65536 bytes)\n" in text
    assert "  window    events 0 to 2: 3 events, 59 bytes, 0% full\n" in text
    assert ", open\n" in text
    assert "  writer    the last one has closed\n" in text


def test_an_empty_ring(ring: str) -> None:
    out("create", ring, "--capacity", "64K")
    text = out("info", ring).decode()
    assert "  window    empty: 0 events, 0 bytes, 0% full\n" in text
    assert "  writer    none yet\n" in text


def test_json(ring: str) -> None:
    run("write", ring, "--capacity", "64K", "--end", data=b"one\ntwo\n")
    info = json.loads(out("info", "--json", ring))
    library = ringlog.info(ring)
    assert info["path"] == ring
    assert info["stream_id"] == library.stream_id
    assert info["capacity"] == 65536
    assert info["event_count"] == 2
    assert info["tail_count"] == 0
    assert info["tail_offset"] == 24
    assert info["write_offset"] == 24 + 2 * 16 + 6
    assert info["start_timestamp"] == library.start_timestamp > 0
    assert info["ended"] is True
    assert info["writer"] is None  # it has closed
    assert info["writers"] == []
    assert info["readers"] == []
    assert set(info) == {
        *("path", "stream_id", "version", "capacity", "data_start", "write_offset", "event_count"),
        *("start_timestamp", "tail_offset", "tail_count", "ended", "writer", "writers", "readers"),
    }


def test_who_writes_and_who_reads(ring: str, start: Start) -> None:
    writer = start("write", ring, "--capacity", "64K", stdin=subprocess.PIPE)
    assert writer.stdin is not None
    writer.stdin.write(b"one\ntwo\n")
    writer.stdin.flush()
    reader = start("tail", ring, "--name", "ann", "--wait", "60", stdout=subprocess.DEVNULL)
    until(lambda: Path(ring).exists() and ringlog.info(ring).readers, reader)
    info = json.loads(out("info", "--json", ring))
    assert [one["pid"] for one in info["writers"]] == [writer.pid]
    assert info["writer"] == info["writers"][0]
    assert info["writer"]["state"] in ("active", "idle")
    (one,) = info["readers"]
    assert one["name"] == "ann"
    assert one["pid"] == reader.pid
    assert one["lossless"] is True
    assert one["state"] in ("active", "idle")
    assert isinstance(one["sequence"], int)
    assert isinstance(one["lag"], int)
    text = out("info", ring).decode()
    assert f"  {writer.pid}" in text
    assert "READER PID" in text
    assert "ann" in text


def test_a_name_cannot_steer_the_terminal(ring: str) -> None:
    out("create", ring, "--capacity", "64K")
    name = "a\x1b[2Jb\nc\u202ed"
    with ringlog.Reader(ring, name=name):
        assert json.loads(out("info", "--json", ring))["readers"][0]["name"] == name
        text = out("info", ring).decode()
    assert "a\ufffd[2Jb\ufffdc\ufffdd" in text
    assert all(line.isprintable() for line in text.splitlines())


def test_no_ring(ring: str, folder: Path) -> None:
    said = error("info", ring, code=ExitCode.NO_RING)
    assert said == f"ringlog: {ring}: no such ring (create it: ringlog create {ring})\n"
    assert "directory" in error("info", str(folder), code=ExitCode.NO_RING)


@pytest.mark.parametrize("content", [b"", b"some text\n", b"text\n" * 100_000])
def test_not_a_ring(folder: Path, content: bytes) -> None:
    file = folder / "file"
    file.write_bytes(content)
    for verb in ("info", "tail", "write", "rm"):
        assert "not a ring" in error(verb, str(file), code=ExitCode.NO_RING)
    assert file.read_bytes() == content


@pytest.mark.skipif(os.getuid() != 0, reason="becoming another user takes root")
def test_read_permission_is_enough(ring: str) -> None:
    out("create", ring, "--capacity", "64K", "--mode", "0644")
    run("write", ring, data=b"one\ntwo\n")
    done = run_as_nobody("info", "--json", ring)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["event_count"] == 2
    done = run_as_nobody("tail", "--no-follow", ring)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"one\ntwo\n", b"")
    done = run_as_nobody("write", ring)
    assert done.returncode == ExitCode.REFUSED
    assert b"permission denied (owner root, mode 0644; " in done.stderr


@pytest.mark.skipif(os.getuid() != 0, reason="becoming another user takes root")
def test_no_permission(ring: str) -> None:
    out("create", ring, "--capacity", "64K")
    for verb in ("info", "tail", "write", "rm"):
        done = run_as_nobody(verb, ring)
        assert done.returncode == ExitCode.REFUSED
        assert done.stdout == b""
        assert b"permission denied" in done.stderr or b"not permitted" in done.stderr
    assert Path(ring).exists()
