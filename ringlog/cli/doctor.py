"""``ringlog doctor``: what is wrong with rings, what tells so, and what to do."""

from __future__ import annotations

import dataclasses
import json
import os
from typing import Any

import click

import ringlog
from ringlog import doctor
from ringlog.cli import output
from ringlog.cli.errors import ExitCode, explain
from ringlog.cli.people import count, evidence, who
from ringlog.cli.values import RING, Seconds

EVERYWHERE = "/dev/shm"
_STYLES = {"problem": "bold red", "note": "yellow"}
_STATES = {
    "stopped": "yellow",
    "stuck": "red",
    "dead": "red",
    "slow": "yellow",
    "active": "green",
    "reading": "green",
}

Report = tuple[doctor.Examination, list[doctor.Finding]]


@click.command("doctor", short_help="Say what is wrong with rings, and what to do.")
@click.argument("paths", metavar="[PATH...]", type=RING, nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "--between",
    type=Seconds(),
    default=str(doctor.BETWEEN),
    show_default=True,
    help="How long to watch whether readers and the write lock move.",
)
def command(paths: tuple[str, ...], as_json: bool, between: float) -> None:
    """Say what is wrong with rings, what tells so, and what to do.

    PATH is a ring, or a directory of them; without one, every ring in /dev/shm. Changes nothing; read
    permission is enough, but other users' processes are seen only by root.

    Writers are active, idle, stopped or dead. Lossless readers are idle (everything read), reading, slow (a
    writer waits for it, or over half of the ring is unread), stuck (a writer waits, and it has finished
    nothing meanwhile), stopped, dead, or away (a name that is kept).

    Ends with 0 if there is no problem, with 1 if there is one; notes are no problems. With the exit codes of
    ringlog --help if a PATH is no ring.
    """
    rings: list[str] = []
    beside: list[doctor.Finding] = []
    code = ExitCode.DONE
    asked_for = set(map(os.path.abspath, paths))
    for path in paths or (EVERYWHERE,):
        if os.path.isdir(path):
            inside = doctor.rings_in(path)
            rings += inside
            beside += doctor.leftovers(path, inside)
        else:
            rings.append(path)
    reports: list[Report] = []
    for examination in doctor.look(dict.fromkeys(rings), between):
        if not isinstance(examination.error, ringlog.NotARing | OSError):
            reports.append((examination, doctor.check(examination)))
        elif examination.path in asked_for:  # others were removed, or begun, since the directory was read
            failure = explain(examination.path, examination.error)
            output.say(str(failure))
            code = code or failure.code
    _print(reports, beside, as_json)
    if not code and any(finding.severity == "problem" for _, found in reports for finding in found):
        code = ExitCode.FAILED
    if code:
        click.get_current_context().exit(code)


def _print(reports: list[Report], beside: list[doctor.Finding], as_json: bool) -> None:
    if as_json:
        data = {"rings": [_as_dict(*report) for report in reports], "leftovers": [*map(_finding, beside)]}
        output.Output().write((json.dumps(data, indent=2) + "\n").encode())
    elif output.is_terminal(output.STDOUT):
        _show(reports, beside)
    else:
        output.Output().write(_plain(reports, beside).encode(errors="surrogateescape"))


def _finding(finding: doctor.Finding) -> dict[str, Any]:
    return dataclasses.asdict(finding)


def _as_dict(seen: doctor.Examination, found: list[doctor.Finding]) -> dict[str, Any]:
    return {
        "path": seen.path,
        "verdict": verdict(found),
        "seconds": round(seen.seconds, 3),
        "people": [{"who": name, "state": state, "evidence": facts} for name, state, facts in _people(seen)],
        "findings": [*map(_finding, found)],
    }


def verdict(found: list[doctor.Finding]) -> str:
    """``nothing wrong``, ``1 problem, 2 notes``, ``1 note``."""
    parts = []
    for severity in ("problem", "note"):
        number = sum(finding.severity == severity for finding in found)
        if number:
            parts.append(count(number, severity))
    return ", ".join(parts) or "nothing wrong"


def _people(seen: doctor.Examination) -> list[tuple[str, str, str]]:
    """Writers and readers: who, state, evidence."""
    if seen.looks is None:
        return []
    rows = [(who(one), str(one.state), evidence(one)) for one in seen.last.writers.values()]
    rows += [(who(one), seen.reader_state(place), evidence(one)) for place, one in seen.last.readers.items()]
    return rows


def _plain(reports: list[Report], beside: list[doctor.Finding]) -> str:
    """Lines without colours: for pipes, and for eyes."""
    lines = []
    for seen, found in reports:
        lines.append(f"{seen.path}: {verdict(found)}")
        lines += [f"  {name}: {state}; {facts}" for name, state, facts in _people(seen)]
        for finding in found:
            lines.append(f"  {finding.severity} ({finding.check}): {finding.text}")
            lines += [f"    {finding.advice}"] if finding.advice else []
    for finding in beside:
        lines.append(f"{finding.path}: {finding.text}")
        lines += [f"    {finding.advice}"] if finding.advice else []
    return "\n".join(lines or ["no rings here"]) + "\n"


def _show(reports: list[Report], beside: list[doctor.Finding]) -> None:
    """The same, for a terminal."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    console = Console(highlight=False)
    for seen, found in reports:
        style = _STYLES[found[0].severity] if found else "bold green"
        console.print(Text.assemble((seen.path, "bold"), ": ", (verdict(found), style)))
        for name, state, facts in _people(seen):
            text = Text.assemble(name, ": ", (state, _STATES.get(state, "")), f"; {facts}")
            console.print(Padding(text, (0, 0, 0, 2)))
        for finding in found:
            head = (f"{finding.severity} ({finding.check})", _STYLES[finding.severity])
            console.print(Padding(Text.assemble(head, f": {finding.text}"), (0, 0, 0, 2)))
            if finding.advice:
                console.print(Padding(Text(finding.advice, "cyan"), (0, 0, 0, 4)))
    for finding in beside:
        console.print(Text.assemble((finding.path, "bold"), f": {finding.text}"))
        console.print(Padding(Text(finding.advice, "cyan"), (0, 0, 0, 4)))
    if not reports and not beside:
        console.print("no rings here")
