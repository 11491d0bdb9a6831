"""``ringlog export | import`` with standard input and output, and what they say when something is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli_command import COMMAND, PATIENCE, error, out, run, run_as_nobody

import ringlog
from ringlog.cli.errors import ExitCode

pytestmark = pytest.mark.once


@pytest.fixture
def log(folder: Path) -> str:
    """Events 0 to 9, whose data is their sequence."""
    folder = folder / "files"
    folder.mkdir()
    with ringlog.LogWriter(folder / "log") as writer:
        writer.append_many([b"%d" % k for k in range(10)])
    return str(folder / "log")


def shell(script: str, *arguments: str) -> tuple[int, str]:
    """Exit code and standard error of ringlog, as $1, $2, ... of a shell's script."""
    done = subprocess.run(
        ["bash", "-c", script, "bash", *COMMAND, *arguments],
        check=False,
        capture_output=True,
        timeout=PATIENCE,
    )
    return int(done.stdout.split()[-1]), done.stderr.decode()


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_nobody_reads_the_output(folder: Path, form: str) -> None:
    if form == "parquet":
        pytest.importorskip("pyarrow")
    log = str(folder / "large")
    with ringlog.LogWriter(log) as writer:
        writer.append_many([b"%d" % k * 20 for k in range(100_000)])
    script = '"$@" | head -c 1 >&2; echo " ${PIPESTATUS[0]}"'
    code, said = shell(script, "export", log, "-", "-o", form)
    assert code == ExitCode.CLOSED_PIPE
    assert len(said) == 1


def test_standard_streams_that_are_closed_or_full(log: str) -> None:
    new = f"{log}-new"
    assert (
        shell('"$@" <&-; echo $?', "import", "-", new, "-o", "csv")[1] == "ringlog: standard input: closed\n"
    )
    code, said = shell('exec 3>&1; "$@" >&-; echo $? >&3', "export", log, "-", "-o", "csv")
    assert (code, said) == (ExitCode.FAILED, "ringlog: standard output: Bad file descriptor\n")
    code, said = shell('"$@" >/dev/full; echo $?', "export", log, "-", "-o", "csv")
    assert (code, said) == (ExitCode.REFUSED, "ringlog: standard output: No space left on device\n")


def test_a_stream_file_is_no_pipe(log: str) -> None:
    assert "from a FILE" in error("import", "-", f"{log}-new", "-o", "events", data=b"", code=ExitCode.USAGE)
    assert "to a FILE" in error("export", log, "-", "-o", "events", code=ExitCode.USAGE)


def test_parquet_through_pipes(log: str) -> None:
    pytest.importorskip("pyarrow")
    table = out("export", log, "-", "-o", "parquet")
    out("import", "-", f"{log}-new", "-o", "parquet", data=table)
    assert out("cat", f"{log}-new") == out("cat", log)


def test_the_log_is_not_a_target(log: str) -> None:
    segment = str(next(Path(log).glob("*.events")))
    assert "part of the log" in error("export", log, segment, "-o", "jsonl", code=ExitCode.USAGE)
    assert json.loads(out("cat", log, "-o", "json").splitlines()[-1])["data"] == "9"


def test_errors_name_the_file_that_they_are_about(log: str, folder: Path) -> None:
    nowhere = "/nonexistent/x.csv"
    assert error("export", log, nowhere, code=ExitCode.FAILED) == (
        f"ringlog: {nowhere}: no such directory: /nonexistent\n"
    )
    said = error("export", log, "/dev/full", "-o", "csv", code=ExitCode.REFUSED)
    assert said.startswith("ringlog: /dev/full: no space left on device (")
    assert "--capacity" not in said
    assert error("export", log, str(folder), "-o", "csv", code=ExitCode.FAILED) == (
        f"ringlog: {folder}: is a directory\n"
    )
    assert "no such file" in error("import", f"{log}.csv", f"{log}-new", code=ExitCode.FAILED)
    rows = folder / "rows.jsonl"
    rows.write_text('{"data": "a"}\n{"data": 5}\n')
    said = error("import", str(rows), f"{log}-new", code=ExitCode.USAGE)
    assert said == f"ringlog: {rows}: line 2: no event: data must be a string, not 5\n"
    ring = folder / "short.events"
    ring.write_bytes(b"no")
    said = error("import", str(ring), f"{log}-new", code=ExitCode.NO_RING)
    assert said == f"ringlog: {ring}: not a log: shorter than a header\n"


def test_a_file_that_must_not_be_written_is_not_replaced(log: str, folder: Path) -> None:
    """The folder would let another file take its place."""
    for path in (folder, folder / "files", Path(log), *Path(log).iterdir()):
        path.chmod(0o777)
    target = folder / "out.csv"
    target.write_text("before")
    target.chmod(0o444)
    done = run_as_nobody("export", log, str(target))
    assert done.returncode == ExitCode.REFUSED
    assert f"{target}: permission denied (owner" in done.stderr.decode()
    assert target.read_text() == "before"
    assert sorted(path.name for path in folder.iterdir()) == ["files", "out.csv"]


def test_a_log_that_somebody_writes(log: str) -> None:
    with ringlog.LogWriter(log):
        said = error("import", "-", log, "-o", "jsonl", data=b'{"data": "a"}', code=ExitCode.WAITED)
    assert "ringlog info" not in said


def test_numbers_that_nothing_can_hold(log: str) -> None:
    large = "99999999999999999999999"
    for arguments in (
        ["cat", log, "--from", large],
        ["cat", log, "--from", f"-{large}"],
        ["seek", log, large],
    ):
        assert str(2**63 - 1) in error(*arguments, code=ExitCode.USAGE)
    for size in ("9000000000G", large * 300):
        arguments = ["import", "-", f"{log}-new", "-o", "csv", "--segment", size]
        assert str(2**63 - 1) in error(*arguments, data=b"", code=ExitCode.USAGE)
    assert "beyond the next event" in error("cat", log, "--from", str(2**63 - 1), code=ExitCode.USAGE)


def test_without_pyarrow(log: str, folder: Path) -> None:
    hidden = folder / "hidden"
    hidden.mkdir()
    (hidden / "pyarrow.py").write_text("raise ModuleNotFoundError('No module named pyarrow', name='pyarrow')")
    target = folder / "files" / "out.parquet"
    target.write_bytes(b"before")
    done = subprocess.run(
        [sys.executable, "-m", "ringlog", "export", log, str(target)],
        check=False,
        capture_output=True,
        timeout=PATIENCE,
        env={**os.environ, "PYTHONPATH": str(hidden)},
    )
    assert done.returncode == ExitCode.FAILED
    assert done.stderr == b"ringlog: parquet needs pyarrow: pip install pyarrow\n"
    assert target.read_bytes() == b"before"
    assert run("export", log, str(target.with_suffix(".csv"))).stderr == b""
