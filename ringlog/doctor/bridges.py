"""What is to be said about the pushes and pulls of a ring, by the boards that they keep beside it."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterator
from typing import Any

from ringlog.bridge.boards import PATIENCE, SeenBoard, boards_of, printable
from ringlog.doctor.examination import Examination
from ringlog.doctor.finding import Finding
from ringlog.words import span


def bridges(seen: Examination) -> Iterator[Finding]:
    """Does each push and pull run, and does it keep up?"""
    for board in boards_of(seen.path):
        figures = board.figures
        text, evidence = _text(board), evidence_of(board)
        status = f"ringlog bridge status {shlex.quote(seen.path)}"
        if board.life == "killed":
            advice = f"start it again: ringlog bridge {figures.direction} {shlex.quote(seen.path)}, with the "
            advice += "options that it had"
            yield Finding(seen.path, "killed-bridge", "note", text, advice, evidence)
        elif figures.state == "failed":
            advice = f"mend what it says, and start it again: ringlog bridge {figures.direction}"
            yield Finding(seen.path, "failed-bridge", "note", text, advice, evidence)
        elif board.life == "suspended":
            advice = f"continue it: kill -CONT {figures.pid}; or end it: kill -9 {figures.pid}"
            yield Finding(seen.path, "stopped-bridge", "problem", text, advice, evidence)
        elif board.life == "silent":
            yield Finding(seen.path, "silent-bridge", "note", text, "see if its container runs", evidence)
        elif figures.state in ("disconnected", "connecting") and board.in_state > PATIENCE:
            advice = "see whether the server runs and can be reached; it connects again by itself"
            yield Finding(seen.path, "cut-bridge", "note", text, advice, evidence)
        elif figures.state == "blocked" and board.in_state > PATIENCE:
            advice = "make room there, or see who is slow: ringlog top, and " + status
            yield Finding(seen.path, "blocked-bridge", "note", text, advice, evidence)
        elif board.late:
            advice = f"see if the lag grows: {status} --watch 1"
            yield Finding(seen.path, "late-bridge", "note", text, advice, evidence)


def evidence_of(board: SeenBoard) -> dict[str, Any]:
    """The board, for programs."""
    return {
        "board": board.file,
        "life": board.life,
        "age": round(board.age, 3),
        "in_state": round(board.in_state, 3),
        **dataclasses.asdict(board.figures),
    }


def _text(board: SeenBoard) -> str:
    figures = board.figures
    name = f" as {printable(figures.name)!r}" if figures.name else ""
    way = "to" if figures.direction == "push" else "from"
    who = f"the {figures.direction} {way} {printable(figures.address)}{name}, pid {figures.pid}"
    states = {"killed": "was killed", "suspended": "is stopped", "silent": f"is silent for {span(board.age)}"}
    state = states.get(board.life) or (f"is {figures.state}" if figures.state != "running" else "is late")
    return f"{who}, {state}: {printable(board.why)}"
