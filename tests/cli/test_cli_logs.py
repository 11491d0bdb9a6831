"""``ringlog record | replay | cat | seek | export | import``."""

from __future__ import annotations

import csv
import io
import json
import signal
from pathlib import Path

import pytest
from cli_command import Start, error, out, run, until

import ringlog
from ringlog.cli.errors import ExitCode


@pytest.fixture
def log(folder: Path) -> str:
    folder = folder / "files"
    folder.mkdir()
    return str(folder / "log")


@pytest.fixture
def recorded(numbers: str, log: str) -> str:
    """A log with the events 0 to 9, whose data is their sequence."""
    out("record", numbers, log, "--no-follow")
    return log


def test_record_what_is_there(numbers: str, log: str) -> None:
    done = run("record", numbers, log, "--no-follow", "-v")
    assert done.returncode == 0
    assert b"10 events" in done.stderr
    assert out("cat", log) == b"".join(b"%d\n" % k for k in range(10))
    assert b"0 events" in run("record", numbers, log, "--no-follow", "-v").stderr
    assert out("verify", log).startswith(log.encode())


def test_record_until_the_stream_ends(ring: str, log: str, start: Start) -> None:
    out("create", ring)
    process = start("record", ring, log, "--segment", "1K")
    until(lambda: ringlog.info(ring).readers)
    out("write", ring, "--end", data=b"".join(b"%d\n" % k for k in range(1000)))
    assert process.wait(20) == 0
    assert out("cat", log) == b"".join(b"%d\n" % k for k in range(1000))
    assert len(list(Path(log).glob("*.events"))) > 5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_record_is_stopped_and_goes_on(ring: str, log: str, start: Start, number: int) -> None:
    out("write", ring, data=b"a\nb\n")
    process = start("record", ring, log)
    until(lambda: Path(log).exists() and out("cat", log) == b"a\nb\n")
    process.send_signal(number)
    assert process.wait(20) in (-signal.SIGKILL, ExitCode.INTERRUPTED, ExitCode.TERMINATED)
    out("write", ring, data=b"c\n")
    out("record", ring, log, "--no-follow")
    assert out("cat", log) == b"a\nb\nc\n"


def test_retention(ring: str, log: str) -> None:
    out("write", ring, data=b"".join(b"%d\n" % k for k in range(1000)))
    out("record", ring, log, "--no-follow", "--segment", "1K", "--keep-files", "3")
    assert len(list(Path(log).glob("*.events"))) == 3


@pytest.mark.parametrize("style", ["raw", "json", "hex"])
def test_cat_prints_as_tail_does(numbers: str, recorded: str, style: str) -> None:
    assert out("cat", recorded, "-o", style) == out("tail", "--no-follow", numbers, "--format", style)


def test_cat_from_somewhere(recorded: str) -> None:
    assert out("cat", recorded, "--from", "7") == b"7\n8\n9\n"
    assert out("cat", recorded, "--from", "-2") == b"8\n9\n"
    assert out("cat", recorded, "--from", "-99", "-n", "1") == b"0\n"
    assert out("cat", recorded, "-n", "2", "-0") == b"0\x001\x00"


def test_cat_tells_what_is_missing(ring: str, log: str) -> None:
    out("write", ring, data=b"".join(b"%d\n" % k for k in range(1000)))
    out("record", ring, log, "--no-follow", "--segment", "1K", "--keep-files", "3")
    oldest = int(min(Path(log).glob("*.events")).stem)
    done = run("cat", log, "--from", "0", "-n", "1")
    assert done.stdout == b"%d\n" % oldest
    assert f"sequences 0 to {oldest - 1}" in done.stderr.decode()


def test_cat_follows(recorded: str, numbers: str, start: Start, folder: Path) -> None:
    target = folder / "out"
    with target.open("wb") as file:
        process = start("cat", "--follow", recorded, stdout=file)
        until(lambda: target.read_bytes().endswith(b"9\n"))
        out("write", numbers, data=b"more\n")
        out("record", numbers, recorded, "--no-follow")
        until(lambda: target.read_bytes().endswith(b"more\n"))
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == ExitCode.INTERRUPTED


def test_seek(recorded: str) -> None:
    found = json.loads(out("seek", recorded, "3", "--json"))
    assert (found["sequence"], found["position"], found["size"]) == (3, 24 + 3 * 17, 1)
    assert found["file"].endswith(f"{0:020}.events")
    when = found["time"]
    first = json.loads(out("seek", recorded, when, "--json"))["sequence"]
    assert first <= 3  # the ten were published at one time
    assert b"sequence 10, the next event, not written yet" in out("seek", recorded, "latest")
    assert error("seek", recorded, "11", code=ExitCode.USAGE)


