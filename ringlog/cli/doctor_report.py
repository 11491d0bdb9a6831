"""What ``ringlog doctor`` has found, as JSON, as plain lines, and for a terminal."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ringlog import doctor
from ringlog.cli.people import count, evidence, who

_STYLES = {"problem": "bold red", "note": "yellow"}
_STATES = {
    "stopped": "yellow",
    "stuck": "red",
    "dead": "red",
    "slow": "yellow",
    "active": "green",
    "reading": "green",
}


@dataclass
class Attempt:
    """A safe step: to be done, done, or failed."""

    fix: doctor.Fix
    done: str | None = None
    error: str | None = None

    @property
    def line(self) -> str:
        if self.error is not None:
            return f"not fixed: {self.fix.path}: {self.error}"
        if self.done is not None:
            return f"fixed: {self.fix.path}: {self.done}"
        return f"to fix: {self.fix.path}: {self.fix.text}"


@dataclass
class Report:
    """Everything that one run has found and done."""

    rings: list[tuple[doctor.Examination, list[doctor.Finding]]] = field(default_factory=list)
    leftovers: list[doctor.Finding] = field(default_factory=list)
    machine: list[doctor.Finding] | None = None  # None: nobody asked
    attempts: list[Attempt] = field(default_factory=list)
    said: bool = False  # on standard error, what a path was that is no ring

    def findings(self) -> list[doctor.Finding]:
        return [*(one for _, found in self.rings for one in found), *self.leftovers, *(self.machine or [])]

    def problems_left(self) -> int:
        """How many problems nothing was done about."""
        fixed = {(one.fix.path, one.fix.check) for one in self.attempts if one.done is not None}
        problems = [one for one in self.findings() if one.severity == "problem"]
        return sum((one.path, one.check) not in fixed for one in problems)

    def groups(self) -> Iterator[tuple[str, list[tuple[str, str, str]], list[doctor.Finding]]]:
        """A title, people, findings: rings first, then folders and the machine."""
        for seen, found in self.rings:
            yield seen.path, people(seen), found
        places: dict[str, list[doctor.Finding]] = {}
        for finding in [*self.leftovers, *(self.machine or [])]:
            places.setdefault(finding.path, []).append(finding)
        for place, found in places.items():
            yield place, [], found


def verdict(found: list[doctor.Finding]) -> str:
    """``nothing wrong``, ``1 problem, 2 notes``, ``1 note``."""
    parts = []
    for severity in ("problem", "note"):
        number = sum(finding.severity == severity for finding in found)
        if number:
            parts.append(count(number, severity))
    return ", ".join(parts) or "nothing wrong"


def people(seen: doctor.Examination) -> list[tuple[str, str, str]]:
    """Writers and readers: who, state, evidence."""
    if seen.looks is None:
        return []
    rows = [(who(one), str(one.state), evidence(one)) for one in seen.last.writers.values()]
    rows += [(who(one), seen.reader_state(place), evidence(one)) for place, one in seen.last.readers.items()]
    return rows


def as_dict(report: Report) -> dict[str, Any]:
    """For ``--json``."""
    return {
        "problems": sum(one.severity == "problem" for one in report.findings()),
        "notes": sum(one.severity == "note" for one in report.findings()),
        "rings": [
            {
                "path": seen.path,
                "verdict": verdict(found),
                "seconds": round(seen.seconds, 3),
                "people": [
                    {"who": name, "state": state, "evidence": facts} for name, state, facts in people(seen)
                ],
                "findings": [dataclasses.asdict(one) for one in found],
            }
            for seen, found in report.rings
        ],
        "leftovers": [dataclasses.asdict(one) for one in report.leftovers],
        "machine": None if report.machine is None else [dataclasses.asdict(one) for one in report.machine],
        "fixes": [
            {
                "check": one.fix.check,
                "path": one.fix.path,
                "text": one.fix.text,
                "done": one.done,
                "error": one.error,
            }
            for one in report.attempts
        ],
    }


def plain(report: Report) -> str:
    """Lines without colours: for pipes, and for eyes."""
    lines = []
    for title, rows, found in report.groups():
        lines.append(f"{title}: {verdict(found)}")
        lines += [f"  {name}: {state}; {facts}" for name, state, facts in rows]
        for finding in found:
            lines.append(f"  {finding.severity} ({finding.check}): {finding.text}")
            lines += [f"    {finding.advice}"] if finding.advice else []
    if not lines and not report.said:
        lines = ["no rings here"]
    lines += [one.line for one in report.attempts]
    return "\n".join(lines) + "\n"


def show(report: Report) -> None:
    """The same, for a terminal."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    console = Console(highlight=False)
    for title, rows, found in report.groups():
        style = _STYLES[found[0].severity] if found else "bold green"
        console.print(Text.assemble((title, "bold"), ": ", (verdict(found), style)))
        for name, state, facts in rows:
            text = Text.assemble(name, ": ", (state, _STATES.get(state, "")), f"; {facts}")
            console.print(Padding(text, (0, 0, 0, 2)))
        for finding in found:
            head = (f"{finding.severity} ({finding.check})", _STYLES[finding.severity])
            console.print(Padding(Text.assemble(head, f": {finding.text}"), (0, 0, 0, 2)))
            if finding.advice:
                console.print(Padding(Text(finding.advice, "cyan"), (0, 0, 0, 4)))
    if not report.rings and not report.findings() and not report.said:
        console.print("no rings here")
    for one in report.attempts:
        console.print(
            Text(one.line, "bold red" if one.error is not None else "green" if one.done else "cyan")
        )
