"""The end of every verb's help: examples, and the exit codes that it can have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ringlog.cli.errors import MEANINGS, ExitCode

ALWAYS = (ExitCode.USAGE, ExitCode.INTERRUPTED, ExitCode.CLOSED_PIPE, ExitCode.TERMINATED)
RING_CODES = (ExitCode.DONE, ExitCode.FAILED, ExitCode.NO_RING, ExitCode.REFUSED)  # of whoever opens a ring
DATA_CODES = (*RING_CODES, ExitCode.BAD_DATA)  # and reads or writes events
_PLAIN = {ExitCode.DONE: "done", ExitCode.FAILED: "failed for a reason that is not below"}
_WIDTH = 46  # columns of a command, beside which its remark still fits into a terminal of 80


def manual(
    *examples: tuple[str, str],
    codes: Iterable[ExitCode],
    meanings: Mapping[ExitCode, str] | None = None,
) -> str:
    """Text for the epilog of a verb: examples are commands and what each is for; codes are those beside the
    ones that every verb has; meanings: what one of them means for this verb."""
    return "\n\n".join((_examples(examples), _codes(codes, meanings or {})))


def _examples(examples: Iterable[tuple[str, str]]) -> str:
    lines = ["\b", "Examples:"]
    for command, remark in examples:
        if not remark:
            lines.append(f"  {command}")
        elif len(command) <= _WIDTH and len(remark) <= 28:
            lines.append(f"  {command:<{_WIDTH}}  # {remark}")
        else:
            lines += [f"  # {remark}", f"  {command}"]
    return "\n".join(lines)


def _codes(codes: Iterable[ExitCode], meanings: Mapping[ExitCode, str]) -> str:
    lines = ["\b", "Exit codes:"]
    for code in sorted({*codes, *ALWAYS}):
        lines.append(f"  {code:3d}  {meanings.get(code) or _PLAIN.get(code) or MEANINGS[code]}")
    return "\n".join(lines)