def test_replay(recorded: str, folder: Path) -> None:
    again = str(folder / "again")
    done = run("replay", recorded, again, "--speed", "max", "--end", "-v")
    assert done.returncode == 0
    assert b"10 events" in done.stderr
    assert out("tail", "--from", "oldest", again) == b"".join(b"%d\n" % k for k in range(10))
    with ringlog.LogReader(recorded) as old, ringlog.Reader(again, start="oldest") as new:
        assert [e.timestamp for e in old] != [e.timestamp for e in new.read_many()]


def test_replay_with_its_times(recorded: str, folder: Path) -> None:
    again = str(folder / "again")
    out("replay", recorded, again, "--keep-times", "--from", "4", "-n", "3")
    with ringlog.LogReader(recorded, start=4) as old, ringlog.Reader(again, start="oldest") as new:
        kept = new.read_many()
        assert [e.timestamp for e in old.read_many(3)] == [e.timestamp for e in kept]
        assert [e.data for e in kept] == [b"4", b"5", b"6"]


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet", "arrow"])
def test_export_and_import(recorded: str, folder: Path, form: str) -> None:
    if form in ("parquet", "arrow"):
        pytest.importorskip("pyarrow")
    file, back = str(folder / f"out.{form}"), str(folder / "files" / "back")
    out("export", recorded, file)
    out("import", file, back)
    assert out("cat", back, "-o", "json") == out("cat", recorded, "-o", "json")


def test_export_to_a_pipe(recorded: str) -> None:
    lines = out("export", recorded, "-", "-o", "jsonl", "-n", "2").splitlines()
    assert [json.loads(line)["data"] for line in lines] == ["0", "1"]
    rows = list(csv.DictReader(io.StringIO(out("export", recorded, "-", "-o", "csv").decode())))
    assert [row["data"] for row in rows] == [str(k) for k in range(10)]
    assert error("export", recorded, "-", code=ExitCode.USAGE)


def test_import_from_a_pipe(log: str) -> None:
    out("import", "-", log, "-o", "jsonl", data=b'{"data": "a"}\n{"data": "b"}\n')
    assert out("cat", log) == b"a\nb\n"
    assert "line 1" in error("import", "-", log, "-o", "jsonl", data=b"nonsense\n", code=ExitCode.USAGE)


@pytest.mark.parametrize("verb", ["cat", "seek", "export", "replay"])
def test_no_log(folder: Path, verb: str) -> None:
    arguments = {"seek": ["0"], "export": [str(folder / "x.csv")], "replay": [str(folder / "r")]}.get(
        verb, []
    )
    nothing = str(folder / "nothing")
    assert "no such log" in error(verb, nothing, *arguments, code=ExitCode.NO_RING)


def test_no_ring_to_record(folder: Path, log: str) -> None:
    assert "no such ring" in error("record", str(folder / "nothing"), log, code=ExitCode.NO_RING)
    assert not Path(log).exists()


def test_replay_names_the_log_that_it_cannot_read(recorded: str, folder: Path) -> None:
    again = str(folder / "again")
    said = error("replay", recorded, again, "--from", "999", code=ExitCode.USAGE)
    assert said == f"ringlog: {recorded}: sequence 999 is beyond the next event, 10\n"
    assert not Path(again).exists()
    segment = next(Path(recorded).glob("*.events"))
    raw = bytearray(segment.read_bytes())
    raw[24 + 5 * 17 + 16] ^= 1  # the data of event 5
    segment.write_bytes(raw)
    said = error("replay", recorded, again, "--speed", "max", code=ExitCode.BAD_DATA)
    assert said.startswith(f"ringlog: {recorded}: damaged: ")


def test_record_names_the_ring_whose_reader_is_there(ring: str, log: str, start: Start) -> None:
    out("create", ring)
    start("record", ring, log)
    until(lambda: ringlog.info(ring).readers)
    said = error("record", ring, f"{log}-other", code=ExitCode.WAITED)
    assert said.startswith(f"ringlog: {ring}: ")
    assert f"ringlog info {ring}" in said


def test_a_log_is_no_patient_of_doctors(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with ringlog.LogWriter(log) as writer:
        writer.append(b"x")
    done = run("doctor", log)
    assert b"no rings here" not in done.stdout
    assert "ringlog verify" in done.stderr.decode()
    done = run("doctor", tmp_path / "missing", code=ExitCode.NO_RING)
    assert b"no rings here" not in done.stdout


@pytest.mark.parametrize("verb", ["tail", "info"])
def test_a_log_where_a_ring_should_be(tmp_path: Path, verb: str) -> None:
    log = tmp_path / "log"
    ringlog.LogWriter(log).close()
    for path in (log, next(log.glob("*.events"))):
        assert f"a log, not a ring (its events: ringlog cat {path})" in error(
            verb, str(path), code=ExitCode.NO_RING
        )


@pytest.mark.parametrize("verb", ["verify", "repair"])
def test_nothing_where_either_may_be(tmp_path: Path, verb: str) -> None:
    path = tmp_path / "none"
    assert error(verb, str(path), code=ExitCode.NO_RING) == f"ringlog: {path}: no such ring or log\n"
