"""``ringlog verify``: is everything in this ring or log whole?"""

from __future__ import annotations

import dataclasses
import os
import time

import click

import ringlog
from ringlog.cli.errors import ExitCode, explained_file
from ringlog.cli.manual import DATA_CODES, manual
from ringlog.cli.output import Output, json_option, print_json
from ringlog.cli.progress import Progress
from ringlog.cli.values import RING, size_text


@click.command(
    "verify",
    short_help="Go over every event of a ring or log: is it whole?",
    epilog=manual(
        ("ringlog verify /dev/shm/ticks", "a ring"),
        ("ringlog verify /var/log/ticks --json", "a log"),
        codes=DATA_CODES,
    ),
)
@click.argument("path", metavar="FILE", type=RING)
@json_option
@click.option("--progress/--no-progress", default=True, help="Show how far it is, on a terminal.")
def command(path: str, as_json: bool, progress: bool) -> None:
    """Go over every event of a ring or a log, and report the first bad position and why.

    FILE is a ring, a log file or a directory of segments. Changes nothing; read permission is enough, and a
    writer may go on. The exit code is 0 if all is whole, 5 if something is damaged.
    """
    shown = Progress("verify", None, progress)
    began = time.monotonic()
    try:
        with explained_file(path):
            report = ringlog.verify(path, progress=shown.update)
    finally:
        shown.close()
    seconds = time.monotonic() - began
    if as_json:
        found = {**dataclasses.asdict(report), "ok": report.ok, "seconds": round(seconds, 6)}
        print_json(found)
    else:
        Output().write(report_text(path, report, seconds).encode(errors="surrogateescape"))
    if not report.ok:
        click.get_current_context().exit(ExitCode.BAD_DATA)


def report_text(path: str, report: ringlog.Report, seconds: float | None = None) -> str:
    """A line or two about the whole, one for each note."""
    verdict = "whole" if report.ok else f"damaged at position {report.first_bad}: {report.why}"
    lines = [f"{os.fspath(path)}: {report.kind}, {verdict}"]
    looked = f"{report.events:,} event{'' if report.events == 1 else 's'}, {size_text(report.bytes)}"
    if not report.ok:
        looked += " whole" + (" in front of it" if report.first_bad else "")
    if seconds is not None and seconds > 0:
        looked += f", in {seconds:.2f} s ({size_text(int(report.bytes / seconds))}/s)"
    lines.append(looked)
    if report.overtaken:
        lines.append(f"{report.overtaken:,} more were overwritten by the writer before they were looked at")
    lines += report.notes
    return "\n  ".join(lines) + "\n"
