"""``ringlog doctor``: what is wrong with rings and with this machine, what tells so, and what to do."""

from __future__ import annotations

import os
import shlex

import click

import ringlog
from ringlog import doctor
from ringlog.cli import output
from ringlog.cli.doctor_report import Attempt, Report, as_dict, plain, show
from ringlog.cli.errors import ExitCode, explain
from ringlog.cli.manual import RING_CODES, manual
from ringlog.cli.values import RING, Seconds
from ringlog.verify_log import SEGMENT

EVERYWHERE = "/dev/shm"


@click.command(
    "doctor",
    short_help="Say what is wrong with rings and this machine, and what to do.",
    epilog=manual(
        ("ringlog doctor", "everything in /dev/shm, and this machine"),
        ("ringlog doctor --dry-run", "and what --fix would do"),
        ("ringlog doctor /dev/shm/ticks --between 5", "one ring, watched for longer"),
        ("ringlog doctor --json | jq .rings[].verdict", "for programs"),
        codes=RING_CODES,
        meanings={
            ExitCode.DONE: "no problem, though there may be notes",
            ExitCode.FAILED: "problems are left",
        },
    ),
)
@click.argument("paths", metavar="[PATH...]", type=RING, nargs=-1)
@output.json_option
@click.option(
    "--between",
    type=Seconds(),
    default=str(doctor.BETWEEN),
    show_default=True,
    help="How long to watch whether readers and the write lock move.",
)
@click.option("--fix", is_flag=True, help="Do what is safe, and say what was done.")
@click.option("--dry-run", is_flag=True, help="Say what --fix would do, and do nothing.")
@click.option(
    "--machine/--no-machine",
    default=None,
    help="Look at this machine too: memory, limits, settings. [default: without a PATH]",
)
def command(
    paths: tuple[str, ...], as_json: bool, between: float, fix: bool, dry_run: bool, machine: bool | None
) -> None:
    """Say what is wrong with rings and with this machine, what tells so, and what to do.

    PATH is a ring, or a directory of them (and of logs); without one, everything in /dev/shm, and this
    machine. Changes nothing unless asked to; read permission is enough, but other users' processes are seen
    only by root.

    Writers are active, idle, stopped or dead. Lossless readers are idle (everything read), reading, slow (a
    writer waits for it, or over half of the ring is unread), stuck (a writer waits, and it has finished
    nothing meanwhile), stopped, dead, or away (a name that is kept). A problem holds somebody up, or will,
    until a person does something; a note is worth knowing.

    --fix removes leftovers of dead processes (semaphores, files that were never finished; older than a
    minute, and nobody has them open), frees their slots, takes a write lock once that a dead writer has left,
    and gives a semaphore its ring's permissions. No event is lost by it and no process is touched: what needs
    a judgement, such as evicting a reader, is said and left to you.
    """
    report, code = _examine(paths, between)
    if machine or (machine is None and not paths):
        report.machine = doctor.check_machine(doctor.surroundings_of(seen.path for seen, _ in report.rings))
    if fix or dry_run:
        report.attempts = [
            _attempt(one, really=fix and not dry_run) for one in doctor.fixes(report.findings())
        ]
    if as_json:
        output.print_json(as_dict(report))
    elif output.is_terminal(output.STDOUT):
        show(report)
    else:
        output.Output().write(plain(report).encode(errors="surrogateescape"))
    failed = any(one.error is not None for one in report.attempts)
    if not code and (failed or report.problems_left()):
        code = ExitCode.FAILED
    if code:
        click.get_current_context().exit(code)


def _examine(paths: tuple[str, ...], between: float) -> tuple[Report, ExitCode]:
    """Rings and what lies beside them; and the exit code if a path was no ring."""
    report, code = Report(), ExitCode.DONE
    rings: list[str] = []
    asked_for = set(map(os.path.abspath, paths))
    for path in paths or (EVERYWHERE,):
        if os.path.isdir(path):
            inside = doctor.rings_in(path)
            rings += inside
            report.leftovers += doctor.leftovers(path, inside)
            if any(SEGMENT.fullmatch(name) for name in os.listdir(path)):
                output.say(f"{path}: a log; its events are gone over by: ringlog verify {shlex.quote(path)}")
                report.said = True
        else:
            rings.append(path)
    for examination in doctor.look(dict.fromkeys(rings), between):
        if not isinstance(examination.error, ringlog.NotARing | OSError):
            report.rings.append((examination, doctor.check(examination)))
        elif examination.path in asked_for:  # others were removed, or begun, since the directory was read
            failure = explain(examination.path, examination.error)
            output.say(str(failure))
            report.said = True
            code = code or failure.code
    return report, code


def _attempt(fix: doctor.Fix, *, really: bool) -> Attempt:
    attempt = Attempt(fix)
    if really:
        try:
            attempt.done = fix.do()
        except (ringlog.RinglogError, OSError) as error:
            attempt.error = str(error).removeprefix(f"{fix.path}: ")
    return attempt
