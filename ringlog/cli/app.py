"""The ``ringlog`` command itself: its verbs, its help, and how every run of it ends."""

from __future__ import annotations

import errno
import importlib
import signal
import sys
from types import FrameType
from typing import Any, NoReturn

import click

from ringlog.cli import output
from ringlog.cli.errors import MEANINGS, ClosedPipe, ExitCode, Failure, Terminated, code_of

VERBS = (
    *("create", "info", "top", "doctor", "exporter", "write", "tail", "evict", "forget"),
    *("record", "replay", "cat", "seek", "export", "import", "verify", "repair", "rm"),
    *("bridge", "bench", "completion", "help"),
)

MODULES = {"export": "exporting", "import": "importing"}  # where the verb's own name can't be a module's

EPILOG = "\b\nExit codes:\n" + "\n".join(f"  {code:3d}  {meaning}" for code, meaning in MEANINGS.items())


class Verbs(click.Group):
    """One module a verb, imported when it is run; `invoke` is where every error ends."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module = MODULES.get(cmd_name, cmd_name)
        command = importlib.import_module(f"ringlog.cli.{module}").command
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Failure as failure:
            output.say(str(failure))
            ctx.exit(failure.code)
        except ClosedPipe:
            output.abandon_stdout()
            ctx.exit(ExitCode.CLOSED_PIPE)
        except KeyboardInterrupt:
            if output.is_terminal(output.STDERR):
                click.echo(err=True)  # the prompt should not follow "^C"
            ctx.exit(ExitCode.INTERRUPTED)
        except Terminated:
            ctx.exit(ExitCode.TERMINATED)


def _version(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted:
        import importlib.metadata
        import platform

        from ringlog import _core

        version = importlib.metadata.version("ringlog")
        python = f"{platform.python_implementation()} {platform.python_version()}"
        core = f"core for {python} on {platform.machine()}, checksum by {_core.checksum_implementations()[0]}"
        click.echo(f"ringlog {version} (file format {_core.VERSION}; {core})")
        ctx.exit()


@click.group(
    cls=Verbs,
    epilog=EPILOG,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_version,
    help="Show the versions: of the package, its native core, and the file format.",
)
def app() -> None:
    """Rings of events in shared memory: one writer, any number of readers.

    \b
      ringlog create /dev/shm/ticks --capacity 16M
      ringlog tail /dev/shm/ticks                     # in one terminal
      journalctl -f | ringlog write /dev/shm/ticks    # in another

    A ring is a file, best kept in /dev/shm; PATH is where it is. Every verb has examples and its exit codes
    in its own help: ringlog tail --help, or ringlog help tail. When something is stuck: ringlog doctor.
    """


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; no exception leaves."""
    output.occupy_closed_descriptors()
    signal.signal(signal.SIGTERM, _terminate)
    try:
        code = app.main(arguments, prog_name="ringlog", standalone_mode=False)
    except click.UsageError as error:
        context = error.ctx
        output.say(error.format_message())
        if context is not None:
            output.say(f"see: {context.command_path} --help")
        return ExitCode.USAGE
    except click.ClickException as error:
        output.say(error.format_message())
        return ExitCode.FAILED
    except (click.Abort, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    except Terminated:
        return ExitCode.TERMINATED
    except OSError as error:  # of help, and of what else click itself prints: everything else is explained
        if error.errno == errno.EPIPE:
            return ExitCode.CLOSED_PIPE
        if error.filename is not None or sys.stdout.closed:
            raise
        output.say(f"standard output: {error.strerror}")
        return code_of(error)
    return code if isinstance(code, int) else ExitCode.DONE


def _terminate(_number: int, _frame: FrameType | None) -> NoReturn:
    raise Terminated
