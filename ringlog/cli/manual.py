"""The end of every verb's help: examples, and the exit codes that it can have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ringlog.cli.errors import MEANINGS, ExitCode

ALWAYS = (ExitCode.USAGE, ExitCode.INTERRUPTED, ExitCode.CLOSED_PIPE, ExitCode.TERMINATED)
RING_CODES = (ExitCode.DONE, ExitCode.FAILED, ExitCode.NO_RING, ExitCode.REFUSED)  # of whoever opens a ring
DATA_CODES = (*RING_CODES, ExitCode.BAD_DATA)  # and reads or writes events
_PLAIN = {ExitCode.DONE: "done", ExitCode.FAILED: "failed for a reason that is not below"}
_WIDTH = 70  # columns of an example and its remark, so that help fits into a terminal of 80


def manual(
    *examples: tuple[str, str],
    codes: Iterable[ExitCode],
    meanings: Mapping[ExitCode, str] | None = None,
) -> str:
    """Text for the epilog of a verb: examples are commands and what each is for; codes are those beside the
    ones that every verb has; meanings: what one of them means for this verb."""
    return "\n\n".join((_examples(examples), _codes(codes, meanings or {})))


def _examples(examples: Sequence[tuple[str, str]]) -> str:
    """In two columns, or one below the other where one is too long."""
    width = max(len(command) for command, _ in examples)
    beside = all(width + len(remark) <= _WIDTH for _, remark in examples)
    lines = ["\b", "Examples:"]
    for command, remark in examples:
        if not remark:
            lines.append(f"  {command}")
        elif beside:
            lines.append(f"  {command:<{width}}  # {remark}")
        else:
            lines += [f"  # {remark}", f"  {command}"]
    return "\n".join(lines)


def _codes(codes: Iterable[ExitCode], meanings: Mapping[ExitCode, str]) -> str:
    lines = ["\b", "Exit codes:"]
    for code in sorted({*codes, *ALWAYS}):
        lines.append(f"  {code:3d}  {meanings.get(code) or _PLAIN.get(code) or MEANINGS[code]}")
    return "\n".join(lines)
